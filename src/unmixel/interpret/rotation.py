"""By how much the detector is turned against the scan, from the shifts of the beam over the scan."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.rotation import ScanRotation

Float = NDArray[np.float64]

CUT = 4.0
"""Reach of the derivatives' kernel, in its standard deviations."""

CLEAR = 2.0
"""Factor by which the curl of one handedness must be below that of the other to call it."""


def scan_rotation(com_v: NDArray[Any], com_u: NDArray[Any], *, smoothing: float = 1.5) -> ScanRotation:
    """Return the rotation between scan and detector that leaves the least curl in the shifts of the beam.

    Parameters
    ----------
    com_v, com_u : ndarray, shape (y, x)
        Centre of mass of each pattern along v and u, in any one unit, at square scan steps.
    smoothing : float, > 0
        Standard deviation of the Gaussian whose derivatives are taken, in scan steps: about as large as what is seen.

    Returns
    -------
    ScanRotation
        Its angle is in (-90, 90]: angle and angle + 180 leave the same curl.

    Raises
    ------
    InputError
        When the two arrays differ in shape, are too small for the smoothing, or hold what is not finite.

    Notes
    -----
    A thin object shifts the beam along the gradient of its phase, and a gradient has no curl. With divergence D and
    curl C of the shifts, those turned back by t have ``D cos t - C sin t`` and ``C cos t + D sin t``; the sum S of the
    squared curl is least at ``tan 2t = -2 S(C D) / (S(D^2) - S(C^2))``. Noise that is alike along v and u adds the
    same to both squares and nothing to the product: it leaves the angle unbiased. Means are taken off D and C, which
    is what a wandering beam (descan, linear in y and x) adds to them. The standard error is that of ``S(C D)`` under
    noise independent between positions, of the size that the remaining curl has.

    Examples
    --------
    >>> y, x = np.mgrid[:40, :40]
    >>> phase = np.exp(-((y - 17) ** 2 + (x - 22) ** 2) / 60)
    >>> slope_y, slope_x = np.gradient(phase)
    >>> t = np.deg2rad(25)  # the detector sees them turned
    >>> turned = slope_y * np.cos(t) - slope_x * np.sin(t), slope_y * np.sin(t) + slope_x * np.cos(t)
    >>> round(scan_rotation(*turned).angle_deg, 1)
    25.0
    """
    v, u = _checked(com_v, com_u, smoothing)
    found = _Field(v, u, smoothing)
    angle, curl, total = found.angle()
    _, mirrored, _ = _Field(-v, u, smoothing).angle()
    if not total > 0 or found.along <= 0:
        return ScanRotation(0.0, float("inf"), float("nan"), False, "the shifts do not change over the scan")
    error = found.error(angle, curl)
    share = curl / total
    other = mirrored / total
    degrees = float(np.rad2deg(angle))
    words = f"curl is least ({share:.0%} of curl and divergence) at {degrees:.1f} degrees, or at {degrees + 180:.1f}"
    if share > CLEAR * other:
        words += f"; mirrored, it is {other:.0%}: one axis of scan or detector runs backwards, the angle means nothing"
    elif other < CLEAR * share:
        words += f"; mirrored, it is {other:.0%}: the two cannot be told apart"
    return ScanRotation(degrees, float(np.rad2deg(error)), share, share > CLEAR * other, words)


def _checked(com_v: NDArray[Any], com_u: NDArray[Any], smoothing: float) -> tuple[Float, Float]:
    v, u = np.asarray(com_v, np.float64), np.asarray(com_u, np.float64)
    good = v.ndim == 2 and v.shape == u.shape and smoothing > 0
    least = 2 * round(CUT * smoothing) + 4 if smoothing > 0 else 0
    if not (good and min(v.shape) >= least and np.isfinite(v).all() and np.isfinite(u).all()):
        raise InputError(
            "scan_rotation",
            expected=f"two finite images of one shape, {least} positions or more along each axis, and smoothing > 0",
            got=f"shapes {v.shape} and {u.shape}, smoothing {smoothing}",
            hint="give the centre of mass along v and u at each position; smooth less on small scans",
        )
    return v, u


class _Field:
    """Divergence and curl of shifts, away from the edges, less their means."""

    def __init__(self, v: Float, u: Float, smoothing: float) -> None:
        self.smoothing, self.shape = smoothing, v.shape
        self.divergence = self._open(self._slope(v, 0) + self._slope(u, 1))
        # counter-clockwise as displayed: y runs down
        self.curl = self._open(self._slope(v, 1) - self._slope(u, 0))

    def _slope(self, image: Float, axis: int) -> Float:
        order = [0, 0]
        order[axis] = 1
        return np.asarray(
            scipy.ndimage.gaussian_filter(image, self.smoothing, order=order, mode="constant", truncate=CUT)
        )

    @property
    def _inside(self) -> tuple[slice, slice]:
        margin = round(CUT * self.smoothing)
        return (slice(margin, self.shape[0] - margin), slice(margin, self.shape[1] - margin))

    def _open(self, image: Float) -> Float:
        """Return an image inside the margin, less its mean, and 0 in the margin."""
        out = np.zeros(image.shape)
        inner = image[self._inside]
        out[self._inside] = inner - inner.mean()
        return out

    @property
    def along(self) -> float:
        """How much more divergence than curl there is after the best turn."""
        d, c, both = self._sums()
        return float(np.hypot(d - c, 2 * both))

    def _sums(self) -> tuple[float, float, float]:
        return (
            float(np.sum(self.divergence**2)),
            float(np.sum(self.curl**2)),
            float(np.sum(self.divergence * self.curl)),
        )

    def angle(self) -> tuple[float, float, float]:
        """Return the angle in radians of least curl, that curl, and the sum of curl and divergence (squares)."""
        d, c, both = self._sums()
        angle = 0.5 * np.arctan2(-2 * both, d - c)
        return float(angle), (d + c - self.along) / 2, d + c

    def error(self, angle: float, curl: float) -> float:
        """Return the standard error of the angle."""
        # the noise of a shift from that of the curl: the kernel's power, along either axis
        spike = np.zeros((2 * self.shape[0] + 1, 2 * self.shape[1] + 1))
        spike[self.shape] = 1.0
        power = 2 * float(np.sum(self._slope(spike, 0) ** 2))
        n = np.prod([part.stop - part.start for part in self._inside])
        variance = curl / (n * power)
        turned = self.divergence * np.cos(angle) - self.curl * np.sin(angle)
        # S(C D) by the noise of each shift: the derivative's adjoint upon D
        lever = sum(float(np.sum(self._slope(turned, axis) ** 2)) for axis in (0, 1))
        return float(np.sqrt(variance * lever) / self.along)
