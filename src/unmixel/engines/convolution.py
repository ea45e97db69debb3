"""Convolution with a small non-negative kernel on a grid, with its exact adjoint."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError


def _fast_length(n: int) -> int:
    """Return the smallest length >= n whose only prime factors are 2, 3 and 5."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


class Convolution:
    """``forward(z) = (kernel * z) / (kernel * 1)`` over the last axes, zero outside the grid.

    The division keeps a flat image flat up to the edge; the operator has no negative entry.

    Parameters
    ----------
    kernel : ndarray, odd size along each axis, >= 0, sum > 0
        Normalised to sum 1 here.
    shape : tuple of int
        Grid, as many axes as the kernel.
    engine : Engine
    dtype : str

    Examples
    --------
    >>> from unmixel.engines.numpy_engine import NumpyEngine
    >>> blur = Convolution(np.ones((3, 3)), (5, 4), NumpyEngine(), "float64")
    >>> bool(np.allclose(blur.forward(np.ones((2, 5, 4))), 1))
    True
    """

    def __init__(self, kernel: NDArray[Any], shape: tuple[int, ...], engine: Any, dtype: str) -> None:
        kernel = np.asarray(kernel, np.float64)
        if (
            kernel.ndim != len(shape)
            or any(size % 2 == 0 for size in kernel.shape)
            or not np.all(np.isfinite(kernel))
            or kernel.min() < 0
            or kernel.sum() <= 0
        ):
            raise InputError(
                "kernel",
                expected=f"non-negative numbers, {len(shape)} axes of odd length, sum > 0",
                got=f"shape {kernel.shape}",
                hint="crop or pad it to an odd size around its centre",
            )
        kernel = kernel / kernel.sum()
        self._xp, self._shape = engine.xp, shape
        self._half = tuple(size // 2 for size in kernel.shape)
        self._padded = tuple(_fast_length(n + k - 1) for n, k in zip(shape, kernel.shape, strict=True))
        self._axes = tuple(range(-len(shape), 0))
        self._transform = self._fft(engine.asarray(kernel, dtype))
        ones = engine.asarray(np.ones(shape), dtype)
        self._edge = self._same(ones, self._transform, self._half)

    def _fft(self, values: Any) -> Any:
        xp = self._xp
        return xp.fft.rfftn(values, s=self._padded, axes=self._axes)

    def _same(self, values: Any, transform: Any, offset: tuple[int, ...]) -> Any:
        xp = self._xp
        full = xp.fft.irfftn(self._fft(values) * transform, s=self._padded, axes=self._axes)
        window = tuple(slice(o, o + n) for o, n in zip(offset, self._shape, strict=True))
        return full[(..., *window)]

    def forward(self, z: Any) -> Any:
        """Return the convolved images; leading axes are kept."""
        return self._same(z, self._transform, self._half) / self._edge

    def adjoint(self, f: Any) -> Any:
        """Return the adjoint applied to images: correlation with the kernel."""
        xp = self._xp
        # correlation = convolution with the mirrored kernel: conjugate, then roll by the kernel's extent
        full = xp.fft.irfftn(
            self._fft(f / self._edge) * xp.conj(self._transform), s=self._padded, axes=self._axes
        )
        full = xp.roll(full, self._half, axis=self._axes)
        return full[(..., *(slice(0, n) for n in self._shape))]
