"""The data as a least-squares solver asks for them: products with a few rows, a norm, a misfit; block by block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.engines.base import Blocks
from unmixel.engines.blocks import BlockReader
from unmixel.factorize.contracts import Array, DataProducts, Samples


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


def check_counts(values: Array, xp: Any) -> None:
    """Raise InputError where values (of the array namespace `xp`) are not finite or below zero."""
    if xp.isdtype(values.dtype, ("bool", "unsigned integer")) or 0 in values.shape:
        return
    low, high = float(xp.min(values)), float(xp.max(values))
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0:
        bad = (
            "NaN or infinity"
            if not (np.isfinite(low) and np.isfinite(high))
            else f"negative values ({low:g})"
        )
        raise InputError(
            "data",
            expected="finite counts >= 0",
            got=bad,
            hint="repair or mask bad pixels; check whether a background was subtracted from the recording",
        )


@dataclass(frozen=True, eq=False)
class BlockProducts:
    """Products that walk through the data block by block; integer counts are cast a block at a time.

    Threads of the engine load, cast and multiply different blocks at the same time, so that reading overlaps
    computing; sums are formed in the order of the blocks, so that the result does not depend on which was first.

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
    _indices: dict[int, Samples] = field(default_factory=dict, init=False, repr=False)

    def _each(self, work: Callable[[Samples, Array], Any], *, exact: bool = False) -> Any:
        """Yield ``work(positions, values)`` of every block in order, values cast: as operands, or exactly."""
        return self.engine.each(self._on_block(work, exact=exact), range(len(self.reader)))

    def _on_block(
        self, work: Callable[[Samples, Array], Any], *, exact: bool = False
    ) -> Callable[[int], Any]:
        """Return ``work(positions, values)`` as a function of the number of the block."""
        cast = self.engine.asarray if exact else self.engine.operand

        def on_block(i: int) -> Any:
            block = self.reader.load(i)
            if i not in self._indices:
                self._indices[i] = self._index(block.positions)
            return work(self._indices[i], cast(block.values, self.dtype))

        return on_block

    def _index(self, positions: NDArray[np.intp]) -> Samples:
        if positions.size and positions[-1] - positions[0] + 1 == positions.size:
            return slice(int(positions[0]), int(positions[-1]) + 1)
        return self.engine.asarray(positions.astype(np.int64))

    @cached_property
    def _weights(self) -> tuple[Array, Array]:
        positions, pixels = self.matrix.position_weights, self.matrix.pixel_weights
        return self.engine.asarray(positions, self.dtype), self.engine.asarray(pixels, self.dtype)

    @cached_property
    def _alike(self) -> bool:
        return bool((self.matrix.pixel_weights == 1).all())

    def _square(self, index: Samples, rows: Array) -> Array:
        positions, pixels = self._weights
        xp, step = self.engine.xp, max(1, 4 * self.engine.tile // self.matrix.n_pixels)
        # a few rows at a time: the copies stay in fast memory
        parts = (
            self.engine.asarray(rows[start : start + step, :], self.dtype)
            for start in range(0, rows.shape[0], step)
        )
        alike = self._alike
        squares = xp.concat(
            [xp.linalg.vecdot(part, part) if alike else (part * part) @ pixels for part in parts]
        )
        return xp.sum(squares * positions[index], dtype=xp.float64)

    def _checked(self, i: int) -> tuple[NDArray[np.intp], Array]:
        """Return positions and values of a block whose numbers can be counts."""
        block = self.reader.load(i)
        check_counts(block.values, self.engine.xp)
        return block.positions, self.engine.asarray(block.values)

    def _block_norm2(self, i: int) -> Array:
        positions, values = self._checked(i)
        return self._square(self.engine.asarray(positions.astype(np.int64)), values)

    @cached_property
    def norm2(self) -> float:
        """Weighted squared norm of the data (one pass, which also checks that the numbers can be counts)."""
        return float(sum(self.engine.each(self._block_norm2, range(len(self.reader)))))

    def mixed(self, groups: NDArray[np.intp], signs: NDArray[Any], size: int) -> Array:
        """Return the signed sums of root-weighted positions in `size` groups, shape (size, m)."""
        factors = (np.sqrt(self.matrix.position_weights) * signs).astype(self.dtype)

        def on_block(i: int) -> tuple[list[int], Array, Array]:
            positions, values = self._checked(i)
            # a block of large patterns has fewer positions than there are groups
            present, own = np.unique(groups[positions], return_inverse=True)
            sums, squares = self.engine.sum_rows(values, own, present.size, factors[positions])
            if not self._alike:
                index = self.engine.asarray(positions.astype(np.int64))
                return present.tolist(), sums, self._square(index, values)
            weights = self.engine.asarray(self.matrix.position_weights[positions], "float64")
            return present.tolist(), sums, self.engine.xp.sum(squares * weights)

        def add(total: Any, answer: tuple[list[int], Array, Array]) -> Any:
            sums, norm2 = total or (self.engine.zeros((size, self.matrix.n_pixels), self.dtype), 0.0)
            for group, row in zip(*answer[:2], strict=True):
                sums[group] += row
            return sums, norm2 + answer[2]

        (out, norm2), *others = self.engine.gather(on_block, range(len(self.reader)), add)
        for more, square in others:
            out += more
            norm2 = norm2 + square
        self.__dict__["norm2"] = float(norm2)  # known from the same pass
        return out

    def misfit2(self, maps: Array, patterns: Array) -> float:
        """Return the weighted squared misfit from the residuals themselves, which loses nothing to cancellation."""

        def misfit(index: Samples, values: Array) -> Array:
            return self._square(index, values - maps[:, index].T @ patterns)

        return float(sum(self._each(misfit, exact=True)))

    def with_patterns(self, rows: Array) -> Array:
        """Return ``rows X'``, shape (l, n)."""
        project, rows = self.engine.project, self.engine.ready(rows)
        out = self.engine.zeros((rows.shape[0], self.matrix.n_positions), self.dtype)
        for index, part in self._each(lambda index, values: (index, project(values, rows))):
            out[:, index] = part
        return out

    def with_maps(self, rows: Array) -> Array:
        """Return ``rows X``, shape (l, m)."""
        return self._summed(rows.shape[0], lambda index, values: self.engine.combine(rows[:, index], values))

    def overlap(self, maps: Array, rows: Array) -> NDArray[np.float64]:
        """Return ``sum_ij maps_li X_ij rows_lj`` for every l, shape (l,), accumulated in float64."""
        xp = self.engine.xp

        def on_block(index: Samples, values: Array) -> Array:
            return xp.sum(maps[:, index] * (values @ rows.T).T, axis=1, dtype=xp.float64)

        sums = sum(self._each(on_block, exact=True), self.engine.zeros((maps.shape[0],), "float64"))
        return np.asarray(self.engine.to_host(sums))

    def through(self, rows: Array, between: Callable[[Samples, Array], Array]) -> Array:
        """Return ``sum over blocks of between(positions, rows X_b') X_b``, shape (l', m), in one pass."""
        project, combine, rows = self.engine.project, self.engine.combine, self.engine.ready(rows)
        return self._summed(
            None, lambda index, values: combine(between(index, project(values, rows)), values)
        )

    def _summed(self, n_rows: int | None, work: Callable[[Samples, Array], Array]) -> Array:
        def add(total: Array | None, part: Array) -> Array:
            if total is None:
                return part
            total += part
            return total

        totals = self.engine.gather(self._on_block(work), range(len(self.reader)), add)
        out = reduce(add, [total for total in totals if total is not None], None)
        return self.engine.zeros((n_rows or 0, self.matrix.n_pixels), self.dtype) if out is None else out


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

    def through(self, rows: Array, between: Callable[[Samples, Array], Array]) -> Array:
        """Return ``between(all, rows X') X``, shape (l', m)."""
        return self.with_maps(between(slice(0, self.matrix.n_positions), self.with_patterns(rows)))
