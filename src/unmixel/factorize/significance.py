"""How strongly each component shows in counts that no fit has seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.factorize.contracts import Array, DataProducts
from unmixel.factorize.draft import Draft
from unmixel.factorize.problem import Problem


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
