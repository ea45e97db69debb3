"""The in-process reference engine: numpy. The oracle of every parity test."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from unmixel.engines.base import Blocks
from unmixel.engines.walk import Found, Task, walk

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_WORKER = threading.local()


def cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _pool(n_threads: int) -> ThreadPoolExecutor:
    def begin() -> None:
        _WORKER.busy = True

    return ThreadPoolExecutor(n_threads, thread_name_prefix="unmixel", initializer=begin)


MANY = 48
"""Rows from which on a product is faster as that of the transposed arrays."""

if hasattr(os, "register_at_fork"):  # threads do not survive a fork: a child would wait for ever
    os.register_at_fork(after_in_child=_pool.cache_clear)


@dataclass(frozen=True)
class NumpyEngine:
    """numpy on the CPU, blocks and tiles of samples shared out to threads, one thread in each product.

    Parameters
    ----------
    n_threads : int or None
        Threads that share the work; None takes every core the process may use. Products themselves always run in
        one thread: two BLAS threads that wait for each other on a busy machine were measured ten times slower.

    Examples
    --------
    >>> NumpyEngine().asarray([1, 2], "float32").dtype
    dtype('float32')
    >>> list(NumpyEngine(2).each(abs, [-1, 2, -3]))
    [1, 2, 3]
    """

    n_threads: int | None = None
    name: ClassVar[str] = "numpy"
    tile: ClassVar[int] = 65_536
    """Numbers of one array that a tile may hold: several such arrays stay in a core's second-level cache."""
    exact: ClassVar[bool] = True

    @property
    def xp(self) -> Any:
        """Return array-api-compat's numpy namespace."""
        import array_api_compat.numpy as xp

        return xp

    @property
    def fft(self) -> Any:
        """Return scipy's transforms (three times faster than numpy's in float32)."""
        import scipy.fft

        return scipy.fft

    def asarray(self, values: Any, dtype: str | None = None) -> NDArray[Any]:
        """Return `values` as a numpy array."""
        return np.asarray(values, dtype=dtype)

    def zeros(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Return zeros."""
        return np.zeros(shape, dtype)

    def resident(self, blocks: Blocks) -> Blocks:
        """Return the blocks themselves: they are read where they are used."""
        return blocks

    def operand(self, values: Any, dtype: str) -> NDArray[Any]:
        """Return the values of a block at their own dtype: products cast them a tile at a time."""
        return np.asarray(values)

    def ready(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the same rows, stored column by column: a product then costs a tenth less."""
        return np.asfortranarray(rows)

    def project(self, operand: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
        """Return ``rows operand'``, multiplied the other way round, which is faster."""
        if operand.dtype == rows.dtype:
            return np.asarray((operand @ rows.T).T)
        out = np.zeros((len(operand), len(rows)), rows.dtype)
        for columns in self._columns(operand):
            out += operand[:, columns].astype(rows.dtype) @ rows[:, columns].T
        return out.T

    def combine(self, rows: NDArray[Any], operand: NDArray[Any]) -> NDArray[Any]:
        """Return ``rows operand``; many rows are multiplied the other way round, which is a tenth faster."""
        if operand.dtype == rows.dtype:
            return np.asarray(rows @ operand)
        if len(rows) < MANY:
            out = np.empty((len(rows), operand.shape[1]), rows.dtype)
            for columns in self._columns(operand):
                np.matmul(rows, operand[:, columns].astype(rows.dtype), out=out[:, columns])
            return out
        out, turned = np.empty((operand.shape[1], len(rows)), rows.dtype), np.ascontiguousarray(rows.T)
        for columns in self._columns(operand):
            np.matmul(operand[:, columns].astype(rows.dtype).T, turned, out=out[columns])
        return out.T

    def _columns(self, values: NDArray[Any]) -> Iterator[slice]:
        """Yield runs of columns whose cast copies stay in fast memory: a product then costs two thirds."""
        n_rows, n_columns = values.shape
        step = max(512, 4 * self.tile // max(1, n_rows))
        return (slice(start, start + step) for start in range(0, n_columns, step))

    def to_host(self, array: Any) -> NDArray[Any]:
        """Return the array itself."""
        return np.asarray(array)

    def threads(self) -> AbstractContextManager[Any]:
        """Return a context that keeps every product in one thread."""
        from threadpoolctl import threadpool_limits

        limits: AbstractContextManager[Any] = threadpool_limits(limits=1)
        return limits

    def each(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Yield ``function(item)`` in order, computed by threads; in a thread of its own accord, one by one."""
        workers = self.n_threads or cores()
        if workers <= 1 or getattr(_WORKER, "busy", False):
            yield from map(function, items)
            return
        waiting: deque[Future[Answer]] = deque()
        try:
            for item in items:
                waiting.append(_pool(workers).submit(function, item))
                # few in flight: what has been computed and not been fetched takes memory
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def gather(
        self, function: Callable[[Item], Answer], items: Iterable[Item], add: Callable[[Any, Answer], Any]
    ) -> list[Any]:
        """Return totals of ``add(total, function(item))``, one for each thread: every so many items share one."""
        lanes = 1 if getattr(_WORKER, "busy", False) else self.n_threads or cores()
        if lanes == 1:
            return [reduce(add, map(function, items), None)]
        totals: list[Any] = []

        def on_item(i: int, item: Item) -> Any:
            answer = function(item)
            # submitted long before: nobody waits for a thread that waits
            return add(totals[i - lanes].result() if i >= lanes else None, answer)

        try:
            for i, item in enumerate(items):
                if i > lanes:
                    totals[i - lanes - 1].result()
                totals.append(_pool(lanes).submit(on_item, i, item))
            return [future.result() for future in totals[-lanes:]]
        finally:
            for future in totals:
                future.cancel()

    def walk(self, task: Task, blocks: Blocks, along: tuple[NDArray[Any], ...] = ()) -> Found:
        """Return what a task finds in all blocks, shared out to threads."""
        return walk(self, task, blocks, along)

    def sum_rows(
        self, values: NDArray[Any], groups: NDArray[Any], size: int, factors: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return ``sum over i in group g of factors[i] values[i]``, (size, m), and squares of the rows, (b,)."""
        import scipy.sparse

        n = len(values)
        sums = scipy.sparse.csr_matrix((factors, (groups, np.arange(n))), shape=(size, n))
        out, squares = np.empty((size, values.shape[1]), factors.dtype), np.zeros(n)
        for columns in self._columns(values):
            part = values[:, columns].astype(factors.dtype, copy=False)
            out[:, columns] = sums @ part
            squares += np.linalg.vecdot(part, part)
        return out, squares
