"""Convert a scan to another store, tile by tile: within a memory budget, to be resumed, verified to the bit."""

from __future__ import annotations

import hashlib
import math
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import DiskFullError, InputError, RunExistsError
from unmixel.core.registry import load, names
from unmixel.core.units import memory
from unmixel.dataset.scan import Scan
from unmixel.engines.ahead import ReadAhead
from unmixel.engines.blocks import DEFAULT_BUDGET
from unmixel.engines.lazy import as_array, only_in_order, read, stored_lengths
from unmixel.engines.numpy_engine import cores
from unmixel.io.described import Description
from unmixel.io.layout import TILES_AT_ONCE, Layout, reads_per_chunk, whole_numbers
from unmixel.io.open import open as open_scan
from unmixel.io.unfinished import Unfinished, is_full
from unmixel.io.writer import Writer
from unmixel.pipeline.progress import Progress, Silent
from unmixel.pipeline.signals import interruptible
from unmixel.pipeline.verify import verify as verified

_SAMPLE_BYTES = 4_000_000
_WRITERS = 4
"""Threads that compress and write, at most: memory is for so many tiles."""


@dataclass(frozen=True)
class Conversion:
    """What a conversion did.

    Parameters
    ----------
    target : str
        As it was given.
    writer : str
        Registered name of the writer.
    n_bytes, stored_bytes : int
        Of the data in memory, at the scan's own type, and of everything in the target.
    layout : Layout
        Chunks, tiles and the type that values are stored as.
    n_resumed : int
        Tiles that an earlier attempt had written.
    seconds : float
        Wall-clock time, without verification.
    sha256 : str or None
        Of the data as read back, where they were verified: sha256 of the sha256 of each row (the last scan axis,
        all its patterns, little-endian, at the scan's own type).
    notes : tuple of str
        What one should know, each in one sentence.
    """

    target: str
    writer: str
    n_bytes: int
    stored_bytes: int
    layout: Layout
    n_resumed: int
    seconds: float
    sha256: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """Bytes in memory over bytes in the target."""
        return self.n_bytes / max(1, self.stored_bytes)

    @property
    def speed(self) -> float:
        """MB (10^6 bytes in memory) a second of this attempt."""
        done = 1 - self.n_resumed / len(self.layout.tiles)
        return self.n_bytes * done / 1e6 / max(self.seconds, 1e-9)


def convert(
    source: str | os.PathLike[str] | Scan,
    target: str | os.PathLike[str],
    *,
    budget: int = DEFAULT_BUDGET,
    resume: bool = False,
    verify: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> Conversion:
    """Convert a scan to the store that the suffix of `target` asks for: ``.zarr``, ``.zspy`` or ``.hspy``.

    Everything is kept: data to the bit, axes, instrument, history, original metadata. The target appears when it is
    whole; until then everything is in ``TARGET.unfinished`` beside it, which survives an interruption, a kill and a
    full disk.

    Parameters
    ----------
    source : path or Scan
        Any file that `unmixel.open` reads, or a scan.
    target : path
    budget : int
        Bytes of memory for blocks of data and their copies; libraries come on top (about 150 MB).
    resume : bool
        Go on with an earlier attempt at the same target from the same source; the result is the same, byte by byte.
    verify : bool
        Read the store back before it gets its name, compare it bit by bit with the source and give the sha256.
    force : bool
        Replace what is there; it stays until the new store is whole.
    progress : Progress, optional
        Hears of bytes done.

    Returns
    -------
    Conversion

    Raises
    ------
    InputError
        When no writer is for the suffix, the budget is too small, or another source is to be resumed.
    RunExistsError
        When the target, or an earlier attempt at it, is there and nothing says what to do about it.
    DiskFullError
        When there is no room left: says how much is missing, and keeps what is written.
    VerificationError
        When the store differs from the source.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> done = convert("demo:planted?seed=1", folder / "scan.zarr", verify=True)
    >>> open_scan(folder / "scan.zarr").pattern_axes == open_scan("demo:planted?seed=1").pattern_axes
    True
    """
    listener = progress or Silent()
    place = Unfinished(Path(target))
    writer = _writer_for(place.target)
    scan = source if isinstance(source, Scan) else open_scan(source)
    scan = replace(scan, data=as_array(scan.data, len(scan.scan_axes)))
    started = perf_counter()
    _check(place, resume=resume, force=force)
    with interruptible(), place.claimed():
        job, plan = _planned(scan, writer, place, budget, resume=resume)
        try:
            done = _done(job, begun=plan is not None)
            job, n_resumed = _all_tiles(job, done, listener), len(done)
            listener.stage("finish")
            product = writer.finish(place.store, job.description, job.layout)
        except Exception as error:
            if is_full(error):
                raise _no_room(job) from error
            raise
        seconds = perf_counter() - started
        sha256 = verified(scan, product, job.layout, listener) if verify else None
        notes = _notes(job)
        place.place(product)
    return Conversion(
        target=os.fspath(target),
        writer=writer.name,
        n_bytes=scan.n_bytes,
        stored_bytes=_size(place.target),
        layout=job.layout,
        n_resumed=n_resumed,
        seconds=seconds,
        sha256=sha256,
        notes=notes,
    )


@dataclass(frozen=True, eq=False)
class _Job:
    """A scan on its way into a store."""

    scan: Scan
    writer: Writer
    description: Description
    layout: Layout
    place: Unfinished
    budget: int
    identity: str

    def begin(self) -> None:
        """Begin, with nothing written."""
        self.place.begin()
        self.writer.begin(self.place.store, self.description, self.layout)
        self.place.keep(
            {"identity": self.identity, "writer": self.writer.name, "layout": self.layout.to_dict()}
        )

    def read(self, todo: Sequence[int], i: int) -> NDArray[Any]:
        """Return the values of the tile that comes as number `i` of those to do."""
        return read(self.scan.data, self.layout.tiles[todo[i]])

    def put(self, tile: int, values: NDArray[Any]) -> int:
        """Write a tile, note it and return its bytes in memory."""
        n_bytes = values.nbytes
        if values.dtype != np.dtype(self.layout.dtype):
            whole = whole_numbers(values)
            if whole is None:
                raise _NotWholeError
            values = whole
        self.place.note(tile, self.writer.write(self.place.store, self.layout, tile, values))
        return n_bytes

    def positions(self, tiles: Sequence[int]) -> int:
        """Return how many positions some tiles hold."""
        every = self.layout.tiles
        return sum(math.prod(run.stop - run.start for run in every[tile]) for tile in tiles)


class _NotWholeError(Exception):
    """A value is not the whole number that all before it were."""


def _writer_for(target: Path) -> Writer:
    known: list[str] = []
    for name in names("writers"):
        writer: Writer = load("writers", name)()
        if target.name.lower().endswith(writer.suffixes):
            return writer
        known += writer.suffixes
    raise InputError(
        "target",
        expected=f"a name that ends in {', '.join(known)}",
        got=f"'{target.name}'",
        hint="the suffix says what is written; .zarr is the smallest",
    )


def _check(place: Unfinished, *, resume: bool, force: bool) -> None:
    begun = place.plan() is not None
    if begun and not (resume or force):
        raise RunExistsError(
            f"A conversion to '{place.target}' has begun and is not finished. "
            "Go on with it (--resume), or begin anew (--force)."
        )
    if place.target.exists() and not force:
        there = "There is nothing to resume: " if resume and not begun else ""
        raise RunExistsError(
            f"{there}'{place.target}' exists. Choose another name, or replace it with --force."
        )
    if not place.target.parent.is_dir():
        raise InputError(
            "target",
            expected="a name in a folder that exists",
            got=f"'{place.target}'",
            hint="make the folder",
        )


def _planned(
    scan: Scan, writer: Writer, place: Unfinished, budget: int, *, resume: bool
) -> tuple[_Job, dict[str, Any] | None]:
    """Return the job, and the plan of an earlier attempt that is to be gone on with."""
    description = Description.of(scan)
    sample = _sample(scan)
    known = hashlib.sha256(sample.tobytes())
    known.update(f"{description.digest} {writer.name}".encode())
    whole = None if writer.keeps_type else whole_numbers(sample)
    layout = writer.lay_out(scan, sample if whole is None else whole, budget)
    job = _Job(scan, writer, description, layout, place, budget, known.hexdigest())
    plan = place.plan() if resume else None
    if plan is None:
        return job, None
    if plan["identity"] != job.identity:
        raise InputError(
            "source",
            expected="the one that the conversion began with",
            got="another scan, or one that was changed or opened in another way",
            hint="give the same source and options, or begin anew with --force",
        )
    job = replace(job, layout=Layout.from_dict(plan["layout"]))
    frame = scan.n_pixels * max(scan.data.dtype.itemsize, np.dtype(job.layout.dtype).itemsize)
    needed = min(math.prod(job.layout.tile), scan.n_positions) * frame * TILES_AT_ONCE
    if needed > budget:
        raise InputError(
            "memory budget",
            expected=f"at least {memory(needed)}, for the tiles that the conversion began with",
            got=memory(budget),
            hint="give more memory, or begin anew with --force",
        )
    return job, plan


def _done(job: _Job, *, begun: bool) -> list[int]:
    """Return the tiles that an earlier attempt has written; begin where there was none."""
    if not begun:
        job.begin()
        return []
    job.place.sweep()
    return sorted(job.place.written())


def _sample(scan: Scan) -> NDArray[Any]:
    """Return the first patterns, some MB of them."""
    room = max(1, _SAMPLE_BYTES // max(1, scan.n_pixels * scan.data.dtype.itemsize))
    first: list[slice] = []
    for size in reversed(scan.scan_shape):
        take = max(1, min(size, room))
        room //= take
        first.insert(0, slice(0, take))
    return np.ascontiguousarray(read(scan.data, tuple(first))).reshape(-1, *scan.pattern_shape)


def _all_tiles(job: _Job, done: Sequence[int], listener: Progress) -> _Job:
    """Write all tiles that are not done; return the job as it came out.

    Where a value turns out not to be the whole number that all before it were, everything is written anew at the scan's
    own type.
    """
    try:
        _tiles(job, done, listener)
    except _NotWholeError:
        listener.note("Not all values are whole numbers: begun anew, stored at their own type.")
        job = replace(job, layout=job.writer.lay_out(job.scan, _sample(job.scan), job.budget))
        job.begin()
        _tiles(job, (), listener)
    return job


def _tiles(job: _Job, done: Sequence[int], listener: Progress) -> None:
    listener.stage("convert")
    todo = sorted(set(range(len(job.layout.tiles))) - set(done))
    total = job.scan.n_bytes
    moved = total - job.positions(todo) * job.scan.n_pixels * job.scan.data.dtype.itemsize
    ahead = ReadAhead(partial(job.read, todo), [1] * len(todo), only_in_order(job.scan.data))
    n_threads = min(_WRITERS, cores())
    waiting: deque[Future[int]] = deque()
    with ThreadPoolExecutor(n_threads, thread_name_prefix="unmixel-write") as pool:
        try:
            for i, tile in enumerate(todo):
                waiting.append(pool.submit(job.put, tile, ahead.take(i, 0)))
                while len(waiting) > n_threads or (waiting and i == len(todo) - 1):
                    moved += waiting.popleft().result()
                    listener.moved(moved, total)
        except BaseException:
            for future in waiting:
                future.cancel()
            raise


def _no_room(job: _Job) -> DiskFullError:
    """Return the error that says how much is written and how much is missing."""
    written = job.place.written()
    share = job.positions(sorted(written)) / job.scan.n_positions
    stored = sum(written.values())
    whole = stored / share if share else float(job.scan.n_bytes)
    needed = whole - stored + (whole if job.writer.assembles else 0)
    missing = max(needed - job.place.free(), 0.0)
    about = "about" if share else "at most"
    return DiskFullError(
        f"There is no room left for '{job.place.target}': {memory(stored)} of {about} {memory(whole)} are written "
        f"and kept, {about} {memory(missing)} of room are missing. "
        f"What to do: make room, then go on with: unmixel convert SOURCE {job.place.target.name} --resume."
    )


def _notes(job: _Job) -> tuple[str, ...]:
    layout, data = job.layout, job.scan.data
    n_scan = layout.n_scan_axes
    stored = [max(stored_lengths(data, axis), default=1) for axis in range(n_scan)]
    dtype = np.dtype(layout.dtype)
    notes = [
        f"Stored in chunks of {_by(layout.chunk)} ({memory(math.prod(layout.chunk) * dtype.itemsize)}) as {dtype}, "
        f"{_by(layout.tile) or 'one pattern'} positions written at once."
    ]
    if max(stored, default=1) > 1:
        notes[0] += f" The source is stored by {_by(stored)} positions."
    times = reads_per_chunk(job.scan, layout)
    if times > 1:
        notes.append(f"Chunks of the source were read up to {times} times: more memory would spare that.")
    if job.description.lost:
        notes.append(f"Metadata of these types are kept as text: {', '.join(job.description.lost)}.")
    return tuple(notes)


def _by(lengths: Sequence[int]) -> str:
    return " x ".join(str(length) for length in lengths)


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
