"""A scan on disk, for `out_of_core.py`, which starts this program anew for every phase.

    python benchmarks/on_disk.py write  FILE SPEC     draw the counts and write them, block by block
    python benchmarks/on_disk.py floors FILE SPEC     read the file once; multiply all of it twice by k columns
    python benchmarks/on_disk.py fit    FILE SPEC     factorise it within a memory budget

SPEC is JSON, see `Spec`. Every phase prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from memory import Resident

BLOCK_BYTES = 16_000_000
CHUNK = 16  # positions of a row in a chunk of a file that is cut into chunks
RESIDENT_BYTES = 500_000_000  # of the blocks that are multiplied again and again, for the floor of products


@dataclass(frozen=True)
class Part:
    """Some rows of the scan, or a piece of one: contiguous in a file that is not cut into chunks."""

    n_x: int
    y: slice
    x: slice

    @property
    def flat(self) -> slice:
        """Positions, counted through the scan."""
        return slice(self.y.start * self.n_x + self.x.start, (self.y.stop - 1) * self.n_x + self.x.stop)

    @property
    def size(self) -> int:
        """Number of positions."""
        return self.flat.stop - self.flat.start


@dataclass(frozen=True)
class Spec:
    """What is written and how it is fitted.

    Parameters
    ----------
    scan, detector : (int, int)
    components : int
        Of the model that is planted, and of the fit.
    dose : float
        Mean counts per pattern.
    seed : int
    threads : int
        That read, multiply and fit.
    budget_mb : float
        Memory budget of the fit, 10^6 bytes.
    """

    scan: tuple[int, int]
    detector: tuple[int, int]
    components: int
    dose: float
    seed: int
    threads: int
    budget_mb: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data."""
        return (*self.scan, *self.detector)

    @property
    def planted(self) -> dict[str, Any]:
        """What decides about the counts."""
        return {key: getattr(self, key) for key in ("shape", "components", "dose", "seed")}

    def parts(self) -> list[Part]:
        """Return parts of the scan of about `BLOCK_BYTES`, in order: rows, or pieces of a row."""
        (n_y, n_x), positions = self.scan, max(1, BLOCK_BYTES // (2 * prod(self.detector)))
        if positions >= n_x:
            step = positions // n_x
            return [Part(n_x, slice(y, min(y + step, n_y)), slice(0, n_x)) for y in range(0, n_y, step)]
        step = max(1, positions // CHUNK * CHUNK) if positions >= CHUNK else positions
        return [
            Part(n_x, slice(y, y + 1), slice(x, min(x + step, n_x)))
            for y in range(n_y)
            for x in range(0, n_x, step)
        ]


def _spots(
    rng: np.random.Generator, shape: tuple[int, int], count: int, width: tuple[float, float]
) -> np.ndarray:
    """Return `count` Gaussian spots at random places, their widths as shares of the image, shape (n,)."""
    y, x = (np.linspace(0, 1, n) for n in shape)
    image = np.zeros(shape)
    for _ in range(count):
        (v, u), sigma = rng.random(2), rng.uniform(*width)
        spot = np.exp(-((y - v) ** 2) / (2 * sigma**2))[:, None] * np.exp(-((x - u) ** 2) / (2 * sigma**2))
        image += rng.gamma(2.0) * spot
    return image.reshape(-1)


def model(spec: Spec) -> tuple[np.ndarray, np.ndarray]:
    """Return maps (n, k) and patterns (k, m): a background everywhere, and grains of many spots."""
    rng = np.random.default_rng(spec.seed)
    maps = np.array([_spots(rng, spec.scan, 2, (0.04, 0.12)) for _ in range(spec.components)])
    patterns = np.array([_spots(rng, spec.detector, 15, (0.008, 0.02)) for _ in range(spec.components)])
    maps[0], patterns[0] = 1.0, _spots(rng, spec.detector, 1, (0.2, 0.3)) + 0.05
    patterns /= patterns.sum(axis=1, keepdims=True)
    return (maps * spec.dose / maps.sum(axis=0).mean()).T.astype(np.float32), patterns.astype(np.float32)


def shared(work: Callable[[Any], Any], items: Iterable[Any], threads: int) -> Iterator[Any]:
    """Yield ``work(item)`` in order from some threads, few of them ahead of the one that is asked for."""
    waiting: list[Any] = []
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()


def writer(file: Path, spec: Spec) -> tuple[Callable[[Part, np.ndarray], None], Callable[[], None]]:
    """Return how parts are written to a new file, in order, and how it is closed."""
    if file.suffix == ".npy":
        raw = file.open("wb")
        header = {"descr": "<u2", "fortran_order": False, "shape": spec.shape}
        np.lib.format.write_array_header_1_0(raw, header)
        return lambda _, values: raw.write(values.tobytes()) and None, raw.close
    chunks = (1, min(CHUNK, spec.scan[1]), *spec.detector)
    if file.suffix == ".h5":
        import h5py

        store = h5py.File(file, "w")
        data: Any = store.create_dataset("data", shape=spec.shape, dtype="<u2", chunks=chunks)
    else:
        import zarr

        data = zarr.create_array(
            store=str(file), shape=spec.shape, chunks=chunks, dtype="<u2", compressors=None
        )

    def put(part: Part, values: np.ndarray) -> None:
        shape = (part.y.stop - part.y.start, part.x.stop - part.x.start)
        data[part.y, part.x] = values.reshape(*shape, *spec.detector)

    return put, (store.close if file.suffix == ".h5" else lambda: None)


def write(file: Path, spec: Spec) -> dict[str, Any]:
    """Write the counts, and beside them what they are and how far they lie from the model they were drawn from."""
    maps, patterns = model(spec)
    beside(file).unlink(missing_ok=True)
    put, close = writer(file, spec)

    def draw(part: Part) -> tuple[Part, np.ndarray, float, float]:
        rate = (maps[part.flat] @ patterns).astype(np.float64)
        counts = (
            np.random.default_rng([spec.seed, part.flat.start]).poisson(rate).clip(max=65_535).astype("<u2")
        )
        rate -= counts
        squares = np.square(counts, dtype=np.float32).sum(dtype=np.float64)
        return part, counts, float(np.vdot(rate, rate)), float(squares)

    misfit = norm = 0.0
    for part, counts, off, square in shared(draw, spec.parts(), spec.threads):
        put(part, counts)
        misfit, norm = misfit + off, norm + square
    close()
    told = {"planted": spec.planted, "error": float(np.sqrt(misfit / norm))}
    beside(file).write_text(json.dumps(told) + "\n")
    return told


def beside(file: Path) -> Path:
    """Return the file that says what the counts are."""
    return file.with_name(file.name + ".json")


def reading(file: Path, spec: Spec) -> Callable[[Part], np.ndarray]:
    """Return how a part of the file is read, straight and with nothing of ours, shape (positions, pixels)."""
    m = prod(spec.detector)
    if file.suffix == ".npy":
        with file.open("rb") as raw:
            np.lib.format.read_magic(raw)
            np.lib.format.read_array_header_1_0(raw)
            start = raw.tell()
        return lambda part: np.fromfile(
            file, "<u2", part.size * m, offset=start + part.flat.start * m * 2
        ).reshape(-1, m)
    if file.suffix == ".h5":
        import h5py

        data: Any = h5py.File(file, "r")["data"]
    else:
        import zarr

        data = zarr.open_array(str(file), mode="r")
    return lambda part: np.asarray(data[part.y, part.x]).reshape(-1, m)


def floors(file: Path, spec: Spec) -> dict[str, Any]:
    """Return seconds of reading the file once, and of casting all of it and multiplying it by k columns and k rows."""
    from threadpoolctl import threadpool_limits

    read, parts = reading(file, spec), spec.parts()
    started = time.perf_counter()
    n_bytes = sum(shared(lambda part: read(part).nbytes, parts, spec.threads))
    read_s = time.perf_counter() - started
    assert n_bytes == 2 * prod(spec.shape)

    held, size = [], 0
    for part in parts:
        held.append(read(part))
        size += held[-1].nbytes
        if size > RESIDENT_BYTES:
            break
    columns = np.random.default_rng(0).random((prod(spec.detector), spec.components), np.float32)

    def products(i: int) -> np.ndarray:
        values = held[i % len(held)].astype(np.float32)
        return (values @ columns).T @ values

    # as often as it takes until as many bytes as the file has were multiplied
    times = max(1, round(len(held) * n_bytes / size))
    with threadpool_limits(1):
        started = time.perf_counter()
        total = sum(shared(products, range(times), spec.threads))
        products_s = (time.perf_counter() - started) * n_bytes / (size * times / len(held))
    assert np.isfinite(total).all()
    return {"read_s": read_s, "products_s": products_s}


def fit(file: Path, spec: Spec) -> dict[str, Any]:
    """Return the record of a fit: seconds, memory, passes over the data, error."""
    import unmixel
    from unmixel.engines import blocks
    from unmixel.engines.numpy_engine import NumpyEngine

    rng, n_read, lock = np.random.default_rng(0), [0], threading.Lock()
    unmixel.NMF(2).fit(rng.poisson(5.0, (240, 200)).astype(np.uint16))  # imports and threads are not measured
    untold = blocks.read

    def counted(*given: Any) -> Any:
        values = untold(*given)
        with lock:
            n_read[0] += values.nbytes
        return values

    blocks.read = counted
    wall, cpu = time.perf_counter(), time.process_time()
    with Resident() as resident:
        scan = unmixel.open(str(file))
        found = unmixel.NMF(
            spec.components, memory_budget=int(spec.budget_mb * 1e6), engine=NumpyEngine(spec.threads)
        ).factorize(scan)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    blocks.read = untold
    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "resident_mb": resident.peak["VmRSS"],
        "anonymous_mb": resident.peak["RssAnon"],
        "passes": n_read[0] / scan.n_bytes,
        "reported_error": found.convergence.relative_error,
        "error": error(file, spec, found.maps, found.patterns),
        "sweeps": found.convergence.n_sweeps,
        "reason": found.convergence.reason,
        "held": found.settings["held_in_memory"],
    }


def error(file: Path, spec: Spec, maps: np.ndarray, patterns: np.ndarray) -> float:
    """Return ``||X - W H|| / ||X||`` from the file itself: every difference in float64, nothing of ours."""
    read = reading(file, spec)
    w, h = (factor.reshape(len(factor), -1).astype(np.float64) for factor in (maps, patterns))
    misfit = norm = 0.0
    for part in spec.parts():
        x = read(part).astype(np.float64)
        norm += float(np.vdot(x, x))
        x -= w[:, part.flat].T @ h
        misfit += float(np.vdot(x, x))
    return float(np.sqrt(misfit / norm))


PHASES: dict[str, Callable[[Path, Spec], dict[str, Any]]] = {"write": write, "floors": floors, "fit": fit}


def main() -> None:
    """Run one phase."""
    phase, file, spec = sys.argv[1:4]
    given = json.loads(spec)
    asked = Spec(**{**given, "scan": tuple(given["scan"]), "detector": tuple(given["detector"])})
    print(json.dumps(PHASES[phase](Path(file), asked)))


if __name__ == "__main__":
    main()
