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
        sizes, alike = draft.unit[2], self._alike(draft)
        norms = np.linalg.norm(draft.patterns.reshape(draft.n_components, -1), axis=1)
        kept = list(range(draft.spared))
        maps = list(draft.z_maps)
        for i in sorted(range(draft.spared, draft.n_components), key=lambda i: -sizes[i]):
            into = next((j for j in kept[draft.spared :] if alike[i, j]), None)
            if into is None or not norms[into] > 0:
                kept.append(i)
            else:
                maps[into] = maps[into] + maps[i] * float(norms[i] / norms[into])
        told = {"before": draft.n_components, "after": len(kept)}
        return draft.of([maps[i] for i in kept], [draft.z_patterns[i] for i in kept], kept), told

    def _alike(self, draft: Draft) -> NDArray[np.bool_]:
        """Return which components beyond the spared ones are one thing, shape (k, k)."""
        unit_maps, unit_patterns, _ = draft.unit
        near = unit_maps @ unit_maps.T >= self.overlap
        if draft.evidence is None:
            return np.asarray(near & (unit_patterns @ unit_patterns.T >= self.cosine))
        near[: draft.spared] = False
        pairs = np.argwhere(np.triu(near, 1))
        alike = np.zeros_like(near)
        one = pairs[draft.evidence.apart(draft, [(int(i), int(j)) for i, j in pairs]) < self.apart]
        alike[one[:, 0], one[:, 1]] = alike[one[:, 1], one[:, 0]] = True
        return alike
