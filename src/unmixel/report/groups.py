"""Figures of the groups: the aligned pattern of each with its summed map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmixel.dataset.result import Result
from unmixel.dataset.results import Groups
from unmixel.report.canvas import FAINT, group_colour, sheet, write
from unmixel.report.panels import Panel
from unmixel.report.views import map_panel, pattern_panel
from unmixel.report.words import counted, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure


NOTICEABLE = 0.15
"""Share of a component's counts from which a second group is told: less may be noise."""


def group_panels(result: Result, group: int) -> tuple[Panel, Panel]:
    """Return the panels of a group's aligned pattern and of its summed map.

    The mask is drawn only where no member was turned: a turned pattern has its mask turned with it.
    """
    groups, factors = _groups(result), result.factors
    members = groups.labels == group
    still = bool(np.all(np.abs(groups.rotation_deg[members]) < 1e-9))
    pattern = groups.patterns[group]
    used = (
        factors.used_pixels
        if still and pattern.shape == factors.used_pixels.shape
        else np.ones(pattern.shape, bool)
    )
    colour = group_colour(group)
    return (
        pattern_panel(pattern, groups, used=used, fill=factors.fill, colour=colour),
        map_panel(groups.maps[group], groups.scan_axes, colour=colour),
    )


def group_share(result: Result, group: int) -> float:
    """Return the share of all fitted counts that a group carries."""
    return float(np.sum(result.factors.strengths[_groups(result).labels == group]))


def kind_words(groups: Groups, group: int) -> str:
    """Return what the clusterer said of the group's pattern: spots or rings."""
    if len(groups.pattern_axes) < 2:
        return "spectrum"
    return "spots (crystalline)" if bool(groups.crystalline[group]) else "rings or smooth (not crystalline)"


def mixture_words(groups: Groups | None, component: int) -> tuple[str, ...]:
    """Return what a component is made of, where other groups explain a noticeable share of it."""
    if groups is None or groups.membership is None:
        return ()
    shares = groups.membership[component, : groups.n_groups]
    some = [int(group) for group in np.argsort(-shares) if shares[group] >= NOTICEABLE]
    if all(group == int(groups.labels[component]) for group in some):
        return ()
    return ("mixed: " + ", ".join(f"{percent(shares[group])} group {group}" for group in some),)


def figure_groups(result: Result, *, width: float = 2.8) -> Figure:
    """Return one figure with all groups, the aligned pattern left and the summed map right of each pair."""
    if result.groups is None:
        figure = sheet(4.0, 0.4)
        write(figure, 0.1, 0.1, "The run has no groups.", color=FAINT)
        return figure
    count = result.groups.n_groups
    columns = 1 if count < 3 else 2
    pairs = [group_panels(result, group) for group in range(count)]
    tall = max(panel.height(width, tallest=width) for pair in pairs for panel in pair)
    row, column = tall + 0.5, 2 * width + 0.6
    figure = sheet(columns * column + 0.1, -(-count // columns) * row + 0.1)
    for group, pair in enumerate(pairs):
        left, top = 0.15 + (group % columns) * column, 0.1 + (group // columns) * row
        write_heading(figure, result, group, left, top)
        for place, panel in enumerate(pair):
            panel.draw(figure, left + place * (width + 0.2), top + 0.26, width, tallest=width)
    return figure


def write_heading(figure: Figure, result: Result, group: int, left: float, top: float) -> None:
    """Write the line above a group: number, members, share, kind."""
    groups = _groups(result)
    members = int(np.count_nonzero(groups.labels == group))
    write(figure, left, top, f"Group {group}", fontweight="bold", fontsize=9, color=group_colour(group))
    facts = (
        counted(members, "component"),
        f"{percent(group_share(result, group))} of counts",
        kind_words(groups, group),
    )
    write(figure, left + 0.72, top + 0.01, " · ".join(facts), color=FAINT)


def _groups(result: Result) -> Groups:
    assert result.groups is not None  # callers draw groups only where there are some  # nosec B101
    return result.groups
