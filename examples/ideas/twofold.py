"""Friedel's law: a pattern looks the same after half a turn about the middle of the detector."""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Twofold:
    """Patterns are the mean of a free pattern and its half turn, so that each pair of pixels shares its electrons."""

    side: str = "patterns"
    name: ClassVar[str] = "twofold"

    def bind(self, context):
        return Turned(context.engine.xp, tuple(range(1, 1 + len(context.grid.shape))))


@dataclass(frozen=True)
class Turned:
    xp: Any
    axes: tuple[int, ...]
    kind: ClassVar[str] = "linear"

    def forward(self, z):
        return (z + self.xp.flip(z, axis=self.axes)) / 2

    def adjoint(self, f):  # it is its own adjoint
        return self.forward(f)
