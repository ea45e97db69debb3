"""The page of a comparison: trials or runs side by side, in one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.results import Factors
from unmixel.report.canvas import FAINT, TEXT_PT, box, group_colour, label_axes, open_frame, sheet, write
from unmixel.report.convergence import figure_convergences
from unmixel.report.sections import Picture
from unmixel.report.side_by_side import figure_side_by_side

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

_PAIRS_ABREAST, _PANEL_IN, _MARGIN_IN = 4, 1.35, 0.62
_SIDE_BY_SIDE = 8
"""Components in one figure, at most: smaller ones could not be looked at."""


@dataclass(frozen=True)
class Side:
    """One of those that are compared.

    Parameters
    ----------
    letter : str
        ``"A"``, ``"B"``, ...: what the page calls it.
    name : str
        Its id or folder.
    facts : mapping of str to str
        Rows of the table at the top: kind, state, date, suite, seeds, ...
    hypothesis, conclusion : str
        As they were written down; empty where they were not.
    objective : tuple of float
        Of each sweep; empty where no bundle was kept.
    """

    letter: str
    name: str
    facts: Mapping[str, str]
    hypothesis: str = ""
    conclusion: str = ""
    objective: tuple[float, ...] = ()


@dataclass(frozen=True)
class Row:
    """One metric of a contrast, with the fields of a comparison as text, ready to read."""

    metric: str
    first: str
    second: str
    effect: str
    interval: str
    p_value: str
    n_pairs: int
    word: str


@dataclass(frozen=True)
class Contrast:
    """What one side does differently from the first, over pairs of equal case and seed.

    Parameters
    ----------
    first, second : str
        Letters.
    sentence : str
        What it comes to.
    rows : tuple of Row
    """

    first: str
    second: str
    sentence: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, eq=False)
class Partners:
    """Components of a side beside those of the first that they stand for.

    Parameters
    ----------
    letter : str
    component : ndarray of int, shape (k_first,)
        Component of this side; -1 where none is left.
    pattern_cosine, map_pearson : ndarray of float, shape (k_first,)
    factors : Factors
    """

    letter: str
    component: Array
    pattern_cosine: Array
    map_pearson: Array
    factors: Factors


@dataclass(frozen=True, eq=False)
class Shown:
    """The scan on which components are looked at.

    Parameters
    ----------
    case : str
        In words: name and seed.
    factors : Factors
        Of the first side.
    partners : tuple of Partners
    """

    case: str
    factors: Factors
    partners: tuple[Partners, ...]


@dataclass(frozen=True)
class ComparisonPage:
    """All that the page shows; nothing is computed while it is written.

    Parameters
    ----------
    sides : tuple of Side
        Two or more; the first is the reference.
    recipe : tuple of (key, values)
        Where recipes differ: dotted key and one text a side.
    contrasts : tuple of Contrast
    values : mapping of str to list of tuple of float
        Metric -> one tuple for each case and seed that all sides have, one value a side.
    shown : Shown or None
        None where bundles of one scan were not kept by all sides.
    code : tuple of str
        Lines of a unified difference of the ideas; empty where they are equal or there is none.
    remarks : tuple of str
        What keeps the comparison from being a fair one.
    """

    sides: tuple[Side, ...]
    recipe: tuple[tuple[str, tuple[str, ...]], ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    values: Mapping[str, Sequence[tuple[float, ...]]] = field(default_factory=dict)
    shown: Shown | None = None
    code: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def write_comparison(page: ComparisonPage, path: Path) -> Path:
    """Write a comparison as one self-contained HTML page and return its path.

    Parameters
    ----------
    page : ComparisonPage
    path : Path
        Overwritten when it is there.
    """
    path = Path(path)
    path.write_text(rendered(page), encoding="utf-8")
    return path


def rendered(page: ComparisonPage) -> str:
    """Return the page as HTML text."""
    from unmixel.report.page import environment

    return (
        environment()
        .get_template("comparison.html")
        .render(
            page=page,
            facts=tuple(dict.fromkeys(key for side in page.sides for key in side.facts)),
            pairs_picture=_pairs_picture(page),
            convergence_picture=_convergence_picture(page),
            component_pictures=_component_pictures(page.shown),
            components=_component_rows(page.shown),
            code=[(_mark(line), line) for line in page.code],
            colours={side.letter: group_colour(index) for index, side in enumerate(page.sides)},
        )
    )


def _mark(line: str) -> str:
    """Return the class of a line of a difference: added, removed or neither."""
    return {"+": "added", "-": "removed", "@": "faint"}.get(line[:1], "")


def figure_pairs(values: Mapping[str, Sequence[tuple[float, ...]]], letters: Sequence[str]) -> Figure:
    """Return a small panel for each metric: a line from side to side for each case and seed.

    Parameters
    ----------
    values : mapping of str to sequence of tuple of float
        Metric -> tuples of one value a side.
    letters : sequence of str
        Names of the sides.

    Examples
    --------
    >>> len(figure_pairs({"found": [(1.0, 2.0), (2.0, 2.0)]}, "AB").axes)
    1
    """
    rows = -(-len(values) // _PAIRS_ABREAST)
    width = _PAIRS_ABREAST * (_PANEL_IN + _MARGIN_IN) + 0.1
    figure = sheet(width, rows * (_PANEL_IN + 0.62) + 0.05)
    places = np.arange(len(letters))
    for index, (metric, tuples) in enumerate(values.items()):
        left = (index % _PAIRS_ABREAST) * (_PANEL_IN + _MARGIN_IN) + _MARGIN_IN
        top = (index // _PAIRS_ABREAST) * (_PANEL_IN + 0.62) + 0.3
        axes = box(figure, left, top, _PANEL_IN, _PANEL_IN)
        open_frame(axes)
        write(figure, left, top - 0.2, metric, fontweight="bold")
        for one in tuples:
            axes.plot(places, one, color=FAINT, linewidth=0.7, alpha=0.6)
        columns = np.asarray(tuples, np.float64).T
        for place, column in enumerate(columns):
            axes.plot([place] * len(column), column, "o", color=group_colour(place), markersize=4)
        axes.set_xticks(places, list(letters))
        axes.set_xlim(-0.4, len(letters) - 0.6)
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.yaxis.get_offset_text().set_fontsize(TEXT_PT - 1)
        label_axes(axes)
    return figure


def _pairs_picture(page: ComparisonPage) -> Picture | None:
    if not page.values:
        return None
    figure = figure_pairs(page.values, [side.letter for side in page.sides])
    return Picture.of(figure, f"Values of {', '.join(page.values)}, a line for each case and seed")


def _convergence_picture(page: ComparisonPage) -> Picture | None:
    curves = {side.letter: side.objective for side in page.sides if side.objective}
    if not curves:
        return None
    return Picture.of(figure_convergences(curves), f"Objective against sweep of {', '.join(curves)}")


def _component_rows(shown: Shown | None) -> list[dict[str, Any]]:
    """Return the table of partners: a row for each component of the first side."""
    if shown is None:
        return []
    return [
        {
            "index": index,
            "partners": [
                {
                    "letter": one.letter,
                    "component": int(one.component[index]),
                    "cosine": float(one.pattern_cosine[index]),
                    "pearson": float(one.map_pearson[index]),
                }
                for one in shown.partners
            ],
        }
        for index in range(shown.factors.n_components)
    ]


def _component_pictures(shown: Shown | None) -> list[Picture]:
    """Return, for each other side, its components beside those of the first, and the difference of the two."""
    return [] if shown is None else [_difference_picture(shown.factors, one) for one in shown.partners]


def _difference_picture(first: Factors, other: Partners) -> Picture:
    """Return the pairs of components that differ most, in the order of the first side."""
    paired = np.flatnonzero(other.component >= 0)
    alike = other.pattern_cosine[paired] * other.map_pearson[paired]
    picked = np.sort(paired[np.argsort(alike, kind="stable")[:_SIDE_BY_SIDE]])
    partners = other.component[picked]
    used = np.asarray(first.used_pixels, bool) & np.asarray(other.factors.used_pixels, bool)
    ours = _unit(first.maps[picked], None), _unit(first.patterns[picked], used)
    theirs = _unit(other.factors.maps[partners], None), _unit(other.factors.patterns[partners], used)
    apart = theirs[0] - ours[0], theirs[1] - ours[1]
    name = f"{other.letter} − A"
    sizes = [
        [_largest(side[i], mask) for side, mask in zip(apart, (None, used), strict=True)]
        for i in range(len(picked))
    ]
    figure = figure_side_by_side(
        {"A": ours, other.letter: theirs, name: apart},
        scan_axes=first.scan_axes,
        pattern_axes=first.pattern_axes,
        used_pixels=used,
        columns=[f"A {a} | {other.letter} {b}" for a, b in zip(picked, partners, strict=True)],
        notes={name: [f"pattern {pattern:.0%}, map {on_map:.0%}" for on_map, pattern in sizes]},
    )
    return Picture.of(figure, f"Components of A and {other.letter} in pairs, and their differences")


def _largest(image: Array, mask: Array | None) -> float:
    values = np.abs(image if mask is None else image[mask])
    return float(values.max(initial=0.0))


def _unit(images: Array, used: Array | None) -> Array:
    """Return images over their largest values, what is not used set to 0."""
    values = np.nan_to_num(np.asarray(images, np.float64))
    values = values if used is None else values * used
    sizes = np.abs(values).reshape(len(values), -1).max(axis=1, initial=0.0)
    return np.asarray(values / np.where(sizes > 0, sizes, 1.0).reshape(-1, *(1,) * (values.ndim - 1)))
