"""The beam current is known: maps are shares of the electrons that each position was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import Array, Context, SideName


@dataclass(frozen=True, eq=False)
class TotalIntensity:
    """Maps are ``W = diag(b) Z``: what the beam brought to each position times what the specimen makes of it.

    A flicker of the beam current multiplies all components alike and is sharper than the probe. With b in the model,
    ``Resolution`` (which is applied first: ``W = diag(b) P Z``) and ``Sparse`` speak of the specimen alone.

    Parameters
    ----------
    total : ndarray, shape of the scan, > 0 where positions are used
        Electrons per position in any unit: a measured beam current, or the sum of each pattern where the detector
        catches nearly all electrons.

    References
    ----------
    This project's own. That a fit keeps the totals themselves, see docs/reference/constraints.md.

    Examples
    --------
    >>> TotalIntensity(np.ones((3, 4))).side
    'maps'
    """

    total: NDArray[np.floating[Any]]
    side: ClassVar[SideName] = "maps"
    local: ClassVar[bool] = True
    name: ClassVar[str] = "total_intensity"

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls(1.0 + 0.2 * np.cos(np.arange(grid.size)).reshape(grid.shape))

    def bind(self, context: Context) -> BoundTotalIntensity:
        """Return the operator for one problem, the totals scaled to a mean of 1 over used positions."""
        total, used = np.asarray(self.total, np.float64), context.weights > 0
        shape = context.grid.shape
        if not (total.size == context.grid.size and np.all(np.isfinite(total)) and total.min() >= 0):
            raise InputError(
                "TotalIntensity",
                expected=f"finite numbers >= 0 for a scan of shape {shape}",
                got=f"an array of shape {total.shape}",
                hint="give one number per position of the prepared scan",
            )
        total = total.reshape(shape)
        if not used.any() or total[used].min() <= 0:
            raise InputError(
                "TotalIntensity",
                expected="more than 0 electrons at every position that is used",
                got="a total of 0",
                hint="leave such positions out of the scan, or give the beam current that was measured",
            )
        shares = context.engine.asarray((total / total[used].mean())[None], context.dtype)
        return BoundTotalIntensity(context.engine.xp, shares)


@dataclass(frozen=True, eq=False)
class BoundTotalIntensity:
    """Multiplies every component by one image; its own adjoint."""

    xp: Any
    total: Array
    kind: ClassVar[Literal["linear"]] = "linear"
    outermost: ClassVar[int] = 1

    def forward(self, z: Array) -> Array:
        """Return z times the totals."""
        return z * self.total

    def adjoint(self, f: Array) -> Array:
        """Return the same."""
        return f * self.total

    def cut(self, components: slice) -> Self:
        """Return itself: all components are treated alike."""
        return self
