"""Where the direct beam stands on the detector, how wide it is and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.prepare.contract import used_pixels
from unmixel.prepare.statistics import Statistics, pattern_statistics

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]

SOFT = (0.1, 0.9)
"""Levels (share of the spot's height) between which a pixel's say in the centroid grows from 0 to 1.

Between them the say is linear, as the coverage of a disk's edge pixels is; above, an uneven or saturated top
does not count; below, the slope of the surroundings does not pull.
"""
ROUND = 0.15
"""Asymmetry above which a spot is taken for cut, by a beam stop for instance."""


@dataclass(frozen=True)
class BeamSpot:
    """The direct beam in one pattern.

    Parameters
    ----------
    center : (float, float)
        Row v and column u of the origin, in px; pixel centres are whole numbers.
    radius : float
        Radius at half height, px: that of a disk, 1.18 sigma of a Gaussian.
    reach : float
        Radius where the spot has fallen to 2 % of its height above its surroundings, px.
    height, background : float
        Height above the surroundings and their level, in counts.
    asymmetry : float
        Share of the spot that its mirror image through the centre does not repeat, 0 to 1.
    uncertainty : float
        Standard error of the centre from the noise of the pattern, px.
    method : {"beam", "symmetry"}
        Outline of the beam, or symmetry of the whole pattern.
    """

    center: tuple[float, float]
    radius: float
    reach: float
    height: float
    background: float
    asymmetry: float
    uncertainty: float
    method: str


def filled(pattern: Image, used: Mask) -> Image:
    """Return the pattern with unused pixels set to the nearest used one."""
    if used.all() or not used.any():
        return pattern
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(~used, return_distances=False, return_indices=True)
    return np.asarray(pattern[tuple(nearest)])


def find_spot(
    pattern: NDArray[Any], *, used: Mask | None = None, error: Image | None = None, method: str = "auto"
) -> BeamSpot:
    """Return the direct beam in a pattern: the brightest compact spot, or the centre of symmetry.

    The outline method takes the centroid of the spot with soft levels (`SOFT`) above the local background,
    in a window that follows the centre. The symmetry method takes the point about which the square root of
    the pattern agrees best with its own mirror image; it needs no beam and works behind a beam stop (mask
    the stop first).

    Parameters
    ----------
    pattern : ndarray, shape (v, u)
        Usually the mean pattern, in counts.
    used : ndarray of bool, shape (v, u), optional
        Pixels to look at.
    error : ndarray, shape (v, u), optional
        Standard error of the pattern, for the uncertainty.
    method : {"auto", "beam", "symmetry"}
        ``auto`` takes the outline unless the spot looks cut (`ROUND`) or is not used.

    Returns
    -------
    BeamSpot

    Raises
    ------
    InputError
        When the pattern is empty or flat.

    Examples
    --------
    >>> v, u = np.indices((31, 26))
    >>> spot = find_spot(100 * np.exp(-((v - 14.3) ** 2 + (u - 11.8) ** 2) / 8))
    >>> [round(c, 1) for c in spot.center], round(spot.radius, 1)
    ([14.3, 11.8], 2.4)
    """
    image = np.asarray(pattern, np.float64)
    mask = np.ones(image.shape, bool) if used is None else used
    noise = np.zeros_like(image) if error is None else error
    whole = filled(image, mask)
    spot = _judged(whole, mask, noise, _outline(whole, mask, *_brightest(whole)))
    if method == "beam" or (method == "auto" and spot.asymmetry <= ROUND):
        return spot
    return _about(whole, mask, noise, symmetry_center(image, mask), spot)


def rough_spot(pattern: NDArray[Any], used: Mask) -> tuple[float, float, float]:
    """Return row, column and radius of the brightest spot in px, without judging it: for many frames."""
    whole = filled(np.asarray(pattern, np.float64), used)
    outline = _outline(whole, used, *_brightest(whole))
    return *outline.center, outline.radius


def local_spot(
    image: Image, used: Mask, at: tuple[float, float], radius: float, *, widest: float
) -> BeamSpot:
    """Return the spot of about `radius` px, at most `widest`, next to a place, as `find_spot` the brightest one."""
    # the surroundings are a ring of up to 3.5 radii + 3 px about a centre that may move a little
    half = int(np.ceil(3.5 * widest + 8))
    first = [max(0, round(place) - half) for place in at]
    box = tuple(slice(start, round(place) + half + 1) for start, place in zip(first, at, strict=True))
    whole, mask = filled(image[box], used[box]), used[box]
    begin = _outline(whole, mask, (at[0] - first[0], at[1] - first[1]), radius)
    spot = _judged(whole, mask, np.zeros_like(whole), begin)
    return replace(spot, center=(spot.center[0] + first[0], spot.center[1] + first[1]))


def _brightest(image: Image) -> tuple[tuple[float, float], float]:
    """Return centre and radius of the brightest patch; single hot pixels do not count."""
    from scipy.ndimage import label, median_filter

    smooth = median_filter(image, 3, mode="nearest")
    low, top = float(np.median(smooth)), float(smooth.max())
    if not top > low:
        smooth, low, top = image, float(image.min()), float(image.max())
    if not top > low:
        raise InputError(
            "direct beam",
            expected="a pattern with a bright spot",
            got="a flat pattern",
            hint="give the origin",
        )
    patches, n = label(smooth > (low + top) / 2)
    light = np.bincount(patches.ravel(), (smooth - low).ravel(), minlength=n + 1)[1:]
    v, u = np.nonzero(patches == 1 + int(np.argmax(light)))
    return (float(v.mean()), float(u.mean())), float(np.sqrt(v.size / np.pi))


@dataclass(frozen=True)
class _Outline:
    center: tuple[float, float]
    radius: float
    height: float
    background: float


def _distance(shape: tuple[int, ...], center: tuple[float, float]) -> Image:
    v, u = np.ogrid[: shape[0], : shape[1]]
    return np.asarray(np.hypot(v - center[0], u - center[1]))


def _levels(image: Image, used: Mask, distance: Image, radius: float) -> tuple[float, float]:
    """Return height above the surroundings and level of the surroundings, given distances from the centre."""
    ring = used & (distance > 2.5 * radius + 1) & (distance <= 3.5 * radius + 3)
    inside = used & (distance <= max(radius / 2, 1.0))
    low = float(np.median(image[ring])) if ring.any() else float(image.min())
    top = float(np.percentile(image[inside], 90)) if inside.any() else float(image.max())
    return top - low, low


def _mirrored(used: Mask, center: tuple[float, float]) -> Mask:
    """Return used pixels whose mirror image through the centre is on the detector and used."""
    across = [np.rint(2 * c - np.arange(n)).astype(int) for c, n in zip(center, used.shape, strict=True)]
    inside = [(m >= 0) & (m < n) for m, n in zip(across, used.shape, strict=True)]
    partner = used[np.ix_(*(np.where(there, m, 0) for m, there in zip(across, inside, strict=True)))]
    return np.asarray(used & partner & np.logical_and.outer(*inside))


def _soft(image: Image, outline: _Outline) -> Image:
    """Return the height above the surroundings between the soft levels, 0 to 1."""
    low, high = SOFT
    level = (image - outline.background) / max(outline.height, 1e-300)
    return np.asarray(np.clip((level - low) / (high - low), 0, 1))


def _say(image: Image, pairs: Mask, distance: Image, outline: _Outline) -> Image:
    """Return each pixel's say in the centroid, 0 to 1: soft levels within the patch at the centre."""
    from scipy.ndimage import label

    near = distance <= 2 * outline.radius + 1.5
    say = np.where(near & pairs, _soft(image, outline), 0.0)
    patches, n = label(say > 0)
    if n < 2:
        return say
    shares = np.bincount(patches.ravel(), say.ravel(), minlength=n + 1)
    return np.where(patches == 1 + int(np.argmax(shares[1:])), say, 0.0)


def _outline(image: Image, used: Mask, center: tuple[float, float], radius: float) -> _Outline:
    """Return the outline of the spot, from repeated soft centroids."""
    v, u = np.ogrid[: image.shape[0], : image.shape[1]]
    now = _Outline(center, radius, 0.0, 0.0)
    for _ in range(50):
        distance = _distance(image.shape, now.center)
        height, background = _levels(image, used, distance, now.radius)
        now = _Outline(now.center, now.radius, height, background)
        pairs = _mirrored(used, now.center)
        if height <= 0 or not pairs.any():
            break
        say = _say(image, pairs, distance, now)
        total = say.sum()
        if total <= 0:
            break
        moved = (float((say * v).sum() / total), float((say * u).sum() / total))
        half = np.clip((image - background - 0.4 * height) / (0.2 * height), 0, 1)
        size = float(np.sqrt(max(half[say > 0].sum(), 0.5) / np.pi))
        change = abs(moved[0] - now.center[0]) + abs(moved[1] - now.center[1]) + abs(size - now.radius)
        now = _Outline(moved, size, height, background)
        if change < 1e-4:
            break
    return now


def _judged(image: Image, used: Mask, error: Image, outline: _Outline) -> BeamSpot:
    """Return the outline with its asymmetry, uncertainty and reach."""
    from scipy.ndimage import map_coordinates

    c, height = outline.center, outline.height
    pairs, distance = _mirrored(used, c), _distance(image.shape, c)
    say = _say(image, used, distance, outline) if height > 0 else np.zeros_like(image)
    total = float(say.sum())
    v, u = np.indices(image.shape)
    turned = map_coordinates(image, (2 * c[0] - v, 2 * c[1] - u), order=3, mode="nearest")
    mirror = np.where(distance <= 2 * outline.radius + 1.5, _soft(turned, outline), 0.0)
    mirror = np.where(say > 0, mirror, 0.0)
    asymmetry = 1.0 if total <= 0 else min(1.0, float(np.abs(say - mirror).sum() / (2 * total)))
    hidden = distance <= outline.radius
    if not hidden.any() or (hidden & pairs).sum() < 0.5 * hidden.sum():
        asymmetry = 1.0
    slope = np.where((say > 0) & (say < 1), 1 / ((SOFT[1] - SOFT[0]) * max(height, 1e-300)), 0.0)
    spread = ((v - c[0]) ** 2 + (u - c[1]) ** 2) / 2 * (slope * error) ** 2
    uncertainty = float(np.sqrt(spread.sum()) / total) if total > 0 else float("nan")
    reach = _reach(image, used, outline)
    return BeamSpot(c, outline.radius, reach, height, outline.background, asymmetry, uncertainty, "beam")


def radial_profile(image: Image, used: Mask, center: tuple[float, float], length: int) -> Image:
    """Return medians over rings of 1 px width about a centre, radii 0 .. length - 1 (NaN: empty ring)."""
    ring = np.rint(_distance(image.shape, center)).astype(int)
    values = [image[used & (ring == radius)] for radius in range(length)]
    return np.array([np.median(v) if v.size else np.nan for v in values])


def _reach(image: Image, used: Mask, outline: _Outline) -> float:
    """Return where the spot falls to 2 % of its height, at most 2.5 radii + 1 px, or its next minimum."""
    last = int(np.ceil(2.5 * outline.radius + 1))
    profile = radial_profile(image, used, outline.center, last + 1) - outline.background
    first = int(np.ceil(outline.radius))
    for radius in range(first, last):
        if profile[radius] < 0.02 * outline.height or profile[radius + 1] > profile[radius]:
            return float(radius)
    return float(last)


def symmetry_center(image: Image, used: Mask) -> tuple[float, float]:
    """Return the point about which a pattern agrees best with its mirror image (masked correlation by FFT).

    Source of the masked correlation: D. Padfield, IEEE Trans. Image Process. 21, 2706 (2012).
    """
    from scipy.signal import fftconvolve

    level = np.sqrt(np.clip(image, 0, None))
    share = used.astype(np.float64)
    values = (level - level[used].mean()) * share
    n = fftconvolve(share, share)
    first = fftconvolve(values, share)
    second = fftconvolve(values**2, share)
    product = fftconvolve(values, values)
    n = np.maximum(np.rint(n), 1)
    variance = second - first**2 / n
    enough = (n >= 0.3 * n.max()) & (variance > 1e-9 * variance.max())
    agreement = np.where(enough, (product - first**2 / n) / np.where(enough, variance, 1.0), -1.0)
    v, u = (int(i) for i in np.unravel_index(int(np.argmax(agreement)), agreement.shape))
    # index i of the full convolution stands for mirror centre i / 2
    along_v, along_u = agreement[:, u], agreement[v, :]
    return (v + _vertex(along_v, v)) / 2, (u + _vertex(along_u, u)) / 2


def _vertex(values: Image, peak: int) -> float:
    """Return how far from index `peak` the parabola through its five neighbours has its top, at most 0.5."""
    samples = np.take(values, range(peak - 2, peak + 3), mode="clip")
    curve, slope, _ = np.polyfit(np.arange(-2, 3), samples, 2)
    return 0.0 if curve >= 0 else float(np.clip(-slope / (2 * curve), -0.5, 0.5))


def _about(image: Image, used: Mask, error: Image, center: tuple[float, float], seen: BeamSpot) -> BeamSpot:
    """Return the spot about a centre of symmetry; radius and reach as far as they can be seen."""
    height, background = _levels(image, used, _distance(image.shape, center), seen.radius)
    spot = _judged(image, used, error, _Outline(center, seen.radius, max(height, 0.0), background))
    return BeamSpot(
        center, seen.radius, seen.reach, spot.height, background, spot.asymmetry, float("nan"), "symmetry"
    )


def known_origin(scan: Scan) -> tuple[float, float] | None:
    """Return the origin in px that the step ``center`` set; None where it did not run."""
    if all(record.name != "center" for record in scan.history):
        return None
    v, u = scan.pattern_axes
    return -v.offset / v.scale, -u.offset / u.scale


def spot_of(scan: Scan, *, method: str = "auto") -> tuple[BeamSpot, Statistics, Mask]:
    """Return the direct beam in the mean pattern of a scan, with the statistics and the pixels it rests on.

    Pixels of weight 0 and pixels that are not finite are not looked at.
    """
    found = pattern_statistics(scan)
    used = used_pixels(scan) & found.finite
    if not used.any():
        raise InputError("pixel_weights", expected="some pixels in use", got="none", hint="mask fewer pixels")
    mean, error = (np.where(found.finite, image, 0.0) for image in (found.mean, found.standard_error))
    return find_spot(mean, used=used, error=error, method=method), found, used
