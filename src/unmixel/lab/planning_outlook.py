"""What a scan that is there can at best show: its own mean pattern, dose, probe and spot, put into the forecast."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.core.units import convert, quantity
from unmixel.dataset.axes import Axis
from unmixel.dataset.planning import Outlook, Sample, Setup
from unmixel.dataset.result import Result
from unmixel.dataset.scan import Scan
from unmixel.lab.planning_forecast import FOUND, Forecast, Ground, forecast, unjudged
from unmixel.physics.detection import Edge, Float
from unmixel.physics.wavelength import wavelength
from unmixel.pipeline import stages
from unmixel.pipeline.kept import load, state_of
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.resolve import Request, settle, shipped

SIZES_PX = (1.5, 40.0)
"""Diameters in scan steps between which the smallest precipitate is looked for."""

N_SIZES = 9
"""Sizes that are looked at between these, and once more where the probability rises."""

KINEMATIC_NM = 20.0
"""Thickness above which a crystal's intensities are far from kinematic: larger ones are not looked at."""

VOLTAGE_KV = 300.0
"""Taken where a scan does not say its voltage, and told."""

Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Seen:
    """A scan or a run as far as an outlook looks at it.

    Parameters
    ----------
    name : str
    scan_axes, pattern_axes : tuple of Axis
    mean : ndarray, shape pattern_shape
        Mean electrons per pixel.
    used : ndarray of bool, shape pattern_shape
    beam : ndarray or None
        Image of the direct beam.
    probe_nm : float or None
        Full width at half maximum.
    voltage_kV : float or None
    gain : float
    above_edge : int or None
    """

    name: str
    scan_axes: tuple[Axis, ...]
    pattern_axes: tuple[Axis, ...]
    mean: Float
    used: NDArray[np.bool_]
    beam: Float | None
    probe_nm: float | None
    voltage_kV: float | None  # noqa: N815
    gain: float
    above_edge: int | None


def outlook(scan: str | Path | Scan | Result, sample: Sample, *, probability: float, tell: Tell) -> Outlook:
    """Return what a scan can at best show of precipitates of a sample's structures in its foil.

    Parameters
    ----------
    scan : path, Scan or Result
        A scan, a run folder, or either of them in memory.
    sample : Sample
        Its diameter and scattered share are not used: the share is measured.
    probability : float
        For which the smallest precipitate is asked.
    tell : callable(str)

    Raises
    ------
    InputError
        When it is no scan of diffraction patterns with a calibrated step and detector.
    """
    seen = _of_run(scan) if _is_run(scan) else _of_scan(scan, tell)  # type: ignore[arg-type]
    setup, told = _setup(seen)
    dose = float(seen.mean.sum())
    electrons = float(seen.mean[seen.used].sum())
    ground = Ground(seen.mean / dose, seen.used)
    share = min(max(electrons / dose, 1e-6), 0.999)
    most_nm = min(SIZES_PX[1] * setup.step_nm, sample.foil_nm, KINEMATIC_NM)
    sizes = np.geomspace(min(SIZES_PX[0] * setup.step_nm, most_nm / 1.01), most_nm, N_SIZES)
    n_positions = math.prod(axis.size for axis in seen.scan_axes)
    whole = Edge(float(n_positions), float(np.count_nonzero(seen.used))).strength_for(FOUND)
    tell("forecast")
    expected: list[Forecast] = []
    looked: dict[float, tuple[float, float, float, float]] = {}

    def look(size: float) -> float:
        one = forecast(replace(sample, diameter_nm=size, scattered=share), setup, ground=ground)
        expected.append(one)
        clear = math.sqrt(dose) * float(np.median(one.strengths)) / whole
        looked[size] = (one.probability(dose), *one.band(dose), clear)
        return looked[size][0]

    shares = np.array([look(size) for size in sizes.tolist()])
    rise = np.flatnonzero((shares > 0.02) & (shares < 0.98 * shares.max()))
    if rise.size:
        # where the probability rises, steps are finer
        ends = sizes[max(0, rise[0] - 1)], sizes[min(sizes.size - 1, rise[-1] + 1)]
        for size in np.geomspace(*ends, N_SIZES)[1:-1].tolist():
            look(size)
    sizes = np.array(sorted(looked))
    middle, low, high, plain = np.array([looked[size] for size in sizes.tolist()]).T
    smallest, plain_nm = _crossing(sizes, middle, probability), _crossing(sizes, plain, 1.0)
    area = n_positions * setup.step_nm**2
    side_by_side = 0 if smallest is None else int(area / (math.pi / 4 * smallest**2))
    return Outlook(
        seen.name, replace(sample, scattered=share), setup, electrons, probability, sizes, middle, low, high,
        smallest, plain_nm, seen.above_edge, side_by_side, (*told, *unjudged(expected[-1])),
    )  # fmt: skip


def _crossing(sizes: Float, values: Float, level: float) -> float | None:
    """Return the size at which rising values first reach a level; None where they do not."""
    above = np.flatnonzero(values >= level)
    if not above.size:
        return None
    first = int(above[0])
    if first == 0:
        return float(sizes[0])
    place = (level - values[first - 1]) / (values[first] - values[first - 1])
    return float(np.exp(np.interp(place, [0, 1], np.log(sizes[first - 1 : first + 1]))))


def _is_run(given: str | Path | Scan | Result) -> bool:
    """Return whether a run is meant: a result, or a path at which there is one."""
    if isinstance(given, (Scan, Result)):
        return isinstance(given, Result)
    return not str(given).startswith("demo:") and Path(given).exists() and state_of(given) is not None


def _of_scan(given: str | Path | Scan, tell: Tell) -> Seen:
    """Prepare a scan by the recipe for a glass and look at it."""
    from unmixel.factorize.rank import spectrum
    from unmixel.prepare.statistics import pattern_statistics

    request = Request.of(shipped("glass"))
    scan = stages.read(given, request.read())
    if len(scan.pattern_axes) != 2 or len(scan.scan_axes) != 2:
        raise InputError(
            "scan",
            expected="a scan of diffraction patterns over two axes",
            got=f"{len(scan.scan_axes)} scan axes and {len(scan.pattern_axes)} pattern axes",
        )
    recipe, _ = request.recipe_for(scan)
    settled, _ = settle(recipe, scan)
    prepared = stages.prepare(scan, settled, tell)
    model = stages.model_of(prepared, settled)
    matrix = model.matrix_of(prepared)
    planned = model.plan_for(matrix)
    tell("noise edge")
    with planned.engine.threads():
        evidence = spectrum(matrix, planned, 0, whiten=True)
    return Seen(
        name=_name(given),
        scan_axes=prepared.scan_axes,
        pattern_axes=prepared.pattern_axes,
        mean=np.nan_to_num(pattern_statistics(prepared).mean) / prepared.gain,
        used=np.asarray(prepared.pixel_weights) > 0,
        beam=prepared.extras.get("beam"),
        probe_nm=_probe_nm(settled, prepared.scan_axes),
        voltage_kV=prepared.instrument.voltage_kV,
        gain=prepared.gain,
        above_edge=evidence.plain.n_above,
    )


def _of_run(given: str | Path | Result) -> Seen:
    """Look at what a run kept of its scan."""
    result = given if isinstance(given, Result) else load(given)
    factors = result.factors
    gain = _gain(result.record)
    # the direct beam, which a run leaves out, is in the mean pattern that it keeps
    mean = result.extras.get("mean_pattern")
    if mean is None:
        k = factors.n_components
        mean = np.tensordot(factors.maps.reshape(k, -1).mean(axis=1), factors.patterns, axes=1)
    return Seen(
        name=_name(result.folder or "a run"),
        scan_axes=factors.scan_axes,
        pattern_axes=factors.pattern_axes,
        mean=np.asarray(mean, np.float64) / gain,
        used=np.asarray(factors.used_pixels, bool),
        beam=result.extras.get("beam"),
        probe_nm=_probe_nm(Recipe.from_dict(dict(result.recipe)), factors.scan_axes),
        voltage_kV=_voltage(result),
        gain=gain,
        above_edge=None,
    )


def _gain(record: Mapping[str, Any]) -> float:
    """Return the units of the data per electron, as the step that measured it noted it; 1 without that step."""
    for step in record.get("steps") or ():
        if step.get("name") == "poisson_weights" and (step.get("values") or {}).get("gain"):
            return float(step["values"]["gain"])
    return 1.0


def _voltage(result: Result) -> float | None:
    """Return the voltage that the card of a run's scan says; None where it does not."""
    rows = () if result.card is None else result.card.rows
    for row in rows:
        if row.label == "Voltage":
            try:
                return quantity(row.value, "voltage", "kV")[0]
            except InputError:
                return None
    return None


def _name(given: str | Path | Scan) -> str:
    """Return the file's own name, without its place on the disk."""
    text = (given.source.path or "a scan") if isinstance(given, Scan) else str(given)
    return text if text.startswith("demo:") else Path(text).name


def _probe_nm(recipe: Recipe, scan_axes: tuple[Axis, ...]) -> float | None:
    """Return the probe's width that a settled recipe holds maps to; None without one."""
    for entry in recipe.factorize.constraints:
        width = entry.parameters.get("fwhm")
        if entry.name == "resolution" and isinstance(width, (int, float)):
            unit = str(entry.parameters.get("unit", "px"))
            return float(width) * abs(scan_axes[0].scale) if unit == "px" else convert(width, unit, "nm")
    return None


def _setup(seen: Seen) -> tuple[Setup, tuple[str, ...]]:
    """Return the microscope that a scan was taken with, and in sentences what had to be assumed."""
    told = []
    if len(seen.pattern_axes) != 2 or any(axis.unit != "nm" for axis in seen.scan_axes):
        raise InputError(
            "scan",
            expected="diffraction patterns and a scan step in nm",
            got=f"steps in {', '.join(axis.unit for axis in seen.scan_axes)}",
            hint="open it with a calibrated step, e.g. unmixel.Scan.from_array(..., scan_step=(1.0, 'nm'))",
        )
    voltage = seen.voltage_kV or VOLTAGE_KV
    if seen.voltage_kV is None:
        told.append(f"The voltage is not known; {VOLTAGE_KV:g} kV were taken.")
    axis = seen.pattern_axes[0]
    if axis.unit == "mrad":
        pixel = abs(axis.scale) * 1e-3 / wavelength(voltage)
    elif axis.unit == "1/angstrom":
        pixel = abs(axis.scale)
    else:
        raise InputError(
            "scan",
            expected="a detector calibrated in 1/angstrom or mrad",
            got=f"an axis in {axis.unit}",
            hint="see unmixel.calibrate",
        )
    step = abs(seen.scan_axes[0].scale)
    if seen.probe_nm is None:
        told.append(f"The probe is not known; one as wide as the step of {step:g} nm was taken.")
    if seen.beam is None:
        told.append("The direct beam was not measured; spots as wide as the probe's aperture were taken.")
    height, width = seen.used.shape
    return (
        Setup(
            probe_nm=seen.probe_nm or step,
            step_nm=step,
            detector=(height, width),
            pixel=pixel,
            voltage_kV=voltage,
            spot_px=None if seen.beam is None else max(_sigma(np.asarray(seen.beam)), 0.3),
            spots="gaussian",
            gain=seen.gain,
        ),
        tuple(told),
    )


def _sigma(beam: Float) -> float:
    """Return the standard deviation of an image along its axes, in px."""
    image = np.maximum(beam, 0) / np.maximum(beam, 0).sum()
    spread = 0.0
    for axis in range(image.ndim):
        line = image.sum(axis=tuple(other for other in range(image.ndim) if other != axis))
        places = np.arange(line.size)
        spread += float(line @ (places - line @ places) ** 2)
    return math.sqrt(spread / image.ndim)
