"""A scan: one lazy array of patterns or spectra with its axes, masks, weights and history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError, MissingExtraError
from unmixel.dataset.axes import Axis
from unmixel.dataset.record import Source, StepRecord

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Instrument:
    """What is known of the microscope; None where the file does not say.

    Parameters
    ----------
    voltage_kV, camera_length_mm, convergence_mrad, dwell_s, current_pA : float or None
        Acceleration voltage, camera length, convergence semi-angle, dwell time per position, beam current.
    microscope, detector : str or None
        Names as the file gives them.
    """

    voltage_kV: float | None = None  # noqa: N815 - the unit is part of the name
    camera_length_mm: float | None = None
    convergence_mrad: float | None = None
    dwell_s: float | None = None
    current_pA: float | None = None  # noqa: N815
    microscope: str | None = None
    detector: str | None = None


@dataclass(frozen=True, eq=False)
class Scan:
    """A scan of patterns (4D-STEM) or spectra (EELS, EDX).

    Parameters
    ----------
    data : array, shape (*scan_shape, *pattern_shape)
        numpy or dask array (anything with ``shape``, ``dtype`` and slicing that ``np.asarray`` turns into
        numpy). Never loaded whole by opening.
    scan_axes : tuple of Axis
        Scan axes in the order of the data, usually ``(y, x)``; ``(x,)`` for a line, ``()`` for one pattern.
    pattern_axes : tuple of Axis
        ``(v, u)`` for diffraction patterns, ``(energy,)`` for spectra.
    instrument : Instrument
    original_metadata : mapping
        Everything the file said, whole.
    source : Source
    history : tuple of StepRecord
        What preparation did, in order.
    pixel_weights : ndarray of float, shape pattern_shape, or None
        Weight of each detector pixel in a fit, >= 0; 0 leaves the pixel out; None means 1 everywhere.
    position_weights : ndarray of float, shape scan_shape, or None
        The same for scan positions.
    extras : mapping
        Images or curves that steps keep for the report (``beam``, ``mean_pattern``, ...): name -> ndarray.
    calibration : CalibrationFit or None
        What put the pattern axes there, in pixels of the detector as it was then; None where the file says them.

    Raises
    ------
    InputError
        When axes or weights do not fit the data.

    Examples
    --------
    >>> import numpy as np
    >>> scan = Scan.from_array(np.zeros((4, 5, 8, 8), np.uint16), scan_step=(1.0, "nm"))
    >>> scan.scan_shape, scan.pattern_shape, scan.scan_axes[0].unit
    ((4, 5), (8, 8), 'nm')
    """

    data: Any
    scan_axes: tuple[Axis, ...]
    pattern_axes: tuple[Axis, ...]
    instrument: Instrument = Instrument()
    original_metadata: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    source: Source = Source()
    history: tuple[StepRecord, ...] = ()
    pixel_weights: NDArray[np.floating[Any]] | None = None
    position_weights: NDArray[np.floating[Any]] | None = None
    extras: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    calibration: Any = None

    def __post_init__(self) -> None:
        shape = tuple(axis.size for axis in (*self.scan_axes, *self.pattern_axes))
        if tuple(self.data.shape) != shape or not self.pattern_axes:
            raise InputError(
                "scan",
                expected=f"data of the shape of its axes {shape}, with at least one pattern axis",
                got=f"data of shape {tuple(self.data.shape)}",
                hint="give one Axis per dimension, scan axes first",
            )
        for name, weights, wanted in (
            ("pixel_weights", self.pixel_weights, self.pattern_shape),
            ("position_weights", self.position_weights, self.scan_shape),
        ):
            if weights is None:
                continue
            if weights.shape != wanted or not np.all(np.isfinite(weights)) or np.any(weights < 0):
                raise InputError(
                    name,
                    expected=f"finite numbers >= 0 of shape {wanted}",
                    got=f"shape {weights.shape}",
                    hint="use 0 for what is to be left out, 1 for the rest",
                )

    @property
    def scan_shape(self) -> tuple[int, ...]:
        """Number of positions along each scan axis."""
        return tuple(axis.size for axis in self.scan_axes)

    @property
    def pattern_shape(self) -> tuple[int, ...]:
        """Number of pixels (or channels) along each pattern axis."""
        return tuple(axis.size for axis in self.pattern_axes)

    @property
    def n_positions(self) -> int:
        """Number of scan positions."""
        return math.prod(self.scan_shape)

    @property
    def n_pixels(self) -> int:
        """Number of detector pixels or channels."""
        return math.prod(self.pattern_shape)

    @property
    def n_bytes(self) -> int:
        """Bytes of the whole data in memory at its own dtype."""
        return self.n_positions * self.n_pixels * int(np.dtype(self.data.dtype).itemsize)

    @property
    def is_spectrum(self) -> bool:
        """Whether each position holds a spectrum instead of an image."""
        return len(self.pattern_axes) == 1

    @property
    def gain(self) -> float:
        """Units of the data per electron, as the step `poisson_weights` found or was given it; 1 without that step.

        It is the variance over the mean of the noise.
        """
        for record in self.history:
            if record.name == "poisson_weights" and record.values.get("gain"):
                return float(record.values["gain"])
        return 1.0

    @classmethod
    def from_array(
        cls,
        data: Any,
        *,
        scan_step: tuple[float, str] = (1.0, "px"),
        pattern_step: tuple[float, str] = (1.0, "px"),
        n_pattern_axes: int | None = None,
        **fields: Any,
    ) -> Scan:
        """Return a scan around an array in memory.

        Parameters
        ----------
        data : array, 2 to 4 dimensions
            4 dimensions: (y, x, v, u); 3: (y, x, energy); 2: (x, energy), unless `n_pattern_axes` says else.
        scan_step, pattern_step : (float, str)
            Step and unit of the scan and of the detector (or energy) axes.
        n_pattern_axes : int, optional
            How many of the last dimensions belong to the pattern.
        **fields
            Further fields of `Scan`.
        """
        n_pattern = n_pattern_axes or (2 if data.ndim == 4 else 1)
        shape = tuple(int(n) for n in data.shape)
        n_scan = len(shape) - n_pattern
        scan_names = ("y", "x")[2 - n_scan :] if n_scan <= 2 else tuple(f"s{i}" for i in range(n_scan))
        pattern_names = ("v", "u") if n_pattern == 2 else ("energy",)
        scan_axes = tuple(
            Axis(name, size, scale=scan_step[0], unit=scan_step[1])
            for name, size in zip(scan_names, shape[:n_scan], strict=True)
        )
        pattern_axes = tuple(
            Axis(name, size, scale=pattern_step[0], unit=pattern_step[1])
            for name, size in zip(pattern_names, shape[n_scan:], strict=True)
        )
        return cls(data=data, scan_axes=scan_axes, pattern_axes=pattern_axes, **fields)

    def after(self, step: StepRecord, **changes: Any) -> Scan:
        """Return the scan with `changes` and `step` appended to its history."""
        return replace(self, history=(*self.history, step), **changes)

    def to_hyperspy(self) -> Any:
        """Return the scan as a HyperSpy signal (lazy when the data are lazy).

        Raises
        ------
        MissingExtraError
            When HyperSpy is not installed.
        """
        try:
            import hyperspy.api as hs
        except ImportError as error:
            raise MissingExtraError("hyperspy", extra="hyperspy", purpose="Scan.to_hyperspy()") from error
        kind = hs.signals.Signal1D if self.is_spectrum else hs.signals.Signal2D
        axes = [
            {
                "name": axis.name,
                "size": axis.size,
                "scale": axis.scale,
                "offset": axis.offset,
                "units": "" if axis.unit == "px" else axis.unit,
                "navigate": index < len(self.scan_axes),
            }
            for index, axis in enumerate((*self.scan_axes, *self.pattern_axes))
        ]
        signal = kind(self.data, axes=axes, original_metadata=dict(self.original_metadata))
        return signal if isinstance(self.data, np.ndarray) else signal.as_lazy()
