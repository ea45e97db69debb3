"""From an array and its axes as a file tells them to a `Scan` with axes as we mean them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from unmixel.core.units import canonical
from unmixel.dataset.axes import Axis
from unmixel.dataset.record import Source
from unmixel.dataset.scan import Instrument, Scan
from unmixel.io.arrays import native
from unmixel.io.shape import listed

Role = Literal["scan", "pattern", "unknown"]

GUESS = "Nothing describes the three axes"
"""How a note begins that tells of a guess about which axes are the scan's."""


@dataclass(frozen=True)
class FileAxis:
    """One axis as a file tells it.

    Parameters
    ----------
    size : int
    name, unit : str
        As written in the file.
    scale, offset : float
        In `unit`.
    role : {"scan", "pattern", "unknown"}
        What the file says the axis is.
    """

    size: int
    name: str = ""
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    role: Role = "unknown"

    @property
    def is_energy(self) -> bool:
        """Whether this is an axis of energy or energy loss."""
        return canonical(self.unit)[0] == "eV" or self.name.lower().startswith("energy")


@dataclass(frozen=True)
class Found:
    """What a reader found in a file, before it is a `Scan`.

    Parameters
    ----------
    data : array
    axes : tuple of FileAxis
        One for each axis of the data, in its order.
    path, form, reader : str
        Where it came from: the address as given, the format in words, reader and library with its version.
    instrument : Instrument
    metadata : mapping
        Everything the file said.
    notes : tuple of str
    diffraction : bool
        Whether the file calls its images diffraction patterns.
    scan_shape_from : str
        Where the reader knows it; otherwise it is told from the axes.
    """

    data: Any
    axes: tuple[FileAxis, ...]
    path: str
    form: str
    reader: str
    instrument: Instrument = field(default_factory=Instrument)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    diffraction: bool = False
    scan_shape_from: str = ""


def roles(axes: Sequence[FileAxis]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the indices of the scan axes and of the pattern axes, each in the order of the file.

    An axis of energy is the pattern whatever the file says. Otherwise the file decides; where it calls no
    axis the pattern or more than two, the last two are it.

    Examples
    --------
    >>> roles([FileAxis(5, "energy loss", unit="eV"), FileAxis(3), FileAxis(4)])
    ((1, 2), (0,))
    >>> roles([FileAxis(9), FileAxis(16), FileAxis(16)])
    ((0,), (1, 2))
    """
    every = range(len(axes))
    energy = [i for i in every if axes[i].is_energy]
    if len(energy) == 1:
        pattern = energy
    else:
        pattern = [i for i in every if axes[i].role == "pattern"]
        if not 1 <= len(pattern) <= 2:
            pattern = list(every)[-min(2, len(axes)) :]
    return tuple(i for i in every if i not in pattern), tuple(pattern)


def _calibrated(axis: FileAxis, name: str, *, lengths: bool) -> tuple[Axis, str]:
    """Return the axis in canonical units, or counted in px with the reason."""
    unit, factor = canonical(axis.unit)
    label = f"'{axis.name}'" if axis.name else f"'{name}'"
    told = f"{axis.scale:.4g} {axis.unit}".strip()
    valid = axis.scale != 0 and math.isfinite(axis.scale) and math.isfinite(axis.offset)
    plain = (axis.scale, axis.offset) == (1.0, 0.0)
    if not valid:
        reason = f"Axis {label} has the step {told}, which cannot be; it is counted in px."
    elif unit == "px" and not plain:
        reason = f"Axis {label} has the step {told}, in no unit that is known; it is counted in px."
    elif unit == "nm" and not lengths:
        reason = (
            f"Axis {label} has the step {told}: a length on the detector, not a scattering vector; "
            "it is counted in px because the camera length is not applied unasked."
        )
    elif unit == "px":
        reason = ""
    else:
        return Axis(name, axis.size, scale=axis.scale * factor, offset=axis.offset * factor, unit=unit), ""
    return Axis(name, axis.size), reason


def _scan_names(axes: Sequence[FileAxis]) -> tuple[str, ...]:
    """Return y, x for the last two spatial axes; time keeps its name, what is left over is s0, s1, ..."""
    spatial = [i for i, axis in enumerate(axes) if canonical(axis.unit)[0] != "s" and axis.name != "time"]
    names = dict(zip(spatial[-2:], ("y", "x")[2 - len(spatial[-2:]) :], strict=True))
    stamps = [i for i in range(len(axes)) if i not in spatial]
    names |= {i: "time" if len(stamps) == 1 else f"time{n}" for n, i in enumerate(stamps)}
    names |= {i: f"s{n}" for n, i in enumerate(spatial[:-2])}
    return tuple(names[i] for i in range(len(axes)))


def _shape_reason(scan_axes: tuple[Axis, ...], n_pattern_axes: int, *, guessed: bool) -> str:
    """Return in one sentence how the scan shape became known."""
    shape = " x ".join(str(axis.size) for axis in scan_axes)
    if not scan_axes:
        return "the file holds a single pattern"
    if len(scan_axes) == 1 and n_pattern_axes == 2 and scan_axes[0].unit == "px":
        return (
            f"not known: the file holds a plain stack of {shape} frames; give scan_shape=(rows, columns), "
            f"possible are {listed(scan_axes[0].size)}"
        )
    return f"a guess from the shape of the array: {shape}" if guessed else f"the axes of the file: {shape}"


def _order_note(axes: Sequence[FileAxis], scan: tuple[int, ...]) -> str:
    """Return a note where the file's own names say that rows and columns are exchanged."""
    names = [axes[i].name.strip().lower() for i in scan[-2:]]
    if names == ["x", "y"]:
        return "The file calls its first scan axis 'x' and its second 'y'; the first is taken as rows (y)."
    return ""


def built(found: Found) -> Scan:
    """Return the scan that a reader found.

    Axes are brought to the order scan, pattern; names are ``y, x`` and ``v, u`` or ``energy``; units are
    canonical. What cannot be used as it is written (unknown units, steps of zero, lengths on a detector) is
    counted in px and noted.

    Parameters
    ----------
    found : Found
    """
    scan, pattern = roles(found.axes)
    order = (*scan, *pattern)
    data = found.data if order == tuple(range(len(order))) else found.data.transpose(order)
    notes = [*found.notes, _order_note(found.axes, scan)]
    if order != tuple(range(len(order))):
        notes.append("The file stores its axes in another order; they were turned to scan, then pattern.")
    spatial = any(canonical(found.axes[i].unit)[0] == "nm" for i in scan)
    lengths = len(pattern) == 1 or not (found.diffraction or spatial)
    names = (*_scan_names([found.axes[i] for i in scan]), *(("energy",) if len(pattern) == 1 else ("v", "u")))
    axes = []
    for place, (index, name) in enumerate(zip(order, names, strict=True)):
        axis, note = _calibrated(found.axes[index], name, lengths=place < len(scan) or lengths)
        axes.append(axis)
        notes.append(note)
    scan_axes, pattern_axes = tuple(axes[: len(scan)]), tuple(axes[len(scan) :])
    return Scan(
        data=native(data),
        scan_axes=scan_axes,
        pattern_axes=pattern_axes,
        instrument=found.instrument,
        original_metadata=found.metadata,
        source=Source(
            path=found.path,
            format=found.form,
            reader=found.reader,
            scan_shape_from=found.scan_shape_from
            or _shape_reason(
                scan_axes, len(pattern), guessed=any(note.startswith(GUESS) for note in found.notes)
            ),
            notes=tuple(dict.fromkeys(note for note in notes if note)),
        ),
    )
