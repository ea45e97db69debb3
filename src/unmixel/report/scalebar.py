"""Scale bars of round length, drawn below a picture so that they hide nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmixel.core.units import printed
from unmixel.dataset.axes import Axis
from unmixel.report.canvas import INK, TEXT_PT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LARGER = {"nm": ("um", 1e3), "mrad": ("rad", 1e3), "eV": ("keV", 1e3)}


@dataclass(frozen=True)
class ScaleBar:
    """A bar of round length.

    Parameters
    ----------
    samples : float
        Length in samples of the axis.
    text : str
        The same length with its unit, ready to print.
    """

    samples: float
    text: str


def round_length(longest: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is not above `longest` (> 0).

    Examples
    --------
    >>> [round_length(value) for value in (79.0, 4.9, 0.31)]
    [50.0, 2.0, 0.2]
    """
    power = math.floor(math.log10(longest) + 1e-12)
    unit = 10.0**power
    for step in (5, 2):
        if step * unit <= longest * (1 + 1e-9):
            return round(step * unit, 12 - power)
    return round(unit, 12 - power)


def scale_bar(axis: Axis, *, share: float = 0.36) -> ScaleBar:
    """Return the bar for a picture whose width is `axis`, at most `share` of it long.

    An axis without calibration gets a bar in px, of at least one pixel.

    Examples
    --------
    >>> scale_bar(Axis("x", 105, scale=3.03, unit="nm"))
    ScaleBar(samples=33.00330033003301, text='100 nm')
    >>> scale_bar(Axis("u", 144, scale=0.03246, unit="1/angstrom")).text
    '1 Å⁻¹'
    """
    step = abs(axis.scale) if axis.calibrated else 1.0
    longest = max(axis.size * share, 1.0) * step
    length = round_length(longest)
    samples = length / step
    shown, unit = length, axis.unit
    if unit in _LARGER and length >= _LARGER[unit][1]:
        unit, factor = _LARGER[unit]
        shown = length / factor
    return ScaleBar(samples, f"{shown:.10g} {printed(unit)}")


def draw_scale_bar(
    figure: Figure, bar: ScaleBar, *, left: float, top: float, inch_per_sample: float
) -> float:
    """Draw a bar with its text to the right of it; places in inches from the upper left corner.

    Returns
    -------
    float
        Where the bar ends, in inches from the left; its text follows.
    """
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    end = left + bar.samples * inch_per_sample
    y = 1 - top / height
    figure.add_artist(
        Line2D([left / width, end / width], [y, y], color=INK, linewidth=2.2, solid_capstyle="butt")
    )
    figure.text(
        (end + 0.06) / width,
        y,
        bar.text,
        fontsize=TEXT_PT,
        color=INK,
        va="center",
        ha="left",
        parse_math=False,
    )
    return end
