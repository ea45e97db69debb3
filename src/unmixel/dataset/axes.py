"""One axis of a scan: name, length, scale, offset and unit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.core.units import printed

SCAN_AXES = ("y", "x")
PATTERN_AXES = ("v", "u")
SPECTRUM_AXES = ("energy",)


@dataclass(frozen=True)
class Axis:
    """One axis: value at index i is ``offset + i * scale`` in `unit`.

    Parameters
    ----------
    name : str
        ``y``, ``x`` (scan), ``v``, ``u`` (detector), ``energy`` or another word.
    size : int
        Number of samples, >= 1.
    scale, offset : float
        Step and first value, in `unit`; scale is not 0.
    unit : str
        Canonical unit: ``nm``, ``1/angstrom``, ``mrad``, ``eV``; ``px`` means uncalibrated.

    Examples
    --------
    >>> Axis("x", 3, scale=0.5, unit="nm").values.tolist()
    [0.0, 0.5, 1.0]
    """

    name: str
    size: int
    scale: float = 1.0
    offset: float = 0.0
    unit: str = "px"

    def __post_init__(self) -> None:
        if self.size < 1 or not np.isfinite(self.scale) or self.scale == 0 or not np.isfinite(self.offset):
            raise InputError(
                f"axis {self.name}",
                expected="size >= 1 and a finite scale that is not 0",
                got=f"size {self.size}, scale {self.scale}, offset {self.offset}",
                hint="check the calibration of the file",
            )

    @property
    def values(self) -> NDArray[np.float64]:
        """Coordinates of all samples, shape (size,), in `unit`."""
        return np.asarray(self.offset + self.scale * np.arange(self.size), np.float64)

    @property
    def calibrated(self) -> bool:
        """Whether the axis has a physical unit."""
        return self.unit != "px"

    def cropped(self, start: int, stop: int) -> Axis:
        """Return the axis of samples start..stop-1; coordinates stay the same."""
        return replace(self, size=stop - start, offset=self.offset + start * self.scale)

    def binned(self, factor: int) -> Axis:
        """Return the axis of bins of `factor` samples; a bin sits at the centre of its samples."""
        return replace(
            self,
            size=self.size // factor,
            scale=self.scale * factor,
            offset=self.offset + self.scale * (factor - 1) / 2,
        )

    def __str__(self) -> str:
        return f"{self.name}: {self.size} x {self.scale:.4g} {printed(self.unit)}"
