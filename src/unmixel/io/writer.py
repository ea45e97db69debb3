"""The contract of a writer: one class per layout of a store, found by the entry point ``unmixel.writers``.

A conversion (`unmixel.pipeline.convert`) goes through a scan tile by tile and calls, in a folder of its own:

1. `lay_out`: what chunks and tiles there will be;
2. `begin`: everything but the data;
3. `write`, for each tile, from several threads and in any order: one file, the same bytes whenever the same values are
   written;
4. `finish`: the store is whole; only now it gets the name that was asked for.

A conversion that was cut off goes on with step 3, for the tiles whose files are missing or damaged. So a writer keeps
nothing in memory between the calls: folder and layout say it all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmixel.dataset.scan import Scan
    from unmixel.io.described import Description
    from unmixel.io.layout import Layout


@runtime_checkable
class Writer(Protocol):
    """Writes a `Scan` block by block.

    A writer is a class without arguments, registered under ``unmixel.writers``. Its module imports nothing heavy at
    the top (libraries are imported where they are used).

    What it promises (checked by `unmixel.testing.writers.WriterLaws`):

    - data come back to the bit when `unmixel.open` reads the store: every value, NaN with its bits, -0.0; so do axes,
      instrument, history and original metadata;
    - every chunk has a checksum, so that a store with a flipped byte is refused when that chunk is read;
    - the store is the same byte by byte, whatever was interrupted, in whichever order tiles were written;
    - a write takes memory for a few copies of one tile, whatever the size of the scan.

    Attributes
    ----------
    name : str
        The registered name.
    suffixes : tuple of str
        Ends of file names that ask for it, with the dot, in lower case.
    keeps_type : bool
        Whether values are stored at the scan's own type. Otherwise whole numbers that are held as floating point may
        arrive as int32 (see `unmixel.io.layout.whole_numbers`).
    assembles : bool
        Whether `finish` copies all tiles into one file, for which the disk needs room once more.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    keeps_type: ClassVar[bool]
    assembles: ClassVar[bool]

    def lay_out(self, scan: Scan, sample: NDArray[Any], budget: int) -> Layout:
        """Return chunks and tiles for a scan.

        Parameters
        ----------
        scan : Scan
        sample : ndarray, shape (n, *pattern_shape)
            Some patterns, at the type in which values will be stored.
        budget : int
            Bytes of memory for the whole conversion.

        Raises
        ------
        InputError
            When the store cannot hold such values, or the budget is too small.
        """
        ...

    def begin(self, folder: Path, description: Description, layout: Layout) -> None:
        """Write everything but the data into an empty folder."""
        ...

    def write(self, folder: Path, layout: Layout, tile: int, values: NDArray[Any]) -> Path:
        """Write a tile and return the file that holds it, which holds nothing else.

        Parameters
        ----------
        folder : Path
            Where `begin` has been.
        layout : Layout
        tile : int
            Number of the tile in ``layout.tiles``.
        values : ndarray, shape (*positions of the tile, *pattern_shape), dtype ``layout.dtype``

        Raises
        ------
        OSError
            When there is no room left.
        """
        ...

    def finish(self, folder: Path, description: Description, layout: Layout) -> Path:
        """Return the store, whole, as a file or folder within `folder`, its name ending in the right suffix."""
        ...
