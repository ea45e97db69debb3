"""Walk through a scan block by block within a memory budget.

Blocks are rectangles of scan positions, or parts of one, that follow the chunks of the file, so that each chunk is
read once a pass.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from itertools import pairwise, product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.engines.ahead import ReadAhead
from unmixel.engines.lazy import in_memory, only_in_order, read, stored_lengths

DEFAULT_BUDGET = 1_000_000_000
"""Bytes of working memory that one pass over the data may use unless the user says otherwise."""

IN_MEMORY_BYTES = 16_000_000
"""Bytes of a block and its working copy where the data are in memory (measured: 128 to 256 patterns of 16,384)."""

MOST_BYTES = 30_000_000
"""Bytes of a block that is read: longer arrays get new pages from the system every time (a read took twice as long)."""


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
    """Return (start, stop) runs of whole chunks of at most `limit` samples; longer chunks are split evenly."""
    runs: list[tuple[int, int]] = []
    start = 0
    for length in lengths:
        if runs and start + length - runs[-1][0] <= limit:
            runs[-1] = (runs[-1][0], start + length)
        else:
            parts = math.ceil(length / limit)
            ends = [start + length * i // parts for i in range(parts + 1)]
            runs += list(pairwise(ends))
        start += length
    return runs


def _limits(shape: tuple[int, ...], longest: tuple[int, ...], allowed: int) -> tuple[int, ...]:
    """Return how many samples along each axis a tile of at most `allowed` positions may span.

    Tiles hold whole chunks, along the last axis as many as there is room for; where not even one chunk fits, it is
    cut, along the first axis first.
    """
    limits = list(longest)
    for axis in reversed(range(len(shape))):
        # with the chunk alone along all other axes: before it where there is room, else nothing of it
        rest = math.prod(limits[:axis]) * math.prod(limits[axis + 1 :])
        room = allowed // rest if rest <= allowed else 0
        if room >= longest[axis]:
            whole = max(1, shape[axis])
            runs = math.ceil(whole / min(whole, room // longest[axis] * longest[axis]))
            # runs of about the same length
            limits[axis] = math.ceil(math.ceil(whole / runs) / longest[axis]) * longest[axis]
        else:
            room = allowed // math.prod(limits[axis + 1 :])
            limits[axis] = max(1, min(longest[axis], room))
    return tuple(limits)


def _pixels(data: Any, n_scan_axes: int) -> int:
    return math.prod(int(n) for n in data.shape[n_scan_axes:])


def block_slices(data: Any, n_scan_axes: int, allowed: int) -> list[tuple[slice, ...]]:
    """Return the scan slices of all tiles of at most `allowed` positions (one, if it is less), in order."""
    shape = tuple(int(n) for n in data.shape[:n_scan_axes])
    lengths = [stored_lengths(data, axis) for axis in range(n_scan_axes)]
    limits = _limits(shape, tuple(max(along, default=1) for along in lengths), max(1, allowed))
    runs = [_groups(along, limit) for along, limit in zip(lengths, limits, strict=True)]
    return [tuple(slice(a, b) for a, b in tile) for tile in product(*runs)]


@dataclass(frozen=True)
class _Piece:
    """What is read at once: a tile of whole chunks, and the rows of it that make a block each."""

    tile: tuple[slice, ...]
    positions: NDArray[np.intp]
    rows: tuple[slice, ...]


def _pieces(data: Any, n_scan_axes: int, budget: int) -> list[_Piece]:
    """Return what is read at once, in order.

    At most a sixteenth of the budget goes to a block, since some are under way at once; products cast a tile at a
    time. Where a chunk of the file with all its pixels is more than that, it is read whole, if it takes less than a
    sixth of the budget, and cut into blocks: so no chunk is read twice in a pass.
    """
    shape = tuple(int(n) for n in data.shape[:n_scan_axes])
    index = np.arange(math.prod(shape), dtype=np.intp).reshape(shape)
    pixels, itemsize = max(1, _pixels(data, n_scan_axes)), data.dtype.itemsize
    # nothing is saved by longer blocks of data in memory, and shorter ones stay in the cache
    # counted with two bytes more for each value, since not everything casts a tile at a time
    if in_memory(data):
        allowed = min(budget // 16, IN_MEMORY_BYTES) // (pixels * (itemsize + 2))
    else:
        allowed = min(budget // 16 // (pixels * (itemsize + 2)), MOST_BYTES // (pixels * itemsize))
    allowed = max(1, allowed)
    chunk = math.prod(max(stored_lengths(data, axis), default=1) for axis in range(n_scan_axes))
    at_once = allowed if chunk <= allowed else max(allowed, min(chunk, budget // 6 // (pixels * itemsize)))
    pieces = []
    for tile in block_slices(data, n_scan_axes, at_once):
        positions = index[tile].reshape(-1)
        cuts = _groups((positions.size,), allowed)
        pieces.append(_Piece(tile, positions, tuple(slice(a, b) for a, b in cuts)))
    return pieces


def compact_dtype(values: NDArray[Any]) -> np.dtype[Any]:
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


def _read_piece(data: Any, pieces: list[_Piece], p: int) -> NDArray[Any]:
    """Return piece `p`, shape (positions, pixels)."""
    return read(data, pieces[p].tile).reshape(pieces[p].positions.size, -1)


class ReadOnce:
    """The blocks of a source for one pass: read ahead of those who ask (views where it is in memory), never kept.

    Parameters
    ----------
    data : array, shape (*scan_shape, *pattern_shape), or scipy sparse (n, m)
    n_scan_axes : int
    budget : int
        Bytes of memory for one block and the copies that are made of it; a block takes a sixteenth.

    Examples
    --------
    >>> blocks = ReadOnce(np.ones((2, 3)), 1)
    >>> [blocks.load(i).positions.tolist() for i in range(len(blocks))]
    [[0, 1]]
    """

    kept_as: ClassVar[str] = "nothing: it is read once"

    def __init__(self, data: Any, n_scan_axes: int, budget: int = DEFAULT_BUDGET) -> None:
        self.data = data
        self.pieces = _pieces(data, n_scan_axes, budget)
        self.places = [(p, share) for p, piece in enumerate(self.pieces) for share in range(len(piece.rows))]
        # a function that does not know this object: a file is closed as soon as nobody asks for its blocks
        self._read = partial(_read_piece, data, self.pieces)
        self._ahead = ReadAhead(self._read, [len(piece.rows) for piece in self.pieces], only_in_order(data))

    def __len__(self) -> int:
        """Return the number of blocks."""
        return len(self.places)

    @property
    def n_positions(self) -> int:
        """Number of positions in all blocks."""
        return sum(piece.positions.size for piece in self.pieces)

    def positions(self, i: int) -> NDArray[np.intp]:
        """Return the flat positions of block `i`, which is not read for it."""
        p, share = self.places[i]
        piece = self.pieces[p]
        return piece.positions[piece.rows[share]]

    def load(self, i: int) -> Block:
        """Return block `i`."""
        p, share = self.places[i]
        piece = self.pieces[p]
        values = self._read(p) if in_memory(self.data) else self._ahead.take(p, share)
        rows = piece.rows[share]
        return Block(piece.positions[rows], values[rows])

    @property
    def reads_per_chunk(self) -> int:
        """How often a pass reads a chunk of the file: more than once where it is too large for the budget."""
        n_scan_axes = len(self.pieces[0].tile)
        times = 1
        for axis in range(n_scan_axes):
            ends = np.cumsum(stored_lengths(self.data, axis))
            starts = {piece.tile[axis].start for piece in self.pieces}
            within = np.searchsorted(ends, sorted(starts), side="right")
            times *= int(np.bincount(within).max(initial=1))
        return times


def read_once(data: Any, n_scan_axes: int, budget: int = DEFAULT_BUDGET) -> Iterator[Block]:
    """Yield the blocks of a scan one after the other and keep nothing: for statistics that need one pass.

    Parameters
    ----------
    data : array, shape (*scan_shape, *pattern_shape), or scipy sparse (n, m)
    n_scan_axes : int
    budget : int
        As of `ReadOnce`.

    Examples
    --------
    >>> [block.positions.tolist() for block in read_once(np.ones((2, 3)), 1)]
    [[0, 1]]
    """
    source = ReadOnce(data, n_scan_axes, budget)
    for i in range(len(source)):
        yield source.load(i)


@dataclass
class BlockReader:
    """Reads the blocks of a scan again and again, pass by pass; threads may load blocks at the same time.

    Reading has threads of its own, a few blocks ahead of those who load them in order, so that it overlaps computing.

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
    def _source(self) -> ReadOnce:
        return ReadOnce(self.data, self.n_scan_axes, self.budget)

    def __len__(self) -> int:
        """Return the number of blocks."""
        return len(self._source)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to another process: where the data are, not what was read of them."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.init}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    @property
    def n_positions(self) -> int:
        """Number of positions in all blocks."""
        return math.prod(int(n) for n in self.data.shape[: self.n_scan_axes])

    @property
    def n_values(self) -> int:
        """Number of values in all blocks."""
        return math.prod(int(n) for n in self.data.shape)

    def positions(self, i: int) -> NDArray[np.intp]:
        """Return the flat positions of block `i`, which is not read for it."""
        return self._source.positions(i)

    def load(self, i: int) -> Block:
        """Return block `i`, from memory where it was kept, else from the source."""
        kept = self._kept.get(i)
        if kept is not None:
            return kept
        block = self._source.load(i)
        with self._lock:
            self.loads += 1
        if not (in_memory(self.data) or self._too_big):
            self._keep(i, block)
        return block

    def __iter__(self) -> Iterator[Block]:
        """Yield all blocks in order."""
        return (self.load(i) for i in range(len(self)))

    def _keep(self, i: int, block: Block) -> None:
        # a copy: a view would hold the whole piece that was read
        values = block.values.astype(compact_dtype(block.values))
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
            times = self._source.reads_per_chunk
            again = (
                f" {times} times over: its chunks are too large for the memory budget" if times > 1 else ""
            )
            return f"nothing: every pass reads the source{again}"
        kinds = sorted({str(block.values.dtype) for block in self._kept.values()})
        return f"all blocks, without loss, as {' and '.join(kinds)}"
