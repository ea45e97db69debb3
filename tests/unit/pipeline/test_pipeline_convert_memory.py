"""Conversion within a memory budget, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PEAK = """
import sys, threading
from pathlib import Path
import unmixel
def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))
unmixel.convert("demo:planted?seed=1", sys.argv[2] + "small.zarr", verify=True)
before, peak, over = resident(), [0], threading.Event()
def watch():
    while not over.wait(0.005):
        peak[0] = max(peak[0], resident())
watcher = threading.Thread(target=watch)
watcher.start()
unmixel.convert(sys.argv[1], sys.argv[2], budget=int(sys.argv[3]), verify=True)
over.set()
watcher.join()
print(peak[0] - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("suffix", [".zarr", ".hspy"])
def test_memory_stays_within_the_budget(tmp_path: Path, suffix: str) -> None:
    """A scan of 400 MB, a budget of 120 MB: the peak above what the process had before, verification included."""
    rng = np.random.default_rng(0)
    block = rng.poisson(2.0, (16, 64, 128, 128)).astype(np.uint16)
    source = np.lib.format.open_memmap(tmp_path / "s.npy", "w+", np.uint16, (192, 64, 128, 128))
    for row in range(0, 192, 16):
        source[row : row + 16] = block
    source.flush()
    assert source.nbytes == 402_653_184
    budget = 120_000_000
    words = [sys.executable, "-c", PEAK, str(tmp_path / "s.npy"), str(tmp_path / f"s{suffix}"), str(budget)]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert int(ran.stdout) < budget
