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
from unmixel.engines.blocks import DEFAULT_BUDGET, Block, BlockReader
from unmixel.factorize.places import Cells, Peak, find_peaks, threshold_for
from unmixel.factorize.start import GivenStart

Float = NDArray[np.float64]

TILE = 262_144
"""Numbers of one array that is worked on at once, so that copies stay in fast memory."""


def leftovers(factors: Factors, matrix: Matrix, *, peaks: int = 6, budget: int = DEFAULT_BUDGET) -> Leftovers:
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
        Bytes of working memory.

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
    look = _Look.of(factors, matrix, gain, budget)
    cells = Cells.of(matrix, budget)
    chi = look.chi_square(cells)
    found = find_peaks(cells, gain, peaks) if peaks and matrix.scan_grid.shape else []
    patterns, counts = look.patterns_of([peak.weights for peak in found])
    maps = np.array([_spread(peak, c) for peak, c in zip(found, counts, strict=True)])
    scan_shape, pattern_shape = matrix.scan_grid.shape, matrix.pattern_grid.shape
    places = [np.unravel_index(peak.position, scan_shape) for peak in found]
    return Leftovers(
        z_map=chi.map.reshape(scan_shape).astype(np.float32),
        z_pattern=chi.pattern.reshape(pattern_shape).astype(np.float32),
        gain=float(gain),
        threshold=threshold_for(max(1, int(look.kept.sum()))),
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
class _Look:
    """The data beside their model, block by block."""

    matrix: Matrix
    maps: NDArray[np.float32]
    patterns: NDArray[np.float32]
    used: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    floor: float
    gain: float
    reader: BlockReader

    @classmethod
    def of(cls, factors: Factors, matrix: Matrix, gain: float, budget: int) -> _Look:
        used, kept = matrix.pixel_weights > 0, matrix.position_weights > 0
        k = factors.n_components
        maps = factors.maps.reshape(k, -1).astype(np.float32)
        patterns = factors.patterns.reshape(k, -1).astype(np.float32)
        fewer = max(1, min(int(kept.sum()), int(used.sum())))
        reader = BlockReader(matrix.data, matrix.n_scan_axes, budget // 2)
        return cls(matrix, maps, patterns, used, kept, gain * float(np.sqrt(2 / fewer)), gain, reader)

    def _parts(self, block: Block) -> Iterator[tuple[NDArray[np.intp], NDArray[Any], NDArray[Any]]]:
        """Yield positions, residual and model of some kept positions at a time, shape (b, m), 0 where masked."""
        chosen = np.flatnonzero(self.kept[block.positions])
        step = max(4, TILE // self.matrix.n_pixels)
        for start in range(0, chosen.size, step):
            rows = chosen[start : start + step]
            positions = block.positions[rows]
            model = self.maps[:, positions].T @ self.patterns
            difference = block.values[rows].astype(np.float32) - model
            difference[:, ~self.used] = 0
            model[:, ~self.used] = 0
            yield positions, difference, model

    def chi_square(self, cells: Cells) -> _ChiSquare:
        """Return the deviations of chi-square, filling the cells with residual and model on the way."""
        n, m = self.matrix.n_positions, self.matrix.n_pixels
        by_position, by_pixel = np.zeros((3, n)), np.zeros((3, m))
        engine = registry.load("engines", "numpy")()
        g, floor = np.float32(self.gain), np.float32(self.floor)
        counted = self.used.astype(np.float32)

        def on_block(i: int) -> Float:
            own = np.zeros((3, m))
            for positions, difference, model in self._parts(self.reader.load(i)):
                cells.fill(positions, difference, model)
                inverse = 1 / np.maximum(model, floor)
                difference *= difference
                difference *= inverse
                model *= inverse  # 1 but where the model is below the floor
                inverse *= g**3
                inverse += 2 * g * g * model
                inverse *= model
                model *= g
                ones = np.ones(len(model), np.float32)
                for row, term in enumerate((difference, model, inverse)):
                    by_position[row, positions] = term @ counted
                    own[row] += ones @ term
            return own

        with engine.threads():
            for own in engine.each(on_block, range(len(self.reader))):
                by_pixel += own
        electron = (self.gain**2 / self.floor) ** 2
        n_used, n_kept = int(self.used.sum()), int(self.kept.sum())
        present = (self.maps > 1e-9 * self.maps.max(axis=1, keepdims=True, initial=0.0)).sum(axis=0)
        shown = (self.patterns > 1e-9 * self.patterns.max(axis=1, keepdims=True, initial=0.0)).sum(axis=0)
        return _ChiSquare(
            _deviation(by_position, self.kept, present / max(1, n_used), electron),
            _deviation(by_pixel, self.used, shown / max(1, n_kept), electron),
        )

    def patterns_of(self, weights: list[Float]) -> tuple[Float, Float]:
        """Return the residual patterns of regions, shape (p, m), each of sum 1, and their counts, shape (p,).

        One standard error is taken off every pixel before what is negative is cut, so that noise adds little.
        """
        p, m = len(weights), self.matrix.n_pixels
        total, variance = np.zeros((p, m)), np.zeros((p, m))
        rows = np.array(weights, np.float32).reshape(p, self.matrix.n_positions)
        wanted = np.asarray(rows.any(axis=0))
        for i in range(len(self.reader) if p else 0):
            block = self.reader.load(i)
            if not wanted[block.positions].any():
                continue
            for positions, difference, model in self._parts(block):
                total += rows[:, positions] @ difference
                variance += rows[:, positions] ** 2 @ np.maximum(model, self.floor)
        variance[:, ~self.used] = 0
        beyond = np.maximum(total - np.sqrt(self.gain * variance), 0.0)
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
