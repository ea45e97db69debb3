"""A secret is found wherever it lies: in names, texts, attributes, arrays, archives and what pages embed."""

from __future__ import annotations

import base64
import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from unmixel.io.pieces import RAW, pieces

SECRET = "ottilie"
LETTERS = np.frombuffer(SECRET.encode() * 300, np.uint8)


def text(folder: Path) -> None:
    (folder / "a.txt").write_text(f"by {SECRET}")


def name(folder: Path) -> None:
    (folder / SECRET).mkdir()


def attribute(folder: Path) -> None:
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_group("g").attrs["by"] = [f"x{SECRET}", "y"]


def packed_array(folder: Path) -> None:
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("g/a", data=LETTERS, compression="gzip", chunks=(77,), shuffle=True)


def packed_array_behind_a_block(folder: Path) -> None:
    with h5py.File(folder / "a.h5", "w", userblock_size=1024) as file:
        file.create_dataset("g/a", data=LETTERS, compression="gzip", chunks=(77,), shuffle=True)


def packed_strings(folder: Path) -> None:
    with h5py.File(folder / "a.h5", "w") as file:
        file["words"] = np.array([SECRET, "b"], dtype=object)


def member_name(folder: Path) -> None:
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_group(f"a/{SECRET}/b")


def zipped(folder: Path) -> None:
    text(folder)
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "a.txt", "deep/a.txt")
    (folder / "a.txt").unlink()


def hdf5_in_zip(folder: Path) -> None:
    packed_array(folder)
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "a.h5", "a.h5")
    (folder / "a.h5").unlink()


def gzipped(folder: Path) -> None:
    (folder / "a.gz").write_bytes(gzip.compress(SECRET.encode() * 50))


def packed_image(folder: Path) -> None:
    tifffile.imwrite(folder / "a.tif", LETTERS.reshape(30, -1), compression="zlib")


def tag(folder: Path) -> None:
    tifffile.imwrite(folder / "a.tif", np.zeros((4, 5)), description=SECRET)


def zarr_array(folder: Path) -> None:
    zarr.open_group(str(folder / "a.zarr"), mode="w", zarr_format=2).create_array("a", data=LETTERS)


def zarr_3_array(folder: Path) -> None:
    zarr.open_group(str(folder / "a.zarr"), mode="w", zarr_format=3).create_array("a", data=LETTERS)


def embedded(folder: Path) -> None:
    code = base64.b64encode(SECRET.encode()).decode()
    (folder / "a.html").write_text(f'<img src="data:image/png;base64,{code}">')


HIDERS = [
    text, name, attribute, packed_array, packed_array_behind_a_block, packed_strings, member_name, zipped, hdf5_in_zip,
    gzipped, packed_image, tag, zarr_array, zarr_3_array, embedded,
]  # fmt: skip


@pytest.mark.parametrize("hide", HIDERS)
def test_a_secret_is_found(tmp_path: Path, hide: Callable[[Path], None]) -> None:
    hide(tmp_path)
    assert any(SECRET.encode() in data or SECRET in name for name, data in pieces(tmp_path))


def test_a_file_alone_is_a_piece(tmp_path: Path) -> None:
    text(tmp_path)
    assert list(pieces(tmp_path / "a.txt")) == [("a.txt", b"by ottilie")]


def test_containers_are_there_whole_and_in_pieces(tmp_path: Path) -> None:
    packed_array(tmp_path)
    found = dict(pieces(tmp_path))
    assert found[f"a.h5{RAW}"] == (tmp_path / "a.h5").read_bytes()
    assert found["a.h5/g/a"] == LETTERS.tobytes()
