"""How strongly each component shows in counts that no fit has seen, and what sets two of them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.factorize.contracts import Array, DataProducts
from unmixel.factorize.draft import Draft
from unmixel.factorize.problem import Problem, Side


@dataclass(frozen=True, eq=False)
class Evidence:
    """Matched filter of every component on the counts that were set aside; see `thinning.thinned`.

    For component l of the fit part (share 1 - s of the electrons), with weights r, w and the check counts C::

        T_l = sum_ij r_i w_j W_li H_lj (C_ij - s / (1 - s) sum_{k != l} W_ki H_kj)

    divided by its standard deviation without the component, ``noise sqrt(s) |W_l| |H_l|`` (weighted norms), since
    weighted entries of C vary by s times the variance of the whole. C is independent of W and H.

    Parameters
    ----------
    products : DataProducts
        Of the check counts, weighted as the fit is.
    share : float, in (0, 1)
        Of the electrons that were set aside.
    noise : float
        Standard deviation of a weighted entry of the whole data (1 for whitened counts).
    """

    products: DataProducts
    share: float
    noise: float

    def __call__(self, draft: Draft) -> NDArray[np.float64]:
        """Return the significance of every component of a draft, shape (k,); one pass over the check counts."""
        return self.of(draft.problem, draft.z_maps, draft.z_patterns)

    def apart(self, draft: Draft, pairs: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Return how significant it is that two components are two and not one, shape (len(pairs),).

        ``W_i H_i + W_j H_j`` has two singular directions. One component can stand for the first; the second is looked
        for in the counts by the same matched filter, and is noise where both are one thing in two pieces. One pass
        over the check counts.

        Parameters
        ----------
        draft : Draft
        pairs : sequence of (int, int)
        """
        if not len(pairs):
            return np.zeros(0)
        maps, patterns = draft.problem.maps, draft.problem.patterns
        factors = [_whitened(draft.maps, maps), _whitened(draft.patterns, patterns)]
        seconds = [_second(*(rows[list(pair)] for rows, _ in factors)) for pair in pairs]
        rows = [np.array(side) for side in zip(*seconds, strict=True)]
        shared = (rows[0] @ factors[0][0].T) * (rows[1] @ factors[1][0].T)
        for place, pair in enumerate(pairs):
            shared[place, list(pair)] = 0.0  # the first direction of a pair is orthogonal to its second
        put = [
            side.engine.asarray(np.ascontiguousarray(part * root), side.dtype)
            for side, part, (_, root) in zip((maps, patterns), rows, factors, strict=True)
        ]
        excess = self.products.overlap(*put) - self.share / (1 - self.share) * shared.sum(axis=1)
        size = np.linalg.norm(rows[0], axis=1) * self.noise * np.sqrt(self.share)
        return np.asarray(np.divide(excess, size, out=np.zeros_like(excess), where=size > 0))

    def of(self, problem: Problem, z_maps: Array, z_patterns: Array) -> NDArray[np.float64]:
        """Return the significance of every component, shape (k,)."""
        w, h = problem.maps.factor(z_maps), problem.patterns.factor(z_patterns)
        host, rows = problem.maps.engine.to_host, (problem.maps.weighted(w), problem.patterns.weighted(h))
        grams = [
            host(row).astype(np.float64) @ host(side.flat(f)).astype(np.float64).T
            for row, side, f in zip(rows, (problem.maps, problem.patterns), (w, h), strict=True)
        ]
        shared = grams[0] * grams[1]
        own = np.diagonal(shared)
        expected = self.share / (1 - self.share) * (shared.sum(axis=1) - own)
        deviation = self.noise * np.sqrt(self.share * np.maximum(own, 0.0))
        excess = self.products.overlap(*rows) - expected
        significance: NDArray[np.float64] = np.divide(
            excess, deviation, out=np.zeros_like(excess), where=deviation > 0
        )
        return significance


def _whitened(factor: NDArray[np.float64], side: Side) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a factor as rows times the root of the weights, and that root."""
    root = np.sqrt(side.engine.to_host(side.weights).astype(np.float64)).reshape(-1)
    return factor.reshape(len(factor), -1) * root, root


def _second(
    maps: NDArray[np.float64], patterns: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the second singular direction of ``maps' patterns`` (two rows each); the map holds its size."""
    (q, r), (p, s) = np.linalg.qr(maps.T), np.linalg.qr(patterns.T)
    left, values, right = np.linalg.svd(r @ s.T)
    return q @ left[:, 1] * values[1], p @ right[1]
