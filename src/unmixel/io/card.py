"""The data card: what a scan is, read from its head and a small sample, and whether it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmixel.core.units import memory, printed
from unmixel.dataset.axes import Axis
from unmixel.dataset.card import CardRow, DataCard, Light
from unmixel.engines.blocks import free_memory
from unmixel.io.counts import Counts, measured
from unmixel.io.sample import take
from unmixel.io.shape import factorings, listed

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan

_POISSON = (0.7, 1.4)
_SWAPPED = 4.0


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one position"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _shape_rows(scan: Scan) -> Iterator[CardRow]:
    axes = ", ".join(axis.name for axis in scan.scan_axes) or "none"
    pattern = ", ".join(axis.name for axis in scan.pattern_axes)
    yield CardRow("Shape", f"{_by(scan.scan_shape)} | {_by(scan.pattern_shape)} ({axes} | {pattern})")
    told = scan.source.scan_shape_from
    if not scan.scan_axes:
        yield CardRow("Scan shape", "single pattern", "yellow", "There is no scan: nothing to separate.")
    elif told.startswith("not known"):
        hint = f"Possible: {listed(scan.n_positions)}. Give scan_shape."
        yield CardRow("Scan shape", f"{scan.n_positions} frames in a row", "red", hint)
    elif told.startswith("a guess"):
        hint = "The file does not say which axes are the scan's; give scan_shape if the guess is wrong."
        yield CardRow("Scan shape", told, "yellow", hint)
    else:
        yield CardRow("Scan shape", told, "green", "The scan shape is known.")


def _memory_row(scan: Scan, free: int) -> CardRow:
    need = f"{memory(scan.n_bytes)} needed"
    if not free:
        return CardRow("Memory", need, "yellow", "The system does not say how much memory is free.")
    value = f"{need}, {memory(free)} free"
    share = scan.n_bytes / free
    if share < 0.25:
        return CardRow("Memory", value, "green", "The data fit into memory.")
    light: Light = "yellow" if share < 4 else "red"
    return CardRow("Memory", value, light, "The data are read in blocks; each pass reads the file again.")


def _counts_rows(scan: Scan, counts: Counts) -> Iterator[CardRow]:
    dtype = np.dtype(scan.data.dtype)
    of = f"{counts.n_frames} of {scan.n_positions} patterns were looked at."
    value = f"{_number(counts.mean)} ± {_number(counts.spread)} per pattern"
    if counts.high == 0 and counts.low == 0:
        yield CardRow("Counts", value, "red", f"Every value is 0. {of}")
    else:
        yield CardRow("Counts", value, "none", of)
    if counts.whole:
        held = f"{dtype}, whole numbers {counts.low:.0f} to {counts.high:.0f}"
        yield CardRow("Values", held, "green", "Whole numbers, as counts are.")
    elif counts.denominator:
        told = (
            f"All values are multiples of 1/{counts.denominator}: averages or binned means instead of sums? "
            f"Multiply by {counts.denominator} before Poisson weighting."
        )
        yield CardRow("Values", f"{dtype}, multiples of 1/{counts.denominator}", "yellow", told)
    else:
        told = "Not whole numbers: scaled, averaged or processed; Poisson weights need the gain."
        yield CardRow("Values", f"{dtype}, {_number(counts.low)} to {_number(counts.high)}", "yellow", told)
    if counts.step > 1:
        told = "The counts were scaled; divide by it before Poisson weighting."
        yield CardRow("Step of counts", f"all values are multiples of {counts.step}", "yellow", told)
    weakest = max(3, 2 * counts.step)
    if counts.threshold > weakest and counts.zeros > 0.02:
        told = "Weak counts were cut to 0 by a threshold: sums are too low and the noise is not Poisson."
        yield CardRow("Threshold", f"no value between 0 and {counts.threshold}", "yellow", told)
    elif counts.low > weakest:
        told = "A dark level was not subtracted, or the data are images; take it off as background."
        yield CardRow("Dark level", f"no value below {_number(counts.low)}", "yellow", told)
    if counts.n_nan:
        told = "Repair or mask these pixels; NaN and infinite values cannot be fitted."
        yield CardRow("Not finite", f"{counts.n_nan} values in the sample", "red", told)
    if counts.n_negative:
        told = "Counts are never negative: a background was subtracted, or the data are differentials."
        yield CardRow("Negative", f"{counts.n_negative} values in the sample", "red", told)


def _detector_rows(counts: Counts) -> Iterator[CardRow]:
    if math.isnan(counts.saturated_at):
        yield CardRow("Saturated", "none found", "green", "Readings do not pile up at a highest value.")
    else:
        told = "Readings pile up at this value: intensities there are too low; mask the beam or these pixels."
        value = f"{counts.n_saturated} pixels at {counts.saturated_at:.0f}"
        yield CardRow("Saturated", value, "yellow", told)
    odd = counts.n_dead + counts.n_hot
    value = f"{counts.n_dead} dead, {counts.n_hot} hot"
    if odd:
        yield CardRow("Dead or hot pixels", value, "yellow", "Use the step 'repair' or mask them.")
    else:
        yield CardRow("Dead or hot pixels", value, "green", "No pixel stands out in the sample.")
    if math.isnan(counts.noise):
        yield CardRow("Noise", "not known", "none", "Too few neighbouring patterns or counts to tell.")
    elif _POISSON[0] <= counts.noise <= _POISSON[1]:
        value = f"variance / mean = {counts.noise:.2f}"
        yield CardRow("Noise", value, "green", "Poisson counts: 1 unit is 1 electron.")
    else:
        few = "averaged counts, or smoothed" if counts.noise < 1 else "scaled counts, a gain or a threshold"
        told = f"Poisson counts have 1: {few}. Poisson weights need this gain."
        yield CardRow("Noise", f"variance / mean = {counts.noise:.3g}", "yellow", told)


def _axis_row(label: str, axes: tuple[Axis, ...], good: str) -> CardRow:
    """Return the calibration of the scan, the detector or the energy axis."""
    steps = " x ".join(dict.fromkeys(f"{_number(abs(axis.scale))} {printed(axis.unit)}" for axis in axes))
    units = {axis.unit for axis in axes}
    if units == {"px"}:
        return CardRow(label, "not calibrated", "red", "The file says no step that can be used; give it.")
    if len(units) > 1:
        return CardRow(label, steps, "red", "The axes have different units; check them.")
    unit = axes[0].unit
    if unit != good:
        wants = f"{printed(good)} is usual here"
        if unit == "mrad":
            wants = "mrad become Å⁻¹ only with the voltage"
        return CardRow(label, steps, "yellow", f"{wants}; check that axes are not exchanged.")
    if len({round(abs(axis.scale), 12) for axis in axes}) > 1:
        return CardRow(label, steps, "yellow", "The two axes have different steps; check them.")
    if any(axis.scale == 1.0 and axis.unit == good != "eV" for axis in axes):
        return CardRow(label, steps, "yellow", "A step of exactly 1 is often a placeholder; check it.")
    return CardRow(label, steps, "green", "Calibrated in the file.")


def _calibration_rows(scan: Scan) -> Iterator[CardRow]:
    spatial = tuple(axis for axis in scan.scan_axes if axis.unit != "s")
    if spatial:
        row = _axis_row("Scan step", spatial, "nm")
        doubted = row.light == "green" and any("scan step is not calibrated" in n for n in scan.source.notes)
        yield (
            replace(row, light="yellow", reason="The microscope says it is not calibrated.")
            if doubted
            else row
        )
    if scan.is_spectrum:
        yield _axis_row("Energy step", scan.pattern_axes, "eV")
    elif scan.scan_axes:
        yield _axis_row("Detector step", scan.pattern_axes, "1/angstrom")
    else:
        unit = scan.pattern_axes[0].unit
        yield _axis_row("Pixel step", scan.pattern_axes, "nm" if unit == "nm" else "1/angstrom")
    known = scan.instrument
    if known.voltage_kV is None:
        yield CardRow(
            "Voltage", "not known", "yellow", "Needed for angles and structure; give it in the recipe."
        )
    else:
        yield CardRow("Voltage", f"{_number(known.voltage_kV)} kV", "green", "From the file.")
    for label, value, unit in (
        ("Camera length", known.camera_length_mm, "mm"),
        ("Convergence", known.convergence_mrad, "mrad"),
        ("Dwell time", known.dwell_s, "s"),
        ("Beam current", known.current_pA, "pA"),
    ):
        if value is not None:
            yield CardRow(label, f"{_number(value)} {unit}")


def _looks_swapped(scan: Scan, counts: Counts) -> bool:
    """Return whether positions differ far more than pixels do, in a sample large enough to tell."""
    contrasts = (counts.map_contrast, counts.pattern_contrast)
    enough = scan.n_positions >= 64 and scan.n_pixels >= 16 and counts.n_frames >= 16
    if not enough or not all(map(math.isfinite, contrasts)):
        return False
    return counts.map_contrast > _SWAPPED * max(counts.pattern_contrast, 0.02)


def _warning_rows(scan: Scan, counts: Counts) -> Iterator[CardRow]:
    reciprocal_scan = any(axis.unit in ("1/angstrom", "mrad", "eV") for axis in scan.scan_axes)
    length_pattern = bool(scan.scan_axes) and any(axis.unit == "nm" for axis in scan.pattern_axes)
    if reciprocal_scan or (length_pattern and scan.scan_axes[-1].unit != "s"):
        told = "The units say that scan and detector axes are exchanged; write the file with its axes turned."
        yield CardRow("Axes", "scan and pattern exchanged?", "red", told)
    elif _looks_swapped(scan, counts):
        ratio = _number(counts.map_contrast / max(counts.pattern_contrast, 0.02))
        told = (
            f"Counts differ {ratio} times more between positions than between pixels of the mean pattern; in "
            "a scan it is the other way round. Look at both."
        )
        yield CardRow("Axes", "scan and pattern exchanged?", "yellow", told)
    for note in scan.source.notes:
        yield CardRow("Note", note)


def _values(scan: Scan, counts: Counts, free: int, rows: tuple[CardRow, ...]) -> dict[str, Any]:
    """Return the facts as JSON-safe values; NaN becomes None."""

    def axis(one: Axis) -> dict[str, Any]:
        return {
            "name": one.name,
            "size": one.size,
            "scale": one.scale,
            "offset": one.offset,
            "unit": one.unit,
        }

    plain = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in vars(counts).items()
    }
    unknown = scan.source.scan_shape_from.startswith("not known")
    return {
        "path": scan.source.path,
        "format": scan.source.format,
        "reader": scan.source.reader,
        "scan_shape": list(scan.scan_shape),
        "pattern_shape": list(scan.pattern_shape),
        "scan_shape_from": scan.source.scan_shape_from,
        "scan_shapes_possible": [str(c) for c in factorings(scan.n_positions)[:20]] if unknown else [],
        "dtype": str(np.dtype(scan.data.dtype)),
        "bytes_needed": scan.n_bytes,
        "bytes_free": free,
        "counts": plain,
        "axes": [axis(one) for one in (*scan.scan_axes, *scan.pattern_axes)],
        "instrument": dict(vars(scan.instrument)),
        "lights": {row.label: row.light for row in rows if row.light != "none"},
        "notes": list(scan.source.notes),
    }


def data_card(scan: Scan) -> DataCard:
    """Return what is known of a scan before anything is done with it.

    Reads at most three chunks of the file (`unmixel.io.sample.take`); numbers about counts come from this
    sample, which the card says.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    DataCard
        Rows for people: format, shape and how it became known, memory, counts, saturated and odd pixels,
        noise, calibration with red, yellow or green and the reason, notes of the reader. ``values`` holds the
        same, JSON-safe.

    Examples
    --------
    >>> from unmixel.dataset.scan import Scan
    >>> counts = np.random.default_rng(0).poisson(20.0, (13, 29, 31, 26))
    >>> card = data_card(Scan.from_array(counts, scan_step=(2.0, "nm")))
    >>> card.values["lights"]["Noise"], card.values["lights"]["Detector step"]
    ('green', 'red')
    """
    counts, free = measured(take(scan)), free_memory()
    source = scan.source
    rows = (
        CardRow("Format", f"{source.format}, read by {source.reader}"),
        *_shape_rows(scan),
        _memory_row(scan, free),
        *_counts_rows(scan, counts),
        *_detector_rows(counts),
        *_calibration_rows(scan),
        *_warning_rows(scan, counts),
    )
    title = source.path if ":" in source.path.split("/")[0] else Path(source.path).name
    return DataCard(title, rows, _values(scan, counts, free, rows))
