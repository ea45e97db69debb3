"""TopSpin: one data set for each pattern, read without loading them; calibration from beam positions."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from unmixel.core.errors import ReadError
from unmixel.engines.lazy import is_lazy
from unmixel.io.contract import ReadOptions
from unmixel.io.topspin import Frames, TopspinReader

ID = "18d9446f-22bf-4fb1-8d13-338174e75d20"


def write(path: Path, frames: np.ndarray, *, columns: int, calibrated: bool = True) -> Path:
    def axis(name: str, scale: float) -> str:
        unit = "<Type><Text>Angle</Text></Type>"
        return f"<{name}><Offset>-0.01</Offset><Scale>{scale}</Scale>{unit}</{name}>"

    with h5py.File(path, "w") as file:
        file["Metadata"] = np.bytes_(b"<?xml version='1.0'?>\n<Metadata>whole</Metadata>")
        file["39a4bbcd-2551-4912-9093-0eaed678dcff"] = np.zeros((8, 56))
        group = file.create_group(ID)
        for index, frame in enumerate(frames):
            y, x = divmod(index, columns)
            calibration = (
                f"<Calibration>{axis('X', 1e-4)}{axis('Y', 2e-4)}</Calibration>" if calibrated else ""
            )
            text = (
                f"<?xml version='1.0' encoding='utf-16'?>\r\n<Metadata>{calibration}<Metadata><Item>"
                f"<Value Serializer='ImagePositionSerializer'><X>{x * 2e-9:.9e}</X><Y>{5e-9 + y * 3e-9:.9e}</Y>"
                "</Value></Item></Metadata></Metadata>"
            )
            group[f"{index}/Data"] = frame
            group[f"{index}/Metadata"] = np.bytes_(text.encode())
    return path


def read(path: Path, **options):
    return TopspinReader().read(str(path), ReadOptions(**options))


def test_frames_are_one_stack(tmp_path: Path, counts: np.ndarray) -> None:
    frames = counts.reshape(-1, 31, 26)[:12]
    with h5py.File(write(tmp_path / "s.app5", frames, columns=4)) as file:
        stack = Frames(file[ID], 12, (31, 26), frames.dtype)
        assert stack.ndim == 3
        assert np.array_equal(stack[3:9:2], frames[3:9:2])
        assert np.array_equal(stack[5, 2:4], frames[5, 2:4])
        assert np.array_equal(stack[2:4, :, 5], frames[2:4, :, 5])
        assert stack[4:4].shape == (0, 31, 26)


def test_scan_detector_and_calibration(tmp_path: Path, counts: np.ndarray) -> None:
    scan = read(write(tmp_path / "s.app5", counts[:3, :5].reshape(-1, 31, 26), columns=5))
    assert is_lazy(scan.data)
    assert np.array_equal(np.asarray(scan.data), counts[:3, :5])
    y, x = scan.scan_axes
    assert (y.unit, y.scale, y.offset) == ("nm", pytest.approx(3.0), pytest.approx(5.0))
    assert (x.unit, x.scale) == ("nm", pytest.approx(2.0))
    v, u = scan.pattern_axes
    assert (v.unit, v.scale, v.offset) == ("mrad", pytest.approx(0.2), pytest.approx(-10.0))
    assert u.scale == pytest.approx(0.1)
    assert "whole" in scan.original_metadata["acquisition"]


def test_a_scan_that_is_no_full_grid_is_a_stack(tmp_path: Path, counts: np.ndarray) -> None:
    scan = read(write(tmp_path / "s.app5", counts[0, :11], columns=4))
    assert scan.scan_shape == (11,)
    assert scan.source.scan_shape_from.startswith("not known")


def test_a_single_row(tmp_path: Path, counts: np.ndarray) -> None:
    scan = read(write(tmp_path / "s.app5", counts[0, :4], columns=4, calibrated=False))
    assert scan.scan_shape == (1, 4)
    assert scan.pattern_axes[0].unit == "px"


def test_the_survey_image_can_be_chosen(tmp_path: Path, counts: np.ndarray) -> None:
    path = write(tmp_path / "s.app5", counts[0, :4], columns=4)
    scan = read(path, dataset="39a4bbcd-2551-4912-9093-0eaed678dcff")
    assert (scan.scan_shape, scan.pattern_shape) == ((), (8, 56))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.app5", "w") as file:
        file["Metadata"] = b"<x/>"
    with pytest.raises(ReadError, match="with an acquisition"):
        read(tmp_path / "s.app5")


def test_metadata_that_could_blow_up_are_refused(tmp_path: Path, counts: np.ndarray) -> None:
    path = write(tmp_path / "s.app5", counts[0, :4], columns=4)
    with h5py.File(path, "r+") as file:
        del file[f"{ID}/0/Metadata"]
        file[f"{ID}/0/Metadata"] = np.bytes_(b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")
    with pytest.raises(ValueError, match="document type"):
        read(path)
