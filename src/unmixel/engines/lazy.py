"""Lazy arrays: wrap a file, map a function over frames, look at chunks (dask underneath)."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FrameFunction = Callable[..., NDArray[Any]]

_SOURCE = "source-"
"""How the names of lazy arrays begin that read straight from a source."""

RUN_BYTES = 32_000_000
"""Bytes of frames that a function sees at once in `map_frames`."""


def is_lazy(data: Any) -> bool:
    """Return whether `data` is a dask array (values not in memory)."""
    return hasattr(data, "dask") and hasattr(data, "chunks")


def mapping_of(data: Any) -> mmap.mmap | None:
    """Return the mapped file beneath a numpy array or a view of one; None where its values are in memory."""
    base = data
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


def in_memory(data: Any) -> bool:
    """Return whether `data` is a numpy array whose values are in memory (a memory map, or its view, is not)."""
    return isinstance(data, np.ndarray) and mapping_of(data) is None


def wrap(source: Any, chunks: Any = "auto") -> Any:
    """Return a lazy array that reads from `source` (HDF5 or zarr dataset, memory map, ...) by chunks.

    Parameters
    ----------
    source : object with shape, dtype, ndim and slicing
        Values come in the machine's byte order. Blocks follow its ``chunks``, where it has any; where it has
        ``in_order = True``, they are read one by one from begin to end.
    chunks : as dask takes it
    """
    import dask.array as da
    from dask.base import tokenize

    # dask would take a copy of a numpy array, even of one that is mapped
    if isinstance(source, np.ndarray) or not np.dtype(source.dtype).isnative:
        source = _Native(source)
    name = f"{_SOURCE}{tokenize(source, chunks)}"
    return da.from_array(source, chunks=chunks, name=name, asarray=True)


@dataclass(frozen=True)
class _Native:
    """A source in the machine's byte order, of which only what is asked for is ever copied."""

    source: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(size) for size in self.source.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self.source.dtype).newbyteorder("=")
        return dtype

    @property
    def ndim(self) -> int:
        return len(self.source.shape)

    @property
    def chunks(self) -> Any:
        return getattr(self.source, "chunks", None)

    @property
    def in_order(self) -> bool:
        return bool(getattr(self.source, "in_order", False))

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return _values(self.source[key], self.dtype)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        from dask.base import tokenize

        return ("native", tokenize(self.source))


def source_of(data: Any) -> Any:
    """Return what a lazy array made by `wrap` reads from, where nothing was done to it since; else None.

    Blocks are then cut from the source itself: a graph of tasks costs several milliseconds a block.

    Examples
    --------
    >>> lazy = wrap(np.ones((3, 4)))
    >>> source_of(lazy)[1:].shape, source_of(lazy + 1)
    ((2, 4), None)
    """
    name = str(getattr(data, "name", ""))
    if not (is_lazy(data) and name.startswith(_SOURCE)):
        return None
    layer = getattr(data.dask, "layers", {}).get(f"original-{name}")
    return None if layer is None else next(iter(dict(layer).values()))


def viewed(data: Any) -> NDArray[Any]:
    """Return a lazy array of a single chunk as numpy, not copied: a view of the file where it maps one."""
    import dask

    values = dask.get(data.__dask_graph__(), data.__dask_keys__())
    while isinstance(values, (list, tuple)):
        (values,) = values
    return np.asarray(values)


def only_in_order(data: Any) -> bool:
    """Return whether something beneath a lazy array can only be read from begin to end."""
    layers = getattr(data.dask, "layers", {}) if is_lazy(data) else {}
    origins = [layer for name, layer in layers.items() if str(name).startswith("original-")]
    return any(getattr(source, "in_order", False) for layer in origins for source in dict(layer).values())


def read(data: Any, tile: tuple[slice, ...]) -> NDArray[Any]:
    """Return a tile of a scan (numpy, memory map, dask or scipy sparse) as numpy.

    A lazy array is read in the calling thread: callers share tiles out to threads, and one level of threads is
    enough. A memory map is copied and its pages are given back, so that they do not count as memory of the process.
    """
    source = source_of(data)
    part = (data if source is None else source)[tile]
    return np.asarray(part.compute(scheduler="synchronous")) if is_lazy(part) else _values(part)


def _values(part: Any, dtype: Any = None) -> NDArray[Any]:
    """Return values as numpy, of the given dtype; those of a mapped file as a copy, its pages given back."""
    if hasattr(part, "toarray"):
        part = part.toarray()
    mapping = mapping_of(part)
    if mapping is None:
        return np.asarray(part, dtype)
    values = np.array(part, dtype)
    _give_back(mapping, part)
    return values


def _give_back(mapping: mmap.mmap, part: NDArray[Any]) -> None:
    """Take the pages beneath a part out of the process; they stay in the system's cache of the file."""
    # pages of a private map may hold what was written to it and nowhere else
    if not hasattr(mapping, "madvise") or getattr(_owner(part), "mode", None) not in ("r", "r+"):
        return
    start = np.lib.array_utils.byte_bounds(np.frombuffer(mapping, np.uint8))[0]
    low, high = np.lib.array_utils.byte_bounds(part)
    low = max(0, low - start) // mmap.PAGESIZE * mmap.PAGESIZE
    mapping.madvise(mmap.MADV_DONTNEED, low, high - start - low)


def _owner(part: Any) -> Any:
    """Return the numpy.memmap beneath a view, which knows how the file was mapped."""
    while isinstance(part, np.ndarray) and not isinstance(part, np.memmap):
        part = part.base
    return part


def as_array(data: Any, n_scan_axes: int) -> Any:
    """Return `data` itself where it is in memory or lazy; anything else (memory map, dataset) wrapped lazily.

    Parameters
    ----------
    data : array, shape (*scan_shape, *pattern_shape)
    n_scan_axes : int
        Leading axes that may be cut into chunks; frames stay whole.

    Examples
    --------
    >>> frames = np.ones((3, 4))
    >>> as_array(frames, 1) is frames
    True
    """
    if is_lazy(data) or in_memory(data):
        return data
    return wrap(data, tuple("auto" if axis < n_scan_axes else -1 for axis in range(len(data.shape))))


def stacked(parts: list[Any]) -> Any:
    """Return arrays of one shape along a new first axis: lazily where they are lazy.

    Examples
    --------
    >>> stacked([np.ones(3), np.zeros(3)]).shape, stacked([wrap(np.ones(3), 3)]).shape
    ((2, 3), (1, 3))
    """
    if not is_lazy(parts[0]):
        return np.stack(parts)
    import dask.array as da

    return da.stack(parts)


def chunk_lengths(data: Any, axis: int) -> tuple[int, ...]:
    """Return the lengths of the chunks along an axis; one chunk for arrays in memory."""
    if is_lazy(data):
        return tuple(int(n) for n in data.chunks[axis])
    return (int(data.shape[axis]),)


def stored_lengths(data: Any, axis: int) -> tuple[int, ...]:
    """Return the lengths along an axis of what is stored together and best read at once: chunks of the file.

    Samples stand alone where the file is not cut into chunks, and in memory.

    Examples
    --------
    >>> stored_lengths(wrap(np.ones((3, 4)), (2, 4)), 0)
    (1, 1, 1)
    """
    source = source_of(data)
    if source is None and is_lazy(data):
        return chunk_lengths(data, axis)
    size = int(data.shape[axis])
    chunks = getattr(source, "chunks", None)
    length = int(chunks[axis]) if chunks else 1
    return (length,) * (size // length) + ((size % length,) if size % length else ())


def map_frames(
    data: Any,
    function: FrameFunction,
    *,
    n_scan_axes: int,
    pattern_shape: tuple[int, ...],
    dtype: Any,
    per_position: NDArray[Any] | None = None,
) -> Any:
    """Return `function` applied to stacks of frames; lazy stays lazy.

    Parameters
    ----------
    data : array, shape (*scan_shape, *pattern_shape_in)
    function : callable
        ``function(frames)`` or, with `per_position`, ``function(frames, values)``: frames of shape
        (b, *pattern_shape_in) to frames of shape (b, *pattern_shape) and `dtype`; values of shape (b, p).
    n_scan_axes : int
    pattern_shape : tuple of int
        Shape of the frames that come out.
    dtype : dtype
        Of the frames that come out.
    per_position : ndarray, shape (*scan_shape, p), optional
        Numbers that differ from position to position, such as a shift.

    Returns
    -------
    array, shape (*scan_shape, *pattern_shape)

    Examples
    --------
    >>> scan = np.ones((2, 3, 4))
    >>> map_frames(scan, lambda f: f[:, ::2], n_scan_axes=2, pattern_shape=(2,), dtype=float).shape
    (2, 3, 2)
    """

    def on_run(block: NDArray[Any], *values: NDArray[Any]) -> NDArray[Any]:
        frames = np.asarray(block).reshape(-1, *block.shape[n_scan_axes:])
        rows = [np.asarray(v).reshape(frames.shape[0], -1) for v in values]
        mapped = np.asarray(function(frames, *rows), dtype=dtype)
        return mapped.reshape(*block.shape[:n_scan_axes], *pattern_shape)

    def on_block(block: NDArray[Any], *values: NDArray[Any]) -> NDArray[Any]:
        # by runs along the first scan axis: the function's own copies stay small
        n_rows = block.shape[0] if n_scan_axes else 1
        step = max(1, int(RUN_BYTES * n_rows / max(1, block.nbytes)))
        if n_scan_axes == 0 or step >= n_rows:
            return on_run(block, *values)
        out = np.empty((*block.shape[:n_scan_axes], *pattern_shape), dtype=dtype)
        for start in range(0, n_rows, step):
            run = slice(start, start + step)
            out[run] = on_run(block[run], *(v[run] for v in values))
        return out

    data = as_array(data, n_scan_axes)
    if in_memory(data):
        return on_block(data, *(() if per_position is None else (per_position,)))
    import dask.array as da

    whole = data.rechunk(dict.fromkeys(range(n_scan_axes, data.ndim), -1))
    scan_index = tuple(range(n_scan_axes))
    operands: list[Any] = [whole, tuple(range(data.ndim))]
    if per_position is not None:
        values = da.from_array(per_position, chunks=(*whole.chunks[:n_scan_axes], per_position.shape[-1]))
        operands += [values, (*scan_index, 2000)]
    out_index = (*scan_index, *(1000 + i for i in range(len(pattern_shape))))
    return da.blockwise(
        on_block,
        out_index,
        *operands,
        new_axes={1000 + i: size for i, size in enumerate(pattern_shape)},
        concatenate=True,
        dtype=np.dtype(dtype),
        meta=np.empty((0,) * len(out_index), dtype=dtype),
    )


def sum_bins(data: Any, factors: tuple[int, ...], dtype: Any) -> Any:
    """Return `data` summed over bins along every axis; a remainder is left out; lazy stays lazy.

    Parameters
    ----------
    data : array
    factors : tuple of int
        Samples per bin, one factor per axis, >= 1.
    dtype : dtype
        Of the sums; the summation itself runs in it too.

    Examples
    --------
    >>> sum_bins(np.arange(7), (3,), int)
    array([ 3, 12])
    """
    if is_lazy(data):
        import dask.array as da

        wanted = {axis: factor for axis, factor in enumerate(factors) if factor > 1}
        if not wanted:
            return data.astype(dtype)
        return da.coarsen(np.sum, data, wanted, trim_excess=True, dtype=np.dtype(dtype))
    sizes = [int(n) // factor for n, factor in zip(data.shape, factors, strict=True)]
    cut = data[tuple(slice(0, n * f) for n, f in zip(sizes, factors, strict=True))]
    split = cut.reshape([length for n, f in zip(sizes, factors, strict=True) for length in (n, f)])
    return split.sum(axis=tuple(range(1, 2 * len(sizes), 2)), dtype=dtype)
