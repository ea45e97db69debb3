"""NumPy files: the documented layout, read in part whether compressed or not."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from unmixel.core.errors import InputError, ReadError
from unmixel.engines.lazy import is_lazy
from unmixel.io.contract import ReadOptions
from unmixel.io.npz import NpzReader, _members
from unmixel.io.open import open as open_scan


def read(path: Path, **options):
    return NpzReader().read(str(path), ReadOptions(**options))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_whole_and_in_part(tmp_path: Path, counts: np.ndarray, save) -> None:
    save(tmp_path / "scan.npz", data=counts)
    scan = read(tmp_path / "scan.npz")
    assert is_lazy(scan.data)
    assert (scan.scan_shape, scan.pattern_shape) == ((13, 29), (31, 26))
    assert np.array_equal(np.asarray(scan.data), counts)
    assert np.array_equal(np.asarray(scan.data[11:, 4]), counts[11:, 4])
    assert np.array_equal(np.asarray(scan.data[2, 3:5]), counts[2, 3:5])


def test_npy(tmp_path: Path, counts: np.ndarray) -> None:
    np.save(tmp_path / "scan.npy", counts.astype(">i4"))
    scan = read(tmp_path / "scan.npy")
    assert scan.data.dtype == np.int32
    assert np.array_equal(np.asarray(scan.data), counts)
    assert scan.source.format == "NumPy npy"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_column_order(tmp_path: Path, counts: np.ndarray, save) -> None:
    save(tmp_path / "scan.npz", data=np.asfortranarray(counts))
    assert np.array_equal(np.asarray(read(tmp_path / "scan.npz").data), counts)


def test_only_what_is_asked_for_is_unpacked(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "scan.npz", data=np.zeros((100, 50, 40, 40), np.uint16))
    member = _members(str(tmp_path / "scan.npz"))["data"]
    member[0:2]
    assert member.state["stream"].tell() < 2.1 * 50 * 40 * 40 * 2
    assert member[99:100].shape == (1, 50, 40, 40)
    assert member[3:9:3, 1].shape == (2, 40, 40)


def test_the_described_layout(tmp_path: Path, counts: np.ndarray) -> None:
    axes = [
        {"name": "y", "scale": 2.0, "unit": "nm"},
        {"name": "x", "scale": 2.0, "offset": 4.0, "unit": "nm"},
        {"name": "v", "scale": 0.2, "offset": -3.1, "unit": "1/nm"},
        {"name": "u", "scale": 0.2, "unit": "1/nm"},
    ]
    np.savez(tmp_path / "s.npz", data=counts, axes=json.dumps(axes), metadata=json.dumps({"sample": "glass"}))
    scan = read(tmp_path / "s.npz")
    assert scan.scan_axes[1].offset == 4.0
    assert scan.pattern_axes[0].scale == pytest.approx(0.02)
    assert scan.pattern_axes[0].unit == "1/angstrom"
    assert scan.original_metadata["metadata"] == {"sample": "glass"}
    assert scan.source.scan_shape_from == "the axes of the file: 13 x 29"


def test_a_wrong_description_is_refused(tmp_path: Path, counts: np.ndarray) -> None:
    np.savez(tmp_path / "s.npz", data=counts, axes="[]")
    with pytest.raises(InputError, match="JSON list of 4 objects"):
        read(tmp_path / "s.npz")


def test_published_eels_layout(tmp_path: Path) -> None:
    np.savez(tmp_path / "si.npz", X=np.ones((4, 5, 6)), ev=np.arange(630.0, 636.0))
    scan = read(tmp_path / "si.npz")
    assert scan.pattern_axes[0].values.tolist() == [630, 631, 632, 633, 634, 635]
    assert scan.scan_shape == (4, 5)


def test_data_wins_over_larger_arrays_and_the_user_over_data(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", truth=np.zeros((9, 9, 9, 9)), data=np.ones((2, 3, 4, 5)))
    assert read(tmp_path / "s.npz").scan_shape == (2, 3)
    assert read(tmp_path / "s.npz", dataset="truth").scan_shape == (9, 9)


def test_without_data_the_largest_scan_is_read_and_others_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", a=np.ones((2, 3, 4, 5)), b=np.ones((2, 3, 4, 6)), mask=np.ones((40, 50)))
    scan = read(tmp_path / "s.npz")
    assert scan.pattern_shape == (4, 6)
    assert "a 2x3x4x5" in scan.source.notes[0]


def test_a_stack_is_folded_by_the_user(tmp_path: Path, counts: np.ndarray) -> None:
    np.savez(tmp_path / "s.npz", data=counts.reshape(377, 31, 26))
    scan = open_scan(tmp_path / "s.npz", scan_shape=(13, 29))
    assert np.array_equal(np.asarray(scan.data), counts)


@pytest.mark.parametrize(
    "arrays",
    [{"data": np.array(["a", "b"])}, {"data": np.zeros(3, [("R", "u1"), ("G", "u1")])}, {"axes": "[]"}],
)
def test_no_numbers_no_scan(tmp_path: Path, arrays: dict) -> None:
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(ReadError, match=r"s\.npz"):
        read(tmp_path / "s.npz")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", data=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ReadError, match="plain numbers"):
        read(tmp_path / "s.npz")


def test_other_members_of_the_archive_are_passed_over(tmp_path: Path, counts: np.ndarray) -> None:
    np.savez(tmp_path / "s.npz", data=counts)
    with zipfile.ZipFile(tmp_path / "s.npz", "a") as archive:
        archive.writestr("README.txt", "hello")
    assert read(tmp_path / "s.npz").scan_shape == (13, 29)


def test_free_text_metadata_is_kept(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", data=np.ones((2, 3, 4, 5)), meta="not json")
    assert read(tmp_path / "s.npz").original_metadata == {"meta": "not json"}
