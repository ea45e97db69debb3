"""MATLAB files up to version 7."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from unmixel.core.errors import ReadError
from unmixel.io.contract import ReadOptions
from unmixel.io.mat import MatReader


def read(path: Path, **options):
    return MatReader().read(str(path), ReadOptions(**options))


def test_the_largest_array_is_read(tmp_path: Path) -> None:
    values = np.arange(4 * 5 * 60.0).reshape(4, 5, 60)
    savemat(tmp_path / "s.mat", {"X": values, "mask": np.ones((4, 5)), "name": "oxide"})
    scan = read(tmp_path / "s.mat")
    assert (scan.scan_shape, scan.pattern_shape) == ((4, 5), (60,))
    assert np.array_equal(scan.data, values)
    assert scan.data.flags.c_contiguous
    assert any("read whole" in note for note in scan.source.notes)
    assert read(tmp_path / "s.mat", dataset="mask").pattern_shape == (4, 5)


def test_text_alone_is_no_scan(tmp_path: Path) -> None:
    savemat(tmp_path / "s.mat", {"name": "oxide"})
    with pytest.raises(ReadError, match="plain numbers"):
        read(tmp_path / "s.mat")


def test_an_empty_file_is_no_scan(tmp_path: Path) -> None:
    savemat(tmp_path / "s.mat", {})
    with pytest.raises(ReadError, match="with an array"):
        read(tmp_path / "s.mat")


def test_version_7_3_is_left_to_hdf5(tmp_path: Path) -> None:
    (tmp_path / "s.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))
    assert not MatReader().accepts(str(tmp_path / "s.mat"))
    assert not MatReader().accepts(str(tmp_path / "none.mat"))
