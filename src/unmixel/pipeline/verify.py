"""Compare a store bit by bit with the scan it was written from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import VerificationError
from unmixel.dataset.scan import Scan
from unmixel.engines.ahead import ReadAhead
from unmixel.engines.lazy import as_array, only_in_order, read
from unmixel.io.faithful import same
from unmixel.io.layout import Layout
from unmixel.io.open import open as open_scan
from unmixel.pipeline.progress import Progress

_KEPT = ("scan_axes", "pattern_axes", "instrument", "history")


@dataclass
class RowDigest:
    """sha256 of the sha256 of each row of a scan, fed tile by tile, the last scan axis running fastest.

    A row is all patterns along the last scan axis, as little-endian bytes. So the digest depends on the data alone, not
    on how they are stored, and takes a few bytes a row.

    Parameters
    ----------
    scan_shape : tuple of int

    Examples
    --------
    >>> values = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    >>> digest = RowDigest((2, 3))
    >>> digest.take((slice(0, 2), slice(0, 2)), values[:, :2])
    >>> digest.take((slice(0, 2), slice(2, 3)), values[:, 2:])
    >>> rows = [hashlib.sha256(row.astype("<u2").tobytes()).digest() for row in values]
    >>> digest.hexdigest() == hashlib.sha256(b"".join(rows)).hexdigest()
    True
    """

    scan_shape: tuple[int, ...]
    _open: dict[int, Any] = field(default_factory=dict, init=False, repr=False)
    _done: dict[int, bytes] = field(default_factory=dict, init=False, repr=False)

    def take(self, tile: tuple[slice, ...], values: NDArray[Any]) -> None:
        """Take the values of a tile, shape (*positions of the tile, *pattern_shape)."""
        outer = self.scan_shape[:-1]
        starts, lengths = [run.start for run in tile[:-1]], [run.stop - run.start for run in tile[:-1]]
        rows = values.astype(values.dtype.newbyteorder("<"), copy=False).reshape(math.prod(lengths), -1)
        for inside, row in zip(np.ndindex(*lengths), rows, strict=True):
            place = [start + i for start, i in zip(starts, inside, strict=True)]
            number = int(np.ravel_multi_index(place, outer)) if outer else 0
            self._open.setdefault(number, hashlib.sha256()).update(np.ascontiguousarray(row))
            if not tile or tile[-1].stop == self.scan_shape[-1]:
                self._done[number] = self._open.pop(number).digest()

    def hexdigest(self) -> str:
        """Return the digest of all rows."""
        return hashlib.sha256(b"".join(self._done[number] for number in sorted(self._done))).hexdigest()


def verify(scan: Scan, store: Path, layout: Layout, listener: Progress) -> str:
    """Read a store back from the disk and compare everything with the scan.

    Parameters
    ----------
    scan : Scan
        With data in memory or lazy.
    store : Path
    layout : Layout
        Its tiles are what is compared at once.
    listener : Progress

    Returns
    -------
    str
        The digest of the data as read back (`RowDigest`).

    Raises
    ------
    VerificationError
        Says what differs first.
    """
    listener.stage("verify")
    back = open_scan(store)
    for name in _KEPT:
        if getattr(back, name) != getattr(scan, name):
            raise VerificationError(f"'{store.name}' was read back with other {name}.")
    if not same(back.original_metadata, scan.original_metadata):
        raise VerificationError(f"'{store.name}' was read back with other metadata.")
    tiles, shape = layout.tiles, (*scan.scan_shape, *scan.pattern_shape)
    if back.data.shape != shape or back.data.dtype != scan.data.dtype:
        raise VerificationError(
            f"'{store.name}' was read back as {back.data.dtype} of shape {back.data.shape}."
        )
    sources = [
        ReadAhead(partial(_tile, data, tiles), [1] * len(tiles), only_in_order(data))
        for data in (scan.data, as_array(back.data, len(scan.scan_axes)))
    ]
    digest, moved = RowDigest(scan.scan_shape), 0
    for i, tile in enumerate(tiles):
        was, values = (source.take(i, 0) for source in sources)
        if not np.array_equal(_bits(was), _bits(values)):
            where = tuple(run.start for run in tile)
            raise VerificationError(
                f"'{store.name}' differs from the source in the tile that begins at {where}. "
                "What to do: begin anew (--force); should it differ again, distrust the source or the disk."
            )
        digest.take(tile, values)
        moved += values.nbytes
        listener.moved(moved, scan.n_bytes)
    return digest.hexdigest()


def _tile(data: Any, tiles: Sequence[tuple[slice, ...]], i: int) -> NDArray[Any]:
    return np.ascontiguousarray(read(data, tiles[i]))


def _bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes of values: NaN is then equal to itself, and -0.0 differs from 0.0."""
    return values.reshape(-1).view(np.uint8)
