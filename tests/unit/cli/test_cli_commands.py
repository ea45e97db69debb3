"""The command line: thin, readable, the same words as the library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import unmixel
from unmixel.cli.main import app
from unmixel.core.errors import InputError
from unmixel.pipeline import stages
from unmixel.pipeline.reference import fields

runner = CliRunner()
GLASS = "demo:planted?seed=3"
QUICK = {
    "extends": "none",
    "factorize": {"components": 3, "max_iter": 6, "sketch_sweeps": 0, "tol": 0.0, "start": "random"},
    "interpret": {"group": {"rotation": {}}, "measure": {}},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    data = np.random.default_rng(2).poisson(3.0, (9, 11, 14, 13)).astype(np.uint16)
    np.savez(tmp_path / "scan.npz", data=data)
    (tmp_path / "quick.yaml").write_text(json.dumps(QUICK))
    return tmp_path / "scan.npz"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNMIXEL_DEBUG", raising=False)


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "report", lambda result, path: path.write_text("page"))


def call(*arguments: object) -> Any:
    return runner.invoke(app, [str(argument) for argument in arguments])


def test_version() -> None:
    assert call("--version").stdout == f"unmixel {unmixel.__version__}\n"
    done = subprocess.run(
        [sys.executable, "-m", "unmixel", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"unmixel {unmixel.__version__}\n"


def test_help_names_every_command_and_every_key() -> None:
    told = call("--help").stdout
    for command in ("info", "run", "report", "phantom"):
        assert command in told
    told = " ".join(call("run", "--help").stdout.split())
    assert all(key in told for key in set(fields()) - {"version"})
    extra: Any = fields()["factorize.components"].json_schema_extra
    assert extra["words"]["meaning"] in told


def test_no_command_shows_the_help() -> None:
    done = call()
    assert done.exit_code == 2
    assert "Commands" in done.output


def test_info_prints_a_card(file: Path) -> None:
    told = call("info", file).stdout
    assert "scan.npz" in told
    assert "9 x 11" in told
    card = json.loads(call("info", file, "--json").stdout)
    assert card["title"]
    assert {"label", "value", "light", "reason"} <= set(card["rows"][0])


def test_info_takes_the_scan_shape_and_drops_flyback(tmp_path: Path) -> None:
    np.save(tmp_path / "stack.npy", np.ones((12, 6, 6), np.uint8))
    told = call("info", "stack.npy", "--scan-shape", "3x4", "--drop-flyback", "--json")
    assert told.exit_code == 0, told.output
    assert "3 x 3" in told.stdout
    wrong = call("info", "stack.npy", "--scan-shape", "5x5")
    assert wrong.exit_code == 2
    assert "3 x 4" in wrong.stderr or "3x4" in wrong.stderr


@pytest.mark.usefixtures("no_page")
def test_run_prints_json_and_nothing_else(file: Path) -> None:
    done = call(
        "run", file, "--recipe", "quick.yaml", "-k", 2, "--set", "factorize.seed=4", "--out", "o", "--json"
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["components"] == 2
    assert found["status"] == "finished"
    assert "factorize" in done.stderr
    record = json.loads(Path("o", "record.json").read_text())
    assert record["seed"] == 4
    assert unmixel.load("o").maps.shape == (2, 9, 11)


@pytest.mark.usefixtures("no_page")
def test_run_prints_a_few_lines_for_people(file: Path) -> None:
    done = call("run", file, "--recipe", "quick.yaml")
    assert done.exit_code == 0, done.output
    assert "3 components" in done.stdout
    assert Path("scan.run/report.html").is_file()
    again = call("run", file, "--recipe", "quick.yaml")
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert "Traceback" not in again.output
    assert call("run", file, "--recipe", "quick.yaml", "--force").exit_code == 0


def test_a_dry_run_shows_the_recipe_and_does_nothing(file: Path) -> None:
    before = sorted(Path().iterdir())
    done = call("run", file, "--recipe", "quick.yaml", "--dry-run", "--components", 5)
    assert done.exit_code == 0, done.output
    assert "components: 5" in done.stdout
    assert "9 x 11 | 14 x 13" in done.stdout
    found = json.loads(call("run", file, "--recipe", "quick.yaml", "--dry-run", "--json").stdout)
    assert found["recipe"]["factorize"]["components"] == 3
    assert found["bytes"]["data"] == 9 * 11 * 14 * 13 * 2
    assert sorted(Path().iterdir()) == before


def test_a_dry_run_is_itself_a_recipe(file: Path) -> None:
    Path("again.yaml").write_text(call("run", file, "--recipe", "quick.yaml", "--dry-run").stdout)
    first, again = (
        json.loads(call("run", file, "--recipe", name, "--dry-run", "--json").stdout)["recipe"]
        for name in ("quick.yaml", "again.yaml")
    )
    assert first == again


def test_options_of_run_are_fields_of_the_recipe(tmp_path: Path) -> None:
    np.save(tmp_path / "stack.npy", np.ones((12, 6, 6), np.uint8))
    arguments = (
        "run",
        "stack.npy",
        "--scan-shape",
        "3x4",
        "--drop-flyback",
        "--engine",
        "torch",
        "--dry-run",
        "--json",
    )
    done = call(*arguments, "--set", "prepare=[]", "--set", "factorize.constraints=[]")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["recipe"]["read"] == {
        "scan_shape": [3, 4], "drop_flyback": True, "reader": None, "dataset": None, "voltage_kV": None,
        "convergence_mrad": None,
    }  # fmt: skip
    assert found["recipe"]["factorize"]["engine"] == "torch"
    assert found["scan_shape"] == [3, 3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "missing.mib"], "missing.mib"),
        (["run", "missing.mib"], "missing.mib"),
        (["run", "scan.npz", "--set", "factorize.componets=3"], "Did you mean 'components'?"),
        (["run", "scan.npz", "--set", "components"], "expected key=value"),
        (["run", "scan.npz", "--components", "0"], "greater than or equal to 1"),
        (["run", "scan.npz", "--recipe", "missing.yaml"], "missing.yaml"),
        (["run", "scan.npz", "--engine", "numpi"], "Did you mean 'numpy'?"),
        (["report", "missing.run"], "missing.run"),
        (["phantom", "demo:glas"], "demo:glass"),
        (["phantom", "demo:glass?doze=3"], "dose"),
        (["phantom", "demo:glass", "--out", "glass.txt"], ".npz"),
        (["rnu"], "rnu"),
        (["run", "scan.npz", "--bogus"], "--bogus"),
    ],
)
def test_mistakes_are_told_in_one_message(arguments: list[str], words: str, file: Path) -> None:
    done = call(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_fault_of_ours_is_told_without_a_traceback(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("no luck")

    monkeypatch.setattr(stages, "read", broken)
    done = call("run", file)
    assert done.exit_code == 1
    assert "unexpected ZeroDivisionError: no luck" in done.stderr
    assert "UNMIXEL_DEBUG=1" in done.stderr
    monkeypatch.setenv("UNMIXEL_DEBUG", "1")
    assert isinstance(call("run", file).exception, ZeroDivisionError)


def test_debug_keeps_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMIXEL_DEBUG", "1")
    assert isinstance(call("info", "missing.mib").exception, InputError)


def test_a_closed_pipe_is_no_fault(file: Path) -> None:
    command = f"{sys.executable} -m unmixel run {file} --recipe quick.yaml --dry-run | head -n 1"
    done = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONWARNINGS": ""},
    )
    assert "Traceback" not in done.stderr


def test_a_phantom_is_described_and_written() -> None:
    spec = "demo:glass?scan=9x11&detector=14x13&precipitates=2&seed=1"
    facts = json.loads(call("phantom", spec, "--json").stdout)
    assert facts["scan_shape"] == [9, 11]
    assert facts["components"] == {"beam": 1, "matrix": 1, "crystal": 2}
    told = call("phantom", spec, "--out", "glass.npz")
    assert told.exit_code == 0, told.output
    assert "9 x 11" in told.stdout
    scan, direct = unmixel.open("glass.npz"), unmixel.open(spec)
    np.testing.assert_array_equal(np.asarray(scan.data), np.asarray(direct.data))
    assert scan.scan_axes == direct.scan_axes
    assert scan.pattern_axes == direct.pattern_axes
    with np.load("glass.npz") as archive:
        assert archive["truth_maps"].shape == (4, 9, 11)
        assert archive["truth_kinds"].tolist() == ["beam", "matrix", "crystal", "crystal"]
    assert call("phantom", spec, "--out", "glass.npz").exit_code == 2
    assert call("phantom", spec, "--out", "glass.npz", "--force").exit_code == 0


def test_the_main_job_with_the_shipped_recipe_and_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """From address to page, nothing replaced."""
    spec = "demo:glass?scan=13x17&detector=31x26&precipitates=3&dose=20000"
    done = call("run", spec, "--components", 4, "--out", "o", "--set", "factorize.max_iter=5")
    assert done.exit_code == 0, done.output
    page = Path("o/report.html").read_text(encoding="utf-8")
    assert "<html" in page
    result = unmixel.load("o")
    assert [step["name"] for step in result.record["steps"]] == [
        "center",
        "measure_beam",
        "mask_beam",
        "poisson_weights",
    ]
    names = [constraint["name"] for constraint in result.factors.settings["constraints"]]
    assert {"nonnegative", "resolution", "spot_shape", "sparse"} == set(names)
    assert result.maps.shape == (4, 13, 17)
    monkeypatch.setattr(stages, "report", lambda again, path: path.write_text(str(again.maps.shape)))
    assert call("report", "o").stdout == "Report: o/report.html\n"
    assert Path("o/report.html").read_text() == "(4, 13, 17)"
