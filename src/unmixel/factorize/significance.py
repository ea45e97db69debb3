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
        factors = _factors(draft.problem, draft.z_maps, draft.z_patterns)
        seconds = [_second(*(rows[list(pair)] for rows in factors)) for pair in pairs]
        first, second = (np.array(side) for side in zip(*seconds, strict=True))
        return self._found(draft.problem, factors, (first, second), [list(pair) for pair in pairs])

    def of(self, problem: Problem, z_maps: Array, z_patterns: Array) -> NDArray[np.float64]:
        """Return the significance of every component, shape (k,)."""
        factors = _factors(problem, z_maps, z_patterns)
        return self._found(problem, factors, factors, [[k] for k in range(len(factors[0]))])

    def _found(
        self, problem: Problem, factors: Pair, wanted: Pair, without: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        """Return how strongly rank-1 directions show in the counts beyond all components but those named for each.

        Parameters
        ----------
        problem : Problem
        factors, wanted : pair of ndarray, shape (k, n) and (k, m); (l, n) and (l, m)
            Whitened maps and patterns: of the components, and of the directions.
        without : sequence of sequence of int, length l
        """
        shared = (wanted[0] @ factors[0].T) * (wanted[1] @ factors[1].T)
        for place, own in enumerate(without):
            shared[place, own] = 0.0
        sides = problem.maps, problem.patterns
        rows = (
            side.engine.asarray(np.ascontiguousarray(part * _root(side)), side.dtype)
            for side, part in zip(sides, wanted, strict=True)
        )
        excess = self.products.overlap(*rows) - self.share / (1 - self.share) * shared.sum(axis=1)
        size = np.prod([np.linalg.norm(part, axis=1) for part in wanted], axis=0)
        deviation = self.noise * np.sqrt(self.share) * size
        return np.asarray(np.divide(excess, deviation, out=np.zeros_like(excess), where=deviation > 0))


Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


def _root(side: Side) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(side.engine.to_host(side.flat(side.weights[None])).astype(np.float64)))


def _factors(problem: Problem, z_maps: Array, z_patterns: Array) -> Pair:
    """Return whitened maps (k, n) and patterns (k, m): times the roots of the weights."""
    maps, patterns = (
        side.engine.to_host(side.flat(side.factor(z))).astype(np.float64) * _root(side)
        for side, z in ((problem.maps, z_maps), (problem.patterns, z_patterns))
    )
    return maps, patterns


def _second(
    maps: NDArray[np.float64], patterns: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the second singular direction of ``maps' patterns`` (two rows each); the map holds its size."""
    (q, r), (p, s) = np.linalg.qr(maps.T), np.linalg.qr(patterns.T)
    left, values, right = np.linalg.svd(r @ s.T)
    return q @ left[:, 1] * values[1], p @ right[1]
