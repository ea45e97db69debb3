"""Rectangular bins of detector pixels: what of a detector covers them whole, and which pixels it cuts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

AT_ONCE = 250_000
"""Values that are added up at once: they stay in the processor's cache."""


@dataclass(frozen=True)
class Bins:
    """Bins of `side` pixels along each axis of a pattern; those at the far border may be smaller.

    Parameters
    ----------
    shape : tuple of int
        Of a pattern.
    side : tuple of int
        Pixels of a bin along each axis.

    Examples
    --------
    >>> bins = Bins((5, 4), (2, 4))
    >>> len(bins), bins.places[2]
    (3, (slice(4, 5, None), slice(0, 4, None)))
    """

    shape: tuple[int, ...]
    side: tuple[int, ...]

    @cached_property
    def places(self) -> tuple[tuple[slice, ...], ...]:
        """Where each bin lies in a pattern."""
        runs = [
            [slice(start, min(start + step, n)) for start in range(0, n, step)]
            for n, step in zip(self.shape, self.side, strict=True)
        ]
        return tuple(product(*runs))

    def __len__(self) -> int:
        """Return the number of bins."""
        return math.prod(math.ceil(n / step) for n, step in zip(self.shape, self.side, strict=True))

    @cached_property
    def _order(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Numbers of all pixels bin by bin, and where each bin begins among them."""
        numbers = np.arange(math.prod(self.shape)).reshape(self.shape)
        members = [numbers[place].ravel() for place in self.places]
        return np.concatenate(members), np.cumsum([0, *map(len, members)])[:-1]

    @cached_property
    def _last(self) -> NDArray[np.float64]:
        """Which sample of the last axis lies in which bin of it, 0 or 1."""
        bin_of = np.arange(self.shape[-1]) // self.side[-1]
        return np.asarray(bin_of[:, None] == np.arange(bin_of[-1] + 1), np.float64)

    def sums(self, values: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
        """Return the sums of patterns (b, n_pixels) over all bins, shape (b, number of bins), of a kind of float."""
        found = np.empty((len(values), len(self)), kind)
        last = self._last.astype(kind)
        step = max(1, AT_ONCE // max(1, values.shape[1]))
        room = np.empty(
            (step, values.shape[1]), kind
        )  # the same pages again and again: new ones cost more than sums
        for first in range(0, len(values), step):
            some = values[first : first + step]
            room[: len(some)] = some
            part = room[: len(some)].reshape(-1, *self.shape)
            for axis, side in enumerate(self.side[:-1], start=1):
                part = _folded(part, axis, side)
            found[first : first + step] = (part @ last).reshape(len(part), -1)
        return found

    def cover(self, shares: Float, *, exact: bool) -> Cover:
        """Return a detector as weights of whole bins and of single pixels.

        Parameters
        ----------
        shares : ndarray, shape of a pattern
            What share of each pixel counts.
        exact : bool
            False gives a bin that the detector cuts its mean share, and no pixels.
        """
        order, starts = self._order
        ordered = shares.ravel()[order]
        low, high = np.minimum.reduceat(ordered, starts), np.maximum.reduceat(ordered, starts)
        sizes = np.diff(starts, append=ordered.size)
        if not exact:
            return Cover(np.where(low == high, low, np.add.reduceat(ordered, starts) / sizes), ())
        whole, cut = low.copy(), []
        for number in np.flatnonzero(low != high):
            part = ordered[starts[number] : starts[number] + sizes[number]]
            # from whichever is nearer: nothing of the bin, or as much of all of it as of its fullest pixel
            full = np.count_nonzero(part == high[number]) > np.count_nonzero(part == 0)
            whole[number] = high[number] if full else 0.0
            rows = np.flatnonzero(part != whole[number])
            cut.append(Cut(int(number), rows, part[rows] - whole[number]))
        return Cover(whole, tuple(cut))


def _folded(values: NDArray[Any], axis: int, side: int) -> NDArray[Any]:
    """Return sums over runs of `side` samples along an axis; the last run may be shorter."""
    before = (slice(None),) * axis
    total = values[(*before, slice(0, None, side))].copy()
    for first in range(1, side):  # three times as fast as numpy's reduceat
        more = values[(*before, slice(first, None, side))]
        total[(*before, slice(0, more.shape[axis]))] += more
    return total


@dataclass(frozen=True, eq=False)
class Cut:
    """Pixels of a bin that count otherwise than the bin as a whole.

    Parameters
    ----------
    bin : int
    rows : ndarray of int
        Numbers of the pixels within the bin.
    weights : ndarray of float, as many
        What they count beyond the weight of the bin.
    """

    bin: int
    rows: NDArray[np.intp]
    weights: Float


@dataclass(frozen=True, eq=False)
class Cover:
    """A detector as the sum of whole bins and single pixels.

    Parameters
    ----------
    whole : ndarray, shape (number of bins,)
    cut : tuple of Cut
    """

    whole: Float
    cut: tuple[Cut, ...]

    @property
    def n_rows(self) -> int:
        """Number of single pixels that are looked at."""
        return sum(len(one.rows) for one in self.cut)


def bins_for(shape: tuple[int, ...], n_positions: int, room: int) -> Bins:
    """Return the finest bins whose sums over a scan take at most `room` bytes as float32, from 8 x 8 (or 16) upwards.

    Examples
    --------
    >>> bins_for((256, 256), 65_536, 10**9).side, bins_for((2048,), 10_000, 10**6).side
    ((8, 8), (128,))
    """
    side = 8 if len(shape) > 1 else 16
    while True:
        bins = Bins(shape, tuple(min(side, n) for n in shape))
        if len(bins) * n_positions * 4 <= room or side >= max(shape):
            return bins
        side *= 2
