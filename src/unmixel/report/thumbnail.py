"""A small picture of a run for lists of many: patterns above, maps below, nothing but their numbers written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from unmixel.dataset.result import Result
from unmixel.dataset.results import Groups
from unmixel.report.canvas import INK, box, group_colour, sheet, write
from unmixel.report.components import component_panels
from unmixel.report.groups import group_panels
from unmixel.report.panels import Panel, paint
from unmixel.report.scales import linear_scale, sqrt_scale
from unmixel.report.words import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 20 / 3, 5.0  # inches: 640 x 480 dots at 96 dots per inch
_SHOWN, _EDGE, _HEAD = 3, 0.12, 0.34


def figure_thumbnail(result: Result) -> Figure:
    """Return the three strongest groups of a run (components, where there are no groups), 4 : 3.

    Saved at 96 dots per inch it has 640 x 480 pixels.
    """
    figure = sheet(WIDTH, HEIGHT)
    columns = _columns(result)
    width = (WIDTH - _EDGE) / len(columns) - _EDGE
    height = (HEIGHT - _HEAD - _EDGE) / 2 - _EDGE
    for place, (title, colour, panels) in enumerate(columns):
        left = _EDGE + place * (width + _EDGE)
        write(figure, left, 0.09, title, color=colour, fontsize=12, fontweight="bold")
        for row, panel in enumerate(panels):
            _draw(figure, panel, (left, _HEAD + _EDGE + row * (height + _EDGE)), (width, height))
    return figure


def _columns(result: Result) -> list[tuple[str, str, tuple[Panel, Panel]]]:
    """Return title, colour and the two panels of each column."""
    groups = result.groups
    if groups is not None:
        shown = range(min(_SHOWN, groups.n_groups))
        return [(f"Group {g}", group_colour(g), _group(result, groups, g)) for g in shown]
    strengths = result.factors.strengths
    shown = range(min(_SHOWN, result.factors.n_components))
    return [(f"{k} · {percent(strengths[k])}", INK, component_panels(result, k)) for k in shown]


def _group(result: Result, groups: Groups, group: int) -> tuple[Panel, Panel]:
    """Return the panels of a group, colours spread over what its pattern is known from, without the direct beam."""
    pattern, picture = group_panels(result, group)
    if pattern.is_picture and groups.used_pixels is not None:
        used = groups.used_pixels[group]
        if used.shape == pattern.values.shape and used.any():
            pattern = replace(pattern, scale=sqrt_scale(pattern.values, used))
    return pattern, picture


def _draw(figure: Figure, panel: Panel, corner: tuple[float, float], room: tuple[float, float]) -> None:
    """Draw a panel without words, in its true proportions, in the middle of the room it has."""
    (left, top), (width, height) = corner, room
    if panel.values.ndim == 0:
        return
    if panel.is_picture:
        wide, tall = (
            (width, width * panel.ratio) if width * panel.ratio <= height else (height / panel.ratio, height)
        )
        axes = box(figure, left + (width - wide) / 2, top + (height - tall) / 2, wide, tall)
        paint(axes, panel.values, panel.scale or linear_scale(panel.values, panel.used), panel.colours)
        return
    axes = box(figure, left, top, width, height)
    axes.plot(panel.axes[0].values, panel.values, color=panel.colour, linewidth=1.4)
    axes.set(xticks=[], yticks=[])
    axes.margins(x=0)
