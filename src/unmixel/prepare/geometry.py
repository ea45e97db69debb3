"""Where a scan's patterns have their centre and what a pixel is worth, in any unit of scattering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.core.units import canonical
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.physics.rings import RingGrid, disc_shares, ring_grid
from unmixel.physics.wavelength import wavelength
from unmixel.prepare.contract import used_pixels
from unmixel.prepare.origin import known_origin, spot_of

UNITS = ("px", "1/angstrom", "1/nm", "mrad")


@dataclass(frozen=True)
class Geometry:
    """Centre and step of patterns.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the detector.
    center : (float, float)
        (v, u) of the direct beam, in pixels.
    step : (float, float)
        Height and width of a pixel, in `unit`, > 0.
    unit : str
    """

    shape: tuple[int, int]
    center: tuple[float, float]
    step: tuple[float, float]
    unit: str

    @classmethod
    def of(
        cls,
        scan: Scan,
        *,
        unit: str | None = None,
        center: tuple[float, float] | None = None,
        voltage_kV: float | None = None,
    ) -> Geometry:
        """Return the geometry of a scan's patterns.

        Parameters
        ----------
        scan : Scan
        unit : str, optional
            ``px`` (shorter side of a pixel), ``1/angstrom``, ``1/nm`` or ``mrad``; that of the axes by default.
        center : (float, float), optional
            In pixels. Where it is not given: what the step ``center`` set, else the direct beam in the mean pattern,
            which takes a pass over the data.
        voltage_kV : float, optional
            Needed between mrad and 1/angstrom; the instrument's where it is not given.

        Raises
        ------
        InputError
            For spectra, units that are unknown or cannot be had, or when no beam is seen.

        Examples
        --------
        >>> scan = Scan.from_array(np.ones((1, 1, 9, 9)), pattern_step=(0.01, "1/angstrom"))
        >>> round(Geometry.of(scan, unit="mrad", center=(4, 4), voltage_kV=300).step[0], 4)
        0.1969
        """
        if len(scan.pattern_axes) != 2:
            raise InputError(
                "scan",
                expected="patterns with two axes (v, u)",
                got=" x ".join(axis.name for axis in scan.pattern_axes),
                hint="spectra have no rings",
            )
        asked = scan.pattern_axes[0].unit if unit is None else unit
        step = _steps(scan.pattern_axes, asked, voltage_kV or scan.instrument.voltage_kV)
        if center is None:
            center = known_origin(scan) or spot_of(scan)[0].center
        elif len(center) != 2 or not np.isfinite(center).all():
            raise InputError(
                "center", expected="row and column in px", got=repr(center), hint="write (31.5, 31.5)"
            )
        rows, columns = scan.pattern_shape
        return cls((rows, columns), (float(center[0]), float(center[1])), step, asked)

    def disc(self, radius: float, at: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.float64]:
        """Return the share of each pixel within a circle, shape (v, u); radius and place in `unit`."""
        v, u = (c + a / s for c, a, s in zip(self.center, at, self.step, strict=True))
        return disc_shares(self.shape, radius, center=(v, u), step=self.step)

    def rings(self, used: NDArray[np.bool_], width: float | None = None) -> RingGrid:
        """Return the rings of the used part of the detector, `width` in `unit`."""
        return ring_grid(used, center=self.center, step=self.step, width=width, unit=self.unit)

    def coordinates(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return v and u of every pixel from the centre, in `unit`, both of the shape of the detector."""
        v, u = ((np.arange(n) - c) * s for n, c, s in zip(self.shape, self.center, self.step, strict=True))
        grid = np.meshgrid(v, u, indexing="ij")
        return grid[0], grid[1]


def measured_pixels(scan: Scan, used: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return which pixels are to be read, shape pattern_shape: as given, else those with a weight above 0.

    Raises
    ------
    InputError
        When the mask has another shape or leaves no pixel.
    """
    mask = used_pixels(scan) if used is None else np.asarray(used, bool)
    if mask.shape != scan.pattern_shape or not mask.any():
        raise InputError(
            "used",
            expected=f"a mask of shape {scan.pattern_shape} that leaves pixels",
            got=f"shape {mask.shape} with {int(mask.sum())} pixels",
            hint="True means that a pixel is used",
        )
    return mask


def _steps(axes: tuple[Axis, ...], unit: str, voltage_kV: float | None) -> tuple[float, float]:
    """Return height and width of a pixel in a unit."""
    asked, factor = canonical(unit)
    known = asked in ("1/angstrom", "mrad") or unit.strip().lower() in ("px", "pixel", "pixels")
    own = axes[0].unit if axes[0].unit == axes[1].unit else "px"
    steps = [abs(axis.scale) for axis in axes] if axes[0].unit == axes[1].unit else [1.0, 1.0]
    if known and asked == "px":
        return steps[0] / min(steps), steps[1] / min(steps)
    if not known or own not in ("1/angstrom", "mrad") or (own != asked and not voltage_kV):
        raise InputError(
            "unit",
            expected=f"one of {', '.join(UNITS)} that the pattern axes ({own}) convert to",
            got=repr(unit) + ("" if voltage_kV else ", without an acceleration voltage"),
            hint="calibrate the pattern axes, give voltage_kV, or use px",
        )
    per = 1.0
    if own != asked and voltage_kV:
        per = wavelength(voltage_kV) * 1e3 if asked == "mrad" else 1e-3 / wavelength(voltage_kV)
    return steps[0] * per / factor, steps[1] * per / factor
