"""Times and memory of the main job:  make bench

Every number is of a child process of its own: CPU seconds (user + system) and peak memory, as it ended.
The whole MgO scan is measured where it lies beside the repository (../shared/data); the shipped crop always.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from child import ChildFailedError, Cost, run
from pairs import machine, write

ROOT = Path(__file__).parents[1]
CROP = ROOT / "examples" / "data" / "mgo_crop.hspy"
WHOLE = ROOT.parent / "shared" / "data" / "mgo_sped" / "mgo_nanoparticles.zspy"
GLASS = "demo:glass?scan=64x64&detector=64x64&dose=40000&seed=1"


def cost(*words: str) -> Cost:
    """Run ``python -m unmixel`` with `words` and return what it took."""
    try:
        return run([sys.executable, "-m", "unmixel", *words])[1]
    except ChildFailedError as error:
        raise SystemExit(str(error)) from None


def show(name: str, runs: list[Cost]) -> dict[str, Any]:
    """Print and return medians of CPU and wall time and the largest memory."""
    cpu, wall = (statistics.median(getattr(one, key) for one in runs) for key in ("cpu_s", "wall_s"))
    peak = max(one.peak_mb for one in runs)
    print(f"{name:44} {len(runs):3} {cpu:9.2f} {wall:9.2f} {peak:9.0f}", flush=True)
    return {"command": name, "runs": [asdict(one) for one in runs]} | asdict(Cost(cpu, wall, peak))


def planted() -> list[dict[str, Any]]:
    """Print and return how near the planted cube's truth is, in memory and lazy."""
    # imported here: a child's peak memory counts what its parent held when it was started
    import dask.array as da
    import numpy as np

    import unmixel
    from unmixel.io.demo import phantom
    from unmixel.testing import metrics

    scan, truth = phantom("demo:planted")
    true = truth.expected
    said = []
    lazy = da.from_array(np.asarray(scan.data), chunks=(7, 11, -1, -1))
    for name, data in (("in memory", scan.data), ("lazy", lazy)):
        twin = unmixel.Scan(data, scan.scan_axes, scan.pattern_axes)
        found = unmixel.NMF(truth.n_components, random_state=0).factorize(twin)
        maps, patterns = (f.reshape(truth.n_components, -1) for f in (found.maps, found.patterns))
        error = np.linalg.norm(maps.T @ patterns - true) / np.linalg.norm(true)
        cosine = metrics.match(found.maps, found.patterns, truth.maps, truth.patterns).pattern_cosine.min()
        print(f"planted cube {name}: relative error to truth {error:.4f}, smallest cosine {cosine:.4f}")
        said.append({"data": name, "error_to_truth": float(error), "smallest_cosine": float(cosine)})
    return said


def commands() -> list[dict[str, Any]]:
    """Print and return what the commands take."""
    print(f"{'command':44} {'n':>3} {'CPU s':>9} {'wall s':>9} {'peak MB':>9}")
    said = [
        show("unmixel --help", [cost("--help") for _ in range(5)]),
        show("unmixel info (crop)", [cost("info", str(CROP)) for _ in range(5)]),
    ]
    if WHOLE.exists():
        said.append(show("unmixel info (whole MgO scan)", [cost("info", str(WHOLE)) for _ in range(5)]))
    with tempfile.TemporaryDirectory() as folder:
        jobs = {
            "crop, 8 components": [str(CROP), "--components", "8"],
            "demo:glass 64x64, 40 components": [GLASS, "--components", "40"],
        }
        if WHOLE.exists():
            jobs["whole MgO scan, 12 components"] = [str(WHOLE)]
        for name, words in jobs.items():
            said.append(
                show(f"unmixel run ({name})", [cost("run", *words, "--out", f"{folder}/run", "--force")])
            )
    return said


def main() -> None:
    """Print the tables, and keep them where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="JSON file")
    asked = parser.parse_args()
    said = {"machine": machine(), "commands": commands(), "planted": planted()}
    if asked.out:
        write(asked.out, said)


if __name__ == "__main__":
    main()
