"""What a scan will be, before it is there: its axes and what the detector says, around data that take no room."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.acquire.contract import Heading
from unmixel.core.errors import InputError, ScanShapeError
from unmixel.dataset.axes import Axis
from unmixel.dataset.record import Source
from unmixel.dataset.scan import Scan
from unmixel.io.shape import listed


def skeleton(heading: Heading, asked: tuple[int, ...] | None = None) -> Scan:
    """Return the scan that an acquisition will be, all its data 0 and without memory of their own.

    Frames that do not fit the scan shape are not refused, since nobody can ask for them again: the scan then has as
    many rows as they fill.

    Parameters
    ----------
    heading : Heading
    asked : tuple of int, optional
        Scan shape that the user gave.

    Raises
    ------
    ScanShapeError
        When neither the detector nor the user says when the scan is full.
    InputError
        When the scan has more than two axes.

    Examples
    --------
    >>> heading = Heading((Axis("v", 8), Axis("u", 9)), "uint16", 10, source="camera 1")
    >>> skeleton(heading).scan_shape, skeleton(heading, (2, 5)).scan_shape, skeleton(heading, (2, 4)).scan_shape
    ((10,), (2, 5), (3, 4))
    """
    told = tuple(axis.size for axis in heading.scan_axes)
    shape, said = (asked, "given by --scan") if asked else (told, "said by the detector")
    n_frames, notes = heading.n_frames, list(heading.notes)
    if not shape and n_frames is None:
        raise ScanShapeError(
            "the scan shape",
            expected="it, or the number of frames, from the detector",
            got="neither: the detector runs without an end",
            hint="give --scan ROWSxCOLUMNS",
        )
    if len(shape) > 2:
        raise InputError("--scan", expected="ROWSxCOLUMNS", got=f"{shape}", hint="e.g. --scan 256x256")
    if not shape:
        assert n_frames is not None
        shape, said = (n_frames,), f"not known; possible are {listed(n_frames)}"
        notes.append(
            f"The scan shape is not known, so that the record is a line of {n_frames} frames. "
            "Fold it with: unmixel run RECORD --scan-shape ROWSxCOLUMNS."
        )
    elif n_frames is not None and n_frames > math.prod(shape):
        rows = math.ceil(n_frames / math.prod(shape[1:]))
        notes.append(
            f"The detector sends {n_frames} frames, which is more than the {_by(shape)} of the scan: the record has "
            f"{rows} rows. Check the scan shape; possible are {listed(n_frames)}."
        )
        shape = (rows, *shape[1:])
    elif n_frames is not None and n_frames < math.prod(shape):
        notes.append(f"The detector sends {n_frames} frames, which do not fill the {_by(shape)} of the scan.")
    named = [Axis(name, size) for name, size in zip(("y", "x")[-len(shape) :], shape, strict=True)]
    if len(heading.scan_axes) == len(shape):  # steps and units hold for another size, too
        named = [replace(axis, size=size) for axis, size in zip(heading.scan_axes, shape, strict=True)]
    return Scan(
        data=_nothing(heading.dtype, (*shape, *heading.pattern_shape)),
        scan_axes=tuple(named),
        pattern_axes=heading.pattern_axes,
        instrument=heading.instrument,
        original_metadata=heading.metadata,
        # neither host nor folder: records tell no name of a machine
        source=Source(f"live:{heading.source.split()[0]}", heading.form, heading.source, said, tuple(notes)),
    )


def resized(scan: Scan, shape: tuple[int, ...], notes: tuple[str, ...] = ()) -> Scan:
    """Return the skeleton of a scan with another number of positions, and more notes."""
    axes = tuple(replace(axis, size=size) for axis, size in zip(scan.scan_axes, shape, strict=True))
    source = replace(scan.source, notes=(*scan.source.notes, *notes))
    data = _nothing(str(scan.data.dtype), (*shape, *scan.pattern_shape))
    return replace(scan, data=data, scan_axes=axes, source=source)


def _nothing(dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.broadcast_to(np.zeros((), dtype), shape)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
