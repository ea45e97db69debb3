"""What a pixel is worth as the axes of patterns say it, or as somebody else found it."""

from __future__ import annotations

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.calibration import Calibration, CalibrationFit
from unmixel.dataset.results import Groups
from unmixel.physics.wavelength import wavelength


def axes_calibration(axes: tuple[Axis, ...], center: tuple[float, ...], voltage_kV: float) -> Calibration:
    """Return the calibration of pattern axes in 1/angstrom, or in mrad of electrons of some voltage.

    Parameters
    ----------
    axes : tuple of Axis
        (v, u).
    center : tuple of float
        (v, u) in pixels.
    voltage_kV : float

    Raises
    ------
    InputError
        When there are not two axes of one of these units, or no centre.

    Examples
    --------
    >>> axes = tuple(Axis(name, 64, scale=0.02, unit="1/angstrom") for name in ("v", "u"))
    >>> axes_calibration(axes, (31.5, 31.5), 300.0).step
    (0.02, 0.02)
    """
    units = {axis.unit for axis in axes}
    factor = {"1/angstrom": 1.0, "mrad": 1e-3 / wavelength(voltage_kV)}
    if len(axes) != 2 or len(center) != 2 or len(units) != 1 or not units <= set(factor):
        raise InputError(
            "calibration",
            expected="patterns of two axes in 1/angstrom or mrad, with a known centre",
            got=f"{len(axes)} axes in {', '.join(sorted(units)) or 'no unit'}",
            hint="give the scan a rough calibration first: "
            "Scan.from_array(..., pattern_step=(0.01, '1/angstrom'))",
        )
    scale = factor[units.pop()]
    return Calibration.from_steps(
        (float(center[0]), float(center[1])), (axes[0].scale * scale, axes[1].scale * scale)
    )


def chosen_calibration(
    given: Calibration | CalibrationFit | None, groups: Groups, voltage_kV: float
) -> Calibration:
    """Return the calibration that was given, or that of the groups' own axes."""
    if given is None:
        return axes_calibration(groups.pattern_axes, groups.center, voltage_kV)
    return given.calibration if isinstance(given, CalibrationFit) else given
