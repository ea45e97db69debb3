"""No pattern has a feature, or a dip, narrower than the direct beam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
from unmixel.dataset.matrix import Grid
from unmixel.engines.convolution import Convolution
from unmixel.factorize.contracts import Context, SideName
from unmixel.factorize.stretching import Stretch, Stretching
from unmixel.physics.kernels import gaussian_kernel, stretched_kernel


@dataclass(frozen=True, eq=False)
class SpotShape(Stretching):
    """Patterns are ``H = Y Q``: a free non-negative Y convolved with the shape of the direct beam.

    A Bragg spot is an image of the same aperture as the direct beam, so nothing in a pattern is narrower; dips
    narrower than the beam cannot be made from non-negative copies of it either.

    Parameters
    ----------
    kernel : ndarray, odd size along each pattern axis, >= 0, or float
        Shape of the direct beam (measured: step ``measure_beam``), or the standard deviation in pixels of a
        Gaussian one.
    side : "maps" or "patterns"
        What is convolved: the beam widens patterns.
    stretch : float, > 0, or "auto"
        How many times as wide the kernel is; ``"auto"``: as electrons that were set aside tell. Spots are narrower than
        a beam that the camera or a thick specimen has widened.

    References
    ----------
    The aim, continuous intensity without downward-convex peaks: Kimoto et al., Sci. Rep. 15, 39143 (2025); the
    parametrisation by the beam's shape is this project's own.

    Examples
    --------
    >>> SpotShape(2.2).kernel_for(2).shape
    (19, 19)
    """

    kernel: NDArray[np.floating[Any]] | float
    side: SideName = "patterns"
    stretch: Stretch = 1.0
    name: ClassVar[str] = "spot_shape"
    references: ClassVar = papers("kimoto2025")

    def __post_init__(self) -> None:
        if np.ndim(self.kernel) == 0 and not (
            np.isfinite(self.kernel) and np.all(np.asarray(self.kernel) > 0)
        ):
            raise InputError(
                "SpotShape",
                expected="a kernel image, or a standard deviation > 0 in pixels",
                got=repr(self.kernel),
                hint="measure it with the step measure_beam",
            )
        self.check_stretch()

    def kernel_for(self, n_axes: int) -> NDArray[np.float64]:
        """Return the kernel with `n_axes` axes, odd size, sum 1."""
        kernel = np.asarray(self.kernel, np.float64)
        if kernel.ndim == 0:
            return gaussian_kernel((self.factor * float(kernel),) * n_axes)
        return stretched_kernel(kernel, self.factor)

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls(0.8)

    def bind(self, context: Context) -> Convolution:
        """Return the convolution for one problem."""
        kernel = self.kernel_for(len(context.grid.shape))
        return Convolution(kernel, context.grid.shape, context.engine, context.dtype)
