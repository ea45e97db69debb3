"""The benchmark of the viewer measures what it says, on a scan that takes a moment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the viewer is an extra")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--no-scratch"]])
def test_small_scan_is_measured(tmp_path: Path, options: list[str]) -> None:
    out = tmp_path / "viewer.json"
    command = [
        sys.executable,
        "viewer.py",
        "--scan",
        "16x16",
        "--detector",
        "32x32",
        "--memory",
        "1MB",
        *options,
    ]
    subprocess.run([*command, "--out", str(out)], cwd=BENCHMARKS, check=True, capture_output=True)
    found = json.loads(out.read_text())
    assert found["data_gb"] == pytest.approx(2 * 16**2 * 32**2 / 1e9)
    assert all(one["updates_per_s"] > 0 for one in found["drag"].values())
    assert all(one["exact"] for words, one in found["drag"].items() if "at rest" in words)
    assert found["peak_mb"] > found["at_start_mb"] > 0
