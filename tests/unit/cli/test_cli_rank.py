"""``unmixel rank``: numbers to try, what is printed, what is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from unmixel.cli.main import app
from unmixel.cli.rank import ranks_of
from unmixel.core.errors import InputError

RECIPE = {
    "extends": "none",
    "prepare": [{"poisson_weights": {}}],
    "factorize": {"components": 3, "start": "random"},
    "interpret": {"group": {"rotation": {}}, "measure": {}},
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Counts of a ground and two components in rows and columns of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNMIXEL_DEBUG", raising=False)
    mean = np.full((13, 17, 11, 14), 6.0)
    mean[2:6, :, 3:6, :] += 9
    mean[:, 9:13, :, 8:11] += 7
    np.savez(tmp_path / "scan.npz", data=np.random.default_rng(4).poisson(mean).astype(np.uint16))
    (tmp_path / "recipe.yaml").write_text(json.dumps(RECIPE))
    return tmp_path / "scan.npz"


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["rank", *map(str, arguments)])


@pytest.mark.parametrize(
    ("text", "meant"), [("2..5", [2, 3, 4, 5]), ("2..9..3", [2, 5, 8]), ("7", [7]), ("2,9,4", [2, 9, 4])]
)
def test_numbers_to_try(text: str, meant: list[int]) -> None:
    assert ranks_of(text) == meant


@pytest.mark.parametrize("text", ["", "0..4", "5..2", "two", "2..x", "1..9..0", "3,-1"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--ranks"):
        ranks_of(text)


def test_json_holds_the_recommendation_and_all_evidence(file: Path) -> None:
    done = call(file, "--recipe", "recipe.yaml", "--ranks", "2..6..2", "--restarts", 1, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["n_components"] == found["most"] == 3
    assert [score["n_components"] for score in found["scores"]] == [2, 4, 6]
    assert found["scores"][0]["stability"] is None
    assert found["noise_edge"]["plain"]["above"] == 3


def test_people_read_the_reason_and_get_the_page(file: Path) -> None:
    done = call(file, "--recipe", "recipe.yaml", "--ranks", "2,5", "--out", "rank.html")
    assert done.exit_code == 0, done.output
    assert "Recommended: 3: held-out electrons confirm 3" in done.stdout
    assert "do not support more than 3 components" in done.stdout
    page = Path("rank.html").read_text(encoding="utf-8")
    assert "do not support more than 3 components" in page
    assert "data:image/png;base64," in page
    assert "http" not in page


def test_a_wrong_ending_is_told_before_any_work(file: Path) -> None:
    done = call(file, "--out", "rank.pdf")
    assert done.exit_code == 2
    assert ".html or .png" in done.output
