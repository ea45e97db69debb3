"""Non-negative kernels of unit sum: probes over positions, spots over detector pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError

_EDGE = 0.5
# width in px over which a disk's rim falls from 1 to 0: a pixel half covered counts half


def _widths(what: str, values: Sequence[float]) -> tuple[float, ...]:
    widths = tuple(float(value) for value in values)
    if not widths or not all(math.isfinite(w) and w >= 0 for w in widths):
        raise InputError(what, expected="finite widths >= 0 in px, one per axis", got=f"{values}", hint="")
    return widths


def gaussian_kernel(sigmas: Sequence[float], *, truncate: float = 4.0) -> NDArray[np.float64]:
    """Return a sampled Gaussian of unit sum, centred in an array of odd lengths.

    Parameters
    ----------
    sigmas : sequence of float
        Standard deviation along each axis in px, >= 0; 0 gives length 1 along that axis.
    truncate : float
        Half length in sigmas.

    Returns
    -------
    ndarray of float64, one axis per sigma

    Raises
    ------
    InputError
        When a width is negative or not finite.

    Examples
    --------
    >>> gaussian_kernel((0.8, 0.0)).shape
    (9, 1)
    >>> float(gaussian_kernel((2.2, 2.2)).sum().round(12))
    1.0
    """
    kernel = np.ones((1,) * len(_widths("sigmas", sigmas)))
    for axis, sigma in enumerate(_widths("sigmas", sigmas)):
        half = math.ceil(truncate * sigma) if sigma else 0
        offsets = np.arange(-half, half + 1, dtype=np.float64)
        line = np.exp(-0.5 * (offsets / sigma) ** 2) if sigma else np.ones(1)
        shape = [1] * kernel.ndim
        shape[axis] = line.size
        kernel = kernel * line.reshape(shape)
    return np.asarray(kernel / kernel.sum())


def disk_kernel(radius: float) -> NDArray[np.float64]:
    """Return a flat disk of unit sum with a rim one pixel wide, centred in a square of odd length.

    Its standard deviation along an axis is close to ``radius / 2``.

    Parameters
    ----------
    radius : float
        In px, >= 0.

    Examples
    --------
    >>> disk_kernel(4.4).shape
    (11, 11)
    """
    (radius,) = _widths("radius", (radius,))
    half = math.ceil(radius + _EDGE)
    offsets = np.arange(-half, half + 1, dtype=np.float64)
    kernel = disk_spot(np.hypot(offsets[:, None], offsets[None, :]), radius)
    return np.asarray(kernel / kernel.sum())


def stretched_kernel(kernel: NDArray[np.floating[Any]], factor: float) -> NDArray[np.float64]:
    """Return a kernel that is `factor` times as wide, of unit sum and odd lengths.

    Parameters
    ----------
    kernel : ndarray, odd length along each axis, >= 0
    factor : float, > 0
        1 gives the kernel as it is, its sum apart.

    Returns
    -------
    ndarray of float64
        Resampled by cubic splines, never below 0; nothing beyond its ends.

    Examples
    --------
    >>> kernel = gaussian_kernel((2.0, 2.0))
    >>> offsets = np.arange(-11, 12)
    >>> wide = stretched_kernel(kernel, 1.3)
    >>> wide.shape, round(float((wide.sum(axis=0) @ offsets**2) ** 0.5), 1)
    ((23, 23), 2.6)
    """
    from scipy.ndimage import map_coordinates

    image = np.asarray(kernel, np.float64)
    if factor != 1:
        halves = [math.ceil(factor * (length // 2)) for length in image.shape]
        grid = np.meshgrid(*(np.arange(-half, half + 1) / factor for half in halves), indexing="ij")
        places = [line + length // 2 for line, length in zip(grid, image.shape, strict=True)]
        image = np.clip(map_coordinates(image, places, order=3, mode="constant"), 0.0, None)
    return np.asarray(image / image.sum())


def gaussian_spot(distance: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Return a Gaussian of height 1 at distances in px from its centre."""
    return np.asarray(np.exp(-0.5 * (distance / sigma) ** 2))


def disk_spot(distance: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Return a disk of height 1 with a linear rim one pixel wide, at distances in px from its centre."""
    return np.asarray(np.clip((radius + _EDGE - distance) / (2 * _EDGE), 0.0, 1.0))
