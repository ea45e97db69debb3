"""Figures of the components: each pattern with its map beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from unmixel.dataset.result import Result
from unmixel.report.canvas import FAINT, INK, group_colour, sheet, write
from unmixel.report.panels import Panel
from unmixel.report.trust import significance
from unmixel.report.views import map_panel, pattern_panel
from unmixel.report.words import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def component_panels(result: Result, index: int) -> tuple[Panel, Panel]:
    """Return the panels of a component's pattern and map."""
    factors = result.factors
    colour = INK if result.groups is None else group_colour(int(result.groups.labels[index]))
    pattern = pattern_panel(
        factors.patterns[index], factors, used=factors.used_pixels, fill=factors.fill, colour=colour
    )
    image = map_panel(factors.maps[index], factors.scan_axes, colour=colour)
    errors = factors.uncertainty
    if errors is None:
        return pattern, image
    # curves bear their standard error as a band; pictures have pictures of it
    return _banded(pattern, errors.patterns[index]), _banded(image, errors.maps[index])


def _banded(panel: Panel, error: NDArray[Any]) -> Panel:
    return replace(panel, band=error) if panel.values.ndim == 1 and error.ndim == 1 else panel


def figure_panel(
    panel: Panel, *, width: float = 3.4, tallest: float = 3.2, height: float | None = None
) -> Figure:
    """Return a figure of one panel alone; `height` makes it as tall as its neighbour, in inches."""
    figure = sheet(width, 0.1 + (height or panel.height(width - 0.1, tallest=tallest)))
    panel.draw(figure, 0.05, 0.05, width - 0.1, tallest=tallest)
    return figure


def figure_components(result: Result, *, columns: int | None = None, width: float = 2.6) -> Figure:
    """Return one figure with all components, the pattern left and the map right of each pair.

    Parameters
    ----------
    result : Result
    columns : int, optional
        Pairs in a row; chosen from the number of components when not given.
    width : float
        Width of one panel in inches.
    """
    count = result.factors.n_components
    columns = columns or min(count, 1 if count < 3 else 2 if count < 13 else 3)
    pairs = [component_panels(result, index) for index in range(count)]
    tall = max(panel.height(width, tallest=width) for pair in pairs for panel in pair)
    row, column = tall + 0.5, 2 * width + 0.6
    figure = sheet(columns * column + 0.1, -(-count // columns) * row + 0.1)
    for index, pair in enumerate(pairs):
        left, top = 0.15 + (index % columns) * column, 0.1 + (index // columns) * row
        write_heading(figure, result, index, left, top)
        for place, panel in enumerate(pair):
            panel.draw(figure, left + place * (width + 0.2), top + 0.26, width, tallest=width)
    return figure


def write_heading(figure: Figure, result: Result, index: int, left: float, top: float) -> None:
    """Write the line above a component: number, share, group, flags."""
    factors = result.factors
    write(figure, left, top, f"Component {index}", fontweight="bold", fontsize=9)
    facts = [f"{percent(factors.strengths[index])} of counts"]
    found = significance(factors, index)
    facts += [f"significance {found:.3g}"] if found is not None else []
    if result.groups is not None:
        facts.append(f"group {result.groups.labels[index]}")
    facts += factors.flags[index] if index < len(factors.flags) else ()
    line = " · ".join(facts)
    write(figure, left + 1.12, top + 0.01, line if len(line) < 66 else line[:64] + " …", color=FAINT)
