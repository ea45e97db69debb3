"""Processes killed at random moments leave what is right, or say that it is not all, and hinder nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills children of POSIX systems")


def told(kind: str, count: int, place: Path, seed: int = 1) -> list[Any]:
    """Return what killed.py saw."""
    place.mkdir()
    command = [
        sys.executable,
        str(Path(__file__).with_name("killed.py")),
        kind,
        str(count),
        str(seed),
        str(place),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_bundle_whose_writer_is_killed_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    *seen, end = told("writers", 50, tmp_path / "o")
    assert len(seen) == 50
    assert all(0 <= one["number"] < 8 for one in seen)
    assert sum(one["rewritten"] for one in seen) >= 5  # else the moments say nothing
    assert end["left"] == ["result.nxs"]


def check_jobs(seen: list[Any]) -> None:
    for one in seen:
        assert one["correct"], one
        assert one["ends"], one
        assert one["litter"] == [], one
        assert one["status"] in ("none", "interrupted", "finished"), one
        assert one["seen"] != "nothing" or "expected a folder that 'unmixel run' wrote" in one["words"]


@pytest.mark.slow
def test_a_run_that_is_killed_tells_what_it_has_and_goes_on(tmp_path: Path) -> None:
    check_jobs(told("jobs", 4, tmp_path / "o"))


@pytest.mark.slow
def test_fifty_runs_that_are_killed_tell_what_they_have_and_go_on(tmp_path: Path) -> None:
    seen = told("jobs", 50, tmp_path / "o", seed=2)
    check_jobs(seen)
    assert len(seen) == 50
    assert {"partial", "result"} <= {one["seen"] for one in seen}
