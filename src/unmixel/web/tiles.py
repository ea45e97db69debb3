"""The store behind virtual images: sums over bins of pixels in memory, and the pixels themselves, tile by tile.

A pass over the scan cuts it into tiles: some positions by the pixels of one bin, a row for each pixel, at the smallest
type that holds them. An image then adds up whole bins from memory, and reads only the pixels of bins that the border of
the detector cuts. Where tiles go to the disk, which takes several times as long as reading, a pass before it fills the
sums of bins alone, so that every image is there as a whole after one read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import ReadError
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import compact_dtype, read_once
from unmixel.engines.lazy import as_array
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.prepare.detectors import weighted_sums
from unmixel.prepare.passes import walked_by
from unmixel.web.bins import AT_ONCE, Cover, bins_for
from unmixel.web.drawers import Drawer, drawer_for

Float = NDArray[np.float64]

MOST_POSITIONS = 4096
"""Positions of a tile: more would make a row longer than what is worth reading at once."""

CHEAP = 48_000_000
"""Bytes of pixels that are read for an exact image even while something is dragged."""


EARLY = ("sum", "mean")
"""Statistics that are there with the sums over bins, before the tiles."""

_Run = tuple[NDArray[np.intp], NDArray[Any]]
_Work = Callable[[slice, Any], None]


@dataclass(frozen=True, eq=False)
class Image:
    """A virtual image, as far as the scan has been read.

    Parameters
    ----------
    values : ndarray of float64, shape scan_shape
        NaN where nothing has been read yet.
    exact : bool
        Whether pixels at the border of the detector count with their own share.
    done : float, 0 to 1
        Share of the scan that is in it.
    """

    values: Float
    exact: bool
    done: float


@dataclass(frozen=True, eq=False)
class _Part:
    """Some positions of the scan: where their tiles are."""

    columns: slice
    keys: tuple[int, ...]
    kinds: tuple[np.dtype[Any], ...]


@dataclass(frozen=True, eq=False)
class Summaries:
    """Statistics of what has been read: of each pixel over positions, of each position over pixels.

    Parameters
    ----------
    pattern : dict of str to ndarray, shape pattern_shape
        ``sum``, ``mean``, ``max``, ``variance``.
    map : dict of str to ndarray, shape scan_shape
        The same; NaN where nothing has been read yet.
    done, summed : float
        Share of the scan that is in them, and in those that are there early: ``sum`` and ``mean``.
    """

    pattern: dict[str, Float]
    map: dict[str, Float]
    done: float
    summed: float

    def share(self, statistic: str) -> float:
        """Return which share of the scan is in a statistic."""
        return self.summed if statistic in EARLY else self.done


@dataclass
class TileStore:
    """Virtual images of a scan, within a budget of memory.

    Parameters
    ----------
    scan : Scan
    budget : int
        Bytes of memory for sums, tiles and what is being read.
    scratch : bool
        Whether a temporary file may hold the tiles where memory does not; without one, exact images of detectors that
        cut bins take a pass over the data each.
    """

    scan: Scan
    budget: int
    scratch: bool = True
    summed: int = field(default=0, init=False)
    """Positions whose sums over bins are there."""
    filled: int = field(default=0, init=False)
    """Positions whose tiles and statistics are there, too."""
    failed: Exception | None = field(default=None, init=False)
    closed: bool = field(default=False, init=False)
    _parts: list[_Part] = field(default_factory=list, init=False)
    _news: threading.Condition = field(default_factory=threading.Condition, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        scan = self.scan
        self.bins = bins_for(scan.pattern_shape, scan.n_positions, self.budget // 4)
        small = np.dtype(scan.data.dtype).kind in ("b", "u") and np.dtype(scan.data.dtype).itemsize <= 2
        per_bin = int(np.prod(self.bins.side))
        # whole numbers up to 2^24 are exact in float32
        kind = np.float32 if small and per_bin <= 256 else np.float64
        self._sums = np.zeros((len(self.bins), scan.n_positions), kind)
        self._positions = np.zeros(scan.n_positions, np.intp)
        self._of_pixels = np.zeros(
            (4, scan.n_pixels)
        )  # sum; sum of squares, largest, sum of those with tiles
        self._of_positions = np.zeros((3, scan.n_positions))
        self._of_pixels[2] = self._of_positions[2] = -np.inf
        self.drawer = drawer_for(scan.n_bytes, self.budget // 4, scratch=self.scratch)

    @property
    def done(self) -> float:
        """Share of the scan whose tiles and statistics are there."""
        return self.filled / max(1, self.scan.n_positions)

    @property
    def progress(self) -> tuple[int, bool]:
        """What images depend on: positions whose sums are there, and whether the tiles of all of these are."""
        return self.summed, self.filled == self.summed

    @property
    def ended(self) -> bool:
        """Whether no more will be read."""
        return self.closed or self.failed is not None or self.filled >= self.scan.n_positions

    @property
    def n_bytes(self) -> int:
        """Bytes of memory that sums and tiles take."""
        kept = self.drawer.n_bytes if self.drawer is not None and self.drawer.where == "memory" else 0
        return self._sums.nbytes + self._of_positions.nbytes + self._of_pixels.nbytes + kept

    def begin(self) -> None:
        """Begin to read the scan in a thread of its own; nothing happens the second time."""
        with self._news:
            if self._thread is not None or self.closed:
                return
            self._thread = threading.Thread(target=self._fill_quietly, name="unmixel-tiles", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self.closed = True
        if self._thread is not None:
            self._thread.join(timeout=10)

    def wait(self, seen: tuple[int, int], timeout: float) -> bool:
        """Wait until another number of positions than `seen` is summed and filled; whether more has been read."""
        with self._news:
            return self._news.wait_for(lambda: (self.summed, self.filled) != seen or self.ended, timeout)

    def fill(self) -> None:
        """Read the whole scan, or until it is closed."""
        works: tuple[_Work, ...] = (self._sum, self._measure, self._cut)
        if self.drawer is None or self.drawer.where == "memory":
            self._pass(self._runs(), works)
        else:
            # read in this thread, summed in others
            summed = NumpyEngine().each(lambda run: (run[0], self._summed(run[1])), self._blocks())
            self._pass(summed, (self._add,))
            self._pass(self._runs(), works[1:])

    def _pass(self, runs: Iterable[tuple[NDArray[np.intp], Any]], works: tuple[_Work, ...]) -> None:
        """Do some works on all positions, their values or what was made of these; tiles come last of all."""
        start = 0
        for positions, values in runs:
            if self.closed:
                return
            columns = slice(start, start + len(positions))
            self._positions[columns] = positions
            for work in works:
                work(columns, values)
            start = columns.stop
            with self._news:
                self.summed = max(self.summed, start)
                self.filled = start if works[-1] == self._cut else self.filled
                self._news.notify_all()

    def _fill_quietly(self) -> None:
        try:
            self.fill()
        except Exception as error:  # noqa: BLE001 - told to whoever asks for an image
            self.failed = error
        with self._news:
            self._news.notify_all()

    def _blocks(self) -> Iterator[_Run]:
        """Yield positions (b,) and their values (b, n_pixels), as they are read."""
        n_scan = len(self.scan.scan_axes)
        for block in read_once(as_array(self.scan.data, n_scan), n_scan, self.budget // 4):
            yield block.positions, block.values

    def _runs(self) -> Iterator[_Run]:
        """Yield the same in the same order, as many at once as a tile is to hold."""
        row = max(1, self.scan.n_pixels * np.dtype(self.scan.data.dtype).itemsize)
        wanted = min(MOST_POSITIONS, max(1, self.budget // 8 // row))
        held: list[_Run] = []
        for run in self._blocks():
            held.append(run)
            if sum(len(positions) for positions, _ in held) >= wanted:
                yield _joined(held)
                held = []
        if held:
            yield _joined(held)

    def _sum(self, columns: slice, values: NDArray[Any]) -> None:
        """Add values (b, n_pixels) up over bins, over pixels and over positions."""
        self._add(columns, self._summed(values))

    def _summed(self, values: NDArray[Any]) -> tuple[NDArray[Any], Float]:
        """Return the sums of values (b, n_pixels) over bins (b, number of bins) and over positions (n_pixels,)."""
        return self.bins.sums(values, self._sums.dtype), values.sum(axis=0, dtype=np.float64)

    def _add(self, columns: slice, summed: tuple[NDArray[Any], Float]) -> None:
        """Take sums over bins and over positions in."""
        self._sums[:, columns] = summed[0].T
        self._of_positions[0, columns] = summed[0].sum(axis=1, dtype=np.float64)
        self._of_pixels[0] += summed[1]

    def _measure(self, columns: slice, values: NDArray[Any]) -> None:
        """Take squares and largest values in."""
        self._of_positions[2, columns] = values.max(axis=1)
        self._of_pixels[2] = np.maximum(self._of_pixels[2], values.max(axis=0))
        step = max(1, AT_ONCE // max(1, values.shape[1]))
        for first in range(0, len(values), step):
            squares = values[first : first + step].astype(np.float64)
            self._of_pixels[3] += squares.sum(axis=0)
            squares *= squares
            place = slice(columns.start + first, columns.start + first + len(squares))
            self._of_positions[1, place] = squares.sum(axis=1)
            self._of_pixels[1] += squares.sum(axis=0)

    def _cut(self, columns: slice, values: NDArray[Any]) -> None:
        """Cut values into tiles and put them into the drawer."""
        if self.drawer is None:
            return
        folded = values.reshape(len(values), *self.scan.pattern_shape)
        shrink = compact_dtype(values).kind == "u"
        keys, kinds = [], []
        for place in self.bins.places:
            tile = np.ascontiguousarray(folded[(slice(None), *place)].reshape(len(values), -1).T)
            kind = np.min_scalar_type(int(tile.max())) if shrink else tile.dtype
            keys.append(self.drawer.put(tile.astype(kind, copy=False)))
            kinds.append(kind)
        with self._news:
            self._parts.append(_Part(columns, tuple(keys), tuple(kinds)))

    def _check(self) -> None:
        """Tell whoever asks why the scan could not be read."""
        if self.failed is not None:
            raise ReadError(
                "scan",
                expected="data that can be read",
                got=f"{type(self.failed).__name__}: {self.failed}",
                hint="check the file, and open it again",
            ) from self.failed

    def summaries(self) -> Summaries:
        """Return the statistics of what has been read."""
        self._check()
        with self._news:
            summed, filled = self.summed, self.filled
        of_pixels = _statistics(self._of_pixels, (max(1, summed), max(1, filled)))
        of_positions = _statistics(self._of_positions[[0, 1, 2, 0]], (self.scan.n_pixels,) * 2)
        maps = {
            name: self._on_scan(values[: summed if name in EARLY else filled])
            for name, values in of_positions.items()
        }
        patterns = {name: values.reshape(self.scan.pattern_shape) for name, values in of_pixels.items()}
        n = max(1, self.scan.n_positions)
        return Summaries(patterns, maps, filled / n, summed / n)

    def _on_scan(self, values: Float) -> Float:
        image = np.full(self.scan.n_positions, np.nan)
        image[self._positions[: len(values)]] = values
        return image.reshape(self.scan.scan_shape)

    def image(self, shares: Float, *, exact: bool = True) -> Image:
        """Return what a detector records, as far as the scan has been read.

        Parameters
        ----------
        shares : ndarray, shape pattern_shape
            What share of each pixel counts.
        exact : bool
            False takes a bin that the detector cuts with its mean share, unless looking at its pixels is cheap.

        Raises
        ------
        ReadError
            When the scan could not be read.
        """
        self._check()
        with self._news:
            n, cuttable = self.summed, self.filled == self.summed
            parts = [part for part in self._parts if part.columns.stop <= n]
        done = n / max(1, self.scan.n_positions)
        cover = self.bins.cover(shares, exact=True)
        size = cover.n_rows * n * np.dtype(self.scan.data.dtype).itemsize
        cheap = self.drawer is not None and size <= CHEAP
        if cover.cut and not (cuttable and (exact or cheap)):
            cover = self.bins.cover(shares, exact=False)
            return Image(self._on_scan(_weighted(cover.whole, self._sums[:, :n])), False, done)
        if cover.cut and self.drawer is None:
            return Image(self._by_pass(shares), True, 1.0)
        values = _weighted(cover.whole, self._sums[:, :n])
        if self.drawer is not None and cover.cut:
            for part in parts:
                values[part.columns] += _cut_pixels(cover, part, self.drawer)
        return Image(self._on_scan(values), True, done)

    def _by_pass(self, shares: Float) -> Float:
        """Return the exact image by reading the data."""
        with walked_by(None, self.budget // 4):
            return weighted_sums(self.scan, shares.reshape(-1, 1)).reshape(self.scan.scan_shape)


def _joined(runs: list[_Run]) -> _Run:
    """Return runs as one, not copied where it is one already."""
    if len(runs) == 1:
        return runs[0]
    positions, values = zip(*runs, strict=True)
    return np.concatenate(positions), np.concatenate(values)


def _weighted(weights: Float, sums: NDArray[Any]) -> Float:
    """Return the weighted sum of rows (bins, positions), without copying them."""
    total = np.zeros(sums.shape[1])
    edges = np.flatnonzero(np.diff(weights != 0, prepend=False, append=False))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        total += weights[start:stop].astype(sums.dtype) @ sums[start:stop]
    return total


def _cut_pixels(cover: Cover, part: _Part, drawer: Drawer) -> Float:
    """Return what single pixels add at the positions of a part."""
    width = part.columns.stop - part.columns.start
    total = np.zeros(width)
    for cut in cover.cut:
        first, stop = int(cut.rows[0]), int(cut.rows[-1]) + 1
        rows = drawer.rows(part.keys[cut.bin], slice(first, stop), (part.kinds[cut.bin], width))
        total += cut.weights @ rows[cut.rows - first]
    return total


def _statistics(found: Float, counts: tuple[int, int]) -> dict[str, Float]:
    """Return statistics of sums of so many, and of squares, largest values and sums of so many others."""
    total, squares, largest, same = found
    return {
        "sum": total.copy(),
        "mean": total / counts[0],
        "max": largest.copy(),
        "variance": np.maximum(squares / counts[1] - (same / counts[1]) ** 2, 0.0),
    }
