"""Crop: keep a range of scan positions, detector pixels or channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from unmixel.core.errors import InputError
from unmixel.core.units import printed
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import as_array
from unmixel.prepare.contract import one_of, recorded, without

Range = tuple[float | None, float | None] | None


def _ranges(what: str, ranges: Sequence[Sequence[float | None] | None] | None) -> tuple[Range, ...] | None:
    """Return ranges as tuples, refusing anything that is not a pair."""
    if ranges is None:
        return None
    found: list[Range] = []
    for item in ranges:
        if item is None:
            found.append(None)
        elif isinstance(item, (list, tuple)) and len(item) == 2:
            found.append((item[0], item[1]))
        else:
            raise InputError(
                what,
                expected="[start, stop] or null for each axis",
                got=repr(item),
                hint="write [[8, 56], null]",
            )
    return tuple(found)


def _samples(axis: Axis, wanted: Range, unit: str) -> tuple[int, int]:
    """Return first sample and one past the last of a range on an axis."""
    start, stop = wanted or (None, None)
    if unit == "axis":
        # tolerance: the last digit of a calibrated coordinate must not decide
        ends = sorted(
            (edge - axis.offset) / axis.scale
            for edge, default in ((start, axis.values[0]), (stop, axis.values[-1]))
            for edge in ([float(default)] if edge is None else [edge])
        )
        first, last = max(0, math.ceil(ends[0] - 1e-6)), min(axis.size, math.floor(ends[1] + 1e-6) + 1)
    else:
        first, last, _ = slice(
            None if start is None else int(start), None if stop is None else int(stop)
        ).indices(axis.size)
    if last <= first:
        raise InputError(
            f"crop of axis {axis.name}",
            expected=f"a range within {axis.size} samples ({axis.values[0]:g} to {axis.values[-1]:g} "
            f"{printed(axis.unit)})",
            got=f"{start} to {stop}, which holds none",
            hint="give start and stop, stop excluded in px; unit 'axis' takes coordinates",
        )
    return first, last


@dataclass(frozen=True)
class Crop:
    """Keep a range along each axis; coordinates stay what they were.

    Parameters
    ----------
    scan, pattern : sequence of (start, stop) or None, one per axis; or None
        Ranges of the scan axes (y, x) and the pattern axes (v, u or energy). None keeps an axis, or an end
        of it, whole.
    unit : {"px", "axis"}
        ``px``: sample numbers, stop excluded, negative ones count from the end, as Python slices do.
        ``axis``: coordinates in the axis' own unit (nm, 1/angstrom, eV), both ends included.

    Raises
    ------
    InputError
        When a range is empty or the number of ranges is not that of the axes.

    Examples
    --------
    >>> import numpy as np
    >>> scan = Scan.from_array(np.zeros((4, 5, 8, 6)), scan_step=(2.0, "nm"))
    >>> cropped = Crop(scan=[[1, None], None], pattern=[[0, 4], [1, -1]]).apply(scan)
    >>> cropped.data.shape, cropped.scan_axes[0].offset
    ((3, 5, 4, 4), 2.0)
    """

    scan: Sequence[Sequence[float | None] | None] | None = None
    pattern: Sequence[Sequence[float | None] | None] | None = None
    unit: str = "px"
    name: ClassVar[str] = "crop"

    @classmethod
    def example(cls, scan: Scan) -> Crop:
        """Return a step that fits a scan, for the laws of steps."""
        return cls(pattern=[[1, -2], *[None] * (len(scan.pattern_axes) - 1)])

    def __post_init__(self) -> None:
        one_of("crop: unit", self.unit, ("px", "axis"))
        object.__setattr__(self, "scan", _ranges("crop: scan", self.scan))
        object.__setattr__(self, "pattern", _ranges("crop: pattern", self.pattern))

    def _tiles(self, which: str, axes: tuple[Axis, ...]) -> list[tuple[int, int]]:
        ranges = getattr(self, which) or (None,) * len(axes)
        if len(ranges) != len(axes):
            raise InputError(
                f"crop: {which}",
                expected=f"{len(axes)} ranges, for {', '.join(axis.name for axis in axes)}",
                got=str(len(ranges)),
                hint="write null for an axis that stays whole",
            )
        return [_samples(axis, wanted, self.unit) for axis, wanted in zip(axes, ranges, strict=True)]

    def apply(self, scan: Scan) -> Scan:
        """Return the scan of the ranges; weights are cropped with it."""
        tiles = self._tiles("scan", scan.scan_axes), self._tiles("pattern", scan.pattern_axes)
        cuts = [tuple(slice(a, b) for a, b in tile) for tile in tiles]
        axes = [
            tuple(axis.cropped(a, b) for axis, (a, b) in zip(old, tile, strict=True))
            for old, tile in zip((scan.scan_axes, scan.pattern_axes), tiles, strict=True)
        ]
        kept = ", ".join(
            f"{axis.name} {a} to {b - 1} of {axis.size}"
            for axis, (a, b) in zip(
                (*scan.scan_axes, *scan.pattern_axes), (*tiles[0], *tiles[1]), strict=True
            )
            if b - a < axis.size
        )
        return scan.after(
            recorded(self, f"kept {kept}." if kept else "nothing to crop.", scan=tiles[0], pattern=tiles[1]),
            data=as_array(scan.data, len(scan.scan_axes))[(*cuts[0], *cuts[1])],
            scan_axes=axes[0],
            pattern_axes=axes[1],
            pixel_weights=None if scan.pixel_weights is None else scan.pixel_weights[cuts[1]],
            position_weights=None if scan.position_weights is None else scan.position_weights[cuts[0]],
            extras=without(scan, "mean_pattern"),
        )
