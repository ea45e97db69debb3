"""Known places: a component is absent wherever it was not let in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import Array, Context, SideName


@dataclass(frozen=True, eq=False)
class Support:
    """The first components of a side are made from samples of their own places alone: ``F = A M Z``, M of 0 and 1.

    Where A blurs (`Resolution`), the factor reaches beyond its place by as much as A does. Parts of the data that have
    nothing to do with a component can then not draw it towards them, however many sweeps are done: `Split` leaves its
    components so.

    Parameters
    ----------
    places : ndarray of bool, shape (p, *grid.shape) or (*grid.shape,)
        Where each may be present; components after these may be anywhere.
    side : "maps" or "patterns"
        Whether the places are of maps or of patterns.

    References
    ----------
    This project's own (docs/decisions/0033).

    Examples
    --------
    >>> Support(np.ones((8, 8), bool)).name
    'support'
    """

    places: NDArray[np.bool_]
    side: SideName = "maps"
    name: ClassVar[str] = "support"

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls((np.arange(grid.size) % 3 > 0).reshape(grid.shape))

    def bind(self, context: Context) -> BoundSupport:
        """Return the operator for one problem."""
        shape, k = context.grid.shape, context.n_components
        places = np.asarray(self.places)
        places = places.reshape(-1, *shape) if places.size % context.grid.size == 0 else places
        if not (places.dtype == bool and places.shape[1:] == shape and len(places) <= k):
            raise InputError(
                "Support",
                expected=f"at most {k} images of true and false of shape {shape}",
                got=f"an array of {places.dtype} of shape {np.shape(self.places)}",
                hint="give one image for each of the first components, on the prepared grid",
            )
        everywhere = np.ones((k - len(places), *shape), bool)
        inside = np.concatenate([places, everywhere])
        return BoundSupport(context.engine.asarray(inside, context.dtype))


@dataclass(frozen=True, eq=False)
class BoundSupport:
    """Multiplies every component by its place; its own adjoint."""

    inside: Array
    kind: ClassVar[Literal["linear"]] = "linear"
    outermost: ClassVar[int] = -1

    def forward(self, z: Array) -> Array:
        """Return z, 0 outside the places."""
        return z * self.inside

    def adjoint(self, f: Array) -> Array:
        """Return the same."""
        return f * self.inside

    def cut(self, components: slice) -> Self:
        """Return the places of some of the components."""
        return replace(self, inside=self.inside[components, ...])
