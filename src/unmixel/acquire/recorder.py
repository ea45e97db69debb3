"""The record of a scan that is being acquired: what came is on the disk before anything is done with it.

Frames are written to a tile, which is a file: it survives the end of the process, however sudden. A tile that is full
is compressed to its place in the store by threads of their own. The store gets its name when it is
whole; until then it is in ``RECORD.unfinished``, from where `Recorder.found` takes it up after a crash.
"""

from __future__ import annotations

import math
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from unmixel.acquire.skeleton import resized
from unmixel.core.errors import DiskFullError, ReadError, RunExistsError
from unmixel.core.units import memory
from unmixel.dataset.scan import Scan
from unmixel.io.compression import best_shuffle
from unmixel.io.contract import ReadOptions
from unmixel.io.converted import ConvertedReader
from unmixel.io.described import Description
from unmixel.io.layout import Layout, pattern_pieces
from unmixel.io.unfinished import Unfinished, is_full
from unmixel.io.writers.sharded_zarr import ShardedZarr

TILE_BYTES = 8_000_000
"""Bytes of a tile at most, about: what a crash of the whole machine, not only of the process, may take."""

BEHIND = 256
"""Full tiles that may wait to be compressed, on the disk as they are: a fast detector is first written, then packed."""

_WRITERS = 2
_OPEN = 6
"""Tiles that are known at once; an incomplete one is left alone when as many newer ones are begun."""


@dataclass(eq=False)
class Tile:
    """Some positions of a row in a file of their own, flags of what came before the frames.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Positions, then the pattern.
    dtype : numpy dtype
    seen : ndarray of uint8, shape (t,)
        1 where the frame is in the file.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    seen: NDArray[np.uint8]

    @classmethod
    def at(cls, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Tile:
        """Return the tile at a path, where it may lie from before."""
        seen = np.zeros(shape[0], np.uint8)
        if path.exists():
            flags = np.fromfile(path, np.uint8, shape[0])
            seen[: len(flags)] = flags
        return cls(path, shape, dtype, seen)

    @property
    def full(self) -> bool:
        """Whether all frames are there."""
        return bool(self.seen.all())

    def put(self, places: NDArray[np.intp], values: NDArray[Any]) -> None:
        """Keep frames at some places, in ascending order.

        Raises
        ------
        OSError
            When there is no room; frames before are kept.
        """
        ends = np.flatnonzero(np.diff(places) != 1) + 1
        frame = math.prod(self.shape[1:]) * self.dtype.itemsize
        with FileIO(self.path, "r+" if self.path.exists() else "w+") as file:
            for run, part in zip(np.split(places, ends), np.split(values, ends), strict=True):
                first, count = int(run[0]), len(run)
                _write(file, np.ascontiguousarray(part, self.dtype), self.shape[0] + first * frame)
                # last: a frame that was cut off in the middle does not count
                _write(file, np.ones(count, np.uint8), first)
                self.seen[run] = 1

    def values(self) -> NDArray[Any]:
        """Return all frames, zeros where none came."""
        found = np.zeros(self.shape, self.dtype)
        held = np.fromfile(self.path, np.uint8, offset=self.shape[0])
        found.reshape(-1).view(np.uint8)[: len(held)] = held
        found[self.seen == 0] = 0
        return found


def _write(file: FileIO, values: NDArray[Any], at: int) -> None:
    file.seek(at)
    left = memoryview(values.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    while left:
        left = left[file.write(left) :]


@dataclass(eq=False)
class Recorder:
    """Keeps the frames of one acquisition; made by `begin` or, after a crash, by `found`.

    Parameters
    ----------
    skeleton : Scan
        What the acquisition will be, without data (`unmixel.acquire.skeleton`).
    place : Unfinished
        Where the record grows.
    layout : Layout
        Rows twice as many as planned, so that frames which nobody expected find room.
    seen : ndarray of bool, shape (positions of the layout)
        Which frames are kept.
    """

    skeleton: Scan
    place: Unfinished
    layout: Layout
    seen: NDArray[np.bool_]
    n_again: int = 0
    n_beyond: int = 0
    _tiles: dict[int, Tile] = field(default_factory=dict, repr=False)
    _waiting: deque[Future[None]] = field(default_factory=deque, repr=False)
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_WRITERS, thread_name_prefix="unmixel-record"), repr=False
    )

    @classmethod
    def begin(cls, skeleton: Scan, target: Path) -> Recorder:
        """Return an empty record.

        Raises
        ------
        RunExistsError
            When there is a record of that name, finished or not.
        """
        place = Unfinished(target)
        if target.exists() or place.plan() is not None:
            raise RunExistsError(
                f"'{target}' holds a record already, which is never overwritten. Choose another folder with --out"
                + (", or finish it with: unmixel live DIR --recover." if place.plan() is not None else ".")
            )
        layout = _laid_out(skeleton)
        return cls(skeleton, place, layout, np.zeros(_positions(layout), bool))

    @classmethod
    def found(cls, target: Path) -> Recorder:
        """Return a record that was left unfinished, with all that came.

        Raises
        ------
        ReadError
            When there is none.
        """
        place = Unfinished(target)
        plan = place.plan()
        if plan is None or not plan.get("recorded"):
            raise ReadError(
                str(target), expected="a record that was not finished", got="none", hint="check the folder"
            )
        layout = Layout.from_dict(plan["layout"])
        room = ConvertedReader().read(str(place.store / "store.zarr"), ReadOptions())
        recorder = cls(
            resized(room, tuple(plan["scan_shape"])), place, layout, np.zeros(_positions(layout), bool)
        )
        for number in place.written():
            first = recorder._first(number)
            recorder.seen[first : first + recorder._length(number)] = True
        for path in sorted((place.folder / "open").glob("*.raw")):
            number = int(path.stem)
            tile = recorder._tile(number)
            first = recorder._first(number)
            recorder.seen[first : first + len(tile.seen)] = tile.seen > 0
        return recorder

    @property
    def n_kept(self) -> int:
        """Frames that are kept."""
        return int(np.count_nonzero(self.seen))

    @contextmanager
    def claimed(self) -> Iterator[Self]:
        """Hold the folder, so that no second process writes to it."""
        with self.place.claimed():
            try:
                yield self
            finally:
                self._pool.shutdown(wait=True, cancel_futures=True)

    def put(self, numbers: NDArray[np.int64], values: NDArray[Any]) -> NDArray[np.bool_]:
        """Keep some frames; return which of them are new and within the record.

        Parameters
        ----------
        numbers : ndarray of int64, shape (b,)
        values : ndarray, shape (b, *pattern_shape)

        Raises
        ------
        DiskFullError
            When there is no room left; all that came before is kept.
        """
        try:
            if not self.seen.any():
                self._lay_out(values)
        except OSError as error:
            raise self._no_room(error) from error
        inside = (numbers >= 0) & (numbers < len(self.seen))
        self.n_beyond += int(np.count_nonzero(~inside))
        new = inside.copy()
        new[inside] = ~self.seen[numbers[inside]]
        first = np.zeros(len(numbers), bool)
        first[np.unique(numbers, return_index=True)[1]] = True
        self.n_again += int(np.count_nonzero(inside & ~(new & first)))
        new &= first
        order = np.flatnonzero(new)
        order = order[np.argsort(numbers[order])]
        columns, per_row = self._per_row()
        rows, at = np.divmod(numbers[order], columns)
        tiles = rows * per_row + at // self.layout.tile[-1]
        for chosen in np.split(order, np.flatnonzero(np.diff(tiles)) + 1):
            if len(chosen):
                self._put(numbers[chosen], _rows(values, chosen))
        return new

    def _lay_out(self, first: NDArray[Any]) -> None:
        """Make the store; the first frames tell how they become smallest."""
        self.layout = replace(self.layout, shuffle=best_shuffle(first))
        self.place.begin()
        (self.place.folder / "open").mkdir(exist_ok=True)
        room = resized(self.skeleton, self.layout.shape[:-2])
        ShardedZarr().begin(self.place.store, Description.of(room), self.layout)
        plan = {"recorded": True, "scan_shape": self.skeleton.scan_shape, "layout": self.layout.to_dict()}
        self.place.keep(plan)

    def _put(self, numbers: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Keep frames of one tile, in ascending order."""
        columns, per_row = self._per_row()
        row, at = divmod(int(numbers[0]), columns)
        number = row * per_row + at // self.layout.tile[-1]
        try:
            tile = self._tile(number)
            self._settle(block=len(self._waiting) > BEHIND)
            tile.put((numbers - self._first(number)).astype(np.intp), values)
        except OSError as error:
            raise self._no_room(error) from error
        self.seen[numbers] = True
        if tile.full:
            self._tiles.pop(number)
            self._waiting.append(self._pool.submit(self._compress, number, tile))

    def _tile(self, number: int) -> Tile:
        if number not in self._tiles:
            if len(self._tiles) >= _OPEN:  # a gap: the file stays and is read again at the end
                self._tiles.pop(next(iter(self._tiles)))
            shape = (self._length(number), *self.layout.shape[-2:])
            path = self.place.folder / "open" / f"{number:06d}.raw"
            self._tiles[number] = Tile.at(path, shape, np.dtype(self.layout.dtype))
        return self._tiles[number]

    def _compress(self, number: int, tile: Tile) -> None:
        values = tile.values()
        values = values if len(self.layout.tile) == 1 else values[None]
        self.place.note(number, ShardedZarr().write(self.place.store, self.layout, number, values))
        tile.path.unlink()

    def _settle(self, *, block: bool) -> None:
        """Hear of compressions that have ended; wait for the oldest where too many are under way."""
        while self._waiting and (block or self._waiting[0].done()):
            self._waiting.popleft().result()
            block = False

    def finish(self, notes: tuple[str, ...] = ()) -> Path:
        """Return the record under its name: rows that came, positions that did not with weight 0.

        Raises
        ------
        DiskFullError
            When there is no room left; the record stays unfinished.
        """
        try:
            while self._waiting:
                self._settle(block=True)
            for path in sorted((self.place.folder / "open").glob("*.raw")):
                number = int(path.stem)
                tile = self._tile(number)
                if tile.seen.any():
                    self._compress(number, tile)
                self._tiles.pop(number)
        except OSError as error:
            raise self._no_room(error) from error
        scan = self.scan(notes)
        layout = replace(self.layout, shape=(*scan.scan_shape, *scan.pattern_shape))
        product = ShardedZarr().finish(self.place.store, Description.of(scan), layout)
        self.place.place(product)
        shutil.rmtree(self.place.folder / "open")
        return self.place.target

    def discard(self) -> None:
        """Remove a record without frames."""
        self.place.clear()
        shutil.rmtree(self.place.folder / "open", ignore_errors=True)

    def scan(self, notes: tuple[str, ...] = ()) -> Scan:
        """Return what came, without its data: rows up to the last frame, weight 0 where none came."""
        last = int(np.flatnonzero(self.seen)[-1]) if self.seen.any() else 0
        first = last // math.prod(self.layout.shape[1:-2]) + 1
        scan = resized(self.skeleton, (first, *self.layout.shape[1:-2]), notes)
        seen = self.seen[: scan.n_positions].reshape(scan.scan_shape)
        return scan if seen.all() else replace(scan, position_weights=seen.astype(np.float64))

    def _per_row(self) -> tuple[int, int]:
        """Return positions and tiles of a row."""
        columns, length = self.layout.shape[-3], self.layout.tile[-1]
        return columns, math.ceil(columns / length)

    def _first(self, number: int) -> int:
        columns, per_row = self._per_row()
        return (number // per_row) * columns + (number % per_row) * self.layout.tile[-1]

    def _length(self, number: int) -> int:
        columns, per_row = self._per_row()
        return min(self.layout.tile[-1], columns - (number % per_row) * self.layout.tile[-1])

    def _no_room(self, error: OSError) -> OSError:
        if not is_full(error):
            return error
        return DiskFullError(
            f"There is no room left for '{self.place.target}': {self.n_kept} frames are kept, "
            f"{memory(self.place.free())} are free. What to do: make room, then finish the record with: "
            "unmixel live DIR --recover."
        )


def _rows(values: NDArray[Any], index: NDArray[np.intp]) -> NDArray[Any]:
    """Return some rows, without a copy where they follow one another."""
    return values[index[0] : index[-1] + 1] if np.all(np.diff(index) == 1) else values[index]


def _positions(layout: Layout) -> int:
    return math.prod(layout.shape[:-2])


def _laid_out(skeleton: Scan) -> Layout:
    """Return tiles that are runs of a row, each cut into a few pieces of the detector."""
    shape, dtype, pattern = skeleton.scan_shape, np.dtype(skeleton.data.dtype), skeleton.pattern_shape
    frame = skeleton.n_pixels * dtype.itemsize
    run = max(1, min(shape[-1], TILE_BYTES // frame))
    ones = (1,) * (len(shape) - 1)
    return Layout(
        shape=(2 * shape[0] + 2, *shape[1:], *pattern),
        n_scan_axes=len(shape),
        dtype=dtype.str,
        chunk=(*ones, run, *pattern_pieces(pattern, run * frame)),
        tile=(*ones, run),
        shuffle="shuffle",
    )
