"""One fit in a process of its own:  python benchmarks/fit_once.py PEER FILE.npy K

Prints one line of JSON: wall and CPU seconds of the fit, peak memory above the input, exact error. The program is the
same for every peer. Imports and a warm-up on a small table come first and are not measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import resource
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from child import RSS_UNIT
from memory import told_mb
from peers import ALL, Factors, Peer

WARM_UP = (240, 200)  # large enough for every path of a fit, small enough to cost nothing


class PeakMemory:
    """The largest resident memory of this process since `start`.

    Linux can be asked to forget the peak so far, so that what imports once needed does not hide what a fit needs.
    Elsewhere the peak is that of the whole life of the process, and `start` the peak until then.
    """

    def start(self) -> None:
        """Forget the peak so far."""
        self.source = "ru_maxrss"
        try:
            Path("/proc/self/clear_refs").write_text("5")
            self.source = "VmHWM"
            self.before = self._now()
        except (OSError, LookupError):
            self.source = "ru_maxrss"
            self.before = self._now()

    def _now(self) -> float:
        if self.source == "VmHWM":
            return told_mb()["VmHWM"]
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * RSS_UNIT / 1e6

    def above(self) -> float:
        """Return by how much the peak rose since `start`, in MB (10^6 bytes)."""
        return max(0.0, self._now() - self.before)


def relative_error(counts: Any, maps: Any, patterns: Any, *, block_mb: float = 32.0) -> float:
    """Return ``||X - W H|| / ||X||`` (Frobenius), every difference formed in float64, block by block."""
    rows = max(1, int(block_mb * 1e6 / (8 * counts.shape[1])))
    maps, patterns = np.asarray(maps, np.float64), np.asarray(patterns, np.float64)
    misfit = norm = 0.0
    for start in range(0, len(counts), rows):
        block = counts[start : start + rows].astype(np.float64)
        norm += float(np.vdot(block, block))
        block -= maps[start : start + rows] @ patterns
        misfit += float(np.vdot(block, block))
    return float(np.sqrt(misfit / norm))


def check(found: Factors, counts: Any, k: int) -> None:
    """Refuse what is no answer to the question: wrong shapes, numbers that are not finite or negative."""
    n, m = counts.shape
    if found.maps.shape != (n, k) or found.patterns.shape != (k, m):
        raise SystemExit(f"factors of shapes {found.maps.shape} and {found.patterns.shape}")
    for factor in (np.asarray(found.maps), np.asarray(found.patterns)):
        if not np.isfinite(factor).all() or factor.min() < 0:
            raise SystemExit("factors are not finite and non-negative")


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def blas() -> list[dict[str, Any]]:
    """Return the libraries that multiply matrices here, and their threads."""
    from threadpoolctl import threadpool_info

    keys = ("user_api", "internal_api", "version", "num_threads")
    return [{key: pool.get(key) for key in keys} for pool in threadpool_info()]


def measure(peer: Peer, file: Path, k: int) -> dict[str, Any]:
    """Return the record of one fit."""
    rng = np.random.default_rng(0)
    peer.fit(rng.poisson(5.0, WARM_UP).astype(np.uint16), 2)
    counts = np.load(file)
    meter = PeakMemory()
    meter.start()
    wall, cpu = time.perf_counter(), time.process_time()
    found = peer.fit(counts, k)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    above = meter.above()
    check(found, counts, k)
    return {
        "peer": peer.name,
        "k": k,
        "shape": list(counts.shape),
        "input_mb": counts.nbytes / 1e6,
        "wall_s": wall,
        "cpu_s": cpu,
        "peak_mb": above,
        "peak_from": meter.source,
        "error": relative_error(counts, found.maps, found.patterns),
        "reported_error": found.reported,
        "iterations": None if found.iterations is None else int(found.iterations),
        "setting": found.setting,
        "versions": versions("numpy", "scipy", "scikit-learn", "hyperspy", "unmixel"),
        "blas": blas(),
    }


def main() -> None:
    """Print the record, or that the peer is absent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=list(ALL))
    parser.add_argument("file", type=Path)
    parser.add_argument("k", type=int)
    parser.add_argument("--source", type=Path, help="where the package has to come from")
    asked = parser.parse_args()
    peer = ALL[asked.peer]
    try:
        package = importlib.import_module(peer.package)
    except ImportError as error:
        print(json.dumps({"absent": str(error)}))
        return
    if asked.source and asked.source.resolve() not in Path(package.__file__ or "").resolve().parents:
        raise SystemExit(f"{peer.package} comes from {package.__file__}, not from {asked.source}")
    print(json.dumps(measure(peer, asked.file, asked.k)))


if __name__ == "__main__":
    main()
