"""Screens 5 to 8 against the result itself, on the bundle that holds every noun."""

from __future__ import annotations

import csv
import io
import shutil
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import unmixel
from unmixel.dataset.result import Result
from unmixel.web.run_view import history
from unmixel.web.viewer import Viewer


@pytest.fixture(scope="module")
def result(viewer: Viewer) -> Result:
    return unmixel.load(viewer.folder / "all.nxs")


def array(reply: Any) -> np.ndarray:
    assert reply.status_code == 200, reply.text
    shape = tuple(int(n) for n in reply.headers["X-Shape"].split(","))
    return np.frombuffer(reply.content, reply.headers["X-Dtype"]).reshape(shape)


def test_summary_tells_what_the_run_found(client: TestClient, result: Result) -> None:
    told = client.get("/api/runs/r1").json()
    assert len(told["components"]) == result.factors.n_components
    assert told["convergence"]["objective"] == pytest.approx(list(result.factors.convergence.objective))
    assert {"groups", "phases", "particles"} <= set(told["has"])
    assert [one["strength"] for one in told["components"]] == pytest.approx(list(result.factors.strengths))


def test_arrays_are_those_of_the_bundle(client: TestClient, result: Result) -> None:
    factors, groups = result.factors, result.groups
    pairs = {
        "components/maps": factors.maps,
        "components/patterns": factors.patterns,
        "groups/maps": groups.maps,
        "groups/patterns": groups.patterns,
        "residual/map": factors.residual.chi2_map,
        "particles/labels": result.particles.labels,
    }
    for path, values in pairs.items():
        np.testing.assert_allclose(array(client.get(f"/api/runs/r1/{path}")), values, rtol=1e-6, err_msg=path)


def test_tree_and_its_cut(client: TestClient, result: Result) -> None:
    told = client.get("/api/runs/r1/groups").json()
    assert told["labels"] == result.groups.labels.tolist()
    assert sorted(told["leaves"]) == list(range(len(told["labels"])))
    heights = [merge["height"] for merge in told["tree"]]
    apart = client.post("/api/runs/r1/groups/cut", json={"height": max(min(heights) / 2, 1e-6)}).json()
    together = client.post("/api/runs/r1/groups/cut", json={"height": 1.0}).json()
    assert len(set(apart["labels"])) == len(told["labels"]) or min(heights) == 0
    assert len(set(together["labels"])) == 1 or max(heights) >= 1
    again = client.post("/api/runs/r1/groups/cut", json={"height": told["cut"]}).json()
    assert again["labels"] == told["labels"]
    assert client.post("/api/runs/r1/groups/cut", json={"height": 0}).status_code == 422


def test_phases_show_measured_and_expected_spots(client: TestClient, result: Result) -> None:
    told = client.get("/api/runs/r1/phases").json()
    for shown, answer in zip(told["answers"], result.phases, strict=True):
        assert shown["phase"] == answer.phase
        assert len(shown["spots"]) == answer.n_spots
        assert [match["phase"] for match in shown["matches"]] == [match.phase for match in answer.ranked]
        places = result.phases.calibration.place(answer.g)
        for spot, place in zip(shown["spots"], places, strict=True):
            assert (spot["v"], spot["u"]) == pytest.approx(tuple(place))


def test_particles_and_their_table(client: TestClient, result: Result) -> None:
    told = client.get("/api/runs/r1/particles").json()
    assert [one["id"] for one in told["particles"]] == [one.id for one in result.particles.table]
    whole = [one for one in result.particles.table if not one.on_border]
    assert sum(told["histogram"]["counts"]) == len(whole)
    rows = list(csv.DictReader(io.StringIO(client.get("/api/runs/r1/particles.csv").text)))
    assert [int(row["id"]) for row in rows] == [one.id for one in result.particles.table]


def test_run_agrees_with_itself_and_not_with_a_changed_one(viewer: Viewer, client: TestClient) -> None:
    told = client.get("/api/runs/compare/r1/r1").json()
    assert told["recipe"] == {}
    assert [a == b for a, b in told["pairs"]] == [True] * len(told["pairs"])
    np.testing.assert_allclose(told["pattern_cosine"], 1.0)
    assert client.get("/api/runs/compare/r1/r9").status_code == 404


def test_history_lists_what_lies_in_the_folder(viewer: Viewer, client: TestClient) -> None:
    rows = client.get("/api/runs").json()
    assert [(row["id"], row["name"]) for row in rows] == [("r1", "all.nxs")]
    assert rows[0]["components"] == viewer.run("r1").result.factors.n_components
    other = viewer.folder / "other.run"
    other.mkdir()
    try:
        shutil.copy(viewer.folder / "all.nxs", other / "result.nxs")
        (other / "record.json").write_text('{"status": "finished", "started": "2026-01-01T00:00:00+00:00"}')
        (viewer.folder / "no-run").mkdir(exist_ok=True)
        assert {row.name for row in history(viewer.folder, viewer.runs)} == {"all.nxs", "other.run"}
        assert client.post("/api/runs", json={"name": "other.run"}).json()["id"] == "r2"
        assert client.post("/api/runs", json={"name": "no-run"}).status_code == 404
        assert client.get("/api/runs/r2").json()["status"] == "finished"
    finally:
        viewer.runs.pop("r2", None)
        shutil.rmtree(other)


@pytest.mark.slow
@pytest.mark.parametrize(
    "view",
    ["component", "residual", "groups", "dendrogram", "phases", "particles", "histogram", "convergence"],
)
def test_figures_of_a_run(client: TestClient, view: str) -> None:
    for kind, mark in (("svg", b"<svg"), ("png", b"\x89PNG")):
        reply = client.post("/api/figure", json={"opened": "r1", "view": view, "format": kind})
        assert reply.status_code == 200, reply.text
        assert mark in reply.content[:600]
    assert b"<dc:date>" not in client.post("/api/figure", json={"opened": "r1", "view": view}).content


def test_figure_of_a_scan_has_a_scale_bar(client: TestClient) -> None:
    asked = {"opened": "s1", "view": "map", "statistic": "sum", "title": "Sum of counts"}
    text = client.post("/api/figure", json=asked).text
    assert "nm<" in text
    assert "Sum of counts" in text
    assert (
        client.post("/api/figure", json={"opened": "r1", "view": "component", "index": 99}).status_code == 422
    )
    assert client.post("/api/figure", json={"opened": "j1", "view": "rank"}).status_code == 404


def test_figure_of_a_step_shows_before_and_after(client: TestClient) -> None:
    steps = [{"name": "crop", "parameters": {"pattern": [[2, 18], [1, 17]]}}]
    asked = {"opened": "s1", "view": "prepare", "steps": steps}
    text = client.post("/api/figure", json=asked).text
    assert all(
        f"{what} {when} crop" in text
        for what in ("mean pattern", "scan image")
        for when in ("before", "after")
    )
    assert client.post("/api/figure", json={**asked, "index": 1}).status_code == 422
    assert client.post("/api/figure", json={**asked, "steps": [{"name": "nothing"}]}).status_code == 422


def test_figure_of_a_comparison_has_both_runs(client: TestClient) -> None:
    reply = client.post("/api/figure", json={"opened": "r1", "view": "compare", "other": "r1"})
    assert "(1)" in reply.text
    assert "(2)" in reply.text
    assert client.post("/api/figure", json={"opened": "r1", "view": "compare"}).status_code == 404


def test_figure_of_a_calibration_tells_its_numbers(client: TestClient) -> None:
    asked = {
        "opened": "s1",
        "view": "calibrate",
        "calibrate": {"phase": "Al", "center": [9.0, 8.0], "step": 0.05},
    }
    told = client.post("/api/scans/s1/calibrate", json=asked["calibrate"]).json()
    text = client.post("/api/figure", json=asked).text
    assert f"{told['scale']['value']:.6f}" in text
    assert client.post("/api/figure", json={**asked, "calibrate": None}).status_code == 422
    drawn = client.post("/api/figure", json={**asked, "calibrate": {**asked["calibrate"], "fit": False}}).text
    assert "Rings of Al" in drawn


@pytest.mark.slow
def test_figures_show_the_cut_and_the_candidate_that_are_looked_at(client: TestClient) -> None:
    for view, changed in (
        ("dendrogram", {"height": 0.99}),
        ("groups", {"height": 0.99}),
        ("phases", {"candidate": 1}),
    ):
        plain, other = (
            client.post("/api/figure", json={"opened": "r1", "view": view, **more}) for more in ({}, changed)
        )
        assert plain.status_code == other.status_code == 200, other.text
        assert plain.content != other.content, view


def test_history_as_text_and_a_table(client: TestClient) -> None:
    command = client.post("/api/snippet", json={"view": "history", "language": "command"}).json()["text"]
    assert command.startswith("unmixel open ")
    assert "all.nxs" in command
    text = client.post("/api/snippet", json={"view": "history"}).json()["text"]
    exec(compile(text, "snippet", "exec"), {})
