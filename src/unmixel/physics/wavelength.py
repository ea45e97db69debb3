"""The electron's wavelength and what scattering angles mean in reciprocal space."""

from __future__ import annotations

import math

from unmixel.core.errors import InputError

_PLANCK = 6.62607015e-34
_ELECTRON_MASS = 9.1093837015e-31
_CHARGE = 1.602176634e-19
_LIGHT = 299_792_458.0


def wavelength(voltage_kV: float) -> float:
    """Return the relativistic wavelength of an electron, in angstrom.

    ``lambda = h / sqrt(2 m e V (1 + e V / (2 m c^2)))``

    Parameters
    ----------
    voltage_kV : float
        Acceleration voltage in kV, > 0.

    Raises
    ------
    InputError
        When the voltage is not a positive number.

    Examples
    --------
    >>> round(wavelength(300), 5)
    0.01969
    """
    if not (math.isfinite(voltage_kV) and voltage_kV > 0):
        raise InputError(
            "voltage", expected="kilovolts > 0", got=f"{voltage_kV}", hint="give e.g. 200 or 300 (kV)"
        )
    energy = _CHARGE * voltage_kV * 1e3
    momentum = math.sqrt(2 * _ELECTRON_MASS * energy * (1 + energy / (2 * _ELECTRON_MASS * _LIGHT * _LIGHT)))
    return _PLANCK / momentum * 1e10


def mrad_to_reciprocal(angle_mrad: float, voltage_kV: float) -> float:
    """Return the spatial frequency in 1/angstrom of a small scattering angle in mrad: ``theta / lambda``.

    Examples
    --------
    >>> round(mrad_to_reciprocal(10, 300), 4)
    0.5079
    """
    return angle_mrad * 1e-3 / wavelength(voltage_kV)


def reciprocal_to_mrad(frequency: float, voltage_kV: float) -> float:
    """Return the scattering angle in mrad of a spatial frequency in 1/angstrom: ``lambda g``.

    Examples
    --------
    >>> round(reciprocal_to_mrad(0.4, 300), 3)
    7.875
    """
    return frequency * wavelength(voltage_kV) * 1e3
