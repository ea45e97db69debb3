"""One picture of a whole run: the strongest components, the groups, the sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmixel.dataset.record import is_simulated
from unmixel.dataset.result import Result
from unmixel.report.canvas import FAINT, INK, RULE, group_colour, sheet, write
from unmixel.report.components import component_panels
from unmixel.report.groups import group_panels, kind_words
from unmixel.report.panels import Panel
from unmixel.report.particles import place_histogram
from unmixel.report.recorded import input_name
from unmixel.report.words import headline, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMN, _HISTOGRAM, _SHOWN = 2.06, 5.9, 6
_PANEL = 1.98


def figure_overview(result: Result) -> Figure:
    """Return one picture of the run: six components with maps, up to three groups, the histogram of sizes."""
    first = min(_SHOWN, result.factors.n_components)
    pairs = [component_panels(result, index) for index in range(first)]
    rows = tuple(_tallest([pair[side] for pair in pairs]) for side in (0, 1))
    shown = 0 if result.groups is None else min(3, result.groups.n_groups)
    groups = [group_panels(result, group) for group in range(shown)]
    group_rows = tuple(_tallest([pair[side] for pair in groups]) for side in (0, 1))
    top, lower = 0.92, 1.47 + sum(rows)
    sizes = _HISTOGRAM if result.particles is not None and result.particles.diameters.size else 0.0
    title = headline(result)[:-1]
    width = 0.3 + max(first * _COLUMN, shown * _COLUMN + sizes, 0.12 * len(title))
    figure = sheet(width, lower + (0.3 + sum(group_rows) if groups else 0.1) + 0.1)
    write(figure, 0.15, 0.1, title, fontsize=13, fontweight="bold")
    write(figure, 0.15, 0.4, _source(result), color=FAINT, fontsize=8.5)
    _heading(figure, 0.66, _components_title(result, first))
    for place, pair in enumerate(pairs):
        _column(figure, result, place, pair, left=0.15 + place * _COLUMN, tops=(top, top + 0.25 + rows[0]))
    if groups:
        _heading(figure, lower - 0.12, "Groups: members aligned and summed")
        _groups(figure, result, groups, top=lower + 0.14, first_row=group_rows[0])
    if groups and sizes:
        left = 0.3 + shown * _COLUMN
        place_histogram(figure, result, (left, lower + 0.05), (width - left, min(3.4, sum(group_rows))))
    return figure


def _tallest(panels: list[Panel]) -> float:
    return max((panel.height(_PANEL, tallest=1.7) for panel in panels), default=0.0)


def _heading(figure: Figure, top: float, text: str) -> None:
    from matplotlib.lines import Line2D

    write(figure, 0.15, top, text, fontsize=9, fontweight="bold", color=INK)
    width, height = figure.get_size_inches()
    y = 1 - (top - 0.06) / height
    figure.add_artist(Line2D([0.15 / width, 1 - 0.15 / width], [y, y], color=RULE, linewidth=0.8))


def _components_title(result: Result, first: int) -> str:
    count = result.factors.n_components
    shown = f"the {first} strongest of {count}" if count > first else "all"
    return f"Components ({shown}): pattern above, map below"


def _column(
    figure: Figure,
    result: Result,
    index: int,
    pair: tuple[Panel, Panel],
    *,
    left: float,
    tops: tuple[float, float],
) -> None:
    text = f"{index} · {percent(result.factors.strengths[index])}"
    colour = INK
    if result.groups is not None:
        group = int(result.groups.labels[index])
        text, colour = f"{text} · group {group}", group_colour(group)
    write(figure, left, tops[0], text, color=colour, fontweight="bold")
    pair[0].draw(figure, left, tops[0] + 0.2, _PANEL, tallest=1.7)
    pair[1].draw(figure, left, tops[1], _PANEL, tallest=1.7)


def _groups(
    figure: Figure, result: Result, groups: list[tuple[Panel, Panel]], *, top: float, first_row: float
) -> None:
    assert result.groups is not None  # there are panels of groups  # nosec B101
    for group, (pattern, picture) in enumerate(groups):
        left = 0.15 + group * _COLUMN
        words = kind_words(result.groups, group).split(" ")[0]
        write(figure, left, top, f"Group {group} · {words}", color=group_colour(group), fontweight="bold")
        pattern.draw(figure, left, top + 0.2, _PANEL, tallest=1.7)
        picture.draw(figure, left, top + 0.24 + first_row, _PANEL, tallest=1.7)


def _source(result: Result) -> str:
    note = "simulated data with known truth" if is_simulated(result.record) else ""
    return " · ".join(part for part in (input_name(result), note) if part)
