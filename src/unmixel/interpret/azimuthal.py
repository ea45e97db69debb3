"""How a ring's intensity depends on the angle: its autocorrelation around the ring and the power of its harmonics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.interpret.polar import PolarGrid

Float = NDArray[np.float64]

ORDERS = (2, 4, 6, 8, 10, 12)
"""Symmetries that are looked at: Friedel's law leaves even ones."""

LEAST_PAIRS = 0.05
"""Share of a ring's samples that must have a used partner at a lag for the lag to count."""


@dataclass(frozen=True, eq=False)
class AzimuthalCorrelation:
    """Autocorrelation of k patterns around r rings, counting noise taken off.

    Parameters
    ----------
    radii : ndarray, shape (r,)
        In units of the shorter side of a pixel.
    lag_deg : ndarray, shape (t,)
        Angles between the two samples of a pair, 0 to 180.
    correlation, error : ndarray, shape (k, r, t)
        ``<I(phi) I(phi + lag)> / <I>^2 - 1`` and its standard error by counting; NaN where too few pairs are used.
    orders : tuple of int
        Symmetries n.
    power, power_error : ndarray, shape (k, r, n)
        Power of the harmonic ``cos(n phi)`` over the squared mean: ``e^2 / 2`` where ``I = <I> (1 + e cos(n phi))``.
    """

    radii: Float
    lag_deg: Float
    correlation: Float
    error: Float
    orders: tuple[int, ...]
    power: Float
    power_error: Float


def azimuthal_correlation(
    patterns: NDArray[Any], grid: PolarGrid, *, gain: float = 1.0, orders: Sequence[int] = ORDERS
) -> AzimuthalCorrelation:
    """Return the autocorrelation of patterns around each ring of a polar grid, and the power of its harmonics.

    Parameters
    ----------
    patterns : ndarray, shape (k, v, u) or (v, u), >= 0
        Counts, or their means (then `gain` is less). Averages over many patterns show what a glass has in common:
        average the results, not the patterns.
    grid : PolarGrid
        Rings about the centre, with the mask.
    gain : float, >= 0
        Variance over mean of each pixel's noise; 0 leaves the noise in.
    orders : sequence of int, >= 1

    Returns
    -------
    AzimuthalCorrelation

    Raises
    ------
    InputError
        When patterns do not fit the grid, or a number is out of range.

    Notes
    -----
    With ``a`` the anomalies of a ring (its mean taken off, 0 at unused samples), ``m`` its mask and ``A`` the linear
    map from pixels to anomalies::

        C(s) = (sum_t a(t) a(t + s) - N(s)) / (sum_t m(t) m(t + s)) / <I>^2
        N(s) = sum_p gain I_p sum_t A(t, p) A(t + s, p)

    Bilinear interpolation lowers the power of harmonic n at radius r (in pixels) by about ``(n / r)^2 / 6``. Where a
    part of a ring is not used, its mean is known less well and harmonics mix: a beam stop over 15 degrees changes the
    power by up to a fifth.

    N is what independent noise of variance ``gain I_p`` adds, at lag 0 and wherever two samples are interpolated from
    the same pixel: noise alone gives 0 at every lag on average. Normalised as usual for angular correlations of
    diffraction patterns (Wochner et al., PNAS 106, 11511 (2009)).

    Examples
    --------
    >>> from unmixel.dataset.axes import Axis
    >>> from unmixel.interpret.polar import polar_grid
    >>> v, u = np.indices((65, 65)) - 32
    >>> pattern = 10 * (1 + 0.2 * np.cos(4 * np.arctan2(-v, u)))
    >>> grid = polar_grid((Axis("v", 65), Axis("u", 65)), np.ones((65, 65), bool), center=(32, 32))
    >>> found = azimuthal_correlation(pattern, grid, gain=0)
    >>> found.power[0, 20].round(3).tolist()  # 0.2^2 / 2 at n = 4
    [0.0, 0.02, 0.0, 0.0, 0.0, 0.0]
    """
    stack = np.asarray(patterns, np.float64)
    stack = stack[None] if stack.ndim == 2 else stack
    wanted, largest = tuple(int(n) for n in orders), grid.n_angles // 2
    fits = (
        stack.ndim == 3 and stack.shape[1] * stack.shape[2] == grid.operator.shape[1] and len(grid.radii) > 0
    )
    if not fits or not 0 <= gain < np.inf or not all(1 <= n < largest for n in wanted):
        raise InputError(
            "azimuthal_correlation",
            expected=f"patterns of {grid.operator.shape[1]} pixels, gain >= 0 and orders of 1 to {largest - 1}",
            got=f"shape {stack.shape}, gain {gain} and orders {wanted}",
            hint="make the grid with polar_grid for these axes",
        )
    from scipy import fft

    rings = grid.of(stack)
    mean = np.asarray(grid.ring_mean(rings), np.float64)
    power = np.abs(fft.rfft(np.asarray(grid.anomaly(rings), np.float64), axis=2)) ** 2
    noise = np.stack(
        [_noise(grid, r, gain * stack.reshape(len(stack), -1)) for r in range(len(grid.radii))], axis=1
    )
    pairs = fft.irfft(np.abs(fft.rfft(grid.used.astype(float), axis=1)) ** 2, n=grid.n_angles, axis=1)
    square = np.where(mean > 0, mean, np.nan)[:, :, None] ** 2
    return _assembled(grid, (power, noise), pairs, square, wanted)


def _assembled(
    grid: PolarGrid, spectrum: tuple[Float, Float], pairs: Float, square: Float, orders: tuple[int, ...]
) -> AzimuthalCorrelation:
    """Return correlation and harmonics from the power of the anomalies and that of the noise, both (k, r, n)."""
    from scipy import fft

    (power, noise), t = spectrum, grid.n_angles
    few = pairs < LEAST_PAIRS * t
    curve = fft.irfft(power - noise, n=t, axis=2) / np.where(few, np.inf, pairs) / square
    harmonics = 2.0 / t * fft.rfft(curve, axis=2).real
    # of a power that is a random number's square: of the noise alone, and of noise times signal
    spread = np.sqrt(noise**2 + 2 * noise * np.maximum(power - noise, 0.0))
    errors = 2.0 * spread / (t * grid.used.sum(axis=1)[:, None]) / square
    lags = np.arange(t // 2 + 1)
    turns = np.cos(2 * np.pi / t * np.outer(np.arange(errors.shape[2]), lags)) ** 2
    seen = np.where(few, np.nan, 1.0)[:, lags]
    return AzimuthalCorrelation(
        radii=np.asarray(grid.radii, np.float64),
        lag_deg=np.asarray(lags * grid.step_deg, np.float64),
        correlation=curve[:, :, lags] * seen,
        error=np.sqrt(errors**2 @ turns) * seen,
        orders=orders,
        power=harmonics[:, :, list(orders)],
        power_error=errors[:, :, list(orders)],
    )


def _noise(grid: PolarGrid, ring: int, variance: Float) -> Float:
    """Return the power of noise in each harmonic of a ring's anomalies, shape (k, n), for variances (k, pixels)."""
    from scipy import fft

    rows = grid.operator[ring * grid.n_angles : (ring + 1) * grid.n_angles]
    pixels = np.unique(rows.indices)
    response = np.asarray(rows[:, pixels].toarray(), np.float64)
    used = grid.used[ring]
    response = (response - response.sum(axis=0) / max(int(used.sum()), 1)) * used[:, None]
    return np.asarray(variance[:, pixels] @ (np.abs(fft.rfft(response, axis=0)) ** 2).T)
