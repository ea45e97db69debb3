"""A bounded sample of a scan: a few small tiles of neighbouring positions, spread over the scan."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmixel.engines.lazy import chunk_lengths, is_lazy

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan

_TILES = 3
_BYTES = 12_000_000
_MOST_FRAMES = 64
_CHUNK_BYTES = 40_000_000
"""Bytes of chunks that are worth unpacking for a sample."""
_PLACES = ((0.2, 0.5), (0.5, 0.8), (0.8, 0.2))


@dataclass(frozen=True, eq=False)
class Sample:
    """Some patterns of a scan.

    Parameters
    ----------
    tiles : tuple of ndarray, each of shape (rows, columns, *pattern_shape)
        Neighbouring positions; a row is a run along the last scan axis.
    n_positions : int
        Of the whole scan.
    """

    tiles: tuple[NDArray[Any], ...]
    n_positions: int

    @property
    def n_frames(self) -> int:
        """Number of patterns in the sample."""
        return sum(tile.shape[0] * tile.shape[1] for tile in self.tiles)

    @property
    def frames(self) -> NDArray[Any]:
        """All patterns, shape (n_frames, *pattern_shape)."""
        return np.concatenate([tile.reshape(-1, *tile.shape[2:]) for tile in self.tiles])


def _run(lengths: tuple[int, ...], place: float, wanted: int) -> tuple[int, int]:
    """Return (start, stop) of at most `wanted` samples inside the chunk that holds the relative place."""
    at, start = place * sum(lengths), 0
    for length in lengths:
        if at < start + length:
            size = min(wanted, length)
            first = start + (length - size) // 2
            return first, first + size
        start += length
    return max(0, start - wanted), start


def _tile(scan: Scan, place: tuple[float, float], frames: int) -> NDArray[Any]:
    """Return one tile of at most `frames` positions at a relative place of the scan."""
    n_scan = len(scan.scan_axes)
    if n_scan == 0:
        return np.asarray(scan.data)[None, None]
    key = [slice(size // 2, size // 2 + 1) for size in scan.scan_shape]
    side = max(1, math.isqrt(frames)) if n_scan > 1 else frames
    key[-1] = slice(*_run(chunk_lengths(scan.data, n_scan - 1), place[1] if n_scan > 1 else place[0], side))
    if n_scan > 1:
        wide = key[-1].stop - key[-1].start
        key[-2] = slice(*_run(chunk_lengths(scan.data, n_scan - 2), place[0], max(1, frames // wide)))
    tile = np.asarray(scan.data[tuple(key)])
    return tile.reshape(-1, tile.shape[n_scan - 1], *scan.pattern_shape)


def take(scan: Scan, *, budget: int = _BYTES) -> Sample:
    """Return a sample of a scan that reads at most three chunks of the file (two where they are large).

    It holds at most `budget` bytes.

    Parameters
    ----------
    scan : Scan
    budget : int
        Bytes; one pattern is always taken.

    Examples
    --------
    >>> from unmixel.dataset.scan import Scan
    >>> take(Scan.from_array(np.ones((13, 29, 31, 26)))).n_frames
    192
    """
    frame = max(1, scan.n_pixels * int(np.dtype(scan.data.dtype).itemsize))
    n_chunks = math.prod(len(chunk_lengths(scan.data, axis)) for axis in range(len(scan.scan_axes)))
    n_tiles = min(_TILES, n_chunks) if is_lazy(scan.data) else _TILES
    n_tiles = max(1, min(n_tiles, budget // frame, scan.n_positions // 4))
    if is_lazy(scan.data):
        chunk = frame * math.prod(max(chunk_lengths(scan.data, axis)) for axis in range(len(scan.scan_axes)))
        n_tiles = min(n_tiles, max(2, _CHUNK_BYTES // chunk))
    places = _PLACES[:n_tiles] if n_tiles > 1 else ((0.5, 0.5),)
    frames = int(max(1, min(_MOST_FRAMES * _TILES // n_tiles, budget // (frame * n_tiles))))
    tiles = [_tile(scan, place, frames) for place in places]
    return Sample(tuple(tiles), scan.n_positions)
