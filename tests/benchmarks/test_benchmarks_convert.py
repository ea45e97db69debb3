"""Conversion of every sample that lies beside the repository: nothing is lost; and the benchmark's own tools."""

from __future__ import annotations

from pathlib import Path

import convert
import convert_codecs
import numpy as np
import pytest

import unmixel

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
FOLDERS = ("formats", "edx_geology", "eels_mn3o4", "orient4d_grains")
NOT_READ = {
    "Nope.bcf", "test-8.dm4", "test_rgba16.hdf5", "test_rgba16.npz", "test_00.h5", "20241021_00405_info.txt",
    "Custom_info.txt", "Custom_scan_coordinates.csv", "ROI_Random_Scan_info.txt",
    "ROI_Random_Scan_scan_coordinates.csv", "Test SI 16x16 ReducedData 215 kx.emd",
}  # fmt: skip
"""Files that hold no scan, spectrum or image of plain numbers, or are damaged on purpose."""


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the samples are not beside the repository")
@pytest.mark.filterwarnings("default")  # what readers say of old files is not what is tested
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_sample_comes_back_whole(folder: str, tmp_path: Path) -> None:
    n_same = 0
    for file in convert.members(DATA / folder, tmp_path / "unpacked"):
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        found = convert.round_trip(file, out)
        n_same += found.same
        # in archives there are descriptions beside the data, too, and raw counter bits
        if found.refused and file.suffix != ".hdr" and not file.stem.endswith("RAW"):
            assert file.name in NOT_READ, found.refused
        assert found.refused or found.same, found
    assert n_same >= {"formats": 55, "edx_geology": 3, "eels_mn3o4": 2, "orient4d_grains": 1}[folder]


def test_a_round_trip_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.arange(3 * 4 * 5 * 6, dtype=np.uint16).reshape(3, 4, 5, 6))
    found = convert.round_trip(tmp_path / "s.npy", tmp_path)
    assert found.same
    assert found.shape == "3 x 4 x 5 x 6"
    (tmp_path / "n.npy").write_bytes(b"no array")
    assert convert.round_trip(tmp_path / "n.npy", tmp_path).refused


def test_all_ways_write_the_same_counts(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(2.0, (6, 8, 12, 10)).astype(np.uint16)
    np.save(tmp_path / "s.npy", counts)
    for function, name in convert.WAYS.values():
        stored = function(str(tmp_path / "s.npy"), tmp_path / name, 10**8)
        assert (stored > 0) == (name != "none")
        if stored:
            assert np.array_equal(np.asarray(unmixel.open(tmp_path / name).data), counts)


def test_codecs_without_a_name_give_back_what_they_got() -> None:
    from numcodecs import Zstd

    part = np.random.default_rng(0).integers(0, 1000, (4, 5, 6), dtype=np.uint16)
    part[0, 0, 0] = 1023
    for codec in (
        convert_codecs.Packed(None),
        convert_codecs.Packed(Zstd(3)),
        convert_codecs.Differences(Zstd(1)),
    ):
        back = np.asarray(codec.decode(codec.encode(part))).reshape(-1)
        assert np.array_equal(back[: part.size], part.reshape(-1))
