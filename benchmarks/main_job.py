"""Times and memory of the main job:  make bench

Every number is of a child process of its own: CPU seconds (user + system) and peak memory, as it ended.
The whole MgO scan is measured where it lies beside the repository (../shared/data); the shipped crop always.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
CROP = ROOT / "examples" / "data" / "mgo_crop.hspy"
WHOLE = ROOT.parent / "shared" / "data" / "mgo_sped" / "mgo_nanoparticles.zspy"
GLASS = "demo:glass?scan=64x64&detector=64x64&dose=40000&seed=1"


@dataclass(frozen=True)
class Cost:
    """What one command took.

    Parameters
    ----------
    cpu_s, wall_s : float
    peak_mb : float
    """

    cpu_s: float
    wall_s: float
    peak_mb: float


def cost(*words: str) -> Cost:
    """Run ``python -m unmixel`` with `words` and return what it took."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "unmixel", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert child.stderr is not None
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"unmixel {' '.join(words)} failed:\n{said.decode()}")
    kilo = 1e6 if sys.platform == "darwin" else 1e3  # macOS counts bytes, Linux kilobytes
    wall = time.perf_counter() - started
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / kilo)


def show(name: str, runs: list[Cost]) -> None:
    """Print medians of CPU and wall time and the largest memory."""
    cpu, wall = (statistics.median(getattr(run, key) for run in runs) for key in ("cpu_s", "wall_s"))
    peak = max(run.peak_mb for run in runs)
    print(f"{name:44} {len(runs):3} {cpu:9.2f} {wall:9.2f} {peak:9.0f}", flush=True)


def planted() -> None:
    """Print how near the planted cube's truth is, in memory and lazy."""
    # imported here: a child's peak memory counts what its parent held when it was started
    import dask.array as da
    import numpy as np

    import unmixel
    from unmixel.io.demo import phantom
    from unmixel.testing import metrics

    scan, truth = phantom("demo:planted")
    true = truth.expected
    lazy = da.from_array(np.asarray(scan.data), chunks=(7, 11, -1, -1))
    for name, data in (("in memory", scan.data), ("lazy", lazy)):
        twin = unmixel.Scan(data, scan.scan_axes, scan.pattern_axes)
        found = unmixel.NMF(truth.n_components, random_state=0).factorize(twin)
        maps, patterns = (f.reshape(truth.n_components, -1) for f in (found.maps, found.patterns))
        error = np.linalg.norm(maps.T @ patterns - true) / np.linalg.norm(true)
        cosine = metrics.match(found.maps, found.patterns, truth.maps, truth.patterns).pattern_cosine.min()
        print(f"planted cube {name}: relative error to truth {error:.4f}, smallest cosine {cosine:.4f}")


def main() -> None:
    """Print the table."""
    print(f"{'command':44} {'n':>3} {'CPU s':>9} {'wall s':>9} {'peak MB':>9}")
    show("unmixel --help", [cost("--help") for _ in range(5)])
    show("unmixel info (crop)", [cost("info", str(CROP)) for _ in range(5)])
    if WHOLE.exists():
        show("unmixel info (whole MgO scan)", [cost("info", str(WHOLE)) for _ in range(5)])
    with tempfile.TemporaryDirectory() as folder:
        out = ["--out", f"{folder}/run", "--force"]
        show("unmixel run (crop, 8 components)", [cost("run", str(CROP), "--components", "8", *out)])
        show(
            "unmixel run (demo:glass 64x64, 40 components)", [cost("run", GLASS, "--components", "40", *out)]
        )
        if WHOLE.exists():
            show("unmixel run (whole MgO scan, 12 components)", [cost("run", str(WHOLE), *out)])
    planted()


if __name__ == "__main__":
    main()
