"""Pixels of a pattern that noise explains as well are 0: a soft threshold on patterns, tied to the noise."""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class QuietPatterns:
    """L1 on the free variable of the patterns, in standard deviations of its gradient's noise."""

    weight: float = 1.0
    side: str = "patterns"
    name: ClassVar[str] = "quiet_patterns"

    def bind(self, context):
        return Threshold(context.engine.xp, self.weight * context.noise() * context.gain)


@dataclass(frozen=True)
class Threshold:
    xp: Any
    weight: float
    kind: ClassVar[str] = "proximal"
    degree: ClassVar[int] = 1

    def prox(self, z, step):
        threshold = step * self.weight + 0 * z
        return z - self.xp.minimum(self.xp.maximum(z, -threshold), threshold)

    def value(self, z):
        return self.weight * self.xp.sum(self.xp.abs(z), axis=tuple(range(1, z.ndim)))

    def violation(self, z):
        return 0.0
