"""What a run will take: passes over the data, bytes, products and network, at rates that are measured here.

A pass takes as long as reading or computing, whichever is longer, since they overlap; what goes between a client and
its workers is added. n positions, m pixels, k components, a sketch of the width l::

    mixing                 n m                (additions)       first pass, which also checks the data
    sharpening             2 n m l            products          one pass
    a sweep                2 n m k            products          one pass each
    closing                (2 or 3) n m k     products          one pass: chi-square, misfit, best maps
    network of a pass      (W + 1) w m + n (p + h)    numbers   W workers, w rows, p along and h back a position
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from time import perf_counter
from typing import Any

import numpy as np

from unmixel.core.units import memory
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import BlockReader, compact_dtype
from unmixel.engines.numpy_engine import NumpyEngine, cores
from unmixel.engines.remote_blocks import ARRAYS, PROCESS_BYTES, run_count
from unmixel.engines.walk import Found
from unmixel.factorize.model import NMF
from unmixel.factorize.products import BlockProducts
from unmixel.factorize.residual import residual
from unmixel.factorize.sketch import OVERSAMPLING, sketch, width_for
from unmixel.factorize.solve import solve

NETWORK_BPS = 1e9
"""Bytes a second between client and workers: ten-gigabit Ethernet; loopback is faster."""

TASK_S = 0.01
"""Seconds that dask takes for one of its tasks: an estimate, on the side of a busy machine (decision 29)."""

USUAL_SWEEPS = 8
"""Exact sweeps until most fits stand still."""

SKETCH_SWEEPS = 40
"""Sweeps on the sketch until most stand still."""

TRIAL_BYTES = 32_000_000
"""Bytes of the made-up data that rates are measured with."""

TRIAL_SWEEPS = 6
"""Sweeps on a sketch that are measured."""

TRIAL_S = 0.5
"""Seconds that reading is measured for."""


Clock = Callable[[], float]
"""Tells seconds."""


@dataclass(frozen=True)
class Job:
    """What decides how long a factorisation takes.

    Parameters
    ----------
    n_positions, n_pixels, itemsize : int
        Of the prepared data.
    kept_itemsize : int
        Bytes of a value where blocks are kept between passes: whole numbers at the smallest width that holds them.
    n_components : int
    sweeps : int
        Exact sweeps over the data.
    budget : int
        Bytes for blocks, in each process.
    workers : int
        Processes that read data; 0 where the client does everything.
    width : int
        Of the sketch; 0 where there is none.
    sketch_sweeps : int
        Sweeps on the sketch.
    """

    n_positions: int
    n_pixels: int
    itemsize: int
    kept_itemsize: int
    n_components: int
    sweeps: int = USUAL_SWEEPS
    budget: int = 10**9
    workers: int = 0
    width: int = 0
    sketch_sweeps: int = SKETCH_SWEEPS

    @classmethod
    def of(cls, scan: Scan, n_components: int, *, budget: int, workers: int, sweeps: int) -> Job:
        """Return the job of a factorisation of a prepared scan."""
        n, m, width = scan.n_positions, scan.n_pixels, width_for(n_components)
        wide = width if min(n, m) >= 4 * width else 0
        itemsize = np.dtype(scan.data.dtype).itemsize
        reading = reading_of(scan, budget)
        return cls(n, m, itemsize, reading.itemsize, n_components, sweeps, budget, workers, wide)

    @property
    def n_bytes(self) -> int:
        """Bytes of the data."""
        return self.n_positions * self.n_pixels * self.itemsize

    @property
    def kept(self) -> bool:
        """Whether all blocks stay in memory after the first pass."""
        return self.n_bytes / self.itemsize * self.kept_itemsize <= self.budget // 2 * max(1, self.workers)


@dataclass(frozen=True)
class Rates:
    """What the processes that compute do together, in seconds for each value of the data.

    Parameters
    ----------
    read : float
        Bytes a second that the file gives to all of them.
    mix, cast, row, look : float
        Adding to a group; casting for products; a product with one row, there and back; comparing with a model.
    turn : float
        Seconds for each number of maps and patterns in a sweep on the sketch, in the process that asks.
    """

    read: float
    mix: float
    cast: float
    row: float
    look: float
    turn: float

    def shared(self, workers: int) -> Rates:
        """Return the rates of some processes like this one, which read from the same disk."""
        parts = {name: getattr(self, name) / workers for name in ("mix", "cast", "row", "look")}
        return replace(self, **parts)


@dataclass(frozen=True)
class Step:
    """Some passes of one kind.

    Parameters
    ----------
    name : str
    passes : int
    read_s, compute_s, network_s : float
        Of one pass, each by itself.
    network_bytes : int
        Of one pass.
    """

    name: str
    passes: int
    read_s: float
    compute_s: float
    network_s: float = 0.0
    network_bytes: int = 0

    @property
    def seconds(self) -> float:
        """Seconds of all passes: reading and computing overlap."""
        return self.passes * (max(self.read_s, self.compute_s) + self.network_s)


@dataclass(frozen=True)
class Cost:
    """What a factorisation will take.

    Parameters
    ----------
    job : Job
    steps : tuple of Step
    client_bytes, worker_bytes : int
        Most memory of the process that asks, and of each worker (0 without any).
    """

    job: Job
    steps: tuple[Step, ...]
    client_bytes: int
    worker_bytes: int

    @property
    def seconds(self) -> float:
        """Seconds of everything."""
        return sum(step.seconds for step in self.steps)

    @property
    def network_bytes(self) -> int:
        """Bytes between client and workers, of all passes."""
        return sum(step.passes * step.network_bytes for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-safe."""
        steps = [{"name": s.name, "passes": s.passes, "seconds": round(s.seconds, 3)} for s in self.steps]
        return {
            "seconds": round(self.seconds, 3),
            "steps": steps,
            "sweeps": self.job.sweeps,
            "network_bytes": self.network_bytes,
            "client_bytes": self.client_bytes,
            "worker_bytes": self.worker_bytes,
        }

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield what is told, label and value."""
        passes = sum(step.passes for step in self.steps if step.name != "solve on the sketch")
        yield (
            "time, estimated",
            f"{_time(self.seconds)} for {passes} passes, {self.job.sweeps} of them sweeps (how many it takes to "
            "stand still is not known before)",
        )
        for step in self.steps:
            why = "reading" if step.read_s > step.compute_s else "computing"
            yield f"  {step.name}", f"{step.passes} x {_time(step.seconds / step.passes)}, mostly {why}"
        if self.job.workers:
            share = self.network_bytes / max(1, self.job.n_bytes * sum(s.passes for s in self.steps))
            yield "network, estimated", f"{memory(self.network_bytes)}: {share:.1%} of what is read"
            yield "memory of each worker, estimated", memory(self.worker_bytes)


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def predict(job: Job, rates: Rates) -> Cost:
    """Return what a factorisation will take.

    Parameters
    ----------
    job : Job
    rates : Rates
        Of all processes together.

    Examples
    --------
    >>> rates = Rates(read=2e9, mix=1e-9, cast=1e-9, row=5e-11, look=2e-9, turn=4e-8)
    >>> predict(Job(10**6, 65_536, 2, 1, 12, width=34), rates).seconds > predict(
    ...     Job(10**6, 65_536, 2, 1, 12, width=34, workers=8), rates.shared(8)
    ... ).seconds
    True
    """
    n, m, k, l = job.n_positions, job.n_pixels, job.n_components, job.width  # noqa: E741 - the formula's own
    values, read = n * m, job.n_bytes / rates.read
    again = 0.0 if job.kept else read
    runs = run_count(job.n_bytes)
    first = iter([read])

    def step(name: str, passes: int, cost: float, *, rows: int, along: float, back: float) -> Step:
        moved = 4 * (rows * m * (job.workers + 1) + n * (along + back)) if job.workers else 0
        waits = moved / NETWORK_BPS + 3 * runs * TASK_S / job.workers if job.workers else 0.0
        return Step(name, passes, next(first, again), values * cost, waits, round(moved))

    steps = []
    if l:
        steps.append(step("mix", 1, rates.mix, rows=OVERSAMPLING * l // 2, along=5, back=0))
        steps.append(step("sharpen", 1, rates.cast + l * rates.row, rows=l, along=1, back=l))
        solve = job.sketch_sweeps * (n + m) * k * rates.turn
        steps.append(Step("solve on the sketch", 1, 0.0, solve))
    else:
        steps.append(step("check", 1, rates.cast, rows=0, along=1, back=0))
    if job.sweeps:
        sweep = rates.cast + k * rates.row
        steps.append(step("sweep", job.sweeps, sweep, rows=k, along=k + 1, back=k))
    closing = rates.look + rates.cast + 1.5 * k * rates.row
    steps.append(step("close", 1, closing, rows=2 * k, along=k + 4, back=k + 2))
    factors = 4 * (n + m) * (8 * k + 6 * l)
    client = PROCESS_BYTES + factors + (0 if job.workers else min(job.budget, 2 * job.n_bytes))
    worker = PROCESS_BYTES + job.budget + ARRAYS * 4 * m * max(l, k) if job.workers else 0
    return Cost(job, tuple(steps), client, worker)


def _fastest(work: Callable[[], Any], clock: Clock, times: int = 3) -> float:
    """Return the seconds of the fastest of some runs: what the machine can do, whatever else it does."""
    took = []
    for _ in range(times):
        start = clock()
        work()
        took.append(clock() - start)
    return min(took)


def _give_back(products: Any, roots: Any) -> Any:
    """Return root-weighted products as they are, to be multiplied again."""
    return products * roots, Found()


@cache
def compute_rates(
    n_threads: int, n_pixels: int, dtype: str, n_components: int, clock: Clock = perf_counter
) -> tuple[float, ...]:
    """Return mix, cast, row, look and turn of `Rates`, measured once a session with made-up counts.

    Parameters
    ----------
    n_threads : int
    n_pixels : int
    dtype : str
        Of the data.
    n_components : int
    clock : callable () -> float
        Seconds; those of the processor say what a quiet machine would do.
    """
    rows = max(256, TRIAL_BYTES // (n_pixels * np.dtype(dtype).itemsize))
    data = np.random.default_rng(0).integers(0, 9, (rows, n_pixels)).astype(dtype)
    engine, matrix = NumpyEngine(n_threads), Matrix.from_array(data)
    products = BlockProducts(matrix, engine, "float32", BlockReader(data, 1))
    groups, signs = np.arange(rows) % 64, np.ones(rows)
    ones, roots = np.ones((40, n_pixels), np.float32), np.ones(rows, np.float32)
    maps = np.ones((8, rows), np.float32)
    with engine.threads():
        mix = _fastest(lambda: products.mixed(groups, signs, 64), clock)
        narrow = _fastest(partial(products.through, ones[:8], _give_back, roots), clock)
        wide = _fastest(partial(products.through, ones, _give_back, roots), clock)
        look = _fastest(lambda: residual(matrix, maps, ones[:8], products.reader, engine), clock)
    row = max(wide - narrow, 0.02 * narrow) / 32
    cast = max(narrow - 8 * row, 0.1 * narrow)
    parts = (mix, cast, row, max(look - 4 * row, 0.1 * look))
    return *(part / data.size for part in parts), _turn_rate(matrix, engine, n_components, clock)


def _turn_rate(matrix: Matrix, engine: Any, n_components: int, clock: Clock) -> float:
    """Return the seconds for each number of maps and patterns in a sweep on the sketch of a matrix."""
    k = max(1, min(n_components, min(matrix.n_positions, matrix.n_pixels) // 8))
    plan = NMF(k, engine=engine, sketch_sweeps=TRIAL_SWEEPS, tol=0).plan_for(matrix)
    with engine.threads():
        low = sketch(
            BlockProducts(matrix, engine, "float32", BlockReader(matrix.data, 1)),
            matrix,
            width=width_for(k),
            engine=engine,
            dtype="float32",
        )
        took = _fastest(lambda: solve(low, plan, noise=lambda: 1.0), clock, 2)
    return took / (TRIAL_SWEEPS * (matrix.n_positions + matrix.n_pixels) * k)


@dataclass(frozen=True)
class Reading:
    """How blocks come from a source.

    Parameters
    ----------
    rate : float
        Bytes a second.
    itemsize : int
        Bytes of a value where blocks are kept.
    """

    rate: float
    itemsize: int


def reading_of(scan: Scan, budget: int, clock: Clock = perf_counter) -> Reading:
    """Return how blocks come from a scan's source, some of which are read for half a second.

    What the system keeps of the file in memory is read from there, as it would be in the run.
    """
    reader = BlockReader(scan.data, len(scan.scan_axes), budget)
    start, spent, seen, widest = perf_counter(), 0.0, 0, 1
    for i in range(len(reader)):
        began = clock()
        values = reader.load(i).values
        spent += clock() - began
        seen += values.nbytes
        widest = max(widest, compact_dtype(values).itemsize)
        if perf_counter() - start > TRIAL_S:
            break
    return Reading(seen / max(spent, 1e-9), widest)


def rates_of(
    scan: Scan, n_components: int, *, budget: int, workers: int, clock: Clock = perf_counter
) -> Rates:
    """Return the rates of this machine for a prepared scan: of this process, or of some like it.

    Parameters
    ----------
    scan : Scan
    n_components : int
    budget : int
    workers : int
        0 for this process with all its threads.
    clock : callable () -> float
    """
    threads = 1 if workers else cores()
    dtype = str(np.dtype(scan.data.dtype))
    parts = compute_rates(threads, scan.n_pixels, dtype, n_components, clock)
    rates = Rates(reading_of(scan, budget, clock).rate, *parts)
    return rates.shared(workers) if workers else rates
