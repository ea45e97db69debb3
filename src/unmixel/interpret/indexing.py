"""How a crystal of any orientation lies, from the places of spots alone: whatever their intensities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unmixel.physics.crystal import Crystal
from unmixel.physics.symmetry import Symmetry

Float = NDArray[np.float64]

LENGTH, ANGLE = 0.05, 0.06
"""How far lengths (as a share) and angles (radians) of two spots may be from those of two reflections."""

SIDES = (6, 12)
"""How many spots are tried as the first and as the second of two that fix an orientation, the innermost first."""

LAYER = (0.02, 0.06)
"""Distance from the plane at right angles to the beam up to which reflections are seen: 1/angstrom, and a share of
their length: excitation, precession, and what two spots leave open of the tilt."""

NEAR = 0.03
"""Distance in 1/angstrom within which a spot is a reflection's, while orientations are sought."""

SHORTLIST, APART = 300, 0.05
"""Orientations of most spots that are looked at, and the angle in radians within which two of them are one."""

BATCH = 256
"""Orientations that are looked at together."""


@dataclass(frozen=True, eq=False)
class Points:
    """Reflections of a crystal as points in its own frame.

    Parameters
    ----------
    hkl : ndarray of int, shape (m, 3)
    g : ndarray, shape (m, 3)
        In 1/angstrom, ascending in length.
    root : ndarray, shape (m,)
        Root intensities.
    length : ndarray, shape (m,)
    first : ndarray of bool, shape (m,)
        One of each set that the crystal's rotations make equal.
    rotations : ndarray, shape (r, 3, 3)
        That make the crystal equal to itself.
    """

    hkl: NDArray[np.intp]
    g: Float
    root: Float
    length: Float
    first: NDArray[np.bool_]
    rotations: Float

    @property
    def n_rotations(self) -> int:
        """Number of rotations that make the crystal equal to itself."""
        return len(self.rotations)

    def shell(self, low: float, high: float) -> slice:
        """Return which reflections have lengths between two."""
        return slice(*np.searchsorted(self.length, (low, high)).tolist())


@lru_cache(maxsize=32)
def points(crystal: Crystal, reach: float) -> Points:
    """Return the reflections of a crystal that its structure does not extinguish, up to a spatial frequency.

    Examples
    --------
    >>> found = points(Crystal.face_centred("Cu", 3.615), 0.6)
    >>> len(found.hkl), found.hkl[found.first].tolist(), found.n_rotations
    (14, [[-1, -1, -1], [-2, 0, 0]], 24)
    """
    found = crystal.reflections(reach)
    seen = ~found.forbidden
    length = np.linalg.norm(found.g, axis=1)
    order = np.flatnonzero(seen)[np.argsort(length[seen], kind="stable")]
    g = found.g[order]
    rotations = Symmetry.of(crystal).rotations
    equal = np.round(np.einsum("rij,mj->mri", rotations, g), 6) + 0.0
    speaker = np.array([min(map(tuple, some)) for some in equal.tolist()]).reshape(-1, 3)
    _, first = np.unique(speaker, axis=0, return_index=True)
    chosen = np.zeros(len(g), bool)
    chosen[first] = True
    return Points(found.hkl[order], g, np.sqrt(found.intensity[order]), length[order], chosen, rotations)


def orientations(y: Float, of: Points, *, most: int = 12) -> Float:
    """Return the orientations that put most reflections onto spots, shape (h, 3, 3), the best first.

    Rows lie right, up and against the electrons, as in `unmixel.physics.kinematic.spot_pattern`. Two spots and two
    reflections of their lengths and of the angle between them fix an orientation; it counts how many other spots have
    a reflection within 0.03 1/angstrom, less those that would by chance.

    Parameters
    ----------
    y : ndarray, shape (n, 2)
        Spots (v, u) in 1/angstrom.
    of : Points
    most : int
        How many are returned at most.
    """
    seen = np.column_stack([y[:, 1], -y[:, 0]])
    tried = _tried(seen, of)
    if not len(tried):
        return np.zeros((0, 3, 3))
    score = np.concatenate([_score(seen, of, tried[i : i + BATCH]) for i in range(0, len(tried), BATCH)])
    order = np.argsort(-score, kind="stable")[:SHORTLIST]
    return _distinct(tried[order], of.rotations, most)


def _distinct(ranked: Float, rotations: Float, most: int) -> Float:
    """Return the first of all that are one orientation, up to the crystal's own rotations and `APART`."""
    chosen: list[int] = []
    free = np.ones(len(ranked), bool)
    equal = np.einsum("hij,rjk->hrik", ranked, rotations)
    while free.any() and len(chosen) < most:
        one = int(np.argmax(free))
        chosen.append(one)
        trace = np.einsum("hrik,ik->hr", equal, ranked[one]).max(axis=1)
        free &= trace < 1 + 2 * np.cos(APART)
    return np.asarray(ranked[chosen])


def _tried(seen: Float, of: Points) -> Float:
    """Return all orientations that two spots allow, shape (h, 3, 3)."""
    radius, angle = np.linalg.norm(seen, axis=1), np.arctan2(seen[:, 1], seen[:, 0])
    inner = np.argsort(radius, kind="stable")
    shells = [of.shell(r * (1 - LENGTH), r * (1 + LENGTH)) for r in radius]
    found = []
    for i in inner[: SIDES[0]]:
        first = np.flatnonzero(of.first[shells[i]]) + shells[i].start
        along = np.array([np.cos(angle[i]), np.sin(angle[i])])
        across = np.array([-along[1], along[0]])
        for j in inner[: SIDES[1]]:
            between = (angle[j] - angle[i] + np.pi) % (2 * np.pi) - np.pi
            if j == i or abs(np.sin(between)) < 0.3:
                continue
            second = of.g[shells[j]] / of.length[shells[j], None]
            for k in first:
                axis = of.g[k] / of.length[k]
                cosine = np.clip(second @ axis, -1, 1)
                fit = second[np.abs(np.arccos(cosine) - abs(between)) < ANGLE]
                side = fit - (fit @ axis)[:, None] * axis
                side *= np.sign(between) / np.linalg.norm(side, axis=1, keepdims=True)
                plane = along[:, None] * axis + across[:, None] * side[:, None, :]
                beam = np.cross(plane[:, 0], plane[:, 1])
                found.append(np.concatenate([plane, beam[:, None]], axis=1))
    return np.concatenate(found) if found else np.zeros((0, 3, 3))


def _score(seen: Float, of: Points, tried: Float) -> Float:
    """Return how many spots are near a reflection, less those that would be by chance, for each orientation."""
    radius = np.linalg.norm(seen, axis=1)
    score = np.zeros(len(tried))
    for spot, r in zip(seen, radius, strict=True):
        shell = of.shell(r - NEAR, r * 1.01 + NEAR)
        there = tried @ of.g[shell].T
        lit = np.abs(there[:, 2]) < LAYER[0] + LAYER[1] * of.length[shell]
        off = (there[:, 0] - spot[0]) ** 2 + (there[:, 1] - spot[1]) ** 2
        score += np.any(lit & (off < NEAR**2), axis=1)
        ring = np.pi * ((r * 1.01 + NEAR) ** 2 - (r - NEAR) ** 2)
        score -= np.minimum(lit.sum(axis=1) * np.pi * NEAR**2 / ring, 1.0)
    return score
