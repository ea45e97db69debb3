"""The benchmark of promised costs: its tables, its jobs on a tiny scan, what it prints and writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import promises
import promises_once
import pytest


@pytest.mark.parametrize("table", ["planted", "spectra"])
def test_tables_are_counts_of_the_size_asked_for_and_repeat(table: str, tmp_path: Path) -> None:
    found = []
    for name in ("one.npy", "two.npy"):
        assert promises_once.main(["write", str(tmp_path / name), table, "tiny"])["written"]
        found.append(np.load(tmp_path / name))
    assert found[0].shape == (8 * 8, 12 * 12)
    assert found[0].dtype == np.uint16
    assert found[0].mean() > 0
    np.testing.assert_array_equal(*found)


def test_every_job_tells_its_time_and_an_error_that_is_one(tmp_path: Path) -> None:
    file = str(tmp_path / "glass.npy")
    promises_once.main(["write", file, "glass", "tiny"])
    for name in ("scikit-learn", "best-of-three", "ours", "free", "physics"):
        record = promises_once.main([name, file, "glass", "2"])
        assert record["wall_s"] > 0
        assert 0 < record["error"] < 1
    best, one = (
        promises_once.main([name, file, "glass", "2"])["error"] for name in ("best-of-three", "ours")
    )
    assert one == pytest.approx(best, rel=0.05)


def test_ratios_are_formed_in_pairs() -> None:
    pairs = tuple(
        ({"wall_s": a, "error": 1.0}, {"wall_s": b, "error": e}) for a, b, e in [(1, 2, 1), (4, 4, 2)]
    )
    line = promises.Line("physics", "<= 3", pairs, promises.time_ratio)
    assert line.ratios == [2.0, 1.0]
    assert "1.5 [1, 2]" in line.text()
    assert promises.Line("starts", "", pairs, promises.excess).ratios == [0.0, 3.0]


@pytest.mark.slow
def test_a_run_prints_its_table_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "promises.json"
    words = ["--only", "starts", "--tables", "planted", "spectra", "--starts-size", "tiny"]
    assert promises.main([*words, "--out", str(file)]) == 0
    said = capsys.readouterr().out
    assert "starts, planted" in said
    rows = json.loads(file.read_text())["rows"]
    assert [row["name"] for row in rows] == ["starts, planted", "starts, spectra"]
    assert all(len(row["ratios"]) == 1 for row in rows)
    with pytest.raises(SystemExit):
        promises.parse(["--runs", "0"])
