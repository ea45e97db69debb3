"""Read the next parts of a scan while the present ones are worked on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from unmixel.engines.numpy_engine import cores

AHEAD = 2
"""Parts that are read before anyone asks for them."""


@cache
def _readers(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads, thread_name_prefix="unmixel-read")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork: a child would wait for ever
    os.register_at_fork(after_in_child=_readers.cache_clear)


@dataclass
class _Part:
    """One part that is being read, or waits until all its shares have been taken."""

    values: Future[Any]
    left: set[int]


@dataclass(eq=False)
class ReadAhead:
    """Reads the parts of a source in order, each once a pass, a few of them ahead of those who ask.

    A part is taken in shares (one or more); it is let go when the last share has been taken. Shares may be taken by
    several threads, each share once a pass and about in order. Reading has threads of its own, so that all
    others can go on computing.

    Parameters
    ----------
    read : callable(int)
        Returns part `p`; called from several threads.
    shares : sequence of int
        How many shares each part has.
    in_order : bool
        Whether the source can only be read from the beginning to the end: then by a single thread.

    Examples
    --------
    >>> parts = ReadAhead(lambda p: p * 10, [1, 2])
    >>> parts.take(0, 0), parts.take(1, 0), parts.take(1, 1)
    (0, 10, 10)
    """

    read: Callable[[int], Any]
    shares: Sequence[int]
    in_order: bool = False
    _parts: dict[int, _Part] = field(default_factory=dict, init=False, repr=False)
    _taken: set[tuple[int, int]] = field(default_factory=set, init=False, repr=False)
    _frontier: int = field(default=0, init=False, repr=False)
    _lock: Any = field(default_factory=threading.Lock, init=False, repr=False)

    def take(self, part: int, share: int) -> Any:
        """Return a part for one of its shares; the next ones are read meanwhile."""
        with self._lock:
            if (part, share) in self._taken or len(self._taken) == sum(self.shares):
                self._begin()
            self._taken.add((part, share))
            for p in self._wanted(part):
                if p not in self._parts:
                    future = _readers(1 if self.in_order else cores()).submit(self.read, p)
                    self._parts[p] = _Part(future, set(range(self.shares[p])))
            mine = self._parts[part]
            mine.left.discard(share)
            if not mine.left:
                del self._parts[part]
        return mine.values.result()

    def _wanted(self, part: int) -> list[int]:
        """Return the parts to be read now, if they are not there yet."""
        # one part ahead is enough where each keeps several takers busy
        stop = min(part + 1 + (AHEAD if self.shares[part] == 1 else 1), len(self.shares))
        if not self.in_order:
            return [part, *(p for p in range(part + 1, stop) if not self._touched(p))]
        # a source in order must not see a thread that was quicker than the one before it
        wanted = [*range(self._frontier, part), part, *range(max(part + 1, self._frontier), stop)]
        self._frontier = max(self._frontier, stop)
        return wanted

    def _touched(self, part: int) -> bool:
        """Return whether this pass has been at a part: takers may be in different places of a pass."""
        return any((part, share) in self._taken for share in range(self.shares[part]))

    def _begin(self) -> None:
        """Begin a new pass; what a pass that was broken off has read is taken over."""
        self._taken.clear()
        self._frontier = 0
        for p, part in list(self._parts.items()):
            if part.values.done() and part.values.exception() is not None:
                del self._parts[p]
            part.left = set(range(self.shares[p]))
