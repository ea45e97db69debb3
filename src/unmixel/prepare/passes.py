"""Looks at every pattern of a scan: by the workers of an engine where the pipeline says so, else in this process.

Steps know nothing of engines: they say what is looked for in some patterns, a `Look`, and get back what was found in
all of them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core import registry
from unmixel.engines.blocks import DEFAULT_BUDGET, BlockReader, ReadOnce
from unmixel.engines.lazy import as_array, is_lazy
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.engines.walk import Block, Found, Task

BATCH_BYTES = 8_000_000
"""Bytes of frames that are looked at together, so that float64 copies stay small."""

_ENGINE: ContextVar[Any] = ContextVar("unmixel_engine_of_steps", default=(None, DEFAULT_BUDGET))


class Look(Task):
    """What is looked for in some patterns, in numpy: subclasses are frozen dataclasses of small arrays."""

    @abstractmethod
    def on_host(self, values: NDArray[Any], *along: NDArray[Any]) -> Found:
        """Return what is found in patterns, shape (b, n_pixels), given what lies along them, shapes (..., b)."""

    def __call__(self, engine: Any, block: Block, *along: Any) -> Found:
        """Return what is found in a block, as arrays of the engine."""
        found = self.on_host(engine.to_host(block.values), *map(np.asarray, along))
        here, sums = (
            tuple(engine.asarray(part) if isinstance(part, np.ndarray) else part for part in parts)
            for parts in (found.here, found.sums)
        )
        return Found(here, sums)


@contextmanager
def walked_by(engine: Any, budget: int = DEFAULT_BUDGET) -> Iterator[None]:
    """While this is entered, an engine goes through lazy data for steps.

    Parameters
    ----------
    engine : Engine or its name, or None
        None for the one that does so already: this process, where nobody has said otherwise.
    budget : int
        Bytes for blocks, of each worker where the engine has any.
    """
    now = _ENGINE.get()[0] if engine is None else registry.plugin("engines", engine)
    token = _ENGINE.set((now, budget))
    try:
        yield
    finally:
        _ENGINE.reset(token)


def found_in(look: Look, data: Any, n_scan_axes: int, *along: NDArray[Any]) -> Found:
    """Return what is found in all patterns of some data, as numpy.

    Parameters
    ----------
    look : Look
    data : array, shape (*scan_shape, *pattern_shape)
    n_scan_axes : int
    *along : ndarray, shape (..., n)
        What is to be known of each position.

    Examples
    --------
    >>> light = Light(np.array([[True, True, True], [False, True, False]]))
    >>> found_in(light, np.arange(6).reshape(2, 3), 1).here[0].tolist()
    [[3.0, 12.0], [1.0, 4.0]]
    """
    data = as_array(data, n_scan_axes)
    engine, budget = _ENGINE.get()
    if engine is None or not is_lazy(data):
        return NumpyEngine(1).walk(look, ReadOnce(data, n_scan_axes, budget), along)
    with engine.threads():
        found = engine.walk(look, engine.resident(BlockReader(data, n_scan_axes, budget)), along)
    here, sums = (
        tuple(engine.to_host(part) if hasattr(part, "shape") else part for part in parts)
        for parts in (found.here, found.sums)
    )
    return Found(here, sums)


def batches(frames: NDArray[Any]) -> Iterator[slice]:
    """Yield slices over the rows of `frames` that hold at most `BATCH_BYTES` as float64."""
    step = max(1, BATCH_BYTES // max(1, 8 * frames.shape[1]))
    for start in range(0, len(frames), step):
        yield slice(start, start + step)


@dataclass(frozen=True, eq=False)
class Light(Look):
    """Here: the sum of each pattern over some sets of pixels, shape (r, b), float64.

    Parameters
    ----------
    pixels : ndarray of bool, shape (r, n_pixels)
    """

    pixels: NDArray[np.bool_]

    def on_host(self, values: NDArray[Any], *along: NDArray[Any]) -> Found:
        """Return the sums of a block."""
        sums = np.zeros((len(self.pixels), len(values)))
        for part in batches(values):
            for row, pixels in zip(sums, self.pixels, strict=True):
                row[part] = values[part][:, pixels].sum(axis=1, dtype=np.float64)
        return Found((sums,))


@dataclass(frozen=True, eq=False)
class Total(Look):
    """Along: which patterns count. Sums: the sum of these, shape (n_pixels,), float64."""

    def on_host(self, values: NDArray[Any], *along: NDArray[Any]) -> Found:
        """Return the sum of a block."""
        (wanted,) = along
        total = np.zeros(values.shape[1])
        for part in batches(values):
            if wanted[part].any():
                total += values[part][wanted[part]].sum(axis=0, dtype=np.float64)
        return Found(sums=(total,))


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a table, by number: a part of the scan sees few of them, and sends no more than these."""

    rows: dict[int, NDArray[np.float64]]

    @property
    def nbytes(self) -> int:
        """Bytes of the rows."""
        return sum(row.nbytes for row in self.rows.values())

    def __add__(self, more: Rows) -> Rows:
        both = dict(self.rows)
        for number, row in more.rows.items():
            both[number] = both[number] + row if number in both else row
        return Rows(both)


@dataclass(frozen=True, eq=False)
class Parts(Look):
    """Along: the part of the scan that each position is in, -1 for none. Sums: the sum of each part, as `Rows`."""

    def on_host(self, values: NDArray[Any], *along: NDArray[Any]) -> Found:
        """Return the sums of a block."""
        (parts,) = along
        present = np.unique(parts[parts >= 0]).tolist()
        return Found(sums=(Rows({n: values[parts == n].sum(axis=0, dtype=np.float64) for n in present}),))
