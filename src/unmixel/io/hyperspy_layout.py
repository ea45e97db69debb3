"""The layout of a HyperSpy signal in HDF5 (.hspy) and zarr (.zspy): data, axes, metadata, learning results.

It is that of RosettaSciIO's ``hspy`` and ``zspy`` writers, format version 3.3, and is written without HyperSpy. zarr
stores are of format 2, which HyperSpy reads with zarr 2 and zarr 3.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis
from unmixel.io.nexus import jsonable

VERSION = "3.3"
_LARGEST_ATTRIBUTE = 60_000
"""Bytes of text up to which HDF5 takes it as an attribute."""

Put = Callable[[Any, str, NDArray[Any]], None]


@dataclass(frozen=True, eq=False)
class SignalLayout:
    """A HyperSpy signal, but for its data.

    Parameters
    ----------
    title : str
    axes : tuple of Axis
        Of all dimensions, navigation first.
    n_navigation : int
        How many of them navigate.
    dtype : str
        Of the data.
    metadata, original_metadata, learning_results : mapping
        Nested; arrays are stored as arrays, lists as JSON.
    """

    title: str
    axes: tuple[Axis, ...]
    n_navigation: int
    dtype: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    original_metadata: Mapping[str, Any] = field(default_factory=dict)
    learning_results: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data."""
        return tuple(axis.size for axis in self.axes)

    @property
    def chunks(self) -> tuple[int, ...]:
        """One pattern a chunk."""
        return (*(1,) * self.n_navigation, *self.shape[self.n_navigation :])


def write_hspy(path: Path, signal: SignalLayout) -> None:
    """Write a signal to HDF5; its data take no room and read as NaN."""
    import h5py

    def put(group: Any, name: str, values: NDArray[Any]) -> None:
        # HyperSpy reads lazily only what has chunks
        packing = (
            {"chunks": True, "compression": "gzip", "shuffle": True} if values.size and values.ndim else {}
        )
        group.create_dataset(name, data=values, track_times=False, **packing)

    with h5py.File(path, "w") as root:
        group = _describe(root, signal, put, file_format="HyperSpy")
        group.create_dataset(
            "data", signal.shape, signal.dtype, chunks=signal.chunks, fillvalue=np.nan, track_times=False
        )


def write_zspy(path: Path, signal: SignalLayout) -> None:
    """Write a signal to a zarr folder; its data take no room and read as NaN."""
    import zarr

    def put(group: Any, name: str, values: NDArray[Any]) -> None:
        group.create_array(name, data=values)

    root = zarr.open_group(str(path), mode="w", zarr_format=2)
    group = _describe(root, signal, put, file_format="ZSpy")
    group.create_array(
        "data", shape=signal.shape, dtype=signal.dtype, chunks=signal.chunks, fill_value=float("nan")
    )


def _describe(root: Any, signal: SignalLayout, put: Put, *, file_format: str) -> Any:
    """Write all of a signal but its data, and return its group."""
    root.attrs.update({"file_format": file_format, "file_format_version": VERSION})
    group = root.create_group("Experiments").create_group(signal.title.replace("/", "-"))
    group.attrs.update({"package": "hyperspy", "package_version": ""})
    for number, axis in enumerate(signal.axes):
        told = {
            "_type": "UniformDataAxis",
            "name": axis.name,
            "units": "" if axis.unit == "px" else axis.unit,
            "navigate": number < signal.n_navigation,
            "is_binned": False,
            "size": axis.size,
            "scale": float(axis.scale),
            "offset": float(axis.offset),
        }
        group.create_group(f"axis-{number}").attrs.update(told)
    general = {"title": signal.title, **signal.metadata.get("General", {})}
    metadata = {"Signal": {"signal_type": ""}, **signal.metadata, "General": general}
    _branch(group, "metadata", metadata, put)
    _branch(group, "original_metadata", signal.original_metadata, put)
    _branch(group, "learning_results", signal.learning_results, put)
    _branch(group, "attributes", {"_lazy": False, "ragged": False}, put)
    return group


def _branch(parent: Any, name: str, values: Mapping[str, Any], put: Put) -> None:
    """Write nested values as HyperSpy does: mappings as groups, arrays as data sets, all else as attributes."""
    group = parent.create_group(name)
    for key, value in values.items():
        if isinstance(value, Mapping):
            _branch(group, str(key).replace("/", "-"), value, put)
        elif isinstance(value, np.ndarray):
            put(group, key, value)
        else:
            _leaf(group, str(key), value, put)


def _leaf(group: Any, key: str, value: Any, put: Put) -> None:
    plain = jsonable(value)
    if plain is None:
        group.attrs[key] = "_None_"
    elif isinstance(plain, (bool, int, float)):
        group.attrs[key] = plain
    else:
        text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
        if len(text.encode()) > _LARGEST_ATTRIBUTE:
            put(group, key, np.array(json.dumps(plain).encode()))
        else:
            group.attrs[key] = text
