"""The spacings of a crystal: families of reflections of one length, as rings of a powder have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.physics.crystal import Crystal, Float

SAME = 1e-6
"""Relative difference of lengths below which reflections share a ring."""


@dataclass(frozen=True, eq=False)
class Families:
    """Rings of a crystal that its structure does not extinguish, from the innermost on.

    Parameters
    ----------
    hkl : ndarray of int, shape (n, 3)
        One reflection of each; in rings that several forms share (333 and 511), of the form with most reflections.
    g : ndarray, shape (n,)
        In 1/angstrom, ascending.
    multiplicity : ndarray of int, shape (n,)
        Reflections of each.
    intensity : ndarray, shape (n,)
        Sum of their ``|F|^2``, in angstrom^2.
    """

    hkl: NDArray[np.intp]
    g: Float
    multiplicity: NDArray[np.intp]
    intensity: Float

    def __len__(self) -> int:
        """Return the number of rings."""
        return len(self.g)


def families(crystal: Crystal, reach: float, *, least: float = 0.0) -> Families:
    """Return the rings of a crystal up to a spatial frequency.

    Parameters
    ----------
    crystal : Crystal
    reach : float
        In 1/angstrom.
    least : float
        Rings are left out whose mean reflection is weaker than this share of the strongest ring's.

    Examples
    --------
    >>> rings = families(Crystal.face_centred("Al", 4.05), 0.9)
    >>> rings.hkl.tolist(), rings.multiplicity.tolist()
    ([[1, 1, 1], [2, 0, 0], [2, 2, 0], [3, 1, 1], [2, 2, 2]], [8, 6, 12, 24, 8])
    """
    found = crystal.reflections(reach)
    seen = ~found.forbidden if len(found.hkl) else np.zeros(0, bool)
    hkl, intensity = found.hkl[seen], found.intensity[seen]
    length = np.linalg.norm(found.g[seen], axis=1)
    starts = np.flatnonzero(np.diff(length, prepend=-1.0) > SAME * length)
    parts = np.split(np.arange(len(hkl)), starts[1:]) if len(starts) else []
    mean = np.array([intensity[part].mean() for part in parts])
    parts = [part for part, strength in zip(parts, mean, strict=True) if strength >= least * mean.max()]
    return Families(
        np.array([_speaker(hkl[part]) for part in parts], np.intp).reshape(-1, 3),
        np.array([length[part].mean() for part in parts]),
        np.array([len(part) for part in parts], np.intp),
        np.array([intensity[part].sum() for part in parts]),
    )


def _speaker(hkl: NDArray[np.intp]) -> tuple[int, ...]:
    """Return the indices that stand for a ring: positive ones before negative, large before small."""
    forms, counts = np.unique(np.sort(np.abs(hkl), axis=1), axis=0, return_counts=True)
    form = forms[int(np.argmax(counts))]
    mine = hkl[np.all(np.sort(np.abs(hkl), axis=1) == form, axis=1)].tolist()
    return max(tuple(row) for row in mine)
