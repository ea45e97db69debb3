"""DECTRIS masters: frames in several linked files, the scan shape in a file beside them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import ReadError
from unmixel.engines.lazy import is_lazy
from unmixel.io.contract import ReadOptions
from unmixel.io.dectris import Joined
from unmixel.io.hdf5 import Hdf5Reader


@settings(deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.data())
def test_joined_stacks_read_like_one(lengths: list[int], data) -> None:
    values = np.arange(sum(lengths) * 6).reshape(-1, 2, 3)
    edges = np.cumsum(lengths)[:-1]
    joined = Joined(tuple(np.split(values, edges)))
    assert joined.shape == values.shape
    start, stop = data.draw(st.integers(0, len(values))), data.draw(st.integers(0, len(values)))
    step = data.draw(st.integers(1, 3))
    assert np.array_equal(joined[start:stop:step], values[start:stop:step])
    assert np.array_equal(joined[start:stop, 1], values[start:stop, 1])
    index = data.draw(st.integers(0, len(values) - 1))
    assert np.array_equal(joined[index, :, 2], values[index, :, 2])


@pytest.fixture
def write_master(tmp_path: Path, counts: np.ndarray):
    def write(*, parts: int = 3, side: dict | None = None, missing: bool = False) -> Path:
        frames = counts.reshape(-1, 31, 26)
        for number, part in enumerate(np.array_split(frames, parts), start=1):
            if missing and number == parts:
                continue
            with h5py.File(tmp_path / f"s_data_{number:06d}.h5", "w") as file:
                file.create_dataset("entry/data/data", data=part, chunks=(1, 31, 26))
        with h5py.File(tmp_path / "s_master.h5", "w") as file:
            for number in range(1, parts + 1):
                link = h5py.ExternalLink(f"s_data_{number:06d}.h5", "/entry/data/data")
                file[f"entry/data/data_{number:06d}"] = link
            detector = file.create_group("entry/instrument/detector")
            detector["detectorSpecific/photon_energy"] = 300e3
            detector["frame_time"] = 1e-4
            detector["description"] = b"Dectris ARINA"
            detector["detectorSpecific/pixel_mask"] = np.zeros((31, 26))
        if side is not None:
            with h5py.File(tmp_path / "s.h5", "w") as file:
                file.create_group("STEM Metadata").attrs.update(side)
        return tmp_path / "s_master.h5"

    return write


def read(path: Path):
    return Hdf5Reader().read(str(path), ReadOptions())


SIDE = {
    "NumPixelsX": 29,
    "NumPixelsY": 13,
    "Pixel Size": [0.5],
    "High Tension": [200e3],
    "Camera Length": [0.115],
}


def test_a_master_with_its_description(write_master, counts: np.ndarray) -> None:
    scan = read(write_master(side={**SIDE, "IsPixelSizeCalibrated": 0}))
    assert is_lazy(scan.data)
    assert np.array_equal(np.asarray(scan.data), counts)
    assert [(a.name, a.scale, a.unit) for a in scan.scan_axes] == [("y", 0.5, "nm"), ("x", 0.5, "nm")]
    assert scan.instrument.voltage_kV == 200.0
    assert scan.instrument.camera_length_mm == pytest.approx(115.0)
    assert scan.instrument.dwell_s == 1e-4
    assert scan.source.scan_shape_from == "the description beside the master: 13 x 29"
    assert any("not calibrated" in note for note in scan.source.notes)


def test_without_description_it_is_a_stack(write_master) -> None:
    scan = read(write_master())
    assert scan.scan_shape == (377,)
    assert scan.source.scan_shape_from.startswith("not known")
    assert "13 x 29" in scan.source.scan_shape_from
    assert scan.instrument.voltage_kV == 300.0


def test_a_description_that_does_not_fit_is_told(write_master) -> None:
    scan = read(write_master(side={**SIDE, "NumPixelsX": 30}))
    assert scan.scan_shape == (377,)
    assert any("says 13 x 30, but there are 377" in note for note in scan.source.notes)


def test_a_missing_part_is_named(write_master) -> None:
    with pytest.raises(ReadError, match=r"s_data_000003\.h5 beside it"):
        read(write_master(missing=True))


def test_the_description_alone_sends_to_the_master(write_master, tmp_path: Path) -> None:
    write_master(side=SIDE)
    with pytest.raises(ReadError, match=r"open s_master\.h5"):
        read(tmp_path / "s.h5")


def test_one_part_alone_opens_and_names_the_master(write_master, tmp_path: Path) -> None:
    write_master()
    scan = read(tmp_path / "s_data_000002.h5")
    assert scan.scan_shape == (126, 31)
    assert any("s_master.h5" in note for note in scan.source.notes)
