"""Many workers: bytes on the network beside bytes of data, memory, and how more workers shorten a pass.

    python benchmarks/cluster.py scan --gb 20 --out bench-results/cluster.json
    python benchmarks/cluster.py beside --gb 0.5 --out bench-results/beside.json
    python benchmarks/cluster.py weak --out bench-results/weak.json

`scan` writes a synthetic scan of Poisson counts to a compressed zarr store, block by block, and factorises it on two
worker processes of 3 GB each. `beside` does what looks at every pattern beside that: virtual detectors, places in the
residual, matching of positions with averages over neighbours. `weak` gives every worker the same share of a scan whose
reading is slowed down, so that a few processor cores can stand for many machines: what is left is what dask and the
network take.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

import distributed
import numpy as np
import zarr

import unmixel
from unmixel import NMF
from unmixel.dataset.matrix import Matrix
from unmixel.engines import remote_blocks
from unmixel.engines.dask_engine import DaskEngine
from unmixel.engines.lazy import wrap
from unmixel.factorize.leftovers import leftovers
from unmixel.factorize.products import products_of
from unmixel.interpret.matcher import PositionMatcher
from unmixel.physics.crystal import Crystal
from unmixel.testing.crystals import View, groups_of

K, DETECTOR, ROW = 8, (128, 128), 256


def written(path: Path, n_rows: int) -> None:
    """Write Poisson counts of K patterns under smooth maps, a few rows at a time."""
    rng = np.random.default_rng(0)
    patterns = rng.random((K, DETECTOR[0] * DETECTOR[1])) ** 12
    patterns *= 0.4 / patterns.mean(axis=1, keepdims=True)
    shape = n_rows, ROW, *DETECTOR
    stored = zarr.create_array(path, shape=shape, chunks=(1, 64, *DETECTOR), dtype="uint16")
    x = np.linspace(0, 3, ROW)[:, None] + np.arange(K)
    for start in range(0, n_rows, 4):
        rows = range(start, min(start + 4, n_rows))
        maps = np.concatenate([np.cos(x + 0.02 * row) ** 2 for row in rows]) / K
        counts = rng.poisson((maps @ patterns).astype(np.float32))
        stored[start : rows.stop] = counts.astype(np.uint16).reshape(len(rows), ROW, *DETECTOR)


def _outgoing(dask_worker: Any) -> int:
    return int(dask_worker.transfer_outgoing_bytes_total)


def _peak() -> int:
    with Path("/proc/self/status").open() as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@contextmanager
def counted(client: Any, found: dict[str, int]) -> Any:
    """Count what this process packs for workers, and what these send to anybody."""
    packed, sent = remote_blocks.packed, [0]

    def counting(*given: Any, **how: Any) -> bytes:
        data = packed(*given, **how)
        sent[0] += len(data)
        return data

    before = sum(client.run(_outgoing).values())
    remote_blocks.packed = counting  # type: ignore[assignment]
    try:
        yield
    finally:
        remote_blocks.packed = packed
        # a task that everybody needs goes from worker to worker, which is among what workers send
        found |= {"packed": sent[0], "workers": sum(client.run(_outgoing).values()) - before}


def beside(gb: float, workers: int, limit: int) -> dict[str, Any]:
    """Return the traffic of each pass of what looks at every pattern beside the factorisation."""
    n_rows = max(8, round(gb * 1e9 / (ROW * DETECTOR[0] * DETECTOR[1] * 2)))
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder) / "scan.zarr", n_rows)
        scan = unmixel.open(Path(folder) / "scan.zarr")
        factors = NMF(K, max_iter=1, sketch_sweeps=20).factorize(scan)
        spots = [View().pattern(Crystal.face_centred("Cu", 3.615), zone) for zone in ((0, 0, 1), (0, 1, 1))]
        groups = replace(
            groups_of(spots), patterns=factors.patterns[:2], pattern_axes=scan.pattern_axes, center=(63.5, 63.5),
            used_pixels=None,
        )  # fmt: skip
        with (
            distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, memory_limit=limit, dashboard_address=":0"
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            seen: list[dict[str, Any]] = []
            how: dict[str, Any] = {"engine": _Watched(client, passes=seen)}
            about = {"center": (63.5, 63.5), "unit": "px"}
            unmixel.virtual_image(scan, unmixel.Disk(9, "px"), center=about["center"], **how)
            unmixel.center_of_mass(scan, **about, **how)
            unmixel.variance_profile(scan, **about, **how)
            unmixel.region_profiles(scan, np.indices(scan.scan_shape)[1] // 16, **about, **how)
            leftovers(factors, Matrix.from_scan(scan), **how)
            matcher = PositionMatcher(neighbourhood=1.0, surrogates=200)
            unmixel.match_positions(scan, groups, matcher=matcher, **how)
    for one in seen:
        one["share"] = one["mb"] * 1e6 / scan.n_bytes
        print(
            f"{one['task']:16s} {one['mb']:8.2f} MB {one['share']:8.2%} of the data, {one['seconds']:6.1f} s"
        )
    return {"data_gb": scan.n_bytes / 1e9, "n_positions": scan.n_positions, "by_pass": seen}


def on_scan(gb: float, workers: int, limit: int, sweeps: int) -> dict[str, Any]:
    """Return traffic, memory and time of a factorisation."""
    n_rows = max(8, round(gb * 1e9 / (ROW * DETECTOR[0] * DETECTOR[1] * 2)))
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        written(Path(folder) / "scan.zarr", n_rows)
        took = perf_counter() - start
        on_disk = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        scan = unmixel.open(Path(folder) / "scan.zarr")
        with (
            distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, memory_limit=limit, dashboard_address=":0"
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            traffic: dict[str, int] = {}
            seen: list[dict[str, Any]] = []
            engine = _Watched(client, passes=seen)
            start = perf_counter()
            with counted(client, traffic):
                factors = NMF(
                    K, engine=engine, max_iter=sweeps, tol=0, sketch_sweeps=20, memory_budget=10**9
                ).factorize(scan)
            seconds = perf_counter() - start
            peaks = list(client.run(_peak).values())
    moved = traffic["packed"] + traffic["workers"]
    return {
        "data_gb": scan.n_bytes / 1e9, "on_disk_gb": on_disk / 1e9, "writing_s": took, "seconds": seconds,
        "passes": len(seen), "by_pass": seen, "network_mb": moved / 1e6, "traffic": traffic,
        "share_of_data_per_pass": moved / len(seen) / scan.n_bytes,
        "largest_share": max(one["mb"] * 1e6 / scan.n_bytes for one in seen),
        "worker_peak_gb": [peak / 1e9 for peak in peaks], "worker_limit_gb": limit / 1e9,
        "relative_error": factors.convergence.relative_error,
    }  # fmt: skip


@dataclass(frozen=True)
class _Watched(DaskEngine):
    """An engine that writes down what each pass moves and takes."""

    passes: Any = None

    def walk(self, task: Any, blocks: Any, along: tuple[Any, ...] = ()) -> Any:
        found: dict[str, int] = {}
        start = perf_counter()
        with counted(self.client, found):
            answer = super().walk(task, blocks, along)
        mb = sum(found.values()) / 1e6
        self.passes.append({"task": type(task).__name__, "mb": mb, "seconds": perf_counter() - start})
        return answer


@dataclass(frozen=True)
class Slow:
    """Made-up counts that come at so many bytes a second, as from the disk of a machine of one's own."""

    shape: tuple[int, ...]
    rate: float
    dtype: Any = field(default_factory=lambda: np.dtype("uint16"))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def chunks(self) -> tuple[int, ...]:
        return (1, *self.shape[1:])

    def __getitem__(self, key: Any) -> Any:
        rows = range(*key[0].indices(self.shape[0]))
        out = np.full((len(rows), *self.shape[1:]), 3, self.dtype)[(slice(None), *key[1:])]
        sleep(out.nbytes / self.rate)
        return out

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return ("slow", self.shape, self.rate)


def weak(counts: list[int], share: int, rate: float, passes: int) -> list[dict[str, float]]:
    """Return the time of a pass for numbers of workers that have `share` bytes each, at `rate` bytes a second."""
    rows = []
    m, row = 4096, 64
    for workers in counts:
        n_rows = round(share * workers / (row * m * 2))
        source = wrap(Slow((n_rows, row, m), rate), (1, row, m))
        matrix = replace(Matrix.from_array(np.ones((n_rows * row, 1), np.uint16)), data=source)
        matrix = replace(
            matrix,
            scan_grid=replace(matrix.scan_grid, shape=(n_rows, row), steps=(1.0, 1.0)),
            pattern_grid=replace(matrix.pattern_grid, shape=(m,)),
            pixel_weights=np.ones(m),
        )
        with (
            distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, memory_limit=0, dashboard_address=":0"
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            # an eighth of a share: nothing is kept between passes
            products = products_of(matrix, DaskEngine(client), dtype="float32", budget=share // 8)
            rows_of = np.ones((K, m), np.float32)
            products.with_patterns(rows_of)  # workers import, and open the source
            took = []
            for _ in range(passes):
                start = perf_counter()
                products.with_patterns(rows_of)
                took.append(perf_counter() - start)
        rows.append({"workers": workers, "seconds": median(took), "least": min(took), "most": max(took)})
        rows[-1]["efficiency"] = rows[0]["seconds"] / rows[-1]["seconds"]
        print(
            f"{workers:3d} workers: {rows[-1]['seconds']:6.2f} s a pass [{min(took):.2f}, {max(took):.2f}], "
            f"{rows[-1]['efficiency']:.0%} of one"
        )
    return rows


def main() -> None:
    """Measure and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["scan", "beside", "weak"])
    parser.add_argument("--gb", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit-gb", type=float, default=3.0)
    parser.add_argument("--sweeps", type=int, default=3)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--share-mb", type=float, default=64)
    parser.add_argument("--rate-mb", type=float, default=4, help="MB a second of one read of a worker.")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("bench-results/cluster.json"))
    asked = parser.parse_args()
    if asked.what == "scan":
        found: Any = on_scan(asked.gb, asked.workers, int(asked.limit_gb * 1e9), asked.sweeps)
        for key, value in found.items():
            if key != "by_pass":
                print(f"{key:24s} {value}")
    elif asked.what == "beside":
        found = beside(asked.gb, asked.workers, int(asked.limit_gb * 1e9))
    else:
        found = weak(asked.counts, int(asked.share_mb * 1e6), asked.rate_mb * 1e6, asked.passes)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
