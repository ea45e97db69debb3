"""The first act: a small copy of the data, ``X ~ U V`` of low rank, from a few passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Grid, Matrix
from unmixel.engines.walk import Found
from unmixel.factorize.contracts import Array, Between, DataProducts
from unmixel.factorize.state import SketchState

OVERSAMPLING = 4
"""Groups of positions mixed in the first pass, as a multiple of the width (measured, docs/decisions/0007)."""

RUN, SHARE = 32, 4
"""Groups that a run of positions is mixed into, and positions of a run in each."""


def width_for(n_components: int) -> int:
    """Return the width of a sketch that serves up to `n_components` components."""
    return 2 * n_components + 10


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
    scan_grid, pattern_grid : Grid
    engine : Engine
    dtype : str
    """

    left: NDArray[Any]
    values: NDArray[Any]
    right: NDArray[Any]
    root_positions: NDArray[Any]
    root_pixels: NDArray[Any]
    norm2: float
    scan_grid: Grid
    pattern_grid: Grid
    engine: Any
    dtype: str

    @classmethod
    def of(cls, state: SketchState, matrix: Matrix, engine: Any, dtype: str) -> Sketch:
        """Return the sketch of a matrix from where its passes ended."""
        # the long side is dealt with where the arrays live: decomposing what is left costs nothing
        long, core = engine.xp.linalg.qr(engine.asarray(state.core.T, "float64"))
        turn, values, inner = np.linalg.svd(engine.to_host(core))
        left = engine.to_host(long @ engine.asarray(turn))
        roots = np.sqrt(state.position_weights), np.sqrt(state.pixel_weights)
        grids = matrix.scan_grid, matrix.pattern_grid
        return cls(
            left, values, inner @ state.basis.astype(np.float64), *roots, state.norm2, *grids, engine, dtype
        )

    @property
    def position_weights(self) -> NDArray[Any]:
        """Weights of the positions, shape (n,)."""
        return self.root_positions**2

    @property
    def pixel_weights(self) -> NDArray[Any]:
        """Weights of the pixels, shape (m,)."""
        return self.root_pixels**2

    def narrow(self, width: int) -> Sketch:
        """Return the sketch cut to its leading `width` directions: all that fewer components need."""
        cut = slice(0, width)
        return replace(self, left=self.left[:, cut], values=self.values[cut], right=self.right[cut])

    @cached_property
    def rows(self) -> Array:
        """What stands for the positions: X is about ``rows' columns``, shape (l, n)."""
        return self.engine.asarray(
            (self.left * self.values).T * inverse_root(self.root_positions), self.dtype
        )

    @cached_property
    def columns(self) -> Array:
        """What stands for the pixels, shape (l, m)."""
        return self.engine.asarray(self.right * inverse_root(self.root_pixels), self.dtype)

    @property
    def noise(self) -> float:
        """Standard deviation of one weighted entry, from what the sketch leaves of the data."""
        n, m = np.count_nonzero(self.root_positions), np.count_nonzero(self.root_pixels)
        width = len(self.values)
        freedom = (n - width) * (m - width)
        rest = self.norm2 - float(np.sum(self.values.astype(np.float64) ** 2))
        return float(np.sqrt(max(rest, 0.0) / freedom)) if freedom > 0 else 0.0

    @cached_property
    def _exact(self) -> tuple[Array, ...]:
        parts = self.left, self.values, self.right, self.root_positions, self.root_pixels
        return tuple(self.engine.asarray(part, "float64") for part in parts)

    def misfit2(self, maps: Array, patterns: Array) -> float:
        """Return the weighted squared misfit of the sketched data (with the norm of the whole)."""
        xp, (left, values, right, root_positions, root_pixels) = self.engine.xp, self._exact
        w, h = maps * root_positions, patterns * root_pixels
        cross = xp.sum(((w @ left) * values) * (h @ right.T))
        return float(self.norm2 - 2 * cross + xp.sum((w @ w.T) * (h @ h.T)))

    def with_patterns(self, rows: Array) -> Array:
        """Return ``rows X'`` of the sketched X."""
        return (rows @ self.columns.T) @ self.rows

    def with_maps(self, rows: Array) -> Array:
        """Return ``rows X`` of the sketched X."""
        return (rows @ self.rows.T) @ self.columns

    def through(self, rows: Array, between: Between, *along: Array) -> tuple[Array, Found]:
        """Return ``between(rows X') X`` of the sketched X, and what it told."""
        made, found = between(self.with_patterns(rows), *along)
        return self.with_maps(made), found


def _scores(products: Array, roots: Array) -> tuple[Array, Found]:
    """Return root-weighted scores of some positions, weighted once more, and the scores themselves."""
    scores = products * roots
    return scores * roots, Found((scores,))


def sketch(
    products: DataProducts,
    matrix: Matrix,
    *,
    width: int,
    engine: Any,
    dtype: str,
    power: int = 1,
    seed: int = 0,
) -> Sketch:
    """Return the sketch of a matrix by a randomised range finder, from ``power + 1`` passes over the data.

    Parameters are those of `sketch_passes`.
    """
    (*_, last) = sketch_passes(
        products, matrix, width=width, engine=engine, dtype=dtype, power=power, seed=seed
    )
    return Sketch.of(last, matrix, engine, dtype)


def sketch_passes(
    products: DataProducts,
    matrix: Matrix,
    *,
    width: int,
    engine: Any,
    dtype: str,
    power: int = 1,
    seed: int = 0,
    begin: SketchState | None = None,
) -> Iterator[SketchState]:
    """Yield where a sketch stands after each of its ``power + 1`` passes over the data A (root-weighted).

    The first pass sums positions with random signs into a few groups: `OVERSAMPLING` times more than the width, for
    the price of additions. Their leading directions Q are sharpened by `power` passes, each of which multiplies by
    A' and A at once, block by block: ``C = Q A'`` and ``C A``. The last one gives the sketch as well: with U the
    orthonormal rows that span C, ``U A`` follows from ``C A``, and ``U' (U A)`` is the best approximation of A by
    rows of C.

    Parameters
    ----------
    products : DataProducts
        The data.
    matrix : Matrix
        For shapes and weights.
    width : int
        Rank of the sketch; cut to the smaller side of the matrix.
    power : int, >= 1
        Power passes; one is enough after the mixing of many groups.
    seed : int
    begin : SketchState, optional
        Where an earlier sketch of the same data stood: its passes are not done again.

    References
    ----------
    Halko, Martinsson & Tropp, SIAM Rev. 53, 217 (2011); signed sums: Clarkson & Woodruff, J. ACM 63, 54 (2017).
    """
    weights = matrix.position_weights, matrix.pixel_weights
    root_n, root_m = (engine.asarray(np.sqrt(weight), dtype) for weight in weights)
    width = max(1, min(width, *(int(np.count_nonzero(weight)) for weight in weights)))

    def after(passes: int, directions: Array) -> SketchState:
        basis = engine.to_host(engine.xp.linalg.qr(directions.T)[0].T)
        # as it would be read back: products may round differently in another layout
        return SketchState(passes, products.norm2, np.ascontiguousarray(basis), *weights)

    if begin is None:
        mixed = mixed_positions(products, matrix, OVERSAMPLING * width, seed) * root_m
        state = after(1, _leading(mixed, width, engine, dtype))
    else:
        state = fitting(begin, width, matrix)
    yield state
    while state.passes <= power:
        rows = engine.asarray(state.basis, dtype) * root_m
        both, found = products.through(rows, _scores, root_n)
        both = both * root_m
        if state.passes < power:
            state = after(state.passes + 1, both)
        else:
            basis, core = _spanned(found.here[0], both, engine)
            state = replace(state, passes=power + 1, basis=basis.astype(dtype), core=core.astype(dtype))
        yield state


def _spanned(along: Array, both: Array, engine: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return orthonormal V (l, m) and ``A V'`` (l, n) of A projected on the rows of C, from C and ``C A``.

    Directions of C in which there is nothing but rounding are 0 in the core.
    """
    xp, host = engine.xp, engine.to_host
    precision = float(xp.finfo(along.dtype).eps)
    along, both = xp.astype(along, xp.float64), xp.astype(both, xp.float64)
    # from the largest on: components of rows that differ much in size keep their own precision
    sizes, turn = np.linalg.eigh(host(along @ along.T))
    kept = sizes > sizes[-1] * len(sizes) * precision**2
    inverse = np.divide(1.0, np.sqrt(np.abs(sizes)), out=np.zeros_like(sizes), where=kept)
    inner = engine.asarray((turn * inverse).T)
    basis, triangle = xp.linalg.qr((inner @ both).T)
    return host(basis.T), host((triangle @ inner) @ along)


def mixed_positions(products: DataProducts, matrix: Matrix, size: int, seed: int) -> Array:
    """Return the positions summed with random signs into about `size` groups."""
    rng, n = np.random.default_rng(seed), matrix.n_positions
    size = min(size, n)
    return products.mixed(_in_runs(rng, n, size), rng.choice([-1.0, 1.0], n), size)


def _in_runs(rng: np.random.Generator, n: int, size: int) -> NDArray[np.intp]:
    """Return groups at random, all of about the same length, of which a run of positions sees few, shape (n,).

    A block that is read then has few rows to add to all groups, which would cost as much as reading it.
    """
    share = min(SHARE, max(1, n // (SHARE * size)))
    # every group gets a position, whatever their number
    places = -(-n // share)
    groups = np.concatenate([rng.permutation(size) for _ in range(-(-places // size))])
    runs = [np.tile(groups[start : start + RUN], share) for start in range(0, places, RUN)]
    return np.concatenate([rng.permutation(run) for run in runs])[:n] if share > 1 else groups[:n]


def check_fits(begin: SketchState, matrix: Matrix) -> None:
    """Raise InputError where an earlier sketch is one of data of another size."""
    given = begin.position_weights.size, begin.pixel_weights.size
    if given != (matrix.n_positions, matrix.n_pixels):
        raise InputError(
            "sketch",
            expected=f"one of {matrix.n_positions} positions and {matrix.n_pixels} pixels",
            got=f"one of {given[0]} and {given[1]}",
            hint="go on with the same data and settings, or begin anew",
        )


def fitting(begin: SketchState, width: int, matrix: Matrix) -> SketchState:
    """Return where an earlier sketch stood, if it is one of such a matrix and width."""
    wanted = (width, matrix.n_pixels)
    if begin.basis.shape != wanted or begin.core.size not in (0, width * matrix.n_positions):
        raise InputError(
            "sketch",
            expected=f"{wanted[0]} directions of {wanted[1]} pixels, of {matrix.n_positions} positions",
            got=f"{begin.basis.shape[0]} of {begin.basis.shape[1]}",
            hint="go on with the same data and settings, or begin anew",
        )
    return begin


def leading(rows: NDArray[Any], width: int) -> NDArray[np.float64]:
    """Return the `width` leading directions of some rows, the strongest first, each as large as it is in them."""
    rows = np.asarray(rows, np.float64)
    return np.asarray(_strongest(rows @ rows.T, width) @ rows)


def _leading(rows: Array, width: int, engine: Any, dtype: str) -> Array:
    """Return the same on the device."""
    return engine.asarray(_strongest(engine.to_host(rows @ rows.T), width), dtype) @ rows


def _strongest(gram: NDArray[Any], width: int) -> NDArray[np.float64]:
    """Return the leading eigenvectors of a Gram matrix as rows."""
    return np.ascontiguousarray(np.linalg.eigh(gram.astype(np.float64))[1][:, ::-1][:, :width].T)
