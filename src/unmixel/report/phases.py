"""Figures of phases: measured spots beside those that the structure should show, with indices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.phases import (
    BY_PLACES,
    BY_RINGS,
    PhaseAnswer,
    PhaseMatch,
    Phases,
    PlaceMatch,
    RingMatch,
)
from unmixel.dataset.result import Result
from unmixel.report.canvas import sheet
from unmixel.report.groups import group_panels
from unmixel.report.panels import Panel
from unmixel.report.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELLED = 14
"""Spots, or rings, that bear their indices: the strongest."""

MEASURED, EXPECTED = "#56b4e9", "#e69f00"
"""Colours of what was found and of what a structure should show; shapes differ, too."""


def answer_words(answer: PhaseAnswer) -> str:
    """Return the answer in a few words: phase and direction, or what is known instead."""
    crystal = answer.crystal
    if crystal is not None:
        return f"{answer.phase} along {zone_words(crystal.zone_axis)}"
    how = {BY_RINGS: ", by rings", BY_PLACES: ", by places"}.get(answer.by, "")
    return f"{answer.phase}{how}"


def zone_words(axis: tuple[int, int, int]) -> str:
    """Return a direction as it is printed, negative indices with a bar.

    Examples
    --------
    >>> zone_words((1, -1, 0))
    '[11̄0]'
    """
    return f"[{index_words(axis)}]"


def index_words(hkl: Any) -> str:
    """Return three indices, negative ones with a bar; with spaces where one has two digits."""
    parts = [f"{abs(int(i))}\u0304" if i < 0 else f"{int(i)}" for i in hkl]
    return ("\u2009" if any(abs(int(i)) > 9 for i in hkl) else "").join(parts)


def _index_math(hkl: Any) -> str:
    """Return three indices for small print in figures, where only mathematical bars stay legible."""
    parts = [rf"\bar{{{abs(int(i))}}}" if i < 0 else f"{int(i)}" for i in hkl]
    gap = r"\," if any(abs(int(i)) > 9 for i in hkl) else ""
    return f"${gap.join(parts)}$"


def overlay_panel(result: Result, group: int) -> Panel:
    """Return the panel of a group's pattern in grey, on which spots are marked."""
    answer = _phases(result).answers[group]
    panel, _ = group_panels(result, group)
    shown = "circles: found" if answer.n_spots else ""
    if answer.halo:
        shown = f"dashed: rings found ({len(answer.halo)})"
    match = answer.best
    if isinstance(match, (PhaseMatch, PlaceMatch)):
        missing = int(np.count_nonzero(~match.matched))
        shown += f" ({answer.n_spots}); crosses: expected ({len(match.spot)}, {missing} not found)"
    elif isinstance(match, RingMatch):
        found = "" if answer.halo else f" ({answer.n_spots})"
        shown += f"{found}; arcs: rings of {match.phase}"
    return replace(panel, colours="gray", title=f"Group {group}: {answer_words(answer)}", remark=shown)


def figure_overlay(
    result: Result, group: int, *, candidate: int = 0, width: float = 4.4, tallest: float = 3.9
) -> Figure:
    """Return a group's pattern with measured spots as circles and expected ones as crosses or arcs, with indices.

    Expected are those of the best candidate; with `candidate` 1 those of the runner-up, and so on.
    """
    panel = overlay_panel(result, group)
    figure = sheet(width, 0.1 + panel.height(width - 0.1, tallest=tallest))
    axes = panel.draw(figure, 0.05, 0.05, width - 0.1, tallest=tallest)
    phases = _phases(result)
    answer = phases.answers[group]
    if axes is None or not panel.is_picture:
        return figure
    if answer.n_spots:
        places = phases.calibration.place(answer.g)
        axes.plot(places[:, 1], places[:, 0], "o", ms=9, mfc="none", mec=MEASURED, mew=1.1, linestyle="none")
    for ring in answer.halo:
        _circle(axes, phases, ring.position, color=MEASURED, lw=1.0, ls=(0, (4, 4)))
    match = answer.ranked[candidate] if candidate < len(answer.ranked) else None
    if isinstance(match, (PhaseMatch, PlaceMatch)):
        _mark_spots(axes, phases, match)
    elif isinstance(match, RingMatch):
        _mark_rings(axes, phases, answer, match)
    rows, columns = panel.values.shape
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    return figure


def _mark_spots(axes: Axes, phases: Phases, match: PhaseMatch | PlaceMatch) -> None:
    places = phases.calibration.place(match.g)
    size = 4 + 10 * match.root
    axes.scatter(places[:, 1], places[:, 0], s=size**2 / 3, c=EXPECTED, marker="x", linewidths=1.0)
    strongest = np.argsort(-match.root, kind="stable")[:_LABELLED]
    for i in strongest:
        _write(axes, places[i], _index_math(match.hkl[i]) + ("*" if match.doubled[i] else ""))


def _circle(axes: Axes, phases: Phases, radius: float, **style: Any) -> None:
    angle = np.deg2rad(np.arange(0, 361, 2.0))
    line = phases.calibration.place(radius * np.stack([-np.sin(angle), np.cos(angle)], axis=1))
    axes.plot(line[:, 1], line[:, 0], **style)


def _mark_rings(axes: Axes, phases: Phases, answer: PhaseAnswer, match: RingMatch) -> None:
    hit = np.zeros(len(match.radius), bool)
    hit[match.ring[match.ring >= 0]] = True
    for radius, found in zip(match.radius, hit, strict=True):
        _circle(
            axes, phases, float(radius), color=EXPECTED, lw=0.9 if found else 0.4, alpha=0.9 if found else 0.4
        )
    if answer.n_spots:
        for spot in np.flatnonzero(match.ring >= 0)[:_LABELLED]:
            place = phases.calibration.place(answer.g[spot][None])[0]
            _write(axes, place, _index_math(match.hkl[match.ring[spot]]))
        return
    for ring in np.flatnonzero(hit)[:_LABELLED]:
        place = phases.calibration.place(match.radius[ring] * np.array([[-0.7071, 0.7071]]))[0]
        _write(axes, place, _index_math(match.hkl[ring]))


def _write(axes: Axes, place: NDArray[Any], label: str) -> None:
    axes.annotate(
        label,
        (float(place[1]), float(place[0])),
        xytext=(4, 4),
        textcoords="offset points",
        fontsize=7,
        color="white",
        annotation_clip=True,
        bbox={"boxstyle": "round,pad=0.1", "facecolor": "#1f2933", "edgecolor": "none", "alpha": 0.6},
    )


def candidate_rows(answer: PhaseAnswer) -> tuple[dict[str, str], ...]:
    """Return what the page says of each candidate, best first."""
    return tuple(_candidate(match) for match in answer.ranked)


def _candidate(match: PhaseMatch | PlaceMatch | RingMatch) -> dict[str, str]:
    if isinstance(match, (PlaceMatch, RingMatch)):
        return {
            "phase": match.phase,
            "score": f"{match.score:.2f}",
            "likely": f"{match.probability:.0%}",
            "direction": "by rings" if isinstance(match, RingMatch) else "by places, any orientation",
            "scale": f"{match.scale:.3f}",
        }
    forbidden = int(np.count_nonzero(match.doubled & match.matched))
    told = f"{zone_words(match.zone_axis)}, turned {match.rotation_deg:+.1f}°".replace("-", "−")
    if forbidden:
        told += f", {counted(forbidden, 'spot')} by double diffraction"
    return {
        "phase": match.phase,
        "score": f"{match.score:.2f}",
        "likely": "",
        "direction": told,
        "scale": f"{match.scale:.3f}",
    }


def _phases(result: Result) -> Phases:
    assert result.phases is not None  # callers draw phases only where there are some  # nosec B101
    return result.phases
