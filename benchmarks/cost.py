"""Is the cost model right? Predicted and measured time of factorisations at three sizes, on one thread.

    python benchmarks/cost.py --out bench-results/cost.json

Both are seconds of the processor, so that other work on the machine says nothing: what a quiet machine would take.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import zarr

import unmixel
from unmixel import NMF
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.pipeline.cost import Job, Rates, compute_rates, predict, reading_of

DETECTOR, K, SWEEPS, SKETCH_SWEEPS, BUDGET = (128, 128), 8, 5, 30, 120_000_000
ROWS = 24, 48, 96
"""Rows of 64 positions: 50, 101 and 201 MB."""


def made(folder: Path, rows: int) -> Any:
    """Return a lazy scan of Poisson counts in a zarr store."""
    rng = np.random.default_rng(rows)
    maps, patterns = rng.random((rows * 64, K)), rng.random((K, DETECTOR[0] * DETECTOR[1])) ** 8
    path = folder / f"{rows}.zarr"
    shape = rows, 64, *DETECTOR
    stored = zarr.create_array(path, shape=shape, chunks=(4, 16, *DETECTOR), dtype="uint16")
    for start in range(0, rows, 4):
        counts = rng.poisson(maps[start * 64 : (start + 4) * 64] @ patterns)
        stored[start : start + 4] = counts.astype(np.uint16).reshape(-1, 64, *DETECTOR)
    return unmixel.open(path)


def compared(scan: Any) -> dict[str, float]:
    """Return predicted and measured seconds for a scan."""
    job = Job.of(scan, K, budget=BUDGET, workers=0, sweeps=SWEEPS)
    job = Job(**{**job.__dict__, "sketch_sweeps": SKETCH_SWEEPS})
    parts = compute_rates(1, scan.n_pixels, "uint16", K, process_time)
    # on one processor reading and computing do not overlap: seconds of the processor add up
    cost = predict(job, Rates(reading_of(scan, BUDGET, process_time).rate, *parts))
    predicted = sum(step.passes * (step.read_s + step.compute_s) for step in cost.steps)
    model = NMF(
        K, engine=NumpyEngine(1), sketch_sweeps=SKETCH_SWEEPS, max_iter=SWEEPS, tol=0, memory_budget=BUDGET
    )
    start = process_time()
    model.factorize(scan)
    measured = process_time() - start
    by_step = {step.name: step.passes * (step.read_s + step.compute_s) for step in cost.steps}
    return {
        "mb": job.n_bytes / 1e6, "kept": job.kept, "predicted_s": predicted, "measured_s": measured,
        "error": predicted / measured - 1, **by_step,
    }  # fmt: skip


def main() -> None:
    """Compare and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="of 64 positions, 2.1 MB each")
    parser.add_argument("--out", type=Path, default=Path("bench-results/cost.json"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [compared(made(Path(folder), rows)) for rows in asked.rows]
    for row in rows:
        print(
            f"{row['mb']:6.0f} MB{', kept' if row['kept'] else '':6s}: predicted {row['predicted_s']:6.1f} s, "
            f"measured {row['measured_s']:6.1f} s, {row['error']:+.0%}"
        )
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
