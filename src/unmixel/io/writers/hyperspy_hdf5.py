"""HyperSpy's hspy: one HDF5 file, put together from compressed tiles when all of them are there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unmixel.io.converted import EXPERIMENT
from unmixel.io.hyperspy_tree import axes, grow_hdf5, metadata
from unmixel.io.layout import laid_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmixel.dataset.scan import Scan
    from unmixel.io.described import Description
    from unmixel.io.layout import Layout

VERSION = "3.3"
"""Version of HyperSpy's layout."""

LEVEL = 4
"""Of gzip, as HyperSpy has it; every HDF5 library reads it, without plug-ins."""

_SLACK = 1_000_000


@dataclass(frozen=True)
class HyperspyHdf5:
    """HyperSpy's hspy, chunks of whole patterns, compressed by shuffle and gzip, with Fletcher-32 checksums.

    HDF5 files do not survive a process that is killed while it writes to them. So a tile is a file of its own, with
    its chunks as they will lie in the HDF5 file, into which `finish` copies them.

    Examples
    --------
    >>> HyperspyHdf5().suffixes
    ('.hspy',)
    """

    name: ClassVar[str] = "hspy"
    suffixes: ClassVar[tuple[str, ...]] = (".hspy",)
    keeps_type: ClassVar[bool] = True
    assembles: ClassVar[bool] = True

    def lay_out(self, scan: Scan, sample: NDArray[Any], budget: int) -> Layout:
        """Return chunks of a few whole patterns, and tiles of them."""
        return laid_out(scan, sample, budget, shuffle="shuffle")

    def begin(self, folder: Path, description: Description, layout: Layout) -> None:
        """Make room for the tiles."""
        (folder / "tiles").mkdir(parents=True)

    def write(self, folder: Path, layout: Layout, tile: int, values: NDArray[Any]) -> Path:
        """Write the compressed chunks of a tile, their places and sizes in the first line."""
        chunks = [(place, _encoded(chunk)) for place, chunk in _chunks(layout, tile, values)]
        file = folder / "tiles" / f"{tile:08d}"
        with file.open("wb") as stream:
            stream.write(json.dumps([[place, len(bytes_)] for place, bytes_ in chunks]).encode() + b"\n")
            for _, bytes_ in chunks:
                stream.write(bytes_)
        return file

    def finish(self, folder: Path, description: Description, layout: Layout) -> Path:
        """Put the HDF5 file together."""
        import h5py

        store = folder / "store.hspy"
        store.unlink(missing_ok=True)
        _make_room(store, sum(file.stat().st_size for file in (folder / "tiles").iterdir()) + _SLACK)
        with h5py.File(store, "w") as file:
            _describe(file, description)
            dataset = _dataset(file[EXPERIMENT], layout)
            for tile in range(len(layout.tiles)):
                with (folder / "tiles" / f"{tile:08d}").open("rb") as stream:
                    for place, size in json.loads(stream.readline()):
                        dataset.id.write_direct_chunk(tuple(place), stream.read(size))
        with store.open("rb+") as stream:
            os.fsync(stream.fileno())
        return store


def _chunks(layout: Layout, tile: int, values: NDArray[Any]) -> Iterator[tuple[list[int], NDArray[Any]]]:
    """Yield the place of each chunk in the data, and its values; what is beyond the edge is 0."""
    starts = [run.start for run in layout.tiles[tile]] + [0] * (len(layout.shape) - layout.n_scan_axes)
    steps = [range(0, size, step) for size, step in zip(values.shape, layout.chunk, strict=True)]
    for corner in product(*steps):
        part = values[tuple(slice(at, at + step) for at, step in zip(corner, layout.chunk, strict=True))]
        if part.shape != layout.chunk:
            whole = np.zeros(layout.chunk, part.dtype)
            whole[tuple(slice(0, size) for size in part.shape)] = part
            part = whole
        yield [start + at for start, at in zip(starts, corner, strict=True)], np.ascontiguousarray(part)


def _encoded(chunk: NDArray[Any]) -> bytes:
    """Return a chunk as the filters of `_dataset` would leave it."""
    from numcodecs import Fletcher32, Shuffle, Zlib

    raw = chunk.reshape(-1).view(np.uint8)
    if chunk.dtype.itemsize > 1:
        raw = Shuffle(chunk.dtype.itemsize).encode(raw)
    return bytes(Fletcher32().encode(Zlib(LEVEL).encode(raw)))


def _dataset(group: Any, layout: Layout) -> Any:
    """Return the data set for the values, still empty."""
    import h5py

    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_obj_track_times(False)
    settings.set_chunk(layout.chunk)
    dtype = np.dtype(layout.dtype)
    if dtype.itemsize > 1:
        settings.set_shuffle()
    settings.set_deflate(LEVEL)
    settings.set_fletcher32()
    kind = h5py.h5t.py_create(dtype, logical=True)
    space = h5py.h5s.create_simple(layout.shape)
    h5py.h5d.create(group.id, b"data", kind, space, dcpl=settings)
    return group["data"]


def _describe(file: Any, description: Description) -> None:
    """Write the groups of HyperSpy's layout, and the whole description beside them."""
    file.attrs.update({"file_format": "HyperSpy", "file_format_version": VERSION})
    experiment = file.create_group(EXPERIMENT)
    trees = {f"axis-{index}": axis for index, axis in enumerate(axes(description))}
    trees |= {**metadata(description), "learning_results": {}, "attributes": {}}
    for name, tree in trees.items():
        grow_hdf5(experiment.create_group(name), tree)  # what it cannot write stands in the description
    ours = experiment.create_group("unmixel")
    ours.create_dataset("description", data=json.dumps(dict(description.said)), track_times=False)
    for number, array in enumerate(description.arrays):
        ours.create_dataset(
            f"array-{number}", data=array, fletcher32=True, chunks=array.shape, track_times=False
        )


def _make_room(beside: Path, n_bytes: int) -> None:
    """Raise OSError now, where a file of so many bytes would find no room: HDF5 cannot be left in the middle."""
    if not hasattr(os, "posix_fallocate"):  # pragma: no cover - not on macOS
        return
    trial = beside.with_suffix(".room")
    try:
        with trial.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, n_bytes)
    finally:
        trial.unlink(missing_ok=True)
