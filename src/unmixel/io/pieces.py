"""Everything that a file or folder tells: its bytes, and those of all that is packed inside.

For tests that nothing is told that must not be, and that two files say the same.
"""

from __future__ import annotations

import base64
import gzip
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_HDF5, _ZIP, _GZIP, _TIFF = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x1f\x8b", (b"II*\x00", b"MM\x00*")
_PLACES = (0, *(512 << n for n in range(8)))  # of the signature of HDF5, behind what others put first
_EMBEDDED = re.compile(rb"data:[\w/+.-]*;base64,([A-Za-z0-9+/=]+)")

RAW = "#raw"
"""Ends the name of a piece that is the bytes of a whole container, whose members are pieces, too."""

Piece = tuple[str, bytes]


def pieces(path: Path) -> Iterator[Piece]:
    """Yield name and bytes of all that lies in a file or folder.

    Members of folders, zip files, gzip files and HDF5 files and the arrays of zarr stores are pieces of their own,
    uncompressed: names, attributes and values. What HTML embeds is decoded.

    Examples
    --------
    >>> note = Path("note.txt")
    >>> _ = note.write_text("all")
    >>> list(pieces(note))
    [('note.txt', b'all')]
    """
    if path.is_file():
        yield from _inside(path.name, path.read_bytes())
        return
    for member in sorted(path.rglob("*")):
        name = member.relative_to(path).as_posix()
        if member.is_file():
            yield from _inside(name, member.read_bytes())
        else:
            yield name, b""
        if member.name in (".zarray", "zarr.json"):
            yield from _zarr(member.parent, name)


def _inside(name: str, data: bytes) -> Iterator[Piece]:
    hdf5 = any(data.startswith(_HDF5, place) for place in _PLACES)
    if hdf5 or data.startswith((_ZIP, _GZIP, *_TIFF)):
        yield f"{name}{RAW}", data
    if hdf5:
        yield from _hdf5(name, data)
    elif data.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from _inside(f"{name}/{member}", archive.read(member))
    elif data.startswith(_GZIP):
        yield from _inside(f"{name}/unpacked", gzip.decompress(data))
    elif data.startswith(_TIFF):
        yield from _tiff(name, data)
    else:
        yield name, data
        for number, found in enumerate(_EMBEDDED.findall(data)):
            yield f"{name}/embedded {number}", base64.b64decode(found)


def _hdf5(name: str, data: bytes) -> Iterator[Piece]:
    import h5py

    found: list[Piece] = []

    def visit(place: str, node: Any) -> None:
        found.extend((f"{name}/{place}@{key}", _bytes(value)) for key, value in node.attrs.items())
        if isinstance(node, h5py.Dataset):
            found.append((f"{name}/{place}", _bytes(node[()])))
        else:
            found.append((f"{name}/{place}", b""))

    with h5py.File(io.BytesIO(data), "r") as file:
        visit("", file)
        file.visititems(visit)
    yield from found


def _tiff(name: str, data: bytes) -> Iterator[Piece]:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for number, page in enumerate(file.pages):
            yield f"{name}/{number}", _bytes(page.asarray())
            for tag in getattr(page, "tags", ()):
                yield f"{name}/{number}@{tag.name}", _bytes(tag.value)


def _zarr(folder: Path, name: str) -> Iterator[Piece]:
    import zarr

    node = zarr.open(str(folder), mode="r")
    if isinstance(node, zarr.Array):
        yield f"{name}/values", _bytes(node[()])


def _bytes(value: Any) -> bytes:
    """Return what a value says: text as UTF-8, numbers as they lie in memory."""
    array = np.asarray(value)
    if array.dtype.kind in "OU":
        texts = (item if isinstance(item, bytes) else str(item).encode() for item in array.ravel().tolist())
        return b"\n".join(texts)
    return array.tobytes()
