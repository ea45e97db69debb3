"""Run folders are never overwritten by accident; checkpoints are whole or absent."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from unmixel.core.errors import RunExistsError
from unmixel.dataset.record import Source
from unmixel.dataset.scan import Scan
from unmixel.factorize.state import SketchState, State
from unmixel.pipeline.folder import OURS, Checkpoint, Checkpoints, RunFolder


def a_state(sweep: int = 3) -> State:
    rng = np.random.default_rng(sweep)
    return State(
        sweep, (3.0, 2.0, 1 / 3), rng.random((2, 5)), rng.random((2, 7)).astype(np.float32), noise=1.5
    )


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("data/mgo.zspy", "mgo.run"),
        ("demo:glass?scan=8x8&seed=1", "demo-glass.run"),
        ("my scan (1).mib", "my-scan-1.run"),
        ("...", "scan.run"),
    ],
)
def test_names(given: str, name: str) -> None:
    assert RunFolder.of(None, given).path == Path(name)
    scan = Scan.from_array(np.zeros((2, 3)), source=Source(path=given))
    assert RunFolder.of(None, scan).path == Path(name)
    assert RunFolder.of("there", given).path == Path("there")


def test_what_may_be_written_to(tmp_path: Path) -> None:
    place = RunFolder(tmp_path / "new")
    assert place.check(force=False) is None
    place.path.mkdir()
    assert place.check(force=False) is None
    (place.path / "notes.txt").write_text("mine")
    with pytest.raises(RunExistsError, match="holds no unmixel run"):
        place.check(force=False)
    assert place.check(force=True) is None
    place.save_record({"status": "interrupted", "value": float("nan")})
    assert place.check(force=False) == {"status": "interrupted", "value": None}
    place.save_record({"status": "finished"})
    with pytest.raises(RunExistsError, match="finished run"):
        place.check(force=False)
    (place.path / "record.json").write_text("{torn")
    with pytest.raises(RunExistsError, match="holds no unmixel run"):
        place.check(force=False)
    with pytest.raises(RunExistsError, match="is a file"):
        RunFolder(place.path / "notes.txt").check(force=True)


def test_clearing_removes_our_files_only(tmp_path: Path) -> None:
    for name in (*OURS, "notes.txt"):
        (tmp_path / name).write_text("x")
    RunFolder(tmp_path).clear()
    assert [member.name for member in tmp_path.iterdir()] == ["notes.txt"]


def test_two_runs_cannot_write_to_one_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from unmixel.pipeline.folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).claimed(): pass"
    )
    with RunFolder(tmp_path).claimed():
        other = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert "Another run is writing" in other.stderr
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert list(tmp_path.iterdir()) == []


def a_sketch(passes: int = 2) -> SketchState:
    rng = np.random.default_rng(0)
    return SketchState(passes, 12.5, rng.random((4, 9)).astype(np.float32), rng.random(7), rng.random(9))


def test_a_checkpoint_comes_back_exactly(tmp_path: Path) -> None:
    for noun, wanted in (
        (State, replace(a_state(), settled=np.ones((2, 5)), norm2=7.5)),
        (SketchState, a_sketch()),
    ):
        keeper = Checkpoint(tmp_path / f"{noun.__name__}.npz", "me", noun, every_s=1000)
        keeper.save()
        assert keeper.load() is None
        assert not keeper.offer(wanted)
        assert not keeper.path.exists()
        keeper.save()
        found = Checkpoint(keeper.path, "me", noun).load()
        assert type(found) is noun
        for item in fields(noun):
            value, kept = getattr(wanted, item.name), getattr(found, item.name)
            assert type(kept) is type(value)
            np.testing.assert_array_equal(kept, value, strict=isinstance(value, np.ndarray))
        assert Checkpoint(keeper.path, "another", noun).load() is None


def test_a_checkpoint_is_written_now_and_then(tmp_path: Path) -> None:
    keeper = Checkpoint(tmp_path / "c.npz", "me", State, every_s=0)
    assert keeper.offer(a_state(1))
    first = keeper.path.read_bytes()
    assert keeper.offer(a_state(2))
    assert keeper.path.read_bytes() != first
    loaded = keeper.load()
    assert loaded is not None
    assert loaded.sweep == 2
    assert [member.name for member in tmp_path.iterdir()] == ["c.npz"]


def test_a_torn_checkpoint_counts_as_none(tmp_path: Path) -> None:
    keeper = Checkpoint(tmp_path / "c.npz", "me", State, every_s=0)
    keeper.offer(a_state())
    whole = keeper.path.read_bytes()
    for part in (b"", whole[: len(whole) // 2], b"x" * 100):
        keeper.path.write_bytes(part)
        assert keeper.load() is None


def test_checkpoints_say_where_the_run_stands(tmp_path: Path) -> None:
    marks = Checkpoints.of(RunFolder(tmp_path), "me")
    assert marks.told == {}
    marks.sketch.offer(a_sketch())
    assert marks.save() == {"checkpoint": "pass 2 of the sketch"}
    marks.state.offer(replace(a_state(0), objective=()))
    assert marks.save() == {"checkpoint": "the solve on the sketch", "checkpoint_sweep": 0}
    marks.state.offer(a_state(4))
    assert marks.save() == {"checkpoint": "sweep 4 of the factorisation", "checkpoint_sweep": 4}
    marks.state.offer(replace(a_state(4), settled=np.ones((2, 5))))
    assert marks.save()["checkpoint"] == "the end of the sweeps"
    assert sorted(member.name for member in tmp_path.iterdir()) == ["checkpoint.npz", "sketch.npz"]
    (tmp_path / "sketch.npz").write_bytes(b"torn")
    again = Checkpoints.of(RunFolder(tmp_path), "me")
    assert again.sketch.load() is None
    assert again.state.load() is not None
    assert again.useless == ["sketch.npz"]
    RunFolder(tmp_path).clear_unfinished()
    assert list(tmp_path.iterdir()) == []


def test_a_record_is_json_for_everyone(tmp_path: Path) -> None:
    RunFolder(tmp_path).save_record(
        {"a": np.float32(1.5), "b": (1, np.int64(2)), "c": float("inf"), "d": Path("x")}
    )
    text = (tmp_path / "record.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=lambda _: pytest.fail("not JSON")) == {
        "a": 1.5,
        "b": [1, 2],
        "c": None,
        "d": "x",
    }
