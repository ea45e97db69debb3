"""Walk through a scan block by block within a memory budget.

Blocks are rectangles of scan positions that follow the chunks of the file, so that each chunk is read once a
pass.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.engines.lazy import chunk_lengths, in_memory, is_lazy, read

DEFAULT_BUDGET = 1_000_000_000
"""Bytes of working memory that one pass over the data may use unless the user says otherwise."""

IN_MEMORY_BYTES = 16_000_000
"""Bytes of a block and its working copy where the data are in memory (measured: 128 to 256 patterns of 16,384)."""


@dataclass(frozen=True)
class Block:
    """Some positions of a scan.

    Parameters
    ----------
    positions : ndarray of int, shape (b,)
        Flat indices of the positions (C order over the scan).
    values : ndarray, shape (b, n_pixels)
        Their data, at the data's own dtype.
    """

    positions: NDArray[np.intp]
    values: NDArray[Any]


def free_memory() -> int:
    """Return bytes of memory that the system could hand out now (0 where it does not say)."""
    try:
        with open("/proc/meminfo") as lines:  # noqa: PTH123 - not a user's file
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return 0


def _groups(lengths: tuple[int, ...], limit: int) -> list[tuple[int, int]]:
    """Return (start, stop) runs of whole chunks of at most `limit` samples; longer chunks are split."""
    runs: list[tuple[int, int]] = []
    start = 0
    for length in lengths:
        if runs and start + length - runs[-1][0] <= limit:
            runs[-1] = (runs[-1][0], start + length)
        else:
            runs += [(s, min(s + limit, start + length)) for s in range(start, start + length, limit)]
        start += length
    return runs


def block_slices(data: Any, n_scan_axes: int, budget: int) -> list[tuple[slice, ...]]:
    """Return the scan slices of all blocks, in order.

    Parameters
    ----------
    data : array, shape (*scan_shape, *pattern_shape)
    n_scan_axes : int
    budget : int
        Bytes that one block may take, counted with its working copy in float32.
    """
    shape = tuple(int(n) for n in data.shape)
    if n_scan_axes == 0:
        return [()]
    pixels = math.prod(shape[n_scan_axes:])
    per_position = pixels * (np.dtype(data.dtype).itemsize + 4)
    allowed = max(1, int(budget / max(1, per_position)))
    limits: list[int] = []
    for axis in reversed(range(n_scan_axes)):
        whole = max(1, shape[axis])
        lengths = chunk_lengths(data, axis)
        limit = whole if allowed >= whole else max(min(allowed, max(lengths)), min(allowed, whole))
        # rows of chunks first: a lazy source is read in its own tiles before tiles are split
        if is_lazy(data) and axis > 0 and allowed < whole * max(chunk_lengths(data, axis - 1)):
            limit = min(limit, max(lengths))
        limits.insert(0, max(1, limit))
        allowed = max(1, allowed // max(1, min(limit, whole)))
    runs = [_groups(chunk_lengths(data, axis), limits[axis]) for axis in range(n_scan_axes)]
    return [tuple(slice(a, b) for a, b in tile) for tile in product(*runs)]


def _compact_dtype(values: NDArray[Any]) -> np.dtype[Any]:
    """Return the smallest unsigned dtype that holds `values` exactly; their own dtype where there is none."""
    if values.dtype.kind == "f":
        if not np.all(values == np.rint(values)):
            return values.dtype
    elif values.dtype.kind not in "ui":
        return values.dtype
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    if low < 0 or high > np.iinfo(np.uint32).max:
        return values.dtype
    return np.min_scalar_type(int(high))


def _tiles(data: Any, n_scan_axes: int, budget: int) -> Iterator[tuple[tuple[slice, ...], NDArray[np.intp]]]:
    """Yield the scan slices of each block and the flat indices of its positions."""
    shape = tuple(int(n) for n in data.shape[:n_scan_axes])
    index = np.arange(math.prod(shape), dtype=np.intp).reshape(shape)
    # a sixteenth for one block: reading, casting and the product each hold a copy, and some are under way at once
    allowed = max(1, budget // 16)
    if in_memory(data):
        allowed = min(
            allowed, IN_MEMORY_BYTES
        )  # nothing is saved by longer ones, and shorter ones stay in the cache
    for tile in block_slices(data, n_scan_axes, allowed):
        yield tile, index[tile].reshape(-1)


def read_once(data: Any, n_scan_axes: int, budget: int = DEFAULT_BUDGET) -> Iterator[Block]:
    """Yield the blocks of a scan one after the other and keep nothing: for statistics that need one pass.

    Parameters
    ----------
    data : array, shape (*scan_shape, *pattern_shape), or scipy sparse (n, m)
    n_scan_axes : int
    budget : int
        Bytes of memory for one block and the copies that are made of it; a block takes a sixteenth.

    Examples
    --------
    >>> [block.positions.tolist() for block in read_once(np.ones((2, 3)), 1)]
    [[0, 1]]
    """
    for tile, positions in _tiles(data, n_scan_axes, budget):
        part = data[tile] if tile else data
        values = np.asarray(part.toarray() if hasattr(part, "toarray") else part)
        yield Block(positions, values.reshape(positions.size, -1))


@dataclass
class BlockReader:
    """Reads the blocks of a scan again and again, pass by pass; threads may load blocks at the same time.

    The first pass reads the source. When all blocks fit half of the budget, they are kept: at their own dtype
    or, where every value is a whole number >= 0, without loss at the smallest unsigned dtype. Otherwise every
    pass reads the source again. So the dtype of a block may differ from pass to pass, its values never: cast
    before you calculate.

    Parameters
    ----------
    data : array, shape (*scan_shape, *pattern_shape), or scipy sparse (n, m)
    n_scan_axes : int
    budget : int
        Bytes of memory for blocks and their working copies.

    Examples
    --------
    >>> reader = BlockReader(np.arange(24).reshape(2, 3, 4), 2)
    >>> [reader.load(i).values.shape for i in range(len(reader))]
    [(6, 4)]
    """

    data: Any
    n_scan_axes: int
    budget: int = DEFAULT_BUDGET
    loads: int = field(default=0, init=False)
    """Blocks that were read from the source so far."""
    _kept: dict[int, Block] = field(default_factory=dict, init=False, repr=False)
    _held: int = field(default=0, init=False, repr=False)
    _too_big: bool = field(default=False, init=False, repr=False)
    _lock: Any = field(default_factory=threading.Lock, init=False, repr=False)

    @cached_property
    def _places(self) -> list[tuple[tuple[slice, ...], NDArray[np.intp]]]:
        return list(_tiles(self.data, self.n_scan_axes, self.budget))

    def __len__(self) -> int:
        """Return the number of blocks."""
        return len(self._places)

    def load(self, i: int) -> Block:
        """Return block `i`, from memory where it was kept, else from the source."""
        kept = self._kept.get(i)
        if kept is not None:
            return kept
        tile, positions = self._places[i]
        values = read(self.data[tile] if tile else self.data)
        block = Block(positions, values.reshape(positions.size, -1))
        with self._lock:
            self.loads += 1
        if not (in_memory(self.data) or self._too_big):
            self._keep(i, block)
        return block

    def __iter__(self) -> Iterator[Block]:
        """Yield all blocks in order."""
        return (self.load(i) for i in range(len(self)))

    def _keep(self, i: int, block: Block) -> None:
        # a copy: a view would hold (or, of a memory map, read again) the whole source
        values = block.values.astype(_compact_dtype(block.values))
        with self._lock:
            self._held += values.nbytes
            self._too_big = self._too_big or self._held > self.budget // 2
            if self._too_big:
                self._kept.clear()
            else:
                self._kept[i] = Block(block.positions, values)

    @property
    def kept_as(self) -> str:
        """What is held in memory between passes, in words."""
        if in_memory(self.data):
            return "the array that was given"
        if not self._kept:
            return "nothing: every pass reads the source"
        kinds = sorted({str(block.values.dtype) for block in self._kept.values()})
        return f"all blocks, without loss, as {' and '.join(kinds)}"
