"""What of a pattern its own mirror image does not repeat: slow unevenness, and patches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.prepare.origin import BeamSpot

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Asymmetry:
    """How a pattern differs from its mirror image through the origin.

    Parameters
    ----------
    slope : float
        Largest slow ratio between opposite sides, >= 1.
    listed : tuple of (area in px, row, column, ratio)
        Patches brighter than their mirror image beyond the slow part, brightest light first.
    patches : ndarray of bool
        Their pixels, grown by 2 px.
    """

    slope: float
    listed: tuple[tuple[int, float, float, float], ...]
    patches: Mask


def smoothed(images: Image, used: Mask) -> Image:
    """Return patterns (any number of leading axes) smoothed by a Gaussian of 1 px over used pixels."""
    from scipy.ndimage import gaussian_filter

    sigma = (0,) * (images.ndim - 2) + (1, 1)
    share = gaussian_filter(used.astype(np.float64), 1.0)
    smooth: Image = gaussian_filter(np.where(used, images, 0.0), sigma) / np.maximum(share, 1e-9)
    return smooth


SMOOTHED_PIXELS = 12.6
"""Pixels that `smoothed` averages in effect (4 pi sigma^2): by so much it lowers the variance of noise."""


def slow_and_patchy(
    smooth: Image, noise: Image, used: Mask, *, origin: tuple[float, float], beam: BeamSpot
) -> Asymmetry:
    """Return the asymmetry of a pattern that all positions share.

    ``L = log(pattern / mirror image)`` is split into odd polynomials of degree 3 (fitted so that patches
    do not bend them) and the rest; patches are connected regions of the rest above log 1.3, 4
    robust deviations and 5 times the noise, larger than 4 beam spots.

    Parameters
    ----------
    smooth : ndarray, shape (v, u)
        The pattern, smoothed.
    noise : ndarray, shape (v, u)
        Its standard error.
    used : ndarray of bool, shape (v, u)
    origin : (float, float)
        In px.
    beam : BeamSpot
        Its reach is left out and its radius sets the size of a patch.
    """
    from scipy.ndimage import binary_dilation, label, map_coordinates

    v, u = np.indices(smooth.shape)
    mirror_at = (2 * origin[0] - v, 2 * origin[1] - u)
    mirror = map_coordinates(smooth, mirror_at, order=1, mode="constant", cval=np.nan)
    seen = map_coordinates(used.astype(np.float64), mirror_at, order=1, mode="constant", cval=0.0)
    good = used & (seen > 0.99) & np.isfinite(mirror) & (np.hypot(v - origin[0], u - origin[1]) > beam.reach)
    mirror = np.where(good, mirror, 1.0)
    # both get what noise alone can bring, so that nothing over nothing is no ratio
    least = 0.02 * float(np.median(smooth[used])) + 2 * noise + 1e-12
    ratio = np.where(good, np.log((smooth + least) / (mirror + least)), 0.0)
    empty = Asymmetry(1.0, (), np.zeros_like(used))
    if good.sum() < 50:
        return empty
    slow, scatter = _slow(ratio, good, origin)
    rest = np.where(good, ratio - slow, 0.0)
    regions, n = label((rest > max(np.log(1.3), 4 * scatter)) & (smooth - mirror > 5 * noise))
    area = np.bincount(regions.ravel(), minlength=n + 1)
    large = [i for i in range(1, n + 1) if area[i] >= max(12.0, 4 * np.pi * beam.radius**2)]
    large.sort(key=lambda i: -float(smooth[regions == i].sum()))
    listed = tuple(_told(regions == i, rest) for i in large)
    patches = np.isin(regions, large)
    if large:
        patches = binary_dilation(patches, iterations=2)
    slope = float(np.exp(np.percentile(np.abs(slow[good]), 95)))
    return Asymmetry(slope, listed, np.asarray(patches & used))


def _told(patch: Mask, rest: Image) -> tuple[int, float, float, float]:
    rows, columns = np.nonzero(patch)
    return rows.size, float(rows.mean()), float(columns.mean()), float(np.exp(np.median(rest[patch])))


def _slow(ratio: Image, good: Mask, origin: tuple[float, float]) -> tuple[Image, float]:
    """Return the odd cubic surface through `ratio` (biweight least squares) and the deviation from it."""
    v, u = np.indices(ratio.shape)
    a, b = (v - origin[0]) / ratio.shape[0], (u - origin[1]) / ratio.shape[1]
    terms = np.stack([a, b, a**3, b**3, a * a * b, a * b * b], axis=-1)
    design, target = terms[good], ratio[good]
    weight = np.ones(len(target))
    surface, scatter = np.zeros(len(target)), 0.0
    for _ in range(20):
        root = np.sqrt(weight)
        factors = np.linalg.lstsq(design * root[:, None], target * root, rcond=None)[0]
        surface = design @ factors
        scatter = max(1e-9, 1.4826 * float(np.median(np.abs(target - surface))))
        weight = np.clip(1 - ((target - surface) / (4.685 * scatter)) ** 2, 0, 1) ** 2
    slow = np.zeros_like(ratio)
    slow[good] = surface
    return slow, scatter
