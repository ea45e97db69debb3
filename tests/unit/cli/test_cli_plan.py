"""``unmixel plan``: units at the door, what is printed, what is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unmixel.cli.main import app

ASKED = (
    "--size", "60 angstrom", "--structure", "CuZr", "--probe", "1.9nm", "--step", "1nm",
    "--detector", "31x26", "--angle-per-pixel", "0.9mrad",
)  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNMIXEL_DEBUG", raising=False)
    return tmp_path


def call(*words: str) -> Any:
    return CliRunner().invoke(app, ["plan", *words])


def test_table_figure_and_record(here: Path) -> None:
    done = call(*ASKED, "--probability", "0.5", "--dwell", "500fps", "--out", "plan.png")
    assert done.exit_code == 0, done.output
    told = " ".join(done.stdout.split())
    assert "find a precipitate of 6 nm with a probability of 0.5" in told
    assert "0.002 s per position (500 frames per second)" in told
    assert (here / "plan.png").read_bytes().startswith(b"\x89PNG")
    record = json.loads((here / "plan.json").read_text(encoding="utf-8"))
    assert record["kind"] == "plan"
    assert record["setup"]["pixel"] == pytest.approx(0.0457, abs=1e-4)
    assert record["acquisition"]["dose"] > 0
    refused = call(*ASKED, "--out", "plan.png")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr


def test_json_says_why_there_is_no_dose(here: Path) -> None:
    done = call(*ASKED, "--probability", "0.9999", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["acquisition"] is None
    assert said["at_random"] is None
    assert "No dose" in said["verdict"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--size", "7"), "--size: expected a number with its unit, nm"),
        (("--size", "7mrad"), "--size: expected a number with its unit, nm"),
        (("--step", "a nm"), "--step: expected a number"),
        (("--angle-per-pixel", "1nm"), "--angle-per-pixel: expected a number with its unit, 1/angstrom or mrad"),
        (("--voltage", "300"), "--voltage: expected a number with its unit, kV"),
        (("--dwell", "fps"), "--dwell: expected a time or frames per second"),
        (("--dwell", "0fps"), "--dwell: expected a time or frames per second"),
        (("--matrix", "steel"), "--matrix: expected glass"),
        (("--orientations", "some"), "orientations: expected random or zone"),
        (("--foil", "1nm"), "foil thickness: expected at least the size of a precipitate"),
        (("--probability", "90"), "probability: expected a number between 0 and 1"),
        (("--out", "plan.pdf"), "--out: expected a name that ends in .png"),
        (("demo:glass",), "either a scan (or a run), or --size"),
    ],
)  # fmt: skip
def test_wrong_words_are_refused_at_the_door(here: Path, words: tuple[str, ...], told: str) -> None:
    done = call(*ASKED, *words)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
    assert not list(here.iterdir())


def test_what_is_missing_is_named(here: Path) -> None:
    done = call("--size", "7nm", "--probe", "1nm")
    assert done.exit_code == 2
    assert "got nothing for --step, --angle-per-pixel" in done.stderr


@pytest.mark.slow
def test_a_scan_is_looked_at(here: Path) -> None:
    done = call(
        "demo:glass?scan=16x17&detector=32x32&spot=1.5&dose=60000&precipitates=2", "--out", "seen.png"
    )
    assert done.exit_code == 0, done.output
    assert "are found with a probability of 0.9" in done.stdout
    record = json.loads((here / "seen.json").read_text(encoding="utf-8"))
    assert record["kind"] == "outlook"
    assert record["smallest_nm"] > 1
