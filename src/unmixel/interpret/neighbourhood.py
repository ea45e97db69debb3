"""Patterns of a scan block by block, each averaged over its neighbourhood where that is asked for."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.scan import Scan
from unmixel.engines.base import Blocks
from unmixel.engines.blocks import Block, BlockReader
from unmixel.engines.lazy import as_array, read
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.engines.walk import Found, Task

IN_THIS_THREAD = NumpyEngine(1)
REACH = 3.0  # a Gaussian is cut off at so many sigma
FEWEST = 8  # tiles, so that as many workers have something to do
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
        Goes through the patterns; what averages them reads their neighbours as well.
    """

    scan: Scan
    sigma: float
    budget: int
    engine: Any = IN_THIS_THREAD

    def walk(self, task: Task, along: tuple[Any, ...] = ()) -> Found:
        """Return what a task finds in all positions; it gets `Sums`."""
        return self.engine.walk(_Electrons(task, self.scan.gain), self._blocks, along)  # type: ignore[no-any-return]

    @cached_property
    def _blocks(self) -> Blocks:
        n = len(self.scan.scan_axes)
        data, weights = as_array(self.scan.data, n), self.scan.position_weights
        if self.sigma > 0:
            reader: BlockReader = AverageReader(data, n, self.budget, self.sigma, weights)
        else:
            reader = BlockReader(data, n, self.budget)
        return self.engine.resident(reader)  # type: ignore[no-any-return]


@dataclass
class AverageReader(BlockReader):
    """Reads the blocks of a scan with each pattern averaged over its neighbours, as counts that it is worth.

    Blocks are read with the positions around them: what lies at their borders is read by several. So nobody needs
    anything of another block, and a block may be read by any process.

    Parameters
    ----------
    data, n_scan_axes, budget
        As of `BlockReader`.
    sigma : float
        Standard deviation of the Gaussian over positions, in positions, > 0.
    weights : ndarray, shape scan_shape, optional
        Positions of weight 0 add nothing to their neighbours.
    """

    sigma: float = 1.0
    weights: NDArray[Any] | None = None

    @cached_property
    def _source(self) -> Any:
        return _Averages(self.data, self.n_scan_axes, self.budget, self.sigma, self.weights)

    @property
    def kept_as(self) -> str:
        """What is held between passes, in words."""
        return "nothing: every pass averages anew"

    def _keep(self, i: int, block: Block) -> None:
        """Keep nothing: blocks and their neighbours may take all of the budget while they are averaged."""


@dataclass(frozen=True, eq=False)
class _Averages:
    """Blocks for one pass, never kept; parameters as of `AverageReader`."""

    data: Any
    n_scan_axes: int
    budget: int
    sigma: float
    weights: NDArray[Any] | None
    _turn: Any = field(default_factory=threading.Lock, repr=False)

    def __len__(self) -> int:
        """Return the number of blocks."""
        return len(self._tiles)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the scan."""
        return tuple(int(size) for size in self.data.shape[: self.n_scan_axes])

    def positions(self, i: int) -> NDArray[np.intp]:
        """Return the flat positions of block `i`, which is not read for it."""
        return self._index[self._tiles[i]].reshape(-1)

    def load(self, i: int) -> Block:
        """Return block `i`, each pattern averaged over its neighbours."""
        from scipy.ndimage import gaussian_filter

        tile, (here, worth) = self._tiles[i], self._worth
        wide = _widened(tile, self.shape, self.reach)
        inner = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(tile, wide, strict=True))
        positions = self.positions(i)
        # one at a time: a block with its neighbours may take all of the budget
        with self._turn:
            frames = np.array(read(self.data, wide), np.float32).reshape(*here[wide].shape, -1)
            frames *= here[wide][..., None]
            gaussian_filter(frames, (*[self.sigma] * self.n_scan_axes, 0), output=frames, **_CUT)
            values = frames[inner] * worth[tile][..., None]
        return Block(positions, values.reshape(positions.size, -1))

    @property
    def reach(self) -> int:
        """How many positions away a neighbour may be."""
        return int(REACH * self.sigma + 0.5)

    @cached_property
    def _worth(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return which positions count, and what the sum of a neighbourhood is to be multiplied by.

        With weights w the mean ``sum w x / sum w`` is worth ``(sum w)^2 / sum w^2`` patterns.
        """
        from scipy.ndimage import correlate, gaussian_filter

        some = np.ones(self.shape) if self.weights is None else self.weights
        here = np.asarray(some > 0, np.float32)
        single = np.zeros((2 * self.reach + 1,) * len(self.shape), np.float32)
        single[(self.reach,) * len(self.shape)] = 1.0
        kernel = gaussian_filter(single, self.sigma, **_CUT)
        weight = correlate(here, kernel, mode="constant")
        square = correlate(here, kernel**2, mode="constant")
        worth = np.where(square > 0, weight / np.maximum(square, 1e-30), 0.0)
        return here, np.asarray(worth, np.float32)

    @cached_property
    def _index(self) -> NDArray[np.intp]:
        return np.arange(math.prod(self.shape), dtype=np.intp).reshape(self.shape)

    @cached_property
    def _tiles(self) -> list[tuple[slice, ...]]:
        """Return tiles that fit the budget together with their neighbours, as long as one can be cut.

        They are about square, whatever the chunks of the file: the less border, the less is read by several.
        """
        # in float32, in which they are averaged in place, and as they are read or given back
        frame = (4 + max(4, self.data.dtype.itemsize)) * math.prod(self.data.shape[self.n_scan_axes :])
        parts = [1] * len(self.shape)
        while True:
            sides = [math.ceil(size / count) for size, count in zip(self.shape, parts, strict=True)]
            wide = [min(side + 2 * self.reach, size) for side, size in zip(sides, self.shape, strict=True)]
            fits = math.prod(wide) * frame <= self.budget and math.prod(parts) >= FEWEST
            if fits or max(sides, default=1) == 1:
                break
            parts[int(np.argmax(sides))] += 1
        ends = (
            np.linspace(0, size, count + 1).round().astype(int).tolist()
            for size, count in zip(self.shape, parts, strict=True)
        )
        return [tuple(slice(a, b) for a, b in tile) for tile in product(*map(pairwise, ends))]


def _widened(tile: tuple[slice, ...], shape: tuple[int, ...], reach: int) -> tuple[slice, ...]:
    return tuple(
        slice(max(0, s.start - reach), min(size, s.stop + reach)) for s, size in zip(tile, shape, strict=True)
    )
