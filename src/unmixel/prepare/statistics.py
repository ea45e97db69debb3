"""Numbers about a whole scan in one pass by blocks: mean, variance, least and largest pattern, sums."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import DEFAULT_BUDGET, BlockReader, read_once
from unmixel.engines.lazy import as_array, is_lazy
from unmixel.engines.walk import Block, Found, Task

Witness = Callable[[NDArray[Any], NDArray[np.intp]], None]
"""Sees frames, shape (b, n_pixels), and their positions."""

BATCH_BYTES = 8_000_000
"""Bytes of frames that are looked at together, so that float64 copies stay small."""

_ENGINE: ContextVar[Any] = ContextVar("unmixel_statistics_engine", default=(None, 0))

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
        total.first = self.first + more.first + more.n * by
        total.second = self.second + more.second + (2 * more.first + more.n * by) * by
        total.low, total.high = np.minimum(self.low, more.low), np.maximum(self.high, more.high)
        counts = (np.where(part.high == total.high, part.at_high, 0) for part in (self, more))
        total.at_high = np.asarray(sum(counts))
        total.least = min(self.least, more.least)
        return total


@contextmanager
def walked_by(engine: Any, budget: int = DEFAULT_BUDGET) -> Iterator[None]:
    """While this is entered, an engine goes through lazy data for statistics: steps know nothing of engines.

    Parameters
    ----------
    engine : Engine or None
        None for this process.
    budget : int
        Bytes for blocks, of each worker where the engine has any.
    """
    token = _ENGINE.set((engine, budget))
    try:
        yield
    finally:
        _ENGINE.reset(token)


def batches(frames: NDArray[Any]) -> Iterator[slice]:
    """Yield slices over the rows of `frames` that hold at most `BATCH_BYTES` as float64."""
    step = max(1, BATCH_BYTES // max(1, 8 * frames.shape[1]))
    for start in range(0, len(frames), step):
        yield slice(start, start + step)


def used_positions(scan: Scan) -> NDArray[np.bool_]:
    """Return which positions have a weight above 0, shape (n_positions,)."""
    if scan.position_weights is None:
        return np.ones(scan.n_positions, bool)
    return np.asarray(scan.position_weights > 0).reshape(-1)


def pattern_statistics(scan: Scan, *, beside: Witness | None = None) -> Statistics:
    """Return the statistics of a scan, reading it once, block by block.

    The last few results for lazy data are remembered (under the name dask gives to the data), so that the
    steps of one recipe read an unchanged file once.

    Parameters
    ----------
    scan : Scan
    beside : callable(frames, positions), optional
        Sees every frame too, shapes (b, n_pixels) and (b,), so that one reading serves both; the scan is read then
        in any case.

    Raises
    ------
    InputError
        When no position is used.

    Examples
    --------
    >>> pattern_statistics(Scan.from_array(np.arange(12.0).reshape(2, 2, 3))).mean.tolist()
    [4.5, 5.5, 6.5]
    """
    used = used_positions(scan)
    if not used.any():
        raise InputError(
            "position_weights", expected="some above 0", got="0 everywhere", hint="leave fewer positions out"
        )
    key = ""
    if is_lazy(scan.data):
        key = f"{scan.data.name}/{scan.scan_shape}/{hashlib.sha256(used.tobytes()).hexdigest()}"
        if key in _memory and beside is None:
            _memory.move_to_end(key)
            return _memory[key]
    found = _measure(scan, used, beside)
    if key:
        _memory[key] = found
        while len(_memory) > _REMEMBERED:
            _memory.popitem(last=False)
    return found


@dataclass(frozen=True, eq=False)
class _Look(Task):
    """Along: whether a position is used. Here: the sum of its pattern. Sums: `_Sums` of the used ones."""

    def __call__(self, engine: Any, block: Block, *along: Any) -> Found:
        """Return what is found in a block."""
        values, used = engine.to_host(block.values), engine.to_host(along[0])
        running, sums = _Sums(values.shape[1]), np.zeros(len(values))
        with np.errstate(invalid="ignore"):
            for part in batches(values):
                sums[part] = values[part].sum(axis=1, dtype=np.float64)
                if used[part].any():
                    running.add(values[part][used[part]])
        return Found((engine.asarray(sums),), (running,))


def _measure(scan: Scan, used: NDArray[np.bool_], beside: Witness | None) -> Statistics:
    engine, budget = _ENGINE.get()
    if engine is None or beside is not None or not is_lazy(scan.data):
        return _told(scan, *_here(scan, used, beside))
    n_scan_axes = len(scan.scan_axes)
    blocks = engine.resident(BlockReader(as_array(scan.data, n_scan_axes), n_scan_axes, budget))
    found = engine.walk(_Look(), blocks, (used,))
    return _told(scan, found.sums[0], np.asarray(engine.to_host(found.here[0])))


def _here(scan: Scan, used: NDArray[np.bool_], beside: Witness | None) -> tuple[_Sums, NDArray[np.float64]]:
    """Return the sums over used frames and those of every frame, read in this process."""
    n_scan_axes = len(scan.scan_axes)
    running = _Sums(scan.n_pixels)
    sums = np.zeros(scan.n_positions)
    with np.errstate(invalid="ignore"):
        for block in read_once(as_array(scan.data, n_scan_axes), n_scan_axes):
            for part in batches(block.values):
                frames, positions = block.values[part], block.positions[part]
                sums[positions] = frames.sum(axis=1, dtype=np.float64)
                if beside is not None:
                    beside(frames, positions)
                chosen = used[positions]
                if chosen.any():
                    running.add(frames if chosen.all() else frames[chosen])
    return running, sums


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


def finite_statistics(scan: Scan, *, beside: Witness | None = None) -> Statistics:
    """Return `pattern_statistics`, refusing data with used pixels that are not finite numbers.

    Raises
    ------
    InputError
        When a used pixel is NaN or infinite somewhere.
    """
    found = pattern_statistics(scan, beside=beside)
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
