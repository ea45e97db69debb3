"""The benchmark of the answers: its scans, how it judges, what its table says, and that it goes on where it stood."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import answers
import answers_once
import numpy as np
import pytest
from answers_cases import DIAMETERS, SIDES, sized, tilted
from child import ChildFailedError, Cost

from unmixel.testing.phantoms import truth_of


def test_scans_are_what_their_names_say() -> None:
    assert dict(truth_of(tilted("0", "3")).settings) == dict(
        truth_of("demo:glass?dose=40000&seed=3").settings
    )
    covered = []
    for diameter in DIAMETERS:
        truth = truth_of(sized(diameter, "2"))
        sizes = truth.diameters[truth.crystals]
        assert sizes.mean() == pytest.approx(float(diameter))
        assert 2.3548 * truth.probe_sigma == pytest.approx(1.0, abs=1e-4)
        assert [(axis.scale, axis.unit) for axis in truth.scan_axes] == [(1.0, "nm")] * 2
        covered.append(np.sum(sizes**2) / SIDES[diameter] ** 2)
    assert max(covered) < 1.05 * min(covered), "particles cover the same share of each scan"


def test_true_patterns_of_untilted_crystals_are_grouped_rightly() -> None:
    said = answers_once.main(["patterns", "0", "1"])
    assert (said["rand"], said["split"], said["groups"], said["wrong_pairs"]) == (1.0, 0, 3, [])
    assert said["rotation"] < 0.1


def test_a_wrong_rotation_and_a_wrong_group_are_told() -> None:
    from unmixel.interpret.cluster import RotationClusterer

    truth = truth_of("demo:glass?scan=40x44&precipitates=6&seed=2&lattices=2")
    factors, pairs = answers_once.as_found(truth), [(int(c) - 1, int(c)) for c in truth.crystals]
    groups = RotationClusterer().group(factors, seed=0)
    right = answers_once.rotation_errors(groups, factors.strengths, pairs, truth)
    assert len(right) == 4
    wrong = replace(groups, rotation_deg=np.where(groups.rotation_deg == 0, 0.0, groups.rotation_deg + 7))
    assert answers_once.rotation_errors(wrong, factors.strengths, pairs, truth) == pytest.approx(
        np.full(4, 7.0), abs=0.3
    )


@pytest.mark.slow
def test_sizes_of_a_small_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        answers_once,
        "sized",
        lambda diameter, seed: f"{sized('7', seed)}&precipitates=3&detector=36x32&spot=1.4".replace(
            "64x64", "26x28"
        ),
    )
    said = answers_once.main(["sizes", "7", "1", "--keep", str(tmp_path)])
    json.dumps(said, allow_nan=False)
    assert said["true"] == pytest.approx(7.0)
    assert said["low"] <= said["mean"] <= said["high"]
    assert said["covered"] == (said["low"] <= 7.0 <= said["high"])
    made = (tmp_path / "size-7-1" / "result.nxs").stat().st_mtime_ns
    assert answers_once.main(["sizes", "7", "1", "--keep", str(tmp_path)]) == said, "a kept run is read"
    assert (tmp_path / "size-7-1" / "result.nxs").stat().st_mtime_ns == made
    with pytest.raises(SystemExit, match="not of"):
        answers_once.finished("demo:glass", "size-7-1", tmp_path)


def test_pairs_are_timed() -> None:
    said = answers_once.main(["pairs", "6x40", "1"])
    assert said["patterns"] == 6
    assert said["wall_s"] == pytest.approx(sum(said["parts"].values()), rel=0.5)


def _answering(monkeypatch: pytest.MonkeyPatch, *, fail: str = "") -> list[list[str]]:
    """Put a stand-in where processes are started; return what it was called with."""
    calls: list[list[str]] = []

    def run(words: list[str]) -> tuple[str, Cost]:
        calls.append(words[2:])
        if words[2] == fail:
            raise ChildFailedError("it broke")
        record: dict[str, Any] = {
            "patterns": {"rand": 1.0, "rotation": 0.1, "split": 0, "found": 20},
            "components": {"rand": 0.7, "rotation": None, "split": 1, "found": 19},
            "sizes": {"off": -2.0, "fit_off": 6.0, "covered": int(words[-1] != "2"), "false": 0},
            "pairs": {"wall_s": 4.0},
        }[words[2]]
        return json.dumps(record), Cost(1.0, 1.0, 100.0)

    monkeypatch.setattr(answers, "run", run)
    return calls


def test_nothing_is_measured_twice_and_missed_targets_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    calls = _answering(monkeypatch)
    words = ["--only", "grouping", "sizes", "pairs", "--seeds", "2", "--repeats", "1"]
    words += ["--out", str(tmp_path / "new" / "answers.json")]
    assert answers.main(words) == 1
    assert len(calls) == 2 * (2 * 2 + 3) + 1
    shown = capsys.readouterr().out.splitlines()

    def line(start: str) -> str:
        return next(one for one in shown if one.startswith(f"| {start}"))

    assert line("true patterns, on zone axes: adjusted").endswith("| yes |")
    assert line("components, tilted by up to 3 degrees: adjusted").endswith("| NO |")
    assert line("components, on zone axes: rotation").endswith("| - |"), "not defined, not missed"
    assert line("5 nm: mean by fit").endswith("| NO |")
    assert line("7 nm: mean diameter").endswith("| yes |")
    assert line("10 nm: true mean").endswith("| NO |"), "one of two"
    assert "True mean in the interval: 3 of 6 scans" in "\n".join(shown)
    calls.clear()
    assert answers.main([*words, "--only-show"]) == 1
    assert answers.main(words) == 1
    assert not calls
    assert answers.main([*words, "--only", "pairs", "--again"]) == 0
    assert len(calls) == 1


def test_a_failure_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--only", "pairs", "--repeats", "2", "--out", str(tmp_path / "answers.json")]
    _answering(monkeypatch, fail="pairs")
    assert answers.main(words) == 1
    assert list(json.loads((tmp_path / "answers.json").read_text())["failed"]) == [
        "pairs|200x256|1",
        "pairs|200x256|2",
    ]
    calls = _answering(monkeypatch)
    assert answers.main(words) == 0
    assert len(calls) == 2


def test_rows_judge_every_value() -> None:
    row = answers.Row("x", (1.0, math.nan, 6.0), "within 5", answers.within(-5, 5))
    assert row.text() == "| x | 2 | 3.5 [1, 6] | within 5 | NO |"
    assert answers.Row("x", (6.0,), "", answers.anything).text().endswith("|  |  |")
