"""Counts that are read block by block and multiplied as they are, zeros and all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from unmixel.dataset.matrix import Matrix
from unmixel.engines.base import Blocks
from unmixel.factorize.contracts import Array, Samples
from unmixel.factorize.losses.tiles import FINITE, TILE, Turn

MIN_ROWS = 8
"""Fewest rows in a tile, however long they are: products of fewer are slow."""


def on_gpu(engine: Any) -> bool:
    """Return whether an engine computes on a GPU."""
    return bool(getattr(engine, "on_gpu", False))


@dataclass(frozen=True, eq=False)
class DenseTile:
    """Positions with all their pixels."""

    positions: Samples
    counts: Array
    patterns: Array
    xp: Any

    def part(self, rows: Array) -> DenseTile:
        """Return the tile of some of its rows."""
        return DenseTile(self.positions[rows], self.counts[rows, :], self.patterns, self.xp)

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


@dataclass(frozen=True, eq=False)
class DenseCounts:
    """Counts read block by block; integers are cast and weighted a few rows at a time.

    Parameters
    ----------
    matrix : Matrix
    engine : Engine
    dtype : str
    reader : Blocks
    """

    matrix: Matrix
    engine: Any
    dtype: str
    reader: Blocks
    _constants: dict[int, float] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def _weights(self) -> tuple[Array, Array]:
        positions, pixels = self.matrix.position_weights, self.matrix.pixel_weights
        return self.engine.asarray(positions, self.dtype), self.engine.asarray(pixels, self.dtype)

    @property
    def constant(self) -> float:
        """``sum r w (x log x - x)``: found in the first pass, whatever that was for."""
        for i in range(len(self.reader)):
            if i not in self._constants:
                block = self.reader.load(i)
                self._constants[i] = float(
                    sum(self._share(*self._values(block, r)) for r in self._runs(block))
                )
        return sum(self._constants[i] for i in range(len(self.reader)))

    def _runs(self, block: Any) -> Iterator[slice]:
        rows, pixels = len(block.positions), max(1, self.matrix.n_pixels)
        step = rows if on_gpu(self.engine) else max(MIN_ROWS, TILE // pixels)
        yield from (slice(start, min(start + step, rows)) for start in range(0, rows, max(1, step)))

    def _values(self, block: Any, rows: slice) -> tuple[Array, Array, Array]:
        """Return positions, data and weighted counts of some rows of a block."""
        r, w = self._weights
        positions = self.engine.asarray(block.positions[rows].astype(np.int64))
        x = self.engine.asarray(block.values[rows, :], self.dtype)
        return positions, x, x * w * r[positions][:, None]

    def _share(self, positions: Samples, x: Array, counts: Array) -> Any:
        """Return what some rows add to the constant."""
        xp = self.engine.xp
        return xp.sum(counts * (xp.log(xp.where(x > 0, x, xp.ones_like(x))) - 1), dtype=xp.float64)

    def through(self, maps: Array, patterns: Array, turn: Turn) -> tuple[Array, Array, list[Any]]:
        """Return new maps, spread ratios and what was told."""
        out = maps + 0

        @FINITE
        def on_block(i: int) -> tuple[Array, list[Any]]:
            block = self.reader.load(i)
            spread, told, constant = None, [], 0.0
            for rows in self._runs(block):
                positions, x, counts = self._values(block, rows)
                if i not in self._constants:
                    constant = constant + self._share(positions, x, counts)
                tile = DenseTile(positions, counts, patterns, self.engine.xp)
                new, ratio, tell = turn(tile, out[positions])
                out[positions] = new
                part = ratio.T @ new
                spread = part if spread is None else spread + part
                told.append(tell)
            self._constants.setdefault(i, float(constant))
            return spread, told

        total, all_told = self.engine.zeros(patterns.shape, self.dtype), []
        for part, told in self.engine.each(on_block, range(len(self.reader))):
            total = total + part
            all_told += told
        return out, total, all_told
