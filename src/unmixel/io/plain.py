"""Axes of arrays that come without a description: numpy, MATLAB, plain HDF5 and zarr."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.io.build import GUESS, FileAxis


def _frames_or_spectra(shape: tuple[int, ...], scan_shape: tuple[int, ...] | None) -> tuple[int, str]:
    """Return the number of pattern axes of three axes, and why."""
    if scan_shape is not None:
        if tuple(shape[:2]) == tuple(scan_shape):
            return 1, ""
        return 2, ""
    if shape[1] == shape[2] and shape[0] != shape[1]:
        why = "the last two axes are equal: taken as a stack of frames (N | v, u)"
        return 2, f"{GUESS}; {why}. For spectra (y, x | energy) give scan_shape=(y, x)."
    why = "taken as spectra (y, x | energy)"
    return 1, f"{GUESS}; {why}. For a stack of frames (N | v, u) give scan_shape=(y, x)."


def plain_axes(
    shape: tuple[int, ...], scan_shape: tuple[int, ...] | None, energy: NDArray[Any] | None = None
) -> tuple[tuple[FileAxis, ...], tuple[str, ...]]:
    """Return axes for an array that has none, and notes on what was assumed.

    1 axis: a spectrum; 2: a pattern (positions x channels where `scan_shape` or `energy` is given); 3:
    spectra ``(y, x, energy)``, unless the last two axes are equal or `scan_shape` says that the first axis
    counts frames; 4 and more: the last two are the pattern.

    Parameters
    ----------
    shape : tuple of int
    scan_shape : tuple of int or None
        As the user gave it.
    energy : ndarray, shape (shape[-1],), optional
        Energies in eV of the last axis.

    Examples
    --------
    >>> [axis.role for axis in plain_axes((100, 64, 64), None)[0]]
    ['scan', 'pattern', 'pattern']
    """
    note = ""
    if energy is not None or len(shape) == 1:
        n_pattern = 1
    elif len(shape) == 2:
        n_pattern = 2 if scan_shape is None else 1
    elif len(shape) == 3:
        n_pattern, note = _frames_or_spectra(shape, scan_shape)
    else:
        n_pattern = 2
    n_scan = len(shape) - n_pattern
    axes = [FileAxis(size, role="scan") for size in shape[:n_scan]]
    axes += [FileAxis(size, role="pattern") for size in shape[n_scan:]]
    notes = (note,) if note else ()
    if energy is not None:
        steps = np.diff(energy)
        uniform = steps.size > 0 and np.max(np.abs(steps - steps.mean())) <= 0.01 * abs(steps.mean())
        if uniform:
            axes[-1] = FileAxis(shape[-1], "energy", float(steps.mean()), float(energy[0]), "eV", "pattern")
        else:
            notes = (*notes, "The energies are not uniform; channels are counted in px.")
    return tuple(axes), notes


def described_axes(text: str, shape: tuple[int, ...]) -> tuple[FileAxis, ...]:
    """Return the axes that a JSON text describes.

    Parameters
    ----------
    text : str
        A list with one object for each axis: ``name``, ``scale``, ``offset``, ``unit``; ``v``, ``u`` and
        ``energy`` are pattern axes, all others scan axes.
    shape : tuple of int

    Raises
    ------
    InputError
        When it is no such list or has another number of axes than the data.

    Examples
    --------
    >>> axis = described_axes('[{"name": "x", "scale": 2, "unit": "nm"}]', (5,))[0]
    >>> axis.scale, axis.role
    (2.0, 'scan')
    """
    try:
        listed: Any = json.loads(text)
        fits = (
            isinstance(listed, list)
            and len(listed) == len(shape)
            and all(isinstance(a, Mapping) for a in listed)
        )
        if not fits:
            raise ValueError(text[:80])
        return tuple(
            FileAxis(
                size,
                str(axis.get("name", "")),
                float(axis.get("scale", 1.0)),
                float(axis.get("offset", 0.0)),
                str(axis.get("unit", "")),
                "pattern" if axis.get("name") in ("v", "u", "energy") else "scan",
            )
            for axis, size in zip(listed, shape, strict=True)
        )
    except (ValueError, TypeError) as error:
        raise InputError(
            "axes in the file",
            expected=f"a JSON list of {len(shape)} objects with name, scale, offset and unit",
            got=text[:80],
            hint="write it as docs/reference/formats.md shows, or leave it out",
        ) from error
