"""The three acts on a GPU, as multiples of the time in which its memory can be read once:  python benchmarks/gpu.py

The counts are made on the device, block by block, and stay there as 16 bits. See docs/how-to/gpu.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unmixel import NMF
from unmixel.dataset.matrix import Grid, Matrix
from unmixel.engines.base import Blocks
from unmixel.engines.blocks import Block
from unmixel.engines.torch_engine import TorchEngine
from unmixel.engines.walk import Found
from unmixel.factorize.fit import fit
from unmixel.factorize.solve import solve
from unmixel.factorize.work import Work


@dataclass(frozen=True)
class Outline:
    """What a matrix must know of data that only the device holds."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.uint16))

    @property
    def ndim(self) -> int:
        return len(self.shape)


@dataclass
class Generated:
    """Planted counts on a device; `load` hands out block by block and counts."""

    blocks: list[Block]
    loads: int = 0

    def __len__(self) -> int:
        return len(self.blocks)

    @property
    def n_positions(self) -> int:
        return sum(len(block.positions) for block in self.blocks)

    def load(self, i: int) -> Block:
        self.loads += 1
        return self.blocks[i]

    @property
    def passes(self) -> float:
        return self.loads / len(self)

    @property
    def kept_as(self) -> str:
        return "all blocks, made on the device as uint16"


@dataclass(frozen=True)
class Holding(TorchEngine):
    """The engine of a user, with blocks that are on its device already."""

    held: Generated = field(default_factory=lambda: Generated([]))

    def resident(self, blocks: Blocks) -> Blocks:
        return self.held


def planted(engine: TorchEngine, shape: tuple[int, ...], k: int, mean: float, block: int) -> Generated:
    """Return Poisson counts of k patterns of spots under k smooth maps.

    Parameters
    ----------
    engine : TorchEngine
    shape : tuple of int
        Two axes of the scan, two of the detector.
    k : int
    mean : float
        Counts per pixel.
    block : int
        Bytes of a block in float32.
    """
    import torch

    rng = np.random.default_rng(0)
    n, m = shape[0] * shape[1], shape[2] * shape[3]

    def bumps(size: tuple[int, int], count: int, width: float) -> Any:
        grid = [np.arange(length) for length in size]
        image = np.zeros(size)
        for _ in range(count):
            lines = [
                np.exp(-0.5 * ((axis - rng.uniform(0, len(axis))) / (width * len(axis))) ** 2)
                for axis in grid
            ]
            image += np.outer(*lines)
        return image.reshape(-1)

    maps = engine.asarray(np.stack([bumps(shape[:2], 3, 0.06) for _ in range(k)]) + 0.01, "float32")
    patterns = engine.asarray(np.stack([bumps(shape[2:], 12, 0.02) for _ in range(k)]) + 1e-3, "float32")
    maps *= mean / (maps.mean(1) @ patterns.mean(1))
    torch.manual_seed(0)
    rows = max(1, block // (4 * m))
    blocks = []
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        counts = torch.poisson(maps[:, start:stop].T @ patterns).clamp_(max=65_535).to(torch.uint16)
        blocks.append(Block(np.arange(start, stop), counts))
    if engine.on_gpu:
        torch.cuda.empty_cache()
    return Generated(blocks)


def timed(engine: TorchEngine, work: Callable[[], Any], runs: int = 1) -> tuple[float, Any]:
    """Return the median of seconds until the device has done some work, and what it gave."""
    import torch

    def wait() -> None:
        if engine.on_gpu:
            torch.cuda.synchronize(engine.place)

    seconds, answer = [], None
    for _ in range(runs):
        wait()
        start = time.perf_counter()
        answer = work()
        wait()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), answer


def floors(engine: TorchEngine, held: Generated, runs: int) -> dict[str, float]:
    """Return seconds to read all counts once, and the bandwidths of reading them and of a plain copy."""
    import torch

    # four counts a word: the sum must not cost more than the reading
    flat = [block.values.reshape(-1) for block in held.blocks]
    words = [counts[: len(counts) // 4 * 4].view(torch.int64) for counts in flat]
    size = sum(counts.nbytes for counts in flat)
    timed(engine, lambda: [part.sum() for part in words])
    read, _ = timed(engine, lambda: [part.sum() for part in words], runs)
    source = torch.empty(min(2**30, max(2**20, size)), dtype=torch.uint8, device=engine.place)
    target = torch.empty_like(source)
    timed(engine, lambda: target.copy_(source))
    copy, _ = timed(engine, lambda: target.copy_(source), runs)
    return {
        "data_gb": size / 1e9,
        "read_s": read,
        "read_gb_per_s": size / read / 1e9,
        "copy_gb_per_s": 2 * source.nbytes / copy / 1e9,
    }


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the record of one size on one device."""
    import torch

    bare = TorchEngine(asked.device, products=asked.products)
    shape = (*asked.scan, *asked.detector)
    held = planted(bare, shape, asked.k, asked.mean, int(asked.block_mb * 1e6))
    engine = Holding(asked.device, asked.products, held=held)
    grids = [Grid(tuple(size), (1.0,) * 2) for size in (asked.scan, asked.detector)]
    matrix = Matrix(Outline(shape), *grids, *(np.ones(grid.size) for grid in grids))
    plan = NMF(asked.k, engine=engine).plan_for(matrix)
    record: dict[str, Any] = {"device": engine.place, "torch": torch.__version__, "shape": shape}
    record |= {"k": asked.k, "products": asked.products, "runs": asked.runs, "blocks": len(held)}
    if engine.on_gpu:
        record["gpu"] = torch.cuda.get_device_name(engine.place)
    record |= floors(engine, held, asked.runs)

    def through() -> Any:
        products = Work(matrix, plan).products
        rows = engine.zeros((asked.k, matrix.n_pixels), "float32") + 1
        with engine.threads():
            return products.through(rows, lambda values: (values, Found()))

    def sketch() -> Any:
        with engine.threads():
            return Work(matrix, plan).sketch

    def run(work: Callable[[], Any]) -> dict[str, float]:
        before = held.loads
        seconds, _ = timed(engine, work, asked.runs)
        passes = (held.loads - before) / len(held) / asked.runs
        return {"s": seconds, "floors": seconds / record["read_s"], "passes": passes}

    if engine.on_gpu:
        torch.cuda.reset_peak_memory_stats(engine.place)
    found = fit(matrix, plan)  # the first one also loads what the device computes with
    low = sketch()
    record["pass of width k"] = run(through)
    record["sketch"] = run(sketch)
    with engine.threads():
        record["solve"] = run(partial(solve, low, plan))
    record["whole fit"] = run(partial(fit, matrix, plan))
    rest = {
        key: record["whole fit"][key] - record["sketch"][key] - record["solve"][key]
        for key in record["solve"]
    }
    record["polish, exact error"] = rest
    record["relative_error"] = found.convergence.relative_error
    record["sketch_sweeps"] = found.notes["sketch_sweeps"]
    record["exact_sweeps"] = found.convergence.n_sweeps
    if engine.on_gpu:
        record["peak_gb"] = torch.cuda.max_memory_allocated(engine.place) / 1e9
    return record


def table(record: dict[str, Any]) -> str:
    """Return the record in words."""
    lines = [
        f"{record.get('gpu', record['device'])}, {record['products']}: {record['data_gb']:.2f} GB of counts, "
        f"k = {record['k']}, medians of {record['runs']}",
        f"reading all counts once: {record['read_s'] * 1e3:.2f} ms ({record['read_gb_per_s']:.0f} GB/s; "
        f"a copy moves {record['copy_gb_per_s']:.0f} GB/s)",
        f"{'':20}{'seconds':>10}{'x floor':>10}{'passes':>8}",
    ]
    for act in ("pass of width k", "sketch", "solve", "polish, exact error", "whole fit"):
        row = record[act]
        lines.append(f"{act:20}{row['s']:10.3f}{row['floors']:10.1f}{row['passes']:8.1f}")
    lines.append(f"relative error {record['relative_error']:.5f}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--scan", type=int, nargs=2, default=(256, 256))
    parser.add_argument("--detector", type=int, nargs=2, default=(256, 256))
    parser.add_argument("--k", type=int, default=30)
    parser.add_argument("--mean", type=float, default=5.0, help="counts per pixel")
    parser.add_argument("--products", default="float32", choices=("float32", "tf32", "bf16"))
    parser.add_argument("--block-mb", type=float, default=1000.0, help="of a block's float32 copy")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(arguments)
    record = measure(asked)
    print(table(record))
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
