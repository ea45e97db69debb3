"""A scan larger than memory: a whole fit against what reading it once and two products of width k over it cost.

    python benchmarks/out_of_core.py --out bench-results/out_of_core.json          256 x 256 | 256 x 256, 8.6 GB
    python benchmarks/out_of_core.py --scan 64x64 --format zarr --cold             a smaller one, not from the cache

Each phase is a process of its own. The file is written first, unless it is in the folder already; where it is smaller
than the free memory, the system keeps it in its cache, and reading means copying: --cold drops it before each phase.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from child import ChildFailedError, run
from pairs import machine
from pairs import write as save

HERE = Path(__file__).parent
SUFFIX = {"npy": ".npy", "hdf5": ".h5", "zarr": ".zarr"}
LARGEST_BUDGET_MB = 800.0


def phase(name: str, file: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a phase measured, with its own peak of resident memory and what else kept the machine busy."""
    printed, cost = run([sys.executable, str(HERE / "on_disk.py"), name, str(file), json.dumps(spec)])
    return {**json.loads(printed.splitlines()[-1]), "peak_mb": cost.peak_mb, "others": cost.others}


def shape(text: str) -> tuple[int, int]:
    """Return ``256x256`` as numbers."""
    sizes = tuple(int(part) for part in text.split("x"))
    if len(sizes) != 2 or min(sizes) < 1:
        raise argparse.ArgumentTypeError("expected two numbers >= 1, such as 256x256")
    return sizes


def drop(file: Path) -> None:
    """Ask the system to forget what it keeps of a file, or of all files of a folder."""
    for part in [file] if file.is_file() else file.rglob("*"):
        if part.is_file():
            handle = os.open(part, os.O_RDONLY)
            try:
                os.fsync(handle)  # only what has been written can be forgotten
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)


def is_there(file: Path, spec: Mapping[str, Any]) -> bool:
    """Return whether the folder holds these counts already."""
    try:
        planted = json.loads(file.with_name(file.name + ".json").read_text())["planted"]
    except (OSError, ValueError, KeyError):
        return False
    wanted = {
        **{key: spec[key] for key in ("components", "dose", "seed")},
        "shape": [*spec["scan"], *spec["detector"]],
    }
    return bool(planted == wanted)


def once(file: Path, spec: Mapping[str, Any], *, cold: bool) -> dict[str, Any]:
    """Return one run: floors, then the fit, and their ratio."""
    found = {}
    for name in ("floors", "fit"):
        if cold:
            drop(file)
        found[name] = phase(name, file, spec)
    floor = found["floors"]["read_s"] + found["floors"]["products_s"]
    return {**found, "floor_s": floor, "ratio": found["fit"]["wall_s"] / floor}


def report(runs: Sequence[Mapping[str, Any]], n_bytes: int, truth: float) -> str:
    """Return the medians in words."""

    def middle(*keys: str) -> float:
        values = []
        for value in runs:
            for key in keys:
                value = value[key]
            values.append(value)
        return float(statistics.median(values))

    fit = runs[-1]["fit"]
    busy = [
        one[name]["others"] for one in runs for name in ("floors", "fit") if one[name]["others"] is not None
    ]
    lines = [
        f"{n_bytes / 1e9:.3g} GB, {len(runs)} run{'s' if len(runs) > 1 else ''}, medians",
        f"reading once          {middle('floors', 'read_s'):9.2f} s",
        f"two products          {middle('floors', 'products_s'):9.2f} s",
        f"whole fit             {middle('fit', 'wall_s'):9.2f} s = {middle('ratio'):.2f} x both",
        f"passes over the data  {middle('fit', 'passes'):9.2f}   ({fit['sweeps']} sweeps; {fit['reason']})",
        f"peak memory           {middle('fit', 'resident_mb'):9.0f} MB, imports included; "
        f"{middle('fit', 'anonymous_mb'):.0f} MB without mapped files",
        f"exact error           {middle('fit', 'error'):9.6f}   (reported {fit['reported_error']:.6f}; "
        f"of the truth {truth:.6f})",
        f"between passes        {fit['held']}",
    ]
    if busy and max(busy) > 0.1:
        lines.append(f"other work kept up to {max(busy):.1f} cores busy: measure again on a quiet machine")
    return "\n".join(lines)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def settings(words: Sequence[str] | None) -> tuple[argparse.Namespace, dict[str, Any]]:
    """Return what was asked for, and the specification of the scan and the fit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scan", type=shape, default=(256, 256), help="positions, such as 256x256")
    parser.add_argument("--detector", type=shape, default=(256, 256), help="pixels, such as 256x256")
    parser.add_argument("--components", type=int, default=20)
    parser.add_argument("--dose", type=float, default=40_000.0, help="mean counts per pattern")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=SUFFIX, default="npy", help="all without compression")
    parser.add_argument(
        "--folder", type=Path, help="where the file lies and stays; a temporary folder otherwise"
    )
    parser.add_argument("--budget-mb", type=float,
                        help=f"memory budget; {LARGEST_BUDGET_MB:g} MB, or a quarter of the file")  # fmt: skip
    parser.add_argument("--threads", type=int, default=cores(), help="that read, multiply and fit")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument(
        "--cold", action="store_true", help="drop the file from the system's cache before each phase"
    )
    parser.add_argument("--out", type=Path, help="JSON file")
    asked = parser.parse_args(words)
    for name in ("components", "threads", "runs"):
        if getattr(asked, name) < 1:
            parser.error(f"--{name}: expected at least 1")
    if asked.cold and not hasattr(os, "posix_fadvise"):
        parser.error("--cold: this system cannot be asked to forget a file")
    n_bytes = 2 * asked.scan[0] * asked.scan[1] * asked.detector[0] * asked.detector[1]
    keys = ("scan", "detector", "components", "dose", "seed", "threads")
    spec = {key: getattr(asked, key) for key in keys}
    spec["budget_mb"] = asked.budget_mb or min(LARGEST_BUDGET_MB, n_bytes / 4e6)
    return asked, spec


def main(words: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 where a phase failed."""
    asked, spec = settings(words)
    n_bytes = 2 * asked.scan[0] * asked.scan[1] * asked.detector[0] * asked.detector[1]
    with ExitStack() as stack:
        folder = asked.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="unmixel-bench-"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"counts{SUFFIX[asked.format]}"
        try:
            if not is_there(file, spec):
                if file.is_dir():
                    shutil.rmtree(file)
                print(f"writing {n_bytes / 1e9:.3g} GB of counts ...", file=sys.stderr, flush=True)
                phase("write", file, spec)
            truth = json.loads(file.with_name(file.name + ".json").read_text())["error"]
            runs = []
            for number in range(asked.runs):
                runs.append(once(file, spec, cold=asked.cold))
                print(f"run {number + 1}: fit {runs[-1]['fit']['wall_s']:.2f} s, floors {runs[-1]['floor_s']:.2f} s",
                      file=sys.stderr, flush=True)  # fmt: skip
        except ChildFailedError as error:
            print(error, file=sys.stderr)
            return 1
    if asked.out:
        save(asked.out, {"machine": machine(), "bytes": n_bytes, "spec": spec, "format": asked.format,
                         "cold": asked.cold, "truth_error": truth, "runs": runs})  # fmt: skip
    print(report(runs, n_bytes, truth))
    return 0


if __name__ == "__main__":
    sys.exit(main())
