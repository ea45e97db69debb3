"""Counts as expectation maximisation asks for them: tiles of positions that stay in fast memory, and a way back.

Sparse counts are kept as compressed rows, sorted by their number of entries, so that neighbouring rows form a plain
block: gather the patterns of its entries once, and every step is two small products. Work and memory grow with the
number of entries that are not zero. Everything else is read block by block and multiplied as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.engines.base import Blocks
from unmixel.factorize.contracts import Array, Samples

TILE = 320_000
"""Numbers of a tile's largest array: about a core's second-level cache (a quarter of it takes a sixth longer)."""

CHUNK = 2**18
"""Entries that a thread works through before it gives back what it found."""

_FINITE = np.errstate(invalid="ignore")
# a product of small arrays may read beyond their end, and numpy then warns of what was there (seen: 91 x 5 numbers)

ROWS_AT_ONCE = 2**12
"""Rows that are sorted at once."""

MIN_ROWS = 8
"""Fewest rows of dense data in a tile, however long they are: products of fewer are slow."""

DENSE_SHARE = 0.25
"""Share of entries above 0 from which dense products are faster than gathered ones (measured: about a third)."""


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


def counts_of(matrix: Matrix, engine: Any, *, dtype: str, reader: Blocks, budget: int) -> Counts:
    """Return the counts of a matrix: as entries where most are zero, else as blocks.

    Parameters
    ----------
    matrix : Matrix
        With the user's weights; what has weight 0 is left out.
    engine : Engine
    dtype : str
    reader : Blocks
        Reads data that are not sparse.
    budget : int
        Bytes: entries of data that are not sparse themselves are kept where they take no more than half of it.
    """
    if hasattr(matrix.data, "tocsr"):
        return SparseCounts.of(matrix, matrix.data.tocsr(), engine, dtype)
    # a GPU multiplies so much faster than it gathers that the zeros may stay
    found = None if _on_gpu(engine) else _gathered(matrix, engine, reader, dtype, budget)
    return (
        DenseCounts(matrix, engine, dtype, reader)
        if found is None
        else SparseCounts.of(matrix, found, engine, dtype)
    )


def _on_gpu(engine: Any) -> bool:
    return bool(getattr(engine, "on_gpu", False))


def _gathered(matrix: Matrix, engine: Any, reader: Blocks, dtype: str, budget: int) -> Any | None:
    """Return the entries of dense data as compressed rows; None where they are many, or too large."""
    import scipy.sparse

    limit = budget // 2
    parts, places, held = [], [], 0
    most = DENSE_SHARE * matrix.n_positions * matrix.n_pixels
    for i in range(len(reader)):
        block = reader.load(i)
        values = engine.to_host(block.values)
        entries = int(np.count_nonzero(values))
        held += entries
        # the first block speaks for the others: no second look at data that are dense
        if entries > DENSE_SHARE * values.size or held > most or held * 12 > limit:
            return None
        parts.append(scipy.sparse.csr_matrix(values).astype(dtype))
        places.append(block.positions)
    rows, positions = scipy.sparse.vstack(parts, format="csr"), np.concatenate(places)
    return rows if np.all(np.diff(positions) > 0) else rows[np.argsort(positions)]


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

        @_FINITE
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
        step = rows if _on_gpu(self.engine) else max(MIN_ROWS, TILE // pixels)
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

        @_FINITE
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
