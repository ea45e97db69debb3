"""What a scan is planned from, what is recommended, and what a scan that is there can show at best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError

Array = NDArray[np.float64]
Orientations = Literal["random", "zone"]


def _number(what: str, value: float, unit: str, *, low: float = 0.0, high: float = math.inf) -> None:
    """Refuse what is no number above `low` and at most `high`."""
    if not (math.isfinite(value) and low < value <= high):
        bound = f"> {low:g}" + (f" and <= {high:g}" if math.isfinite(high) else "")
        raise InputError(what, expected=f"a number {bound} {unit}".rstrip(), got=f"{value:g}")


@dataclass(frozen=True)
class Sample:
    """Crystals of one size in an amorphous foil.

    Parameters
    ----------
    structures : tuple of str or Path
        Names of built-in cells, or CIF files; crystals are of each as often.
    diameter_nm : float
        Of the precipitates that are to be found.
    foil_nm : float
        Thickness of the specimen: a crystal shares its place in the scan with glass above and below it.
    volume_share : float, in (0, 0.5]
        Of the specimen that is precipitates: how many an area holds.
    halo : float
        First ring of the glass, in 1/angstrom.
    scattered : float, in (0, 1)
        Share of the electrons outside the direct beam.
    diffuse : float, 0 to below 1
        Diffuse share of what a crystal scatters.
    orientations : str
        ``"zone"``: those crystals are meant that stand on a low-index axis, as on the yardstick. ``"random"``: all of
        them, of which many have hardly a spot.

    Raises
    ------
    InputError
        When a number is out of range, or the precipitate is thicker than the foil.
    """

    structures: tuple[str | Path, ...] = ("ZrO2",)
    diameter_nm: float = 7.0
    foil_nm: float = 70.0
    volume_share: float = 0.01
    halo: float = 0.40
    scattered: float = 0.35
    diffuse: float = 0.1
    orientations: Orientations = "zone"

    def __post_init__(self) -> None:
        _number("precipitate size", self.diameter_nm, "nm")
        _number("foil thickness", self.foil_nm, "nm")
        _number("volume share", self.volume_share, "", high=0.5)
        _number("first ring of the glass", self.halo, "1/angstrom")
        _number("scattered share", self.scattered, "", high=0.999)
        _number("diffuse share", self.diffuse, "", low=-1e-12, high=0.999)
        if not self.structures:
            raise InputError(
                "structures", expected="at least one crystal structure", got="none", hint="e.g. ZrO2"
            )
        if self.orientations not in ("random", "zone"):
            raise InputError("orientations", expected="random or zone", got=repr(self.orientations))
        if self.diameter_nm > self.foil_nm:
            raise InputError(
                "foil thickness",
                expected=f"at least the size of a precipitate ({self.diameter_nm:g} nm)",
                got=f"{self.foil_nm:g} nm",
                hint="give the thickness of the specimen",
            )

    @property
    def per_nm2(self) -> float:
        """Precipitates per area, ``share foil / (pi d^3 / 6)``, in 1/nm^2."""
        return self.volume_share * self.foil_nm / (math.pi * self.diameter_nm**3 / 6)


@dataclass(frozen=True)
class Setup:
    """Microscope and camera.

    Parameters
    ----------
    probe_nm : float
        Full width of the probe at half maximum.
    step_nm : float
        Scan step.
    detector : (int, int)
        Pixels along v and u.
    pixel : float
        Detector pixel, in 1/angstrom.
    voltage_kV : float
    spot_px : float or None
        Standard deviation of the direct beam along an axis, in detector px; None takes that of the disk whose
        diffraction-limited probe is as wide as `probe_nm`, but at least 0.5.
    spots : str
        ``"disk"`` or ``"gaussian"``.
    gain : float
        Counts per electron: for the size of the file and for what is simulated.

    Raises
    ------
    InputError
        When a number is out of range.
    """

    probe_nm: float = 1.0
    step_nm: float = 1.0
    detector: tuple[int, int] = (64, 64)
    pixel: float = 0.022
    voltage_kV: float = 300.0  # noqa: N815 - the unit is part of the name
    spot_px: float | None = None
    spots: Literal["disk", "gaussian"] = "disk"
    gain: float = 1.0

    def __post_init__(self) -> None:
        _number("probe", self.probe_nm, "nm")
        _number("scan step", self.step_nm, "nm")
        _number("angle per pixel", self.pixel, "1/angstrom")
        _number("voltage", self.voltage_kV, "kV")
        _number("gain", self.gain, "counts per electron")
        if self.spot_px is not None:
            _number("spot", self.spot_px, "px", low=0.2999)
        if len(self.detector) != 2 or min(self.detector) < 4:
            raise InputError(
                "detector",
                expected="two numbers of pixels >= 4",
                got="x".join(map(str, self.detector)),
                hint="write e.g. 64x64",
            )
        if self.spots not in ("disk", "gaussian"):
            raise InputError("spots", expected="disk or gaussian", got=repr(self.spots))


@dataclass(frozen=True)
class Goal:
    """What is wanted of a scan.

    Parameters
    ----------
    probability : float, in (0, 1)
        That one precipitate is found.
    precipitates : int, >= 1
        How many are to be found, on average.
    dwell_s : float
        Time per position.

    Raises
    ------
    InputError
        When a number is out of range.
    """

    probability: float = 0.9
    precipitates: int = 30
    dwell_s: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 < self.probability < 1:
            raise InputError(
                "probability",
                expected="a number between 0 and 1",
                got=f"{self.probability:g}",
                hint="0.9 is usual",
            )
        _number("dwell time", self.dwell_s, "s")
        if self.precipitates < 1:
            raise InputError("precipitates", expected="a number >= 1", got=f"{self.precipitates}")


@dataclass(frozen=True)
class Acquisition:
    """A scan that is recommended.

    Parameters
    ----------
    dose : float
        Electrons per pattern, the direct beam included.
    dose_low, dose_high : float
        What the dose may be within the stated error of the prediction; the upper end is None where the detector is
        unlike that of the calibration.
    e_per_A2 : float
        Electrons per area of the scan, in 1/angstrom^2.
    side : int
        Positions along each side of a square scan.
    precipitates : float
        Expected in it.
    file_bytes : int
        Uncompressed.
    seconds : float
        Dwell time times positions; flyback comes on top.
    current_pA : float
    """

    dose: float
    dose_low: float
    dose_high: float | None
    e_per_A2: float  # noqa: N815
    side: int
    precipitates: float
    file_bytes: int
    seconds: float
    current_pA: float  # noqa: N815

    @property
    def positions(self) -> int:
        """Number of patterns."""
        return self.side**2


@dataclass(frozen=True, eq=False)
class Curve:
    """Probability that a precipitate of one size is found, against dose.

    Parameters
    ----------
    diameter_nm : float
    doses : ndarray, shape (n,)
        Electrons per pattern.
    probability, low, high : ndarray, shape (n,)
        The prediction, and the same with the strength off by the stated error.
    """

    diameter_nm: float
    doses: Array
    probability: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Confirmation:
    """What simulated scans at the recommended point came to.

    Parameters
    ----------
    scans : int
    precipitates, found : int
        In all of them.
    predicted, low, high : float
        Probability and its stated error at that point.
    observed_low, observed_high : float
        95 % interval (Wilson) of the share that was found.
    """

    scans: int
    precipitates: int
    found: int
    predicted: float
    low: float
    high: float
    observed_low: float
    observed_high: float

    @property
    def observed(self) -> float:
        """Share of the precipitates that was found."""
        return self.found / self.precipitates

    @property
    def held(self) -> bool:
        """Whether the interval of what was observed touches the stated error of the prediction."""
        return self.observed_low <= self.high and self.observed_high >= self.low


@dataclass(frozen=True, eq=False)
class Plan:
    """A recommended acquisition with its reason.

    Parameters
    ----------
    sample : Sample
    setup : Setup
    goal : Goal
    acquisition : Acquisition or None
        None where no dose reaches the wanted probability.
    curves : tuple of Curve
        The wanted size among them.
    most : float
        Probability that no dose exceeds.
    at_random : float
        Probability at the recommended dose for a crystal in any orientation; NaN without a dose.
    warnings : tuple of str
        What is wanted and hardly fits.
    assumed : mapping of str to float
        The calibration of the theory, by name.
    confirmation : Confirmation or None
    """

    sample: Sample
    setup: Setup
    goal: Goal
    acquisition: Acquisition | None
    curves: tuple[Curve, ...]
    most: float
    at_random: float
    warnings: tuple[str, ...]
    assumed: Mapping[str, Any]
    confirmation: Confirmation | None = None


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a scan that is there can at best show.

    Parameters
    ----------
    source : str
        Name of the scan or run.
    sample : Sample
        As which it was looked at; its diameter is not used.
    setup : Setup
        As found.
    electrons : float
        Per pattern outside the direct beam.
    probability : float
        For which `smallest_nm` holds.
    diameters_nm, probabilities : ndarray, shape (n,)
    low, high : ndarray, shape (n,)
        Stated error of the probabilities.
    smallest_nm : float or None
        Smallest precipitate found with the wanted probability; None where none is, at any size looked at.
    plain_nm : float or None
        Smallest that stands above the noise edge of the whole scan, without the physics.
    above_edge : int or None
        Components that stand above the noise edge of the whole scan; None for a run, whose data are not at hand.
    most_components : int
        Precipitates of the smallest size that the scanned area holds side by side.
    warnings : tuple of str
    """

    source: str
    sample: Sample
    setup: Setup
    electrons: float
    probability: float
    diameters_nm: Array
    probabilities: Array
    low: Array
    high: Array
    smallest_nm: float | None
    plain_nm: float | None
    above_edge: int | None
    most_components: int
    warnings: tuple[str, ...]
