"""A constraint from outside the project: nothing at the rim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from unmixel.core.errors import InputError
from unmixel.factorize.contracts import Array, Context, SideName


@dataclass(frozen=True)
class Frame:
    """The outermost samples of a factor are zero: no pattern reaches the camera's rim.

    Parameters
    ----------
    width : int, >= 0
        Samples at each end of each axis.
    side : "maps" or "patterns"

    Examples
    --------
    >>> Frame(2).side
    'patterns'
    """

    width: int = 1
    side: SideName = "patterns"
    name: ClassVar[str] = "frame"

    def __post_init__(self) -> None:
        if self.width < 0:
            raise InputError("Frame", expected="width >= 0", got=str(self.width), hint="use 1")

    def bind(self, context: Context) -> BoundFrame:
        """Return the projection for one problem."""
        shape = context.grid.shape
        if min(shape) <= 2 * self.width:
            raise InputError("Frame", expected=f"more than {2 * self.width} samples", got=f"{shape}")
        inside = np.zeros(shape)
        inside[tuple(slice(self.width, size - self.width) for size in shape)] = 1
        return BoundFrame(context.engine.xp, context.engine.asarray(inside, context.dtype))


@dataclass(frozen=True, eq=False)
class BoundFrame:
    """Projection on the factors that vanish outside `inside`."""

    xp: Any
    inside: Array
    kind: ClassVar[Literal["proximal"]] = "proximal"
    degree: ClassVar[int] = 0

    def prox(self, z: Array, step: Array) -> Array:
        """Return z with its rim set to zero."""
        return z * self.inside

    def value(self, z: Array) -> Array:
        """Return 0 per component: a set costs nothing inside."""
        return self.xp.sum(z * 0, axis=tuple(range(1, z.ndim)))

    def violation(self, z: Array) -> float:
        """Return the largest absolute value at the rim."""
        return float(self.xp.max(self.xp.abs(z - z * self.inside)))
