"""What the model leaves of the data: how significant it is, where it sits, and a start that takes it in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core import registry
from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.results import Factors, Leftovers
from unmixel.engines.base import Blocks
from unmixel.engines.blocks import DEFAULT_BUDGET, BlockReader
from unmixel.engines.walk import Block, Found, Task
from unmixel.factorize.places import CellGrid, Cells, Peak, find_peaks, threshold_for
from unmixel.factorize.start import GivenStart

Float = NDArray[np.float64]

TILE = 262_144
"""Numbers of one array that is worked on at once, so that copies stay in fast memory."""


def leftovers(
    factors: Factors,
    matrix: Matrix,
    *,
    peaks: int = 6,
    budget: int = DEFAULT_BUDGET,
    engine: Any = "numpy",
) -> Leftovers:
    """Return what a model leaves of its data, from two passes over them (one where no place stands out).

    Chi-square per position and pixel is compared with what Poisson counts leave. With the matrix's gain g one value
    ``(x - model)^2 / v`` has the mean ``g model / v`` and the variance ``(g^3 model + 2 g^2 model^2) / v^2``; a sum of
    M values is expected lower by the share of the numbers that were fitted to them. v is the model, but
    ``g sqrt(2 / M)`` at least (M the fewer of positions and pixels), so that one electron in the dark cannot move a
    sum by more than half of its standard deviation.

    Places: the residual is summed over cells of the detector and smoothed over positions (`places`); where it exceeds
    the noise of counts in some cells, the place is a peak, and the region around it gives map and pattern.

    Parameters
    ----------
    factors : Factors
    matrix : Matrix
        The data of the fit, with its gain.
    peaks : int, >= 0
        Largest number of places.
    budget : int
        Bytes of working memory; of each worker too, where the engine has any.
    engine : Engine or its name
        Goes through the data: with a `DaskEngine` workers read them, and send for each position its counts in at
        most 1024 cells, no more than a twelfth of the budget.

    Raises
    ------
    InputError
        Where `peaks` is out of range, or the factors do not belong to the matrix.

    Examples
    --------
    >>> from unmixel.dataset.scan import Scan
    >>> from unmixel.factorize.model import NMF
    >>> scan = Scan.from_array(np.random.default_rng(0).poisson(9.0, (7, 8, 30)))
    >>> left = leftovers(NMF(1).factorize(scan), Matrix.from_scan(scan))
    >>> left.n_peaks, bool(abs(left.z_map).max() < 5)
    (0, True)
    """
    n, m, gain = matrix.n_positions, matrix.n_pixels, matrix.gain
    if peaks < 0 or factors.maps[0].size != n or factors.patterns[0].size != m:
        raise InputError(
            "leftovers",
            expected="a number of peaks >= 0, and the matrix that the factors were fitted to",
            got=f"{peaks} peaks, maps of {factors.maps[0].size} positions, a matrix of {n}",
            hint="give Matrix.from_scan(prepared_scan)",
        )
    left = _Left.of(factors, matrix, budget, engine)
    chi, cells = left.chi_square(CellGrid.of(matrix, budget))
    found = find_peaks(cells, gain, peaks) if peaks and matrix.scan_grid.shape else []
    patterns, counts = left.patterns_of([peak.weights for peak in found])
    maps = np.array([_spread(peak, c) for peak, c in zip(found, counts, strict=True)])
    scan_shape, pattern_shape = matrix.scan_grid.shape, matrix.pattern_grid.shape
    places = [np.unravel_index(peak.position, scan_shape) for peak in found]
    return Leftovers(
        z_map=chi.map.reshape(scan_shape).astype(np.float32),
        z_pattern=chi.pattern.reshape(pattern_shape).astype(np.float32),
        gain=float(gain),
        threshold=threshold_for(max(1, int(left.kept.sum()))),
        places=np.array(places, np.int64).reshape(len(found), len(scan_shape)),
        significance=np.array([peak.significance for peak in found], np.float64),
        counts=counts,
        maps=maps.reshape(len(found), *scan_shape).astype(np.float32),
        patterns=patterns.reshape(len(found), *pattern_shape).astype(np.float32),
    )


def promoted(factors: Factors, left: Leftovers, count: int) -> GivenStart:
    """Return a start with the fitted components and, after them, up to `count` structures of the residual.

    Parameters
    ----------
    factors : Factors
    left : Leftovers
        Of these factors.
    count : int, >= 0

    Examples
    --------
    >>> start = promoted(factors, left, 2)  # doctest: +SKIP
    >>> NMF(len(start.maps), start=start, sketch_sweeps=0).factorize(scan)  # doctest: +SKIP
    """
    maps, patterns = left.maps[:count], left.patterns[:count]
    return GivenStart(np.concatenate([factors.maps, maps]), np.concatenate([factors.patterns, patterns]))


def _spread(peak: Peak, counts: float) -> Float:
    """Return the counts of a peak spread over its region."""
    total = float(peak.weights.sum())
    return peak.weights * (counts / total if total > 0 else 0.0)


@dataclass(frozen=True, eq=False)
class _ChiSquare:
    """Deviation of chi-square from its expectation in standard deviations, per position and per pixel."""

    map: Float
    pattern: Float


@dataclass(frozen=True, eq=False)
class _Beside:
    """Patterns beside their model.

    Parameters
    ----------
    patterns : ndarray of float32, shape (k, m)
    used : ndarray of bool, shape (m,)
    floor : float
        Least model that a residual is compared with.
    gain : float
    """

    patterns: NDArray[np.float32]
    used: NDArray[np.bool_]
    floor: float
    gain: float

    def parts(
        self, values: NDArray[Any], kept: NDArray[np.bool_], maps: NDArray[np.float32]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[Any], NDArray[Any]]]:
        """Yield rows, data and model of some kept positions at a time, shape (b, m), 0 where masked."""
        chosen = np.flatnonzero(kept)
        step = max(4, TILE // values.shape[1])
        for start in range(0, chosen.size, step):
            rows = chosen[start : start + step]
            data = values[rows].astype(np.float32)
            model = maps[:, rows].T @ self.patterns
            data[:, ~self.used] = 0
            model[:, ~self.used] = 0
            yield rows, data, model


@dataclass(frozen=True, eq=False)
class _Terms(Task):
    """Chi-square, its expectation and its variance. Along: whether a position is kept, and its maps, (k, b).

    Here: the three summed over pixels, (3, b), and the data in cells, (c, b). Sums: over positions, (3, m).
    """

    beside: _Beside
    cells: CellGrid

    def __call__(self, engine: Any, block: Block, *along: Any) -> Found:
        """Return what is found in a block."""
        kept, maps = map(np.asarray, along)
        values = engine.to_host(block.values)
        here, sums = np.zeros((3, kept.size)), np.zeros((3, values.shape[1]))
        in_cells = np.zeros((len(self.cells), kept.size), np.float32)
        g, floor = np.float32(self.beside.gain), np.float32(self.beside.floor)
        counted = self.beside.used.astype(np.float32)
        for rows, data, model in self.beside.parts(values, kept, maps):
            in_cells[:, rows] = self.cells.sums(data).T
            difference = data
            difference -= model
            inverse = 1 / np.maximum(model, floor)
            difference *= difference
            difference *= inverse
            model *= inverse  # 1 but where the model is below the floor
            inverse *= g**3
            inverse += 2 * g * g * model
            inverse *= model
            model *= g
            ones = np.ones(len(model), np.float32)
            for i, term in enumerate((difference, model, inverse)):
                here[i, rows] = term @ counted
                sums[i] += ones @ term
        return Found((engine.asarray(here), engine.asarray(in_cells)), (engine.asarray(sums),))


@dataclass(frozen=True, eq=False)
class _Regions(Task):
    """Along: as of `_Terms`, and weights in p regions, (p, b). Sums: residual and variance of each, (p, m)."""

    beside: _Beside

    def __call__(self, engine: Any, block: Block, *along: Any) -> Found:
        """Return what is found in a block."""
        kept, maps, weights = map(np.asarray, along)
        values = engine.to_host(block.values)
        total, variance = np.zeros((2, len(weights), values.shape[1]))
        wanted = kept if weights.any() else np.zeros_like(kept)
        for rows, data, model in self.beside.parts(values, wanted, maps):
            total += weights[:, rows] @ (data - model)
            variance += weights[:, rows] ** 2 @ np.maximum(model, self.beside.floor)
        return Found(sums=(engine.asarray(total), engine.asarray(variance)))


@dataclass(frozen=True, eq=False)
class _Left:
    """What is left of a matrix, as passes over its data find it.

    Parameters
    ----------
    matrix : Matrix
    maps : ndarray of float32, shape (k, n)
    beside : _Beside
    blocks : Blocks
        Values where the engine computes.
    engine : Engine
    """

    matrix: Matrix
    maps: NDArray[np.float32]
    beside: _Beside
    blocks: Blocks
    engine: Any

    @classmethod
    def of(cls, factors: Factors, matrix: Matrix, budget: int, engine: Any) -> _Left:
        """Return what factors leave, with the data where an engine (or the one of that name) computes."""
        # entries of sparse data lie in this process
        engine = registry.plugin("engines", "numpy" if hasattr(matrix.data, "tocsr") else engine)
        k = factors.n_components
        maps, patterns = (f.reshape(k, -1).astype(np.float32) for f in (factors.maps, factors.patterns))
        used = matrix.pixel_weights > 0
        fewer = max(1, min(int((matrix.position_weights > 0).sum()), int(used.sum())))
        floor = matrix.gain * float(np.sqrt(2 / fewer))
        blocks = engine.resident(BlockReader(matrix.data, matrix.n_scan_axes, budget))
        return cls(matrix, maps, _Beside(patterns, used, floor, matrix.gain), blocks, engine)

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which positions are not left out, shape (n,)."""
        return self.matrix.position_weights > 0

    def _walk(self, task: Task, *along: NDArray[Any]) -> Found:
        with self.engine.threads():
            found = self.engine.walk(task, self.blocks, (self.kept, self.maps, *along))
        here, sums = (tuple(map(self.engine.to_host, parts)) for parts in (found.here, found.sums))
        return Found(here, sums)

    def chi_square(self, grid: CellGrid) -> tuple[_ChiSquare, Cells]:
        """Return the deviations of chi-square, and the sums of residual and model over cells."""
        patterns, used = self.beside.patterns, self.beside.used
        found = self._walk(_Terms(self.beside, grid))
        (by_position, in_cells), (by_pixel,) = found.here, found.sums
        electron = (self.beside.gain**2 / self.beside.floor) ** 2
        n_used, n_kept = int(used.sum()), int(self.kept.sum())
        present = (self.maps > 1e-9 * self.maps.max(axis=1, keepdims=True, initial=0.0)).sum(axis=0)
        shown = (patterns > 1e-9 * patterns.max(axis=1, keepdims=True, initial=0.0)).sum(axis=0)
        chi = _ChiSquare(
            _deviation(by_position, self.kept, present / max(1, n_used), electron),
            _deviation(by_pixel, used, shown / max(1, n_kept), electron),
        )
        # sums over pixels and products with maps may change places: of the model nothing need be sent, and of counts
        # whole numbers
        model = np.where(self.kept, self.maps, 0).T @ grid.sums(np.where(used, patterns, 0))
        return chi, Cells(self.matrix.scan_grid.shape, in_cells.T - model, model)

    def patterns_of(self, weights: list[Float]) -> tuple[Float, Float]:
        """Return the residual patterns of regions, shape (p, m), each of sum 1, and their counts, shape (p,).

        One standard error is taken off every pixel before what is negative is cut, so that noise adds little.
        """
        if not weights:
            return np.zeros((0, self.matrix.n_pixels)), np.zeros(0)
        total, variance = self._walk(_Regions(self.beside), np.array(weights, np.float32)).sums
        variance[:, ~self.beside.used] = 0
        beyond = np.maximum(total - np.sqrt(self.beside.gain * variance), 0.0)
        counts = beyond.sum(axis=1)
        return beyond / np.where(counts > 0, counts, 1.0)[:, None], counts


def _deviation(sums: Float, chosen: NDArray[np.bool_], fitted: Float, electron: float) -> Float:
    """Return (chi-square - expected) / standard deviation, NaN where left out.

    Parameters
    ----------
    sums : ndarray, shape (3, n)
        Chi-square, its expectation and its variance, each summed over the other side.
    chosen : ndarray of bool, shape (n,)
    fitted : ndarray, shape (n,)
        Share of what noise leaves that the fit has taken: free values over values.
    electron : float
        Variance of chi-square where one electron is expected in the dark: the least that is assumed.
    """
    chi, expected, variance = sums
    spread = np.sqrt(np.maximum(variance, electron))
    return np.asarray(np.where(chosen, (chi - expected * (1 - fitted)) / spread, np.nan))
