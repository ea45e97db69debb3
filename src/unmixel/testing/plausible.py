"""Judges that need no truth: is a map sharper than the probe, has a pattern dips narrower than a spot?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def out_of_band_power(maps: Array, limit: float | Sequence[float]) -> Array:
    """Return the share of each map's Fourier power beyond the resolution limit, mean left out.

    The map is mirrored at its edges (cosine transform), so that an object cut by the edge of the scan is not
    mistaken for sharpness.

    Parameters
    ----------
    maps : ndarray, shape (k, *scan_shape)
    limit : float or sequence of float
        Highest frequency that the probe passes, in cycles per scan px, along each axis; e.g.
        `unmixel.physics.probe.gaussian_limit` of the probe's sigma in px.

    Returns
    -------
    ndarray of float64, shape (k,), in [0, 1]; 0 for a constant map

    Examples
    --------
    >>> checker = np.indices((8, 8)).sum(axis=0) % 2
    >>> out_of_band_power(np.stack([checker, np.ones((8, 8))]), 0.4).round(2).tolist()
    [0.98, 0.0]
    """
    from scipy.fft import dctn

    folded = np.asarray(maps, np.float64)
    scan = folded.shape[1:]
    limits = np.broadcast_to(np.asarray(limit, np.float64), (len(scan),))
    power = (
        np.asarray(dctn(folded, axes=tuple(range(1, folded.ndim)), norm="ortho")).reshape(len(folded), -1)
        ** 2
    )
    lines = [np.arange(n) / (2 * n) / bound for n, bound in zip(scan, limits, strict=True)]
    beyond = sum(f**2 for f in np.meshgrid(*lines, indexing="ij", sparse=True)) > 1
    total = power[:, 1:].sum(axis=1)
    flat = total <= 1e-20 * power[:, 0]
    shares = power[:, np.broadcast_to(beyond, scan).reshape(-1)].sum(axis=1)
    return np.asarray(np.divide(shares, total, out=np.zeros_like(total), where=~flat))


def dip_fraction(
    patterns: Array, *, width: float, noise: float | Array = 0.0, used_pixels: Array | None = None
) -> Array:
    """Return the share of used pixels that lie below the pattern's grey-scale closing by more than the noise.

    A dip narrower than `width` in every direction is filled by closing with a disk (a segment for spectra) of
    that diameter; masked pixels and what lies outside neither make nor fill dips.

    Parameters
    ----------
    patterns : ndarray, shape (k, *pattern_shape)
    width : float
        Diameter in px of the smallest dip that is allowed, e.g. the spot's full width at half maximum.
    noise : float or ndarray that broadcasts to patterns
        Depth that counts as a dip, in the pattern's own unit.
    used_pixels : ndarray of bool, optional

    Returns
    -------
    ndarray of float64, shape (k,), in [0, 1]

    Examples
    --------
    >>> flat = np.ones((1, 20, 20))
    >>> flat[0, 10, 10] = 0
    >>> dip_fraction(flat, width=5).tolist()
    [0.0025]
    """
    from scipy.ndimage import grey_dilation, grey_erosion

    folded = np.asarray(patterns, np.float64)
    shape = folded.shape[1:]
    used = np.ones(shape, bool) if used_pixels is None else np.asarray(used_pixels, bool).reshape(shape)
    half = int(width // 2)
    offsets = np.indices((2 * half + 1,) * len(shape)) - half
    disk = np.sum(offsets**2, axis=0) <= (width / 2) ** 2
    depth = np.broadcast_to(np.asarray(noise, np.float64), folded.shape)
    # the disk may also be centred outside: a slope down to the edge or to a mask is no dip
    inside = (slice(half, -half or None),) * len(shape)
    shares = []
    for pattern, allowed in zip(folded, depth, strict=True):
        known = np.pad(np.where(used, pattern, -np.inf), half, constant_values=-np.inf)
        top = grey_dilation(known, footprint=disk, mode="constant", cval=-np.inf)
        closed = grey_erosion(
            np.where(np.isfinite(top), top, np.inf), footprint=disk, mode="constant", cval=np.inf
        )
        gap = closed[inside][used] - pattern[used]
        slack = 1e-12 * np.abs(pattern[used]).max(initial=0.0)
        shares.append(np.count_nonzero(gap > allowed[used] + slack) / max(1, int(used.sum())))
    return np.array(shares)
