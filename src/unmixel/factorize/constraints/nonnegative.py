"""No value below zero: counts have no sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from unmixel.dataset.bibliography import papers
from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import Array, Context, SideName


@dataclass(frozen=True)
class NonNegative:
    """The free variable of a side has no negative value (and, as all operators are non-negative, the factor).

    Parameters
    ----------
    side : "maps" or "patterns"
        Whose free variable it is.

    References
    ----------
    Lee & Seung, Nature 401, 788 (1999).

    Examples
    --------
    >>> NonNegative("maps").side
    'maps'
    """

    side: SideName = "maps"
    name: ClassVar[str] = "nonnegative"
    references: ClassVar = papers("lee1999")

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls()

    def bind(self, context: Context) -> BoundNonNegative:
        """Return the projection for one problem."""
        return BoundNonNegative(context.engine.xp)


@dataclass(frozen=True)
class BoundNonNegative:
    """Projection on the non-negative orthant."""

    xp: Any
    kind: ClassVar[Literal["proximal"]] = "proximal"
    uniform: ClassVar[bool] = True
    degree: ClassVar[int] = 0

    def prox(self, z: Array, step: Array) -> Array:
        """Return z with negative values set to 0."""
        # a row: numpy takes the larger of an array and a single number at half the pace
        return self.xp.maximum(z, self.xp.zeros(z.shape[1:], dtype=z.dtype, device=z.device))

    def cut(self, components: slice) -> Self:
        """Return itself: all components are treated alike."""
        return self

    def value(self, z: Array) -> Array:
        """Return 0 per component."""
        return self.xp.zeros_like(z[(slice(None), *(0,) * (z.ndim - 1))])

    def violation(self, z: Array) -> float:
        """Return the size of the most negative value."""
        return max(0.0, -float(self.xp.min(z)))
