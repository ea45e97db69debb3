"""Stores that unmixel wrote, as our reader, RosettaSciIO and zarr itself see them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

import unmixel
from unmixel.core.errors import ReadError
from unmixel.dataset.scan import Scan
from unmixel.io.contract import ReadOptions
from unmixel.io.converted import ConvertedReader
from unmixel.io.rosetta import RosettaReader
from unmixel.pipeline.convert import convert
from unmixel.testing.writers import METADATA, example


@pytest.fixture
def scan(counts: np.ndarray) -> Scan:
    return example(counts[:6, :7], 2)


@pytest.mark.parametrize("suffix", [".zspy", ".hspy"])
def test_rosettasciio_reads_data_axes_and_metadata(scan: Scan, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"a{suffix}"
    convert(scan, target)
    back = RosettaReader().read(str(target), ReadOptions())
    assert np.asarray(back.data).tobytes() == scan.data.tobytes()
    assert back.data.dtype == scan.data.dtype
    told = [(a.name, a.size, a.scale, a.offset, a.unit) for a in (*back.scan_axes, *back.pattern_axes)]
    assert told == [
        (a.name, a.size, a.scale, a.offset, a.unit) for a in (*scan.scan_axes, *scan.pattern_axes)
    ]
    assert back.original_metadata["metadata"]["General"]["title"] == METADATA["metadata"]["General"]["title"]
    original = back.original_metadata["original_metadata"]
    assert np.array_equal(np.asarray(original["array"]), METADATA["original_metadata"]["array"])
    assert original["when"] == "2026-11-29T21:20:00+00:00"


def test_metadata_of_other_readers_become_hyperspys(counts: np.ndarray, tmp_path: Path) -> None:
    from dataclasses import replace

    scan = replace(example(counts[:6, :7], 2), original_metadata={"vendor": {"serial": 17, "none": None}})
    convert(scan, tmp_path / "a.zspy")
    back = RosettaReader().read(str(tmp_path / "a.zspy"), ReadOptions())
    assert back.instrument.voltage_kV == scan.instrument.voltage_kV
    assert back.instrument.dwell_s == scan.instrument.dwell_s
    assert back.original_metadata["original_metadata"]["vendor"] == {"serial": 17, "none": None}
    assert back.original_metadata["metadata"]["General"]["title"] == "scan"


def test_zarr_itself_reads_the_store(scan: Scan, tmp_path: Path) -> None:
    convert(scan, tmp_path / "a.zarr")
    root = zarr.open_group(str(tmp_path / "a.zarr"), mode="r")
    assert np.array_equal(root["data"][...], scan.data)
    assert root["data"].metadata.dimension_names == ("y", "x", "v", "u")
    assert root.attrs["unmixel"]["axes"][0] == {
        "name": "y", "size": 6, "scale": 0.1, "offset": 1 / 3, "unit": "nm",
    }  # fmt: skip
    codecs = json.loads((tmp_path / "a.zarr/data/zarr.json").read_text())["codecs"][0]
    assert [c["name"] for c in codecs["configuration"]["codecs"]] == ["bytes", "blosc", "crc32c"]


def test_the_source_tells_what_it_was(scan: Scan, tmp_path: Path) -> None:
    convert(scan, tmp_path / "a.zarr")
    source = unmixel.open(tmp_path / "a.zarr").source
    assert source.format == "zarr 3, converted from a format"
    assert source.reader.startswith("converted (zarr ")
    assert source.notes == scan.source.notes


def test_data_stay_lazy_and_typed(scan: Scan, tmp_path: Path) -> None:
    from dataclasses import replace

    from unmixel.engines.lazy import is_lazy, source_of

    convert(replace(scan, data=scan.data.astype(np.float64)), tmp_path / "a.zarr")
    back = unmixel.open(tmp_path / "a.zarr")
    assert is_lazy(back.data)
    assert source_of(back.data) is not None
    assert back.data[2, 3].compute().dtype == np.float64


def test_a_later_version_is_refused(scan: Scan, tmp_path: Path) -> None:
    convert(scan, tmp_path / "a.zarr")
    file = tmp_path / "a.zarr/zarr.json"
    told = json.loads(file.read_text())
    told["attributes"]["unmixel"]["version"] = 99
    file.write_text(json.dumps(told))
    with pytest.raises(ReadError, match="upgrade unmixel"):
        unmixel.open(tmp_path / "a.zarr")


def test_other_stores_are_left_to_other_readers(scan: Scan, tmp_path: Path, write_hspy) -> None:
    zarr.create_array(str(tmp_path / "b.zarr"), shape=(2, 3), dtype="u1")
    reader = ConvertedReader()
    for path in (tmp_path / "b.zarr", write_hspy(scan.data), tmp_path / "no.zspy", tmp_path):
        assert not reader.accepts(str(path))
    with pytest.raises(ReadError, match="a store that unmixel wrote"):
        reader.read(str(tmp_path / "b.zarr"), ReadOptions())


def test_a_wrong_name_of_the_data_is_refused(scan: Scan, tmp_path: Path) -> None:
    convert(scan, tmp_path / "a.zarr")
    with pytest.raises(ReadError, match="leave it out"):
        unmixel.open(tmp_path / "a.zarr", dataset="other")
