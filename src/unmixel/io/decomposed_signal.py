"""Results of a decomposition as a HyperSpy signal without data, in HDF5 (.hspy) and zarr (.zspy)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis
from unmixel.io.hyperspy_tree import axis_words, grow_hdf5, grow_zarr, plain

VERSION = "3.3"
"""Version of HyperSpy's layout."""

_NOTHING = "float16"
"""Type of data that are not there: the smallest that knows NaN, for HyperSpy gives them memory."""

_CHUNK = 8_000_000


@dataclass(frozen=True, eq=False)
class DecomposedSignal:
    """A HyperSpy signal whose data are not in the file, with the results of its decomposition.

    Parameters
    ----------
    title : str
    axes : tuple of Axis
        Of all dimensions, navigation first.
    n_navigation : int
        How many of them navigate.
    learning_results : mapping
        As HyperSpy's `LearningResults` has them.
    metadata, original_metadata : mapping
        Nested.
    """

    title: str
    axes: tuple[Axis, ...]
    n_navigation: int
    learning_results: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    original_metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data."""
        return tuple(axis.size for axis in self.axes)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Whole patterns, as many of a row as make up `_CHUNK` values: HyperSpy loads empty chunks one by one."""
        pattern = self.shape[self.n_navigation :]
        row = [
            min(size, max(1, _CHUNK // math.prod(pattern))) for size in self.shape[: self.n_navigation][-1:]
        ]
        return (*(1,) * (self.n_navigation - len(row)), *row, *pattern)

    @property
    def trees(self) -> dict[str, Any]:
        """Everything but the data, by the names of HyperSpy's groups."""
        found = {
            f"axis-{number}": axis_words(asdict(axis), navigate=number < self.n_navigation)
            for number, axis in enumerate(self.axes)
        }
        general = {**self.metadata.get("General", {}), "title": self.title}
        signal = {"signal_type": "", **self.metadata.get("Signal", {})}
        return found | {
            "metadata": plain({**self.metadata, "General": general, "Signal": signal}),
            "original_metadata": plain(self.original_metadata),
            "learning_results": dict(self.learning_results),
            "attributes": {},
        }


def write_hspy(path: Path, signal: DecomposedSignal) -> None:
    """Write a signal to HDF5; its data take no room and read as NaN."""
    import h5py

    with h5py.File(path, "w") as root:
        root.attrs.update({"file_format": "HyperSpy", "file_format_version": VERSION})
        group = root.create_group("Experiments").create_group(signal.title.replace("/", "-"))
        for name, tree in signal.trees.items():
            grow_hdf5(group.create_group(name), tree, compression="gzip", shuffle=True)
        group.create_dataset("data", signal.shape, _NOTHING, chunks=signal.chunks, fillvalue=np.nan)


def write_zspy(path: Path, signal: DecomposedSignal) -> None:
    """Write a signal to a zarr folder of format 2; its data take no room and read as NaN."""
    import zarr

    root = zarr.open_group(str(path), mode="w", zarr_format=2)
    root.attrs.update({"file_format": "HyperSpy", "file_format_version": VERSION})
    group = root.create_group("Experiments").create_group(signal.title.replace("/", "-"))
    for name, tree in signal.trees.items():
        grow_zarr(group.create_group(name), tree, _put)
    group.create_array(
        "data", shape=signal.shape, dtype=_NOTHING, chunks=signal.chunks, fill_value=float("nan")
    )


def _put(group: Any, name: str, values: NDArray[Any]) -> None:
    group.create_array(name, data=values)
