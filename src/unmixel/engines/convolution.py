"""Convolution with a small non-negative kernel on a grid, with its exact adjoint."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Protocol, Self

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


_MAX_TERMS = 4
"""Separable terms up to which dense products beat the Fourier transform (measured at 64 x 64, 40 images)."""
_MAX_DENSE = 512
"""Longest axis for which the banded matrix of a separable term is stored."""


class _Rule(Protocol):
    """How the convolution and its adjoint are computed; bare, unless it `keeps_flat` a flat image."""

    keeps_flat: bool

    def forward(self, z: Any) -> Any: ...

    def adjoint(self, f: Any) -> Any: ...


def separable_terms(kernel: NDArray[np.float64]) -> list[tuple[NDArray[np.float64], ...]]:
    """Return lines whose outer products sum to the kernel (to rounding), one tuple of lines per term.

    Examples
    --------
    >>> len(separable_terms(np.outer([1.0, 2.0, 1.0], [1.0, 3.0, 1.0])))
    1
    """
    if kernel.ndim <= 1:
        return [(kernel,) * kernel.ndim]
    left, values, right = np.linalg.svd(kernel)
    rank = max(1, int(np.count_nonzero(values > 1e-7 * values[0])))
    return [(left[:, i] * values[i], right[i]) for i in range(rank)]


def _banded(line: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the matrix of "same" convolution with a line of odd length: entry (i, j) is ``line[i - j + half]``."""
    offset = np.arange(size)[:, None] - np.arange(size)[None, :] + len(line) // 2
    inside = (offset >= 0) & (offset < len(line))
    return np.where(inside, line[np.clip(offset, 0, len(line) - 1)], 0.0)


_STRIP = 16
"""Samples that one product with a strip of a banded matrix gives (measured from 16 to 128)."""


class _Band:
    """A banded matrix, applied along one axis strip by strip, so that zeros far from the diagonal cost nothing."""

    def __init__(self, matrix: NDArray[np.float64], half: int, engine: Any, dtype: str) -> None:
        size = len(matrix)
        # one large product is sooner begun on a device than many small ones
        length = max(_STRIP, half) if engine.tile < 2**32 else size
        self._strips = []
        for start in range(0, size, length):
            own = slice(start, min(start + length, size))
            reach = slice(max(0, own.start - half), min(size, own.stop + half))
            strip = matrix[own, reach]
            self._strips.append(
                (own, reach, *(engine.asarray(np.ascontiguousarray(m), dtype) for m in (strip, strip.T)))
            )
        self._xp = engine.xp

    def along_last(self, values: Any) -> Any:
        """Return ``values @ matrix.T``."""
        # as a table: one product a strip instead of one for every image
        table = self._xp.reshape(values, (-1, values.shape[-1]))
        out = self._xp.empty_like(table)
        for own, reach, _, turned in self._strips:
            self._xp.matmul(table[:, reach], turned, out=out[:, own])
        return self._xp.reshape(out, values.shape)

    def along_first(self, values: Any) -> Any:
        """Return ``matrix @ values``, over the last axis but one."""
        out = self._xp.empty_like(values)
        for own, reach, strip, _ in self._strips:
            self._xp.matmul(strip, values[..., reach, :], out=out[..., own, :])
        return out


class _Separable:
    """Convolution as products with banded matrices, one pair a term; components are shared out to threads."""

    def __init__(self, terms: list[Any], shape: tuple[int, ...], engine: Any, dtype: str) -> None:
        self._engine = engine
        bands = [
            [(_banded(line, size), len(line) // 2) for line, size in zip(lines, shape, strict=True)]
            for lines in terms
        ]
        self.keeps_flat = len(bands) == 1
        if self.keeps_flat:
            # the division at the edges belongs to each axis here, and costs nothing inside the matrices
            bands = [[(matrix / matrix.sum(axis=1, keepdims=True), half) for matrix, half in bands[0]]]
        self._there = [[_Band(matrix, half, engine, dtype) for matrix, half in term] for term in bands]
        self._back = [[_Band(matrix.T, half, engine, dtype) for matrix, half in term] for term in bands]

    def _apply(self, images: Any, terms: list[list[_Band]]) -> Any:
        def on_some(some: slice) -> Any:
            result = None
            for bands in terms:
                value = images[some, ...]
                if bands:
                    value = bands[-1].along_last(value)
                if len(bands) > 1:
                    value = bands[0].along_first(value)
                result = value if result is None else result + value
            return result

        count, size = images.shape[0], max(1, int(np.prod(images.shape[1:])))
        length = max(1, min(count, 4 * self._engine.tile // size))
        parts = list(self._engine.each(on_some, [slice(i, i + length) for i in range(0, count, length)]))
        return parts[0] if len(parts) == 1 else self._engine.xp.concat(parts, axis=0)

    def forward(self, z: Any) -> Any:
        return self._apply(z, self._there)

    def adjoint(self, f: Any) -> Any:
        return self._apply(f, self._back)


class _Fourier:
    """Convolution by the Fourier transform, padded so that nothing wraps around."""

    keeps_flat = False

    def __init__(self, kernel: NDArray[Any], shape: tuple[int, ...], engine: Any, dtype: str) -> None:
        self._xp, self._fft, self._shape = engine.xp, engine.fft, shape
        self._half = tuple(size // 2 for size in kernel.shape)
        self._padded = tuple(_fast_length(n + k - 1) for n, k in zip(shape, kernel.shape, strict=True))
        self._axes = tuple(range(-len(shape), 0))
        self._kernel = self._to(engine.asarray(kernel, dtype))

    def _to(self, values: Any) -> Any:
        return self._fft.rfftn(values, s=self._padded, axes=self._axes)

    def _back(self, values: Any) -> Any:
        return self._fft.irfftn(values, s=self._padded, axes=self._axes)

    def forward(self, z: Any) -> Any:
        window = tuple(slice(h, h + n) for h, n in zip(self._half, self._shape, strict=True))
        return self._back(self._to(z) * self._kernel)[(..., *window)]

    def adjoint(self, f: Any) -> Any:
        full = self._back(self._to(f) * self._xp.conj(self._kernel))
        # correlation puts the kernel's centre at its corner: move it back by the kernel's half width
        full = self._xp.roll(full, self._half, axis=self._axes)
        return full[(..., *(slice(0, n) for n in self._shape))]


class Convolution:
    """``forward(z) = (kernel * z) / (kernel * 1)`` over the last axes, zero outside the grid.

    The division keeps a flat image flat up to the edge; the operator has no negative entry. It is a `Linear` of the
    factorisation's contracts as it stands.

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

    kind: ClassVar[Literal["linear"]] = "linear"

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
        terms = separable_terms(kernel) if len(shape) <= 2 and max(shape, default=0) <= _MAX_DENSE else []
        self._rule: _Rule = (
            _Separable(terms, shape, engine, dtype)
            if 0 < len(terms) <= _MAX_TERMS
            else _Fourier(kernel, shape, engine, dtype)
        )
        self._edge = None
        if not self._rule.keeps_flat:
            self._edge = self._rule.forward(engine.asarray(np.ones((1, *shape)), dtype))

    def forward(self, z: Any) -> Any:
        """Return the convolved images, shape (k, *shape)."""
        image = self._rule.forward(z)
        return image if self._edge is None else image / self._edge

    def adjoint(self, f: Any) -> Any:
        """Return the adjoint applied to images: correlation with the kernel."""
        return self._rule.adjoint(f if self._edge is None else f / self._edge)

    def cut(self, components: slice) -> Self:
        """Return itself: every image is convolved alike."""
        return self
