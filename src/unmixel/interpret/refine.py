"""Places of spots to the limit of counting noise: all spots of a pattern fitted beside each other on its rings."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from unmixel.interpret.peaks import MAD, Spots, place_errors, radii, ring_levels

Float = NDArray[np.float64]

ROUNDS = 4
"""Rounds in which spots and rings are fitted in turn."""

WINDOW = 3.0
"""Radius about a spot within which it is fitted, in its standard deviations."""


def refine_spots(
    pattern: NDArray[Any],
    spots: Spots,
    center: tuple[float, float],
    *,
    sigma: float,
    used: NDArray[np.bool_],
) -> Spots:
    """Return spots with better places: neighbours and what they add to the rings are taken off each of them.

    `find_spots` takes rings off that hold the spots themselves: between two rings of strong spots this moves places
    by some hundredths of a pixel. Here all spots are taken off before the rings are measured, and each is fitted by
    least squares (Gaussian and a level) to what is left with itself.

    Parameters
    ----------
    pattern : ndarray, shape (v, u)
    spots : Spots
        As `find_spots` found them.
    center : (float, float)
        (v, u) in pixels.
    sigma : float
        Standard deviation of a spot, in pixels.
    used : ndarray of bool, shape (v, u)

    Examples
    --------
    >>> from unmixel.interpret.peaks import find_spots
    >>> v, u = np.mgrid[:48, :48]
    >>> image = 2.0 + 50 * np.exp(-((v - 10.3) ** 2 + (u - 31.6) ** 2) / (2 * 1.5**2))
    >>> found = find_spots(image, (24, 24), sigma=1.5)
    >>> better = refine_spots(image, found, (24, 24), sigma=1.5, used=np.ones(image.shape, bool))
    >>> bool(np.abs(better.place - [10.3, 31.6]).max() < 1e-3)
    True
    """
    seen = used & np.isfinite(pattern)
    image = np.where(seen, np.asarray(pattern, np.float64), 0.0)
    radius = radii(image.shape, center)
    place, amplitude = spots.place.copy(), spots.amplitude.copy()
    begun = place.copy()
    for _ in range(ROUNDS):
        model = _drawn(image.shape, place, amplitude, sigma)
        ring = ring_levels(image - model, radius, seen)
        rest = np.where(seen, image - ring - model, 0.0)
        change = np.array(
            [_fitted(rest, seen, p, a, sigma) for p, a in zip(place, amplitude, strict=True)]
        ).reshape(-1, 3)
        amplitude = np.maximum(amplitude + change[:, 0], 0.0)
        place = begun + np.clip(place + np.clip(change[:, 1:], -0.5, 0.5) - begun, -sigma, sigma)
    noise, per_root = _noise(rest, ring, seen, sigma)
    kept = np.flatnonzero(amplitude > 0)
    inside = np.clip(np.round(place[kept]).astype(int), 0, np.array(image.shape) - 1)
    own = noise[tuple(inside.T)]
    return Spots(
        place[kept],
        amplitude[kept],
        amplitude[kept] / np.maximum(own, 1e-12 * max(float(amplitude.max(initial=0.0)), 1e-300)),
        place_errors(amplitude[kept], own, per_root, sigma),
    )


def _window(shape: tuple[int, ...], place: Float, reach: float) -> tuple[slice, slice]:
    low = np.maximum(np.ceil(place - reach).astype(int), 0)
    high = np.minimum(np.floor(place + reach).astype(int) + 1, shape)
    return slice(low[0], max(high[0], low[0])), slice(low[1], max(high[1], low[1]))


def _shape(window: tuple[slice, slice], place: Float, sigma: float) -> tuple[Float, Float, Float]:
    """Return a Gaussian of sum 1 and the distances along v and u from its place."""
    v, u = (np.arange(part.start, part.stop) - p for part, p in zip(window, place, strict=True))
    along_v, along_u = np.broadcast_arrays(v[:, None], u[None, :])
    height = np.exp(-(along_v**2 + along_u**2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
    return height, along_v, along_u


def _drawn(shape: tuple[int, ...], place: Float, amplitude: Float, sigma: float) -> Float:
    """Return an image of spots."""
    image = np.zeros(shape)
    for p, a in zip(place, amplitude, strict=True):
        window = _window(shape, p, 5 * sigma)
        image[window] += a * _shape(window, p, sigma)[0]
    return image


def _fitted(rest: Float, seen: NDArray[np.bool_], place: Float, amplitude: float, sigma: float) -> Float:
    """Return how amplitude and place of a spot are to change, from what a pattern has beside its model."""
    window = _window(rest.shape, place, WINDOW * sigma)
    height, v, u = _shape(window, place, sigma)
    near = seen[window] & (v**2 + u**2 <= (WINDOW * sigma) ** 2)
    if near.sum() < 6:
        return np.zeros(3)
    height = height[near]
    slope = amplitude * height / sigma**2
    design = np.column_stack([height, slope * v[near], slope * u[near], np.ones(len(height))])
    size = np.maximum(np.linalg.norm(design, axis=0), 1e-300)
    found, _, rank, _ = np.linalg.lstsq(design / size, rest[window][near], rcond=1e-6)
    return np.asarray((found / size)[:3] if rank == 4 else np.zeros(3))


def _noise(rest: Float, ring: Float, seen: NDArray[np.bool_], sigma: float) -> tuple[Float, float]:
    """Return the noise of amplitudes at each pixel, and over the root of the level: as `find_spots` has it."""
    weight = scipy.ndimage.gaussian_filter(seen.astype(float), sigma / np.sqrt(2), mode="constant")
    amplitude = scipy.ndimage.gaussian_filter(rest, sigma, mode="constant") * 4 * np.pi * sigma**2
    level = scipy.ndimage.gaussian_filter(ring, 2.0, mode="nearest")
    level = np.sqrt(np.maximum(level, 1e-3 * max(float(level.max()), 1e-300)))
    open_ = seen & (weight > 0.5)
    ratio = np.abs(amplitude[open_]) / np.maximum(weight[open_], 0.25) / level[open_]
    per_root = MAD * float(np.median(ratio)) if ratio.size else 0.0
    return per_root * level, per_root
