"""Patterns of a scan block by block, each averaged over its neighbourhood where that is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.scan import Scan
from unmixel.engines.base import Blocks
from unmixel.engines.blocks import BlockReader, block_slices
from unmixel.engines.lazy import as_array, read
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.engines.walk import Block, Found, Task, walk

IN_THIS_THREAD = NumpyEngine(1)
REACH = 3.0  # a Gaussian is cut off at so many sigma
_CUT: dict[str, Any] = {"mode": "constant", "truncate": REACH}


@dataclass(frozen=True, eq=False)
class Sums:
    """Counts of some positions.

    Parameters
    ----------
    positions : ndarray of int, shape (b,)
        Flat indices, C order over the scan.
    values : ndarray of float32, shape (b, n_pixels)
        Electrons: the mean of the neighbourhood times the number of patterns it is worth, so that the variance
        of counting noise is the mean, as for plain counts.
    """

    positions: NDArray[np.intp]
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Electrons(Task):
    """Does a task with electrons in place of counts."""

    task: Task
    gain: float

    def __call__(self, engine: Any, block: Block, *along: Any) -> Found:
        """Return what the task finds."""
        counts = np.asarray(engine.to_host(block.values), np.float32)
        return self.task(engine, Sums(block.positions, counts * np.float32(1.0 / self.gain)), *along)


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """The patterns of a scan, each with its neighbours.

    Parameters
    ----------
    scan : Scan
        Positions of weight 0 add nothing to their neighbours.
    sigma : float
        Standard deviation of the Gaussian over positions, in positions; 0 takes each pattern alone.
    budget : int
        Bytes of memory for blocks and their copies.
    engine : Engine
        Goes through patterns that are taken alone; neighbours are read and averaged by this process.
    """

    scan: Scan
    sigma: float
    budget: int
    engine: Any = IN_THIS_THREAD

    def walk(self, task: Task, along: tuple[Any, ...] = ()) -> Found:
        """Return what a task finds in all positions; it gets `Sums`. Lazy data that fit are read only once."""
        if self.sigma > 0:
            return walk(IN_THIS_THREAD, task, self, along)
        return self.engine.walk(_Electrons(task, self.scan.gain), self._alone, along)  # type: ignore[no-any-return]

    @cached_property
    def _data(self) -> Any:
        return as_array(self.scan.data, len(self.scan.scan_axes))

    @cached_property
    def _alone(self) -> Blocks:
        reader = BlockReader(self._data, len(self.scan.scan_axes), self.budget)
        return self.engine.resident(reader)  # type: ignore[no-any-return]

    def __len__(self) -> int:
        """Return the number of tiles that are averaged one by one."""
        return len(self._tiles)

    @property
    def n_positions(self) -> int:
        """Number of positions of the scan."""
        return self.scan.n_positions

    @property
    def kept_as(self) -> str:
        """What is held between passes, in words."""
        return "nothing: every pass averages anew"

    def load(self, i: int) -> Sums:
        """Return tile `i`, each pattern averaged over its neighbours."""
        from scipy.ndimage import gaussian_filter

        n, shape, tile = len(self.scan.scan_axes), self.scan.scan_shape, self._tiles[i]
        here, worth = self._weights
        wide = _widened(tile, shape, self.reach)
        inner = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(tile, wide, strict=True))
        frames = np.asarray(read(self._data, wide), np.float32).reshape(*here[wide].shape, -1)
        frames = frames * here[wide][..., None]
        spread = gaussian_filter(frames, (*[self.sigma] * n, 0), **_CUT)[inner] * worth[tile][..., None]
        positions = np.arange(self.n_positions, dtype=np.intp).reshape(shape)[tile].reshape(-1)
        return Sums(positions, spread.reshape(positions.size, -1))

    @property
    def reach(self) -> int:
        """How many positions away a neighbour may be."""
        return int(REACH * self.sigma + 0.5)

    @cached_property
    def _weights(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return which positions count, and what the sum of a neighbourhood is to be multiplied by.

        With weights w the mean ``sum w x / sum w`` is worth ``(sum w)^2 / sum w^2`` patterns.
        """
        from scipy.ndimage import correlate, gaussian_filter

        shape = self.scan.scan_shape
        some = self.scan.position_weights
        here = np.ones(shape, np.float32) if some is None else np.asarray(some > 0, np.float32)
        single = np.zeros((2 * self.reach + 1,) * len(shape), np.float32)
        single[(self.reach,) * len(shape)] = 1.0
        kernel = gaussian_filter(single, self.sigma, **_CUT)
        weight = correlate(here, kernel, mode="constant")
        square = correlate(here, kernel**2, mode="constant")
        worth = np.where(square > 0, weight / np.maximum(square, 1e-30), 0.0) / self.scan.gain
        return here, np.asarray(worth, np.float32)

    @cached_property
    def _tiles(self) -> list[tuple[slice, ...]]:
        """Return tiles that fit the budget together with their neighbours, as long as a tile can be cut."""
        shape, n = self.scan.scan_shape, len(self.scan.scan_axes)
        frame, room = 4 * self.scan.n_pixels, self.budget // 8
        while True:
            tiles = block_slices(self._data, n, room)
            largest = max(_size(_widened(tile, shape, self.reach)) for tile in tiles)
            if 3 * largest * frame <= self.budget or len(tiles) == self.scan.n_positions:
                return tiles
            room //= 2


def _size(tile: tuple[slice, ...]) -> int:
    return math.prod(s.stop - s.start for s in tile)


def _widened(tile: tuple[slice, ...], shape: tuple[int, ...], reach: int) -> tuple[slice, ...]:
    return tuple(
        slice(max(0, s.start - reach), min(size, s.stop + reach)) for s, size in zip(tile, shape, strict=True)
    )
