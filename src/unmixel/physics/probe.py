"""The focused probe: how wide it is and which spatial frequencies a map can hold."""

from __future__ import annotations

import math

from unmixel.core.errors import InputError
from unmixel.physics.wavelength import wavelength

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian of sigma 1."""

_AIRY_HALF = 1.616339948310703
# (2 J1(x) / x)^2 = 1/2 at this x


def _positive(what: str, value: float, unit: str) -> float:
    if not (math.isfinite(value) and value > 0):
        raise InputError(
            what, expected=f"a number > 0 in {unit}", got=f"{value}", hint=f"give {what} in {unit}"
        )
    return value


def probe_fwhm(convergence_mrad: float, voltage_kV: float) -> float:
    """Return the width of the diffraction-limited probe, in angstrom.

    The intensity of a round aperture's image is ``(2 J1(x) / x)^2`` with ``x = 2 pi alpha r / lambda``
    (Airy); its full width at half maximum is ``0.5145 lambda / alpha``. Aberrations, source size and beam
    spreading widen a real probe.

    Parameters
    ----------
    convergence_mrad : float
        Convergence semi-angle alpha, > 0.
    voltage_kV : float

    Raises
    ------
    InputError
        When a number is not positive.

    Examples
    --------
    >>> round(probe_fwhm(1.0, 300), 2)
    10.13
    """
    alpha = _positive("convergence semi-angle", convergence_mrad, "mrad") * 1e-3
    return _AIRY_HALF / math.pi * wavelength(voltage_kV) / alpha


def convergence_for(fwhm_angstrom: float, voltage_kV: float) -> float:
    """Return the convergence semi-angle in mrad whose diffraction-limited probe has this width.

    The inverse of `probe_fwhm`.

    Examples
    --------
    >>> round(convergence_for(probe_fwhm(0.7, 200), 200), 12)
    0.7
    """
    fwhm = _positive("probe width", fwhm_angstrom, "angstrom")
    return _AIRY_HALF / math.pi * wavelength(voltage_kV) / fwhm * 1e3


def aperture_cutoff(convergence_mrad: float, voltage_kV: float) -> float:
    """Return the spatial frequency in 1/angstrom beyond which a probe transfers nothing: ``2 alpha / lambda``.

    The Fourier transform of a probe's intensity is the autocorrelation of the aperture.

    Examples
    --------
    >>> round(aperture_cutoff(1.0, 300), 4)
    0.1016
    """
    return 2e-3 * _positive("convergence semi-angle", convergence_mrad, "mrad") / wavelength(voltage_kV)


def gaussian_limit(sigma: float, *, transfer: float = 0.1) -> float:
    """Return the frequency at which a Gaussian probe's transfer has fallen to `transfer`.

    ``exp(-2 pi^2 sigma^2 f^2) = transfer``; in cycles per the unit of `sigma`.

    Parameters
    ----------
    sigma : float
        Standard deviation of the probe, > 0.
    transfer : float
        Between 0 and 1.

    Examples
    --------
    >>> round(gaussian_limit(0.8), 3)
    0.427
    """
    _positive("probe sigma", sigma, "px")
    if not 0 < transfer < 1:
        raise InputError(
            "transfer", expected="a number between 0 and 1", got=f"{transfer}", hint="0.1 is usual"
        )
    return math.sqrt(-math.log(transfer) / 2.0) / (math.pi * sigma)
