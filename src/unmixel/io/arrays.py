"""Lazy arrays over files: cut into whole frames, never copied, never loaded by opening."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.engines.lazy import is_lazy, viewed, wrap
from unmixel.io.h5tree import let_travel

CHUNK_MIN, _CHUNK_MAX = 16_000_000, 256_000_000
_CHUNKS_AIMED = 8000
_WHOLE_LIMIT = 512_000_000


@dataclass(frozen=True)
class Mapped:
    """A raw array inside a file; every read maps the file anew, so nothing stays open.

    Parameters
    ----------
    path : str
    dtype : numpy dtype
    shape : tuple of int
    offset : int
        Bytes before the first value.
    order : str
        ``"C"`` or ``"F"``.

    Raises
    ------
    ValueError
        On reading, when the file is too short.
    """

    path: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int = 0
    order: str = "C"

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def stop(self) -> int:
        """Bytes that the file must have at least."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize

    def __getitem__(self, key: Any) -> NDArray[Any]:
        order: Any = self.order
        return np.array(np.memmap(self.path, self.dtype, "r", self.offset, self.shape, order)[key])

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        changed = Path(self.path).stat().st_mtime_ns
        return (self.path, changed, str(self.dtype), self.shape, self.offset, self.order)


@dataclass(frozen=True)
class Viewed:
    """A lazy array of one single chunk over a memory map, read slice by slice.

    Libraries that map raw files cut them into chunks in slow loops; asked for one chunk they are fast, and a
    slice of a map touches only its own bytes. This is cut into chunks anew.

    Parameters
    ----------
    array : lazy array of one chunk
    """

    array: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(int(size) for size in self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Kind of its values."""
        dtype: np.dtype[Any] = np.dtype(self.array.dtype)
        return dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.array.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        view: NDArray[Any] = viewed(self.array)[key]
        return view

    def __dask_tokenize__(self) -> str:
        return str(self.array.name)


def whole_frames(
    shape: tuple[int, ...], itemsize: int, n_pattern_axes: int, file_chunks: tuple[int, ...] | None = None
) -> tuple[int, ...]:
    """Return chunk lengths that hold whole frames and follow the chunks of the file.

    Small chunks of the file are taken together, because a lazy array of millions of chunks costs seconds for
    each read. A chunk aims at 16 MB, at more for data beyond 128 GB.

    Parameters
    ----------
    shape : tuple of int
    itemsize : int
        Bytes per value.
    n_pattern_axes : int
    file_chunks : tuple of int, optional
        Chunks of the file; None for raw files.

    Examples
    --------
    >>> whole_frames((2000, 2000, 256, 256), 1, 2, (1, 1, 256, 256))
    (1, 500, 256, 256)
    """
    n_scan = len(shape) - n_pattern_axes
    own = tuple(file_chunks) if file_chunks else (1,) * n_scan + shape[n_scan:]
    total = math.prod(shape) * itemsize
    target = min(max(CHUNK_MIN, total / _CHUNKS_AIMED), _CHUNK_MAX)
    frame = math.prod(shape[n_scan:]) * itemsize
    if math.prod(own[:n_scan]) * frame > _WHOLE_LIMIT:
        return own  # stored by tiles of the detector: whole frames would not fit in memory
    scan = [min(length, size) for length, size in zip(own[:n_scan], shape[:n_scan], strict=True)]
    for axis in reversed(range(n_scan)):
        room = target / (math.prod(scan) * frame)
        scan[axis] = min(shape[axis], scan[axis] * max(1, int(room)))
    return (*scan, *shape[n_scan:])


def lazy(source: Any, n_pattern_axes: int) -> Any:
    """Return a lazy array over `source`, in chunks of whole frames and in the machine's byte order.

    Parameters
    ----------
    source : object with shape, dtype, ndim and slicing
        HDF5 or zarr data set, `Mapped`, ...; pattern axes last.
    n_pattern_axes : int
    """
    if type(source).__module__.startswith("h5py"):
        let_travel()
    shape = tuple(int(size) for size in source.shape)
    chunks = getattr(source, "chunks", None)
    return native(wrap(source, whole_frames(shape, source.dtype.itemsize, n_pattern_axes, chunks)))


def native(data: Any) -> Any:
    """Return `data` in the machine's byte order; lazy stays lazy."""
    return data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))


def regrouped(data: Any, n_pattern_axes: int) -> Any:
    """Return the same lazy array in chunks of whole frames, where it reads straight from one data set.

    Libraries hand out arrays with one task for each chunk of the file: a scan of a terabyte then takes
    seconds and hundreds of megabytes for every read. The data set is looked up in the lazy array and wrapped
    anew; where there is none (the library computes something in between) the array is returned as it is.

    Parameters
    ----------
    data : array
    n_pattern_axes : int
    """
    if not is_lazy(data):
        return native(data)
    layers = getattr(data.dask, "layers", {})
    origins = [
        value
        for name, layer in layers.items()
        if str(name).startswith("original-")
        for value in dict(layer).values()
    ]
    if len(layers) == 2 and len(origins) == 1 and tuple(origins[0].shape) == tuple(data.shape):
        return lazy(origins[0], n_pattern_axes)
    return native(data)
