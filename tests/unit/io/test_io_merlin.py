"""Merlin files: number of frames, rows from the header file, likely rows from pauses in the time stamps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unmixel.engines.lazy import is_lazy
from unmixel.io.merlin import MerlinLayout, notes, options, row_pause
from unmixel.io.open import open as open_scan

FRAMES = np.random.default_rng(2).integers(0, 4000, (12, 31, 26)).astype(np.uint16)


def test_frames_are_read_as_they_appear_on_the_screen(write_mib) -> None:
    scan = open_scan(write_mib(FRAMES, per_trigger=1))
    assert is_lazy(scan.data)
    assert scan.data.dtype == np.uint16
    assert np.array_equal(np.asarray(scan.data), FRAMES[:, ::-1])
    assert any("upside down" in note for note in scan.source.notes)


def test_the_header_file_gives_the_rows(write_mib) -> None:
    path = write_mib(FRAMES, per_trigger=4)
    assert options(str(path)) == {"navigation_shape": (4, 3)}
    scan = open_scan(path)
    assert scan.scan_shape == (3, 4)
    assert np.array_equal(np.asarray(scan.data), FRAMES.reshape(3, 4, 31, 26)[:, :, ::-1])


@pytest.mark.parametrize("per_trigger", [None, 0, 1, 5, 12])
def test_otherwise_it_is_a_stack_that_the_user_folds(write_mib, per_trigger: int | None) -> None:
    path = write_mib(FRAMES, per_trigger=per_trigger)
    scan = open_scan(path)
    assert scan.scan_shape == (12,)
    assert scan.source.scan_shape_from.startswith("not known")
    folded = open_scan(path, scan_shape=(3, 4))
    assert np.array_equal(np.asarray(folded.data), FRAMES.reshape(3, 4, 31, 26)[:, :, ::-1])


def test_the_layout(write_mib) -> None:
    path = write_mib(FRAMES)
    with path.open("ab") as file:
        file.write(b"MQ1,half a frame")
    layout = MerlinLayout.of(str(path))
    assert layout == MerlinLayout(384, 384 + 31 * 26 * 2, 12, 16)
    assert any("inside a frame" in note for note in notes(str(path)))
    assert open_scan(path).scan_shape == (12,)


@pytest.mark.parametrize(
    "head", [b"", b"hello, world", b"MQ1,000001,00384,01,0256,0256,R64,", b"A,B,384,1,8,8,U16"]
)
def test_other_files_have_no_layout(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "s.mib").write_bytes(head)
    assert MerlinLayout.of(str(tmp_path / "s.mib")) is None
    assert options(str(tmp_path / "s.mib")) == {}
    assert len(notes(str(tmp_path / "s.mib"))) == 1
    assert row_pause(str(tmp_path / "s.mib")) == 0


def pauses(n: int, per_row: int, *, extra: int, jitter: int = 0) -> np.ndarray:
    waits = np.full(n - 1, 2_000_000)
    waits[per_row - 1 :: per_row] += extra
    return waits + np.random.default_rng(0).integers(0, jitter + 1, n - 1) * 1000


@pytest.mark.parametrize("per_row", [2, 3, 4, 6])
def test_pauses_between_rows_are_a_hint_and_no_more(write_mib, per_row: int) -> None:
    path = write_mib(FRAMES, pauses=pauses(12, per_row, extra=30_000))
    assert row_pause(str(path)) == per_row
    assert any(f"scan_shape=({12 // per_row}, {per_row})" in note for note in notes(str(path)))
    assert open_scan(path).scan_shape == (12,)


@pytest.mark.parametrize(
    "waits",
    [
        pauses(12, 4, extra=0),
        pauses(12, 4, extra=0, jitter=300),
        pauses(12, 5, extra=50_000),
        np.array([1] * 10 + [5]) * 2_000_000,
        np.array([1, 5, 1, 1, 1, 5, 1, 1, 1, 1, 1]) * 2_000_000,
    ],
)
def test_no_rows_are_seen_where_there_are_none(write_mib, waits: np.ndarray) -> None:
    assert row_pause(str(write_mib(FRAMES, pauses=waits))) == 0


def test_a_stopped_acquisition_is_told(write_mib) -> None:
    path = write_mib(FRAMES, per_trigger=1, planned=20)
    assert any("says 20 frames, the file holds 12" in note for note in notes(str(path)))
