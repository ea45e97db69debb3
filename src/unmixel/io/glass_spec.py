"""What a glass phantom is asked to be: every key of its address, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass

from unmixel.core.errors import InputError
from unmixel.core.units import memory
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Instrument
from unmixel.io.demo_keys import above, at_least, between, key, one_of
from unmixel.physics.probe import FWHM_PER_SIGMA, convergence_for
from unmixel.physics.zones import ZONES

VOLTAGE_KV = 300.0
HALO_PLACE = 0.57
# the first ring's share of the detector's half width
HALOS = (1.0, 1.15, 0.87)
# first ring of each glass, in units of the key `halo`
LARGEST_TRUTH = 2_000_000_000
# bytes of maps or of patterns: the truth stands in memory, the counts do not


@dataclass(frozen=True)
class GlassSpec:
    """Every key of ``demo:glass?...`` with its default; the yardstick is all defaults.

    Examples
    --------
    >>> GlassSpec().scan, GlassSpec(dose=1e4).dose
    ((64, 64), 10000.0)
    """

    scan: tuple[int, ...] = key((64, 64), "positions along y and x", "px", at_least(1))
    detector: tuple[int, ...] = key((64, 64), "pixels along v and u", "px", at_least(4))
    dose: float = key(40_000.0, "mean electrons per pattern, direct beam included", "electrons", above(0))
    seed: int = key(1, "random seed of scene and counts", "", at_least(0))
    precipitates: int = key(20, "number of precipitates", "", at_least(0))
    diameter: float = key(7.0, "their mean diameter", "px", above(0))
    spread: float = key(0.2, "standard deviation of the diameters over their mean", "", between(0, 2))
    sizes: str = key(
        "lognormal",
        "diameters: lognormal, or even from mean (1 - sqrt(3) spread) to mean (1 + sqrt(3) spread)",
        "",
        one_of("lognormal", "even"),
    )
    overlap: float = key(0.3, "how far two may overlap, of the sum of their radii", "", between(0, 1))
    stacked: float = key(
        0.0,
        "share of the precipitates put upon another one, half the sum of their radii away",
        "",
        between(0, 0.5),
    )
    lattices: int = key(3, "number of lattices, dealt in turn", "", between(1, len(ZONES)))
    apart: float = key(2.0, "least difference of rotation within one lattice", "degrees", at_least(0))
    tilt: float = key(0.0, "standard deviation of the tilt off the zone axis", "mrad", at_least(0))
    tilts: str = key(
        "normal",
        "tilts: normal about each axis, or even over all directions up to the angle `tilt`",
        "",
        one_of("normal", "even"),
    )
    foil: float = key(10.0, "specimen thickness in mean diameters", "", above(0))
    thickness: float = key(0.1, "relative standard deviation of the specimen thickness", "", at_least(0))
    scattered: float = key(
        0.35, "share of electrons outside the direct beam, where thickness is 1", "", between(0, 1)
    )
    diffuse: float = key(0.1, "diffuse share of what a crystal scatters", "", between(0, 1))
    dynamical: float = key(
        0.0, "standard deviation of ln(intensity), drawn for each spot of each crystal", "", between(0, 3)
    )
    matrices: int = key(1, "number of glasses, each in a region of its own", "", between(1, len(HALOS)))
    halo: float = key(0.40, "first ring of the glass", "1/angstrom", above(0))
    sampling: float = key(
        0.0,
        "detector pixel; 0 puts the first ring at 57 % of the shorter half width",
        "1/angstrom",
        at_least(0),
    )
    blur: float = key(0.8, "sigma of the probe", "px", between(0, 50))
    spot: float = key(2.2, "sigma of a spot and of the direct beam", "px", between(0.3, 100))
    spots: str = key(
        "gaussian", "shape of a spot: gaussian, or disk of radius 2 sigma", "", one_of("gaussian", "disk")
    )
    descan: float = key(0.0, "drift of the pattern from corner to corner of the scan", "px", at_least(0))
    ellipticity: float = key(0.0, "(long - short) / mean axis of the rings", "", between(0, 0.5))
    gain: float = key(1.0, "counts per electron", "", above(0))
    step: float = key(1.0, "scan step", "nm", above(0))

    def __post_init__(self) -> None:
        if self.sizes == "even" and math.sqrt(3) * self.spread >= 1:
            raise InputError(
                "demo:glass",
                expected="spread < 0.577 where sizes are even",
                got=f"{self.spread:g}",
                hint="the smallest precipitate is mean (1 - sqrt(3) spread) wide",
            )
        n_components = 1 + self.matrices + self.precipitates
        largest = max(math.prod(self.scan), math.prod(self.detector)) * n_components * 8
        if largest > LARGEST_TRUTH:
            raise InputError(
                "demo:glass",
                expected=f"maps and patterns of at most {memory(LARGEST_TRUTH)} each",
                got=memory(largest),
                hint="make the scan, the detector or the number of precipitates smaller",
            )

    @property
    def pixel(self) -> float:
        """Detector pixel in 1/angstrom; without `sampling` the first ring lies at 57 % of the shorter half width."""
        return self.sampling or self.halo / (HALO_PLACE * min(self.detector) / 2)

    @property
    def center(self) -> tuple[float, float]:
        """Place (v, u) of the direct beam in px."""
        return (self.detector[0] - 1) / 2, (self.detector[1] - 1) / 2

    @property
    def axes(self) -> tuple[tuple[Axis, ...], tuple[Axis, ...]]:
        """Scan axes in nm and pattern axes in 1/angstrom, zero at the direct beam."""
        scan = tuple(Axis(n, s, scale=self.step, unit="nm") for n, s in zip("yx", self.scan, strict=True))
        pattern = tuple(
            Axis(n, s, scale=self.pixel, offset=-c * self.pixel, unit="1/angstrom")
            for n, s, c in zip("vu", self.detector, self.center, strict=True)
        )
        return scan, pattern

    @property
    def instrument(self) -> Instrument:
        """300 kV, with the convergence angle whose diffraction-limited probe is as wide as `blur`."""
        fwhm = FWHM_PER_SIGMA * self.blur * self.step * 10
        return Instrument(
            voltage_kV=VOLTAGE_KV,
            convergence_mrad=convergence_for(fwhm, VOLTAGE_KV) if fwhm else None,
            microscope="phantom",
            detector=f"counting, {self.gain:g} counts per electron",
        )
