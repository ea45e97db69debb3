"""Walk an HDF5 file: open it with the filters of vendors, list data sets, keep metadata as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LARGEST_KEPT = 4096
"""Data sets of at most so many values are metadata."""


def text(value: Any) -> Any:
    """Return an attribute as plain Python: text for bytes, a number for an array of one value."""
    import numpy as np

    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value


def opened(path: str) -> Any:
    """Return the file opened for reading, with the filters of vendors at hand."""
    import h5py
    import hdf5plugin  # noqa: F401 - registers bitshuffle, blosc, ...

    return h5py.File(path, "r")


def datasets(group: Any) -> Iterator[Any]:
    """Yield all data sets under a group, those behind links to other files too, each once."""
    import h5py

    seen: set[Any] = set()

    def walk(here: Any) -> Iterator[Any]:
        for name in here:
            if isinstance(here.get(name, getlink=True), h5py.SoftLink):
                continue
            member = here.get(name)
            if member is None:
                continue
            key = (member.file.filename, member.name)
            if key in seen:
                continue
            seen.add(key)
            if isinstance(member, h5py.Dataset):
                yield member
            else:
                yield from walk(member)

    yield from walk(group)


def tree(group: Any) -> dict[str, Any]:
    """Return attributes and small data sets of a group as nested plain values."""
    import h5py

    result: dict[str, Any] = {key: text(value) for key, value in group.attrs.items()}
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.SoftLink):
            continue
        member = group.get(name)
        if isinstance(member, h5py.Group):
            result[name] = tree(member)
        elif member is not None and member.size is not None and member.size <= LARGEST_KEPT:
            result[name] = text(member[()])
    return result
