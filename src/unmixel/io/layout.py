"""How data lie in a store: chunks, which are read at once, and tiles of chunks, which are written at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.core.units import memory
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import only_in_order, stored_lengths

PATTERN_BYTES = 9_000_000
"""Bytes that reading a single pattern may unpack, about (measured, decision 22: 5 to 10 ms)."""

CHUNK_BYTES = 2_000_000
"""Bytes of a chunk, about: smaller ones cost more in handling than in unpacking."""

TILE_BYTES = 32_000_000
"""Bytes of a tile at most, whatever the budget."""

TILES_AT_ONCE = 32
"""Share of the budget that one tile may take: tiles are read ahead, compressed and written at the same time."""

_MOST_POSITIONS = 32
"""Positions along one axis that a chunk holds at most."""


@dataclass(frozen=True)
class Layout:
    """Chunks and tiles of a store.

    Parameters
    ----------
    shape : tuple of int
        Of the data, scan axes first.
    n_scan_axes : int
    dtype : str
        Type that the values are stored as.
    chunk : tuple of int
        Samples of a chunk along every axis.
    tile : tuple of int
        Positions of a tile along every scan axis, whole chunks; a tile holds whole patterns.
    shuffle : str
        How bytes are sorted before they are compressed: ``shuffle`` (by byte), ``bitshuffle`` or ``noshuffle``.

    Examples
    --------
    >>> layout = Layout((5, 6, 8, 8), 2, "<u2", (2, 2, 4, 8), (4, 4), "shuffle")
    >>> len(layout.tiles), layout.tiles[1], layout.tile_shape
    (4, (slice(0, 4, None), slice(4, 6, None)), (4, 4, 8, 8))
    """

    shape: tuple[int, ...]
    n_scan_axes: int
    dtype: str
    chunk: tuple[int, ...]
    tile: tuple[int, ...]
    shuffle: str

    @cached_property
    def tiles(self) -> list[tuple[slice, ...]]:
        """Scan slices of all tiles, the last axis running fastest."""
        runs = [
            [slice(start, min(start + step, size)) for start in range(0, size, step)]
            for size, step in zip(self.shape[: self.n_scan_axes], self.tile, strict=True)
        ]
        return list(product(*runs))

    @property
    def tile_shape(self) -> tuple[int, ...]:
        """Samples of a tile along every axis of the data, in whole chunks (so the pattern may be padded)."""
        pattern = zip(self.shape[self.n_scan_axes :], self.chunk[self.n_scan_axes :], strict=True)
        return (*self.tile, *(math.ceil(size / step) * step for size, step in pattern))

    def place(self, tile: int) -> tuple[int, ...]:
        """Return where in the grid of tiles a tile lies, along every scan axis."""
        counts = [math.ceil(n / t) for n, t in zip(self.shape[: self.n_scan_axes], self.tile, strict=True)]
        return tuple(int(i) for i in np.unravel_index(tile, counts)) if counts else ()

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-safe."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Layout:
        """Return the layout that `to_dict` told of."""
        lists = {key: tuple(value) for key, value in told.items() if isinstance(value, (list, tuple))}
        return cls(**{**told, **lists})


def chunk_positions(frame_bytes: int, most_bytes: int = PATTERN_BYTES) -> float:
    """Return how many positions along y and along x are to share a chunk, about: 1 to 32.

    Examples
    --------
    >>> [round(chunk_positions(n), 1) for n in (2048, 144 * 144 * 4, 256 * 256 * 2, 4096 * 4096)]
    [32, 10.4, 8.3, 1.0]
    """
    return min(_MOST_POSITIONS, max(1.0, math.sqrt(most_bytes / frame_bytes)))


def pattern_pieces(pattern: tuple[int, ...], n_bytes: float) -> tuple[int, ...]:
    """Return chunk lengths along the pattern axes that cut `n_bytes` into pieces of about `CHUNK_BYTES`.

    Examples
    --------
    >>> pattern_pieces((144, 144), 225 * 144 * 144 * 4), pattern_pieces((2048,), 2_000_000)
    ((48, 48), (2048,))
    """
    pieces = max(1, round((n_bytes / CHUNK_BYTES) ** (1 / len(pattern))))
    return tuple(math.ceil(size / min(pieces, size)) for size in pattern)


def near(wanted: float, size: int, stored: int) -> int:
    """Return a chunk length near the wanted one that goes well with how the source is stored.

    Each chunk of the source is then read for one tile only: the length divides the source's, or is a multiple. Where
    the source has no chunks, it is a power of two.

    Examples
    --------
    >>> [near(9, 100, stored) for stored in (1, 15, 32, 3, 100, 37)]
    [8, 5, 8, 9, 8, 8]
    """
    plain = min(size, 1 << int(math.log2(wanted)))
    if stored in (1, size):  # one chunk all along: any length will do
        return plain
    divisors = [n for n in range(1, stored + 1) if stored % n == 0 and wanted / 2 <= n <= 1.5 * wanted]
    if divisors:
        return min(divisors, key=lambda n: abs(math.log(n / wanted)))
    return min(size, round(wanted / stored) * stored) if stored <= wanted else plain


def laid_out(
    scan: Scan,
    sample: NDArray[Any],
    budget: int,
    *,
    shuffle: str,
    tile_bytes: int = TILE_BYTES,
    cut_patterns: bool = False,
) -> Layout:
    """Return chunks and tiles for a scan.

    Chunks hold a square of positions; tiles as many chunks as the budget has room for, along the last axis first,
    whole chunks of the source where they fit.

    Parameters
    ----------
    scan : Scan
    sample : ndarray
        Some of its patterns, at the type in which they will be stored.
    budget : int
        Bytes of memory for the conversion; a tile takes a `TILES_AT_ONCE`-th of it.
    shuffle : str
        As in `Layout`.
    tile_bytes : int
        Bytes of a tile at most, whatever the budget; chunks of the source may be larger.
    cut_patterns : bool
        Whether chunks may be pieces of patterns, so that images of a small detector read only part of the data.

    Raises
    ------
    InputError
        When the values are no plain numbers, or not even one pattern fits into a tile.
    """
    if sample.dtype.kind not in "buif" or sample.dtype.itemsize > 8:
        raise InputError(
            "data",
            expected="numbers of at most 8 bytes, not complex",
            got=str(sample.dtype),
            hint="cast them first",
        )
    itemsize = max(np.dtype(scan.data.dtype).itemsize, sample.dtype.itemsize)
    frame = scan.n_pixels * itemsize
    most = max(1, min(budget // TILES_AT_ONCE, TILE_BYTES) // frame)
    allowed = max(1, min(most, tile_bytes // frame))
    if budget // TILES_AT_ONCE < frame:
        raise InputError(
            "memory budget",
            expected=f"at least {memory(frame * TILES_AT_ONCE)} for patterns of {memory(frame)}",
            got=memory(budget),
            hint="give more memory",
        )
    n_scan = len(scan.scan_axes)
    in_order = only_in_order(scan.data)
    stored = [1 if in_order else max(stored_lengths(scan.data, axis), default=1) for axis in range(n_scan)]
    stored_frame = scan.n_pixels * sample.dtype.itemsize
    positions = chunk_positions(stored_frame, PATTERN_BYTES if cut_patterns else CHUNK_BYTES)
    wanted = [1.0] * max(0, n_scan - 2) + [positions] * min(2, n_scan)
    chunk = [near(w, n, s) for w, n, s in zip(wanted, scan.scan_shape, stored, strict=True)]
    if in_order:  # tiles must be whole rows, one after the other
        chunk = _whole_rows(chunk, scan.scan_shape, allowed)
    for axis in range(n_scan):  # where the budget is small, the first axes give way
        chunk[axis] = max(1, min(chunk[axis], allowed // max(1, math.prod(chunk[axis + 1 :]))))
    pattern = scan.pattern_shape
    if cut_patterns:
        pattern = pattern_pieces(pattern, math.prod(chunk) * stored_frame)
    return Layout(
        shape=(*scan.scan_shape, *scan.pattern_shape),
        n_scan_axes=n_scan,
        dtype=sample.dtype.str,
        chunk=(*chunk, *pattern),
        tile=_tile(chunk, scan.scan_shape, stored, (allowed, most)),
        shuffle=shuffle,
    )


def _whole_rows(chunk: list[int], shape: tuple[int, ...], allowed: int) -> list[int]:
    """Return chunk lengths of which a tile holds the whole last axis; single rows where more do not fit."""
    rows = list(chunk)
    for axis in range(len(rows) - 1):
        rows[axis] = 1 if axis < len(rows) - 2 else max(1, min(chunk[axis], allowed // shape[-1]))
    return rows


def _tile(
    chunk: list[int], shape: tuple[int, ...], stored: list[int], room_for: tuple[int, int]
) -> tuple[int, ...]:
    """Return tile lengths: whole chunks, whole chunks of the source where there is room, the last axis first.

    `room_for` are the positions that are aimed at, and those that there is room for.
    """
    allowed, most = room_for
    tile = list(chunk)
    for axis, (step, along) in enumerate(zip(chunk, stored, strict=True)):
        whole = math.lcm(step, along)
        trial = [*tile[:axis], min(whole, math.ceil(shape[axis] / step) * step), *tile[axis + 1 :]]
        if math.prod(trial) <= most:
            tile = trial
    for axis in reversed(range(len(tile))):
        size = math.ceil(shape[axis] / chunk[axis]) * chunk[axis]
        # an axis takes part only if those after it are whole: tiles then follow one another as the source does
        room = max(1, allowed // math.prod(tile)) * tile[axis]
        tile[axis] = size if room >= size else max(1, room // tile[axis]) * tile[axis]
        if tile[axis] < size:
            break
    return tuple(tile)


def reads_per_chunk(scan: Scan, layout: Layout) -> int:
    """Return how many tiles take from the same chunk of the source at most: 1 where every chunk is read once."""
    times = 1
    for axis, step in enumerate(layout.tile):
        ends = np.cumsum(stored_lengths(scan.data, axis))
        touched = np.ceil(ends / step) - np.concatenate([[0], ends[:-1]]) // step
        times *= int(touched.max(initial=1))
    return times


def whole_numbers(values: NDArray[Any]) -> NDArray[np.int32] | None:
    """Return floating-point values as int32 where that loses no bit, else None.

    Fractions, NaN, infinities, -0.0 and numbers beyond int32 do not fit.

    Examples
    --------
    >>> whole_numbers(np.array([0.0, 3.0])).tolist(), whole_numbers(np.array([-0.0])), whole_numbers(np.array([1]))
    ([0, 3], None, None)
    """
    if values.dtype.kind != "f" or values.dtype.itemsize > 8:
        return None
    if values.size and not (values.min() >= -(2.0**31) and values.max() < 2.0**31):  # false for NaN, too
        return None
    whole = values.astype(np.int32)
    back = whole.astype(values.dtype)
    bits = f"u{values.dtype.itemsize}"
    return whole if np.array_equal(back.view(bits), np.ascontiguousarray(values).view(bits)) else None
