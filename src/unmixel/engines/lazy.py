"""Lazy arrays: wrap a file, map a function over frames, look at chunks (dask underneath)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FrameFunction = Callable[..., NDArray[Any]]


def is_lazy(data: Any) -> bool:
    """Return whether `data` is a dask array (values not in memory)."""
    return hasattr(data, "dask") and hasattr(data, "chunks")


def wrap(source: Any, chunks: Any = "auto") -> Any:
    """Return a lazy array that reads from `source` (HDF5 or zarr dataset, memory map, ...) by chunks.

    Parameters
    ----------
    source : object with shape, dtype, ndim and slicing
    chunks : as dask takes it
    """
    import dask.array as da

    return da.from_array(source, chunks=chunks, asarray=True)


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
    >>> map_frames(np.ones((2, 3, 4)), lambda f: f[:, ::2], n_scan_axes=2, pattern_shape=(2,), dtype=float).shape
    (2, 3, 2)
    """
    def on_block(block: NDArray[Any], *values: NDArray[Any]) -> NDArray[Any]:
        scan = block.shape[:n_scan_axes]
        frames = np.asarray(block).reshape(-1, *block.shape[n_scan_axes:])
        rows = [np.asarray(v).reshape(frames.shape[0], -1) for v in values]
        return np.asarray(function(frames, *rows), dtype=dtype).reshape(*scan, *pattern_shape)

    if not is_lazy(data):
        return on_block(data, *(() if per_position is None else (per_position,)))
    import dask.array as da

    whole = data.rechunk({axis: -1 for axis in range(n_scan_axes, data.ndim)})
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
