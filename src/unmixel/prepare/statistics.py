"""Numbers about a whole scan in one pass by blocks: mean, variance, least and largest pattern, sums."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import is_lazy
from unmixel.engines.walk import Found
from unmixel.prepare.passes import Look, batches, found_in

_REMEMBERED = 4
_memory: OrderedDict[str, Statistics] = OrderedDict()


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics over the used positions of a scan (those with a position weight above 0).

    Parameters
    ----------
    n_positions : int
        Number of positions used.
    mean, variance : ndarray of float64, shape pattern_shape
        Mean counts and population variance per pixel; NaN where a pixel is not finite somewhere.
    minimum, maximum : ndarray, shape pattern_shape
    at_maximum : ndarray of int, shape pattern_shape
        At how many positions the pixel stands at its own maximum.
    smallest_positive : float
        The smallest value above 0 anywhere; infinite when there is none.
    sums : ndarray of float64, shape scan_shape
        Sum of each pattern, at all positions.
    """

    n_positions: int
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    at_maximum: NDArray[np.int64]
    smallest_positive: float
    sums: NDArray[np.float64]

    @property
    def standard_error(self) -> NDArray[np.float64]:
        """Standard error of the mean pattern, shape pattern_shape."""
        return np.asarray(np.sqrt(self.variance / max(1, self.n_positions)))

    @property
    def saturated(self) -> NDArray[np.bool_]:
        """Pixels that stand at the top value of the whole scan at 3 positions and 5 % of them, or more.

        Only where the top value is above 15: small counts repeat by chance.
        """
        top = np.nanmax(self.maximum)
        often = self.at_maximum >= max(3.0, 0.05 * self.n_positions)
        return np.asarray((self.maximum == top) & often & (top > 15))

    @property
    def finite(self) -> NDArray[np.bool_]:
        """Pixels that hold a finite number at every position, shape pattern_shape."""
        return np.asarray(np.isfinite(self.mean))


class _Sums:
    """Running sums of one pass, pixels unfolded."""

    def __init__(self, n_pixels: int) -> None:
        self.n = 0
        self.shift = np.zeros(n_pixels)
        self.first = np.zeros(n_pixels)
        self.second = np.zeros(n_pixels)
        self.low = np.full(n_pixels, np.inf)
        self.high = np.full(n_pixels, -np.inf)
        self.at_high = np.zeros(n_pixels, np.int64)
        self.least = np.inf

    def add(self, frames: NDArray[Any]) -> None:
        """Add frames, shape (b, n_pixels)."""
        if self.n == 0:
            # whole numbers near the mean: sums of counts stay exact, and nothing cancels in the variance
            self.shift = np.nan_to_num(np.rint(frames.mean(axis=0, dtype=np.float64)), posinf=0, neginf=0)
        centred = frames - self.shift
        self.n += len(frames)
        self.first += centred.sum(axis=0)
        self.second += np.einsum("ij,ij->j", centred, centred)
        self.low = np.minimum(self.low, frames.min(axis=0))
        high = frames.max(axis=0)
        count = (frames == high).sum(axis=0)
        self.at_high = np.where(high > self.high, count, self.at_high + np.where(high == self.high, count, 0))
        self.high = np.maximum(self.high, high)
        top = np.inf if frames.dtype.kind == "f" else frames.max()
        least = float(np.where(frames > 0, frames, top).min())
        if least > 0:
            self.least = min(self.least, least)

    def __add__(self, more: _Sums) -> _Sums:
        """Return the sums of the frames of both; exact for counts, since shifts are whole numbers."""
        if not (self.n and more.n):
            return self if self.n else more
        total, by = _Sums(self.first.size), more.shift - self.shift
        total.n, total.shift = self.n + more.n, self.shift
        with np.errstate(invalid="ignore"):
            total.first = self.first + more.first + more.n * by
            total.second = self.second + more.second + (2 * more.first + more.n * by) * by
        total.low, total.high = np.minimum(self.low, more.low), np.maximum(self.high, more.high)
        counts = (np.where(part.high == total.high, part.at_high, 0) for part in (self, more))
        total.at_high = np.asarray(sum(counts))
        total.least = min(self.least, more.least)
        return total


def used_positions(scan: Scan) -> NDArray[np.bool_]:
    """Return which positions have a weight above 0, shape (n_positions,)."""
    if scan.position_weights is None:
        return np.ones(scan.n_positions, bool)
    return np.asarray(scan.position_weights > 0).reshape(-1)


def pattern_statistics(scan: Scan) -> Statistics:
    """Return the statistics of a scan, reading it once, block by block.

    The last few results for lazy data are remembered (under the name dask gives to the data), so that the
    steps of one recipe read an unchanged file once.

    Parameters
    ----------
    scan : Scan

    Raises
    ------
    InputError
        When no position is used.

    Examples
    --------
    >>> pattern_statistics(Scan.from_array(np.arange(12.0).reshape(2, 2, 3))).mean.tolist()
    [4.5, 5.5, 6.5]
    """
    key = _key(scan, used_positions(scan))
    if key in _memory:
        _memory.move_to_end(key)
        return _memory[key]
    return statistics_beside(scan)[0]


def statistics_beside(
    scan: Scan, other: Look | None = None, *along: NDArray[Any]
) -> tuple[Statistics, Found]:
    """Return the statistics of a scan and what something else finds in it: one reading serves both.

    Parameters
    ----------
    scan : Scan
    other : Look, optional
    *along : ndarray, shape (..., n)
        What `other` wants to know of each position.

    Raises
    ------
    InputError
        When no position is used.
    """
    used = used_positions(scan)
    if not used.any():
        raise InputError(
            "position_weights", expected="some above 0", got="0 everywhere", hint="leave fewer positions out"
        )
    found = found_in(_Look(other), scan.data, len(scan.scan_axes), used, *along)
    told = _told(scan, found.sums[0], found.here[0])
    if key := _key(scan, used):
        _memory[key] = told
        while len(_memory) > _REMEMBERED:
            _memory.popitem(last=False)
    return told, Found(found.here[1:], found.sums[1:])


def _key(scan: Scan, used: NDArray[np.bool_]) -> str:
    """Return a name for the used positions of lazy data; empty for others."""
    if not is_lazy(scan.data):
        return ""
    return f"{scan.data.name}/{scan.scan_shape}/{hashlib.sha256(used.tobytes()).hexdigest()}"


@dataclass(frozen=True, eq=False)
class _Look(Look):
    """Along: whether a position is used. Here: the sum of its pattern. Sums: `_Sums` of the used ones.

    What `other` wants and finds comes after these.
    """

    other: Look | None = None

    def on_host(self, values: NDArray[Any], *along: NDArray[Any]) -> Found:
        """Return what is found in a block."""
        used, *rest = along
        running, sums = _Sums(values.shape[1]), np.zeros(len(values))
        with np.errstate(invalid="ignore"):
            for part in batches(values):
                sums[part] = values[part].sum(axis=1, dtype=np.float64)
                if used[part].any():
                    running.add(values[part] if used[part].all() else values[part][used[part]])
            also = Found() if self.other is None else self.other.on_host(values, *rest)
        return Found((sums, *also.here), (running, *also.sums))


def _told(scan: Scan, running: _Sums, sums: NDArray[np.float64]) -> Statistics:
    with np.errstate(invalid="ignore"):
        mean = running.first / running.n
        variance = np.maximum(running.second / running.n - mean**2, 0)
    shape = scan.pattern_shape
    return Statistics(
        n_positions=running.n,
        mean=(mean + running.shift).reshape(shape),
        variance=variance.reshape(shape),
        minimum=running.low.reshape(shape),
        maximum=running.high.reshape(shape),
        at_maximum=running.at_high.reshape(shape),
        smallest_positive=running.least,
        sums=sums.reshape(scan.scan_shape),
    )


def finite_statistics(scan: Scan) -> Statistics:
    """Return `pattern_statistics`, refusing data with used pixels that are not finite numbers.

    Raises
    ------
    InputError
        When a used pixel is NaN or infinite somewhere.
    """
    return must_be_finite(scan, pattern_statistics(scan))


def must_be_finite(scan: Scan, found: Statistics) -> Statistics:
    """Return the statistics of a scan; raise InputError where they tell of used pixels that are not finite."""
    bad = ~found.finite
    if scan.pixel_weights is not None:
        bad &= scan.pixel_weights > 0
    if bad.any():
        raise InputError(
            "data",
            expected="finite numbers",
            got=f"NaN or infinity in {int(bad.sum())} of {bad.size} pixels",
            hint="apply the step repair first",
        )
    return found
