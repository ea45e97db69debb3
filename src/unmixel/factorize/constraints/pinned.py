"""Known components: the first ones are given and stay as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import Array, Context, SideName


@dataclass(frozen=True, eq=False)
class Pinned:
    """The first components of a side are fixed, only their partners are fitted.

    Parameters
    ----------
    values : ndarray, shape (p, *grid.shape) or (*grid.shape,), >= 0
        Known patterns (a matrix, the vacuum) or maps; their scale does not matter.
    side : "maps" or "patterns"
        Whether patterns or maps are known.

    Examples
    --------
    >>> Pinned(np.ones((8, 8))).name
    'pinned'
    """

    values: NDArray[np.floating[Any]]
    side: SideName = "patterns"
    name: ClassVar[str] = "pinned"

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls(np.ones(grid.shape))

    def leading(self, grid: Grid) -> int:
        """Return how many leading components are set apart."""
        return int(np.size(self.values)) // grid.size

    def bind(self, context: Context) -> BoundPinned:
        """Return the operator for one problem, the given components scaled to a weighted norm of 1."""
        shape = context.grid.shape
        values = np.asarray(self.values, np.float64)
        values = values.reshape(-1, *shape) if values.size % context.grid.size == 0 else values
        axes = tuple(range(1, values.ndim))
        norms = (
            np.sqrt((values**2 * context.weights).sum(axis=axes))
            if values.shape[1:] == shape
            else np.zeros(1)
        )
        good = (
            values.shape[1:] == shape
            and np.all(np.isfinite(values))
            and values.min() >= 0
            and norms.min() > 0
        )
        if not good or len(values) > context.n_components:
            raise InputError(
                "Pinned",
                expected=f"1 to {context.n_components} non-negative images of shape {shape}, not empty where used",
                got=f"an array of shape {np.shape(self.values)}",
                hint="give the patterns on the prepared grid and raise n_components if needed",
            )
        values = values / norms.reshape(-1, *(1,) * len(shape))
        return BoundPinned(context.engine.xp, context.engine.asarray(values, context.dtype))


@dataclass(frozen=True, eq=False)
class BoundPinned:
    """Replaces the first components by known ones."""

    xp: Any
    values: Array
    kind: ClassVar[Literal["linear"]] = "linear"
    outermost: ClassVar[int] = 2

    def forward(self, z: Array) -> Array:
        """Return z with its first components replaced."""
        return self.xp.concat([self.values, z[self.values.shape[0] :, ...]], axis=0)

    def adjoint(self, f: Array) -> Array:
        """Return f with its first components set to 0."""
        count = self.values.shape[0]
        return self.xp.concat([self.xp.zeros_like(f[:count, ...]), f[count:, ...]], axis=0)

    def cut(self, components: slice) -> Self:
        """Return what replaces the pinned ones among some of the components."""
        return replace(self, values=self.values[components, ...])
