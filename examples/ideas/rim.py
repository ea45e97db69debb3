"""Nothing is scattered as far as the camera's rim: the outermost pixels of every pattern are 0."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class Rim:
    """Patterns vanish within `width` pixels of the rim."""

    width: int = 1
    side: str = "patterns"
    name: ClassVar[str] = "rim"

    def bind(self, context):
        inside = np.zeros(context.grid.shape)
        inside[tuple(slice(self.width, size - self.width) for size in context.grid.shape)] = 1
        return Inside(context.engine.xp, context.engine.asarray(inside, context.dtype))


@dataclass(frozen=True, eq=False)
class Inside:
    xp: Any
    inside: Any
    kind: ClassVar[str] = "proximal"
    degree: ClassVar[int] = 0

    def prox(self, z, step):
        return z * self.inside

    def value(self, z):
        return self.xp.sum(z * 0, axis=tuple(range(1, z.ndim)))

    def violation(self, z):
        return float(self.xp.max(self.xp.abs(z - z * self.inside)))
