"""Patterns of positions are patterns already: begin from those of positions drawn by chance."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Drawn:
    """Patterns of drawn positions, maps that are nearly even."""

    name: ClassVar[str] = "drawn"

    def make(self, problem, *, sketch, seed):
        low, rng = sketch(), np.random.default_rng(seed)
        chosen = rng.choice(len(low.left), problem.n_components)
        rows = np.maximum((low.left[chosen] * low.values) @ low.right, 0)
        rows += 0.01 * rows.mean()
        maps = rng.uniform(0.5, 1.0, (problem.n_components, problem.maps.grid.size))
        made = []
        for side, values in ((problem.maps, maps), (problem.patterns, rows)):
            z = side.fold(side.engine.asarray(values, side.dtype))
            made.append(side.project(side.xp.where(side.majoriser > 0, z, side.xp.zeros_like(z))))
        return tuple(made)
