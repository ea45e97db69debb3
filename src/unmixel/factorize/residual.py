"""One exact pass over the data with a finished model: what it explains and what not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.dataset.results import Residual
from unmixel.engines.base import Array, Blocks
from unmixel.engines.walk import Block, Found, Task

COLUMNS = 512
"""Least number of columns that are worked on at once, where there are as many."""

LARGER = 4
"""How much larger than an engine's tiles those here are: longer products, and threads wait less for each other."""

ENTRIES = 2**17
"""Numbers of a gathered factor that stay in fast memory."""


@dataclass(frozen=True, eq=False)
class Settle:
    """What the last pass does to the maps of a block before it is looked at.

    Parameters
    ----------
    on_block : callable
        From the engine, values and what lies along to the best Z and the weighted maps; see `contracts.Settling`.
    sums : array, shape (k, 1)
        What the maps are multiplied by.
    ask : bool
        Whether the data are multiplied by the weighted maps.
    """

    on_block: Callable[..., tuple[Array, Array]]
    sums: Array
    ask: bool


def residual(
    matrix: Matrix,
    maps: NDArray[Any],
    patterns: NDArray[Any],
    reader: Blocks,
    engine: Any,
    settle: Settle | None = None,
    along: tuple[Array, ...] = (),
) -> tuple[Residual, float, float, Array | None]:
    """Return the residual against Poisson noise, the weighted misfit and the weighted norm of the data, exactly.

    Parameters
    ----------
    matrix : Matrix
    maps : ndarray, shape (k, n)
    patterns : ndarray, shape (k, m)
    reader : Blocks
        Values where the engine computes.
    engine : Engine
    settle : Settle, optional
        Makes the maps of a block the best for the patterns before the block is looked at: they are written into
        `maps`. Not for sparse data.
    along : tuple of array, shape (..., n)
        What it wants to know of each position.

    Returns
    -------
    Residual
        chi-square per position and per pixel: mean of (x - model)^2 / max(model, floor), where the floor is a
        hundredth of the mean model, as given (an expected count of almost nothing must not blow up a single
        electron). Of sparse data, an empty entry whose model is below the floor counts as its model: at most
        a 400th of the mean model too much, for work that grows with the entries only.
    misfit2, norm2 : float
        ``sum r w (X - model)^2`` and ``sum r w X^2``, formed in the maps' precision, accumulated in float64.
    products : array or None
        The rows that `settle` gave times the data, shape (k, m).
    """
    used = matrix.pixel_weights > 0
    kept = matrix.position_weights > 0
    mean = float(maps.sum(axis=1, dtype=np.float64) @ patterns[:, used].sum(axis=1, dtype=np.float64))
    floor = max(1e-2 * mean / max(1, matrix.n_positions * int(used.sum())), 1e-12)
    if hasattr(matrix.data, "tocsr"):
        sums, products = _entries(matrix, maps, patterns, floor, engine), None
    else:
        sums, products = _blocks(matrix, (maps, patterns), floor, (reader, engine), settle, along)
    by_position, by_pixel, misfit2, norm2 = sums
    by_position /= max(1, int(used.sum()))
    by_pixel[~used] = 0
    by_pixel /= max(1, int(kept.sum()))
    return (
        Residual(
            chi2_map=by_position.reshape(matrix.scan_grid.shape),
            chi2_pattern=by_pixel.reshape(matrix.pattern_grid.shape),
            chi2=float(by_position[kept].mean()) if kept.any() else float("nan"),
            floor=floor,
        ),
        misfit2,
        norm2,
        products,
    )


Sums = tuple[NDArray[np.float64], NDArray[np.float64], float, float]
"""Chi-square summed over used pixels (n,) and over used positions (m,), misfit2 and norm2."""


def _entries(matrix: Matrix, maps: NDArray[Any], patterns: NDArray[Any], floor: float, engine: Any) -> Sums:
    """Return the sums of sparse data from their entries and the sums of the factors."""
    import scipy.sparse

    csr = matrix.data.tocsr()
    if not csr.has_canonical_format:
        csr = csr.copy()  # the same entry twice is their sum
        csr.sum_duplicates()
    used, kept = matrix.pixel_weights > 0, matrix.position_weights > 0
    w, h = (np.ascontiguousarray(factor.T, np.float64) for factor in (maps, patterns))
    r, p = matrix.position_weights[:, None], matrix.pixel_weights[:, None]
    beyond = np.empty(csr.nnz, maps.dtype)
    cuts = np.searchsorted(csr.indptr, np.arange(0, csr.nnz, max(1, ENTRIES // len(maps))))
    cuts = np.unique([0, *cuts.tolist(), matrix.n_positions])

    def on_rows(rows: slice) -> tuple[float, float]:
        part = slice(csr.indptr[rows.start], csr.indptr[rows.stop])
        lines = np.repeat(np.arange(rows.start, rows.stop), np.diff(csr.indptr[rows.start : rows.stop + 1]))
        columns, x = csr.indices[part], csr.data[part].astype(np.float64)
        model = np.einsum("ek,ek->e", np.take(w, lines, axis=0), np.take(h, columns, axis=0))
        # what an entry adds to that of an empty one, which is its model
        beyond[part] = (x - model) ** 2 / np.maximum(model, floor) - model
        weights = matrix.position_weights[lines] * matrix.pixel_weights[columns] * x
        return float(weights @ model), float(weights @ x)

    cross = norm2 = 0.0
    for own_cross, own_norm2 in engine.each(on_rows, [slice(a, b) for a, b in pairwise(cuts.tolist())]):
        cross += own_cross
        norm2 += own_norm2
    more = scipy.sparse.csr_matrix((beyond, csr.indices, csr.indptr), shape=csr.shape)
    by_position = w @ (h.T @ used) + more @ used.astype(np.float64)
    by_pixel = h @ (w.T @ kept) + more.T @ kept.astype(np.float64)
    misfit2 = norm2 - 2 * cross + float(np.sum((w.T @ (r * w)) * (h.T @ (p * h))))
    return by_position, by_pixel, max(misfit2, 0.0), norm2


def _tiles(n_rows: int, n_columns: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of tiles of about `size` numbers, whose copies stay in fast memory."""
    width = max(COLUMNS, size // max(1, n_rows))
    height = max(1, size // min(width, max(1, n_columns)))
    for row in range(0, n_rows, height):
        for column in range(0, n_columns, width):
            yield slice(row, row + height), slice(column, column + width)


@dataclass(frozen=True, eq=False)
class Look(Task):
    """Compares data with a model.

    Along: position weights, which positions count, and maps (k, b), in place of which `settle` takes what it needs to
    make the best ones. Here: chi-square summed over used pixels and, where they were made, the best maps. Sums:
    chi-square over positions that count (m,), misfit2 and norm2 (2,), and products with the settled maps if asked for.

    Parameters
    ----------
    patterns : array, shape (k, m)
    weights, counted : array, shape (m,)
        Weights of the pixels; 1 where they are used, else 0.
    lowest : array, shape (m,)
        Least variance: as an array it is three times as fast as a number.
    plain : bool
        Whether all weights are 1.
    settle : Settle or None
    """

    patterns: Array
    weights: Array
    counted: Array
    lowest: Array
    plain: bool
    settle: Settle | None

    def __call__(self, engine: Any, block: Block, *along: Array) -> Found:
        """Return what is found in a block."""
        row_weights, row_kept, *rest = along
        maps, rows = self._maps(engine, block, rest)
        xp, n, m = engine.xp, len(block.positions), self.patterns.shape[1]
        model_rows = xp.reshape(xp.reshape(maps.T, (-1,)), (n, maps.shape[0]))
        misfit2, norm2, chi2 = (engine.zeros((n,), "float64") for _ in range(3))
        by_pixel = engine.zeros((m,), "float64")
        products = (
            None if rows is None else xp.zeros((rows.shape[0], m), dtype=rows.dtype, device=rows.device)
        )
        buffers = None
        for part, columns in _tiles(n, m, LARGER * engine.tile):
            values = engine.asarray(block.values[part, columns])
            if buffers is None or buffers.shape[1:] != values.shape:
                buffers = xp.empty((2, *values.shape), dtype=self.patterns.dtype, device=self.patterns.device)
            x, model = buffers[0], buffers[1]
            x[...] = values
            if rows is not None and products is not None:
                products[:, columns] += rows[:, part] @ x
            norm2[part] += self._squares(xp, x, columns)
            xp.matmul(model_rows[part, :], self.patterns[:, columns], out=model)
            x -= model
            misfit2[part] += self._squares(xp, x, columns)
            x *= x
            x /= xp.maximum(model, self.lowest[columns])
            chi2[part] += x @ self.counted[columns]
            by_pixel[columns] += row_kept[part] @ x
        sums = (
            by_pixel,
            xp.stack([misfit2, norm2]) @ row_weights,
            *(() if products is None else (products,)),
        )
        return Found((chi2,) if self.settle is None else (chi2, maps), sums)

    def _squares(self, xp: Any, x: Array, columns: slice) -> Array:
        """Return the weighted squares of some columns, summed by rows."""
        return xp.linalg.vecdot(x, x) if self.plain else (x * x) @ self.weights[columns]

    def _maps(self, engine: Any, block: Block, rest: list[Array]) -> tuple[Array, Array | None]:
        """Return the maps of a block, and rows to multiply it by."""
        if self.settle is None:
            return rest[0], None
        best, weighted = self.settle.on_block(engine, block.values, *rest)
        return engine.xp.clip(best, min=0) * self.settle.sums, weighted if self.settle.ask else None


def _blocks(
    matrix: Matrix,
    factors: tuple[NDArray[Any], NDArray[Any]],
    floor: float,
    data: tuple[Blocks, Any],
    settle: Settle | None,
    along: tuple[Array, ...],
) -> tuple[Sums, Array | None]:
    """Return the sums of data that are read block by block, and products with the rows that `settle` gave."""
    (maps, patterns), (reader, engine), dtype = factors, data, str(factors[0].dtype)
    look = Look(
        patterns=engine.asarray(np.ascontiguousarray(patterns)),
        weights=engine.asarray(matrix.pixel_weights, dtype),
        counted=engine.asarray(matrix.pixel_weights > 0, dtype),
        lowest=engine.asarray(np.full(matrix.n_pixels, floor), dtype),
        plain=bool((matrix.pixel_weights == 1).all()),
        settle=settle,
    )
    rows = (
        engine.asarray(matrix.position_weights, "float64"),
        engine.asarray(matrix.position_weights > 0, dtype),
    )
    given = along if settle is not None else (engine.asarray(np.ascontiguousarray(maps)),)
    found = engine.walk(look, reader, (*rows, *given))
    if settle is not None:
        maps[...] = engine.to_host(found.here[1])
    by_pixel, both, *products = found.sums
    misfit2, norm2 = engine.to_host(both).tolist()
    by_position = np.array(engine.to_host(found.here[0]))
    return (by_position, np.array(engine.to_host(by_pixel)), misfit2, norm2), (
        products[0] if products else None
    )
