"""Where the tiles of a scan lie: in memory, or in a temporary file."""

from __future__ import annotations

import shutil
import tempfile
import threading
from functools import cached_property
from typing import Any, Literal, Protocol
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

Where = Literal["memory", "scratch", "file"]

SPARE_DISK = 2_000_000_000
"""Bytes of the disk that a temporary file leaves free."""


class Drawer(Protocol):
    """Where tiles lie."""

    where: Where
    n_bytes: int

    def put(self, tile: NDArray[Any]) -> int:
        """Keep a tile and return its key."""
        ...

    def rows(self, key: int, rows: slice, like: tuple[np.dtype[Any], int]) -> NDArray[Any]:
        """Return rows of a tile of a type and a width."""
        ...


class InMemory:
    """Keeps tiles as they are."""

    where: Where = "memory"

    def __init__(self) -> None:
        self.n_bytes = 0
        self._tiles: list[NDArray[Any]] = []

    def put(self, tile: NDArray[Any]) -> int:
        """Keep a tile and return its key."""
        self._tiles.append(tile)
        self.n_bytes += tile.nbytes
        return len(self._tiles) - 1

    def rows(self, key: int, rows: slice, like: tuple[np.dtype[Any], int]) -> NDArray[Any]:
        """Return rows of a tile."""
        return self._tiles[key][rows]


class Scratch:
    """Writes tiles to a temporary file, which goes when this does, or when the process ends."""

    where: Where = "scratch"

    def __init__(self) -> None:
        self.n_bytes = 0
        self._lock = threading.Lock()

    @cached_property
    def _file(self) -> Any:
        file = tempfile.TemporaryFile(buffering=0, prefix="unmixel-")  # noqa: SIM115 - open as long as this is
        finalize(self, file.close)
        return file

    def put(self, tile: NDArray[Any]) -> int:
        """Write a tile and return where it begins."""
        start = self.n_bytes
        with self._lock:
            self._file.seek(start)
            rest = tile.data.cast("B")
            while rest:  # a write may take less than it is given
                rest = rest[self._file.write(rest) :]
        self.n_bytes += tile.nbytes
        return start

    def rows(self, key: int, rows: slice, like: tuple[np.dtype[Any], int]) -> NDArray[Any]:
        """Read rows of a tile."""
        kind, width = like
        values = np.empty((rows.stop - rows.start, width), kind)
        with self._lock:
            self._file.seek(key + rows.start * width * kind.itemsize)
            self._file.readinto(values.data)
        return values


def drawer_for(n_bytes: int, room: int, *, scratch: bool) -> Drawer | None:
    """Return where so many bytes of data go with so much room in memory; None where there is nothing for them."""
    if n_bytes <= room:
        return InMemory()
    left = shutil.disk_usage(tempfile.gettempdir()).free - SPARE_DISK
    return Scratch() if scratch and n_bytes <= left else None
