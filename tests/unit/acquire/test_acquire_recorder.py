"""The record: whatever came is there to the bit, in whichever order, and after whatever end."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unmixel
from unmixel.acquire import recorder as recording
from unmixel.acquire.contract import Heading
from unmixel.acquire.recorder import Recorder
from unmixel.acquire.skeleton import skeleton
from unmixel.core.errors import DiskFullError, ReadError, RunExistsError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Instrument


def coming(scan: tuple[int, ...], pattern: tuple[int, int] = (5, 8), dtype: str = "uint16"):
    axes = tuple(
        Axis(name, n, 0.5, unit="nm") for name, n in zip(("y", "x")[-len(scan) :], scan, strict=True)
    )
    head = Heading(
        (Axis("v", pattern[0]), Axis("u", pattern[1])),
        dtype,
        int(np.prod(scan)),
        axes,
        form="a camera",
        source="test 1",
        instrument=Instrument(voltage_kV=200.0),
        metadata={"said": "everything"},
    )
    return skeleton(head)


def frames_of(n: int, pattern: tuple[int, int] = (5, 8)) -> np.ndarray:
    return (np.arange(n)[:, None, None] + np.arange(np.prod(pattern)).reshape(pattern)).astype(np.uint16)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 99), rows=st.integers(1, 4), columns=st.integers(2, 7), run=st.integers(1, 4))
def test_any_order_any_gaps_any_batches(tmp_path_factory, seed, rows, columns, run) -> None:
    rng = np.random.default_rng(seed)
    scan, values = coming((rows, columns)), frames_of(rows * columns)
    order = rng.permutation(rows * columns)[: rng.integers(1, rows * columns + 1)]
    target = tmp_path_factory.mktemp("r") / "scan.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "TILE_BYTES", run * 80)
        patch.setattr(recording, "_OPEN", 2)
        with Recorder.begin(scan, target).claimed() as recorder:
            for part in np.array_split(order, rng.integers(1, 4)):
                assert recorder.put(part.astype(np.int64), values[part]).all()
            recorder.finish()
    back = unmixel.open(target)
    came = np.zeros(rows * columns, bool)
    came[order] = True
    last = int(order.max()) // columns + 1
    assert back.scan_shape == (last, columns)
    found = np.asarray(back.data).reshape(-1, 5, 8)
    assert np.array_equal(found, np.where(came[: len(found), None, None], values[: len(found)], 0))
    weights = np.ones(back.scan_shape) if back.position_weights is None else back.position_weights
    assert np.array_equal(weights.ravel() > 0, came[: len(found)])


def test_everything_that_was_said_is_in_the_record(tmp_path) -> None:
    scan = coming((2, 3))
    with Recorder.begin(scan, tmp_path / "scan.zarr").claimed() as recorder:
        recorder.put(np.arange(6), frames_of(6))
        recorder.finish(("A note.",))
    back = unmixel.open(tmp_path / "scan.zarr")
    assert back.scan_axes == scan.scan_axes
    assert back.instrument.voltage_kV == 200.0
    assert back.original_metadata["said"] == "everything"
    assert back.source.notes == ("A note.",)
    assert [p.name for p in tmp_path.iterdir()] == ["scan.zarr"]


def test_frames_again_and_beyond_are_counted_and_the_first_kept(tmp_path) -> None:
    values = frames_of(8)
    with Recorder.begin(coming((2, 3)), tmp_path / "scan.zarr").claimed() as recorder:
        assert recorder.put(np.array([0, 1, 1, 99]), values[:4]).tolist() == [True, True, False, False]
        assert recorder.put(np.array([0, 6, 7]), values[5:]).tolist() == [False, True, True]
        assert (recorder.n_again, recorder.n_beyond, recorder.n_kept) == (2, 1, 4)
        recorder.finish()
    back = unmixel.open(tmp_path / "scan.zarr")
    assert back.scan_shape == (3, 3)  # more frames than the scan has are further rows
    assert np.array_equal(np.asarray(back.data)[0, 0], values[0])
    assert np.array_equal(np.asarray(back.data)[2, 0], values[6])


def test_a_record_is_never_overwritten(tmp_path) -> None:
    with Recorder.begin(coming((2, 3)), tmp_path / "scan.zarr").claimed() as recorder:
        recorder.put(np.arange(6), frames_of(6))
        recorder.finish()
    with pytest.raises(RunExistsError, match="never overwritten"):
        Recorder.begin(coming((2, 3)), tmp_path / "scan.zarr")


KILLED = """
import os, signal, sys
sys.path.insert(0, {here!r})
import numpy as np
from pathlib import Path
from test_acquire_recorder import coming, frames_of
from unmixel.acquire import recorder
recorder.TILE_BYTES = 240
with recorder.Recorder.begin(coming((4, 5)), Path({target!r})).claimed() as r:
    r.put(np.arange(13), frames_of(20)[:13])
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no such signal")
def test_a_killed_process_loses_nothing(tmp_path) -> None:
    target = tmp_path / "scan.zarr"
    code = KILLED.format(here=str(Path(__file__).parent), target=str(target))
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(ReadError, match=r"a record that is not finished.*--recover"):
        unmixel.open(target)
    with pytest.raises(RunExistsError, match="--recover"):
        Recorder.begin(coming((4, 5)), target)
    with Recorder.found(target).claimed() as recorder:
        assert recorder.n_kept == 13
        recorder.finish(("It was killed.",))
    back = unmixel.open(target)
    assert np.array_equal(np.asarray(back.data).reshape(-1, 5, 8)[:13], frames_of(13))
    assert back.position_weights.sum() == 13
    with pytest.raises(ReadError, match="a record that was not finished"):
        Recorder.found(target)


def test_a_full_disk_keeps_what_came(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(recording, "TILE_BYTES", 240)
    room, write = 8, recording._write

    def full(file, part: np.ndarray, at: int) -> None:
        nonlocal room
        room -= part.nbytes > 8
        if room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(file, part, at)

    monkeypatch.setattr(recording, "_write", full)
    target, values = tmp_path / "scan.zarr", frames_of(20)
    with Recorder.begin(coming((4, 5)), target).claimed() as recorder:
        for i in range(8):
            recorder.put(np.array([i]), values[i : i + 1])
        with pytest.raises(DiskFullError, match=r"8 frames are kept.*--recover"):
            recorder.put(np.array([8]), values[8:9])
    monkeypatch.undo()
    with Recorder.found(target).claimed() as recorder:
        kept = recorder.n_kept
        recorder.finish()
    assert kept == 8
    back = np.asarray(unmixel.open(target).data).reshape(-1, 5, 8)
    assert np.array_equal(back[:kept], values[:kept])
