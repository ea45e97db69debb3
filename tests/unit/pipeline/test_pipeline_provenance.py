"""Fingerprints: the same input gives the same mark, any change another one, and the work is bounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unmixel.dataset.scan import Scan
from unmixel.pipeline import provenance
from unmixel.pipeline.provenance import fingerprint, versions
from unmixel.pipeline.recipe import Recipe


def test_a_file_is_hashed_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc" * 1000)
    mark = fingerprint(path)
    assert mark["covers"] == "the whole file"
    assert mark["bytes"] == 3000
    assert fingerprint(str(path)) == mark
    path.write_bytes(b"abc" * 999 + b"abd")
    assert fingerprint(path)["sha256"] != mark["sha256"]


def test_a_large_file_is_sampled_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "FULL_LIMIT", 1000)
    monkeypatch.setattr(provenance, "_PIECE", 10)
    monkeypatch.setattr(provenance, "_PIECES", 5)
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(2000))
    mark = fingerprint(path)
    assert "5 pieces" in mark["covers"]
    for change in (bytes(2001), b"x" + bytes(1999), bytes(1999) + b"x"):
        path.write_bytes(change)
        assert fingerprint(path)["sha256"] != mark["sha256"]


def test_a_folder_is_hashed_by_names_sizes_and_contents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "scan.zspy"
    for i in range(7):
        (store / f"{i}").mkdir(parents=True)
        (store / f"{i}" / "chunk").write_bytes(bytes([i]) * 100)
    mark = fingerprint(store)
    assert "all 7 files" in mark["covers"]
    (store / "3" / "chunk").write_bytes(bytes([9]) * 100)
    assert fingerprint(store)["sha256"] != mark["sha256"]
    monkeypatch.setattr(provenance, "FULL_LIMIT", 10)
    monkeypatch.setattr(provenance, "_PIECES", 3)
    sampled = fingerprint(store)
    assert "contents of 3 of them" in sampled["covers"]
    (store / "4" / "chunk").rename(store / "4" / "other")
    assert fingerprint(store)["sha256"] != sampled["sha256"]


def test_an_address_is_its_own_mark() -> None:
    assert fingerprint("demo:glass?seed=1") != fingerprint("demo:glass?seed=2")
    assert fingerprint("demo:glass")["covers"] == "the address"


def test_a_scan_is_hashed_by_values_axes_and_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.arange(120, dtype=np.uint16).reshape(4, 5, 6)
    scans = [
        Scan.from_array(data),
        Scan.from_array(data + 1),
        Scan.from_array(data, scan_step=(2.0, "nm")),
        Scan.from_array(data.astype(np.uint32)),
        Scan.from_array(data, pixel_weights=np.ones(6)),
        Scan.from_array(data, position_weights=np.ones((4, 5))),
    ]
    marks = [fingerprint(scan)["sha256"] for scan in scans]
    assert len(set(marks)) == len(marks)
    assert fingerprint(Scan.from_array(data.copy()))["sha256"] == marks[0]
    monkeypatch.setattr(provenance, "FULL_LIMIT", 10)
    assert "20 positions" in fingerprint(scans[0])["covers"]
    assert fingerprint(scans[0]) != fingerprint(scans[1])


def test_versions_tell_what_numbers_depend_on() -> None:
    found = versions(Recipe())
    for name in ("python", "platform", "unmixel", "numpy", "scipy", "h5py"):
        assert found[name]
