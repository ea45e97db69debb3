"""Fluctuation electron microscopy: how much rings vary over a scan, counting noise taken off, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import DEFAULT_BUDGET
from unmixel.engines.walk import Found, added
from unmixel.physics.rings import RingGrid
from unmixel.prepare.geometry import Geometry, measured_pixels
from unmixel.prepare.passes import Look, batches, found_in, walked_by
from unmixel.prepare.statistics import used_positions

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VarianceProfile:
    """Normalised variance against spatial frequency, in the definitions of Daulton, Bondi and Kelton (2010).

    With ``< >_r`` the mean over positions and ``< >_phi`` the mean over a ring; all arrays of shape (r,), counting
    noise taken off; NaN where a ring counted nothing.

    Parameters
    ----------
    frequency : ndarray
        Of the rings, in `unit`.
    mean : ndarray
        Mean counts per pixel and position.
    variance_image, variance_image_error : ndarray
        Annular mean of the variance image, ``<<I^2>_r / <I>_r^2>_phi - 1``.
    rings, rings_error : ndarray
        Mean of the variances of rings, ``<<I^2>_phi / <I>_phi^2>_r - 1``: speckle within each pattern.
    ring_ensemble, ring_ensemble_error : ndarray
        Variance of the ensemble of rings, ``<<I^2>_phi>_r / <<I>_phi>_r^2 - 1``: speckle and thickness.
    annular_mean, annular_mean_error : ndarray
        Variance of the annular mean, ``<<I>_phi^2>_r / <<I>_phi>_r^2 - 1``: mostly thickness.
    n_positions : int
    unit : str
    """

    frequency: Float
    mean: Float
    variance_image: Float
    variance_image_error: Float
    rings: Float
    rings_error: Float
    ring_ensemble: Float
    ring_ensemble_error: Float
    annular_mean: Float
    annular_mean_error: Float
    n_positions: int
    unit: str


def variance_profile(  # noqa: PLR0913 - one keyword per documented setting
    scan: Scan,
    *,
    unit: str | None = None,
    width: float | None = None,
    center: tuple[float, float] | None = None,
    voltage_kV: float | None = None,
    used: NDArray[np.bool_] | None = None,
    gain: float | None = None,
    memory_budget: int = DEFAULT_BUDGET,
    engine: Any = None,
) -> VarianceProfile:
    """Return the normalised variance V(k) of a scan's diffraction, counting noise taken off.

    Parameters
    ----------
    scan : Scan
        Diffraction patterns at two positions or more; positions of weight 0 are left out.
    unit : str, optional
        ``1/angstrom``, ``1/nm``, ``mrad`` or ``px``; that of the pattern axes by default.
    width : float, optional
        Width of a ring in `unit`; half of the shorter side of a pixel where it is not given.
    center, voltage_kV, used
        As in `unmixel.virtual_image`.
    gain : float, optional
        Variance over mean of the noise; what the step ``poisson_weights`` found by default (1 without it). 0 leaves
        the noise in.
    memory_budget, engine
        As in `unmixel.virtual_image`.

    Returns
    -------
    VarianceProfile

    Raises
    ------
    InputError
        For spectra, fewer than two positions or a gain below 0.

    Notes
    -----
    Daulton, Bondi and Kelton, Ultramicroscopy 110, 1279 (2010) list the definitions. Counting adds ``gain / <I>`` to
    the first three (to the last: over the pixels of a ring) and is taken off; variances are unbiased ones. `rings` and
    `ring_ensemble` hold the slope of the profile across a ring too: keep rings narrow. Errors of the variance image
    are from the spread of its pixels, the others from that of positions: both take what they average as independent,
    and are too small where a speckle covers several pixels or positions.

    Examples
    --------
    >>> noise = np.random.default_rng(0).poisson(4.0, (20, 20, 33, 33))
    >>> found = variance_profile(Scan.from_array(noise), center=(16, 16), width=2)
    >>> bool(np.abs(found.variance_image[2:]).max() < 0.005)  # counting alone would give 0.25
    True
    """
    chosen, seen = used_positions(scan), measured_pixels(scan, used)
    noise = scan.gain if gain is None else gain
    if chosen.sum() < 2 or not 0 <= noise < np.inf:
        raise InputError(
            "variance_profile",
            expected="two used positions or more and a gain >= 0",
            got=f"{int(chosen.sum())} positions and a gain of {noise}",
            hint="leave fewer positions out",
        )
    with walked_by(engine, memory_budget):
        geometry = Geometry.of(scan, unit=unit, center=center, voltage_kV=voltage_kV)
        rings = geometry.rings(seen, width)
        found = found_in(_Speckle(rings, noise), scan.data, len(scan.scan_axes), chosen)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _Sums(rings, noise, *found.sums).profile(seen.ravel())


@dataclass(frozen=True, eq=False)
class _Speckle(Look):
    """Along: whether a position is used. Sums: those of `_Sums`, of the used ones."""

    rings: RingGrid
    gain: float

    def on_host(self, values: NDArray[Any], *along: NDArray[Any]) -> Found:
        """Return the sums of a block."""
        (used,) = along
        total = self._of(values[:0])
        for part in batches(values):
            if used[part].any():
                total = added(total, self._of(values[part] if used[part].all() else values[part][used[part]]))
        return Found(sums=total)

    def _of(self, values: NDArray[Any]) -> tuple[Any, ...]:
        """Return the sums of patterns, shape (b, n_pixels)."""
        values = np.asarray(values, np.float64)
        square = values**2
        m, q, alike = self.rings.mean(values), self.rings.mean(square), self.rings.n_alike
        counted = (m > 0) & (alike > 1.5)
        single = (q - m**2) * (alike / np.maximum(alike - 1, 0.5)) - self.gain * m
        within = np.divide(single, m**2, out=np.zeros_like(m), where=counted)
        each = (values, square, m, q, m * m, q * q, m * q, counted, within, within**2)
        return (len(values), *(one.sum(axis=0, dtype=np.float64) for one in each))


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over `n` positions.

    Parameters
    ----------
    rings : RingGrid
    gain : float
    n : int
    first, second : ndarray, shape (n_pixels,)
        Of the values of each pixel and of their squares.
    m, q, mm, qq, mq : ndarray, shape (r,)
        Of mean m and mean square q of each ring, and of their products.
    within_n, within, within_2 : ndarray, shape (r,)
        Number of patterns in which a ring counted something, sum and sum of squares of its normalised variance there.
    """

    rings: RingGrid
    gain: float
    n: int
    first: Float
    second: Float
    m: Float
    q: Float
    mm: Float
    qq: Float
    mq: Float
    within_n: Float
    within: Float
    within_2: Float

    def profile(self, seen: NDArray[np.bool_]) -> VarianceProfile:
        """Return the variance profile of these sums."""
        n, gain, alike = self.n, self.gain, self.rings.n_alike
        m, q = self.m / n, self.q / n
        image, image_error = self._variance_image(seen)
        ensemble = q / m**2 - 1 - gain / m
        # to first order in what each position adds: dV = dq / m^2 - slope dm
        var_m, var_q, cross = self.mm / n - m**2, self.qq / n - q**2, self.mq / n - m * q
        slope = 2 * q / m**3 - gain / m**2
        scatter = var_q / m**4 - 2 * slope * cross / m**2 + slope**2 * var_m
        between = var_m * n / (n - 1)
        within_n = np.where(self.within_n > 1, self.within_n, np.nan)
        within = self.within / within_n
        return VarianceProfile(
            frequency=self.rings.mean(self.rings.distance),
            mean=m,
            variance_image=image,
            variance_image_error=image_error,
            rings=within,
            rings_error=np.sqrt(np.maximum(self.within_2 / within_n - within**2, 0) / (within_n - 1)),
            ring_ensemble=ensemble,
            ring_ensemble_error=np.sqrt(np.maximum(scatter, 0) / (n - 1)),
            annular_mean=(between - gain * m / alike) / m**2,
            annular_mean_error=between / m**2 * np.sqrt(2 / (n - 1)),
            n_positions=n,
            unit=self.rings.unit,
        )

    def _variance_image(self, seen: NDArray[np.bool_]) -> tuple[Float, Float]:
        """Return the annular mean of the normalised variance image and its standard error."""
        mean = self.first / self.n
        single = (self.second / self.n - mean**2) * self.n / (self.n - 1) - self.gain * mean
        counted = seen & (mean > 0)
        image = np.where(counted, single / mean**2, 0.0)
        area = self.rings.shares @ counted.astype(float)
        found = np.asarray(self.rings.shares @ image / area)
        square = self.rings.shares @ image**2 / area - found**2
        few = np.maximum(self.rings.n_alike * area / self.rings.n_pixels, 1.5)
        return found, np.sqrt(np.maximum(square, 0) / (few - 1))
