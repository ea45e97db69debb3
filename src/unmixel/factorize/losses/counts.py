"""The counts of a matrix, pass by pass: as entries where most are zero, else as blocks; wherever an engine has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.engines.base import Blocks
from unmixel.engines.walk import Block, Found, Task
from unmixel.factorize.contracts import Array
from unmixel.factorize.losses.dense_counts import DenseTiles, on_gpu
from unmixel.factorize.losses.sparse_counts import Entries, SparseRows, SparseTiles
from unmixel.factorize.losses.tiles import FINITE, Tiles, Turn

DENSE_SHARE = 0.25
"""Share of entries above 0 from which dense products are faster than gathered ones (measured: about a third)."""

BYTES_AT_WORK = 12
"""Bytes of an entry while entries are gathered: as they came, and sorted."""


@dataclass(frozen=True, eq=False)
class Gather:
    """Makes entries of blocks of counts where most are zero; other blocks, and those of a GPU, stay as they are.

    Parameters
    ----------
    used : ndarray of bool, shape (m,)
        Pixels that count.
    dtype : str
    limit : int
        Bytes that gathering may take.
    """

    used: NDArray[np.bool_]
    dtype: str
    limit: int

    def __call__(self, blocks: Blocks, engine: Any) -> Blocks:
        """Return the entries of all blocks, or the blocks; which of them depends on the data and the limit alone."""
        import scipy.sparse

        # a GPU multiplies so much faster than it gathers that the zeros may stay
        if on_gpu(engine):
            return blocks
        parts, places, held = [], [], 0
        most = min(DENSE_SHARE * blocks.n_positions * len(self.used), self.limit / BYTES_AT_WORK)
        for i in range(len(blocks)):
            block = blocks.load(i)
            values = engine.to_host(block.values)
            entries = int(np.count_nonzero(values))
            held += entries
            # the first block speaks for the others: no second look at data that are dense
            if entries > DENSE_SHARE * values.size or held > most:
                return blocks
            parts.append(scipy.sparse.csr_matrix(values).astype(self.dtype))
            places.append(block.positions)
        rows, positions = scipy.sparse.vstack(parts, format="csr"), np.concatenate(places)
        ordered = rows if np.all(np.diff(positions) > 0) else rows[np.argsort(positions)]
        return SparseRows.of(ordered, self.used, self.dtype)


@dataclass(frozen=True, eq=False)
class CountPass(Task):
    """Along: maps (k, b), and multiplicity and weight of the positions, (b,). Here: what the turn says of positions.

    Sums: ``sum_i ratio_ij maps_ik``, shape (m, k), in float64; the likelihood before and after; the constant if it is
    asked for.

    Parameters
    ----------
    turn : Turn
    patterns : array, shape (m, k)
    pixels : array, shape (m,)
        Weights.
    plain : bool
        Whether all pixels that are used weigh 1.
    ask : bool
        Whether ``sum_ij r_i w_j (x_ij log x_ij - x_ij)`` is wanted.
    """

    turn: Turn
    patterns: Array
    pixels: Array
    plain: bool
    ask: bool

    @FINITE
    def __call__(self, engine: Any, block: Block, *along: Array) -> Found:
        """Return what a turn does with a block."""
        maps, multiplicity, weights = along
        xp, turn = engine.xp, self.turn
        before, after, constant = (xp.zeros((), dtype=xp.float64, device=maps.device) for _ in range(3))
        rows = turned(xp, maps)
        new, back = (rows + 0 if wanted else None for wanted in (turn.moves, turn.coupled))
        tiles = self._tiles(engine, block, multiplicity)
        for part, x, tile in tiles:
            done = turn(xp, tile, rows[part, :], (multiplicity[part], weights[part]))
            tiles.add(part, done.ratio, done.rows)
            before, after = before + done.before, after + done.after
            if new is not None:
                new[part, :] = done.rows
            if back is not None:
                back[part, :] = done.back
            if self.ask:
                constant = constant + _constant(xp, tile.counts, x)
        spread = xp.astype(tiles.spread(), xp.float64)
        here = tuple(turned(xp, array) for array in (new, back) if array is not None)
        return Found(here, (spread, before, after, *((constant,) if self.ask else ())))

    def _tiles(self, engine: Any, block: Block, multiplicity: Array) -> Tiles:
        if isinstance(block.values, Entries):
            pixels = None if self.plain else self.pixels
            return SparseTiles(block.values, multiplicity, pixels, self.patterns, engine)
        return DenseTiles(block.values, multiplicity, self.pixels, self.patterns, engine)


@dataclass(eq=False)
class Counts:
    """Counts that can be worked through.

    Parameters
    ----------
    blocks : Blocks
        Where the engine computes; their values may be `Entries`.
    engine : Engine
    along : (array, array), shape (n,)
        Multiplicity and weight of the positions.
    pixels : array, shape (m,)
        The user's weights.
    plain : bool
        Whether all pixels that are used weigh 1.
    """

    blocks: Blocks
    engine: Any
    along: tuple[Array, Array]
    pixels: Array
    plain: bool
    constant: float = field(default=float("nan"), init=False)
    """``sum_ij r_i w_j (x_ij log x_ij - x_ij)``: found in the first pass, whatever that was for."""

    def through(
        self, maps: Array, patterns: Array, turn: Turn
    ) -> tuple[tuple[Array, ...], Array, float, float]:
        """Return what a turn says of positions, what the patterns get, and the likelihood before and after it.

        Parameters
        ----------
        maps : array, shape (k, n)
        patterns : array, shape (k, m)
        turn : Turn

        Returns
        -------
        tuple of array, shape (k, n)
            New maps where they move; the ratios multiplied by the patterns where positions are coupled.
        array, shape (k, m)
            ``sum_i ratio_ij maps_ik``.
        float, float
            ``sum_ij r_i w_j x_ij log(model_ij)`` at the maps that were given, and at the new ones.
        """
        engine, xp, ask = self.engine, self.engine.xp, not np.isfinite(self.constant)
        task = CountPass(turn, turned(xp, patterns), self.pixels, self.plain, ask)
        found = engine.walk(task, self.blocks, (maps, *self.along))
        spread, before, after, *constant = found.sums
        if ask:
            self.constant = float(constant[0])
        return found.here, xp.astype(turned(xp, spread), patterns.dtype), float(before), float(after)


def counts_of(
    matrix: Matrix, engine: Any, *, weights: Array, dtype: str, reader: Blocks | None, budget: int
) -> Counts:
    """Return the counts of a matrix.

    Parameters
    ----------
    matrix : Matrix
        With the user's weights; what has weight 0 is left out.
    engine : Engine
    weights : array, shape (n,)
        Those of the positions under which least squares stands for the loss.
    dtype : str
    reader : Blocks or None
        Values where the engine computes; None for sparse data.
    budget : int
        Bytes: entries of data that are not sparse themselves are kept where they take no more than half of it.
    """
    used = matrix.pixel_weights > 0
    gather = Gather(used, dtype, budget // 2)
    if reader is None:
        blocks: Any = SparseRows.of(matrix.data.tocsr(), used, dtype)
    elif hasattr(reader, "seen_as"):
        blocks = reader.seen_as(gather)
    else:
        blocks = gather(reader, engine)
    multiplicity = engine.asarray(matrix.position_weights, dtype)
    pixels = engine.asarray(matrix.pixel_weights, dtype)
    plain = bool(np.all(matrix.pixel_weights[used] == 1))
    return Counts(blocks, engine, (multiplicity, weights), pixels, plain)


def turned(xp: Any, f: Array) -> Array:
    """Return the transpose, laid out row by row: what is gathered must lie side by side."""
    return xp.reshape(xp.reshape(f.T, (-1,)), (f.shape[1], f.shape[0]))


def _constant(xp: Any, counts: Array, x: Array) -> Array:
    """Return what a tile adds to the constant."""
    return xp.sum(counts * (xp.log(xp.where(x > 0, x, xp.ones_like(x))) - 1), dtype=xp.float64)
