"""Counts as expectation maximisation asks for them: tiles of positions that stay in fast memory, and a way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from unmixel.factorize.contracts import Array, Samples

TILE = 320_000
"""Numbers of a tile's largest array: about a core's second-level cache (a quarter of it takes a sixth longer)."""

FINITE = np.errstate(invalid="ignore")
"""A product of small arrays may read beyond their end, and numpy then warns of what is there (seen: 91 x 5)."""


class Tile(Protocol):
    """Some positions with their weighted counts."""

    @property
    def positions(self) -> Samples:
        """Return the flat positions."""
        ...

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


Turn = Callable[[Tile, Array], tuple[Array, Array, Any]]
"""From a tile and its maps (b, k): new maps, the ratios that the patterns get, and anything to be told."""


class Counts(Protocol):
    """Counts that can be worked through."""

    @property
    def constant(self) -> float:
        """``sum_ij r_i w_j (x_ij log x_ij - x_ij)``."""
        ...

    def through(self, maps: Array, patterns: Array, turn: Turn) -> tuple[Array, Array, list[Any]]:
        """Return new maps, ``sum_i ratio_ij maps_ik`` and all that was told, in one pass over the counts.

        Parameters
        ----------
        maps : array, shape (n, k)
        patterns : array, shape (m, k)
        turn : callable
            Called once per tile, at the same time from several threads.

        Returns
        -------
        maps : array, shape (n, k)
        spread : array, shape (m, k)
        told : list
            In an order that does not depend on threads.
        """
        ...
