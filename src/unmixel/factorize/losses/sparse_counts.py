"""Sparse counts: work and memory grow with the number of entries that are not zero.

Compressed rows are sorted by their number of entries, so that neighbouring ones form a plain block: gather the
patterns of its entries once, and every step is two small products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.factorize.contracts import Array, Samples
from unmixel.factorize.losses.tiles import FINITE, TILE, Turn

CHUNK = 2**18
"""Entries that a thread works through before it gives back what it found."""

ROWS_AT_ONCE = 2**12
"""Rows that are sorted at once."""


@dataclass(frozen=True, eq=False)
class SparseTile:
    """Positions with the same number of entries, and the patterns gathered at them, shape (b, c, k)."""

    positions: Samples
    counts: Array
    gathered: Array

    def part(self, rows: Array) -> SparseTile:
        """Return the tile of some of its rows."""
        return SparseTile(self.positions[rows], self.counts[rows, :], self.gathered[rows, ...])

    def model(self, rows: Array) -> Array:
        """Return the model at the entries."""
        return (self.gathered @ rows[:, :, None])[:, :, 0]

    def back(self, ratio: Array) -> Array:
        """Return the products of the ratios with the patterns."""
        return (ratio[:, None, :] @ self.gathered)[:, 0, :]

    def bend(self, weights: Array) -> Array:
        """Return the weighted Gram matrices of the patterns."""
        return (self.gathered * weights[:, :, None]).mT @ self.gathered


@dataclass(frozen=True, eq=False)
class SparseCounts:
    """Weighted counts as compressed rows, rows sorted by their number of entries.

    Parameters
    ----------
    order : ndarray of int, shape (n,)
        Position of each row.
    starts : ndarray of int, shape (n + 1,)
        Where the entries of each row begin.
    pixels : ndarray of int, shape (e,)
    counts : ndarray, shape (e,)
    n_pixels : int
    engine : Engine
    constant : float
    """

    order: NDArray[np.intp]
    starts: NDArray[np.int64]
    pixels: NDArray[np.integer[Any]]
    counts: NDArray[Any]
    n_pixels: int
    engine: Any
    constant: float

    @classmethod
    def of(cls, matrix: Matrix, csr: Any, engine: Any, dtype: str) -> SparseCounts:
        """Return the weighted entries of compressed rows; those of weight 0 or count 0 are dropped."""
        r, w = matrix.position_weights, matrix.pixel_weights
        if not csr.has_canonical_format:
            csr = csr.copy()  # the same entry twice is their sum
            csr.sum_duplicates()
        used = (csr.data > 0) & (w > 0)[csr.indices]
        lengths = np.where(r > 0, np.diff(np.concatenate([[0], np.cumsum(used)])[csr.indptr]), 0)
        order = np.argsort(lengths, kind="stable")
        starts = np.concatenate([[0], np.cumsum(lengths[order])])
        pixels, counts = np.empty(starts[-1], csr.indices.dtype), np.empty(starts[-1], dtype)
        constant = 0.0
        # some rows at a time: a few copies of all entries would be most of the memory
        for first in range(0, len(order), ROWS_AT_ONCE):
            rows = order[first : first + ROWS_AT_ONCE]
            part = csr[rows]
            weights = np.repeat(r[rows], np.diff(part.indptr)) * w[part.indices]
            keep = (part.data > 0) & (w[part.indices] > 0) & np.repeat(r[rows] > 0, np.diff(part.indptr))
            x, weights = part.data[keep].astype(np.float64), weights[keep]
            here = slice(starts[first], starts[first + len(rows)])
            pixels[here], counts[here] = part.indices[keep], x * weights
            constant += float(weights @ (x * np.log(x) - x))
        return cls(order, starts, pixels, counts, matrix.n_pixels, engine, constant)

    def _chunks(self) -> list[slice]:
        """Return runs of rows of about `CHUNK` entries each (more where patterns are larger than that)."""
        size = max(CHUNK, self.n_pixels)
        cuts = np.searchsorted(self.starts, np.arange(size, self.starts[-1], size))
        return [slice(a, b) for a, b in pairwise(np.unique([0, *cuts.tolist(), len(self.order)]).tolist())]

    def _tiles(self, rows: slice, n_components: int) -> Iterator[slice]:
        """Yield runs of rows with the same number of entries that fit a tile."""
        lengths = np.diff(self.starts[rows.start : rows.stop + 1])
        edges = np.flatnonzero(np.diff(lengths, prepend=-1, append=-1))
        for a, b in pairwise(edges.tolist()):
            step = max(1, TILE // (n_components * max(1, int(lengths[a]))))
            for start in range(a, b, step):
                yield slice(rows.start + start, rows.start + min(start + step, b))

    def _tile(self, rows: slice, patterns: Array, space: Array) -> SparseTile:
        """Return a run of rows with the same number of entries as a tile; numpy gathers into `space`."""
        engine, xp = self.engine, self.engine.xp
        a, b, n_rows = int(self.starts[rows.start]), int(self.starts[rows.stop]), rows.stop - rows.start
        shape = n_rows, (b - a) // n_rows
        if isinstance(patterns, np.ndarray):
            # memory that is new in every tile would cost more than what is written to it
            gathered = np.take(patterns, self.pixels[a:b], axis=0, out=space[: b - a], mode="clip")
        else:
            gathered = xp.take(patterns, engine.asarray(self.pixels[a:b]), axis=0)
        return SparseTile(
            engine.asarray(self.order[rows]),
            engine.asarray(self.counts[a:b].reshape(shape)),
            xp.reshape(gathered, (*shape, patterns.shape[1])),
        )

    def through(self, maps: Array, patterns: Array, turn: Turn) -> tuple[Array, Array, list[Any]]:
        """Return new maps, spread ratios and what was told."""
        import scipy.sparse

        engine = self.engine
        out = maps + 0

        @FINITE
        def on_chunk(rows: slice) -> tuple[NDArray[Any], list[Any]]:
            first, last = int(self.starts[rows.start]), int(self.starts[rows.stop])
            ratios = np.empty(last - first, self.counts.dtype)
            weights = np.empty((rows.stop - rows.start, patterns.shape[1]), self.counts.dtype)
            told = []
            runs = list(self._tiles(rows, patterns.shape[1]))
            most = max(int(self.starts[run.stop] - self.starts[run.start]) for run in runs)
            space = np.empty((most, patterns.shape[1]), self.counts.dtype)
            for run in runs:
                tile = self._tile(run, patterns, space)
                new, ratio, tell = turn(tile, out[tile.positions])
                out[tile.positions] = new
                weights[run.start - rows.start : run.stop - rows.start] = engine.to_host(new)
                entries = slice(int(self.starts[run.start]) - first, int(self.starts[run.stop]) - first)
                ratios[entries] = engine.to_host(ratio).reshape(-1)
                told.append(tell)
            bounds = (self.starts[rows.start : rows.stop + 1] - first).astype(self.pixels.dtype)
            shape = rows.stop - rows.start, self.n_pixels
            spread = scipy.sparse.csr_matrix((ratios, self.pixels[first:last], bounds), shape=shape)
            return spread.T @ weights, told

        total, all_told = np.zeros(patterns.shape, self.counts.dtype), []
        for part, told in engine.each(on_chunk, self._chunks()):
            total += part
            all_told += told
        return out, engine.asarray(total, str(total.dtype)), all_told
