"""Counts that are multiplied as they are, zeros and all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from unmixel.factorize.contracts import Array
from unmixel.factorize.losses.tiles import TILE

MIN_ROWS = 8
"""Fewest rows in a tile, however long they are: products of fewer are slow."""


def on_gpu(engine: Any) -> bool:
    """Return whether an engine computes on a GPU."""
    return bool(getattr(engine, "on_gpu", False))


@dataclass(frozen=True, eq=False)
class DenseTile:
    """Positions with all their pixels."""

    counts: Array
    patterns: Array
    xp: Any

    def part(self, rows: Array) -> DenseTile:
        """Return the tile of some of its rows."""
        return DenseTile(self.counts[rows, :], self.patterns, self.xp)

    def model(self, rows: Array) -> Array:
        """Return the model at all pixels."""
        return rows @ self.patterns.T

    def back(self, ratio: Array) -> Array:
        """Return the products of the ratios with the patterns."""
        return ratio @ self.patterns

    def bend(self, weights: Array) -> Array:
        """Return the weighted Gram matrices of the patterns, a row at a time: together they would be large."""
        columns = self.patterns.T
        grams = [(columns * weights[b, :]) @ self.patterns for b in range(weights.shape[0])]
        return self.xp.stack(grams)


@dataclass(eq=False)
class DenseTiles:
    """The tiles of a block of counts; integers are cast and weighted a few rows at a time.

    Parameters
    ----------
    values : array, shape (b, m)
    multiplicity : array, shape (b,)
        Weights of the positions.
    pixels : array, shape (m,)
        Weights of the pixels.
    patterns : array, shape (m, k)
    engine : Engine
    """

    values: Array
    multiplicity: Array
    pixels: Array
    patterns: Array
    engine: Any
    _spread: Any = field(default=None, init=False, repr=False)

    def __iter__(self) -> Iterator[tuple[slice, Array, DenseTile]]:
        """Yield rows, their data and their tile."""
        engine, dtype = self.engine, self.patterns.dtype
        n_rows, n_pixels = self.values.shape
        step = max(1, n_rows if on_gpu(engine) else max(MIN_ROWS, TILE // max(1, n_pixels)))
        for start in range(0, n_rows, step):
            rows = slice(start, min(start + step, n_rows))
            x = engine.xp.astype(engine.asarray(self.values[rows, :]), dtype)
            counts = x * self.pixels * self.multiplicity[rows][:, None]
            yield rows, x, DenseTile(counts, self.patterns, engine.xp)

    def add(self, rows: slice, ratio: Array, maps: Array) -> None:
        """Take in the ratios of a tile and its maps."""
        part = ratio.T @ maps
        self._spread = part if self._spread is None else self._spread + part

    def spread(self) -> Array:
        """Return what the patterns get."""
        return self._spread
