"""How strongly components show in counts that no fit has seen, each by itself and beside its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.factorize.contracts import DataProducts
from unmixel.factorize.draft import ALIKE, Draft

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Matched filter on the counts that were set aside; see `thinning.thinned`.

    Fitted are W and H to a share 1 - s of the electrons, with weights r, w; C are the check counts, independent of W
    and H. What a group g of components says beyond one component less is the last singular direction D of
    ``sum_{k in g} W_k' H*_k``, where H* is what H holds beyond the spared components (`Draft.own`). For D::

        T_g = sum_ij r_i w_j D_ij (C_ij - s / (1 - s) sum_{k not in g} W_ki H_kj)

    divided by its standard deviation where the counts hold none of D, ``noise sqrt(s) |D|`` (weighted norm), since
    weighted entries of C vary by s times the variance of the whole.

    Parameters
    ----------
    products : DataProducts
        Of the check counts, weighted as the fit is.
    share : float, in (0, 1)
        Of the electrons that were set aside.
    noise : float
        Standard deviation of a weighted entry of the whole data (1 for whitened counts).

    Notes
    -----
    To first order, whatever the other components can still become is of no weight to a direction that is orthogonal
    to their maps and patterns: the last singular direction is that within a group, ``H*`` that beside the spared.
    """

    products: DataProducts
    share: float
    noise: float

    def __call__(self, draft: Draft) -> NDArray[np.float64]:
        """Return the significance of every component of a draft, shape (k,); one pass over the check counts."""
        return self.apart(draft, [[k] for k in range(draft.n_components)])

    def apart(self, draft: Draft, groups: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return how significant it is that the components of each group are not one less, shape (len(groups),).

        A group of one is not nothing, of two not one in two pieces, of three not two and a mixture of them. One pass
        over the check counts.

        Parameters
        ----------
        draft : Draft
        groups : sequence of sequence of int, length >= 1 each
        """
        if not len(groups):
            return np.zeros(0)
        lasts = [_last(draft.whitened[0][list(group)], draft.own[list(group)]) for group in groups]
        maps, patterns = (np.array(side) for side in zip(*lasts, strict=True))
        return self._found(draft, (maps, patterns), groups)

    def gain(self, draft: Draft, other: Draft) -> tuple[float, float]:
        """Return by how much another draft predicts the counts better, and the standard error of that.

        Both in units of the variance of one weighted entry: the squared misfit is lower by so much. One pass over the
        check counts.

        Parameters
        ----------
        draft, other : Draft
            Of the same positions and pixels.
        """
        scale = self.share / (1 - self.share)
        factors = [one.whitened for one in (draft, other)]
        side = draft.problem.maps
        rows = (
            side.engine.asarray(np.concatenate(parts) * root, side.dtype)
            for parts, root in zip(zip(*factors, strict=True), draft.roots, strict=True)
        )
        seen = np.split(self.products.overlap(*rows), [draft.n_components])
        (a, b), both = (_inner(one, one) for one in factors), _inner(*factors)
        gain = 2 * scale * float(seen[1].sum() - seen[0].sum()) - scale**2 * (b - a)
        unit = max(self.noise, 1e-30)
        deviation = 2 * scale * np.sqrt(self.share * max(a + b - 2 * both, 0.0)) / unit
        return float(gain / unit**2), float(deviation)

    def _found(self, draft: Draft, wanted: Pair, without: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return how strongly rank-1 directions show in the counts beyond all components but those named for each.

        Parameters
        ----------
        draft : Draft
        wanted : pair of ndarray, shape (l, n) and (l, m)
            Whitened maps and patterns of the directions.
        without : sequence of sequence of int, length l
        """
        maps, patterns = draft.whitened
        shared = (wanted[0] @ maps.T) * (wanted[1] @ patterns.T)
        for place, own in enumerate(without):
            shared[place, list(own)] = 0.0
        sides = draft.problem.maps, draft.problem.patterns
        rows = (
            side.engine.asarray(np.ascontiguousarray(part * root), side.dtype)
            for side, part, root in zip(sides, wanted, draft.roots, strict=True)
        )
        excess = self.products.overlap(*rows) - self.share / (1 - self.share) * shared.sum(axis=1)
        size = np.prod([np.linalg.norm(part, axis=1) for part in wanted], axis=0)
        deviation = self.noise * np.sqrt(self.share) * size
        return np.asarray(np.divide(excess, deviation, out=np.zeros_like(excess), where=deviation > 0))


def _inner(left: Pair, right: Pair) -> float:
    """Return the scalar product of two models ``W' H``."""
    return float(np.sum((left[0] @ right[0].T) * (left[1] @ right[1].T)))


def _last(maps: NDArray[np.float64], patterns: NDArray[np.float64]) -> Pair:
    """Return the last singular direction of ``maps' patterns`` (g rows each); the map holds its size."""
    (q, r), (p, s) = np.linalg.qr(maps.T), np.linalg.qr(patterns.T)
    left, values, right = np.linalg.svd(r @ s.T)
    size = values[-1] if values[-1] > ALIKE * values[0] else 0.0
    return q @ left[:, -1] * size, p @ right[-1]
