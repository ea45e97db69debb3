"""``unmixel runs``, ``note``, ``promote``, ``compare``, ``plugins``: what is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unmixel.cli.main import app
from unmixel.lab.ledger import Ledger
from unmixel.lab.trial import Measured, Trial

ID = "20261130T101502-sparse-3f2a9c"


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNMIXEL_LAB", str(tmp_path / "lab"))
    monkeypatch.delenv("UNMIXEL_DEBUG", raising=False)
    found = Ledger.here()
    found.start(
        Trial(ID, "try", "sparse", "2026-11-30T10:15:02+00:00", hypothesis="fewer", recipe={"factorize": {}})
    )
    found.add(ID, Measured("glass", 1, "idea", {"found": 7.0}, seconds=2.0))
    found.add(ID, Measured("glass [bold]", 2, "idea", failed="too slow"))
    found.finish(ID, state="finished", conclusion="Better: found +1.")
    return found


def call(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def test_runs_lists_filters_and_shows(ledger: Ledger) -> None:
    assert ID in call("runs").output
    assert "Better: found +1." in call("runs", "sparse", "found>5").output
    assert "No trials" in call("runs", "found>9").output
    (told,) = json.loads(call("runs", "sparse", "--json").stdout)
    assert (told["id"], told["metrics"]["found"], told["promoted"]) == (ID, 7.0, False)
    shown = call("runs", "show", "3f2a").output
    assert "hypothesis     fewer" in shown
    assert "glass [bold]" in shown
    assert "too slow" in shown
    assert json.loads(call("runs", "show", ID, "--json").stdout)["measured"][0]["case"] == "glass"
    assert call("runs", "--rebuild").exit_code == 0
    assert "No trials" in call("runs", "--lab", "elsewhere").output
    wrong = call("runs", "fuond>5")
    assert wrong.exit_code == 2
    assert "Did you mean 'found'" in wrong.output


def test_notes_and_promotion(ledger: Ledger) -> None:
    assert call("note", "3f2a", "try more seeds").output == f"Noted with {ID}.\n"
    assert "It replaces the recipe that ships with unmixel." in call("promote", ID).output
    again = call("promote", ID)
    assert again.exit_code == 2
    assert "the promoted one already" in again.output
    listed = call("runs").output
    assert "* promoted" in listed
    assert "try more seeds" in call("runs", "show", ID).output


def test_compare_tells_what_it_needs(ledger: Ledger) -> None:
    one = call("compare", ID)
    assert one.exit_code == 2
    assert "two to 8" in one.output
    unknown = call("compare", ID, "20261130T101502-sparse-3f2a9d")
    assert f"Did you mean '{ID}'" in unknown.output


def test_plugins_are_listed(ledger: Ledger) -> None:
    text = call("plugins", "engines").output
    assert "unmixel.engines.numpy_engine:NumpyEngine" in text
    told = json.loads(call("plugins", "engines", "--json").stdout)
    assert [one["name"] for one in told] == ["dask", "numpy", "torch"]
    assert "laws" not in told[0]


def test_one_plugin_is_told_with_its_parameters(ledger: Ledger) -> None:
    text = call("plugins", "constraints", "sparse").output
    assert "L1 penalty" in text
    assert "standard deviations" in text
    told = json.loads(call("plugins", "step", "bin", "--json").stdout)
    assert (told["kind"], [one["name"] for one in told["parameters"]]) == ("steps", ["scan", "pattern"])
    wrong = call("plugins", "constraints", "spars")
    assert wrong.exit_code == 2
    assert "Did you mean 'sparse'" in wrong.output


def test_a_new_package_is_written_and_not_twice(ledger: Ledger) -> None:
    done = call("new", "package", "unmixel-rim")
    assert "pip install -e" in done.output
    assert Path("unmixel-rim/src/unmixel_rim/__init__.py").is_file()
    assert call("new", "package", "unmixel-rim").exit_code == 2
