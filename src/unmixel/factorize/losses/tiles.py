"""Counts as expectation maximisation asks for them: tiles of positions that stay in fast memory, and a way back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from unmixel.factorize.contracts import Array

TILE = 320_000
"""Numbers of a tile's largest array: about a core's second-level cache (a quarter of it takes a sixth longer)."""

FINITE = np.errstate(invalid="ignore")
"""A product of small arrays may read beyond their end, and numpy then warns of what is there (seen: 91 x 5)."""


class Tile(Protocol):
    """Some positions with their weighted counts."""

    @property
    def counts(self) -> Array:
        """Return ``r_i w_j x_ij``, shape (b, c): of sparse counts only those that are not zero."""
        ...

    def part(self, rows: Array) -> Tile:
        """Return the tile of some of its rows."""
        ...

    def model(self, rows: Array) -> Array:
        """Return the model of maps `rows`, shape (b, k), at the tile's entries: shape (b, c)."""
        ...

    def back(self, ratio: Array) -> Array:
        """Return ``sum_j ratio_bj patterns_jk``, shape (b, k)."""
        ...

    def bend(self, weights: Array) -> Array:
        """Return ``sum_j weights_bj patterns_jk patterns_jl``, shape (b, k, k)."""
        ...


class Tiles(Protocol):
    """The tiles of one block, and what the patterns get from them."""

    def __iter__(self) -> Iterator[tuple[slice, Array, Tile]]:
        """Yield rows of the block, their data (b, c) without weights, and the tile of these rows."""
        ...

    def add(self, rows: slice, ratio: Array, maps: Array) -> None:
        """Take in the ratios (b, c) of a tile and its new maps (b, k)."""
        ...

    def spread(self) -> Array:
        """Return ``sum_i ratio_ij maps_ik`` over all tiles, shape (m, k)."""
        ...


@dataclass(frozen=True, eq=False)
class Turned:
    """What was done with a tile.

    Parameters
    ----------
    rows : array, shape (b, k)
        Its maps.
    ratio : array, shape (b, c)
        Counts over model at these maps.
    before, after : array, shape ()
        ``sum_bc counts log(model)`` at the maps that came and at these.
    back : array, shape (b, k), optional
        The ratios multiplied by the patterns.
    """

    rows: Array
    ratio: Array
    before: Array
    after: Array
    back: Array | None = None


class Turn(Protocol):
    """What is done with each tile of a pass; a frozen dataclass of small arrays that may be sent to another process.

    Attributes
    ----------
    moves : bool
        Whether maps may change.
    coupled : bool
        Whether it gives what positions need that move together: `Turned.back`.
    """

    moves: ClassVar[bool]
    coupled: ClassVar[bool]

    def __call__(self, xp: Any, tile: Tile, rows: Array, along: tuple[Array, Array]) -> Turned:
        """Return what is done with a tile.

        Parameters
        ----------
        xp : module
            Array-API namespace.
        tile : Tile
        rows : array, shape (b, k)
            Its maps.
        along : (array, array), shape (b,)
            Multiplicity and weight of its positions.
        """
        ...
