"""A scan as the viewer holds it: single patterns, means of regions, virtual images."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.card import DataCard
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import read_once
from unmixel.engines.lazy import as_array, read, stored_lengths
from unmixel.web.models import Shape
from unmixel.web.shapes import Float, shares
from unmixel.web.tiles import Image, Summaries, TileStore

MOST_SAMPLED = 64
"""Patterns that stand for a region while it is dragged."""


class Patterns:
    """Reads single patterns and keeps the chunks of the file that they lie in.

    Parameters
    ----------
    scan : Scan
    room : int
        Bytes for chunks that are kept.
    """

    def __init__(self, scan: Scan, room: int) -> None:
        self._scan, self._room = scan, room
        self._data = as_array(scan.data, len(scan.scan_axes))
        self._kept: OrderedDict[tuple[int, ...], NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()
        lengths = [stored_lengths(self._data, axis) for axis in range(len(scan.scan_axes))]
        self._ends = [np.cumsum(along) for along in lengths]
        frame = scan.n_pixels * np.dtype(scan.data.dtype).itemsize
        largest = frame * int(np.prod([max(along) for along in lengths], initial=1))
        self._whole_chunks = largest <= room // 4

    def at(self, position: tuple[int, ...]) -> NDArray[Any]:
        """Return the pattern of a position, at the data's own type.

        Raises
        ------
        InputError
            When the scan has no such position.
        """
        shape = self._scan.scan_shape
        if len(position) != len(shape) or any(not 0 <= i < n for i, n in zip(position, shape, strict=True)):
            raise InputError(
                "position",
                expected=f"an index along each scan axis, below {shape}",
                got=f"{position}",
                hint="count from 0",
            )
        if not position or not self._whole_chunks:
            return read(self._data, tuple(slice(i, i + 1) for i in position)).reshape(
                self._scan.pattern_shape
            )
        chunk = tuple(
            int(np.searchsorted(e, i, side="right")) for e, i in zip(self._ends, position, strict=True)
        )
        starts = tuple(int(e[c - 1]) if c else 0 for e, c in zip(self._ends, chunk, strict=True))
        inside = tuple(i - start for i, start in zip(position, starts, strict=True))
        with self._lock:
            values = self._chunk(chunk, starts)
        return np.array(values[inside])

    def _chunk(self, chunk: tuple[int, ...], starts: tuple[int, ...]) -> NDArray[Any]:
        if chunk in self._kept:
            self._kept.move_to_end(chunk)
            return self._kept[chunk]
        stops = (int(ends[c]) for ends, c in zip(self._ends, chunk, strict=True))
        values = read(self._data, tuple(slice(a, b) for a, b in zip(starts, stops, strict=True)))
        self._kept[chunk] = values
        while sum(kept.nbytes for kept in self._kept.values()) > self._room and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return values


@dataclass
class ScanView:
    """A scan that the viewer shows.

    Parameters
    ----------
    id : str
    address : str
        Path or address as the user gave it; not told to the browser but in text that is to be copied.
    name : str
        Its last part.
    scan : Scan
    memory : int
        Bytes for the store and the chunks of this scan.
    scratch : bool
        Whether a temporary file may hold tiles.
    reading : tuple of str
        How the file was read, as ``key=value`` of a recipe.
    given : bool
        Whether it was handed over from memory, so that no address leads to it.
    """

    id: str
    address: str
    name: str
    scan: Scan
    memory: int
    scratch: bool = True
    reading: tuple[str, ...] = ()
    given: bool = False

    @cached_property
    def card(self) -> DataCard:
        """The data card."""
        from unmixel.io.card import data_card

        return data_card(self.scan)

    @cached_property
    def patterns(self) -> Patterns:
        """Single patterns."""
        return Patterns(self.scan, self.memory // 8)

    @cached_property
    def store(self) -> TileStore:
        """The store behind virtual images."""
        return TileStore(self.scan, self.memory, self.scratch)

    @property
    def step(self) -> tuple[float, float]:
        """Height and width of a detector pixel, the shorter one 1."""
        axes = self.scan.pattern_axes
        if len(axes) != 2 or axes[0].unit != axes[1].unit:
            return 1.0, 1.0
        steps = [abs(axis.scale) for axis in axes]
        return steps[0] / min(steps), steps[1] / min(steps)

    def shares(self, detector: Shape) -> Float:
        """Return the share of each pixel that a detector counts; pixels that are left out count nothing."""
        found = shares(detector, self.scan.pattern_shape, step=self.step)
        weights = self.scan.pixel_weights
        return found if weights is None else found * (weights > 0)

    def virtual(self, detector: Shape, *, exact: bool = True) -> Image:
        """Return the image of a virtual detector as far as the scan has been read, which begins now."""
        wanted = self.shares(detector)
        self.store.begin()
        return self.store.image(wanted, exact=exact)

    def whole_virtual(self, detector: Shape, *, exact: bool = True) -> Image:
        """Return the image of a virtual detector after the whole scan has been read."""
        wanted = self.shares(detector)
        self.read_all()
        return self.store.image(wanted, exact=exact)

    def summaries(self, statistic: str) -> Summaries:
        """Return statistics of what has been read, which begins now; waits for the first part of one of them."""
        store = self.store
        store.begin()
        while not (found := store.summaries()).share(statistic) and not store.ended:
            store.wait((store.summed, 0), 600.0)
        return found

    def read_all(self) -> None:
        """Wait until the store holds the whole scan."""
        store = self.store
        store.begin()
        while not store.ended:
            store.wait((store.summed, store.filled), 600.0)

    def region(self, region: Shape, *, sampled: bool = False) -> tuple[Float, bool]:
        """Return the mean pattern of a region and whether all of its positions are in it.

        Parameters
        ----------
        region : Shape
            On the scan; a position belongs to it where at least half of it is inside.
        sampled : bool
            Whether some of many positions may stand for all.
        """
        inside = shares(region, self.scan.scan_shape) >= 0.5
        if not inside.any():
            raise InputError(
                "region", expected="one that holds a position", got="one that holds none", hint=""
            )
        places = np.argwhere(inside)
        if sampled and len(places) > MOST_SAMPLED:
            chosen = places[np.linspace(0, len(places) - 1, MOST_SAMPLED).astype(int)]
            return self._mean(chosen), False
        if len(places) <= MOST_SAMPLED:
            return self._mean(places), True
        return self._mean_of_box(inside, places), True

    def _mean(self, places: NDArray[np.intp]) -> Float:
        total = np.zeros(self.scan.pattern_shape)
        for place in places:
            total += self.patterns.at(tuple(int(i) for i in place))
        return total / len(places)

    def _mean_of_box(self, inside: NDArray[np.bool_], places: NDArray[np.intp]) -> Float:
        box = tuple(slice(int(a), int(b) + 1) for a, b in zip(places.min(0), places.max(0), strict=True))
        n_scan, chosen = len(self.scan.scan_axes), inside[box].ravel()
        total = np.zeros(self.scan.n_pixels)
        for block in read_once(as_array(self.scan.data, n_scan)[box], n_scan, self.memory // 4):
            total += chosen[block.positions].astype(np.float64) @ block.values
        return (total / len(places)).reshape(self.scan.pattern_shape)
