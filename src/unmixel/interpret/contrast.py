"""Spots or rings only: how much of a pattern depends on the angle, beyond noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.interpret.polar import PolarGrid

Float = NDArray[np.floating[Any]]

SMOOTH = 1.2  # px; bridges the gaps of a checkerboard
LOWEST_HARMONIC = 3  # 1 and 2 are a shifted centre, a tilted background, an elliptical distortion
LEAST_AGREEMENT = (
    0.25  # share of the azimuthal variance that the two halves of the pixels must have in common
)
LEAST_SKEWNESS = 0.5  # holes where other components have their spots make it negative
BLOCK = 16


@dataclass(frozen=True, eq=False)
class Contrast:
    """Azimuthal contrast of patterns, free of noise.

    Parameters
    ----------
    contrast : ndarray, shape (k,)
        Root of the variance along the angle over the mean square, of the root of the intensity; >= 0. A glass
        halo has less than 0.05, spots that hold a fifth of the counts about 0.12, spots alone 0.5.
    agreement : ndarray, shape (k,)
        Correlation between the two halves of the pixels: 0 for pure noise, 1 without noise.
    skewness : ndarray, shape (k,)
        Third moment of the intensity along the angle: positive for spots, negative for holes.
    """

    contrast: Float
    agreement: Float
    skewness: Float

    def spots(self, least: float) -> NDArray[np.bool_]:
        """Return which patterns have spots: enough contrast, more than noise, peaks rather than holes."""
        found = (
            (self.contrast >= least) & (self.agreement >= LEAST_AGREEMENT) & (self.skewness >= LEAST_SKEWNESS)
        )
        return np.asarray(found, bool)


def smoothed(
    patterns: NDArray[Any],
    used: NDArray[np.bool_],
    sigma: float,
    *,
    steps: tuple[float, float] = (1.0, 1.0),
) -> NDArray[np.float32]:
    """Return patterns smoothed by a Gaussian over used pixels only (normalised), 0 elsewhere.

    Parameters
    ----------
    patterns : ndarray, shape (k, v, u)
    used : ndarray of bool, shape (v, u)
    sigma : float
        In units of the shorter pixel side; 0 returns the patterns with masked pixels set to 0.
    steps : (float, float)
        Height and width of a pixel in that unit, so that the Gaussian is round.
    """
    from scipy.ndimage import gaussian_filter

    clean = np.asarray(patterns, np.float32) * used
    if sigma == 0:
        return clean
    widths = (sigma / steps[0], sigma / steps[1])
    weight = gaussian_filter(used.astype(np.float32), widths)
    spread = gaussian_filter(clean, (0, *widths))
    return np.asarray(np.where(used, spread / np.maximum(weight, 1e-3), 0.0), np.float32)


def azimuthal_contrast(patterns: NDArray[Any], used: NDArray[np.bool_], grid: PolarGrid) -> Contrast:
    """Return the azimuthal contrast of patterns about the centre of `grid`.

    Signal is told from noise without knowing the dose: the pixels are split like a checkerboard, each half is
    smoothed over its gaps and read on the rings, and the covariance of the two halves along the angle is the
    variance without noise (which is independent between pixels, while a spot is wider than one). With ``a``,
    ``b`` the roots of the halves, ring means subtracted, harmonics from 3 up::

        contrast^2 = sum r a b / sum r sqrt(I_1 I_2),     agreement = sum r a b / sqrt(sum r a^2 sum r b^2)

    Parameters
    ----------
    patterns : ndarray, shape (k, v, u), >= 0
    used : ndarray of bool, shape (v, u)
    grid : PolarGrid
    """
    blocks = [patterns[i : i + BLOCK] for i in range(0, len(patterns), BLOCK)]
    parts = NumpyEngine().each(lambda block: _block(block, used, grid), blocks)
    return Contrast(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _block(patterns: NDArray[Any], used: NDArray[np.bool_], grid: PolarGrid) -> tuple[Float, Float, Float]:
    from scipy import fft

    weight = grid.radii[None, :, None].astype(np.float64)
    white = (np.add.outer(*(np.arange(size) for size in used.shape)) % 2).astype(bool)
    roots, harmonics = [], []
    for half in (used & white, used & ~white):
        # read on all used pixels: the smoothed half has a value on the other half too
        spread = _fill(patterns, half, used)
        root = np.sqrt(grid.of(spread))
        roots.append(root)
        harmonics.append(fft.rfft(grid.anomaly(root), axis=2)[:, :, LOWEST_HARMONIC:])
    first, second = harmonics
    common = np.sum(weight * (first.conj() * second).real, axis=(1, 2))
    own = [np.sum(weight * np.abs(part) ** 2, axis=(1, 2)) for part in harmonics]
    # Parseval: a sum over positive harmonics is n/2 times the sum over angles
    total = np.sum(weight * roots[0] * roots[1], axis=(1, 2)) * grid.n_angles / 2
    contrast = np.sqrt(np.maximum(common, 0.0) / np.maximum(total, 1e-300))
    agreement = common / np.maximum(np.sqrt(own[0] * own[1]), 1e-300)
    return contrast, agreement, _skewness(patterns, used, grid)


def _fill(patterns: NDArray[Any], half: NDArray[np.bool_], used: NDArray[np.bool_]) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(half.astype(np.float32), SMOOTH)
    spread = gaussian_filter(np.asarray(patterns, np.float32) * half, (0, SMOOTH, SMOOTH))
    return np.asarray(np.where(used, np.maximum(spread, 0.0) / np.maximum(weight, 1e-3), 0.0), np.float32)


def _skewness(patterns: NDArray[Any], used: NDArray[np.bool_], grid: PolarGrid) -> Float:
    weight = grid.radii[None, :, None]
    anomaly = grid.anomaly(grid.of(smoothed(patterns, used, 1.0)))
    square = anomaly * anomaly * weight
    count = max(float((grid.radii[:, None] * grid.used).sum()), 1e-300)
    second = square.sum(axis=(1, 2), dtype=np.float64) / count
    third = (square * anomaly).sum(axis=(1, 2), dtype=np.float64) / count
    return np.asarray(third / np.maximum(second**1.5, 1e-300))
