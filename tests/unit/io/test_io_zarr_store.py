"""Plain zarr stores, format 2 and 3, folders and zip files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from unmixel.core.errors import ReadError
from unmixel.engines.lazy import is_lazy
from unmixel.io.contract import ReadOptions
from unmixel.io.zarr_store import ZarrReader


def read(path: Path, **options):
    return ZarrReader().read(str(path), ReadOptions(**options))


@pytest.mark.parametrize("version", [2, 3])
def test_an_array(tmp_path: Path, counts: np.ndarray, version: int) -> None:
    array = zarr.create_array(
        str(tmp_path / "s.zarr"),
        shape=counts.shape,
        chunks=(4, 7, 31, 26),
        dtype="uint16",
        zarr_format=version,
    )
    array[...] = counts
    array.attrs["sample"] = "glass"
    scan = read(tmp_path / "s.zarr")
    assert is_lazy(scan.data)
    assert np.array_equal(np.asarray(scan.data), counts)
    assert scan.source.format == f"zarr {version}"
    assert scan.original_metadata["array"]["sample"] == "glass"


def test_a_group_and_a_choice(tmp_path: Path, counts: np.ndarray) -> None:
    root = zarr.open_group(str(tmp_path / "s.zarr"), mode="w")
    root.create_array("run/frames", shape=counts.shape, chunks=(4, 7, 31, 26), dtype="uint16")
    root.create_array("survey", shape=(50, 60), chunks=(50, 60), dtype="float32")
    scan = read(tmp_path / "s.zarr")
    assert scan.scan_shape == (13, 29)
    assert any("survey" in note for note in scan.source.notes)
    assert read(tmp_path / "s.zarr", dataset="survey").pattern_shape == (50, 60)


def test_a_zip_file(tmp_path: Path, counts: np.ndarray) -> None:
    with zarr.storage.ZipStore(tmp_path / "s.zarr", mode="w") as store:
        array = zarr.create_array(store, shape=counts.shape, chunks=counts.shape, dtype="uint16")
        array[...] = counts
    assert np.array_equal(np.asarray(read(tmp_path / "s.zarr").data), counts)


def test_an_empty_group_is_refused(tmp_path: Path) -> None:
    zarr.open_group(str(tmp_path / "s.zarr"), mode="w")
    with pytest.raises(ReadError, match="with an array"):
        read(tmp_path / "s.zarr")
