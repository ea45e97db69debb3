"""The yardstick larger than memory, at a size that is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import on_disk
import out_of_core
import pytest

SMALL = ["--scan", "13x29", "--detector", "31x26", "--components", "3", "--dose", "2000", "--threads", "2"]


def spec(**changes: Any) -> on_disk.Spec:
    values = {"scan": (13, 29), "detector": (31, 26), "components": 3, "dose": 2000.0, "seed": 1}
    return on_disk.Spec(**{**values, "threads": 2, "budget_mb": 1.0, **changes})


@pytest.mark.parametrize(("kind", "suffix"), list(out_of_core.SUFFIX.items()))
def test_what_is_written_is_read_and_its_error_known(
    kind: str, suffix: str, tmp_path: Path, monkeypatch
) -> None:
    # parts that end within a row of the scan
    monkeypatch.setattr(on_disk, "BLOCK_BYTES", 20 * 31 * 26 * 2)
    given, file = spec(), tmp_path / f"counts{suffix}"
    assert [(part.y.start, part.x.stop) for part in given.parts()[:3]] == [(0, 16), (0, 29), (1, 16)]
    told = on_disk.write(file, given)
    read = on_disk.reading(file, given)
    counts = np.concatenate([read(part) for part in given.parts()]).astype(np.float64)
    maps, patterns = on_disk.model(given)
    rate = maps.astype(np.float64) @ patterns
    assert counts.shape == (13 * 29, 31 * 26)
    assert counts.sum(axis=1).mean() == pytest.approx(2000, rel=0.02)
    assert ((counts - rate) ** 2 / rate).mean() == pytest.approx(1, abs=0.02)
    assert told["error"] == pytest.approx(np.linalg.norm(counts - rate) / np.linalg.norm(counts), rel=1e-5)
    assert on_disk.error(file, given, maps.T, patterns) == pytest.approx(told["error"], rel=1e-5)
    floors = on_disk.floors(file, given)
    assert min(floors.values()) > 0


@pytest.mark.slow
def test_the_whole_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*SMALL, "--folder", str(tmp_path), "--out", str(tmp_path / "o.json"), "--cold"]
    assert out_of_core.main(words) == 0
    heard = capsys.readouterr()
    assert "writing" in heard.err
    assert "x both" in heard.out
    found = json.loads((tmp_path / "o.json").read_text())
    (run,) = found["runs"]
    assert run["ratio"] == pytest.approx(
        run["fit"]["wall_s"] / (run["floors"]["read_s"] + run["floors"]["products_s"])
    )
    assert run["fit"]["passes"] >= 4
    assert run["fit"]["error"] == pytest.approx(run["fit"]["reported_error"], rel=1e-4)
    assert run["fit"]["error"] < 1.02 * found["truth_error"]
    assert "every pass reads" in run["fit"]["held"]
    assert 20 < run["fit"]["anonymous_mb"] < run["fit"]["resident_mb"] <= 1.05 * run["fit"]["peak_mb"]
    assert "machine" in found
    _, given = out_of_core.settings(words)
    assert out_of_core.is_there(tmp_path / "counts.npy", given)
    assert not out_of_core.is_there(tmp_path / "counts.npy", given | {"seed": 5})
    assert not out_of_core.is_there(tmp_path / "others.npy", given)


@pytest.mark.parametrize(
    "words", [["--scan", "256"], ["--components", "0"], ["--threads", "0"], ["--scan", "0x4"]]
)
def test_what_cannot_be_asked_for(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        out_of_core.main(words)
    assert "expected" in capsys.readouterr().err
