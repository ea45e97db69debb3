"""Regions found in several maps: which components are one crystal, which regions one particle seen twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.results import Groups
from unmixel.interpret.regions import Region
from unmixel.interpret.tree import one_crystal

Float = NDArray[np.floating[Any]]

ECHO_COVER, ECHO_STRENGTH, TWIN_OVERLAP = 0.5, 3.0, 0.6


@dataclass(frozen=True, eq=False)
class Blob:
    """A region and the map it was found in.

    Parameters
    ----------
    group, component : int
        Component -1 for the summed map of a group.
    image : ndarray, shape (y, x)
        The map.
    region : Region
    main : bool
        Whether it is the highest region of its map.
    """

    group: int
    component: int
    image: Float
    region: Region
    main: bool


def without_doubles(blobs: list[Blob]) -> tuple[list[Blob], int, int]:
    """Leave out what is another's region seen again; return the rest and how many of both kinds.

    Echoes are faint side regions that lie under a much stronger region of another component; twins have the
    outline of a stronger region of another component.
    """
    echoes, twins = 0, 0
    kept: list[Blob] = []
    for blob in sorted(blobs, key=_counts, reverse=True):
        others = [other for other in kept if other.component != blob.component]
        if any(_overlap(blob, other) >= TWIN_OVERLAP for other in others):
            twins += 1
        elif not blob.main and any(_is_under(blob, other) for other in others):
            echoes += 1
        else:
            kept.append(blob)
    return kept, echoes, twins


def _counts(blob: Blob) -> float:
    return float(blob.image[blob.region.mask].sum())


def _overlap(one: Blob, other: Blob) -> float:
    """Return the shared area over the joint area."""
    shared = (one.region.mask & other.region.mask).sum()
    return float(shared / (one.region.mask | other.region.mask).sum())


def _is_under(blob: Blob, other: Blob) -> bool:
    covered = (other.region.mask & blob.region.mask).sum() / blob.region.mask.sum()
    return bool(covered >= ECHO_COVER and other.region.height >= ECHO_STRENGTH * blob.region.height)


def orientations(members: list[int], groups: Groups) -> list[list[int]]:
    """Return members in sets of one orientation: their patterns agree without turning."""
    if groups.distance_unturned is None:
        return [[k] for k in members]
    alike = one_crystal(groups.distance, groups.distance_unturned)
    sets: list[list[int]] = []
    for k in members:
        near = [some for some in sets if alike[k, some].any()]
        sets = [some for some in sets if some not in near] + [
            sorted([k, *(m for some in near for m in some)])
        ]
    return sorted(sets)


def doubles_words(echoes: int, twins: int) -> list[str]:
    """Return in words what `without_doubles` left out."""
    words = []
    if echoes:
        words.append(
            f"{echoes} faint regions lie under a region of another component that is {ECHO_STRENGTH:g} times "
            "stronger and count as its leakage"
        )
    if twins:
        words.append(
            f"{twins} regions have the outline of a stronger region of another component (shared over joint "
            f"area at least {TWIN_OVERLAP:g}) and count as the same particle"
        )
    return words
