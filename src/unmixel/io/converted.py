"""Stores that unmixel wrote: everything comes back as it was described."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import ReadError
from unmixel.io.arrays import lazy
from unmixel.io.described import VERSION, Description, arrays_of
from unmixel.io.h5tree import opened
from unmixel.io.pick import Offer, pick

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan
    from unmixel.io.contract import ReadOptions

EXPERIMENT = "Experiments/scan"
"""Where the scan lies in a store of HyperSpy's layout that unmixel wrote."""


@dataclass(frozen=True)
class Typed:
    """A stored array whose values come in the type they had in the scan.

    Parameters
    ----------
    array : zarr array or HDF5 data set
    dtype : numpy dtype
    """

    array: Any
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(int(size) for size in self.array.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.array.shape)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Chunks of the store."""
        return tuple(self.array.chunks)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.asarray(self.array[key]).astype(self.dtype, copy=False)


def _attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of a zarr group of either format, as JSON says them."""
    try:
        if path.suffix.lower() == ".zspy":
            told = json.loads((path / EXPERIMENT / ".zattrs").read_text(encoding="utf-8"))
        else:
            told = json.loads((path / "zarr.json").read_text(encoding="utf-8")).get("attributes")
    except (OSError, ValueError, AttributeError):
        return {}
    return told if isinstance(told, dict) else {}


@dataclass(frozen=True)
class ConvertedReader:
    """What `unmixel.convert` wrote (``.zarr``, ``.zspy``, ``.hspy``).

    Examples
    --------
    >>> ConvertedReader().accepts("scan.zarr")  # there is no such file
    False
    """

    name: ClassVar[str] = "converted"

    def accepts(self, path: str) -> bool:
        """Return whether there is a store at `path` with a description of ours."""
        place = Path(path)
        suffix = place.suffix.lower()
        if suffix in (".zarr", ".zspy"):
            return "unmixel" in _attributes(place)
        if suffix != ".hspy" or not place.is_file():
            return False
        try:
            with opened(path) as file:
                return EXPERIMENT in file and "unmixel" in file[EXPERIMENT]
        except OSError:
            return False

    def read(self, path: str, options: ReadOptions) -> Scan:
        """Return the scan in a store of ours, its data unread.

        Raises
        ------
        ReadError
            When it is no store of ours, or of a later version.
        """
        suffix = Path(path).suffix.lower()
        if not self.accepts(path):
            raise ReadError(path, expected="a store that unmixel wrote", got="none", hint="check the path")
        said, array, get, names, form = _opened_hdf5(path) if suffix == ".hspy" else _opened_zarr(path)
        if int(said["version"]) > VERSION:
            raise ReadError(
                path,
                expected=f"a description of version {VERSION} or earlier",
                got=f"version {said['version']}",
                hint="upgrade unmixel",
            )
        description = Description(said, arrays_of(names, get))
        n_scan = int(said["n_scan_axes"])
        pick(
            [Offer("data", tuple(array.shape), description.dtype, n_scan)],
            options.dataset,
            path=path,
            form=form,
        )
        typed = Typed(array, description.dtype.newbyteorder("="))
        data = lazy(typed, typed.ndim - n_scan)
        return description.scan(data, path=path, form=form, reader=f"{self.name} ({_version(suffix)})")


_Opened = tuple[dict[str, Any], Any, Callable[[str], Any], list[str], str]


def _opened_zarr(path: str) -> _Opened:
    import zarr

    place = Path(path)
    v2 = place.suffix.lower() == ".zspy"
    group = zarr.open_group(str(place / EXPERIMENT if v2 else place), mode="r", zarr_format=2 if v2 else 3)
    beside: Any = group.get("described", {})
    said = _attributes(place)["unmixel"]
    form = "HyperSpy zspy" if v2 else "zarr 3"
    return said, group["data"], lambda name: beside[name][...], list(beside), form


def _opened_hdf5(path: str) -> _Opened:
    group = opened(path)[f"{EXPERIMENT}/unmixel"]
    said = json.loads(group["description"].asstr()[()])
    return said, group.parent["data"], lambda name: group[name][()], list(group), "HyperSpy hspy"


def _version(suffix: str) -> str:
    if suffix == ".hspy":
        import h5py

        return f"h5py {h5py.__version__}"
    import zarr

    return f"zarr {zarr.__version__}"
