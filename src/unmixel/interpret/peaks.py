"""Spots of a diffraction pattern: where they are to a fraction of a pixel, how strong, and how sure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from unmixel.core.errors import InputError

Float = NDArray[np.float64]

TRIED = 1.5
"""Standard deviation of a spot with which spots are looked for to measure it, in pixels."""

LOOKS, SURE, EXTENT, FREE = 4, 5.0, 2.5, 0.2
"""How often spots are looked for; significance from which one is left out of what is noise, and how far it reaches, in
standard deviations; least share of a ring that gives its level."""

TAILS = 3.0
"""Standard deviations up to which a spot is compared: a hundredth of it lies farther out."""

MAD = 1.4826
"""Standard deviation of normal noise over its median absolute deviation."""


@dataclass(frozen=True, eq=False)
class Spots:
    """Spots of one pattern, the most significant first.

    Parameters
    ----------
    place : ndarray, shape (n, 2)
        (v, u) in pixels.
    amplitude : ndarray, shape (n,)
        Sum of each spot above its surroundings, in the pattern's own unit.
    significance : ndarray, shape (n,)
        Amplitude over its standard error.
    place_error : ndarray, shape (n,)
        Standard error of the place along either axis, in pixels.
    """

    place: Float
    amplitude: Float
    significance: Float
    place_error: Float

    def __len__(self) -> int:
        """Return the number of spots."""
        return len(self.place)


def find_spots(
    pattern: NDArray[Any],
    center: tuple[float, float],
    *,
    sigma: float,
    used: NDArray[np.bool_] | None = None,
    inner: float = 0.0,
    least: float = 5.0,
    share: float = 0.01,
    steps: tuple[float, float] = (1.0, 1.0),
) -> Spots:
    """Return the spots of a pattern above its own rings.

    Parameters
    ----------
    pattern : ndarray, shape (ny, nx), >= 0
    center : (float, float)
        (v, u) of the direct beam, in pixels.
    sigma : float, > 0
        Standard deviation of a spot, in pixels (of their shorter side).
    used : ndarray of bool, shape (ny, nx), optional
        Pixels that were measured; all where it is not given.
    inner : float
        Nothing is looked for within so many pixels of the centre.
    least : float
        Least significance.
    share : float
        Least amplitude, as a share of the strongest.
    steps : (float, float)
        Height and width of a pixel in units of its shorter side.

    Notes
    -----
    The level of every ring is taken off: halo and diffuse background. What a Gaussian at each pixel would have to
    be, by least squares over the used pixels, is ``A = sum K r / sum K^2``; its local maxima are the spots, their
    places refined by a parabola. The noise of A is that of counting, ``c sqrt(ring)``, with c from the median of
    ``|A|`` over all rings: most places have no spot. Where spots are wide that is not so, and they hide in the level of
    their own ring: what was found is left out of levels and noise, and spots are looked for again until there are no
    more.

    The place of a spot of amplitude A and width s on a background with a variance V a pixel scatters by
    ``(16 / 9) G s^2 / A + 8 pi s^4 V / A^2`` (variance), G the gain: what counting noise does to the maximum of this
    filter (noise of the score over its slope). V and G follow from c. On background this is the Cramer-Rao bound;
    where a spot's own counts are all the noise, the filter's place scatters a third more than the bound ``G s^2 / A``.

    Examples
    --------
    >>> y, x = np.mgrid[:48, :48]
    >>> image = 2.0 + 50 * np.exp(-((y - 10.3) ** 2 + (x - 31.6) ** 2) / (2 * 1.5**2))
    >>> noisy = np.random.default_rng(0).poisson(image)
    >>> bool(np.abs(find_spots(noisy, (24, 24), sigma=1.5).place - [10.3, 31.6]).max() < 0.2)
    True
    """
    image = np.asarray(pattern, np.float64)
    seen = np.ones(image.shape, bool) if used is None else np.asarray(used, bool)
    if image.ndim != 2 or seen.shape != image.shape or not sigma > 0:
        raise InputError(
            "find_spots",
            expected="a pattern of two axes, a mask of its shape and sigma > 0",
            got=f"shapes {image.shape} and {seen.shape}, sigma {sigma}",
            hint="spectra have lines, not spots",
        )
    radius, seen = radii(image.shape, center, steps), seen & np.isfinite(image)
    widths = (sigma / steps[0], sigma / steps[1])
    weight = _cover(seen.tobytes(), seen.shape, (widths[0] / np.sqrt(2), widths[1] / np.sqrt(2)))
    open_ = seen & (weight > 0.5) & (radius >= inner)
    if not open_.any():
        return Spots(np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0))
    size = tuple(2 * max(1, round(1.5 * width)) + 1 for width in widths)
    free, places = seen, np.zeros((0, 2), np.intp)
    for _ in range(LOOKS):
        rest, ring = _above_rings(image, radius, seen, free)
        # of K^2 the sum is 1 / (4 pi sigma^2) of that of a Gaussian narrower by a root of two
        amplitude = (
            scipy.ndimage.gaussian_filter(rest, widths, mode="constant", truncate=TAILS)
            * 4
            * np.pi
            * widths[0]
            * widths[1]
        )
        amplitude /= np.maximum(weight, 0.25)
        # small rings have few pixels: their neighbours help to say what noise there is
        level = scipy.ndimage.gaussian_filter(ring, 2.0, mode="nearest")
        level = np.sqrt(np.maximum(level, 1e-3 * max(float(level.max()), 1e-300)))
        around = open_ & free if (open_ & free).any() else open_
        noise = MAD * float(np.median(np.abs(amplitude[around]) / level[around])) * level
        significance = amplitude / np.maximum(noise, 1e-12 * max(float(amplitude.max()), 1e-300))
        peak = (amplitude == scipy.ndimage.maximum_filter(amplitude, size)) & open_ & (significance >= least)
        peak &= amplitude >= share * amplitude[open_].max()
        seen_before, places = len(places), np.argwhere(peak)
        order = np.argsort(-significance[peak], kind="stable")
        places = _apart(places[order], size)
        if len(places) <= seen_before:
            break
        sure = places[significance[tuple(places.T)] >= SURE]
        free = seen & (_nearest(sure, image.shape, steps) > EXTENT * sigma)
    rows, columns = places.T
    between = open_ & (_nearest(places, image.shape, steps) > 4 * sigma)
    per_root = MAD * float(np.median((np.abs(amplitude) / level)[between if between.any() else open_]))
    error = place_errors(amplitude[rows, columns], per_root * level[rows, columns], per_root, sigma)
    found = places + _offsets(amplitude, places)
    return Spots(found, amplitude[rows, columns], significance[rows, columns], error)


@lru_cache(maxsize=8)
def _cover(used: bytes, shape: tuple[int, ...], widths: tuple[float, float]) -> Float:
    """Return what share of a Gaussian about each pixel is on used ones; kept for the next pattern."""
    mask = np.frombuffer(used, bool).reshape(shape)
    found = np.asarray(scipy.ndimage.gaussian_filter(mask.astype(float), widths, mode="constant"))
    found.setflags(write=False)
    return found


def _nearest(places: NDArray[np.intp], shape: tuple[int, ...], steps: tuple[float, float]) -> Float:
    """Return how far each pixel is from the nearest of some places, in units of the pixels' shorter side."""
    if not len(places):
        return np.full(shape, np.inf)
    free = np.ones(shape, bool)
    free[tuple(places.T)] = False
    return np.asarray(scipy.ndimage.distance_transform_edt(free, sampling=steps))


def place_errors(amplitude: Float, noise: Float, per_root: float, sigma: float) -> Float:
    """Return standard errors of places along one direction, in pixels; the formula is that of `find_spots`.

    Parameters
    ----------
    amplitude, noise : ndarray, shape (n,)
        Of the spots, and its standard error on the background alone.
    per_root : float
        That standard error over the root of the background's level: the gain is in it.
    sigma : float
        Standard deviation of a spot, in pixels.
    """
    # of a filtered pixel the variance is 4 pi sigma^2 times that of a pixel
    gain = per_root**2 / (4 * np.pi * sigma**2)
    own, around = 16 / 9 * gain * sigma**2 / amplitude, 2 * (sigma * noise / amplitude) ** 2
    return np.asarray(np.sqrt(own + around))


def spot_sigma(
    pattern: NDArray[Any],
    center: tuple[float, float],
    used: NDArray[np.bool_],
    *,
    inner: float = 0.0,
    steps: tuple[float, float] = (1.0, 1.0),
) -> float:
    """Return the standard deviation of the clearest spots of a pattern, in pixels; 1.5 where there are none.

    A Gaussian spot of width s, smoothed by t, is as high as ``s^2 / (s^2 + t^2)``: the ratio r of heights at t = 1 and
    t = 2 gives ``s^2 = (4 - r) / (r - 1)``. The median over up to ten spots.
    """
    found = find_spots(pattern, center, sigma=TRIED, used=used, inner=inner, steps=steps)
    if not len(found):
        return TRIED
    rest, _ = _above_rings(np.asarray(pattern, np.float64), radii(used.shape, center, steps), used)
    inside = np.minimum(np.round(found.place[:10]).astype(int), np.array(used.shape) - 1)
    rows, columns = np.maximum(inside, 0).T
    one, two = (
        scipy.ndimage.gaussian_filter(rest, (t / steps[0], t / steps[1]), mode="constant")[rows, columns]
        for t in (1.0, 2.0)
    )
    ratio = np.clip(one / np.maximum(two, 1e-300), 1.12, 3.0)
    return float(np.sqrt(np.median((4 - ratio) / (ratio - 1))))


@lru_cache(maxsize=8)
def radii(
    shape: tuple[int, ...], center: tuple[float, float], steps: tuple[float, float] = (1.0, 1.0)
) -> Float:
    """Return how far each pixel of an image is from a centre (v, u), in pixels (of their shorter side)."""
    v, u = ((np.arange(n) - c) * step for n, c, step in zip(shape, center, steps, strict=True))
    found = np.asarray(np.hypot(v[:, None], u[None, :]))
    found.setflags(write=False)  # it is kept for the next pattern
    return found


def _above_rings(
    image: Float, radius: Float, used: NDArray[np.bool_], free: NDArray[np.bool_] | None = None
) -> tuple[Float, Float]:
    """Return an image less the level of its rings, 0 where a pixel is not used, and that level.

    The level is that of the free pixels, where a fifth of a ring is free.
    """
    image = np.where(used, image, 0.0)
    basis = used
    if free is not None and free is not used:
        number = np.round(radius).astype(np.intp)
        share = np.bincount(number[free], minlength=number.max() + 1) / np.maximum(
            np.bincount(number[used], minlength=number.max() + 1), 1
        )
        basis = used & (free | (share < FREE)[number])
    ring = ring_levels(image, radius, basis)
    return np.where(used, image - ring, 0.0), ring


def ring_levels(image: Float, radius: Float, used: NDArray[np.bool_]) -> Float:
    """Return at every pixel the level of the used pixels as far from the centre, interpolated between rings.

    The mean of a ring without what stands out by more than three standard deviations, taken out again and again:
    a median would be 0 where most pixels counted nothing.
    """
    if not used.any():
        return np.zeros(image.shape)
    order, number = _by_ring(radius.tobytes(), radius.shape)
    kept = used.ravel()[order]
    count = np.bincount(number[kept])
    places = np.flatnonzero(count)
    count, values = count[places], image.ravel()[order][kept]
    for _ in range(11):
        start = np.concatenate([[0], np.cumsum(count)[:-1]])
        level = np.add.reduceat(values, start) / count
        off = values - np.repeat(level, count)
        spread = np.sqrt(np.add.reduceat(off**2, start) / count)
        kept = off <= np.repeat(3 * spread, count)
        if kept.all():
            break
        values, count = values[kept], np.add.reduceat(kept, start, dtype=np.intp)
    return np.asarray(np.interp(radius, places, level))


@lru_cache(maxsize=8)
def _by_ring(radius: bytes, shape: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pixels in the order of their rings, and the ring of each; kept for the next pattern."""
    number = np.round(np.frombuffer(radius).reshape(shape)).astype(np.intp).ravel()
    order = np.argsort(number, kind="stable")
    return order, number[order]


def _apart(places: NDArray[np.intp], size: tuple[int, ...]) -> NDArray[np.intp]:
    """Return places without those within half of `size` of an earlier one: a spot between pixels has two maxima."""
    scaled = places / (np.asarray(size) / 2)
    kept = np.zeros(len(places), bool)
    for number, place in enumerate(scaled):
        kept[number] = bool(np.all(np.hypot(*(place - scaled[:number][kept[:number]]).T) >= 1))
    return places[kept]


def _offsets(amplitude: Float, places: NDArray[np.intp]) -> Float:
    """Return where a parabola through each maximum and its neighbours peaks, within half a pixel, shape (n, 2)."""
    padded = np.pad(amplitude, 1, mode="edge")
    found = np.zeros(places.shape)
    for axis in range(2):
        step = np.eye(2, dtype=int)[axis]
        before, here, after = (padded[tuple((places + 1 + i * step).T)] for i in (-1, 0, 1))
        bend = before - 2 * here + after
        moved = np.divide(before - after, 2 * bend, out=np.zeros(len(places)), where=bend < 0)
        found[:, axis] = np.clip(moved, -0.5, 0.5)
    return found
