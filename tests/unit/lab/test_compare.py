"""Comparisons: only like with like, everything that differs, on a page that needs nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unmixel.core.errors import InputError, RunExistsError
from unmixel.dataset.results import Convergence, Factors
from unmixel.lab.compare import Contestant, compare, page_of, paired, recipe_differences
from unmixel.lab.entered import enter, measured_of, trial_of
from unmixel.lab.ledger import Ledger, fresh_id
from unmixel.lab.trial import BASELINE, IDEA, Measured, Trial
from unmixel.lab.wall import Answer, write_answer
from unmixel.report.comparison import figure_pairs, rendered
from unmixel.testing.results import example_result


def factors(order: list[int], *, scale: float = 1.0) -> Factors:
    rng = np.random.default_rng(0)
    from unmixel.dataset.axes import Axis

    maps, patterns = rng.random((3, 7, 9)), rng.random((3, 6, 8)) ** 4
    return Factors(
        maps=scale * maps[order],
        patterns=patterns[order] / scale,
        scan_axes=(Axis("y", 7, unit="nm"), Axis("x", 9, unit="nm")),
        pattern_axes=(Axis("v", 6), Axis("u", 8)),
        used_pixels=np.ones((6, 8), bool),
        fill="zero",
        strengths=np.full(len(order), 1 / len(order)),
        convergence=Convergence((3.0, 2.0, 1.5), 0.1, 3, True, "settled"),
        flags=((),) * len(order),
    )


def tried(ledger: Ledger, name: str, gain: float, order: list[int], **changes: object) -> str:
    """A trial of ten pairs that kept one result."""
    given: dict[str, object] = {
        "recipe": {"factorize": {"constraints": [{"sparse": {"weight": gain}}]}},
        "data": {"glass": "demo:glass"},
        "code": f"weight = {gain}\n",
        "hypothesis": f"<b>{name}</b> finds more",
    }
    trial = Trial(fresh_id(name), "try", name, "2026-11-30T10:00:00+00:00", **(given | changes))  # type: ignore[arg-type]
    place = ledger.start(trial)
    write_answer(place / "kept.npz", Answer(factors(order)))
    for seed in range(10):
        for variant, extra in ((BASELINE, 0.0), (IDEA, gain)):
            metrics = {"truth_error": 1 + np.sin(seed) - extra + 0.01 * np.cos(seed * extra), "error": 0.5}
            kept = "kept.npz" if seed == 0 and variant == IDEA else ""
            ledger.add(trial.id, Measured("glass", seed, variant, metrics, seconds=2.0, result=kept))
    ledger.finish(trial.id, state="finished", conclusion="truth_error is better.")
    return trial.id


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "lab")


def side(ledger: Ledger, name: str) -> Contestant:
    return Contestant.of(name, ledger)


def test_the_page_says_what_differs(ledger: Ledger, tmp_path: Path) -> None:
    first, second = tried(ledger, "weak", 0.1, [0, 1, 2]), tried(ledger, "strong", 0.5, [2, 0])
    page = page_of([side(ledger, first), side(ledger, second)])
    assert page.recipe == (("factorize.constraints.sparse.weight", ("0.1", "0.5")),)
    (contrast,) = page.contrasts
    by_metric = {row.metric: row for row in contrast.rows}
    assert by_metric["truth_error"].word == "better"
    assert by_metric["truth_error"].n_pairs == 10
    assert by_metric["error"].word == "describes"
    assert contrast.sentence.startswith("Better: truth_error")
    assert page.shown is not None
    (partners,) = page.shown.partners
    assert partners.component.tolist() == [1, -1, 0]  # the Hungarian method, a component without a partner
    assert partners.pattern_cosine[[0, 2]] == pytest.approx(1)
    assert page.sides[0].objective == (3.0, 2.0, 1.5)
    assert "-weight = 0.1" in page.code
    assert "+weight = 0.5" in page.code


@pytest.mark.slow
def test_the_page_needs_nothing_else(ledger: Ledger, tmp_path: Path) -> None:
    first, second = tried(ledger, "weak", 0.1, [0, 1, 2]), tried(ledger, "strong", 0.5, [2, 0])
    text = compare(first, second, out=tmp_path / "page.html", ledger=ledger).read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "&lt;b&gt;strong&lt;/b&gt; finds more" in text
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", text)
    assert "none is left" in text
    assert text.count("<img ") == 3


def test_equal_trials_show_no_evidence_and_no_differences(ledger: Ledger) -> None:
    first, second = (tried(ledger, "same", 0.3, [0, 1, 2]) for _ in range(2))
    page = page_of([side(ledger, first), side(ledger, second)])
    assert (page.recipe, page.code, page.remarks) == ((), (), ())
    assert {row.word for row in page.contrasts[0].rows} == {"no evidence", "describes"}


def test_only_equal_data_are_paired(ledger: Ledger) -> None:
    first = side(ledger, tried(ledger, "a", 0.1, [0, 1, 2]))
    second = side(ledger, tried(ledger, "b", 0.5, [0, 1, 2], data={"glass": "another file"}))
    assert paired(first, second) == ()
    page = page_of([first, second])
    assert "not the same" in page.remarks[0]
    assert "nothing can be said" in page.contrasts[0].sentence
    assert page.shown is None
    assert page.values == {}
    rendered(page)


def test_versions_that_differ_are_told(ledger: Ledger) -> None:
    names = [tried(ledger, "a", 0.1, [0, 1, 2], versions={"numpy": version}) for version in ("2.1", "2.2")]
    page = page_of([side(ledger, name) for name in names])
    assert page.remarks == ("they ran with different versions of numpy: 2.1, 2.2",)


def test_recipes_are_told_apart_by_names_and_repetitions() -> None:
    one = {"prepare": [{"center": {}}, {"crop": {"scan": 1}}, {"crop": {"scan": 2}}], "seed": [1, 2]}
    other = {"prepare": [{"crop": {"scan": 1}}, {"crop": {"scan": 3}}], "seed": [1, 2]}
    assert list(recipe_differences([one, other])) == [
        ("prepare.center", ("{}", "")),
        ("prepare.crop[2].scan", ("2", "3")),
    ]


@pytest.mark.parametrize("count", [0, 1, 9])
def test_how_many_may_be_compared(count: int, ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two to 8"):
        compare(*["x"] * count, out=tmp_path / "page.html", ledger=ledger)


def test_pairs_are_drawn_for_each_metric() -> None:
    figure = figure_pairs({"found": [(1.0, 2.0), (2.0, 2.0)], "error": [(0.1, 0.2)]}, "AB")
    assert len(figure.axes) == 2
    assert len(figure.axes[0].lines) == 4  # two lines, two columns of points


def finished_run():
    result = example_result()
    record = {
        "status": "finished", "started": "2026-11-30T10:15:02+00:00", "seed": 3,
        "timings_s": {"read": 1.0, "factorize": 2.5},
        "input": {"path": "mgo.zspy", "sha256": "ab" * 32}, "versions": {"numpy": "2.4"},
    }  # fmt: skip
    return replace(result, record=record, recipe={"factorize": {"components": 4}})


def test_a_run_is_a_trial_with_one_measurement() -> None:
    result = finished_run()
    trial, measured = trial_of(result, hypothesis="four are enough"), measured_of(result)
    assert re.fullmatch(r"20261130T101502-mgo-[0-9a-f]{4}", trial.id)
    assert (trial.kind, trial.seeds, trial.data) == ("run", (3,), {"mgo.zspy": "ab" * 32})
    assert measured.metrics["components"] == result.factors.n_components
    assert measured.metrics["error"] == result.factors.convergence.relative_error
    assert (measured.seed, measured.seconds) == (3, 3.5)
    with pytest.raises(InputError, match="interrupted"):
        trial_of(replace(result, record={**result.record, "status": "interrupted"}))


def test_a_run_is_entered_once_and_stays_where_it_is(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unmixel.lab.entered.load", lambda folder: finished_run())
    trial = enter(ledger, tmp_path / "mgo.run", hypothesis="four are enough")
    assert (trial.state, trial.hypothesis) == ("finished", "four are enough")
    assert trial.measured[0].result == "../../../mgo.run"
    assert str(tmp_path) not in (ledger.place(trial.id) / "measured.jsonl").read_text()
    assert ledger.find("kind=run error>0 seconds=3.5")[0].id == trial.id
    assert ledger.promote(trial.id).replaces == "shipped"
    with pytest.raises(RunExistsError, match=trial.id):
        enter(ledger, tmp_path / "mgo.run")


def test_trials_are_handed_to_mlflow_once(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="mlflow is an extra: pip install 'unmixel[mlflow]'")
    from mlflow.tracking import MlflowClient

    from unmixel.lab.mlflow_export import export_to_mlflow

    monkeypatch.chdir(tmp_path)
    name = tried(ledger, "weak", 0.1, [0, 1, 2])
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert [export_to_mlflow(ledger, [name], uri) for _ in range(2)] == [1, 0]
    client = MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name("unmixel").experiment_id])
    assert run.data.tags["unmixel.id"] == name
    assert run.data.params["factorize.constraints.sparse.weight"] == "0.1"
    assert run.data.metrics["truth_error"] == pytest.approx(ledger.find()[0].metrics["truth_error"])
    assert len(client.get_metric_history(run.info.run_id, "glass/idea/truth_error")) == 10


def test_without_mlflow_the_extra_is_named(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from unmixel.lab.mlflow_export import export_to_mlflow

    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    with pytest.raises(ImportError, match=r"unmixel\[mlflow\]"):
        export_to_mlflow(ledger, [], "sqlite:///x.db")
