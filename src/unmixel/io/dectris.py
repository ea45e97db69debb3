"""DECTRIS masters (ARINA, EIGER): frames in linked files, a description of the scan in a file beside them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import ReadError
from unmixel.dataset.scan import Instrument
from unmixel.io.arrays import lazy
from unmixel.io.build import FileAxis, Found, built
from unmixel.io.h5tree import opened, tree
from unmixel.io.instrument import number
from unmixel.io.shape import listed

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan

_SIDE = "STEM Metadata"


@dataclass(frozen=True)
class Joined:
    """Several stacks of frames seen as one, without copying.

    Parameters
    ----------
    parts : tuple of array-like, each of shape (n, v, u)

    Examples
    --------
    >>> Joined((np.zeros((2, 3, 3)), np.ones((4, 3, 3))))[1:4].shape
    (3, 3, 3)
    """

    parts: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole."""
        return (sum(int(part.shape[0]) for part in self.parts), *(int(n) for n in self.parts[0].shape[1:]))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Kind of the values."""
        dtype: np.dtype[Any] = np.dtype(self.parts[0].dtype)
        return dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return tuple(
            (str(part), str(getattr(getattr(part, "file", None), "filename", id(part))))
            for part in self.parts
        )

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys = key if isinstance(key, tuple) else (key,)
        first, rest = keys[0], keys[1:]
        if not isinstance(first, slice):
            first = int(first)
            return np.asarray(self[(slice(first, first + 1), *rest)][0])
        start, stop, step = first.indices(self.shape[0])
        edges = [0, *itertools.accumulate(int(part.shape[0]) for part in self.parts)]
        pieces = [
            np.asarray(part[(slice(max(start - low, 0), min(stop, high) - low), *rest)])
            for part, low, high in zip(self.parts, edges[:-1], edges[1:], strict=True)
            if low < stop and high > start
        ]
        whole = np.concatenate(pieces or [np.asarray(self.parts[0][(slice(0, 0), *rest)])])
        return np.asarray(whole[::step])


def is_master(file: Any) -> bool:
    """Return whether an HDF5 file is a DECTRIS master."""
    return "entry/data" in file and "entry/instrument/detector/detectorSpecific" in file


def is_side_file(file: Any) -> bool:
    """Return whether an HDF5 file is the description that lies beside a master."""
    return _SIDE in file and len(file) == 1


def _parts(file: Any, path: str) -> tuple[Any, ...]:
    """Return the data sets that the master links to, in order.

    Raises
    ------
    ReadError
        When a linked file is not there.
    """
    group = file["entry/data"]
    parts = []
    for name in sorted(group):
        if not name.startswith("data"):
            continue
        part = group.get(name)
        if part is None:
            link = group.get(name, getlink=True)
            raise ReadError(
                path,
                expected=f"its data file {getattr(link, 'filename', name)} beside it",
                got="nothing of that name",
                hint="copy all files of the scan to one folder",
            )
        parts.append(part)
    if not parts:
        raise ReadError(
            path, expected="a master with links to data files", got="none", hint="copy the file again"
        )
    return tuple(parts)


def _side(path: str) -> dict[str, Any]:
    """Return what the microscope wrote beside the master, empty where there is no such file."""
    beside = Path(path).with_name(Path(path).name.replace("_master", ""))
    if "_master" not in Path(path).name or not beside.is_file():
        return {}
    try:
        with opened(str(beside)) as file:
            return tree(file[_SIDE]) if _SIDE in file else {}
    except OSError:
        return {}


def _scan_axes(side: dict[str, Any], n_frames: int) -> tuple[tuple[FileAxis, ...], str, tuple[str, ...]]:
    """Return the scan axes, how their shape became known, and notes."""
    rows, columns = (int(side.get(key, 0)) for key in ("NumPixelsY", "NumPixelsX"))
    step = number(side.get("Pixel Size"))
    notes: tuple[str, ...] = ()
    scale, unit = (step, "nm") if step else (1.0, "")
    if step and not int(side.get("IsPixelSizeCalibrated", 1)):
        notes = ("The microscope says that its scan step is not calibrated.",)
    if rows * columns == n_frames > 0:
        said = f"the description beside the master: {rows} x {columns}"
        axes = (
            FileAxis(rows, "y", scale, 0.0, unit, "scan"),
            FileAxis(columns, "x", scale, 0.0, unit, "scan"),
        )
        return axes, said, notes
    if rows * columns:
        notes += (
            f"The description beside the master says {rows} x {columns}, but there are {n_frames} frames.",
        )
    said = (
        f"not known: the file holds a plain stack of {n_frames} frames; give scan_shape=(rows, columns), "
        f"possible are {listed(n_frames)}"
    )
    return (FileAxis(n_frames, "x", scale, 0.0, unit, "scan"),), said, notes


def _instrument(metadata: dict[str, Any], side: dict[str, Any]) -> Instrument:
    detector = metadata.get("entry", {}).get("instrument", {}).get("detector", {})
    specific = detector.get("detectorSpecific", {})
    volts = number(side.get("High Tension")) or number(specific.get("photon_energy"))
    length = number(side.get("Camera Length"))
    return Instrument(
        voltage_kV=volts / 1e3 if volts else None,
        camera_length_mm=round(length * 1e3, 9) if length else None,
        dwell_s=number(side.get("ScanDwellTime")) or number(detector.get("frame_time")),
        detector=str(detector.get("description", "")) or None,
    )


def read_master(file: Any, path: str) -> Scan:
    """Return the scan that a DECTRIS master and its linked files hold.

    Parameters
    ----------
    file : h5py.File
        The master, open.
    path : str

    Raises
    ------
    ReadError
        When a linked data file is missing.
    """
    import h5py

    joined = Joined(_parts(file, path))
    side, metadata = _side(path), {"entry": {"instrument": tree(file["entry/instrument"])}}
    scan_axes, said, notes = _scan_axes(side, joined.shape[0])
    data = lazy(joined, 2)
    if len(scan_axes) == 2:
        data = data.reshape((*(axis.size for axis in scan_axes), *joined.shape[1:]))
    return built(
        Found(
            data=data,
            axes=(*scan_axes, *(FileAxis(size, role="pattern") for size in joined.shape[1:])),
            path=path,
            form="DECTRIS HDF5 (ARINA or EIGER)",
            reader=f"hdf5 (h5py {h5py.__version__})",
            instrument=_instrument(metadata, side),
            metadata={**metadata, _SIDE: side} if side else metadata,
            notes=notes,
            diffraction=True,
            scan_shape_from=said,
        )
    )
