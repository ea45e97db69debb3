"""What is seen while frames come: images and factors of a scan that is not complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from unmixel.acquire.contract import Frames
from unmixel.acquire.factors import LiveFactors, like_the_first
from unmixel.acquire.images import LiveImages
from unmixel.core.errors import UnmixelError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.pipeline.resolve import Request, settle

FIRST_FRAMES = 400
"""Frames that are waited for before images and factors begin: they show the beam, the weights and what is to come."""

_FIRST_BYTES = 128_000_000
_AT_ONCE = 64

Tell = Callable[[str], None]


@dataclass(eq=False)
class Watch:
    """Images and factors of the frames that have come; a fault in it never stops the record.

    Parameters
    ----------
    skeleton : Scan
    request : Request
        The recipe that was asked for.
    tell : callable
        Hears remarks.
    show : callable(Watch)
        Told after every refresh, in the thread that did it.
    refresh_s : float
        Seconds between refreshes, at least; 0 leaves them out until the last.
    """

    skeleton: Scan
    request: Request
    tell: Tell
    show: Callable[[Watch], None]
    refresh_s: float = 5.0
    images: LiveImages | None = None
    factors: LiveFactors | None = None
    broken: str = ""
    n_taken: int = 0
    _first: list[Frames] = field(default_factory=list, repr=False)
    _due: float = field(default_factory=monotonic, repr=False)

    @property
    def n_first(self) -> int:
        """Frames that are waited for."""
        n, frame = self.skeleton.n_positions, self.skeleton.n_bytes // self.skeleton.n_positions
        return max(1, min(FIRST_FRAMES, n // 8, _FIRST_BYTES // frame))

    def take(self, frames: Frames) -> None:
        """Take in some frames; those beyond the scan are only in the record."""
        inside = frames.numbers < self.skeleton.n_positions
        if not inside.all():
            frames = Frames(frames.numbers[inside], frames.values[inside])
        if self.broken or not len(frames.numbers):
            return
        with self._guarded():
            self.n_taken += len(frames.numbers)
            if self.images is None:
                self._first.append(frames)
                if sum(len(part.numbers) for part in self._first) >= self.n_first:
                    self._begin()
            else:
                self._update(frames)
            if self.factors is not None and self.refresh_s and monotonic() >= self._due:
                self._due = monotonic() + self.refresh_s
                self.factors.refresh(lambda: self.show(self))

    def catch_up(self, record: Scan, numbers: NDArray[np.int64]) -> None:
        """Take in frames that had no time for the live view, from the record."""
        columns = record.scan_shape[-1]
        numbers = np.sort(numbers[numbers < self.skeleton.n_positions])
        ends = (np.diff(numbers) != 1) | (numbers[1:] % columns == 0)
        for run in np.split(numbers, np.flatnonzero(ends) + 1):
            for start in range(0, len(run), _AT_ONCE):
                part = run[start : start + _AT_ONCE]
                row, first = divmod(int(part[0]), columns)
                place = (row, slice(first, first + len(part)))[2 - len(record.scan_shape) :]
                self.take(Frames(part, np.asarray(record.data[place])))

    def end(self) -> None:
        """Refresh for the last time and wait for it."""
        with self._guarded():
            if self.images is None and self._first:
                self._begin()
            if self.factors is not None:
                self.factors.last(lambda: self.show(self))

    def close(self) -> None:
        """Wait for a refresh that is under way."""
        if self.factors is not None:
            self.factors.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """End the live view, and nothing else, where something in it goes wrong."""
        try:
            yield
        except (UnmixelError, ValueError, ArithmeticError, MemoryError) as error:
            self.broken = f"{type(error).__name__}: {error}"
            self.tell(
                f"The live view has ended ({error}). Frames are recorded as before, and the final result comes from "
                "them."
            )

    def _begin(self) -> None:
        """Look at the first frames, then take them in."""
        values = np.concatenate([part.values for part in self._first])
        line = replace(self.skeleton, data=values, scan_axes=(Axis("x", len(values)),), position_weights=None)
        recipe, _ = self.request.recipe_for(line)
        recipe, _ = settle(recipe, self.skeleton)
        self.images = LiveImages.begin(line, self.skeleton)
        for text in self.images.notes:
            self.tell(text)
        scan = like_the_first(line, self.skeleton, recipe, self.tell)
        self.factors = LiveFactors.begin(
            scan, recipe, values.reshape(len(values), -1), masks=self.images.masks
        )
        for part in self._first:
            self._update(part)
        self._first.clear()
        self._due = monotonic() + self.refresh_s

    def _update(self, frames: Frames) -> None:
        assert self.images is not None
        assert self.factors is not None
        unfolded = frames.values.reshape(len(frames.numbers), -1)
        self.images.update(frames.numbers, self.factors.update(frames.numbers, unfolded))
