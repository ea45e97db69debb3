"""Statistics of sizes from particles that lie whole in a frame: weights against its edge, means, intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

N_RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A statistic and its 95 % percentile bootstrap interval; NaN where there are too few particles."""

    value: float
    interval: tuple[float, float]


def edge_weights(masks: list[NDArray[np.bool_]]) -> Float:
    """Return how many particles each whole one stands for, because those as large as it are cut by the frame.

    A particle whose bounding box is ``h x w`` lies whole in a frame of ``H x W`` positions at
    ``(H - h + 1)(W - w + 1)`` of the ``H W`` places where its corner could be, so it counts one over that share
    (Miles-Lantuejoul).

    Parameters
    ----------
    masks : list of ndarray of bool, shape (y, x)
        Of particles that lie whole in the frame, none of them empty.

    References
    ----------
    Miles, in Stochastic Geometry (eds. Harding, Kendall), Wiley 1974, p. 228; Lantuejoul, Microsc. Acta Suppl. 4, 266
    (1980).

    Examples
    --------
    >>> small, large = np.zeros((2, 10, 10), bool)
    >>> small[4, 4], large[3:8, 3:8] = True, True
    >>> edge_weights([small, large]).round(2).tolist()
    [1.0, 2.78]
    """
    weights = []
    for mask in masks:
        spans = [np.ptp(np.flatnonzero(mask.any(axis=axis))) for axis in (1, 0)]
        free = [size - span for size, span in zip(mask.shape, spans, strict=True)]
        weights.append(math.prod(mask.shape) / math.prod(free))
    return np.array(weights, np.float64)


def weighted_mean(values: Float, weights: Float) -> NDArray[np.float64]:
    """Return the weighted mean along the last axis."""
    return np.asarray((values * weights).sum(axis=-1) / weights.sum(axis=-1))


def weighted_median(values: Float, weights: Float) -> NDArray[np.float64]:
    """Return the weighted median along the last axis; with equal weights it is the median.

    Weights are shares of 1 in order of the values; the value at 1/2 is read between the middles of the shares.
    """
    order = np.argsort(values, axis=-1, kind="stable")
    values, weights = (np.take_along_axis(part, order, axis=-1) for part in (values, weights))
    place = (np.cumsum(weights, axis=-1) - weights / 2) / weights.sum(axis=-1, keepdims=True)
    above = np.argmax(place >= 0.5, axis=-1)[..., None]
    below = np.maximum(above - 1, 0)
    (p0, p1), (v0, v1) = (
        [np.take_along_axis(part, at, axis=-1)[..., 0] for at in (below, above)] for part in (place, values)
    )
    share = np.divide(0.5 - p0, p1 - p0, out=np.ones_like(p0), where=p1 > p0)
    return np.asarray(v0 + np.clip(share, 0, 1) * (v1 - v0))


def estimate(values: Float, weights: Float, statistic: Any, *, seed: int) -> Estimate:
    """Return a weighted statistic and its bootstrap interval, particles drawn with their weights (2,000 draws)."""
    if len(values) == 0:
        return Estimate(math.nan, (math.nan, math.nan))
    if len(values) == 1:
        return Estimate(float(values[0]), (math.nan, math.nan))
    drawn = np.random.default_rng(seed).integers(len(values), size=(N_RESAMPLES, len(values)))
    found = statistic(values[drawn], weights[drawn])
    low, high = np.quantile(found, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(statistic(values, weights)), (float(low), float(high)))


def mean_volume(diameters: Float, areas: Float, weights: Float, *, body: str, thickness: float) -> float:
    """Return the mean volume of particles: spheres of their diameters, or plates as thick as the specimen.

    Parameters
    ----------
    diameters, areas, weights : ndarray, shape (n,)
    body : str
        ``"sphere"``: ``pi D^3 / 6``; ``"disk"``: area times `thickness`.
    thickness : float
        Of the specimen, in the unit of the diameters.
    """
    if not len(diameters):
        return 0.0
    volumes = math.pi / 6 * diameters**3 if body == "sphere" else areas * thickness
    return float(weighted_mean(volumes, weights))
