"""How wide a blurred disk looks at half of its height, and back: the probe's share in a diameter."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]

CORE = 0.7  # share of the peak above which a region's plateau is taken, as in `regions`
LEAST_RESOLVED = 0.5  # diameter over FWHM below which disks all look the same
FWHM_PER_SIGMA = math.sqrt(8 * math.log(2))


def apparent_diameter(diameter: float, *, fwhm: float) -> float:
    """Return the diameter of a blurred disk where it falls to half of its plateau.

    A disk of radius R under a Gaussian of width sigma has the profile ``P(|r + n| < R)``, the distribution
    function of a noncentral chi-square with two degrees of freedom. Its plateau is the median over the area
    where it exceeds 0.7 of its peak, as for measured regions; for a wide disk that is its true height.

    Parameters
    ----------
    diameter, fwhm : float
        In one unit, > 0.

    Examples
    --------
    >>> round(apparent_diameter(8.0, fwhm=2.0), 2)
    7.9
    >>> round(apparent_diameter(1.0, fwhm=2.0), 2)
    2.41
    """
    from scipy.optimize import brentq
    from scipy.stats import ncx2

    radius, reach = diameter * FWHM_PER_SIGMA / (2 * fwhm), (diameter / 2 + 3 * fwhm) * FWHM_PER_SIGMA / fwhm

    def profile(r: float) -> float:
        return float(ncx2.cdf(radius**2, 2, r**2))

    def crossing(level: float) -> float:
        return float(brentq(lambda r: profile(r) - level, 0.0, reach, xtol=1e-6))

    plateau = profile(crossing(CORE * profile(0.0)) / math.sqrt(2))
    return 2 * crossing(plateau / 2) * fwhm / FWHM_PER_SIGMA


@cache
def _table() -> tuple[Float, Float]:
    """Return true and apparent diameters in units of the FWHM, both rising."""
    true = np.concatenate([np.linspace(LEAST_RESOLVED, 4, 36), np.geomspace(4.2, 30, 20)])
    return true, np.array([apparent_diameter(float(d), fwhm=1.0) for d in true])


def true_diameter(apparent: float, *, fwhm: float | None) -> tuple[float, bool]:
    """Return the diameter of the disk that looks `apparent` wide, and whether the probe resolves it.

    Parameters
    ----------
    apparent : float
        Equivalent-circle diameter at half of the plateau, > 0.
    fwhm : float or None
        Full width at half maximum of the probe, in the same unit; None or 0 corrects nothing.

    Returns
    -------
    (float, bool)
        A disk smaller than half of the FWHM looks like the probe itself: half of the FWHM and False.

    Examples
    --------
    >>> round(true_diameter(7.9, fwhm=2.0)[0], 1)
    8.0
    >>> true_diameter(2.0, fwhm=2.0)
    (1.0, False)
    >>> true_diameter(2.0, fwhm=None)
    (2.0, True)
    """
    if not fwhm:
        return apparent, True
    true, seen = _table()
    ratio = apparent / fwhm
    if ratio <= seen[0]:
        return LEAST_RESOLVED * fwhm, False
    if ratio >= seen[-1]:
        return apparent + float(true[-1] - seen[-1]) * fwhm, True
    return float(np.interp(ratio, seen, true)) * fwhm, True
