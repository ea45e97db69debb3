"""Figure of every scan position's own answer: which group, in which rotation, how similar, and what chance reaches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.positions import PositionMatches
from unmixel.report.canvas import FAINT, INK, MASKED, TEXT_PT, box, group_colour, png, sheet, write
from unmixel.report.panels import Panel
from unmixel.report.scalebar import draw_scale_bar, scale_bar
from unmixel.report.scales import Scale
from unmixel.report.words import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROTATION_COLOURS = "twilight"
"""Cyclic and perceptually uniform: both ends of a period have one colour."""
SIMILARITY_COLOURS = "viridis"
_TALLEST = 3.2
_HEAD = 0.22
_ROW = 0.17
_STRIP = 6  # samples that a line scan is drawn high


def figure_positions(matches: PositionMatches, *, width: float = 2.9) -> Figure:
    """Return three panels: the group, the rotation and the similarity of every scan position.

    Positions without a group are grey in the first two. The rotation is shown within one period of its group's
    symmetry, in degrees where all matched groups share one and as a share of the period where they do not. The colour
    bar of the similarity marks the level that chance exceeds with the significance asked for.

    Parameters
    ----------
    matches : PositionMatches
        Of a scan of one or two axes.
    width : float
        Of a panel, in inches, > 1.

    Raises
    ------
    InputError
        When the scan has another number of axes.
    """
    shape = matches.group.shape
    if len(shape) not in (1, 2) or 0 in shape:
        raise InputError(
            "figure_positions",
            expected="matches of a scan of one or two axes",
            got=f"{len(shape)} axes, shape {shape}",
            hint="draw one layer at a time",
        )
    rotation, similarity = _rotation_panel(matches), _similarity_panel(matches)
    groups = _legend(matches)
    tall = max(panel.height(width, tallest=_TALLEST) for panel in (rotation, similarity))
    tall = max(tall, _HEAD + _ROW * (len(groups) + 1))
    figure = sheet(3 * width + 0.75, tall + 0.15)
    _draw_groups(figure, matches, (0.15, 0.1), width)
    rotation.draw(figure, 0.5 + width, 0.1, width, tallest=_TALLEST)
    similarity.draw(figure, 0.65 + 2 * width, 0.1, width, tallest=_TALLEST)
    _mark_chance(figure, matches.chance)
    return figure


def write_positions(matches: PositionMatches, path: Path | str, *, width: float = 2.9) -> Path:
    """Write the figure of `figure_positions` as a PNG and return its path.

    Parameters
    ----------
    matches : PositionMatches
    path : Path or str
        Ends in ``.png``; overwritten when it is there.
    width : float
        Of a panel, in inches.

    Raises
    ------
    InputError
        At another ending, and where `figure_positions` does.
    """
    path = Path(path)
    if path.suffix != ".png":
        raise InputError(
            "positions: output",
            expected="a name that ends in .png",
            got=f"'{path}'",
            hint="figure_positions(...).savefig writes other formats",
        )
    path.write_bytes(png(figure_positions(matches, width=width)))
    return path


def _flat(values: NDArray[Any], axes: tuple[Axis, ...]) -> tuple[NDArray[Any], tuple[Axis, Axis]]:
    """Return values of two axes: a line of positions becomes a strip."""
    if values.ndim == 2:
        return values, (axes[0], axes[1])
    return np.repeat(values[None], _STRIP, axis=0), (Axis("", _STRIP, unit=axes[0].unit), axes[0])


def _rotation_panel(matches: PositionMatches) -> Panel:
    period = np.nan_to_num(matches.symmetry_deg, nan=360.0)
    own = period[np.maximum(matches.group, 0)]
    turned = np.where(matches.group >= 0, np.mod(matches.rotation_deg, own), np.nan)
    there = np.unique(matches.group[matches.group >= 0])
    if len(np.unique(period[there])) > 1:
        high, quantity, turned = 1.0, "share of the period", turned / own
        words = "periods: " + ", ".join(f"{period[group]:g}° ({group})" for group in there)
    else:
        high, quantity = float(period[there[0]]) if there.size else 360.0, "degrees"
        words = f"period: {high:g}°"
    values, axes = _flat(turned, matches.scan_axes)
    scale = Scale("linear", 0.0, high)
    return Panel(
        values, axes, quantity, scale=scale, colours=ROTATION_COLOURS, title="Rotation", remark=words
    )


def _similarity_panel(matches: PositionMatches) -> Panel:
    values, axes = _flat(matches.similarity, matches.scan_axes)
    return Panel(
        values,
        axes,
        "similarity",
        scale=Scale("linear", 0.0, 1.0),
        colours=SIMILARITY_COLOURS,
        title="Similarity",
        remark=f"line: exceeded by chance in {percent(matches.significance)}",
    )


def _mark_chance(figure: Figure, chance: NDArray[Any]) -> None:
    """Mark the level of chance, or its range over the positions, in the colour bar drawn last."""
    levels = chance[np.isfinite(chance)]
    if not levels.size:
        return
    bar = figure.axes[-1]
    low, high = float(levels.min()), float(levels.max())
    bar.axhspan(low, high, color="white", alpha=0.6, linewidth=0)
    for level in {low, high}:
        bar.axhline(level, color="white", linewidth=2.4)
        bar.axhline(level, color=INK, linewidth=1.0)


def _legend(matches: PositionMatches) -> list[tuple[str, str]]:
    """Return colour and words of each group that positions were compared with, and of none."""
    compared = np.flatnonzero(~np.isnan(matches.symmetry_deg))
    rows = [(group_colour(int(g)), f"{g}: {percent(float(matches.matched[g]))}") for g in compared]
    return [*rows, (MASKED, f"–: {percent(float(np.mean(matches.group < 0)))}")]


def _draw_groups(figure: Figure, matches: PositionMatches, corner: tuple[float, float], width: float) -> None:
    from matplotlib.colors import ListedColormap

    left, top = corner
    values, axes = _flat(matches.group, matches.scan_axes)
    write(figure, left, top, "Group", fontweight="bold")
    top += _HEAD
    wide, tall = Panel(values, axes, "").picture_size(width, _TALLEST)
    picture = box(figure, left, top, wide, tall)
    colours = [MASKED, *(group_colour(g) for g in range(len(matches.symmetry_deg)))]
    picture.imshow(
        values + 1,
        cmap=ListedColormap(colours, name="groups"),
        vmin=-0.5,
        vmax=len(colours) - 0.5,
        interpolation="nearest",
        aspect="auto",
    )
    picture.set(xticks=[], yticks=[])
    for row, (colour, words) in enumerate(_legend(matches)):
        y = top + _ROW * row
        write(figure, left + wide + 0.06, y, "■", color=colour)
        write(figure, left + wide + 0.2, y, words, fontsize=TEXT_PT - 0.5)
    foot = top + max(tall, 0.7)
    draw_scale_bar(
        figure, scale_bar(axes[1]), left=left, top=foot + 0.13, inch_per_sample=wide / values.shape[1]
    )
    write(figure, left, foot + 0.24, "grey (–): chance, or another kind", color=FAINT, fontsize=TEXT_PT - 0.5)
