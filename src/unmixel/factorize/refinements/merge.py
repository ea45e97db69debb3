"""Two components that are one: same pattern, same place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unmixel.core.errors import InputError
from unmixel.factorize.draft import Draft


@dataclass(frozen=True)
class Merge:
    """Joins components whose patterns are alike and whose maps overlap; the weaker is added to the stronger.

    Parameters
    ----------
    cosine : float, in (0, 1]
        Of the weighted patterns, at least.
    overlap : float, in [0, 1]
        Cosine of the maps, at least.

    References
    ----------
    Merging by spectral cosine: Shiga et al., Ultramicroscopy 170, 43 (2016).

    Examples
    --------
    >>> Merge().cosine
    0.85
    """

    cosine: float = 0.85
    overlap: float = 0.25
    name: ClassVar[str] = "merge"

    def __post_init__(self) -> None:
        if not (0 < self.cosine <= 1 and 0 <= self.overlap <= 1):
            raise InputError(
                "Merge",
                expected="cosine in (0, 1] and overlap in [0, 1]",
                got=f"{self.cosine}, {self.overlap}",
                hint="use the defaults, 0.85 and 0.25",
            )

    def refine(self, draft: Draft) -> tuple[Draft, dict[str, Any]]:
        """Return the draft with near-duplicates joined, and their numbers."""
        unit_maps, unit_patterns, sizes = draft.unit
        alike = (unit_patterns @ unit_patterns.T >= self.cosine) & (unit_maps @ unit_maps.T >= self.overlap)
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
