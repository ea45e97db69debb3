"""How wide a blurred particle looks at half of its height, and back: the probe's and the body's share."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]

BODIES = ("disk", "sphere")
CORE = 0.7  # share of the peak above which a region's plateau is taken, as in `regions`
LEAST_RESOLVED = 0.5  # diameter over FWHM below which all bodies look the same
FWHM_PER_SIGMA = math.sqrt(8 * math.log(2))


def blurred_body(radii: Float, size: float, body: str) -> Float:
    """Return the projected thickness of a body of radius `size` blurred by a Gaussian of sigma 1, shape (r,).

    A disk has ``P(|r + n| < R)``, the distribution function of a noncentral chi-square with two degrees of
    freedom; a sphere is a stack of disks.
    """
    from scipy.stats import ncx2

    if body == "disk":
        slices, weights = np.array([size]), np.array([1.0])
    else:
        nodes, weights = np.polynomial.legendre.leggauss(12)
        slices, weights = size * np.sqrt(1 - (0.5 + 0.5 * nodes) ** 2), weights / 2
    return np.asarray(weights @ ncx2.cdf(slices[:, None] ** 2, 2, radii[None, :] ** 2))


def contour(diameter: float, *, fwhm: float, body: str = "disk") -> float:
    """Return the diameter at which a blurred body falls to half of its plateau.

    The plateau is the median over the area where the body exceeds 0.7 of its peak, as for measured regions;
    for a wide disk that is its true height.

    Parameters
    ----------
    diameter, fwhm : float
        In one unit, > 0.
    body : str
        ``"disk"`` (even thickness) or ``"sphere"``.

    Examples
    --------
    >>> round(contour(8.0, fwhm=2.0), 2), round(contour(8.0, fwhm=2.0, body="sphere"), 2)
    (7.91, 6.82)
    """
    sigma = fwhm / FWHM_PER_SIGMA
    size = diameter / 2 / sigma
    radii = np.linspace(0.0, size + 5.0, 300)
    profile = blurred_body(radii, size, body)

    def crossing(level: float) -> float:
        return float(np.interp(-level, -profile, radii))

    plateau = float(np.interp(crossing(CORE * profile[0]) / math.sqrt(2), radii, profile))
    return 2 * sigma * crossing(plateau / 2)


@cache
def _table(body: str) -> tuple[Float, Float]:
    """Return true diameters and contours in units of the FWHM, both rising."""
    true = np.concatenate([np.linspace(LEAST_RESOLVED, 4, 15), np.geomspace(4.6, 30, 9)])
    return true, np.array([contour(float(d), fwhm=1.0, body=body) for d in true])


def true_diameter(apparent: float, *, fwhm: float | None, body: str = "disk") -> tuple[float, bool]:
    """Return the diameter of the body that looks `apparent` wide, and whether the probe resolves it.

    Parameters
    ----------
    apparent : float
        Equivalent-circle diameter at half of the plateau, > 0.
    fwhm : float or None
        Full width at half maximum of the probe, in the same unit; None or 0 corrects no blur.
    body : str
        ``"disk"`` or ``"sphere"``: a sphere is wider than its contour at half height.

    Returns
    -------
    (float, bool)
        A body smaller than half of the FWHM looks like the probe itself: half of the FWHM and False.

    Examples
    --------
    >>> round(true_diameter(7.9, fwhm=2.0)[0], 1), round(true_diameter(6.82, fwhm=2.0, body="sphere")[0], 1)
    (8.0, 8.0)
    >>> true_diameter(2.0, fwhm=2.0)
    (1.0, False)
    >>> true_diameter(2.0, fwhm=None)
    (2.0, True)
    """
    true, seen = _table(body)
    if not fwhm:
        return (apparent if body == "disk" else apparent * float(true[-1] / seen[-1])), True
    ratio = apparent / fwhm
    if ratio <= seen[0]:
        return LEAST_RESOLVED * fwhm, False
    if ratio >= seen[-1]:
        return apparent * float(true[-1] / seen[-1]), True
    return float(np.interp(ratio, seen, true)) * fwhm, True
