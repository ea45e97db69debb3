"""No map is sharper than the probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.core.units import convert
from unmixel.dataset.bibliography import papers
from unmixel.dataset.matrix import Grid
from unmixel.engines.convolution import Convolution
from unmixel.factorize.contracts import Context, SideName
from unmixel.factorize.stretching import Stretch, Stretching


@dataclass(frozen=True)
class Resolution(Stretching):
    """Maps are ``W = P Z``: a free non-negative Z convolved with the probe (a Gaussian of full width `fwhm`).

    Parameters
    ----------
    fwhm : float, > 0
        Full width at half maximum of the probe.
    unit : str
        ``"px"`` (scan steps) or a length such as ``"nm"`` (the scan must be calibrated then).
    side : "maps" or "patterns"
        What is convolved: the probe widens maps.
    stretch : float, > 0, or "auto"
        How many times as wide the kernel is; ``"auto"``: as electrons that were set aside tell. A probe out of focus is
        wider than its aperture says, and at low dose wider maps are the better ones.

    References
    ----------
    Kimoto et al., Sci. Rep. 15, 39143 (2025): spatial resolution as a domain constraint; the parametrisation
    by a non-negative kernel is this project's own.

    Examples
    --------
    >>> Resolution(1.9).name
    'resolution'
    """

    fwhm: float
    unit: str = "px"
    side: SideName = "maps"
    stretch: Stretch = 1.0
    local: ClassVar[bool] = True
    name: ClassVar[str] = "resolution"
    references: ClassVar = papers("kimoto2025")

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fwhm) and self.fwhm > 0):
            raise InputError(
                "Resolution", expected="fwhm > 0", got=str(self.fwhm), hint="give the probe's width"
            )
        self.check_stretch()

    def sigmas(self, grid: Grid) -> tuple[float, ...]:
        """Return the standard deviation of the kernel along each axis, in samples."""
        if self.unit == "px":
            return (self.factor * self.fwhm / 2.3548,) * len(grid.shape)
        if grid.unit == "px":
            raise InputError(
                "Resolution",
                expected=f"a scan calibrated in {self.unit}",
                got="a scan without calibration",
                hint="give fwhm in px, or calibrate the scan",
            )
        fwhm = self.factor * convert(self.fwhm, self.unit, grid.unit)
        return tuple(fwhm / 2.3548 / step for step in grid.steps)

    def kernel(self, grid: Grid) -> NDArray[np.float64]:
        """Return the kernel on a grid: odd size, sum 1."""
        kernel = np.ones(())
        for sigma, size in zip(self.sigmas(grid), grid.shape, strict=True):
            half = min(int(np.ceil(4 * sigma)), size - 1)
            line = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
            kernel = np.multiply.outer(kernel, line / line.sum())
        return kernel

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls(1.9)

    def bind(self, context: Context) -> Convolution:
        """Return the convolution for one problem."""
        grid = context.grid
        return Convolution(self.kernel(grid), grid.shape, context.engine, context.dtype)
