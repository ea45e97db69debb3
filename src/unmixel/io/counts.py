"""What the numbers of a scan are, from a sample: whole or scaled counts, saturation, dead pixels, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.io.sample import Sample

_DENOMINATORS = (2, 3, 4, 5, 6, 8, 9, 10, 12, 16, 20, 25, 32, 36, 49, 64, 100, 256)
_FLAT = 400_000


@dataclass(frozen=True)
class Counts:
    """Facts about the values of a sample.

    Parameters
    ----------
    n_frames : int
        Patterns looked at.
    mean, spread, low, high : float
        Mean and standard deviation of the counts per pattern; smallest and largest single value.
    zeros : float
        Share of values that are 0.
    whole : bool
        Whether all values are whole numbers, whatever their type.
    denominator : int
        d > 1 where all values are multiples of 1/d, as averages of d readings are; else 1.
    step : int
        Largest whole number that divides all values (1 for plain counts).
    threshold : int
        Smallest value above 0; large where weak counts were cut.
    n_nan, n_negative : int
        Values that are not finite, and negative ones.
    saturated_at : float
        Value where readings pile up; NaN where they do not.
    n_saturated : int
        Pixels that reach it in some pattern.
    n_dead, n_hot : int
        Pixels that are always 0 among counting neighbours; pixels that always stand out alone.
    noise : float
        Variance over mean of single pixels, 1 for Poisson counts; NaN where it cannot be told.
    map_contrast, pattern_contrast : float
        Standard deviation over mean of the counts per pattern, and of the mean pattern.
    """

    n_frames: int
    mean: float
    spread: float
    low: float
    high: float
    zeros: float
    whole: bool
    denominator: int
    step: int
    threshold: int
    n_nan: int
    n_negative: int
    saturated_at: float
    n_saturated: int
    n_dead: int
    n_hot: int
    noise: float
    map_contrast: float
    pattern_contrast: float


def _denominator(values: NDArray[Any]) -> int:
    """Return the smallest d whose multiples of 1/d all values are; 0 where there is none."""
    some = values[values != 0][:_FLAT].astype(np.float64)
    tolerance = 1e-3 if values.dtype != np.float64 else 1e-6
    for d in _DENOMINATORS:
        scaled = some * d
        if scaled.size and np.max(np.abs(scaled - np.rint(scaled))) < tolerance:
            return d
    return 0


def _saturation(frames: NDArray[Any], dtype: np.dtype[Any]) -> tuple[float, int]:
    """Return the value where readings pile up and the number of pixels that reach it."""
    high = frames.max()
    top = frames == high
    n_top = int(np.count_nonzero(top))
    at_limit = dtype.kind == "u" and high == np.iinfo(dtype).max
    near = int(np.count_nonzero(frames >= high - max(1.0, 0.02 * float(high)))) - n_top
    piled = high >= 50 and n_top >= 20 and n_top > 5 * near
    if not (at_limit or piled):
        return math.nan, 0
    return float(high), int(np.count_nonzero(top.any(axis=0)))


def _neighbours(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 8 neighbours of every pixel (4 in a spectrum), shape (n, *image.shape); mirrored at the rim."""
    if image.ndim == 1:
        wide, shifts = np.pad(image, 2, mode="symmetric"), (0, 1, 3, 4)
        return np.stack([wide[s : s + image.size] for s in shifts])
    wide = np.pad(image, 1, mode="symmetric")
    v, u = image.shape
    return np.stack([wide[a : a + v, b : b + u] for a in range(3) for b in range(3) if (a, b) != (1, 1)])


def _odd_pixels(frames: NDArray[Any], unit: float) -> tuple[int, int]:
    """Return the number of dead and of hot pixels.

    Dead: 0 in every pattern, while half of the neighbours have at least 25 counts in sum. Hot: in sum more
    than 5 times the strongest neighbour and more than it by 10 standard deviations, in nine of ten patterns.
    """
    if min(frames.shape[1:]) < 4:
        return 0, 0
    total = frames.sum(axis=0, dtype=np.float64)
    around = np.sort(_neighbours(total), axis=0)
    middle, strongest = around[len(around) // 2], around[-1]
    dead = (total == 0) & (around[len(around) // 2 - 1] >= 25 * unit) & (middle >= 25 * unit)
    alone = (total > 5 * strongest) & (total - strongest > 10 * unit * np.sqrt(strongest / unit + 1))
    hot = [index for index in np.argwhere(alone) if np.mean(frames[(slice(None), *index)] > 0) > 0.9]
    return int(np.count_nonzero(dead)), len(hot)


def _noise(sample: Sample) -> float:
    """Return the median of variance over mean, from differences of neighbouring positions in weak pixels.

    Differences of neighbours hold the noise twice and little of the specimen; weak pixels hold least of it.
    """
    means, variances, pairs = [], [], 0
    for tile in sample.tiles:
        if tile.shape[1] < 2:
            continue
        first, second = tile[:, :-1].astype(np.float64), tile[:, 1:].astype(np.float64)
        means.append(tile.mean(axis=(0, 1), dtype=np.float64).reshape(-1))
        variances.append(((second - first) ** 2).mean(axis=(0, 1)).reshape(-1) / 2)
        pairs += first.shape[0] * first.shape[1]
    if pairs < 16:
        return math.nan
    mean, variance = np.mean(means, axis=0), np.mean(variances, axis=0)
    counted = mean * sample.n_frames >= 8
    if np.count_nonzero(counted) < 16:
        return math.nan
    weak = counted & (mean <= np.median(mean[counted]))
    return float(np.median(variance[weak] / mean[weak]))


def measured(sample: Sample) -> Counts:
    """Return the facts about the values of a sample.

    Parameters
    ----------
    sample : Sample

    Examples
    --------
    >>> flat = np.random.default_rng(0).poisson(9.0, (8, 8, 16, 16)).astype(np.float32)
    >>> counts = measured(Sample((flat,), 64))
    >>> counts.whole, round(counts.noise)
    (True, 1)
    """
    frames = sample.frames
    dtype = frames.dtype
    n_nan = 0
    if dtype.kind == "f":
        bad = ~np.isfinite(frames)
        n_nan = int(np.count_nonzero(bad))
        if n_nan:
            frames = np.where(bad, dtype.type(0), frames)
            sample = Sample(tuple(np.where(np.isfinite(t), t, dtype.type(0)) for t in sample.tiles), 0)
    totals = frames.reshape(len(frames), -1).sum(axis=1, dtype=np.float64)
    pattern = frames.mean(axis=0, dtype=np.float64)
    whole = dtype.kind in "uib" or bool(np.all(frames == np.rint(frames)))
    positive = frames[frames > 0]
    threshold = int(positive.min()) if whole and positive.size else 0
    step = int(np.gcd.reduce(positive[:_FLAT].astype(np.int64))) if whole and positive.size else 1
    unit = float(max(1, threshold)) if whole else max(float(positive.min()) if positive.size else 1.0, 1e-30)
    saturated_at, n_saturated = _saturation(frames, dtype) if frames.size else (math.nan, 0)
    n_dead, n_hot = _odd_pixels(frames, unit)
    mean = float(totals.mean())
    flat = float(pattern.mean())
    return Counts(
        n_frames=len(frames),
        mean=mean,
        spread=float(totals.std()),
        low=float(frames.min()),
        high=float(frames.max()),
        zeros=1.0 - int(np.count_nonzero(frames)) / frames.size,
        whole=whole,
        denominator=1 if whole else _denominator(frames.reshape(-1)),
        step=max(1, step),
        threshold=threshold,
        n_nan=n_nan,
        n_negative=0 if dtype.kind in "ub" else int(np.count_nonzero(frames < 0)),
        saturated_at=saturated_at,
        n_saturated=n_saturated,
        n_dead=n_dead,
        n_hot=n_hot,
        noise=_noise(sample),
        map_contrast=float(totals.std() / mean) if mean > 0 else math.nan,
        pattern_contrast=float(pattern.std() / flat) if flat > 0 else math.nan,
    )
