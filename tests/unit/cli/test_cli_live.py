"""``unmixel live``: what it prints, its exit codes, and that a mistake is told before anything is begun."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unmixel.acquire import live as acquiring
from unmixel.acquire.acquisition import Acquisition, Status
from unmixel.cli.live import Wish, bars, folder_for
from unmixel.cli.main import REFUSED, app
from unmixel.cli.seeing import EARLY


@pytest.fixture
def acquired(monkeypatch):
    """Stand in for an acquisition; return what it was asked for."""
    asked: list = []

    def live(source, folder, how, *, progress):
        asked.append((source, folder, how))
        status = Status(30, 42, 210.0, 0.7, 5, 2, 1.5, (0.8, 0.2))
        progress.seen(status)
        stopped = "the stream: expected 42 frames, got an end before that." if "stop" in source else ""
        seconds = {"stream": 0.2, "record": 0.1, "factors": 0.5, "result": 3.0}
        return Acquisition(Path(folder), 30, 42, status, None, stopped, ("12 frames never came.",), seconds)

    monkeypatch.setattr(acquiring, "live", live)
    return asked


def test_options_become_what_is_asked_for(acquired) -> None:
    words = [
        "live",
        "merlin:host",
        "--scan",
        "6x7",
        "-k",
        "5",
        "--refresh",
        "500ms",
        "--timeout",
        "1min",
        "--out",
        "a",
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    source, folder, how = acquired[0]
    assert (source, folder) == ("merlin:host", Path("a"))
    assert (how.scan_shape, how.overrides) == ((6, 7), ("factorize.components=5",))
    assert (how.refresh_s, how.timeout_s) == (0.5, 60.0)
    assert "a/scan.zarr: 30 of 42 frames, 210 a second" in done.output
    assert "12 frames never came." in done.output


def test_a_stream_that_ended_early_has_its_own_exit_code_and_json(acquired) -> None:
    done = CliRunner().invoke(app, ["live", "file:scan.mib#stop=30", "--json"])
    assert done.exit_code == EARLY
    told = json.loads(done.stdout)
    assert (told["frames"], told["frames_planned"], told["folder"]) == (30, 42, "scan.live")
    assert told["stopped"].startswith("the stream")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["camera:here"], "SOURCE"),
        (["file:nothing.mib"], "nothing.mib"),
        (["merlin:host", "--refresh", "soon"], "a time such as 5s"),
        (["nowhere", "--recover"], "a record that was not finished"),
    ],
)
def test_a_mistake_is_told(words, said, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["live", *words])
    assert done.exit_code == REFUSED
    assert said in done.output
    assert list(tmp_path.iterdir()) == []


def test_folders_are_named_by_the_source() -> None:
    names = [
        str(folder_for(Wish(text)))
        for text in ("merlin:host:6342", "file:a/b.mib#rate=3", "file:demo:glass?seed=1")
    ]
    assert names == ["merlin.live", "b.live", "demo-glass.live"]


def test_components_are_blocks_the_strongest_first() -> None:
    assert bars((0.1, 0.8)) == "█▏"
    assert bars(()) == ""
