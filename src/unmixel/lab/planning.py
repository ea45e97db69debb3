"""Plan a scan before it is taken, or say what one that is there can at best show."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import overload

import numpy as np

from unmixel.core.errors import InputError
from unmixel.dataset.planning import Acquisition, Goal, Outlook, Plan, Sample, Setup
from unmixel.dataset.result import Result
from unmixel.dataset.scan import Scan
from unmixel.lab.planning_forecast import Forecast, forecast, ground_of, unjudged
from unmixel.lab.planning_outlook import KINEMATIC_NM, outlook
from unmixel.lab.planning_scene import spec_of, spot_sigma
from unmixel.lab.planning_simulation import confirm as confirmed

ELECTRON_C = 1.602176634e-19
"""Charge of an electron, in coulomb."""

SIZES = (0.5, 0.7, 1.0, 1.4, 2.0)
"""Sizes of the curves, in that of the wanted precipitate."""

JUDGED_PX = (4.0, 9.0)
"""Diameters in scan steps at which the theory was held against simulated scans."""

CROWDED = 0.3
"""Share of the scan that precipitates cover, above which more of them lie upon others than the theory reckons with."""

Tell = Callable[[str], None]


def _silent(text: str) -> None:
    """Say nothing."""


@overload
def plan(
    sample: Sample | None = ..., setup: Setup | None = ..., goal: Goal | None = ..., *,
    scan: None = ..., confirm: int = ..., seed: int = ..., tell: Tell = ...,
) -> Plan: ...  # fmt: skip
@overload
def plan(
    sample: Sample | None = ..., setup: Setup | None = ..., goal: Goal | None = ..., *,
    scan: str | Path | Scan | Result, confirm: int = ..., seed: int = ..., tell: Tell = ...,
) -> Outlook: ...  # fmt: skip
def plan(
    sample: Sample | None = None,
    setup: Setup | None = None,
    goal: Goal | None = None,
    *,
    scan: str | Path | Scan | Result | None = None,
    confirm: int = 0,
    seed: int = 1,
    tell: Tell = _silent,
) -> Plan | Outlook:
    """Return which dose and how many positions find precipitates, or what a scan that is there can at best show.

    A crystal is found where both its pattern and its map come out with a cosine (correlation) of 0.8 with the truth.
    What it takes is the edge of the noise in a place as large as the crystal (`unmixel.physics.detection`), times how
    far the recipe for a glass stayed above it in simulated scans; the error of that is stated.

    Parameters
    ----------
    sample : Sample, optional
        Structures, size, foil, glass. With `scan`, its size and scattered share are not used.
    setup : Setup, optional
        Probe, step, camera; not with `scan`, which says them itself.
    goal : Goal, optional
        Probability, number of precipitates to find, dwell time.
    scan : path, Scan or Result, optional
        A scan, a run folder, or either of them in memory: it is looked at instead.
    confirm : int, >= 0
        Scans that are simulated at the recommended point, factorised and judged; seconds to minutes each.
    seed : int
        Of the first of them.
    tell : callable(str)
        Hears what is done.

    Returns
    -------
    Plan, or Outlook where `scan` is given

    Raises
    ------
    InputError
        When a number is out of range, no reflection of a structure reaches the detector, or what belongs to the
        other use is given.

    Examples
    --------
    >>> from unmixel.dataset.planning import Goal, Sample, Setup
    >>> planned = plan(Sample(("ZrO2",), diameter_nm=7.0), Setup(probe_nm=1.5, step_nm=1.0), Goal(probability=0.9))
    >>> 100 < planned.acquisition.dose < 100_000
    True
    """
    goal = goal or Goal()
    if scan is not None:
        if setup is not None or confirm:
            raise InputError(
                "plan",
                expected="either a scan, or a setup (and scans to confirm)",
                got="both",
                hint="leave out the setup and confirm: the scan says what it was taken with",
            )
        return outlook(scan, sample or Sample(), probability=goal.probability, tell=tell)
    sample, setup = sample or Sample(), setup or Setup()
    if confirm < 0:
        raise InputError("scans to confirm", expected="a number >= 0", got=f"{confirm}")
    tell("forecast")
    expected = forecast(sample, setup)
    if not np.any(expected.strengths > 0):
        raise InputError(
            "structures",
            expected="reflections that the detector sees",
            got=f"none up to {setup.pixel * min(setup.detector) / 2:.2g} 1/angstrom",
            hint="take a larger detector, or more angle per pixel",
        )
    dose = expected.dose_for(goal.probability)
    curves = tuple(
        forecast(replace(sample, diameter_nm=size), setup).curve(size, _doses(dose))
        for size in sorted({min(factor * sample.diameter_nm, sample.foil_nm) for factor in SIZES})
    )
    chosen = None if dose is None else acquisition(sample, setup, goal, expected, dose)
    others = replace(sample, orientations="random")
    at_random = math.nan if dose is None else forecast(others, setup).probability(dose)
    done = None
    if confirm and dose is not None:
        tell(f"simulating {confirm} scans at {dose:.3g} electrons per pattern")
        done = confirmed(sample, setup, expected, dose=dose, scans=confirm, seed=seed)
    return Plan(
        sample, setup, goal, chosen, curves, expected.most, at_random,
        warnings(sample, setup, expected), asdict(expected.calibration), done,
    )  # fmt: skip


def _doses(dose: float | None) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return doses for a curve: two decades either side of the one that is recommended."""
    middle = 1e4 if dose is None else dose
    return np.geomspace(middle / 100, middle * 100, 61)


def acquisition(sample: Sample, setup: Setup, goal: Goal, expected: Forecast, dose: float) -> Acquisition:
    """Return the square scan in which the wanted number of precipitates is found on average.

    Parameters
    ----------
    sample : Sample
    setup : Setup
    goal : Goal
    expected : Forecast
    dose : float
        Electrons per pattern.
    """
    area = goal.precipitates / (expected.probability(dose) * sample.per_nm2)
    side = max(1, math.ceil(math.sqrt(area) / setup.step_nm))
    brightest = dose * setup.gain * float(ground_of(spec_of(sample, setup)).mean.max())
    itemsize = np.min_scalar_type(int(brightest + 12 * math.sqrt(brightest) + 50)).itemsize
    factor = expected.calibration.dose_factor
    return Acquisition(
        dose=dose,
        dose_low=dose / factor,
        dose_high=dose * factor if expected.judged else None,
        e_per_A2=dose / (100 * setup.step_nm**2),
        side=side,
        precipitates=side**2 * setup.step_nm**2 * sample.per_nm2,
        file_bytes=side**2 * math.prod(setup.detector) * itemsize,
        seconds=side**2 * goal.dwell_s,
        current_pA=1e12 * dose * ELECTRON_C / goal.dwell_s,
    )


def warnings(sample: Sample, setup: Setup, expected: Forecast) -> tuple[str, ...]:
    """Return in sentences what hardly fits together, and where the theory was not judged.

    Parameters
    ----------
    sample : Sample
    setup : Setup
    expected : Forecast
        Of one crystal's place.
    """
    told = []
    size, step, probe = sample.diameter_nm, setup.step_nm, setup.probe_nm
    if step > size:
        told.append(
            f"The step of {step:g} nm is larger than the precipitates of {size:g} nm: most lie between positions."
        )
    elif step > size / 2:
        told.append(f"A precipitate of {size:g} nm has hardly two positions across at a step of {step:g} nm.")
    if step > 2 * probe:
        told.append(f"The step of {step:g} nm leaves gaps that a probe of {probe:g} nm never sees.")
    if probe > size:
        told.append(f"The probe of {probe:g} nm is wider than the precipitates of {size:g} nm.")
    reach = setup.pixel * min(setup.detector) / 2
    if reach < 1.5 * sample.halo:
        told.append(
            f"The detector ends at {reach:.2g} 1/angstrom, close to the first ring of the glass at {sample.halo:.2g}."
        )
    spot = 4 * spot_sigma(setup) * setup.pixel
    if spot > sample.halo / 2:
        told.append(f"Spots are {spot:.2g} 1/angstrom wide: neighbours in one pattern run into each other.")
    covered = sample.per_nm2 * math.pi * size**2 / 4
    if covered > CROWDED:
        told.append(
            f"Precipitates cover {covered:.0%} of the scan: more lie upon others than the prediction reckons with."
        )
    if size > KINEMATIC_NM:
        told.append(
            f"Crystals of {size:g} nm scatter far from kinematically: the prediction is a rough guess."
        )
    if not JUDGED_PX[0] <= size / step <= JUDGED_PX[1]:
        told.append(
            f"Precipitates are {size / step:.3g} steps wide; the prediction was held against simulated scans at "
            f"{JUDGED_PX[0]:g} to {JUDGED_PX[1]:g}. Use --confirm."
        )
    return (*told, *unjudged(expected))
