"""Two things in one component: each map is cut where what it stands for differs most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.factorize.draft import Draft

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Divide:
    """Proposes two components for each: its map is cut along the second direction of the data that it stands for.

    What a component stands for is the sketch without all other components, in the region of its map. One pattern
    leaves nothing there but noise; two crystals that touch leave a direction that is positive in one and
    negative in the other. Both parts begin with the shared pattern. A proposal is not a finding: `Merge` joins again
    what electrons set aside do not tell apart.

    Parameters
    ----------
    level : float, in (0, 1)
        The region exceeds this share of the map's maximum.
    least : int, >= 1
        Positions of a part; with less a component stays whole.

    References
    ----------
    This project's own.

    Examples
    --------
    >>> Divide(least=6).name
    'divide'
    """

    level: float = 0.15
    least: int = 8
    name: ClassVar[str] = "divide"

    def __post_init__(self) -> None:
        if not (0 < self.level < 1 and self.least >= 1):
            raise InputError(
                "Divide",
                expected="level in (0, 1) and least >= 1",
                got=f"{self.level}, {self.least}",
                hint="use the defaults, 0.15 and 8",
            )

    def refine(self, draft: Draft) -> tuple[Draft, dict[str, Any]]:
        """Return the draft with two components where one was, and their numbers."""
        engine, dtype = draft.problem.maps.engine, draft.problem.maps.dtype
        maps, patterns = list(draft.z_maps), list(draft.z_patterns)
        for k in range(draft.spared, draft.n_components):
            first = self._first(draft, k)
            if first is None:
                continue
            maps.append(maps[k] * engine.asarray(~first, dtype))
            patterns.append(patterns[k])
            maps[k] = maps[k] * engine.asarray(first, dtype)
        return draft.of(maps, patterns), {"before": draft.n_components, "after": len(maps)}

    def _first(self, draft: Draft, k: int) -> NDArray[np.bool_] | None:
        """Return where the first part of a component lies, shape scan_shape; None where it stays whole."""
        from scipy import ndimage

        image = draft.maps[k]
        inside = image > self.level * image.max()
        if np.count_nonzero(inside) < 2 * self.least:
            return None
        _, values, right = np.linalg.svd(draft.left_of(k, inside.reshape(-1)), full_matrices=False)
        if len(values) < 2:
            return None
        towards = np.zeros(image.shape)
        towards[inside] = draft.left_of(k, inside.reshape(-1)) @ right[1]
        towards = ndimage.gaussian_filter(towards, 1.0)
        first = towards > 0
        parts = np.count_nonzero(first & inside), np.count_nonzero(~first & inside)
        return np.asarray(first) if min(parts) >= self.least else None
