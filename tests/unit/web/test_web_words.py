"""Copy as Python and as command are text that runs; help has every parameter in both languages."""

from __future__ import annotations

import re
import shlex
from inspect import signature
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from unmixel.cli.main import app as command_line
from unmixel.pipeline.reference import fields, plugins
from unmixel.web.words import japanese, words

DISK = {"kind": "disk", "center": [9.3, 7.6], "radius": 4.2}
RING = {"kind": "annulus", "center": [9.3, 7.6], "inner": 2.5, "outer": 6.0}
BOX = {"kind": "rectangle", "first": [1, 2], "last": [6, 7]}
RUNS = {"kind": "mask", "runs": [[3, 4], [20, 9]]}


def snippet(client: TestClient, **asked: Any) -> str:
    reply = client.post("/api/snippet", json={"opened": "s1", **asked})
    assert reply.status_code == 200, reply.text
    text: str = reply.json()["text"]
    return text


def made(text: str) -> dict[str, Any]:
    """Run a snippet and return its names."""
    names: dict[str, Any] = {}
    exec(compile(text, "snippet", "exec"), names)
    return names


def array(reply: Any) -> np.ndarray:
    shape = tuple(int(n) for n in reply.headers["X-Shape"].split(","))
    return np.frombuffer(reply.content, reply.headers["X-Dtype"]).reshape(shape)


@pytest.mark.parametrize("shape", [DISK, RING, BOX, RUNS], ids=lambda shape: str(shape["kind"]))
def test_python_gives_the_picture_that_is_shown(client: TestClient, shape: dict[str, Any]) -> None:
    image = made(snippet(client, view="virtual", shape=shape))["image"]
    shown = array(client.post("/api/scans/s1/virtual", json={"detector": shape}))
    np.testing.assert_allclose(image, shown, rtol=1e-6)
    pattern = made(snippet(client, view="region", shape=shape))["pattern"]
    shown = array(client.post("/api/scans/s1/region", json={"region": shape}))
    np.testing.assert_allclose(pattern, shown, rtol=1e-5, atol=1e-7)


def test_python_gives_pattern_and_statistics(client: TestClient) -> None:
    found = made(snippet(client, view="pattern", position=[4, 2]))["pattern"]
    np.testing.assert_array_equal(found, array(client.get("/api/scans/s1/pattern?at=4&at=2")))
    for statistic in ("sum", "mean", "max", "variance"):
        for view, name, path in (("summary", "pattern", "summary"), ("map", "image", "map")):
            found = made(snippet(client, view=view, statistic=statistic))[name]
            np.testing.assert_allclose(
                found, array(client.get(f"/api/scans/s1/{path}/{statistic}")), rtol=1e-5
            )


def test_python_prepares_as_the_screen_does(client: TestClient) -> None:
    steps = [{"name": "crop", "parameters": {"pattern": [[2, 18], [1, 17]]}}]
    prepared = made(snippet(client, view="prepare", steps=steps))["prepared"]
    told = client.post("/api/scans/s1/prepare", json={"steps": steps}).json()["steps"]
    assert [step.effect for step in prepared.history] == [step["effect"] for step in told]


@pytest.mark.slow
def test_python_calibrates(client: TestClient) -> None:
    asked = {"phase": "Al", "center": [9.0, 8.0], "step": 0.05}
    names = made(snippet(client, view="calibrate", calibrate=asked))
    assert names["fit"].phase == "Al"


@pytest.mark.parametrize("view", ["run", "groups", "phases", "particles"])
def test_python_of_a_run_runs(
    client: TestClient, view: str, viewer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "result" in made(snippet(client, opened="r1", view=view))
    assert "unmixel open" in snippet(client, opened="r1", view="groups", language="command")


def test_words_between_quotes_cannot_escape(client: TestClient) -> None:
    evil = "factorize.components=3'; import os; os.system('x')#"
    text = snippet(client, view="run", overrides=[evil])
    (line,) = (line for line in text.splitlines() if "unmixel.run" in line)
    assert repr(evil) in line
    command = snippet(client, view="run", overrides=["prepare=[]; rm -rf $HOME"], language="command")
    assert shlex.split(command)[-1] == "prepare=[]; rm -rf $HOME"


@pytest.mark.slow
def test_command_is_one_that_the_command_line_takes(client: TestClient) -> None:
    from typer.testing import CliRunner

    steps = [{"name": "crop", "parameters": {"pattern": [[2, 18], [1, 17]]}}, {"name": "measure_beam"}]
    overrides = ["factorize.components=3", "interpret.measure={}"]
    for view in ("run", "prepare"):
        command = snippet(client, view=view, overrides=overrides, steps=steps, language="command")
        done = CliRunner().invoke(command_line, [*shlex.split(command)[1:], "--dry-run"])
        assert done.exit_code == 0, done.output
        assert "components: 3" in done.output


def test_help_has_every_parameter_in_both_languages(client: TestClient) -> None:
    assert set(japanese()) == set(fields())
    for language in ("en", "ja"):
        entries = client.get(f"/api/help/{language}").json()["entries"]
        keys = [entry["key"] for entry in entries]
        own = entries[: len(fields())]
        assert keys[: len(own)] == list(fields())
        assert all(entry["meaning"] and entry["why"] and entry["range"] for entry in own)
        assert all(entry["translated"] for entry in own)
        parts = {entry["key"]: entry for entry in entries[len(own) :]}
        assert len(keys) == len(set(keys))
        for key, plugin in plugins():
            assert {f"{key}.{name}" for name in signature(plugin).parameters} <= set(parts), key
        assert all(entry["meaning"] for entry in parts.values())
        # what is there in English only says so
        assert {entry["translated"] for entry in parts.values()} == {language == "en"}
    assert client.get("/api/help/fr").status_code == 422


def test_japanese_is_japanese_and_keeps_numbers() -> None:
    english = {entry.key: entry for entry in words("en").entries}
    for key, said in japanese().items():
        assert set(said) <= {"meaning", "unit", "range", "why"}
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", said["meaning"]), key
        assert ("unit" in said) == bool(english[key].unit), key
        numbers = set(re.findall(r"\d+(?:\.\d+)?(?:e-\d+)?", english[key].range))
        assert numbers == set(re.findall(r"\d+(?:\.\d+)?(?:e-\d+)?", said["range"])), key


@pytest.mark.slow
def test_comparison_as_command_and_python(client: TestClient, tmp_path, monkeypatch) -> None:
    asked = {"view": "compare", "opened": "r1", "other": "r1"}
    command = shlex.split(snippet(client, **asked, language="command"))
    assert command[:2] == ["unmixel", "compare"]
    monkeypatch.chdir(tmp_path)
    assert made(snippet(client, **asked))["page"].is_file()
    assert client.post("/api/snippet", json={**asked, "other": None}).status_code == 404
