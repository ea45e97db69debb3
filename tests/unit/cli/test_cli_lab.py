"""``unmixel try``, ``new`` and ``suite``: what is printed and which status comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from unmixel.cli.main import REFUSED, app


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNMIXEL_DEBUG", raising=False)
    monkeypatch.delenv("UNMIXEL_LAB", raising=False)
    return tmp_path


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_a_template_is_written_once(here: Path) -> None:
    done = call("new", "distance", "by_shape")
    assert (done.exit_code, done.output.strip()) == (
        0,
        "Written: by_shape.py. Try it: unmixel try by_shape.py",
    )
    assert "class ByShape:" in (here / "by_shape.py").read_text()
    again = call("new", "distance", "by_shape")
    assert again.exit_code == REFUSED
    assert "is there already" in again.output
    for wrong in (("new", "distance", "By Shape"), ("new", "distance", "rotation"), ("new", "idea", "x")):
        assert call(*wrong).exit_code == REFUSED


def test_suites_are_added_shown_listed_and_removed(here: Path) -> None:
    np.save("mine.npy", np.ones((3, 4, 8, 9), np.uint16))
    assert "judged by held_out" in call("suite", "add", "mine", "mine.npy").output
    assert {"quick", "full", "mine"} == set(json.loads(call("suite", "list", "--json").output))
    assert "held_out (lower is better)" in call("suite", "show", "mine").output
    assert str(here / "mine.npy") in call("suite", "show", "mine").output
    assert call("suite", "show", "quick", "--json").exit_code == 0
    assert call("suite", "remove", "mine").exit_code == 0
    assert call("suite", "remove", "mine").exit_code == REFUSED
    elsewhere = call("suite", "add", "mine", "mine.npy", "--lab", "other")
    assert elsewhere.exit_code == 0
    assert (here / "other" / "suites" / "mine.yaml").is_file()


def test_a_broken_idea_is_refused_with_its_line(here: Path) -> None:
    (here / "bad.py").write_text("class Bad:\n    def apply(self scan): ...\n")
    done = call("try", "bad.py")
    assert done.exit_code == REFUSED
    assert "bad.py, line 2: this is not Python" in done.output
    assert "Traceback" not in done.output


@pytest.mark.slow
def test_a_verdict_is_a_table_or_json(here: Path) -> None:
    (here / "unmixel-lab" / "suites").mkdir(parents=True)
    told = {
        "judged": ["truth_error"],
        "seeds": [1, 2],
        "cases": {"a": {"scan": "demo:glass?scan=9x10&detector=20x22&precipitates=1&spot=1.4&dose=3000"}},
        "recipe": {
            "prepare": [{"center": {}}, {"mask_beam": {}}, {"poisson_weights": {}}],
            "factorize": {"components": 2, "constraints": [{"nonnegative": {}}], "max_iter": 3},
            "interpret": {"group": None},
        },
    }
    (here / "unmixel-lab" / "suites" / "tiny.yaml").write_text(yaml.safe_dump(told))
    assert call("new", "start", "by_chance").exit_code == 0
    done = CliRunner().invoke(app, ["try", "by_chance.py", "--suite", "tiny", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["metrics"][0]["metric"] == "truth_error"
    assert found["verdict"] == "no evidence"
    table = call("try", "by_chance.py", "--suite", "tiny", "--hypothesis", "less bias")
    assert table.exit_code == 0
    assert "truth error" in table.output
    assert "No evidence: truth_error" in table.output
    assert "less bias" in call("runs", "show", json_id(table.output)).output


def json_id(text: str) -> str:
    """Return the id of the trial that a table names."""
    return text.rsplit("Trial: ", 1)[1].split()[0]
