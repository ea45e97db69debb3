"""How far a component belongs to each group: the share of its pattern that the groups' strongest members explain."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]

LEAST_SHARE = 0.1  # what explains less of a pattern is chance


def memberships(rings: Float, labels: NDArray[np.int64], heads: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far patterns belong to groups, shape (k, g); rows sum to 1.

    Matching pursuit: of the strongest members of the groups, the one that explains most of a pattern, turned to where
    it does, is taken off; of the rest the next one, and so on, as long as one explains a tenth of the whole energy.
    What a group explains is its share; what none does goes to the group that the pattern was put into. A strongest
    member is explained by those of other groups only, so that a mixture of two phases that stands alone shows them.

    Parameters
    ----------
    rings : ndarray, shape (k, r, t)
        Patterns on rings, ring means subtracted, times the root of the ring's weight.
    labels : ndarray of int, shape (k,)
    heads : ndarray of int, shape (g,)
        Strongest member of each group.

    References
    ----------
    Mallat & Zhang, IEEE Trans. Signal Process. 41, 3397 (1993).

    Examples
    --------
    >>> one, other = np.zeros((2, 1, 360))
    >>> one[0, [10, 100]], other[0, [10, 40, 200]] = 1, 1
    >>> rings = np.stack([one, other, np.roll(one, 50, axis=1) + other])
    >>> memberships(rings, np.arange(3), np.arange(3))[2].round(2).tolist()
    [0.4, 0.6, 0.0]
    """
    from scipy import fft

    n_angles = rings.shape[2]
    waves = fft.rfft(rings[heads], axis=2).conj()
    energies = np.array([float(np.vdot(rings[head], rings[head])) for head in heads])
    found = np.zeros((len(rings), len(heads)))
    for k, pattern in enumerate(rings):
        rest, whole = pattern.astype(np.float64), float(np.vdot(pattern, pattern))
        free = (heads != k) & (energies > 0)
        while free.any() and whole > 0:
            curve = fft.irfft((waves * fft.rfft(rest, axis=1)).sum(axis=1), n=n_angles, axis=1)
            best = curve.max(axis=1)
            gain = np.where(free & (best > 0), best**2 / np.where(free, energies, 1.0), 0.0) / whole
            taken = int(gain.argmax())
            if gain[taken] < LEAST_SHARE:
                break
            turned = np.roll(rings[heads[taken]], int(curve[taken].argmax()), axis=1)
            rest = rest - best[taken] / energies[taken] * turned
            found[k, taken], free[taken] = gain[taken], False
        found[k, labels[k]] = 0.0
        found[k, labels[k]] = 1.0 - found[k].sum()
    return found
