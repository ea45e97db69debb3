"""The layout of EMD 1.0 without emdfile; tests/hyperspy reads the same files with it."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from unmixel.core.errors import MissingExtraError
from unmixel.io.exporters.contract import Parcel
from unmixel.io.exporters.emd import EmdExporter
from unmixel.testing.results import example_result


def write(tmp_path: Path, **example) -> Path:
    EmdExporter().write(Parcel(example_result(**example), "a/b", lambda: tmp_path), tmp_path / "out.emd")
    return tmp_path / "out.emd"


def test_stacks_have_calibrated_axes_and_named_slices(tmp_path: Path) -> None:
    result = example_result()
    with h5py.File(write(tmp_path)) as file:
        assert (file.attrs["emd_group_type"], file.attrs["version_major"]) == ("file", 1)
        assert file.attrs["authoring_user"] == ""
        root = file["a-b"]
        assert root.attrs["emd_group_type"] == "root"
        group = root["patterns"]
        np.testing.assert_array_equal(group["data"][()], result.patterns)
        np.testing.assert_allclose(group["dim0"][()], result.factors.pattern_axes[0].values)
        assert (group["dim1"].attrs["name"], group["dim1"].attrs["units"]) == ("u", "A^-1")
        assert group["dim2"].attrs["name"] == "_labels_"
        assert group["dim2"][()].tolist() == [b"component 0", b"component 1", b"component 2"]


def test_particles_are_points_whose_columns_say_their_type(tmp_path: Path) -> None:
    particles = example_result().particles
    with h5py.File(write(tmp_path)) as file:
        points = file["a-b/particles"]
        assert points.attrs["python_class"] == "PointList"
        assert points["diameter"][()].tolist() == [p.diameter for p in particles.table]
        assert all(
            np.dtype(points[column].attrs["dtype"].decode()) == points[column].dtype for column in points
        )


def test_the_identity_stands_for_the_numbers(tmp_path: Path) -> None:
    told = []
    for number, example in enumerate(({}, {}, {"scan": (8, 7)})):
        folder = tmp_path / str(number)
        folder.mkdir()
        with h5py.File(write(folder, **example)) as file:
            told.append(file.attrs["UUID"])
    assert told[0] == told[1] != told[2]


def test_less_leaves_no_empty_nodes(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path, whole=False)) as file:
        assert set(file["a-b"]) == {"maps", "patterns", "metadatabundle"}


def test_the_judge_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "emdfile", None)
    with pytest.raises(MissingExtraError, match=r"unmixel\[emd\]"):
        EmdExporter().check(write(tmp_path))
