"""Lazy arrays: wrap a file, map a function over frames, look at chunks (dask underneath)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FrameFunction = Callable[..., NDArray[Any]]

RUN_BYTES = 32_000_000
"""Bytes of frames that a function sees at once in `map_frames`."""


def is_lazy(data: Any) -> bool:
    """Return whether `data` is a dask array (values not in memory)."""
    return hasattr(data, "dask") and hasattr(data, "chunks")


def in_memory(data: Any) -> bool:
    """Return whether `data` is a numpy array whose values are in memory (a memory map is not)."""
    return isinstance(data, np.ndarray) and not isinstance(data, np.memmap)


def read(part: Any) -> NDArray[Any]:
    """Return the values of a part of a scan (numpy, memory map, dask or scipy sparse) as numpy.

    A lazy part is read in the calling thread: callers share blocks out to threads, and one level of threads is
    enough.
    """
    if is_lazy(part):
        return np.asarray(part.compute(scheduler="synchronous"))
    return np.asarray(part.toarray() if hasattr(part, "toarray") else part)


def wrap(source: Any, chunks: Any = "auto") -> Any:
    """Return a lazy array that reads from `source` (HDF5 or zarr dataset, memory map, ...) by chunks.

    Parameters
    ----------
    source : object with shape, dtype, ndim and slicing
    chunks : as dask takes it
    """
    import dask.array as da

    return da.from_array(source, chunks=chunks, asarray=True)


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


def chunk_lengths(data: Any, axis: int) -> tuple[int, ...]:
    """Return the lengths of the chunks along an axis; one chunk for arrays in memory."""
    if is_lazy(data):
        return tuple(int(n) for n in data.chunks[axis])
    return (int(data.shape[axis]),)


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
