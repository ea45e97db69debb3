"""One walk through the blocks of a scan: a task looks at every block by itself, and what it finds is put together.

A task is an object of small arrays that can be sent to another process; it changes nothing but what it returns. So an
engine may share blocks out to threads or to machines, and look at one again where that failed.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from unmixel.engines.base import Array, Blocks

Block = Any
"""Some positions of a scan; see `blocks.Block`."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a task found in one block, or in all of them.

    Parameters
    ----------
    here : tuple of array
        One number or column for each position, positions along the last axis: (..., b) of a block, (..., n) of all.
    sums : tuple of array, or of anything that can be added and sent
        What is added up over blocks. Whoever gets arrays may change them.
    """

    here: tuple[Array, ...] = ()
    sums: tuple[Array, ...] = ()

    def __sizeof__(self) -> int:
        """Return the bytes of what was found, by which a cluster reckons what is held and sent."""
        return sum(getattr(part, "nbytes", 64) for part in (*self.here, *self.sums))


class Task(ABC):
    """What is done with every block; subclasses are frozen dataclasses of small arrays."""

    @abstractmethod
    def __call__(self, engine: Any, block: Block, *along: Array) -> Found:
        """Return what is found in a block.

        Parameters
        ----------
        engine : Engine
            The one that computes, which need not be that of the caller.
        block : Block
            With its values where the engine computes.
        *along : array, shape (..., b)
            The block's part of what was given to `walk` beside the task.
        """

    def add(self, total: Any, sums: tuple[Array, ...]) -> Any:
        """Return the total (None at first) with the sums of one more block, shapes as `Found.sums`."""
        return added(total, sums)


def added(total: tuple[Array, ...] | None, more: tuple[Array, ...]) -> tuple[Array, ...]:
    """Return the sums of two runs of blocks; the first may be changed.

    Examples
    --------
    >>> added((np.ones(2), 1.0), (np.ones(2), 2.0))
    (array([2., 2.]), 3.0)
    """
    return more if total is None else tuple(map(_plus, total, more))


def _plus(total: Array, more: Array) -> Array:
    if getattr(total, "ndim", 0):
        total += more
        return total
    return total + more


def where(block: Block, engine: Any, array: Array) -> Any:
    """Return what cuts a block's positions out of an array: a slice, or indices where the array lives."""
    positions = block.positions
    if positions.size and bool((positions[1:] - positions[:-1] == 1).all()):
        return slice(int(positions[0]), int(positions[-1]) + 1)
    return positions if isinstance(array, np.ndarray) else engine.asarray(positions.astype(np.int64))


@dataclass(eq=False)
class Places:
    """Arrays over all positions that fill up block by block, in any order.

    Parameters
    ----------
    engine : Engine
    n_positions : int
    """

    engine: Any
    n_positions: int
    arrays: tuple[Array, ...] | None = None
    _lock: Any = field(default_factory=threading.Lock, repr=False)

    def put(self, block: Block, parts: tuple[Array, ...]) -> None:
        """Put what belongs to the positions of a block in its place."""
        with self._lock:
            if self.arrays is None:
                self.arrays = tuple(self._empty(part) for part in parts)
        for array, part in zip(self.arrays, parts, strict=True):
            array[..., where(block, self.engine, array)] = part

    def _empty(self, part: Array) -> Array:
        shape = (*part.shape[:-1], self.n_positions)
        return self.engine.xp.empty(shape, dtype=part.dtype, device=part.device)


def on_block(task: Task, engine: Any, block: Block, along: Iterable[Array]) -> Found:
    """Return what a task finds in a block, given what lies along all positions."""
    return task(engine, block, *(array[..., where(block, engine, array)] for array in along))


def walk(engine: Any, task: Task, blocks: Blocks, along: tuple[Array, ...] = ()) -> Found:
    """Return what a task finds in all blocks, in this process: threads of the engine take them in turn.

    Which blocks are added to which depends on nothing but the engine, so that sums are the same in every run.

    Parameters
    ----------
    engine : Engine
    task : Task
    blocks : Blocks
        Values where the engine computes.
    along : tuple of array, shape (..., n)
        What the task wants to know of each position; a block gets its part.

    Examples
    --------
    >>> from unmixel.engines.blocks import BlockReader
    >>> from unmixel.engines.numpy_engine import NumpyEngine
    >>> class Sums(Task):
    ...     def __call__(self, engine, block, *along):
    ...         return Found((block.values.sum(axis=1),), (block.values.sum(axis=0),))
    >>> found = walk(NumpyEngine(), Sums(), BlockReader(np.arange(6).reshape(2, 3), 1))
    >>> found.here[0].tolist(), found.sums[0].tolist()
    ([3, 12], [3, 5, 7])
    """
    places = Places(engine, blocks.n_positions)

    def look(i: int) -> tuple[Array, ...]:
        block = blocks.load(i)
        answer = on_block(task, engine, block, along)
        places.put(block, answer.here)
        return answer.sums

    totals = engine.gather(look, range(len(blocks)), task.add)
    sums = reduce(added, [total for total in totals if total is not None], None)
    return Found(places.arrays or (), sums or ())
