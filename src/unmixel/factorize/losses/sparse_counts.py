"""Sparse counts: work and memory grow with the number of entries that are not zero.

Compressed rows are sorted by their number of entries, so that neighbouring ones form a plain block: gather the
patterns of its entries once, and every step is two small products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.engines.blocks import Block
from unmixel.factorize.contracts import Array
from unmixel.factorize.losses.tiles import TILE

CHUNK = 2**18
"""Entries of a block: what a thread works through before it gives back what it found."""

ROWS_AT_ONCE = 2**12
"""Rows that are sorted at once."""


@dataclass(frozen=True, eq=False)
class Entries:
    """Some rows with their entries that are not zero.

    Parameters
    ----------
    starts : ndarray of int, shape (b + 1,)
        Where the entries of each row begin.
    pixels : ndarray of int, shape (e,)
    counts : ndarray, shape (e,)
        Without weights.
    n_pixels : int
    """

    starts: NDArray[np.int64]
    pixels: NDArray[np.integer[Any]]
    counts: NDArray[Any]
    n_pixels: int


@dataclass(frozen=True, eq=False)
class SparseRows:
    """All entries of some positions, rows sorted by their number of entries; blocks of about as many entries each.

    Parameters
    ----------
    order : ndarray of int, shape (n,)
        Position of each row.
    starts : ndarray of int, shape (n + 1,)
        Where the entries of each row begin.
    pixels : ndarray of int, shape (e,)
    counts : ndarray, shape (e,)
        Without weights.
    n_pixels : int
    """

    order: NDArray[np.intp]
    starts: NDArray[np.int64]
    pixels: NDArray[np.integer[Any]]
    counts: NDArray[Any]
    n_pixels: int
    kept_as: ClassVar[str] = "all entries that are not zero"

    @classmethod
    def of(cls, csr: Any, used: NDArray[np.bool_], dtype: str) -> SparseRows:
        """Return the entries of compressed rows; those of pixels that are not used, or of count 0, are dropped."""
        if not csr.has_canonical_format:
            csr = csr.copy()  # the same entry twice is their sum
            csr.sum_duplicates()
        wanted = (csr.data > 0) & used[csr.indices]
        lengths = np.diff(np.concatenate([[0], np.cumsum(wanted)])[csr.indptr])
        order = np.argsort(lengths, kind="stable")
        starts = np.concatenate([[0], np.cumsum(lengths[order])])
        pixels, counts = np.empty(starts[-1], csr.indices.dtype), np.empty(starts[-1], dtype)
        # some rows at a time: a few copies of all entries would be most of the memory
        for first in range(0, len(order), ROWS_AT_ONCE):
            rows = order[first : first + ROWS_AT_ONCE]
            part = csr[rows]
            keep = (part.data > 0) & used[part.indices]
            here = slice(starts[first], starts[first + len(rows)])
            pixels[here], counts[here] = part.indices[keep], part.data[keep]
        return cls(order, starts, pixels, counts, len(used))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(self.order.nbytes + self.starts.nbytes + self.pixels.nbytes + self.counts.nbytes)

    @property
    def n_positions(self) -> int:
        """Number of positions in all blocks."""
        return len(self.order)

    @cached_property
    def _blocks(self) -> list[slice]:
        """Runs of rows of about `CHUNK` entries each (more where patterns are larger than that)."""
        size = max(CHUNK, self.n_pixels)
        cuts = np.searchsorted(self.starts, np.arange(size, self.starts[-1], size))
        return [slice(a, b) for a, b in pairwise(np.unique([0, *cuts.tolist(), len(self.order)]).tolist())]

    def __len__(self) -> int:
        """Return the number of blocks."""
        return len(self._blocks)

    def load(self, i: int) -> Block:
        """Return block `i`, its values as `Entries`."""
        rows = self._blocks[i]
        starts = self.starts[rows.start : rows.stop + 1]
        entries = slice(int(starts[0]), int(starts[-1]))
        values: Any = Entries(starts - starts[0], self.pixels[entries], self.counts[entries], self.n_pixels)
        return Block(self.order[rows], values)


@dataclass(frozen=True, eq=False)
class SparseTile:
    """Positions with the same number of entries, and the patterns gathered at them, shape (b, c, k)."""

    counts: Array
    gathered: Array

    def part(self, rows: Array) -> SparseTile:
        """Return the tile of some of its rows."""
        return SparseTile(self.counts[rows, :], self.gathered[rows, ...])

    def model(self, rows: Array) -> Array:
        """Return the model at the entries."""
        return (self.gathered @ rows[:, :, None])[:, :, 0]

    def back(self, ratio: Array) -> Array:
        """Return the products of the ratios with the patterns."""
        return (ratio[:, None, :] @ self.gathered)[:, 0, :]

    def bend(self, weights: Array) -> Array:
        """Return the weighted Gram matrices of the patterns."""
        return (self.gathered * weights[:, :, None]).mT @ self.gathered


@dataclass(eq=False)
class SparseTiles:
    """The tiles of a block of entries: rows with the same number of them.

    Parameters
    ----------
    entries : Entries
    multiplicity : array, shape (b,)
        Weights of the positions.
    pixels : array, shape (m,), or None
        Weights of the pixels; None where those that are used weigh 1.
    patterns : array, shape (m, k)
    engine : Engine
    """

    entries: Entries
    multiplicity: Array
    pixels: Array | None
    patterns: Array
    engine: Any
    _ratios: NDArray[Any] = field(init=False, repr=False)
    _maps: NDArray[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        entries, width = self.entries, self.patterns.shape[1]
        self._ratios = np.empty(len(entries.counts), entries.counts.dtype)
        self._maps = np.empty((len(entries.starts) - 1, width), entries.counts.dtype)

    def _runs(self) -> list[slice]:
        """Return runs of rows with the same number of entries that fit a tile."""
        starts, width = self.entries.starts, self.patterns.shape[1]
        lengths = np.diff(starts)
        edges = np.flatnonzero(np.diff(lengths, prepend=-1, append=-1))
        runs = []
        for a, b in pairwise(edges.tolist()):
            step = max(1, TILE // (width * max(1, int(lengths[a]))))
            runs += [slice(start, min(start + step, b)) for start in range(a, b, step)]
        return runs

    def __iter__(self) -> Iterator[tuple[slice, Array, SparseTile]]:
        """Yield rows, their data and their tile; the patterns of each are gathered into the same memory."""
        runs, starts, width = self._runs(), self.entries.starts, self.patterns.shape[1]
        most = max((int(starts[run.stop] - starts[run.start]) for run in runs), default=0)
        space = np.empty((most, width), self.entries.counts.dtype)
        for run in runs:
            yield run, *self._tile(run, space)

    def _tile(self, rows: slice, space: NDArray[Any]) -> tuple[Array, SparseTile]:
        """Return the data of some rows and their tile; numpy gathers into `space`."""
        entries, engine, xp = self.entries, self.engine, self.engine.xp
        a, b = int(entries.starts[rows.start]), int(entries.starts[rows.stop])
        n_rows = rows.stop - rows.start
        shape = n_rows, (b - a) // n_rows
        if isinstance(self.patterns, np.ndarray):
            # memory that is new in every tile would cost more than what is written to it
            gathered = np.take(self.patterns, entries.pixels[a:b], axis=0, out=space[: b - a], mode="clip")
        else:
            gathered = xp.take(self.patterns, engine.asarray(entries.pixels[a:b]), axis=0)
        x = engine.asarray(entries.counts[a:b].reshape(shape))
        counts = x * self.multiplicity[rows][:, None]
        if self.pixels is not None:
            weights = xp.take(self.pixels, engine.asarray(entries.pixels[a:b]), axis=0)
            counts = counts * xp.reshape(weights, shape)
        return x, SparseTile(counts, xp.reshape(gathered, (*shape, self.patterns.shape[1])))

    def add(self, rows: slice, ratio: Array, maps: Array) -> None:
        """Take in the ratios of a tile and its maps."""
        starts = self.entries.starts
        self._maps[rows] = self.engine.to_host(maps)
        self._ratios[starts[rows.start] : starts[rows.stop]] = self.engine.to_host(ratio).reshape(-1)

    def spread(self) -> Array:
        """Return what the patterns get."""
        import scipy.sparse

        entries = self.entries
        bounds, shape = entries.starts.astype(entries.pixels.dtype), (len(self._maps), entries.n_pixels)
        ratios = scipy.sparse.csr_matrix((self._ratios, entries.pixels, bounds), shape=shape)
        return self.engine.asarray(ratios.T @ self._maps)
