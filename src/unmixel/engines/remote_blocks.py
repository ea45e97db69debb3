"""Blocks of a scan on the workers of a dask cluster: each reads its own from the source, and adds up what it finds.

Blocks are taken in runs; how they are cut and in which order the runs are added up depends on the data alone, so that
neither the number of workers nor the loss of one changes the result.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from unmixel.engines.base import Blocks
from unmixel.engines.blocks import Block, BlockReader, compact_dtype
from unmixel.engines.cluster import Cluster
from unmixel.engines.lazy import in_memory
from unmixel.engines.shipping import MOST_SENT, Parcel, packed
from unmixel.engines.walk import Found, Places, Task

Form = Callable[[Blocks, Any], Blocks]
"""Makes other blocks of the same positions, for the engine of whoever has them."""

RUNS = 8, 128
"""Fewest and most runs that blocks are shared out in: what is done again where a worker is lost is a few of them."""

RUN_BYTES = 32_000_000
"""Bytes of data in a run where there may be fewer than the most: dask takes some milliseconds for each."""

PROCESS_BYTES = 400_000_000
"""Memory of a worker that has imported everything and read nothing (an estimate, on the safe side)."""

ARRAYS = 6
"""Copies of what is sent of a pass that a worker may hold: as it came, opened, and sums under way."""

FEW = 8
"""Most results of workers that are added up by the client, where each has one: it waits for orders once, not twice."""

LOT_S = 0.1, 1.0
"""Seconds of a worker below which it is asked for twice as many runs at once, and above which for half as many: dask
takes some milliseconds for each order, and what is asked for one by one may be done by whoever is idle."""

RETRIES = 2
"""How often a run is tried again where reading it failed."""


@dataclass(eq=False)
class Run:
    """Some blocks of a reader, their positions counted from 0.

    Parameters
    ----------
    reader : BlockReader
    blocks : range
    """

    reader: BlockReader
    blocks: range

    def __len__(self) -> int:
        """Return the number of blocks."""
        return len(self.blocks)

    @cached_property
    def _starts(self) -> list[int]:
        sizes = [self.reader.positions(i).size for i in self.blocks]
        return [0, *np.cumsum(sizes).tolist()]

    @property
    def n_positions(self) -> int:
        """Number of positions in all blocks."""
        return int(self._starts[-1])

    @property
    def n_values(self) -> int:
        """Number of values in all blocks."""
        return self.n_positions * (self.reader.n_values // max(1, self.reader.n_positions))

    @property
    def kept_as(self) -> str:
        """What is held in memory between passes, in words."""
        return self.reader.kept_as

    def load(self, i: int) -> Block:
        """Return block `i` of the run."""
        return Block(np.arange(self._starts[i], self._starts[i + 1]), self.reader.load(self.blocks[i]).values)


@dataclass(eq=False)
class Home:
    """A worker's own reader of the source; what it keeps between passes, it keeps as long as the scan is in use.

    Parameters
    ----------
    reader : BlockReader
    engine : Engine
        That of the worker.
    share : int
        Runs that one worker has to keep room for on a device.
    """

    reader: BlockReader
    engine: Any
    share: int = 1
    _runs: dict[tuple[str, range], Any] = field(default_factory=dict, repr=False)
    _held: int = field(default=0, repr=False)

    @cached_property
    def _engine(self) -> Any:
        budget = getattr(self.engine, "budget", 0)
        return replace(self.engine, device_budget=budget // self.share) if budget else self.engine

    def look(self, task: Parcel, lot: list[range], along: list[Parcel], form: Parcel | None = None) -> Found:
        """Return what a task finds in runs of blocks, on the host; see `RemoteBlocks.seen_as` for the form."""
        engine = self._engine

        def at(i: int) -> Found:
            found = engine.walk(task.open(engine), self._run(lot[i], form), along[i].open(engine))
            return Found(*(tuple(_on_host(engine, a) for a in part) for part in (found.here, found.sums)))

        with engine.threads():
            return in_pairs(len(lot), at, _joined)  # type: ignore[no-any-return]

    def _run(self, blocks: range, form: Parcel | None) -> Blocks:
        """Return a run in its form; what a form has made is kept while half of the budget holds it."""
        name, make = ("", None) if form is None else form.open(self._engine)
        if (name, blocks) in self._runs:
            return self._runs[name, blocks]  # type: ignore[no-any-return]
        if make is None:
            made = self._engine.resident(Run(self.reader, blocks))
        else:
            made = make(self._run(blocks, None), self._engine)
        size = getattr(made, "nbytes", 0)
        if self._held + size <= self.reader.budget // 2:
            self._held += size
            self._runs[name, blocks] = made
        return made  # type: ignore[no-any-return]


def _on_host(engine: Any, part: Any) -> Any:
    return np.asarray(engine.to_host(part)) if hasattr(part, "shape") else part


def _same(thing: Any) -> Any:
    return thing


def _look(home: Parcel, task: Parcel, lot: list[range], along: list[Parcel], form: Parcel | None) -> Found:
    return home.open(None).look(task, lot, along, form)  # type: ignore[no-any-return]


def _here(found: Found) -> tuple[tuple[Any, NDArray[Any]], ...]:
    # sums of counts are whole numbers, whatever they were summed in: most of their bytes need not travel
    return tuple((part.dtype, part.astype(compact_dtype(part))) for part in found.here)


def _added(one: Found, two: Found) -> Found:
    # new arrays: what a worker holds may be asked for again
    return Found(sums=tuple(a + b for a, b in zip(one.sums, two.sums, strict=True)))


def _joined(one: Found, two: Found) -> Found:
    here = (np.concatenate(parts, axis=-1) for parts in zip(one.here, two.here, strict=True))
    return replace(_added(one, two), here=tuple(here))


def in_pairs(count: int, part: Callable[[int], Any], add: Callable[[Any, Any], Any], start: int = 0) -> Any:
    """Return parts added up in pairs, the pairs in pairs: of 4, 8, ... parts in a row as if they were alone.

    Parameters
    ----------
    count : int, >= 1
    part : callable(int)
        Asked for each number from `start` on, in order.
    add : callable
    start : int

    Examples
    --------
    >>> in_pairs(5, str, "({}+{})".format)
    '(((0+1)+(2+3))+4)'
    """
    if count == 1:
        return part(start)
    half = 1 << (count - 1).bit_length() - 1
    return add(in_pairs(half, part, add, start), in_pairs(count - half, part, add, start + half))


@dataclass(eq=False)
class RemoteBlocks:
    """The blocks of a reader as the client of a cluster sees them: it knows which there are and asks for passes.

    Parameters
    ----------
    reader : BlockReader
        Data that workers can open by themselves.
    cluster : Cluster
    engines : (Engine, Engine)
        Of this process and of a worker.
    form : (str, callable), optional
        Of `seen_as`, with a name of its own.
    """

    reader: BlockReader
    cluster: Cluster
    engines: tuple[Any, Any]
    form: tuple[str, Form] | None = None
    loads: int = field(default=0, init=False)
    """Blocks that passes went through so far."""
    lot: int = field(default=1, init=False)
    """Runs in a row that the next pass asks a worker for at once, a power of 2."""

    @classmethod
    def of(
        cls, reader: BlockReader, cluster: Cluster, engines: tuple[Any, Any], spill: str | None
    ) -> RemoteBlocks:
        """Return the blocks of a reader; data in memory are written to the folder `spill` first, where it is given."""
        data = reader.data
        if spill is None or not in_memory(data) or data.nbytes <= MOST_SENT:
            return cls(reader, cluster, engines)
        path = Path(spill) / f"unmixel-{uuid4().hex}.npy"
        np.save(path, data)
        blocks = cls(replace(reader, data=np.load(path, mmap_mode="r")), cluster, engines)
        weakref.finalize(blocks, path.unlink, missing_ok=True)
        return blocks

    def seen_as(self, form: Form) -> RemoteBlocks:
        """Return the same blocks with each run of them in another form, which the workers make and keep.

        Parameters
        ----------
        form : callable (blocks, engine) -> blocks
            Makes other blocks of the same positions; may be sent. What has ``nbytes`` is kept between passes where
            there is room for it, and made again where there is none.
        """
        view = replace(self, form=(uuid4().hex, form))
        view.__dict__["_home"] = self._home
        return view

    def __len__(self) -> int:
        """Return the number of blocks."""
        return len(self.reader)

    @property
    def n_positions(self) -> int:
        """Number of positions in all blocks."""
        return self.reader.n_positions

    @property
    def kept_as(self) -> str:
        """What is held between passes, in words."""
        held = "what fits half of each worker's budget; the rest is read from the source in every pass"
        return f"on {len(self.cluster.addresses)} workers: {held}"

    def load(self, i: int) -> Block:
        """Return block `i`, read by this process."""
        return self.reader.load(i)

    @cached_property
    def runs(self) -> list[range]:
        """Runs of blocks, the same for any number of workers."""
        count = len(self)
        n_bytes = self.reader.n_values * np.dtype(self.reader.data.dtype).itemsize
        ends = np.linspace(0, count, min(count, run_count(n_bytes)) + 1).round().astype(int).tolist()
        return [range(a, b) for a, b in pairwise(ends)]

    @cached_property
    def _home(self) -> Any:
        """The parcel on the cluster from which workers make their readers; made anew wherever it is lost."""
        share = math.ceil(len(self.runs) / max(1, len(self.cluster.addresses)))
        home = Home(self.reader, self.engines[1], share)
        return self._sent(Parcel(packed(home, most=MOST_SENT)), "scan")

    @cached_property
    def _formed(self) -> Any:
        return None if self.form is None else self._sent(Parcel(packed(self.form)), "form")

    def _sent(self, parcel: Parcel, what: str) -> Any:
        # a task that gives back its argument: scattered data would be gone with the worker that holds them
        return self.cluster.submit(_same, parcel, key=f"unmixel-{what}-{uuid4().hex}", priority=30)

    def _positions(self, run: range) -> NDArray[np.intp]:
        return np.concatenate([self.reader.positions(i) for i in run])

    def walk(
        self, task: Task, along: tuple[Any, ...], tell: Callable[[int, int], None] | None = None
    ) -> Found:
        """Return what a task finds in all blocks; see `walk.walk`.

        Parameters
        ----------
        task : Task
        along : tuple of array, shape (..., n)
        tell : callable(done, of), optional
            Told of finished runs.

        Raises
        ------
        InputError
            When workers have less memory than a pass needs, or die of a run again and again.
        """
        parcel = Parcel(packed(task))
        self.cluster.check_memory(PROCESS_BYTES + self.reader.budget + ARRAYS * len(parcel.data))
        engine, start, workers = self.engines[0], perf_counter(), self.cluster.addresses
        lots = [self.runs[i : i + self.lot] for i in range(0, len(self.runs), self.lot)]
        # a lot for each worker: to add up there would save nothing, and whoever waits for one order waits long
        few = len(lots) <= min(FEW, len(workers))
        with self.cluster.quiet():
            job, submit = parcel if few else self._sent(parcel, "task"), self.cluster.submit
            found = [
                self._ordered(job, workers[i * len(workers) // len(lots)], lot, along)
                for i, lot in enumerate(lots)
            ]
            asked = found if few else [submit(_here, one, priority=20, pure=False) for one in found]
            here = dict(zip(asked, lots, strict=True))
            if not few:
                add = partial(submit, _added, priority=10, pure=False)
                found = [in_pairs(len(found), found.__getitem__, add)]
        places, done, whole = Places(engine, self.n_positions), 0, {}
        for future, answer in self.cluster.finished(here):
            lot = here.pop(future)
            if few:
                whole[future] = answer
            parts = answer.here if few else (part.astype(dtype) for dtype, part in answer)
            positions = np.concatenate([self._positions(run) for run in lot])
            places.put(Block(positions, np.empty(0)), tuple(map(engine.asarray, parts)))
            self.loads += sum(map(len, lot))
            done += len(lot)
            if tell is not None:
                tell(done, len(self.runs))
        whole = whole or dict(self.cluster.finished(found))
        total = in_pairs(len(found), lambda i: whole[found[i]], _added)
        self.lot = next_lot(self.lot, perf_counter() - start, len(lots), len(workers))
        sums = (engine.asarray(part) if hasattr(part, "shape") else part for part in total.sums)
        return Found(places.arrays or (), tuple(sums))

    def _ordered(self, job: Any, worker: str, lot: list[range], along: tuple[Any, ...]) -> Any:
        """Return the order for some runs, best done by the worker that did them before, and by any other if need be."""
        places = (self._positions(run) for run in lot)
        parts = [Parcel(packed(tuple(array[..., own] for array in along))) for own in places]
        return self.cluster.submit(
            _look, self._home, job, lot, parts, self._formed,
            workers=[worker], allow_other_workers=True, retries=RETRIES, pure=False,
            priority=-lot[0].start,  # in order: what is read ahead is what comes next
        )  # fmt: skip


def run_count(n_bytes: int) -> int:
    """Return how many runs data of so many bytes are shared out in, where they have as many blocks.

    A power of two: 8 workers would take half as long again for 17 runs as for 16.

    Examples
    --------
    >>> run_count(10**6), run_count(512_000_000), run_count(20 * 10**9)
    (8, 16, 128)
    """
    wanted = 1 << (math.ceil(n_bytes / RUN_BYTES) - 1).bit_length()
    return max(RUNS[0], min(RUNS[1], wanted))


def next_lot(lot: int, seconds: float, n_lots: int, n_workers: int) -> int:
    """Return how many runs in a row are to be asked for at once after a pass: more where a lot was done in no time.

    It never changes what is found, since runs are added up in pairs anyhow.

    Examples
    --------
    >>> next_lot(1, 0.2, 8, 2), next_lot(4, 0.2, 2, 2), next_lot(4, 5.0, 2, 2)
    (2, 4, 2)
    """
    each = seconds * n_workers / n_lots
    if each < LOT_S[0] and n_lots >= 2 * n_workers:
        return 2 * lot
    return max(1, lot // 2) if each > LOT_S[1] else lot
