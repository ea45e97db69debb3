"""A scan while it is acquired: the record is the file, the result is the file's, and nothing that came is lost."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from merlin_on_wire import Merlin, frame, heading

import unmixel
from unmixel.acquire import receiver as receiving
from unmixel.acquire.acquisition import Live, Unseen
from unmixel.acquire.live import acquire, live, recover
from unmixel.core.errors import InputError, ReadError, RunExistsError, StreamError

PLAIN = {
    "extends": "none",
    "factorize": {"components": 3, "constraints": [{"nonnegative": {}}], "max_iter": 5},
    "interpret": {"group": None},
}
HOW = Live(recipe=PLAIN, refresh_s=0.0, timeout_s=0.5)


class Heard(Unseen):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.statuses: list = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def seen(self, status) -> None:
        self.statuses.append(status)


def sent(counts, numbers=range(42), **head) -> Merlin:
    pieces = [
        heading(head.get("n", 42), head.get("per_trigger", 7)),
        *(frame(i, counts[i % 42]) for i in numbers),
    ]
    return Merlin(pieces)


def acquired(merlin: Merlin, folder: Path, how: Live = HOW):
    heard = Heard()
    with merlin.listening() as address:
        return acquire(address, folder, how, progress=heard), heard


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosines of matched patterns, the lowest first."""
    from scipy.optimize import linear_sum_assignment

    unit = [
        x.reshape(len(x), -1) / np.linalg.norm(x.reshape(len(x), -1), axis=1, keepdims=True) for x in (a, b)
    ]
    table = unit[0] @ unit[1].T
    return np.sort(table[linear_sum_assignment(-table)])


def test_the_record_is_the_scan_and_images_are_those_of_the_file(counts, tmp_path) -> None:
    done, heard = acquired(sent(counts), tmp_path / "a")
    back = unmixel.open(done.record)
    assert np.array_equal(np.asarray(back.data).reshape(42, 20, 24), counts)
    assert (done.stopped, done.notes, back.position_weights) == ("", (), None)
    assert heard.statuses[-1].n_planned == 42
    images = np.load(done.folder / "images.npz")
    whole = unmixel.center_of_mass(back, center=(9.5, 11.5), unit="px")
    assert np.allclose(images["com_v"], whole.v, atol=1e-3)
    assert np.allclose(images["com_u"], whole.u, atol=1e-3)
    assert images["bright_field"].shape == (6, 7)
    assert np.corrcoef(images["annular_dark_field"].ravel(), np.arange(42))[0, 1] > 0.9
    assert (done.folder / "live.png").read_bytes()[:4] == b"\x89PNG"
    assert done.factors.maps.shape == (3, 6, 7)
    assert "127.0.0.1" not in repr(back.source)  # no name of a machine in a record


@pytest.mark.slow
def test_lost_frames_have_weight_zero_and_are_told(counts, tmp_path) -> None:
    done, heard = acquired(sent(counts, [i for i in range(42) if i not in (3, 4, 30)]), tmp_path / "a")
    assert done.notes == ("3 frames of 42 positions never came; their weight is 0.",)
    assert done.notes[0] in heard.notes
    back = unmixel.open(done.record)
    assert np.flatnonzero(back.position_weights.ravel() == 0).tolist() == [3, 4, 30]
    assert np.isnan(np.load(done.folder / "images.npz")["bright_field"].ravel()[[3, 4, 30]]).all()


@pytest.mark.slow
def test_a_stream_that_breaks_off_leaves_a_record_that_runs(counts, tmp_path) -> None:
    done, _ = acquired(sent(counts, range(25)), tmp_path / "a")
    assert "got an end before that" in done.stopped
    back = unmixel.open(done.record)
    assert back.scan_shape == (4, 7)
    assert back.position_weights.sum() == 25
    assert any("The stream ended early" in text for text in back.source.notes)
    result = unmixel.run(done.record, PLAIN, out=tmp_path / "run")
    assert result.maps.shape == (3, 4, 7)


@pytest.mark.slow
def test_a_scan_shape_that_nobody_said_leaves_a_line_to_be_folded(counts, tmp_path) -> None:
    done, heard = acquired(sent(counts, per_trigger=1), tmp_path / "a")
    assert any("--scan-shape ROWSxCOLUMNS" in text for text in heard.notes)
    assert unmixel.open(done.record).scan_shape == (42,)
    assert np.array_equal(
        np.asarray(unmixel.open(done.record, scan_shape=(6, 7)).data).reshape(42, 20, 24), counts
    )


@pytest.mark.slow
def test_more_frames_than_the_scan_are_recorded_and_told(counts, tmp_path) -> None:
    how = Live(scan_shape=(3, 7), recipe=PLAIN, refresh_s=0.0, timeout_s=0.5)
    done, heard = acquired(sent(counts), tmp_path / "a", how)
    assert unmixel.open(done.record).scan_shape == (6, 7)
    assert any("42 frames, which is more than the 3 x 7" in text for text in heard.notes)


def test_a_detector_without_an_end_stops_when_the_scan_is_full(counts, tmp_path) -> None:
    how = Live(scan_shape=(6, 7), recipe=PLAIN, refresh_s=0.0, timeout_s=0.5)
    done, _ = acquired(sent(counts, range(60), n=0), tmp_path / "a", how)
    assert done.stopped == ""
    assert np.array_equal(np.asarray(unmixel.open(done.record).data)[:6].reshape(42, 20, 24), counts)


def test_frames_that_come_too_fast_are_recorded_at_once_and_seen_later(counts, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(receiving.Receiver.__init__, "__defaults__", _with_room(receiving.Receiver, 3000))
    done, heard = acquired(sent(counts), tmp_path / "a")
    assert any("came faster than the live view could take them" in text for text in heard.notes)
    assert np.isfinite(np.load(done.folder / "images.npz")["bright_field"]).all()
    assert np.array_equal(np.asarray(unmixel.open(done.record).data).reshape(42, 20, 24), counts)


def _with_room(kind: type, n_bytes: int) -> tuple:
    return tuple(n_bytes if value == receiving.MOST_BYTES else value for value in kind.__init__.__defaults__)


def test_a_fault_of_the_live_view_does_not_stop_the_record(counts, tmp_path, monkeypatch) -> None:
    from unmixel.acquire.factors import LiveFactors

    def fails(*_):
        raise ValueError("an odd matrix")

    monkeypatch.setattr(LiveFactors, "update", fails)
    done, heard = acquired(sent(counts), tmp_path / "a")
    assert any("The live view has ended (an odd matrix)" in text for text in heard.notes)
    assert np.array_equal(np.asarray(unmixel.open(done.record).data).reshape(42, 20, 24), counts)


def test_interrupted_it_keeps_what_came_and_says_how_to_go_on(counts, tmp_path) -> None:
    merlin = sent(counts, range(20))
    merlin.silent_s = 20.0
    over = threading.Event()

    def press() -> None:
        # Python drops an interrupt that comes in a finaliser: a user would press again
        for wait in (1.5, 6.0, 6.0):
            if over.wait(wait):
                return
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    how = Live(recipe=PLAIN, refresh_s=0.0, timeout_s=20.0)
    with pytest.raises(KeyboardInterrupt) as stop:
        acquired(merlin, tmp_path / "a", how)
    over.set()
    assert "20 of 42 frames are kept" in stop.value.__notes__[0]
    assert unmixel.open(tmp_path / "a" / "scan.zarr").position_weights.sum() == 20


def test_nothing_is_begun_where_it_cannot_end_well(counts, tmp_path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(RunExistsError, match="never overwritten"):
        acquire("merlin:127.0.0.1:1", tmp_path / "full", HOW)
    with pytest.raises(StreamError, match="start the detector's software first"):
        acquire("merlin:127.0.0.1:1", tmp_path / "a", HOW)
    assert not (tmp_path / "a").exists()
    with pytest.raises(InputError, match="--refresh"):
        Live(refresh_s=-1.0)
    with pytest.raises(ReadError, match="a record that was not finished"):
        recover(tmp_path / "a", HOW)


@pytest.mark.slow
def test_live_gives_the_result_of_the_file(tmp_path) -> None:
    spec = "demo:glass?scan=24x30&detector=32x32&dose=20000&seed=1"
    how = Live(overrides=("factorize.components=4",), refresh_s=0.5)
    done = live(f"file:{spec}#rate=400", tmp_path / "a", how)
    whole = unmixel.run(spec, out=tmp_path / "b", overrides=["factorize.components=4"])
    assert done.status.n_refreshes >= 1
    assert cosines(done.result.patterns, whole.patterns)[0] >= 0.999
    assert cosines(done.result.maps, whole.maps)[0] >= 0.999
    assert cosines(done.factors.patterns, whole.patterns)[0] >= 0.9  # a draft, from one pass
    assert done.result.record["command"] == "unmixel live file:..."
