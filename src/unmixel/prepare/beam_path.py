"""The way of the direct beam over the detector: its origin at every position, and the plane through them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import as_array
from unmixel.engines.walk import Found
from unmixel.prepare.contract import used_pixels
from unmixel.prepare.origin import SOFT, filled, rough_spot
from unmixel.prepare.passes import Look, batches, found_in
from unmixel.prepare.statistics import used_positions

Floats = NDArray[np.float64]

_SAMPLE = 8
"""Frames along each scan axis that are looked at one by one to learn the beam's size and wandering."""


@dataclass(frozen=True)
class Search:
    """Where the beam of a single frame is looked for.

    Parameters
    ----------
    center : (float, float)
        Middle of the search, px.
    radius : float
        Radius of the beam at half height in single frames, px.
    reach : float
        Largest distance of the beam from the middle along each axis, px.
    """

    center: tuple[float, float]
    radius: float
    reach: float


def sampled_search(scan: Scan, reach: float | None = None) -> Search:
    """Return where to look for the beam, learned from frames spread over the scan (medians)."""
    steps = tuple(
        slice(axis.size // (2 * _SAMPLE), None, max(1, axis.size // _SAMPLE)) for axis in scan.scan_axes
    )
    if len(steps) == 1:
        steps = (slice(None, None, max(1, scan.scan_axes[0].size // _SAMPLE**2)),)
    n_scan_axes = len(scan.scan_axes)
    (found,) = found_in(_Rough(used_pixels(scan)), as_array(scan.data, n_scan_axes)[steps], n_scan_axes).here
    found = found.T[np.isfinite(found).all(axis=0)]
    if not len(found):
        raise InputError(
            "descan", expected="frames with a direct beam", got="flat frames", hint="leave the step out"
        )
    middle = np.median(found, axis=0)
    spread = np.median(np.abs(found[:, :2] - middle[:2]), axis=0).max()
    radius = max(float(middle[2]), 1.0)
    # the median distance of an even spread is half of its reach; 2.5 instead of 2 leaves room
    return Search(
        (float(middle[0]), float(middle[1])), radius, reach or max(3 * radius, 2.5 * float(spread) + radius)
    )


def frame_origins(frames: NDArray[Any], search: Search) -> Floats:
    """Return the sub-pixel origin of the beam in each frame.

    The brightest place of beam size within reach is taken first, then the centroid with soft levels about it.

    Parameters
    ----------
    frames : ndarray, shape (b, v, u)
    search : Search

    Returns
    -------
    ndarray of float64, shape (b, 2)
        Row and column in px; NaN where there is no light.
    """
    from scipy.ndimage import uniform_filter

    size = int(np.ceil(2 * search.radius + 1))
    half = int(np.ceil(search.reach))
    first = [round(c) - half for c in search.center]
    shape = frames.shape[1:]
    low = [max(0, f - size) for f in first]
    high = [min(n, f + 2 * half + 1 + size) for n, f in zip(shape, first, strict=True)]
    window = frames[:, low[0] : high[0], low[1] : high[1]].astype(np.float64)
    box = max(1, 2 * round(0.8 * search.radius) + 1)
    light = uniform_filter(window, (0, box, box), mode="constant")
    inside = [
        (np.arange(a, b) >= f) & (np.arange(a, b) <= f + 2 * half)
        for a, b, f in zip(low, high, first, strict=True)
    ]
    light = np.where(inside[0][:, None] & inside[1][None, :], light, -np.inf).reshape(len(frames), -1)
    best = np.argmax(light, axis=1)
    coarse = np.stack(np.unravel_index(best, window.shape[1:]), axis=1)
    origins = _refined(window, coarse, search.radius, size)
    return np.asarray(origins + np.array(low))


def _refined(window: Floats, coarse: NDArray[np.intp], radius: float, size: int) -> Floats:
    """Return centroids with soft levels in round patches about coarse places; NaN where there is no light."""
    offset = np.arange(-size, size + 1)
    rows = coarse[:, :1] + offset
    columns = coarse[:, 1:] + offset
    inside = ((rows >= 0) & (rows < window.shape[1]))[:, :, None] & (
        (columns >= 0) & (columns < window.shape[2])
    )[:, None, :]
    rows, columns = rows.clip(0, window.shape[1] - 1), columns.clip(0, window.shape[2] - 1)
    patch = window[np.arange(len(window))[:, None, None], rows[:, :, None], columns[:, None, :]]
    v, u = offset[None, :, None], offset[None, None, :]
    at = np.zeros((len(window), 2))
    for _ in range(4):
        distance = np.hypot(v - at[:, 0, None, None], u - at[:, 1, None, None])
        ring = np.where(inside & (distance > 1.6 * radius + 0.5), patch, np.nan)
        core = np.where(inside & (distance <= max(0.7 * radius, 1.0)), patch, np.nan)
        background = _median(ring)
        height = _median(core) - background
        level = (patch - background[:, None, None]) / np.where(height > 0, height, np.inf)[:, None, None]
        say = np.clip((level - SOFT[0]) / (SOFT[1] - SOFT[0]), 0, 1) * (
            inside & (distance <= 1.6 * radius + 0.5)
        )
        total = say.sum(axis=(1, 2))
        total = np.where(total > 0, total, np.nan)
        moved = np.stack([(say * v).sum(axis=(1, 2)) / total, (say * u).sum(axis=(1, 2)) / total], axis=1)
        at = np.clip(moved, -size, size)
    return coarse + at


def _median(patches: Floats) -> Floats:
    """Return the median of each patch over its numbers (NaN left out); 0 where there is none."""
    flat = np.sort(patches.reshape(len(patches), -1), axis=1)
    count = np.isfinite(flat).sum(axis=1)
    row = np.arange(len(flat))
    low, high = (
        flat[row, np.maximum((count - 1) // 2, 0)],
        flat[row, np.maximum(count // 2, 0).clip(max=flat.shape[1] - 1)],
    )
    return np.where(count > 0, (low + high) / 2, 0.0)


def beam_path(scan: Scan, search: Search) -> Floats:
    """Return the origin at every position, shape (n_positions, 2), reading the scan once by blocks.

    NaN where a position is left out (weight 0) or holds no beam.
    """
    used, source = used_pixels(scan), None
    if not used.all():
        numbers = np.arange(scan.n_pixels, dtype=np.float64).reshape(scan.pattern_shape)
        source = filled(numbers, used).astype(np.intp).reshape(-1)
    look = _Origins(search, scan.pattern_shape, source)
    (origins,) = found_in(look, scan.data, len(scan.scan_axes)).here
    return np.where(used_positions(scan)[:, None], origins.T, np.nan)


@dataclass(frozen=True, eq=False)
class _Rough(Look):
    """Here: row, column and radius of a first guess of the beam, shape (3, b); NaN in empty frames."""

    used: NDArray[np.bool_]

    def on_host(self, values: NDArray[Any], *along: NDArray[Any]) -> Found:
        """Return the guesses of a block."""
        found = np.full((3, len(values)), np.nan)
        for i, frame in enumerate(values.reshape(-1, *self.used.shape)):
            with suppress(InputError):  # an empty frame
                found[:, i] = rough_spot(frame, self.used)
        return Found((found,))


@dataclass(frozen=True, eq=False)
class _Origins(Look):
    """Here: the origin of the beam in each frame, shape (2, b).

    Parameters
    ----------
    search : Search
    shape : tuple of int
        Of a pattern.
    source : ndarray of int, shape (n_pixels,), or None
        The pixel whose value is taken for each; None where each has its own.
    """

    search: Search
    shape: tuple[int, ...]
    source: NDArray[np.intp] | None

    def on_host(self, values: NDArray[Any], *along: NDArray[Any]) -> Found:
        """Return the origins of a block."""
        origins = np.empty((2, len(values)))
        for part in batches(values):
            frames = values[part] if self.source is None else values[part][:, self.source]
            origins[:, part] = frame_origins(frames.reshape(-1, *self.shape), self.search).T
        return Found((origins,))


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane through the origins.

    Parameters
    ----------
    slopes : ndarray, shape (n_scan_axes, 2)
        Shift of row and column per scan step along each axis, px.
    middle : ndarray, shape (2,)
        Origin at the middle of the scan, px.
    values : ndarray, shape (n_positions, 2)
        The plane at every position.
    inliers : ndarray of bool, shape (n_positions,)
        Positions whose beam lies near the plane.
    """

    slopes: Floats
    middle: Floats
    values: Floats
    inliers: NDArray[np.bool_]

    @property
    def span(self) -> Floats:
        """Largest difference of the plane over the scan, row and column, px."""
        return np.asarray(np.ptp(self.values, axis=0))

    def span_error(self, origins: Floats) -> float:
        """Return the standard error of the span, px: that of a slope times its range, for even scatter."""
        residual = (origins - self.values)[self.inliers]
        n_slopes = len(self.slopes)
        return float(np.sqrt(12 * n_slopes * np.mean(residual**2) / max(1, len(residual))))


def _tukey(distance: Floats) -> Floats:
    """Return Tukey's biweights of distances; their scale is that of a 2-D normal with this median."""
    scale = max(float(np.median(distance)) / 1.1774, 1e-3)
    return np.asarray(np.clip(1 - (distance / (4.685 * scale)) ** 2, 0, 1) ** 2)


def _median_plane(design: Floats, origins: Floats, good: NDArray[np.intp]) -> Floats:
    """Return the plane of least median distance among 500 through random points (seed 0)."""
    rng = np.random.default_rng(0)
    few = good if good.size <= 1000 else np.sort(rng.choice(good, 1000, replace=False))
    n_terms = design.shape[1]
    rows = np.array([rng.choice(few, n_terms, replace=False) for _ in range(500)])
    rows = rows[np.abs(np.linalg.det(design[rows])) > 1e-9]
    best, least = np.zeros((n_terms, 2)), np.inf
    for part in np.array_split(rows, 10):
        planes = np.linalg.solve(design[part], origins[part])
        distance = np.linalg.norm(origins[few] - design[few] @ planes, axis=-1)
        medians = np.median(distance, axis=1)
        if medians.size and medians.min() < least:
            best, least = planes[int(np.argmin(medians))], float(medians.min())
    return best


def fit_plane(origins: Floats, scan_shape: tuple[int, ...]) -> Plane | None:
    """Return the plane through origins that up to nearly half of them, however wrong, do not bend.

    Least median of distances over 500 random triples (seed 0), then iterated biweight least squares.

    Parameters
    ----------
    origins : ndarray, shape (n_positions, 2)
        Row and column in px; NaN where there is none.
    scan_shape : tuple of int

    Returns
    -------
    Plane or None
        None when fewer than 10 positions (or 3 per coefficient) hold a beam.
    """
    index = np.indices(scan_shape).reshape(len(scan_shape), -1).T
    centred = index - (np.array(scan_shape) - 1) / 2
    varying = [axis for axis, n in enumerate(scan_shape) if n > 1]
    design = np.column_stack([centred[:, varying], np.ones(len(centred))])
    n_terms = design.shape[1]
    good = np.flatnonzero(np.isfinite(origins).all(axis=1))
    if good.size < max(10, 3 * n_terms) or n_terms < 2:
        return None
    best = _median_plane(design, origins, good)
    for _ in range(20):
        weight = _tukey(np.hypot(*(origins[good] - design[good] @ best).T))
        root = np.sqrt(weight)[:, None]
        best = np.linalg.lstsq(design[good] * root, origins[good] * root, rcond=None)[0]
    weight = _tukey(np.hypot(*(origins[good] - design[good] @ best).T))
    inliers = np.zeros(len(origins), bool)
    inliers[good[weight > 0]] = True
    slopes = np.zeros((len(scan_shape), 2))
    slopes[varying] = best[:-1]
    return Plane(slopes, best[-1], design @ best, inliers)
