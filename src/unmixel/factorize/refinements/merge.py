"""Two components that are one: in one place, and nothing sets them apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.factorize.draft import Draft


@dataclass(frozen=True)
class Merge:
    """Joins components in one place that are one thing in two pieces; the weaker is added to the stronger.

    Where electrons are set aside (`Prune` asks for it), they decide: the sum of two components has two directions, and
    if the second does not show in these electrons, one component says as much as two. A cosine cannot tell pieces of
    a weak crystal, whose patterns are noisy, from two crystals in nearly one orientation. It decides where the data
    are no counts.

    Parameters
    ----------
    cosine : float, in (0, 1]
        Of the weighted patterns, at least, where no electrons are set aside.
    overlap : float, in [0, 1]
        Cosine of the maps, at least.
    apart : float, >= 0
        Standard deviations by which electrons set aside must show that two components are two.

    References
    ----------
    Merging by spectral cosine: Shiga et al., Ultramicroscopy 170, 43 (2016). By held-out electrons: this project's own.

    Examples
    --------
    >>> Merge().cosine
    0.85
    """

    cosine: float = 0.85
    overlap: float = 0.25
    apart: float = 3.5
    name: ClassVar[str] = "merge"

    def __post_init__(self) -> None:
        if not (0 < self.cosine <= 1 and 0 <= self.overlap <= 1 and self.apart >= 0):
            raise InputError(
                "Merge",
                expected="cosine in (0, 1], overlap in [0, 1] and apart >= 0",
                got=f"{self.cosine}, {self.overlap}, {self.apart}",
                hint="use the defaults, 0.85, 0.25 and 3.5",
            )

    def refine(self, draft: Draft) -> tuple[Draft, dict[str, Any]]:
        """Return the draft with pieces joined, and their numbers."""
        first, k = draft.spared, draft.n_components
        made = self._made(draft)
        groups = {i: np.flatnonzero(made[i]).tolist() for i in range(first, k) if made[i].any()}
        one = self._one(draft, groups)
        sizes, maps, kept = draft.unit[2], list(draft.z_maps), set(range(k))
        for i in sorted(groups, key=lambda i: sizes[i]):
            if one[i] and kept.issuperset(groups[i]):
                kept.discard(i)
                for j in groups[i]:
                    maps[j] = maps[j] + maps[i] * float(made[i, j])
        told = {"before": k, "after": len(kept)}
        rest = sorted(range(first), key=int) + sorted(kept - set(range(first)), key=lambda i: -sizes[i])
        return draft.of([maps[i] for i in rest], [draft.z_patterns[i] for i in rest], rest), told

    def _made(self, draft: Draft) -> NDArray[np.float64]:
        from scipy.optimize import nnls
        first, unit_maps = draft.spared, draft.unit[0]
        near = unit_maps @ unit_maps.T >= self.overlap
        near[:first] = near[:, :first] = False
        np.fill_diagonal(near, False)
        made = np.zeros(near.shape)
        for i in range(first, draft.n_components):
            others = np.flatnonzero(near[i])
            if others.size:
                made[i, others] = nnls(draft.own[others].T, draft.own[i])[0]
        return made

    def _one(self, draft, groups):
        if not groups: return {}
        scores = draft.evidence.apart(draft, [[i, *g] for i, g in groups.items()])
        return {i: s < self.apart for i, s in zip(groups, scores)}
