"""Bin: sum neighbouring scan positions, pixels or channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import as_array, sum_bins
from unmixel.prepare.contract import recorded, without


def _factors(what: str, given: int | Sequence[int]) -> int | tuple[int, ...]:
    """Return factors as given, refusing anything but whole numbers >= 1."""
    listed = (given,) if isinstance(given, int) else tuple(given) if isinstance(given, Sequence) else ()
    if not listed or any(isinstance(f, bool) or not isinstance(f, int) or f < 1 for f in listed):
        raise InputError(
            what, expected="a whole number >= 1, or one per axis", got=repr(given), hint="write 2"
        )
    return given if isinstance(given, int) else listed


def sum_dtype(dtype: Any, n: int) -> np.dtype[Any]:
    """Return the dtype in which `n` values of `dtype` are summed without overflow.

    Whole numbers get the smallest type that holds n times their largest value (64 bits at most), float16
    becomes float32, other floats stay.

    Examples
    --------
    >>> sum_dtype(np.uint8, 4), sum_dtype(np.uint16, 1), sum_dtype(np.float32, 16)
    (dtype('uint16'), dtype('uint16'), dtype('float32'))
    """
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return np.min_scalar_type(n)
    if kind.kind == "f":
        return np.promote_types(kind, np.float32)
    limits = np.iinfo(kind)
    widest = np.dtype(np.int64 if limits.min < 0 else np.uint64)
    if limits.max * n > np.iinfo(widest).max:
        return widest
    return np.promote_types(kind, np.min_scalar_type(limits.min * n if limits.min < 0 else limits.max * n))


def binned_weights(weights: NDArray[Any] | None, factors: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Return the weights of bins.

    A bin that holds anything left out (weight 0) has an incomplete sum and is left out. Otherwise masks
    (weights 0 and 1) stay masks, and weights that say a precision combine as such: variances add,
    ``w = 1 / sum(1 / w_i)``.

    Examples
    --------
    >>> binned_weights(np.array([1.0, 1, 0, 1, 1, 1]), (2,)).tolist()
    [1.0, 0.0, 1.0]
    >>> binned_weights(np.array([0.5, 0.5, 2.0, 0.0]), (2,)).tolist()
    [0.25, 0.0]
    """
    if weights is None:
        return None
    count = sum_bins(np.asarray(weights > 0, np.int64), factors, np.int64)
    complete: NDArray[np.bool_] = count == math.prod(factors)
    if np.isin(weights, (0, 1)).all():
        return complete.astype(np.float64)
    variances = np.where(weights > 0, 1 / np.where(weights > 0, weights, 1), 0.0)
    summed = sum_bins(variances, factors, np.float64)
    return np.where(complete, 1 / np.where(complete, summed, 1.0), 0.0)


@dataclass(frozen=True)
class Bin:
    """Sum bins of samples; counts stay counts, and whole numbers never overflow.

    Parameters
    ----------
    scan, pattern : int or sequence of int, >= 1
        Samples per bin along the scan axes and along the pattern axes; one number serves all axes of its
        kind.

    Raises
    ------
    InputError
        When a factor exceeds its axis or their number is not that of the axes.

    Notes
    -----
    Samples that do not fill a bin at the end of an axis are left out; the record says how many. Weights
    follow `binned_weights`.

    Examples
    --------
    >>> scan = Scan.from_array(np.full((4, 5, 8, 6), 200, np.uint8))
    >>> binned = Bin(pattern=2).apply(scan)
    >>> binned.data.shape, binned.data.dtype, int(binned.data[0, 0, 0, 0])
    ((4, 5, 4, 3), dtype('uint16'), 800)
    """

    scan: int | Sequence[int] = 1
    pattern: int | Sequence[int] = 1
    name: ClassVar[str] = "bin"

    @classmethod
    def example(cls, scan: Scan) -> Bin:
        """Return a step that fits a scan, for the laws of steps."""
        return cls(scan=tuple(min(2, n) for n in scan.scan_shape) or 1, pattern=2)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scan", _factors("bin: scan", self.scan))
        object.__setattr__(self, "pattern", _factors("bin: pattern", self.pattern))

    def _per_axis(self, which: str, axes: tuple[Axis, ...]) -> tuple[int, ...]:
        given = getattr(self, which)
        factors: tuple[int, ...] = (given,) * len(axes) if isinstance(given, int) else given
        if len(factors) != len(axes) or any(f > a.size for f, a in zip(factors, axes, strict=True)):
            raise InputError(
                f"bin: {which}",
                expected=f"one up to the size for each of {', '.join(f'{a.name} ({a.size})' for a in axes)}",
                got=str(given),
                hint="use smaller factors",
            )
        return factors

    def apply(self, scan: Scan) -> Scan:
        """Return the scan of bins."""
        by_scan = self._per_axis("scan", scan.scan_axes)
        by_pattern = self._per_axis("pattern", scan.pattern_axes)
        factors = (*by_scan, *by_pattern)
        axes = (*scan.scan_axes, *scan.pattern_axes)
        dtype = sum_dtype(scan.data.dtype, math.prod(factors))
        left = {a.name: a.size % f for a, f in zip(axes, factors, strict=True) if a.size % f}
        pixel_weights = binned_weights(scan.pixel_weights, by_pattern)
        position_weights = binned_weights(scan.position_weights, by_scan)
        lost = sum(int((w == 0).sum()) for w in (pixel_weights, position_weights) if w is not None)
        effect = f"summed bins of {' x '.join(map(str, factors))} ({', '.join(a.name for a in axes)})"
        effect += f"; data are {dtype} now"
        effect += "".join(
            f"; the last {n} samples of {axis} do not fill a bin and are left out" for axis, n in left.items()
        )
        effect += f"; {lost} bins hold something left out and are left out too" if lost else ""
        return scan.after(
            recorded(self, effect + ".", factors=factors, left_out=left, dtype=str(dtype)),
            data=sum_bins(as_array(scan.data, len(scan.scan_axes)), factors, dtype),
            scan_axes=tuple(a.binned(f) for a, f in zip(scan.scan_axes, by_scan, strict=True)),
            pattern_axes=tuple(a.binned(f) for a, f in zip(scan.pattern_axes, by_pattern, strict=True)),
            pixel_weights=pixel_weights,
            position_weights=position_weights,
            extras=without(scan, "mean_pattern", *(("beam",) if max(by_pattern) > 1 else ())),
        )
