"""One panel of a figure: a picture, or a curve where there is one axis, with all that makes it readable.

A picture has its scale bar below, its colour bar on the right and a legend for masked pixels; a curve has
named axes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.units import printed
from unmixel.dataset.axes import Axis
from unmixel.report.borders import outline
from unmixel.report.canvas import FAINT, INK, MASKED, TEXT_PT, box, label_axes, open_frame, write
from unmixel.report.scalebar import draw_scale_bar, scale_bar
from unmixel.report.scales import Scale, linear_scale, nice_ticks, power_of_ten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAR_ROOM = 0.7
"""Inches kept on the right of a picture for its colour bar."""
LARGEST_STRETCH = 10.0
"""Pictures longer than this are drawn with stretched pixels, and say so."""
_MASK_NOTES = {"model": "dashed: masked, filled by the fit", "outline": "dashed: masked, left out of the fit"}
_FOOT = 0.24
_SHADES = 192  # of a colour map: below what the eye tells apart, and few enough for a PNG with a palette
_LINE = 0.17
_TICK_ROOM = 0.42  # inches that a number below a curve takes


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture or a curve before it is placed on a sheet.

    Parameters
    ----------
    values : ndarray, 0 to 2 dimensions
    axes : tuple of Axis
        One per dimension; the last is horizontal.
    quantity : str
        What the numbers are, for the colour bar or the vertical axis.
    scale : Scale or None
        None means linear from 0.
    colours : str
        Name of a perceptually uniform colour map.
    used : ndarray of bool or None
        False where a pixel was masked.
    fill : str
        What stands at masked pixels: ``"zero"`` paints them grey; ``"model"`` (filled by the fit) and
        ``"outline"`` (as measured) draw a dashed line around them.
    title : str
    colour : str
        Of the curve.
    remark : str
        One more line of small print below a picture.
    level : float or None
        Value that a curve is compared with, drawn as a dashed line.
    band : ndarray or None
        Standard error of a curve, drawn as a band of one to both sides.
    """

    values: NDArray[Any]
    axes: tuple[Axis, ...]
    quantity: str
    scale: Scale | None = None
    colours: str = "viridis"
    used: NDArray[Any] | None = None
    fill: str = "zero"
    title: str = ""
    colour: str = INK
    remark: str = ""
    level: float | None = None
    band: NDArray[Any] | None = None

    @property
    def is_picture(self) -> bool:
        """Whether the panel has two axes."""
        return self.values.ndim == 2

    @property
    def mask(self) -> NDArray[Any] | None:
        """Masked pixels, or None where there are none."""
        if self.used is None or self.used.shape != self.values.shape or bool(np.all(self.used)):
            return None
        return ~np.asarray(self.used, bool)

    @property
    def true_ratio(self) -> float:
        """Height over width of a picture in physical length (in px where the two units differ)."""
        (vertical, horizontal), (rows, columns) = self.axes, self.values.shape
        alike = vertical.unit == horizontal.unit and vertical.calibrated
        steps = abs(vertical.scale / horizontal.scale) if alike else 1.0
        return float(rows * steps / columns)

    @property
    def ratio(self) -> float:
        """Height over width as drawn: the true one within limits."""
        return min(max(self.true_ratio, 1 / LARGEST_STRETCH), LARGEST_STRETCH)

    def notes(self) -> list[str]:
        """Return the lines of small print below the picture."""
        lines = []
        if self.mask is not None:
            lines.append(_MASK_NOTES.get(self.fill, "grey: masked"))
        if self.is_picture and not math.isclose(self.ratio, self.true_ratio):
            lines.append("height and width not to one scale")
        return [*lines, self.remark] if self.remark else lines

    def picture_size(self, width: float, tallest: float) -> tuple[float, float]:
        """Return width and height in inches of the picture itself in a panel `width` inches wide."""
        wide = width - BAR_ROOM
        tall = wide * self.ratio
        return (wide, tall) if tall <= tallest else (tallest / self.ratio, tallest)

    def height(self, width: float, *, tallest: float = 3.2) -> float:
        """Return the height in inches that the panel takes at `width` inches."""
        title = 0.22 if self.title else 0.0
        if not self.is_picture:
            return title + self._curve_height(width, tallest) + 0.02
        tall = max(self.picture_size(width, tallest)[1], 0.7)
        return title + tall + _FOOT + _LINE * len(self.notes())

    @staticmethod
    def _curve_height(width: float, tallest: float) -> float:
        return min(tallest, max(0.62 * width, 1.65))

    def draw(
        self, figure: Figure, left: float, top: float, width: float, *, tallest: float = 3.2
    ) -> Axes | None:
        """Draw the panel, upper left corner in inches; returns its axes (None for a single value)."""
        if self.title:
            write(figure, left, top, self.title, fontweight="bold")
            top += 0.22
        if self.values.ndim == 0:
            write(figure, left, top + 0.3, f"one value: {float(self.values):.4g} {self.quantity}")
            return None
        if self.values.ndim == 1:
            return self._draw_curve(figure, left, top, width, self._curve_height(width, tallest))
        return self._draw_picture(figure, left, top, width, tallest)

    def _draw_picture(self, figure: Figure, left: float, top: float, width: float, tallest: float) -> Axes:
        wide, tall = self.picture_size(width, tallest)
        axes = box(figure, left, top, wide, tall)
        scale = self.scale or linear_scale(self.values, self.used)
        paint(axes, self.values, scale, self.colours, grey=None if self.fill in _MASK_NOTES else self.mask)
        if self.mask is not None and self.fill in _MASK_NOTES:
            outline(axes, self.mask)
        bar = box(figure, left + wide + 0.07, top, 0.1, max(tall, 0.7))
        colour_bar(bar, scale, self.colours, room=max(tall, 0.7), quantity=self.quantity)
        foot = top + max(tall, 0.7)
        mark = scale_bar(self.axes[1])
        draw_scale_bar(figure, mark, left=left, top=foot + 0.13, inch_per_sample=wide / self.values.shape[1])
        for line, note in enumerate(self.notes()):
            write(figure, left, foot + _FOOT + _LINE * line, note, color=FAINT, fontsize=TEXT_PT - 0.5)
        return axes

    def _draw_curve(self, figure: Figure, left: float, top: float, width: float, tall: float) -> Axes:
        head = _LINE if self.mask is not None else 0.04
        axes = box(figure, left + 0.52, top + head, width - 0.62, tall - 0.44 - head)
        hidden = self.mask if self.fill not in _MASK_NOTES else None
        values = self.values if hidden is None else np.where(hidden, np.nan, self.values)
        draw_curve(axes, self.axes[0], values, self.quantity, colour=self.colour, used=self.used)
        if self.band is not None:
            shade_band(axes, self.axes[0], values, self.band, linear_scale(self.values, self.used))
        if self.level is not None:
            axes.axhline(self.level, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)))
        if self.mask is not None:
            shade_masked(axes, self.axes[0], self.mask)
            grey = {"color": FAINT, "fontsize": TEXT_PT - 0.5, "ha": "right"}
            write(figure, left + width - 0.1, top, "grey: masked", **grey)
        return axes


def paint(
    axes: Axes,
    values: NDArray[Any],
    scale: Scale,
    colours: str,
    *,
    grey: NDArray[Any] | None = None,
    shades: int = _SHADES,
) -> None:
    """Fill axes with an image in so many shades of a colour map; grey marks masked and missing samples."""
    from matplotlib import colormaps

    shown = np.ma.masked_invalid(np.asarray(values, np.float64))
    if grey is not None:
        shown = np.ma.array(shown, mask=np.ma.getmaskarray(shown) | grey)
    bounds = axes.get_window_extent()
    # nearest shows true pixels; a picture with more pixels than the sheet has dots must be averaged instead
    fine = shown.shape[1] > 1.9 * bounds.width or shown.shape[0] > 1.9 * bounds.height
    axes.imshow(
        shown,
        cmap=colormaps[colours].resampled(shades).with_extremes(bad=MASKED),
        norm=scale.norm(),
        interpolation="antialiased" if fine else "nearest",
        aspect="auto",
    )
    axes.set(xticks=[], yticks=[])


def colour_bar(
    axes: Axes, scale: Scale, colours: str, *, room: float, quantity: str, shades: int = _SHADES
) -> None:
    """Turn narrow axes, `room` inches tall, into the colour bar of a scale."""
    from matplotlib import colormaps

    steps = np.linspace(0, 1, shades)[:, None]
    axes.imshow(
        steps, cmap=colormaps[colours].resampled(shades), aspect="auto", origin="lower", extent=(0, 1, 0, 1)
    )
    norm, ticks = scale.norm(), scale.ticks(room)
    axes.set(xticks=[], xlim=(0, 1), ylim=(0, 1))
    axes.yaxis.tick_right()
    axes.set_yticks(
        [float(norm(tick)) for tick in ticks], [scale.tick_text(tick) for tick in ticks], parse_math=False
    )
    axes.tick_params(length=2, pad=1.5)
    label = scale.label(quantity, letters=int(room / 0.06))
    axes.text(
        4.9, 0.5, label, transform=axes.transAxes, rotation=90, va="center", ha="center",
        fontsize=TEXT_PT - 0.5, color=INK, parse_math=False,
    )  # fmt: skip


def draw_curve(
    axes: Axes,
    axis: Axis,
    values: NDArray[Any],
    quantity: str,
    *,
    colour: str = INK,
    used: NDArray[Any] | None = None,
) -> None:
    """Draw one curve against its axis, from 0 to the largest used value, the power of ten in the label."""
    scale = linear_scale(values, used)
    factor = 10.0**scale.exponent
    marker = "o" if axis.size < 3 else ""
    axes.plot(
        axis.values, np.asarray(values, np.float64) / factor, color=colour, linewidth=1.1, marker=marker, ms=3
    )
    axes.set_ylim(scale.low / factor, scale.high / factor * 1.06)
    axes.set_yticks([tick / factor for tick in nice_ticks(scale.low, scale.high)])
    axes.margins(x=0)
    whole: Any = axes.figure
    width = axes.get_position().width * whole.get_figwidth()
    axes.locator_params(axis="x", nbins=max(1, int(width / _TICK_ROOM)))
    open_frame(axes)
    power = f"{power_of_ten(scale.exponent)} " if scale.exponent else ""
    label_axes(axes, f"{axis.name} ({printed(axis.unit)})", power + quantity)


def shade_band(axes: Axes, axis: Axis, values: NDArray[Any], error: NDArray[Any], scale: Scale) -> None:
    """Shade one standard error to both sides of a curve, in the power of ten of its scale."""
    factor = 10.0**scale.exponent
    middle, half = np.asarray(values, np.float64) / factor, np.asarray(error, np.float64) / factor
    half = np.where(np.isfinite(half), half, np.nan)
    axes.fill_between(axis.values, middle - half, middle + half, color=FAINT, alpha=0.35, linewidth=0)


def shade_masked(axes: Axes, axis: Axis, mask: NDArray[Any]) -> None:
    """Shade the masked channels of a spectrum."""
    half = abs(axis.scale) / 2
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    for first, last in zip(edges[::2], edges[1::2] - 1, strict=True):
        low, high = sorted((axis.values[first], axis.values[last]))
        axes.axvspan(low - half, high + half, color=MASKED, alpha=0.35, linewidth=0)
