"""Walk an HDF5 file: open it with the filters of vendors, list data sets, keep metadata as plain values."""

from __future__ import annotations

import copyreg
from collections.abc import Iterator
from pathlib import Path
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

    let_travel()
    return h5py.File(path, "r")


def let_travel() -> None:
    """Let data sets and groups be sent to other processes, which then open the file by themselves."""
    import h5py

    for kind in (h5py.Dataset, h5py.Group):
        copyreg.pickle(kind, _place_of)


def _place_of(member: Any) -> tuple[Any, tuple[str, str]]:
    return _at, (str(Path(member.file.filename).resolve()), member.name)


def _at(path: str, name: str) -> Any:
    return opened(path)[name]


def _members(group: Any, seen: set[Any]) -> Iterator[tuple[str, Any]]:
    """Yield (name, member) of a group, also behind links to other files; nothing twice, whatever its names."""
    import h5py

    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.SoftLink):
            continue
        member = group.get(name)
        if member is None:
            continue
        info = h5py.h5o.get_info(member.id)
        if (info.fileno, info.addr) not in seen:
            seen.add((info.fileno, info.addr))
            yield name, member


def datasets(group: Any) -> Iterator[Any]:
    """Yield all data sets under a group, each once."""
    import h5py

    def walk(here: Any, seen: set[Any]) -> Iterator[Any]:
        for _, member in _members(here, seen):
            if isinstance(member, h5py.Dataset):
                yield member
            elif isinstance(member, h5py.Group):
                yield from walk(member, seen)

    yield from walk(group, set())


def tree(group: Any) -> dict[str, Any]:
    """Return attributes and small data sets of a group as nested plain values."""
    import h5py

    def walk(here: Any, seen: set[Any]) -> dict[str, Any]:
        result: dict[str, Any] = {key: text(value) for key, value in here.attrs.items()}
        for name, member in _members(here, seen):
            if isinstance(member, h5py.Group):
                result[name] = walk(member, seen)
            elif isinstance(member, h5py.Dataset) and member.size is not None and member.size <= LARGEST_KEPT:
                result[name] = text(member[()])
        return result

    return walk(group, set())
