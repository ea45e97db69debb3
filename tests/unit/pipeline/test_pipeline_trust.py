"""What a run says of trust: by its recipe, recorded, the same when it is resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from unmixel.cli.main import app
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.scan import Scan
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.run import run
from unmixel.pipeline.summary import lines, summary
from unmixel.prepare.weights import PoissonWeights

pytestmark = pytest.mark.usefixtures("no_page")

SCAN, PATTERN = (16, 18), (14, 13)


@pytest.fixture(scope="module")
def scan() -> Scan:
    """A matrix and two crystals of 4 x 4 positions; one component cannot hold them."""
    rng = np.random.default_rng(0)
    patterns = rng.gamma(0.3, 1, (3, *PATTERN))
    patterns /= patterns.sum(axis=(1, 2), keepdims=True)
    maps = np.stack([np.full(SCAN, 900.0), np.zeros(SCAN), np.zeros(SCAN)])
    maps[1, 2:6, 3:7] = maps[2, 9:13, 11:15] = 700
    return Scan.from_array(rng.poisson(np.tensordot(maps, patterns, axes=(0, 0))))


def recipe(*steps: str, **factorize: Any) -> dict[str, Any]:
    prepare: list[Any] = [{name: {}} for name in steps]
    return {
        "extends": "none",
        "prepare": prepare,
        "factorize": {"components": 1, "max_iter": 40, **factorize},
        "interpret": {"group": None},
    }


def test_errors_and_places_are_told_by_default(scan: Scan, tmp_path: Path) -> None:
    result = run(scan, recipe("poisson_weights"), out=tmp_path / "r")
    assert result.factors.uncertainty is not None
    assert result.factors.uncertainty.stability is None
    assert result.factors.leftovers is not None
    assert result.factors.leftovers.n_peaks == 2
    assert {tuple(place // 8) for place in result.factors.leftovers.places} == {(0, 0), (1, 1)}
    assert "judge" in result.record["timings_s"]
    assert summary(result)["residual_places"] == 2
    assert any(line.startswith("2 places stand out in the residual") for line in lines(result))


def test_nothing_is_told_where_nothing_is_asked(scan: Scan, tmp_path: Path) -> None:
    result = run(scan, recipe(uncertainty="none", residual_peaks=0), out=tmp_path / "r")
    assert result.factors.uncertainty is None
    assert result.factors.leftovers is None


def test_places_become_components(scan: Scan, tmp_path: Path) -> None:
    result = run(scan, recipe("poisson_weights", promote=5, uncertainty="stability"), out=tmp_path / "r")
    factors = result.factors
    assert factors.n_components == 3
    assert factors.settings["promoted"] == 2
    assert factors.leftovers is not None
    assert factors.leftovers.n_peaks == 0
    assert factors.uncertainty is not None
    assert factors.uncertainty.stability is not None
    assert factors.uncertainty.stability.min() > 0.6
    assert summary(result)["stability"] == factors.uncertainty.stability.tolist()
    assert not any("in the residual (" in line for line in lines(result))
    assert any("2 structures of the residual became a component each" in n for n in result.record["notes"])


def test_nothing_to_promote_is_said(scan: Scan, tmp_path: Path) -> None:
    flat = Scan.from_array(np.random.default_rng(0).poisson(9.0, (9, 10, 12)))
    result = run(flat, recipe(promote=3), out=tmp_path / "r")
    assert result.factors.n_components == 1
    assert any("no structure was promoted" in note for note in result.record["notes"])


def test_data_that_cannot_be_halved_are_judged_by_restarts(scan: Scan, tmp_path: Path) -> None:
    half = Scan.from_array(scan.data / 2)
    result = run(half, recipe(uncertainty="stability", components=3), out=tmp_path / "r")
    assert result.factors.uncertainty is not None
    assert "two other starts" in result.factors.uncertainty.method
    assert any("cannot be halved" in note for note in result.record["notes"])


def test_data_of_a_measured_gain_are_halved(scan: Scan, tmp_path: Path) -> None:
    settings = recipe("poisson_weights", uncertainty="stability", components=3)
    result = run(Scan.from_array(scan.data / 2), settings, out=tmp_path / "r")
    assert result.factors.uncertainty is not None
    assert result.factors.uncertainty.gain == pytest.approx(0.5, rel=0.1)
    assert "independent halves" in result.factors.uncertainty.method
    assert not any("cannot be halved" in note for note in result.record["notes"])


def test_what_is_not_counts_is_told_by_the_run(scan: Scan, tmp_path: Path) -> None:
    result = run(Scan.from_array(scan.data * 0.3), recipe("poisson_weights"), out=tmp_path / "r")
    assert any(
        n.startswith("Warning of poisson_weights: The data are not whole") for n in result.record["notes"]
    )
    assert result.factors.uncertainty is not None
    assert result.factors.uncertainty.gain == pytest.approx(0.3, rel=0.1)


def test_the_gain_is_that_of_the_weights(scan: Scan) -> None:
    assert Matrix.from_scan(scan).gain == 1
    assert Matrix.from_scan(PoissonWeights(gain=2.5).apply(scan)).gain == 2.5


def test_the_command_line_promotes(tmp_path: Path) -> None:
    call = ["run", "demo:planted", "--promote-residual", "4", "--dry-run", "--json"]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    assert '"promote": 4' in done.output


@pytest.mark.parametrize(
    "wrong", [{"promote": -1}, {"residual_peaks": -2}, {"uncertainty": "some"}, {"promote": 1.5}]
)
def test_wrong_wishes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Recipe.from_dict({"factorize": wrong})
