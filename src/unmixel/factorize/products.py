"""The data as a least-squares solver asks for them: products with a few rows, a norm, a misfit; block by block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.engines.base import Blocks
from unmixel.engines.blocks import BlockReader
from unmixel.engines.walk import Found, Task
from unmixel.factorize.contracts import Array, Between, DataProducts
from unmixel.factorize.passes import (
    Misfit2,
    Mixed,
    Norm2,
    Overlap,
    Squares,
    Through,
    WithMaps,
    WithPatterns,
    check_counts,
)


def products_of(
    matrix: Matrix, engine: Any, *, dtype: str, budget: int, norm2: float = float("nan")
) -> DataProducts:
    """Return the products of a matrix: sparse data as they are, others block by block.

    Parameters
    ----------
    matrix : Matrix
    engine : Engine
    dtype : str
    budget : int
        Bytes of memory for blocks and their working copies.
    norm2 : float
        Weighted squared norm, where an earlier pass found it (and found the numbers to be counts).
    """
    products: BlockProducts | SparseProducts
    if hasattr(matrix.data, "tocsr"):
        products = SparseProducts(matrix, engine, dtype)
    else:
        reader = engine.resident(BlockReader(matrix.data, matrix.n_scan_axes, budget))
        products = BlockProducts(matrix, engine, dtype, reader)
    if np.isfinite(norm2):
        products.__dict__["norm2"] = norm2
    return products


@dataclass(frozen=True, eq=False)
class BlockProducts:
    """Products that walk through the data block by block; integer counts are cast a block at a time.

    The engine shares blocks out, so that reading overlaps computing; which sums are added in which order does not
    depend on which was first.

    Parameters
    ----------
    matrix : Matrix
    engine : Engine
    dtype : str
    reader : Blocks
        Values where the engine computes.
    """

    matrix: Matrix
    engine: Any
    dtype: str
    reader: Blocks

    def _walk(self, task: Task, *along: Array) -> Found:
        found: Found = self.engine.walk(task, self.reader, along)
        return found

    @cached_property
    def _positions(self) -> Array:
        return self.engine.asarray(self.matrix.position_weights, self.dtype)

    @cached_property
    def _squares(self) -> Squares:
        pixels = self.matrix.pixel_weights
        alike = bool((pixels == 1).all())
        return Squares(None if alike else self.engine.asarray(pixels, self.dtype), self.dtype)

    @cached_property
    def norm2(self) -> float:
        """Weighted squared norm of the data (one pass, which also checks that the numbers can be counts)."""
        return float(self._walk(Norm2(self._squares), self._positions).sums[0])

    def mixed(self, groups: NDArray[np.intp], signs: NDArray[Any], size: int) -> Array:
        """Return the signed sums of root-weighted positions in `size` groups, shape (size, m)."""
        weights = self.matrix.position_weights
        factors = (np.sqrt(weights) * signs).astype(self.dtype)
        out, norm2 = self._walk(Mixed(self._squares, size), groups, factors, weights).sums
        self.__dict__["norm2"] = float(norm2)  # known from the same pass
        return out

    def misfit2(self, maps: Array, patterns: Array) -> float:
        """Return the weighted squared misfit from the residuals themselves, which loses nothing to cancellation."""
        return float(self._walk(Misfit2(self._squares, patterns), maps, self._positions).sums[0])

    def with_patterns(self, rows: Array) -> Array:
        """Return ``rows X'``, shape (l, n)."""
        return self._walk(WithPatterns(self.engine.ready(rows), self.dtype)).here[0]

    def with_maps(self, rows: Array) -> Array:
        """Return ``rows X``, shape (l, m)."""
        return self._walk(WithMaps(self.dtype), rows).sums[0]

    def overlap(self, maps: Array, rows: Array) -> NDArray[np.float64]:
        """Return ``sum_ij maps_li X_ij rows_lj`` for every l, shape (l,), accumulated in float64."""
        return np.asarray(self.engine.to_host(self._walk(Overlap(rows, self.dtype), maps).sums[0]))

    def through(self, rows: Array, between: Between, *along: Array) -> tuple[Array, Found]:
        """Return ``sum over blocks of between(rows X_b') X_b``, shape (l', m), in one pass, and what it told."""
        found = self._walk(Through(self.engine.ready(rows), between, self.dtype), *along)
        return found.sums[0], Found(found.here, found.sums[1:])


@dataclass(frozen=True, eq=False)
class SparseProducts:
    """Products of a scipy sparse matrix; the work grows with the number of entries that are not zero.

    Parameters
    ----------
    matrix : Matrix
        `data` is scipy sparse, shape (n, m).
    engine : Engine
    dtype : str
    """

    matrix: Matrix
    engine: Any
    dtype: str

    @cached_property
    def _csr(self) -> Any:
        csr = self.matrix.data.tocsr()
        check_counts(csr.data, np)
        if not csr.has_canonical_format:
            csr = csr.copy()  # the same entry twice is their sum
            csr.sum_duplicates()
        return csr.astype(self.dtype, copy=False)

    @cached_property
    def norm2(self) -> float:
        """Weighted squared norm of the data."""
        import scipy.sparse

        csr = self._csr
        squares = np.square(csr.data, dtype=np.float64)
        squared = scipy.sparse.csr_matrix((squares, csr.indices, csr.indptr), shape=csr.shape)
        return float((squared @ self.matrix.pixel_weights) @ self.matrix.position_weights)

    def mixed(self, groups: NDArray[np.intp], signs: NDArray[Any], size: int) -> Array:
        """Return the signed sums of root-weighted positions in `size` groups, shape (size, m)."""
        import scipy.sparse

        n = self.matrix.n_positions
        factors = (np.sqrt(self.matrix.position_weights) * signs).astype(self.dtype)
        mixing = scipy.sparse.csr_matrix((factors, (groups, np.arange(n))), shape=(size, n))
        return self.engine.asarray((mixing @ self._csr).toarray(), self.dtype)

    def misfit2(self, maps: Array, patterns: Array) -> float:
        """Return the weighted squared misfit without ever making the data dense."""
        w, h = (np.asarray(self.engine.to_host(f), np.float64) for f in (maps, patterns))
        weighted_w, weighted_h = w * self.matrix.position_weights, h * self.matrix.pixel_weights
        cross = float(np.sum((self._csr.T @ weighted_w.T).T * weighted_h))
        return self.norm2 - 2 * cross + float(np.sum((weighted_w @ w.T) * (weighted_h @ h.T)))

    def with_patterns(self, rows: Array) -> Array:
        """Return ``rows X'``, shape (l, n)."""
        return self.engine.asarray(
            np.ascontiguousarray((self._csr @ self.engine.to_host(rows).T).T), self.dtype
        )

    def with_maps(self, rows: Array) -> Array:
        """Return ``rows X``, shape (l, m)."""
        return self.engine.asarray(
            np.ascontiguousarray((self._csr.T @ self.engine.to_host(rows).T).T), self.dtype
        )

    def overlap(self, maps: Array, rows: Array) -> NDArray[np.float64]:
        """Return ``sum_ij maps_li X_ij rows_lj`` for every l, shape (l,), accumulated in float64."""
        products = self.engine.to_host(maps).astype(np.float64) * self.engine.to_host(
            self.with_patterns(rows)
        )
        return np.asarray(products.sum(axis=1))

    def through(self, rows: Array, between: Between, *along: Array) -> tuple[Array, Found]:
        """Return ``between(rows X') X``, shape (l', m), and what it told."""
        made, found = between(self.with_patterns(rows), *along)
        return self.with_maps(made), found
