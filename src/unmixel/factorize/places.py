"""Places of a scan where a residual sticks out of the noise: cells of the detector, smoothed over positions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix

Float = NDArray[np.float64]

WIDTH = 1.5
"""Standard deviation of the smoothing over positions, in scan steps."""

MOST_CELLS = 1024
BYTES_PER_VALUE = 24
"""Of every cell and position: sums of residual and model, and what is made of them."""

ABOVE = 2.0
"""Standard deviations above which a cell counts towards the score of a place."""

CHANCE = 0.05
"""Chance of one false peak in a scan of nothing but noise (an upper bound)."""

FEWEST = 3.0
"""Electrons that a smoothed cell is taken to expect at least: one electron in the dark is no structure."""

REGION = 0.35
"""Share of its peak above which positions belong to a place."""


@dataclass(frozen=True)
class CellGrid:
    """Rectangular cells of the detector.

    Parameters
    ----------
    pattern_shape, cell : tuple of int
        `cell` is the size of a cell along each pattern axis, in pixels.
    """

    pattern_shape: tuple[int, ...]
    cell: tuple[int, ...]

    @classmethod
    def of(cls, matrix: Matrix, budget: int) -> CellGrid:
        """Return the cells for a matrix: at most 1024, fewer where they would take half of the budget."""
        shape, n = matrix.pattern_grid.shape, matrix.n_positions
        most = int(np.clip(budget // (2 * BYTES_PER_VALUE * n), 16, MOST_CELLS))
        cell = [1] * len(shape)
        while math.prod(-(-size // c) for size, c in zip(shape, cell, strict=True)) > most:
            longest = int(np.argmax([size / c for size, c in zip(shape, cell, strict=True)]))
            cell[longest] += 1
        return cls(shape, tuple(cell))

    def __len__(self) -> int:
        """Return the number of cells."""
        return math.prod(-(-size // c) for size, c in zip(self.pattern_shape, self.cell, strict=True))

    def sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the sums over cells of values, shape (b, m) to (b, c)."""
        folded = values.reshape(-1, *self.pattern_shape)
        for axis, (size, cell) in enumerate(zip(self.pattern_shape, self.cell, strict=True), start=1):
            folded = np.add.reduceat(folded, np.arange(0, size, cell), axis=axis)
        return folded.reshape(len(values), -1)


@dataclass(frozen=True, eq=False)
class Cells:
    """Sums of residual and model over cells of the detector, for every position.

    Parameters
    ----------
    scan_shape : tuple of int
    residual, model : ndarray of float32, shape (n, c)
        0 where positions are left out.
    """

    scan_shape: tuple[int, ...]
    residual: NDArray[np.float32]
    model: NDArray[np.float32]

    def deviations(self, gain: float) -> NDArray[np.float32]:
        """Return how far the smoothed residual exceeds its noise, in standard deviations, shape (n, c).

        Counts are taken by their root, ``2 (sqrt(N + 3/8) - sqrt(mu + 3/8))``, which is nearly normal from few
        electrons on. What is left alike at most positions (the median of a cell) is taken off, because it is not
        localised, and a spread above that of counts is divided by.

        References
        ----------
        Anscombe, Biometrika 35, 246 (1948).
        """
        line = np.exp(-0.5 * (np.arange(-5, 6) / WIDTH) ** 2)
        expected, second = self._smooth(self.model, line), self._smooth(self.model, line**2)
        unit = gain * np.divide(second, expected, out=np.ones_like(second), where=expected > 0)
        lit = np.asarray(self.model.any(axis=1))
        beyond = self._smooth(self.residual, line)
        if not lit.any():
            return beyond
        cover = self._smooth(lit[:, None].astype(np.float32), line)
        beyond -= cover * np.median(beyond[lit] / cover[lit], axis=0)
        mean = np.maximum(expected / unit, FEWEST)
        counted = np.maximum(mean + beyond / unit, 0.0)
        z = 2 * (np.sqrt(counted + 0.375) - np.sqrt(mean + 0.375))
        z[~lit] = 0
        bright = np.abs(z[(expected > FEWEST * unit) & lit[:, None]])
        return np.asarray(z / max(1.0, 1.4826 * float(np.median(bright)) if bright.size else 1.0))

    def _smooth(self, values: NDArray[np.float32], line: Float) -> NDArray[np.float32]:
        from scipy.ndimage import correlate1d

        folded = values.reshape(*self.scan_shape, -1)
        for axis in range(len(self.scan_shape)):
            folded = correlate1d(folded, line, axis=axis, mode="constant")
        return folded.reshape(values.shape)


@dataclass(frozen=True, eq=False)
class Peak:
    """One place: flat position of its summit, its significance, and its region as weights in [0, 1], shape (n,)."""

    position: int
    significance: float
    weights: Float


def find_peaks(cells: Cells, gain: float, count: int) -> list[Peak]:
    """Return at most `count` places that noise does not explain, most significant first.

    The score of a place is the sum over cells of ``max(z - 2, 0)^2``: a crystal that is missing shows in a few cells,
    wherever they are. Chernoff's bound of its tail for normal z, or the largest cell alone among all cells, makes it
    a significance. A region is what hangs
    together with the summit above 35 % of it, along the summit's own cells; it is taken out before the next search.

    Parameters
    ----------
    cells : Cells
    gain : float
    count : int
    """
    z = cells.deviations(gain)
    tail = _Tail.of(z.shape[1])
    score = np.asarray(np.sum(np.maximum(z - ABOVE, 0) ** 2, axis=1, dtype=np.float64))
    least = threshold_for(max(1, int(cells.model.any(axis=1).sum())))
    found: list[Peak] = []
    while len(found) < count:
        summit = int(np.argmax(score))
        significance = tail.significance(float(score[summit]), float(z[summit].max()))
        if significance < least:
            break
        direction = np.maximum(z[summit] - ABOVE, 0)
        along = z @ direction / float(z[summit] @ direction)
        region = _region(along.reshape(cells.scan_shape), summit, cells.scan_shape)
        found.append(Peak(summit, significance, np.where(region, np.clip(along, 0, 1), 0.0)))
        score[_grown(region, cells.scan_shape)] = 0
    return found


def _region(along: NDArray[Any], summit: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return what hangs together with the summit above `REGION`, flat."""
    from scipy.ndimage import label

    labels, _ = label(along >= REGION, structure=np.ones((3,) * len(shape)))
    return np.asarray(labels.reshape(-1) == labels.reshape(-1)[summit])


def _grown(region: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the region and what the smoothing spreads it to."""
    from scipy.ndimage import binary_dilation

    every = np.ones((3,) * len(shape), bool)
    return np.asarray(
        binary_dilation(region.reshape(shape), every, iterations=math.ceil(2 * WIDTH)).reshape(-1)
    )


def threshold_for(n_positions: int) -> float:
    """Return the significance that noise passes anywhere in a scan with a chance of 5 % at most.

    Examples
    --------
    >>> round(threshold_for(4096), 2)
    4.22
    """
    from scipy.stats import norm

    return float(norm.isf(CHANCE / n_positions))


@dataclass(frozen=True, eq=False)
class _Tail:
    """Tail of the score of noise: log of the moment-generating function of one cell on a grid of slopes."""

    n_cells: int
    slopes: Float
    logs: Float

    @classmethod
    def of(cls, n_cells: int) -> _Tail:
        slopes = np.linspace(0.0, 0.495, 100)
        beyond = np.linspace(0.0, 60.0, 6001)
        density = np.exp(-0.5 * (beyond + ABOVE) ** 2 + np.multiply.outer(slopes, beyond**2)) / math.sqrt(
            2 * math.pi
        )
        below = 0.5 * math.erfc(-ABOVE / math.sqrt(2))
        return cls(n_cells, slopes, np.log(below + np.trapezoid(density, beyond, axis=1)))

    def significance(self, score: float, largest: float) -> float:
        """Return in standard deviations how unlikely a place is, by its score or by its largest cell alone."""
        from scipy.special import log_ndtr, ndtri_exp

        by_score = float(np.min(self.n_cells * self.logs - self.slopes * score))
        by_cell = math.log(self.n_cells) + float(log_ndtr(-largest))
        # twice: either may make a place
        return float(-ndtri_exp(min(min(by_score, by_cell) + math.log(2), math.log(0.5))))
