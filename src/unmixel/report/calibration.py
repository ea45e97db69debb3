"""Figure of a calibration: a pattern with the fitted rings, and how far its spots are from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.calibration import CalibrationFit
from unmixel.report.canvas import FAINT, INK, TEXT_PT, box, label_axes, open_frame, sheet, write
from unmixel.report.panels import Panel
from unmixel.report.scales import sqrt_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE = "#0072b2", "#d55e00"
_LETTERS = 116
"""Letters of a line of the words at the foot."""


def figure_calibration(
    fit: CalibrationFit, pattern: NDArray[Any], *, number: int = 0, width: float = 7.2
) -> Figure:
    """Return one pattern with its spots and the fitted rings, and the residuals of all spots.

    Residuals are measured less expected spatial frequency in percent, against radius and azimuth: a wrong scale would
    lift all of them, a wrong centre wave once around, an ellipse twice.

    Parameters
    ----------
    fit : CalibrationFit
    pattern : ndarray, shape (v, u)
        One of the patterns of the fit, or their mean.
    number : int
        Which of them it is: its spots are marked.
    width : float
        In inches.

    Raises
    ------
    InputError
        When the pattern has not two axes.
    """
    from textwrap import wrap

    image = np.asarray(pattern, np.float64)
    if image.ndim != 2:
        raise InputError(
            "figure_calibration",
            expected="a pattern of two axes",
            got=f"shape {image.shape}",
            hint="give one of the patterns, groups.patterns[0]",
        )
    lines = wrap(fit.words, _LETTERS)
    left, tall = 3.4, 3.9
    figure = sheet(width, tall + 0.35 + 0.16 * len(lines))
    axes = tuple(
        Axis(name, n, scale=abs(step), unit="1/angstrom")
        for name, n, step in zip(("v", "u"), image.shape, fit.calibration.step, strict=True)
    )
    title = f"Pattern {number} and rings of {fit.phase}"
    panel = Panel(np.maximum(image, 0.0), axes, "intensity", sqrt_scale(image), "gray", title=title)
    picture = panel.draw(figure, 0.1, 0.1, left, tallest=tall - 0.9)
    if picture is not None:
        _rings(picture, fit, image.shape)
        _marks(picture, fit, number)
    room = width - left - 0.85
    _residuals(box(figure, left + 0.7, 0.32, room, 1.35), fit, fit.spots.measured, "radius (1/Å)")
    _residuals(box(figure, left + 0.7, 2.25, room, 1.35), fit, fit.spots.azimuth_deg, "azimuth (degrees)")
    write(figure, left + 0.7, 0.1, "Measured less expected spatial frequency", fontweight="bold")
    write(
        figure,
        0.1,
        tall - 0.55,
        "circles: spots used;  crosses: left out",
        color=FAINT,
        fontsize=TEXT_PT - 0.5,
    )
    for place, line in enumerate([_numbers(fit), *lines]):
        colour = INK if fit.trusted or place == 0 else _ORANGE
        write(figure, 0.1, tall + 0.08 + 0.16 * place, line, color=colour)
    return figure


def _numbers(fit: CalibrationFit) -> str:
    """Return centre, scale and ellipse with their errors, in a line."""
    (v, u), (ev, eu) = fit.center, fit.center_error
    parts = (
        f"centre v {v:.2f} ± {ev:.2f}, u {u:.2f} ± {eu:.2f} px",
        f"scale {fit.scale:.6f} ± {fit.scale_error:.1g} 1/Å per px",
        f"ratio {fit.ratio:.4f} ± {fit.ratio_error:.1g} at {fit.angle_deg:.0f}° ± {fit.angle_error_deg:.0f}°",
    )
    return ";  ".join(parts).replace("inf", "∞")


def _rings(axes: Axes, fit: CalibrationFit, shape: tuple[int, ...]) -> None:
    """Draw the rings that spots were assigned to, as the ellipses that they are on the detector."""
    turn = np.linspace(0, 2 * np.pi, 361)
    circle = np.column_stack([-np.sin(turn), np.cos(turn)])
    for g in np.unique(fit.spots.expected[fit.spots.used]):
        v, u = fit.calibration.place(float(g) * circle).T
        axes.plot(u, v, color=_ORANGE, linewidth=0.7, alpha=0.9)
    v, u = fit.center
    axes.plot([u], [v], "+", color=_ORANGE, markersize=6, markeredgewidth=0.9)
    axes.set(xlim=(-0.5, shape[1] - 0.5), ylim=(shape[0] - 0.5, -0.5))


def _marks(axes: Axes, fit: CalibrationFit, number: int) -> None:
    """Mark the spots of a pattern: circles where they are used, crosses where not."""
    spots = fit.spots
    mine = spots.pattern == number
    for chosen, marker in ((spots.used, "o"), (~spots.used, "x")):
        v, u = spots.place[mine & chosen].T
        axes.plot(u, v, marker, color="#56b4e9", markersize=5, markerfacecolor="none", markeredgewidth=0.8)


def _residuals(axes: Axes, fit: CalibrationFit, against: NDArray[np.float64], name: str) -> None:
    """Draw the residuals of spots in percent; used ones with the errors of their places."""
    spots = fit.spots
    open_frame(axes)
    label_axes(axes, name, "residual (%)")
    axes.axhline(0.0, color=FAINT, linewidth=0.8)
    if not spots.used.any():
        axes.set(xticks=[], yticks=[])
        text = "no spot is used"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", fontsize=TEXT_PT, color=FAINT)
        return
    error = 100 * spots.place_error * fit.scale / spots.expected
    used, most = spots.used, 1.3 * float(np.abs(spots.percent[spots.used]).max()) + 1e-3
    axes.errorbar(
        against[used], spots.percent[used], yerr=error[used], fmt="o", color=_BLUE, markersize=2.5,
        elinewidth=0.6, alpha=0.8,
    )  # fmt: skip
    rest = ~used & (np.abs(spots.percent) <= most)
    axes.plot(against[rest], spots.percent[rest], "x", color=FAINT, markersize=3, markeredgewidth=0.7)
    axes.set_ylim(-most, most)
