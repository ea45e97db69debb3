"""Decompositions of one scan side by side: a row for each, the same few components in the columns.

Examples
--------
>>> from unmixel.report.side_by_side import write_side_by_side  # doctest: +SKIP
>>> rows = {"PCA": (pca_maps, pca_patterns), "NMF": (factors.maps, factors.patterns)}  # doctest: +SKIP
>>> axes = {"scan_axes": scan.scan_axes, "pattern_axes": scan.pattern_axes}  # doctest: +SKIP
>>> write_side_by_side(rows, "methods.png", **axes)  # doctest: +SKIP
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.core.units import printed
from unmixel.dataset.axes import Axis
from unmixel.report.canvas import FAINT, INK, RULE, TEXT_PT, box, label_axes, open_frame, png, sheet, write
from unmixel.report.panels import Panel, colour_bar, paint, shade_masked
from unmixel.report.scalebar import draw_scale_bar, scale_bar
from unmixel.report.scales import Scale
from unmixel.report.views import MAP_COLOURS, PATTERN_COLOURS, RATIO_COLOURS, flat

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]
Results = Mapping[str, tuple[Array, Array]]
AxesOf = tuple[Axis, ...]

_LEFT, _RIGHT, _GAP, _BETWEEN, _APART = 0.36, 0.66, 0.08, 0.12, 0.17  # inches
_LINE, _LETTER, _BOLD = 0.145, 0.06, 0.066
_WIDEST, _LEAST, _LOWEST, _TICKS = 1.9, 3.2, 0.45, 0.36
_ABREAST = 4.6  # of the sheet, for two scale bars in one line
_TALLEST, _CURVE = 1.5, 0.7  # height over width: of a picture at most, of a curve
_SHADES = 65  # of a colour map: three of them fit one palette, and 0 has a colour of its own
_ROUNDING = 1e-9  # of the largest value; what is nearer to 0 is not called negative


def figure_side_by_side(
    results: Results,
    *,
    scan_axes: tuple[Axis, ...],
    pattern_axes: tuple[Axis, ...],
    used_pixels: Array | None = None,
    columns: Sequence[str] = (),
    notes: Mapping[str, Sequence[str]] | None = None,
    width: float = 7.2,
) -> Figure:
    """Return one figure of several decompositions: a row for each, in the columns the same components.

    Every pattern and every map is divided by its largest absolute value (over used pixels), so that one scale
    serves the whole figure, whatever scale a method gave to its factors. Values run from 0 to 1, or, in a row that has
    negative ones, from -1 to 1 in colours that are white at 0.

    Parameters
    ----------
    results : mapping of str to (maps, patterns)
        Name of each row, with maps of shape (n, *scan_shape) and patterns of shape (n, *pattern_shape): column i
        shows component i of every row. `unmixel.testing.metrics.match` tells which components belong together.
        What is not finite stays empty; a picture without a number says "none".
    scan_axes, pattern_axes : tuple of Axis
        Of the scan; the scale bars come from them.
    used_pixels : ndarray of bool, shape pattern_shape, optional
        False where a pixel was masked: grey in every row.
    columns : sequence of str, length n
        Headings.
    notes : mapping of str to sequence of str, length n
        Small print below the pictures of a row, by the row's name.
    width : float
        Of the figure in inches; a few columns may not fill it.

    Raises
    ------
    InputError
        When shapes or lengths do not fit each other, or there is nothing to draw.

    Examples
    --------
    >>> scan_axes = Axis("y", 5, unit="nm"), Axis("x", 7, unit="nm")
    >>> pattern_axes = Axis("v", 6), Axis("u", 6)
    >>> maps, patterns = np.ones((2, 5, 7)), np.ones((2, 6, 6))
    >>> both = {"PCA": (maps, -patterns), "NMF": (maps, patterns)}
    >>> figure = figure_side_by_side(both, scan_axes=scan_axes, pattern_axes=pattern_axes)
    >>> len(figure.axes)  # 8 pictures, 4 colour bars
    12
    """
    used = _checked(results, scan_axes, pattern_axes, used_pixels)
    count = len(next(iter(results.values()))[0])
    small = {name: tuple((notes or {}).get(name, ())) for name in results}
    for what, words in (("columns", columns), *((f"notes of '{name}'", small[name]) for name in results)):
        if len(words) not in (0, count):
            raise InputError(
                what, expected=f"{count} texts, one for each column, or none", got=f"{len(words)}", hint=""
            )
    rows = [
        _Row.of(name, _relative(pair[0], None), _relative(pair[1], used), (scan_axes, pattern_axes), used)
        for name, pair in results.items()
    ]
    return _Sheet(rows, tuple(columns), small, width).drawn()


def write_side_by_side(results: Results, path: Path | str, **how: Any) -> Path:
    """Write the figure of `figure_side_by_side` as a PNG and return its path.

    Parameters
    ----------
    results : mapping of str to (maps, patterns)
    path : Path or str
        Ends in ``.png``; overwritten when it is there.
    **how
        What else `figure_side_by_side` takes.

    Raises
    ------
    InputError
        At another ending, and where `figure_side_by_side` does.
    """
    path = Path(path)
    if path.suffix != ".png":
        raise InputError(
            "side by side: output",
            expected="a name that ends in .png",
            got=f"'{path}'",
            hint="figure_side_by_side(...).savefig writes other formats",
        )
    path.write_bytes(png(figure_side_by_side(results, **how)))
    return path


def _checked(
    results: Results, scan_axes: AxesOf, pattern_axes: AxesOf, used_pixels: Array | None
) -> NDArray[np.bool_]:
    """Return the used pixels, after a look at every shape."""
    scan, pattern = (tuple(axis.size for axis in axes) for axes in (scan_axes, pattern_axes))
    if not (scan and pattern):
        raise InputError("axes", expected="a scan of several positions", got=f"{scan}, {pattern}", hint="")
    counts = sorted({len(maps) for maps, _ in results.values()})
    if len(counts) != 1 or counts[0] < 1:
        raise InputError(
            "results",
            expected="at least one, and the same components in each",
            got=f"{counts} components",
            hint="pick the components to show",
        )
    for name, (maps, patterns) in results.items():
        wanted, got = ((counts[0], *scan), (counts[0], *pattern)), (np.shape(maps), np.shape(patterns))
        if got != wanted:
            raise InputError(
                f"result '{name}'",
                expected=f"maps and patterns of shapes {wanted[0]} and {wanted[1]}",
                got=f"{got[0]} and {got[1]}",
                hint="maps come first; fold both to their axes",
            )
    used = np.ones(pattern, bool) if used_pixels is None else np.asarray(used_pixels, bool)
    if used.shape != pattern:
        raise InputError("used_pixels", expected=f"shape {pattern}", got=f"{used.shape}", hint="")
    return used


def _relative(images: Array, used: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Return each image over its largest absolute value among used samples; NaN where nothing is known."""
    values = np.asarray(images, np.float64)
    known = np.where(np.isfinite(values), values, 0.0)
    sizes = np.abs(known.reshape(len(known), -1) if used is None else known[:, used]).max(axis=1, initial=0.0)
    sizes = np.where(sizes > 0, sizes, 1.0).reshape(-1, *(1,) * (values.ndim - 1))
    return np.where(np.isfinite(values), known / sizes, np.nan)


@dataclass(frozen=True, eq=False)
class _Row:
    """One result as panels: the patterns, the maps."""

    name: str
    patterns: tuple[Panel, ...]
    maps: tuple[Panel, ...]
    scale: Scale

    @property
    def sides(self) -> tuple[tuple[Panel, ...], tuple[Panel, ...]]:
        """The patterns above, the maps below."""
        return self.patterns, self.maps

    @property
    def signed(self) -> bool:
        """Whether anything is negative."""
        return self.scale.low < 0

    @classmethod
    def of(
        cls, name: str, maps: Array, patterns: Array, axes: tuple[AxesOf, AxesOf], used: NDArray[np.bool_]
    ) -> _Row:
        """Return the row of relative maps and patterns; the colours diverge where anything is negative."""
        signed = bool(np.any(maps < -_ROUNDING) or np.any(patterns[:, used] < -_ROUNDING))
        scale = Scale("linear", -1.0 if signed else 0.0, 1.0)

        def panel(values: Array, of: AxesOf, quantity: str, colours: str, mask: Array | None) -> Panel:
            shown, kept, _ = flat(values, of)
            return Panel(shown, kept, quantity, scale, RATIO_COLOURS if signed else colours, mask)

        return cls(
            name,
            tuple(panel(v, axes[1], "pattern", PATTERN_COLOURS, used) for v in patterns),
            tuple(panel(v, axes[0], "map", MAP_COLOURS, None) for v in maps),
            scale,
        )


class _Sheet:
    """Where everything stands, in inches from the upper left corner."""

    def __init__(
        self, rows: list[_Row], columns: tuple[str, ...], notes: Mapping[str, tuple[str, ...]], width: float
    ) -> None:
        self.rows, self.count = rows, len(rows[0].maps)
        self.cell = min((width - _LEFT - _RIGHT + _GAP) / self.count - _GAP, _WIDEST)
        self.width = max(self._left(self.count) - _GAP + _RIGHT, _LEAST)
        heads = [self._wrapped(words, _BOLD) for words in columns]
        self.heads = ["\n".join(lines) for lines in heads]
        self.notes = {name: [self._wrapped(text, _LETTER) for text in texts] for name, texts in notes.items()}
        self.tall = tuple(max(self._size(side[0])[1], _LOWEST) for side in rows[0].sides)
        curves = tuple(not side[0].is_picture for side in rows[0].sides)
        self.below = self.tall[0] + _TICKS * curves[0] + _BETWEEN  # where maps begin in a row
        self.pictures = self.below + self.tall[1] + _TICKS * curves[1]
        self.tops = [0.1 + _LINE * max(map(len, heads), default=0)]
        for row in rows:
            lines = max(map(len, self.notes[row.name]), default=0)
            self.tops.append(self.tops[-1] + self.pictures + _LINE * lines + _APART)

    def drawn(self) -> Figure:
        """Return the figure."""
        foot, pictures = self._foot(), [side[0] for side in self.rows[0].sides if side[0].is_picture]
        end = self.tops[-1] + 0.04
        stacked = 0.16 if self.width < _ABREAST else 0.0  # the second scale bar below the first
        start = end + (0.15 + stacked * (len(pictures) - 1) if pictures else 0.0)  # of the small print
        figure = sheet(self.width, start + _LINE * len(foot) + 0.06)
        for column, words in enumerate(self.heads):
            write(figure, self._left(column), self.tops[0] - 0.04, words, fontweight="bold", va="bottom")
        for row, top in zip(self.rows, self.tops, strict=False):
            self._draw_row(figure, row, top)
        left = _LEFT
        for place, panel in enumerate(pictures):
            bar = scale_bar(panel.axes[1], share=0.4)
            bar = replace(bar, text=f"{bar.text} ({panel.quantity}s)")
            step = self._size(panel)[0] / panel.values.shape[1]
            top = end + stacked * place
            left = draw_scale_bar(figure, bar, left=left, top=top, inch_per_sample=step)
            left = _LEFT if stacked else left + 0.3 + _BOLD * len(bar.text)
        write(figure, _LEFT, start, "\n".join(foot), color=FAINT, fontsize=TEXT_PT - 0.5, linespacing=1.3)
        return figure

    def _left(self, column: int) -> float:
        return _LEFT + column * (self.cell + _GAP)

    def _wrapped(self, text: str, letter: float) -> list[str]:
        """Return the lines of a text that fit the width of a column; its own line breaks stay."""
        letters = max(6, int((self.cell + 0.5 * _GAP) / letter))
        return [line for words in text.splitlines() for line in textwrap.wrap(words, letters)]

    def _size(self, panel: Panel) -> tuple[float, float]:
        """Return width and height of a panel."""
        if not panel.is_picture:
            return self.cell, _CURVE * self.cell
        wide = min(self.cell, _TALLEST * self.cell / panel.ratio)
        return wide, wide * panel.ratio

    def _foot(self) -> list[str]:
        words = "Each pattern and each map is divided by its largest absolute value."
        pictures = any(side[0].is_picture for side in self.rows[0].sides)
        if pictures and any(row.signed for row in self.rows):
            words += " Purple: negative."
        if self.rows[0].patterns[0].mask is not None:
            words += " Grey: masked."
        return textwrap.wrap(words, int((self.width - _LEFT - 0.1) / _LETTER))

    def _draw_row(self, figure: Figure, row: _Row, top: float) -> None:
        name = "\n".join(textwrap.wrap(row.name, int(self.pictures / _BOLD)))
        write(
            figure, 0.45 * _LEFT, top + self.pictures / 2, name, rotation=90, va="center", ha="center",
            fontweight="bold", fontsize=TEXT_PT + 0.5,
        )  # fmt: skip
        for panels, place, tall in zip(row.sides, (top, top + self.below), self.tall, strict=True):
            for column, panel in enumerate(panels):
                self._draw(figure, panel, self._left(column), place, last=column == self.count - 1)
            if panels[0].is_picture:
                bar = box(figure, self._left(self.count) + 0.07 - _GAP, place, 0.1, tall)
                first = panels[0]
                colour_bar(bar, row.scale, first.colours, room=tall, quantity=first.quantity, shades=_SHADES)
        for column, lines in enumerate(self.notes[row.name]):
            words, place = "\n".join(lines), top + self.pictures + 0.03
            write(figure, self._left(column), place, words, color=FAINT, fontsize=TEXT_PT - 0.5)

    def _draw(self, figure: Figure, panel: Panel, left: float, top: float, *, last: bool) -> None:
        axes = box(figure, left, top, *self._size(panel))
        known = np.isfinite(panel.values) & (True if panel.mask is None else ~panel.mask)
        scale = panel.scale or Scale("linear", 0.0, 1.0)
        if not known.any():
            axes.set(xticks=[], yticks=[])
            middle: dict[str, Any] = {"ha": "center", "va": "center", "transform": axes.transAxes}
            axes.text(0.5, 0.5, "none", fontsize=TEXT_PT, color=FAINT, **middle)
        elif panel.is_picture:
            paint(axes, panel.values, scale, panel.colours, grey=panel.mask, shades=_SHADES)
        else:
            _curve(axes, panel, scale, last=last)


def _curve(axes: Axes, panel: Panel, scale: Scale, *, last: bool) -> None:
    """Draw a spectrum or a line scan; the last of a row bears the numbers of the scale that all share."""
    from matplotlib.ticker import MaxNLocator

    (axis,) = panel.axes
    open_frame(axes)
    axes.axhline(0.0, color=RULE, linewidth=0.8)
    values = panel.values if panel.mask is None else np.where(panel.mask, np.nan, panel.values)
    axes.plot(axis.values, values, color=INK, linewidth=0.9)
    if panel.mask is not None:
        shade_masked(axes, axis, panel.mask)
    axes.margins(x=0)
    axes.set_ylim(scale.low * 1.06, scale.high * 1.06)
    axes.xaxis.set_major_locator(MaxNLocator(3, prune="both"))
    label_axes(axes, f"{axis.name} ({printed(axis.unit)})", panel.quantity if last else "")
    ticks = [scale.low, 0.0, scale.high] if scale.low < 0 else [0.0, 0.5, scale.high]
    axes.set_yticks(ticks, [scale.tick_text(tick) if last else "" for tick in ticks])
    axes.yaxis.tick_right()
    axes.tick_params(axis="y", right=last)
    axes.yaxis.set_label_position("right")
