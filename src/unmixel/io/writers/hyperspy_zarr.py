"""HyperSpy's zspy: zarr format 2, whole patterns in every chunk."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unmixel.io.compression import best_shuffle, block_bytes, number_of
from unmixel.io.converted import EXPERIMENT
from unmixel.io.hyperspy_tree import axes, grow_zarr, metadata
from unmixel.io.layout import laid_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmixel.dataset.scan import Scan
    from unmixel.io.described import Description
    from unmixel.io.layout import Layout

VERSION = "3.3"
"""Version of HyperSpy's layout."""

_CHUNK_BYTES = 8_000_000


@dataclass(frozen=True)
class HyperspyZarr:
    """HyperSpy's zspy; a tile is a chunk, which is a file.

    Chunks are compressed by blosc (zstd, level 1) and carry a CRC-32, both codecs of numcodecs. RosettaSciIO cannot
    write the layout with zarr 3 (rosettasciio#539); it reads it.

    Examples
    --------
    >>> HyperspyZarr().suffixes
    ('.zspy',)
    """

    name: ClassVar[str] = "zspy"
    suffixes: ClassVar[tuple[str, ...]] = (".zspy",)
    keeps_type: ClassVar[bool] = True
    assembles: ClassVar[bool] = False

    def lay_out(self, scan: Scan, sample: NDArray[Any], budget: int) -> Layout:
        """Return chunks of some 8 MB, one in each tile."""
        layout = laid_out(scan, sample, budget, shuffle=best_shuffle(sample), tile_bytes=_CHUNK_BYTES)
        return replace(layout, chunk=layout.tile_shape)

    def begin(self, folder: Path, description: Description, layout: Layout) -> None:
        """Write the groups, their attributes and the array without its data."""
        import zarr
        from numcodecs import CRC32, Blosc

        root = zarr.open_group(str(folder / "store.zspy"), mode="w", zarr_format=2)
        root.attrs.update({"file_format": "HyperSpy", "file_format_version": VERSION})
        experiment = root.require_group(EXPERIMENT)
        experiment.attrs["unmixel"] = dict(description.said)
        if description.arrays:
            beside = experiment.create_group("described")
            for number, array in enumerate(description.arrays):
                _put(beside, f"array-{number}", array)
        for index, axis in enumerate(axes(description)):
            experiment.create_group(f"axis-{index}").attrs.update(axis)
        for name, tree in metadata(description).items():
            grow_zarr(experiment.create_group(name), tree, _put)
        for name in ("learning_results", "attributes"):
            experiment.create_group(name)
        block = block_bytes(math.prod(layout.chunk), np.dtype(layout.dtype).itemsize, layout.shuffle)
        experiment.create_array(
            "data",
            shape=layout.shape,
            dtype=layout.dtype,
            chunks=layout.chunk,
            fill_value=0,
            # compressed values and their checksum: what comes first in the list is done first
            filters=[Blosc("zstd", 1, number_of(layout.shuffle), block)],
            compressors=CRC32(),
        )

    def write(self, folder: Path, layout: Layout, tile: int, values: NDArray[Any]) -> Path:
        """Write a chunk."""
        import zarr

        place = folder / "store.zspy" / EXPERIMENT / "data"
        array = zarr.open_array(str(place), mode="r+", zarr_format=2)
        array = array.with_config({"write_empty_chunks": True})
        pattern = (0,) * (len(layout.shape) - layout.n_scan_axes)
        file = place / str(array.metadata.encode_chunk_key((*layout.place(tile), *pattern)))
        file.unlink(missing_ok=True)  # at the edges zarr would go on with what is there
        array[layout.tiles[tile]] = values
        return file

    def finish(self, folder: Path, description: Description, layout: Layout) -> Path:
        """Return the folder: chunks lie where they belong."""
        return folder / "store.zspy"


def _put(group: Any, name: str, values: NDArray[Any]) -> None:
    from numcodecs import CRC32

    array = group.create_array(
        name, shape=values.shape, dtype=values.dtype, chunks=values.shape, compressors=CRC32(), fill_value=0
    )
    array[...] = values
