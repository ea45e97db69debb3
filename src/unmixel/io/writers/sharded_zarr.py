"""zarr format 3: chunks for single patterns and for virtual images, many of them in each file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unmixel.io.compression import best_shuffle, block_bytes
from unmixel.io.layout import laid_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmixel.dataset.scan import Scan
    from unmixel.io.described import Description
    from unmixel.io.layout import Layout


@dataclass(frozen=True)
class ShardedZarr:
    """zarr format 3: a group with the array ``data``; a tile is a shard, which is a file.

    Codecs are those of the zarr specification: bytes, blosc (zstd, level 1), crc32c for every chunk and for the
    index of every shard. What describes the scan is the attribute ``unmixel`` of the group, with the group
    ``described`` for large arrays of metadata.

    Examples
    --------
    >>> ShardedZarr().suffixes
    ('.zarr',)
    """

    name: ClassVar[str] = "zarr"
    suffixes: ClassVar[tuple[str, ...]] = (".zarr",)
    keeps_type: ClassVar[bool] = False
    assembles: ClassVar[bool] = False

    def lay_out(self, scan: Scan, sample: NDArray[Any], budget: int) -> Layout:
        """Return chunks of a few positions and a piece of the detector, and tiles of them."""
        return laid_out(scan, sample, budget, shuffle=best_shuffle(sample), cut_patterns=True)

    def begin(self, folder: Path, description: Description, layout: Layout) -> None:
        """Write the group, its attributes and the array without its data."""
        import zarr
        from zarr.codecs import BloscCodec, Crc32cCodec

        place = folder / "store.zarr"
        root = zarr.open_group(str(place), mode="w", zarr_format=3)
        _describe(root, description)
        itemsize = np.dtype(layout.dtype).itemsize
        names = [axis["name"] for axis in description.said["axes"]]
        root.create_array(
            "data",
            shape=layout.shape,
            dtype=layout.dtype,
            chunks=layout.chunk,
            shards=layout.tile_shape,
            dimension_names=names,
            compressors=[
                BloscCodec(
                    cname="zstd",
                    clevel=1,
                    shuffle=layout.shuffle,
                    typesize=itemsize,
                    blocksize=block_bytes(math.prod(layout.chunk), itemsize, layout.shuffle),
                ),
                Crc32cCodec(),
            ],
        )

    def write(self, folder: Path, layout: Layout, tile: int, values: NDArray[Any]) -> Path:
        """Write a shard."""
        import zarr

        place = folder / "store.zarr"
        # chunks of zeros are written as well: "missing" would also be what was lost
        array = zarr.open_array(str(place / "data"), mode="r+", zarr_format=3)
        array = array.with_config({"write_empty_chunks": True})
        pattern = (0,) * (len(layout.shape) - layout.n_scan_axes)  # a tile holds whole patterns
        file = place / "data" / str(array.metadata.encode_chunk_key((*layout.place(tile), *pattern)))
        file.unlink(missing_ok=True)  # at the edges zarr would go on with what is there
        array[layout.tiles[tile]] = values
        return file

    def finish(self, folder: Path, description: Description, layout: Layout) -> Path:
        """Return the folder: shards lie where they belong.

        A record of a scan that was not known when it began gets the description and the shape that it has now.
        """
        import zarr

        place = folder / "store.zarr"
        root: Any = zarr.open_group(str(place), mode="r+", zarr_format=3)
        if root.attrs.get("unmixel") != description.said:
            _describe(root, description)
        if root["data"].shape != layout.shape:
            root["data"].resize(layout.shape)
        return place


def _describe(root: Any, description: Description) -> None:
    """Write everything of a scan but its data to its group."""
    from zarr.codecs import Crc32cCodec

    root.attrs["unmixel"] = dict(description.said)
    if description.arrays:
        beside = root.create_group("described", overwrite=True)
        for number, array in enumerate(description.arrays):
            beside.create_array(f"array-{number}", data=array, compressors=[Crc32cCodec()])
