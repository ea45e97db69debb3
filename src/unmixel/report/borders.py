"""Borders of regions as lines along pixel edges, joined so that dashes run through."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]


def borders(mask: NDArray[Any]) -> list[list[Point]]:
    """Return the lines between marked and other pixels as (x, y) points in pixel coordinates.

    The edge of the image is no border: a region that touches it gives an open line.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)

    Examples
    --------
    >>> line, = borders(np.array([[True, False]]))
    >>> line
    [(0.5, -0.5), (0.5, 0.5)]
    """
    marked = np.asarray(mask, bool)
    neighbours: dict[Point, list[Point]] = defaultdict(list)
    for y, x in np.argwhere(marked[:, 1:] != marked[:, :-1]).tolist():
        _join(neighbours, (x + 0.5, y - 0.5), (x + 0.5, y + 0.5))
    for y, x in np.argwhere(marked[1:] != marked[:-1]).tolist():
        _join(neighbours, (x - 0.5, y + 0.5), (x + 0.5, y + 0.5))
    ends = [point for point, others in neighbours.items() if len(others) % 2]
    return [line for start in (*ends, *list(neighbours)) for line in _walk(neighbours, start)]


def _join(neighbours: dict[Point, list[Point]], one: Point, other: Point) -> None:
    neighbours[one].append(other)
    neighbours[other].append(one)


def _walk(neighbours: dict[Point, list[Point]], start: Point) -> list[list[Point]]:
    """Return the line from a point along unused edges until there is none, and use them up."""
    line = [start]
    while neighbours[line[-1]]:
        here = line[-1]
        onward = neighbours[here].pop()
        neighbours[onward].remove(here)
        line.append(onward)
    return [line] if len(line) > 1 else []


def outline(
    axes: Axes,
    mask: NDArray[Any],
    *,
    colour: str = "#4fd8ff",
    dashes: tuple[float, float] | None = (2.6, 1.6),
    rim: float = 2.0,
) -> None:
    """Draw the borders of a region onto a picture.

    Parameters
    ----------
    axes : Axes
    mask : ndarray of bool, shape (rows, columns)
    colour : str
    dashes : (float, float) or None
        Lengths of dashes and gaps in points; None draws a full line.
    rim : float
        Width in points of the dark line beneath, for the bright end of a colour map; 0 for none.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.patheffects import withStroke

    style: Any = (0, dashes) if dashes else "solid"
    lines = LineCollection(borders(mask), colors=colour, linewidths=1.0, linestyles=style)
    if rim:
        lines.set_path_effects([withStroke(linewidth=rim, foreground="black", alpha=0.55)])
    axes.add_collection(lines)
