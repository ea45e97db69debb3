"""Weighted least squares: the data enter only through two products and a norm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.engines.blocks import BlockReader
from unmixel.factorize.contracts import Array, Products


@dataclass(frozen=True)
class Frobenius:
    """``1/2 sum_ij r_i w_j (X - W H)_ij^2``; with weights 1 / mean counts it is a chi-square for Poisson counts.

    References
    ----------
    Keenan & Kotula, Surf. Interface Anal. 36, 203 (2004), for the weights.

    Examples
    --------
    >>> Frobenius().name
    'frobenius'
    """

    name: ClassVar[str] = "frobenius"

    def products(self, matrix: Matrix, engine: Any, *, dtype: str, budget: int) -> Products:
        """Return the products of a matrix: sparse ones as they are, others block by block."""
        if hasattr(matrix.data, "tocsr"):
            return SparseProducts(matrix, engine, dtype)
        reader = BlockReader(matrix.data, matrix.n_scan_axes, budget)
        return BlockProducts(matrix, engine, dtype, reader)


def _norm2(rows: Any, matrix: Matrix, positions: Any) -> float:
    """Return the weighted squared norm of some rows, accumulated in float64."""
    squares = np.einsum("ij,ij,j->i", rows, rows, matrix.pixel_weights, dtype=np.float64)
    return float(squares @ matrix.position_weights[positions])


def _check_counts(values: Any) -> None:
    """Raise InputError where values are not finite or below zero."""
    if values.dtype.kind in "ub" or not values.size:
        return
    low, high = float(values.min()), float(values.max())
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

    Parameters
    ----------
    matrix : Matrix
    engine : Engine
    dtype : str
    reader : BlockReader
    """

    matrix: Matrix
    engine: Any
    dtype: str
    reader: BlockReader

    def _blocks(self) -> Any:
        for block in self.reader:
            positions = block.positions
            contiguous = positions.size and positions[-1] - positions[0] + 1 == positions.size
            index = (
                slice(int(positions[0]), int(positions[-1]) + 1)
                if contiguous
                else self.engine.asarray(positions.astype(np.int64))
            )
            yield index, self.engine.asarray(block.values, self.dtype)

    @cached_property
    def norm2(self) -> float:
        """Weighted squared norm of the data (one pass, which also checks that the numbers can be counts)."""
        value = 0.0
        for block in self.reader:
            _check_counts(block.values)
            # a slice of rows at a time: the float64 copy of a whole block would double the memory
            for start in range(0, len(block.values), 64):
                rows = np.asarray(block.values[start : start + 64], np.float64)
                value += _norm2(rows, self.matrix, block.positions[start : start + 64])
        return value

    def misfit2(self, maps: Array, patterns: Array) -> float:
        """Return the weighted squared misfit from the residuals themselves, which loses nothing to cancellation."""
        xp, engine = self.engine.xp, self.engine
        weights = engine.asarray(self.matrix.pixel_weights, self.dtype)
        positions = engine.asarray(self.matrix.position_weights, self.dtype)
        value = 0.0
        for index, values in self._blocks():
            rest = values - maps[:, index].T @ patterns
            value += float(xp.sum(((rest * rest) @ weights) * positions[index], dtype=xp.float64))
        return value

    def with_patterns(self, rows: Array) -> Array:
        """Return ``rows X'``, shape (l, n)."""
        shape = (rows.shape[0], self.matrix.n_positions)
        out = self.engine.asarray(np.empty(shape, self.dtype), self.dtype)
        for index, values in self._blocks():
            out[:, index] = rows @ values.T
        return out

    def with_maps(self, rows: Array) -> Array:
        """Return ``rows X``, shape (l, m)."""
        out = self.engine.asarray(np.zeros((rows.shape[0], self.matrix.n_pixels), self.dtype), self.dtype)
        for index, values in self._blocks():
            out += rows[:, index] @ values
        return out


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
        return self.matrix.data.tocsr().astype(self.dtype)

    @cached_property
    def norm2(self) -> float:
        """Weighted squared norm of the data."""
        csr = self._csr.astype(np.float64)
        squares = csr.multiply(csr) @ self.matrix.pixel_weights
        return float(squares @ self.matrix.position_weights)

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
