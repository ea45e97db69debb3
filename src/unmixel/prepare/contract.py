"""The contract of a step: a small frozen object that turns a scan into a scan and says what it did."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.core.units import convert
from unmixel.dataset.axes import Axis
from unmixel.dataset.record import StepRecord
from unmixel.dataset.scan import Scan

LISTED_PIXELS = 4096
"""Arrays up to this size are written into a record value by value, longer ones as shape and hash."""


@runtime_checkable
class Step(Protocol):
    """One explicit step of preparation.

    A step is a frozen dataclass whose fields are its parameters (numbers, texts, lists: what YAML holds).
    It leaves its input untouched, keeps lazy data lazy, never loads the whole data, and returns a scan whose
    history is one record longer. Copy ``crop.py`` for one that changes axes, ``masks.py`` for one that
    changes weights. `unmixel.testing.steps` holds it to these laws; where a step has parameters without
    defaults, a classmethod ``example(scan)`` returns one to try.

    Attributes
    ----------
    name : str
        Registered name: the word in a recipe and under the entry points ``unmixel.steps``.
    references : tuple of `unmixel.dataset.bibliography.Reference`
        Papers to be cited where it ran; may be left out.
    """

    name: ClassVar[str]

    def apply(self, scan: Scan) -> Scan:
        """Return the scan after the step.

        Parameters
        ----------
        scan : Scan

        Returns
        -------
        Scan
            With one more `StepRecord` in its history: name, parameters, effect in one sentence, numbers.

        Raises
        ------
        InputError
            When the step cannot be done to this scan.
        """
        ...


def plain(value: Any) -> Any:
    """Return `value` as what JSON and YAML hold.

    Parameters
    ----------
    value : object
        Numbers, texts, None, paths, lists, mappings, numpy numbers and arrays; long arrays become a mapping
        with their shape and SHA-256.

    Examples
    --------
    >>> plain({"at": (np.float64(0.5), np.arange(2))})
    {'at': [0.5, [0, 1]]}
    """
    if isinstance(value, np.ndarray):
        if value.size <= LISTED_PIXELS:
            return plain(value.tolist())
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"shape": list(value.shape), "dtype": str(value.dtype), "sha256": digest}
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    # JSON has no NaN: what could not be measured is null
    return None if isinstance(value, float) and not math.isfinite(value) else value


def parameters(step: Step) -> dict[str, Any]:
    """Return the parameters of a step as plain data, ready for a recipe."""
    return {item.name: plain(getattr(step, item.name)) for item in fields(step)}  # type: ignore[arg-type]


def recorded(step: Step, effect: str, **values: Any) -> StepRecord:
    """Return the record of what a step did: its parameters, one sentence and numbers."""
    return StepRecord(
        step.name, parameters(step), effect, {key: plain(value) for key, value in values.items()}
    )


def refuse_spectra(scan: Scan, step: Step) -> None:
    """Raise an InputError when the scan does not hold images."""
    if len(scan.pattern_axes) != 2:
        raise InputError(
            f"step {step.name}",
            expected="patterns with two axes (v, u)",
            got=" x ".join(axis.name for axis in scan.pattern_axes),
            hint="leave this step out for spectra",
        )


def one_of(what: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise an InputError unless `value` is one of the words."""
    if value not in choices:
        raise InputError(
            what, expected=" or ".join(choices), got=repr(value), hint=f"write e.g. {choices[0]}"
        )


def at_least(what: str, value: float | None, low: float, *, hint: str) -> None:
    """Raise an InputError unless `value` is None or a finite number >= `low`."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value < math.inf:
        raise InputError(what, expected=f"a number >= {low:g}", got=repr(value), hint=hint)


def used_pixels(scan: Scan) -> NDArray[np.bool_]:
    """Return which pixels have a weight above 0, shape pattern_shape."""
    if scan.pixel_weights is None:
        return np.ones(scan.pattern_shape, bool)
    return np.asarray(scan.pixel_weights > 0)


def weights_times(weights: NDArray[Any] | None, factor: NDArray[Any]) -> NDArray[np.float64]:
    """Return `weights` (None: 1 everywhere) times `factor`, as float64."""
    return np.asarray(factor, np.float64) * (1.0 if weights is None else weights)


def without(scan: Scan, *names: str) -> dict[str, Any]:
    """Return the extras of a scan except those a step makes stale."""
    return {key: value for key, value in scan.extras.items() if key not in names}


def pixel_distance(
    axes: tuple[Axis, ...], origin: tuple[float, ...], unit: str = "px"
) -> NDArray[np.float64]:
    """Return the distance of every pixel from a point.

    Parameters
    ----------
    axes : tuple of Axis
        Pattern axes.
    origin : tuple of float
        The point, in px along each axis.
    unit : str
        Unit of the distance: ``px``, or one that the unit of the axes converts to.

    Returns
    -------
    ndarray, shape of the axes

    Raises
    ------
    InputError
        When the axes are not calibrated in a unit that converts to `unit`.
    """
    squared = np.zeros(tuple(axis.size for axis in axes))
    for index, (axis, middle) in enumerate(zip(axes, origin, strict=True)):
        step = 1.0 if unit == "px" else convert(abs(axis.scale), axis.unit, unit)
        shape = [1] * len(axes)
        shape[index] = axis.size
        squared = squared + ((np.arange(axis.size) - middle) * step).reshape(shape) ** 2
    return np.sqrt(squared)
