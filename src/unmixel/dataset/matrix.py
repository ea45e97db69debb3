"""The unfolded view that a factorisation sees: positions by pixels, with weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan


@dataclass(frozen=True)
class Grid:
    """Shape and step of one side of a factorisation: the scan (maps) or the detector (patterns).

    Parameters
    ----------
    shape : tuple of int
    steps : tuple of float
        Step along each axis, in `unit`.
    unit : str
    zero : tuple of float
        Where the axes are 0, in samples; empty where there are no axes.
    """

    shape: tuple[int, ...]
    steps: tuple[float, ...]
    unit: str = "px"
    zero: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Number of samples."""
        return math.prod(self.shape)

    @classmethod
    def of(cls, axes: tuple[Axis, ...]) -> Grid:
        """Return the grid that axes span."""
        return cls(
            tuple(axis.size for axis in axes),
            tuple(abs(axis.scale) for axis in axes),
            axes[0].unit if axes else "px",
            tuple(-axis.offset / axis.scale for axis in axes),
        )

    def centre(self, given: tuple[float, ...] | None = None, *, what: str = "centre") -> tuple[float, ...]:
        """Return a centre inside the grid, in samples: the given one, or where the axes are 0.

        Raises
        ------
        InputError
            Where it is not inside; `what` says for whom.

        Examples
        --------
        >>> Grid((4, 5), (1.0, 1.0), zero=(1.5, 2.2)).centre()
        (1.5, 2.2)
        """
        found = tuple(self.zero if given is None else (float(value) for value in given))
        inside = len(found) == len(self.shape) and all(
            0 < value < size - 1 for value, size in zip(found, self.shape, strict=True)
        )
        if not inside:
            raise InputError(
                f"{what}: centre",
                expected=f"one number per axis, inside the {'x'.join(map(str, self.shape))} samples",
                got="none" if given is None and not found else str(tuple(round(value, 2) for value in found)),
                hint="put the step center before it, or give the centre in px",
            )
        return found


@dataclass(frozen=True, eq=False)
class Matrix:
    """A scan seen as positions x pixels; the data stay folded and lazy.

    Parameters
    ----------
    data : array, shape (*scan_grid.shape, *pattern_grid.shape)
        numpy or dask array (or scipy CSR, positions x pixels).
    scan_grid, pattern_grid : Grid
    position_weights : ndarray of float64, shape (n_positions,)
    pixel_weights : ndarray of float64, shape (n_pixels,)
        Weights of the fit, >= 0: the squared residual at (i, j) counts ``position_weights[i] *
        pixel_weights[j]`` times; 0 leaves a position or a pixel out.
    gain : float, > 0
        Units of the data per electron: variance over mean of the noise. 1 where one count is one electron, and where
        nothing is known of it.

    Raises
    ------
    InputError
        When `gain` is no finite number above 0.

    Examples
    --------
    >>> import numpy as np
    >>> Matrix.from_array(np.ones((6, 4))).n_pixels
    4
    """

    data: Any
    scan_grid: Grid
    pattern_grid: Grid
    position_weights: NDArray[np.float64]
    pixel_weights: NDArray[np.float64]
    gain: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.gain) and self.gain > 0):
            raise InputError(
                "gain",
                expected="a finite number above 0",
                got=str(self.gain),
                hint="give the variance of the noise over its mean, 1 for single electrons",
            )

    @property
    def n_positions(self) -> int:
        """Number of rows of the unfolded view."""
        return self.scan_grid.size

    @property
    def n_pixels(self) -> int:
        """Number of columns of the unfolded view."""
        return self.pattern_grid.size

    @property
    def n_scan_axes(self) -> int:
        """How many leading axes of `data` run over positions: 1 where rows are unfolded already."""
        folded = len(self.scan_grid.shape) + len(self.pattern_grid.shape)
        return len(self.scan_grid.shape) if self.data.ndim == folded else 1

    @classmethod
    def from_scan(cls, scan: Scan) -> Matrix:
        """Return the unfolded view of a scan with its weights and its gain."""

        def flat(weights: Any, size: int) -> NDArray[np.float64]:
            return np.ones(size) if weights is None else np.asarray(weights, np.float64).reshape(size)

        return cls(
            data=scan.data,
            scan_grid=Grid.of(scan.scan_axes),
            pattern_grid=Grid.of(scan.pattern_axes),
            position_weights=flat(scan.position_weights, scan.n_positions),
            pixel_weights=flat(scan.pixel_weights, scan.n_pixels),
            gain=scan.gain,
        )

    @classmethod
    def from_array(
        cls,
        data: Any,
        *,
        scan_shape: tuple[int, ...] | None = None,
        pattern_shape: tuple[int, ...] | None = None,
        gain: float = 1.0,
    ) -> Matrix:
        """Return a view of a plain array, positions x pixels, with weights of 1.

        Parameters
        ----------
        data : array, shape (n_positions, n_pixels)
        scan_shape, pattern_shape : tuple of int, optional
            How rows fold back to the scan and columns to the pattern, where constraints need to know.
        gain : float, > 0
            Units of the data per electron.

        Raises
        ------
        InputError
            When the shapes do not multiply to the data's, or the gain is not above 0.
        """
        n, m = (int(size) for size in data.shape)
        scan_shape, pattern_shape = scan_shape or (n,), pattern_shape or (m,)
        if math.prod(scan_shape) != n or math.prod(pattern_shape) != m:
            raise InputError(
                "scan_shape, pattern_shape",
                expected=f"shapes with {n} positions and {m} pixels",
                got=f"{scan_shape} and {pattern_shape}",
                hint="give the shapes of the data before they were unfolded",
            )
        scan, pattern = (Grid(shape, (1.0,) * len(shape)) for shape in (scan_shape, pattern_shape))
        return cls(data, scan, pattern, position_weights=np.ones(n), pixel_weights=np.ones(m), gain=gain)
