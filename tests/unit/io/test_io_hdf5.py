"""HDF5 without a reader of its own: plain files, py4DSTEM, MATLAB 7.3."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from unmixel.core.errors import ReadError
from unmixel.engines.lazy import is_lazy
from unmixel.io.contract import ReadOptions
from unmixel.io.h5tree import datasets, text, tree
from unmixel.io.hdf5 import Hdf5Reader


def read(path: Path, **options):
    return Hdf5Reader().read(str(path), ReadOptions(**options))


@pytest.mark.parametrize(
    ("chunks", "compression"), [(None, None), ((1, 1, 31, 26), "gzip"), ((5, 7, 8, 9), None)]
)
def test_plain_hdf5(tmp_path: Path, counts: np.ndarray, chunks, compression) -> None:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file.create_dataset("deep/down/frames", data=counts, chunks=chunks, compression=compression)
        file.create_dataset("survey", data=np.ones((400, 400)))
        file.attrs["operator"] = b"me"
        file["deep/voltage"] = 300.0
    scan = read(tmp_path / "s.h5")
    assert is_lazy(scan.data)
    assert np.array_equal(np.asarray(scan.data), counts)
    assert any("/survey" in note for note in scan.source.notes)
    assert scan.original_metadata["operator"] == "me"
    assert scan.original_metadata["deep"]["voltage"] == 300.0
    assert read(tmp_path / "s.h5", dataset="/survey").pattern_shape == (400, 400)


def test_bitshuffle_as_detectors_write_it(tmp_path: Path, counts: np.ndarray) -> None:
    import hdf5plugin

    with h5py.File(tmp_path / "s.h5", "w") as file:
        file.create_dataset("frames", data=counts, chunks=(1, 1, 31, 26), **hdf5plugin.Bitshuffle())
    assert np.array_equal(np.asarray(read(tmp_path / "s.h5").data), counts)


def write_py4dstem(path: Path, counts: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file.attrs.update({"emd_group_type": "file", "authoring_program": "emdfile"})
        cube = file.create_group("root/datacube")
        cube["data"] = counts
        steps = ((2.0, "nm"), (2.0, "nm"), (0.1, "A^-1"), (0.1, "A^-1"))
        for index, ((step, unit), name) in enumerate(zip(steps, ("Rx", "Ry", "Qx", "Qy"), strict=True)):
            cube[f"dim{index}"] = np.array([0.0, step])
            cube[f"dim{index}"].attrs.update({"name": name, "units": unit})


@pytest.mark.parametrize("suffix", ["h5", "emd"])
def test_py4dstem(tmp_path: Path, counts: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"s.{suffix}"
    write_py4dstem(path, counts)
    assert Hdf5Reader().accepts(str(path))
    scan = read(path)
    assert [(a.scale, a.unit) for a in scan.scan_axes] == [(2.0, "nm")] * 2
    assert [(a.scale, a.unit) for a in scan.pattern_axes] == [(0.1, "1/angstrom")] * 2
    assert "py4DSTEM" in scan.source.format


def test_matlab_7_3(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.mat", "w", userblock_size=512) as file:
        file["X"] = np.ones((4, 5, 900))
    with (tmp_path / "s.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file")
    assert Hdf5Reader().accepts(str(tmp_path / "s.mat"))
    scan = read(tmp_path / "s.mat")
    assert (scan.scan_shape, scan.pattern_shape) == ((4, 5), (900,))
    assert scan.source.format == "MATLAB 7.3"


def test_hyperspy_and_berkeley_files_are_left_to_rosettasciio(write_hspy, tmp_path: Path) -> None:
    assert not Hdf5Reader().accepts(str(write_hspy(np.ones((2, 3, 4, 5)), name="scan.hdf5")))
    with h5py.File(tmp_path / "b.emd", "w") as file:
        file.create_group("data")
    assert not Hdf5Reader().accepts(str(tmp_path / "b.emd"))
    (tmp_path / "t.hdf5").write_text("text")
    assert not Hdf5Reader().accepts(str(tmp_path / "t.hdf5"))


def test_small_arrays_are_a_scan_where_there_is_nothing_else(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["counts"] = np.ones((6, 8))
        file["dim1"] = np.arange(6)
    assert read(tmp_path / "s.h5").pattern_shape == (6, 8)


def test_a_file_without_arrays_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["words"] = "hello"
    with pytest.raises(ReadError, match="an array of numbers"):
        read(tmp_path / "s.h5")


def test_walking_meets_each_data_set_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["a/x"] = np.arange(5)
        file["b"] = h5py.SoftLink("/a/x")
        file["c"] = h5py.ExternalLink("missing.h5", "/x")
        file["a/again"] = file["a"]
        file["kind"] = np.dtype("f4")
        assert [d.name for d in datasets(file)] == ["/a/x"]
        assert tree(file)["a"]["x"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("value", "plain"),
    [(b"nm", "nm"), (np.array([3.5]), 3.5), (np.int64(3), 3), (np.array([b"x"]), "x"), ("a", "a")],
)
def test_attributes_become_plain(value: object, plain: object) -> None:
    assert text(value) == plain
    assert not isinstance(text(value), np.generic)
