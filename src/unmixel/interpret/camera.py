"""Marks that cameras leave in patterns: bright rims, lines, single pixels, ghosts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]

RIM = 0.03  # width of the rim, share of the detector's side, at least 2 px
RIM_SHARE, RIM_EXCESS = 0.3, 3.0
LINE_SHARE, LINE_FILLED, LINE_LOW, LINE_EVEN = 0.15, 0.75, 0.15, 0.3
LINE_SIDE = 64  # lines are sought on patterns binned to about this size
LINE_APART = 3
N_DIRECTIONS = 120
PIXEL_RATIO, PIXEL_SHARE, PIXEL_FEW, PIXEL_PARTNER = 5.0, 0.3, 0.01, 0.25


def at_rim(pattern: Float, used: Bool) -> bool:
    """Return whether the pattern's counts gather at the detector's rim.

    The rim is 3 % of each side wide (2 px at least). It must hold 30 % of the counts and 3 times the share
    that its used area would.

    Parameters
    ----------
    pattern : ndarray, shape (v, u), >= 0, 0 at masked pixels
    used : ndarray of bool, shape (v, u)
    """
    inner = np.ones(pattern.shape, bool)
    for axis, size in enumerate(pattern.shape):
        width = max(2, round(RIM * size))
        line = np.zeros(size, bool)
        line[width : size - width] = True
        inner &= np.expand_dims(line, 1 - axis)
    share = float(pattern[~inner].sum() / max(pattern.sum(), 1e-300))
    area = float((used & ~inner).sum() / max(used.sum(), 1))
    return share >= RIM_SHARE and share >= RIM_EXCESS * area


def in_single_pixels(pattern: Float, used: Bool, center: tuple[float, float]) -> bool:
    """Return whether the pattern's counts sit in a few isolated pixels.

    A pixel is isolated when it exceeds 5 times the median of its neighbours and 5 times the pattern's mean
    and its partner across the centre has less than a quarter of it (a sharp Bragg spot has a partner). At
    most 1 % of the pixels (4 at least) hold 30 % of the counts.

    Parameters
    ----------
    pattern : ndarray, shape (v, u), >= 0, 0 at masked pixels
    used : ndarray of bool, shape (v, u)
    center : (float, float)
        (v, u) in pixels.
    """
    from scipy.ndimage import map_coordinates, maximum_filter, median_filter

    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    around = median_filter(pattern, footprint=ring, mode="nearest")
    isolated = used & (pattern > PIXEL_RATIO * around) & (pattern > PIXEL_RATIO * pattern[used].mean())
    across = [2 * c - i for c, i in zip(center, np.indices(pattern.shape), strict=True)]
    partner = map_coordinates(maximum_filter(pattern, size=3), across, order=0)
    isolated &= partner < PIXEL_PARTNER * pattern
    few = max(4, PIXEL_FEW * used.sum())
    return bool(0 < isolated.sum() <= few and pattern[isolated].sum() >= PIXEL_SHARE * pattern.sum())


def along_line(pattern: Float, used: Bool) -> bool:
    """Return whether the pattern's counts lie along one straight line: a row, a column, a streak.

    Over 120 directions and all offsets the line with the largest excess over its parallels 3 px to both
    sides (of the pattern binned to about 64 px) must hold 15 % of the counts, exceed its parallels along 75 %
    of its length, and evenly: 85 % of the length has 30 % of the mean excess or more. A systematic row of
    spots fails the last test.

    Parameters
    ----------
    pattern : ndarray, shape (v, u), >= 0, 0 at masked pixels
    used : ndarray of bool, shape (v, u)
    """
    image, known = _binned(pattern, used)
    lines, owners = _lines(image.shape)
    sums, counts = lines @ image.ravel(), lines @ known.ravel().astype(np.float64)
    mean = sums / np.maximum(counts, 1.0)
    enough = counts >= 0.5 * min(image.shape)
    higher = np.maximum(*(_parallel(mean, enough, owners, step) for step in (-LINE_APART, LINE_APART)))
    usable = enough & np.isfinite(higher)
    excess = np.where(usable, (mean - np.where(usable, higher, 0.0)) * counts, -np.inf)
    best = int(excess.argmax())
    if not excess[best] >= LINE_SHARE * image.sum() > 0:
        return False
    return _even(image, known, owners[best])


def _even(image: Float, known: Bool, line: NDArray[Any]) -> bool:
    """Return whether a line exceeds its parallels along most of its length and evenly."""
    from scipy.ndimage import map_coordinates

    angle, offset = line
    middle = [size // 2 for size in image.shape]
    reach = np.arange(-sum(image.shape) // 2, sum(image.shape) // 2 + 1)

    def read(shift: float) -> tuple[Float, Bool]:
        v = middle[0] + reach * np.sin(angle) + (offset + shift) * np.cos(angle)
        u = middle[1] + reach * np.cos(angle) - (offset + shift) * np.sin(angle)
        values = map_coordinates(image, [v, u], order=1)
        seen = map_coordinates(known.astype(np.float64), [v, u], order=1) > 0.99
        return values, np.asarray(seen)

    (on, seen), *beside = [read(shift) for shift in (0.0, -LINE_APART, LINE_APART)]
    near = [np.where(there, values, -np.inf) for values, there in beside]
    higher = np.maximum(*near)
    usable = seen & np.isfinite(higher)
    if usable.sum() < 0.25 * min(image.shape):
        return False
    excess = (on - higher)[usable]
    return bool(
        (excess > 0).mean() >= LINE_FILLED and np.quantile(excess, LINE_LOW) >= LINE_EVEN * excess.mean() > 0
    )


def _binned(pattern: Float, used: Bool) -> tuple[Float, Bool]:
    """Return the pattern summed over square bins that leave about 64 pixels a side."""
    factor = max(1, round(max(pattern.shape) / LINE_SIDE))
    v, u = (size // factor for size in pattern.shape)

    def folded(image: Any) -> Any:
        return image[: v * factor, : u * factor].reshape(v, factor, u, factor)

    return folded(np.where(used, pattern, 0.0)).sum(axis=(1, 3)), folded(used).mean(axis=(1, 3)) >= 0.5


@lru_cache(maxsize=4)
def _lines(shape: tuple[int, int]) -> tuple[Any, NDArray[np.float64]]:
    """Return the operator that sums an image along lines 1 px wide, and (angle, offset) of each line."""
    from scipy import sparse

    # from a whole pixel, so that rows and columns fall into one line each
    places = (index.ravel() - size // 2 for index, size in zip(np.indices(shape), shape, strict=True))
    v, u = places
    reach = int(np.ceil(np.hypot(*shape) / 2)) + 1
    width, n_pixels = 2 * reach + 1, len(v)
    angles = np.arange(N_DIRECTIONS) * np.pi / N_DIRECTIONS
    offset = np.rint(v * np.cos(angles)[:, None] - u * np.sin(angles)[:, None]).astype(np.int64) + reach
    rows = (offset + width * np.arange(N_DIRECTIONS)[:, None]).ravel()
    columns = np.tile(np.arange(n_pixels), N_DIRECTIONS)
    operator = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(N_DIRECTIONS * width, n_pixels))
    offsets = np.arange(width) - reach
    owners = np.stack([np.repeat(angles, width), np.tile(offsets, N_DIRECTIONS)], axis=1)
    return operator, owners


def _parallel(mean: Float, enough: Bool, owners: NDArray[np.float64], step: int) -> Float:
    """Return the mean of the parallel line `step` px away; minus infinity where there is none."""
    moved = np.roll(np.where(enough, mean, -np.inf), -step)
    return np.where(np.roll(owners[:, 0], -step) == owners[:, 0], moved, -np.inf)
