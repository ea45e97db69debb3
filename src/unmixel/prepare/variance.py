"""Fluctuation electron microscopy: how much rings vary over a scan, counting noise taken off, in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import DEFAULT_BUDGET
from unmixel.physics.rings import RingGrid
from unmixel.prepare.detectors import frames
from unmixel.prepare.geometry import Geometry, measured_pixels
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


def variance_profile(
    scan: Scan,
    *,
    unit: str | None = None,
    width: float | None = None,
    center: tuple[float, float] | None = None,
    voltage_kV: float | None = None,
    used: NDArray[np.bool_] | None = None,
    gain: float | None = None,
    memory_budget: int = DEFAULT_BUDGET,
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
    memory_budget : int
        Bytes for blocks of data.

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
    geometry = Geometry.of(scan, unit=unit, center=center, voltage_kV=voltage_kV)
    rings = geometry.rings(seen, width)
    running = _Sums(rings, noise)
    for positions, values in frames(scan, memory_budget):
        inside = chosen[positions]
        if inside.any():
            running.add(values if inside.all() else values[inside])
    with np.errstate(invalid="ignore", divide="ignore"):
        return running.profile(seen.ravel())


class _Sums:
    """Running sums of one pass: over positions for each pixel, and for each ring."""

    def __init__(self, rings: RingGrid, gain: float) -> None:
        n_pixels, r = rings.shares.shape[1], len(rings)
        self.rings, self.gain, self.n = rings, gain, 0
        self.first, self.second = np.zeros(n_pixels), np.zeros(n_pixels)
        # of each pattern: mean m and mean square q of a ring, and their products
        self.m, self.q, self.mm, self.qq, self.mq = np.zeros((5, r))
        # normalised variance within a ring: number of patterns that counted something, sum, sum of squares
        self.within_n, self.within, self.within_2 = np.zeros((3, r))

    def add(self, values: Float) -> None:
        """Add patterns, shape (b, n_pixels)."""
        square = values**2
        self.n += len(values)
        self.first += values.sum(axis=0)
        self.second += square.sum(axis=0)
        m, q, alike = self.rings.mean(values), self.rings.mean(square), self.rings.n_alike
        self.m += m.sum(axis=0)
        self.q += q.sum(axis=0)
        self.mm += (m * m).sum(axis=0)
        self.qq += (q * q).sum(axis=0)
        self.mq += (m * q).sum(axis=0)
        counted = (m > 0) & (alike > 1.5)
        single = (q - m**2) * (alike / np.maximum(alike - 1, 0.5)) - self.gain * m
        within = np.divide(single, m**2, out=np.zeros_like(m), where=counted)
        self.within_n += counted.sum(axis=0)
        self.within += within.sum(axis=0)
        self.within_2 += (within**2).sum(axis=0)

    def profile(self, seen: NDArray[np.bool_]) -> VarianceProfile:
        """Return the variance profile of what was added."""
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
