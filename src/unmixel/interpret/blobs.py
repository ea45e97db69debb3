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

ECHO_COVER, ECHO_STRENGTH = 0.5, 3.0
ALIKE_COVER = 0.8  # within one group
TWIN_OVERLAP, TWIN_COVER = 0.6, 0.5
SAME_PLACE, VERY_PLACE = 0.6, 0.75


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
    lost : float
        What was taken off every value of the map, see `unmixel.interpret.shrinkage`.
    """

    group: int
    component: int
    image: Float
    region: Region
    main: bool
    lost: float = 0.0


def without_doubles(blobs: list[Blob], groups: Groups) -> tuple[list[Blob], int, int]:
    """Leave out what is another's region seen again; return the rest and how many of both kinds.

    Twins have the outline of a region of another component that holds more counts, or lie by half or more under
    one of the same group and orientation. Echoes are side regions that lie by half or more under a region of another
    component that is 3 times as high, or by four fifths under a higher one of the same group: patterns alike leak into
    each other most.
    """
    echoes, twins = 0, 0
    kept: list[Blob] = []
    for blob in sorted(blobs, key=_counts, reverse=True):
        others = [other for other in kept if other.component != blob.component]
        if any(_is_twin(blob, other, groups) for other in others):
            twins += 1
        elif not blob.main and any(_is_echo(blob, other) for other in others):
            echoes += 1
        else:
            kept.append(blob)
    return kept, echoes, twins


def _counts(blob: Blob) -> float:
    return float(blob.image[blob.region.mask].sum())


def _cover(blob: Blob, other: Blob) -> float:
    """Return the share of a region that lies under another."""
    return float((other.region.mask & blob.region.mask).sum() / blob.region.mask.sum())


def _is_twin(blob: Blob, other: Blob, groups: Groups) -> bool:
    shared = (other.region.mask & blob.region.mask).sum()
    if shared >= TWIN_OVERLAP * (other.region.mask | blob.region.mask).sum():
        return True
    if blob.group != other.group or blob.component == -1 or groups.distance_unturned is None:
        return False
    alike = one_crystal(groups.distance, groups.distance_unturned)[blob.component, other.component]
    return bool(alike and _cover(blob, other) >= TWIN_COVER)


def _is_echo(blob: Blob, other: Blob) -> bool:
    cover, ratio = _cover(blob, other), other.region.height / blob.region.height
    if blob.group == other.group and cover >= ALIKE_COVER and ratio >= 1:
        return True
    return cover >= ECHO_COVER and ratio >= ECHO_STRENGTH


def split_crystals(members: list[int], maps: Float, groups: Groups) -> list[list[int]]:
    """Return members in sets that are one crystal split among components.

    Their patterns agree without turning, and their maps, smoothed by one position, have a cosine of 0.6 or more; from
    0.75 on one group is enough: two crystals of one phase do not lie in the very same place.
    Neighbours of one orientation that only touch stay apart, and so do those that overlap in part.

    Parameters
    ----------
    members : list of int
    maps : ndarray, shape (k, y, x)
        Of all components.
    groups : Groups
    """
    from scipy.ndimage import gaussian_filter

    if groups.distance_unturned is None:
        return [[k] for k in members]
    flat = gaussian_filter(np.asarray(maps, np.float64), (0, 1, 1)).reshape(len(maps), -1)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-300)
    alike, place = one_crystal(groups.distance, groups.distance_unturned), flat @ flat.T
    together = (alike & (place >= SAME_PLACE)) | (place >= VERY_PLACE)
    sets: list[list[int]] = []
    for k in members:
        near = [some for some in sets if together[k, some].any()]
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
            "stronger, or stronger and of the same group, and count as its leakage"
        )
    if twins:
        words.append(
            f"{twins} regions have the outline of a stronger region of another component (shared over joint "
            f"area at least {TWIN_OVERLAP:g}), or lie by half or more under one of the same kind and orientation, and "
            "count as the same particle"
        )
    return words
