"""A small copy of the data: ``X ~ U V`` of low rank, from a few passes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.factorize.contracts import Array, Products


def inverse_root(root: NDArray[Any]) -> NDArray[np.float64]:
    """Return 1 / root where root > 0 and 0 elsewhere (what has no weight does not enter)."""
    root = np.asarray(root, np.float64)
    inverse: NDArray[np.float64] = np.divide(1.0, root, out=np.zeros(root.shape), where=root > 0)
    return inverse


@dataclass(frozen=True, eq=False)
class Sketch:
    """Truncated singular value decomposition of the weighted data ``sqrt(r) X sqrt(w) ~ left diag(s) right``.

    Serves solvers as `Products`: a sweep on it costs O((n + m) l k) instead of O(n m k).

    Parameters
    ----------
    left : ndarray, shape (n, l)
    values : ndarray, shape (l,), descending
    right : ndarray, shape (l, m)
    root_positions, root_pixels : ndarray
        Square roots of the weights.
    norm2 : float
        Weighted squared norm of the whole data, not of the sketch.
    engine : Engine
    dtype : str
    """

    left: NDArray[Any]
    values: NDArray[Any]
    right: NDArray[Any]
    root_positions: NDArray[Any]
    root_pixels: NDArray[Any]
    norm2: float
    engine: Any
    dtype: str

    @cached_property
    def _rows(self) -> Array:
        return self.engine.asarray(
            (self.left * self.values).T * inverse_root(self.root_positions), self.dtype
        )

    @cached_property
    def _columns(self) -> Array:
        return self.engine.asarray(self.right * inverse_root(self.root_pixels), self.dtype)

    @property
    def noise(self) -> float:
        """Standard deviation of one weighted entry, from what the sketch leaves of the data."""
        n, m = np.count_nonzero(self.root_positions), np.count_nonzero(self.root_pixels)
        width = len(self.values)
        freedom = (n - width) * (m - width)
        rest = self.norm2 - float(np.sum(self.values.astype(np.float64) ** 2))
        return float(np.sqrt(max(rest, 0.0) / freedom)) if freedom > 0 else 0.0

    def misfit2(self, maps: Array, patterns: Array) -> float:
        """Return the weighted squared misfit of the sketched data (with the norm of the whole)."""
        host = self.engine.to_host
        w = np.asarray(host(maps), np.float64) * self.root_positions
        h = np.asarray(host(patterns), np.float64) * self.root_pixels
        cross = float(np.sum(((w @ self.left) * self.values) * (h @ self.right.T)))
        return self.norm2 - 2 * cross + float(np.sum((w @ w.T) * (h @ h.T)))

    def with_patterns(self, rows: Array) -> Array:
        """Return ``rows X'`` of the sketched X."""
        return (rows @ self._columns.T) @ self._rows

    def with_maps(self, rows: Array) -> Array:
        """Return ``rows X`` of the sketched X."""
        return (rows @ self._rows.T) @ self._columns


def sketch(
    products: Products,
    matrix: Matrix,
    *,
    width: int,
    engine: Any,
    dtype: str,
    power: int = 2,
    seed: int = 0,
) -> Sketch:
    """Return the sketch of a matrix by a randomised range finder with power passes.

    Parameters
    ----------
    products : Products
        The data; read ``2 * power + 2`` times.
    matrix : Matrix
        For shapes and weights.
    width : int
        Rank of the sketch; cut to the smaller side of the matrix.
    power : int, >= 0
        Power passes; 2 reach the accuracy of the full decomposition on counts.
    seed : int

    References
    ----------
    Halko, Martinsson & Tropp, SIAM Rev. 53, 217 (2011).
    """
    roots = np.sqrt(matrix.position_weights), np.sqrt(matrix.pixel_weights)
    root_n, root_m = (engine.asarray(root, dtype) for root in roots)
    width = max(1, min(width, *(int(np.count_nonzero(root)) for root in roots)))
    random = np.random.default_rng(seed).standard_normal((width, matrix.n_pixels))

    def orthonormal(rows: Array) -> Array:
        return engine.xp.linalg.qr(rows.T)[0].T

    basis = orthonormal(products.with_patterns(engine.asarray(random, dtype) * root_m) * root_n)
    for _ in range(power):
        pixels = orthonormal(products.with_maps(basis * root_n) * root_m)
        basis = orthonormal(products.with_patterns(pixels * root_m) * root_n)
    core = engine.to_host(products.with_maps(basis * root_n) * root_m).astype(np.float64)
    inner, values, right = np.linalg.svd(core, full_matrices=False)
    left = engine.to_host(basis).T.astype(np.float64) @ inner
    return Sketch(left, values, right, *roots, products.norm2, engine, dtype)
