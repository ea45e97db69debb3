"""The store behind virtual images: sums over bins of pixels in memory, and the pixels themselves, tile by tile.

One pass over the scan cuts it into tiles: some positions by the pixels of one bin, a row for each pixel, at the
smallest type that holds them. An image then adds up whole bins from memory, and reads only the pixels of bins that the
border of the detector cuts.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import ReadError
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import compact_dtype, read_once
from unmixel.engines.lazy import as_array
from unmixel.prepare.detectors import frames
from unmixel.web.bins import Cover, bins_for

Float = NDArray[np.float64]
Where = Literal["memory", "scratch", "file"]

MOST_POSITIONS = 4096
"""Positions of a tile: more would make a row longer than what is worth reading at once."""

SPARE_DISK = 2_000_000_000
"""Bytes of the disk that a temporary file leaves free."""

CHEAP = 48_000_000
"""Bytes of pixels that are read for an exact image even while something is dragged."""


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


class Drawer(Protocol):
    """Where tiles lie."""

    where: Where
    n_bytes: int

    def put(self, tile: NDArray[Any]) -> int:
        """Keep a tile and return its key."""
        ...

    def rows(self, key: int, rows: slice, like: tuple[np.dtype[Any], int]) -> NDArray[Any]:
        """Return rows of a tile of a type and a width."""
        ...


class InMemory:
    """Keeps tiles as they are."""

    where: Where = "memory"

    def __init__(self) -> None:
        self.n_bytes = 0
        self._tiles: list[NDArray[Any]] = []

    def put(self, tile: NDArray[Any]) -> int:
        """Keep a tile and return its key."""
        self._tiles.append(tile)
        self.n_bytes += tile.nbytes
        return len(self._tiles) - 1

    def rows(self, key: int, rows: slice, like: tuple[np.dtype[Any], int]) -> NDArray[Any]:
        """Return rows of a tile."""
        return self._tiles[key][rows]


class Scratch:
    """Writes tiles to a temporary file, which goes when this does, or when the process ends."""

    where: Where = "scratch"

    def __init__(self) -> None:
        self.n_bytes = 0
        self._lock = threading.Lock()

    @cached_property
    def _file(self) -> Any:
        file = tempfile.TemporaryFile(buffering=0, prefix="unmixel-")  # noqa: SIM115 - open as long as this is
        finalize(self, file.close)
        return file

    def put(self, tile: NDArray[Any]) -> int:
        """Write a tile and return where it begins."""
        start = self.n_bytes
        with self._lock:
            self._file.seek(start)
            rest = tile.data.cast("B")
            while rest:  # a write may take less than it is given
                rest = rest[self._file.write(rest) :]
        self.n_bytes += tile.nbytes
        return start

    def rows(self, key: int, rows: slice, like: tuple[np.dtype[Any], int]) -> NDArray[Any]:
        """Read rows of a tile."""
        kind, width = like
        values = np.empty((rows.stop - rows.start, width), kind)
        with self._lock:
            self._file.seek(key + rows.start * width * kind.itemsize)
            self._file.readinto(values.data)
        return values


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
    done : float
    """

    pattern: dict[str, Float]
    map: dict[str, Float]
    done: float


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
    filled: int = field(default=0, init=False)
    """Positions that have been read."""
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
        self._of_pixels = np.zeros((3, scan.n_pixels))  # sum, sum of squares, largest
        self._of_positions = np.zeros((3, scan.n_positions))
        self._of_pixels[2] = self._of_positions[2] = -np.inf
        self.drawer = self._drawer()

    def _drawer(self) -> Drawer | None:
        if self.scan.n_bytes <= self.budget // 4:
            return InMemory()
        room = shutil.disk_usage(tempfile.gettempdir()).free - SPARE_DISK
        return Scratch() if self.scratch and self.scan.n_bytes <= room else None

    @property
    def done(self) -> float:
        """Share of the scan that has been read."""
        return self.filled / max(1, self.scan.n_positions)

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

    def wait(self, filled: int, timeout: float) -> bool:
        """Wait until more than `filled` positions have been read; whether there are more."""
        with self._news:
            return self._news.wait_for(lambda: self.filled > filled or self.ended, timeout)

    def fill(self) -> None:
        """Read the whole scan, or until it is closed."""
        for positions, values in self._runs():
            if self.closed:
                return
            self._take(positions, values)

    def _fill_quietly(self) -> None:
        try:
            self.fill()
        except Exception as error:  # noqa: BLE001 - told to whoever asks for an image
            self.failed = error
        with self._news:
            self._news.notify_all()

    def _runs(self) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
        """Yield positions (b,) and their values (b, n_pixels), as many at once as a tile is to hold."""
        scan, n_scan = self.scan, len(self.scan.scan_axes)
        row = max(1, scan.n_pixels * np.dtype(scan.data.dtype).itemsize)
        wanted = min(MOST_POSITIONS, max(1, self.budget // 8 // row))
        positions, values, held = [], [], 0
        for block in read_once(as_array(scan.data, n_scan), n_scan, self.budget // 4):
            positions.append(block.positions)
            values.append(block.values)
            held += len(block.positions)
            if held >= wanted:
                yield np.concatenate(positions), values[0] if len(values) == 1 else np.concatenate(values)
                positions, values, held = [], [], 0
        if held:
            yield np.concatenate(positions), np.concatenate(values)

    def _take(self, positions: NDArray[np.intp], values: NDArray[Any]) -> None:
        """Cut values (b, n_pixels) into tiles and add them to all sums."""
        columns = slice(self.filled, self.filled + len(positions))
        folded = values.reshape(len(values), *self.scan.pattern_shape)
        shrink = compact_dtype(values).kind == "u"
        keys, kinds = [], []
        numbers = np.arange(self.scan.n_pixels).reshape(self.scan.pattern_shape)
        for number, place in enumerate(self.bins.places):
            tile = np.ascontiguousarray(folded[(slice(None), *place)].reshape(len(values), -1).T)
            self._add(number, numbers[place].ravel(), columns, tile)
            if self.drawer is None:
                continue
            kind = np.min_scalar_type(int(tile.max())) if shrink else tile.dtype
            keys.append(self.drawer.put(tile.astype(kind, copy=False)))
            kinds.append(kind)
        self._positions[columns] = positions
        with self._news:
            self._parts.append(_Part(columns, tuple(keys), tuple(kinds)))
            self.filled = columns.stop
            self._news.notify_all()

    def _add(self, number: int, pixels: NDArray[np.intp], columns: slice, tile: NDArray[Any]) -> None:
        """Add a tile (pixels, positions) to sums, sums of squares and largest values."""
        sums = tile.sum(axis=0, dtype=np.float64)
        self._sums[number, columns] = sums
        squares: Any = {"dtype": np.float64, "casting": "unsafe"}
        self._of_positions[0, columns] += sums
        self._of_positions[1, columns] += np.einsum("ij,ij->j", tile, tile, **squares)
        self._of_pixels[0, pixels] += tile.sum(axis=1, dtype=np.float64)
        self._of_pixels[1, pixels] += np.einsum("ij,ij->i", tile, tile, **squares)
        self._of_positions[2, columns] = np.maximum(self._of_positions[2, columns], tile.max(axis=0))
        self._of_pixels[2, pixels] = np.maximum(self._of_pixels[2, pixels], tile.max(axis=1))

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
            n = self.filled
        pattern = _statistics(self._of_pixels, max(1, n), self.scan.pattern_shape)
        flat = _statistics(self._of_positions[:, :n], self.scan.n_pixels, (n,))
        return Summaries(pattern, {name: self._on_scan(values) for name, values in flat.items()}, self.done)

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
            parts, n = list(self._parts), self.filled
        cover = self.bins.cover(shares, exact=True)
        size = cover.n_rows * n * np.dtype(self.scan.data.dtype).itemsize
        cheap = self.drawer is not None and size <= CHEAP
        if cover.cut and not (exact or cheap):
            cover = self.bins.cover(shares, exact=False)
            return Image(self._on_scan(_weighted(cover.whole, self._sums[:, :n])), False, self.done)
        if cover.cut and self.drawer is None:
            return Image(self._by_pass(shares), True, 1.0)
        values = _weighted(cover.whole, self._sums[:, :n])
        if self.drawer is not None:
            for part in parts:
                values[part.columns] += _cut_pixels(cover, part, self.drawer)
        return Image(self._on_scan(values), True, n / max(1, self.scan.n_positions))

    def _by_pass(self, shares: Float) -> Float:
        """Return the exact image by reading the data."""
        weights = shares.ravel()
        columns = np.flatnonzero(weights)
        sums = np.zeros(self.scan.n_positions)
        for positions, values in frames(self.scan, self.budget // 4, columns):
            sums[positions] = values @ weights[columns]
        return sums.reshape(self.scan.scan_shape)


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


def _statistics(sums: Float, count: int, shape: tuple[int, ...]) -> dict[str, Float]:
    """Return statistics of sums, sums of squares and largest values over `count` samples."""
    mean = sums[0] / count
    found = {
        "sum": sums[0],
        "mean": mean,
        "max": sums[2],
        "variance": np.maximum(sums[1] / count - mean**2, 0.0),
    }
    return {name: np.array(values).reshape(shape) for name, values in found.items()}
