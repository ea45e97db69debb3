"""Turn patterns about their centre and sum the members of a group."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]

LEAST_COVER = 0.5  # share of a pixel's interpolation weight that must come from used pixels


def turned(
    pattern: Float,
    degrees: float,
    *,
    center: tuple[float, float],
    steps: tuple[float, float] = (1.0, 1.0),
    mirror: bool = False,
) -> Float:
    """Return a pattern turned counter-clockwise as displayed (v down, u right), bilinear, 0 outside.

    Parameters
    ----------
    pattern : ndarray, shape (v, u)
    degrees : float
    center : (float, float)
        (v, u) in pixels.
    steps : (float, float)
        Height and width of a pixel.
    mirror : bool
        Mirror afterwards, v to -v about the centre.

    Examples
    --------
    >>> pattern = np.zeros((5, 5))
    >>> pattern[2, 4] = 1.0
    >>> float(round(turned(pattern, 90.0, center=(2.0, 2.0))[0, 2], 6))
    1.0
    """
    from scipy.ndimage import map_coordinates

    angle = math.radians(degrees)
    v, u = np.indices(pattern.shape, dtype=np.float64)
    up, right = -(v - center[0]) * steps[0], (u - center[1]) * steps[1]
    if mirror:
        up = -up
    # the value at a point comes from the point turned back by the angle
    source_up = math.cos(angle) * up - math.sin(angle) * right
    source_right = math.sin(angle) * up + math.cos(angle) * right
    places = np.array([center[0] - source_up / steps[0], center[1] + source_right / steps[1]])
    # rounding keeps whole-pixel turns exact, which would otherwise lose the last row
    return np.asarray(map_coordinates(np.asarray(pattern, np.float64), places.round(9), order=1), np.float64)


def shifted_mean(maps: Float, weights: Float) -> tuple[Float, Float]:
    """Return the mean of maps that show one kind of particle in different places, moved onto the first, and the moves.

    The move of a map is that which its cross-correlation with the first one prefers, to a tenth of a position (Guizar-
    Sicairos et al., Opt. Lett. 33, 156 (2008)); the edges of the scan do not wrap around. What comes in from
    outside counts as nothing.

    Parameters
    ----------
    maps : ndarray, shape (n, y, x), >= 0
    weights : ndarray, shape (n,), > 0

    Returns
    -------
    mean : ndarray, shape (y, x)
        Each map divided by its sum, moved, averaged by weight; times the weighted mean of the sums.
    moves : ndarray, shape (n, 2)
        (y, x) in positions by which each map was moved; 0 for the first.

    Examples
    --------
    >>> one = np.zeros((2, 12, 12))
    >>> one[0, 3:6, 3:6] = one[1, 7:10, 4:7] = 1.0
    >>> shifted_mean(one, np.ones(2))[1].tolist()
    [[0.0, 0.0], [-4.0, -1.0]]
    """
    from scipy.ndimage import shift
    from skimage.registration import phase_cross_correlation

    sums = np.maximum(maps.sum(axis=(1, 2), dtype=np.float64), 1e-300)
    room = [(0, n) for n in maps.shape[1:]]
    first = np.pad(np.asarray(maps[0], np.float64) / sums[0], room)
    total, moves = np.zeros(maps.shape[1:]), np.zeros((len(maps), 2))
    for k, (one, light) in enumerate(zip(maps, sums, strict=True)):
        own = np.asarray(one, np.float64) / light
        if k and own.any() and first.any():
            found = phase_cross_correlation(first, np.pad(own, room), upsample_factor=10, normalization=None)
            moves[k] = found[0]
        total += weights[k] * np.maximum(shift(own, moves[k], order=1), 0.0)
    mean_light = float(np.average(sums, weights=weights))
    return np.asarray(total / weights.sum() * mean_light), moves


def made_round(
    patterns: Float,
    used: NDArray[np.bool_],
    ellipse: tuple[float, float],
    *,
    center: tuple[float, float],
    steps: tuple[float, float],
) -> tuple[Float, NDArray[np.bool_]]:
    """Return patterns as the detector would have them without an elliptical distortion, and the pixels known then.

    Bilinear. Nothing is turned and no area changed: the long axis shrinks by the root of the ratio, the short one
    grows by it.

    Parameters
    ----------
    patterns : ndarray, shape (k, v, u)
    used : ndarray of bool, shape (v, u)
    ellipse : (float, float)
        Long over short axis of what should be a circle, >= 1, and where the long axis lies, in degrees
        counter-clockwise as displayed from +u; `Calibration.ellipse` is such a pair.
    center : (float, float)
        (v, u) in pixels.
    steps : (float, float)
        Height and width of a pixel.

    Examples
    --------
    >>> image = np.zeros((1, 9, 9))
    >>> image[0, 4, 8] = 1.0
    >>> found, _ = made_round(image, np.ones((9, 9), bool), (16 / 9, 0.0), center=(4, 4), steps=(1.0, 1.0))
    >>> np.argwhere(found[0] > 0.5).tolist()  # 4 px along the long axis become 3
    [[4, 7]]
    """
    from scipy.ndimage import map_coordinates

    ratio, angle = ellipse[0], math.radians(ellipse[1])
    along = np.array([-math.sin(angle), math.cos(angle)])
    across = np.array([math.cos(angle), math.sin(angle)])
    stretch = math.sqrt(ratio) * np.outer(along, along) + np.outer(across, across) / math.sqrt(ratio)
    scale = np.asarray(steps)
    grid = np.indices(used.shape, dtype=np.float64).reshape(2, -1).T - np.asarray(center)
    source = ((grid * scale) @ stretch.T / scale + np.asarray(center)).T.reshape(2, *used.shape)
    cover = map_coordinates(used.astype(np.float64), source, order=1)
    known = cover >= LEAST_COVER
    parts = [
        map_coordinates(np.where(used, one, 0.0).astype(np.float64), source, order=1) for one in patterns
    ]
    return np.asarray(np.where(known, np.array(parts) / np.where(known, cover, 1.0), 0.0)), known


def aligned_sum(
    patterns: Float,
    used: NDArray[np.bool_],
    turns: Any,
    *,
    weights: Float,
    center: tuple[float, float],
    steps: tuple[float, float],
) -> tuple[Float, NDArray[np.bool_]]:
    """Return the weighted mean of members turned back onto the first, and the pixels where it is known.

    A pixel that is masked in one member is known from the others where they, turned, cover it. Where none
    does, the first member's own value stands.

    Parameters
    ----------
    patterns : ndarray, shape (n, v, u)
        Members; the first is the one the others are aligned to.
    used : ndarray of bool, shape (v, u)
    turns : sequence of (float, bool)
        Rotation in degrees and mirror flag of each member relative to the first.
    weights : ndarray, shape (n,), > 0
    center, steps : (float, float)

    Returns
    -------
    (ndarray, ndarray of bool)
        Both of shape (v, u).
    """
    total, cover = np.zeros(used.shape), np.zeros(used.shape)
    seen: Float
    values: Float
    known = np.zeros(used.shape, bool)
    for pattern, (degrees, mirror), weight in zip(patterns, turns, weights, strict=True):
        if degrees == 0 and not mirror:
            seen, values = used.astype(np.float64), np.asarray(np.where(used, pattern, 0.0), np.float64)
        else:
            back = partial(turned, degrees=-degrees, center=center, steps=steps, mirror=mirror)
            seen, values = back(np.asarray(used, np.float64)), back(np.where(used, pattern, 0.0))
        covered = seen >= LEAST_COVER
        known |= covered
        total += weight * np.where(covered, values, 0.0)
        cover += weight * np.where(covered, seen, 0.0)
    mean = np.where(known, total / np.where(known, cover, 1.0), patterns[0])
    return mean, known
