"""What our writers say of a scan beside its data, and the scan that it describes when it is read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis
from unmixel.dataset.record import Source, StepRecord
from unmixel.dataset.scan import Instrument, Scan
from unmixel.io.faithful import Faithful

VERSION = 1
"""Version of the description; later versions of unmixel read all earlier ones."""


@dataclass(frozen=True, eq=False)
class Description:
    """Everything of a scan but its data.

    Parameters
    ----------
    said : mapping
        JSON-safe: ``version``, ``title``, ``dtype``, ``axes``, ``n_scan_axes``, ``instrument``, ``source``,
        ``history``, ``original_metadata``, ``weights``, ``extras`` (`unmixel.io.faithful` tells how).
    arrays : tuple of ndarray
        Large arrays that it refers to.
    lost : tuple of str
        Types of values that are kept as their text only.
    """

    said: Mapping[str, Any]
    arrays: tuple[NDArray[Any], ...] = ()
    lost: tuple[str, ...] = ()

    @classmethod
    def of(cls, scan: Scan) -> Description:
        """Return the description of a scan; of the path it was read from, the name of the file only."""
        keep = Faithful()
        source = asdict(scan.source)
        said = {
            "version": VERSION,
            "title": title(scan),
            "dtype": np.dtype(scan.data.dtype).str,
            "n_scan_axes": len(scan.scan_axes),
            "axes": [asdict(axis) for axis in (*scan.scan_axes, *scan.pattern_axes)],
            "instrument": asdict(scan.instrument),
            "source": {**source, "path": _name(scan.source.path), "notes": list(scan.source.notes)},
            "history": [keep.encode(asdict(step)) for step in scan.history],
            "original_metadata": keep.encode(scan.original_metadata),
            "weights": keep.encode({"pixels": scan.pixel_weights, "positions": scan.position_weights}),
            "extras": keep.encode(scan.extras),
        }
        return cls(said, tuple(keep.arrays), tuple(dict.fromkeys(keep.lost)))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the scan's values, whatever they are stored as."""
        return np.dtype(str(self.said["dtype"]))

    @property
    def digest(self) -> str:
        """sha256 of all of it."""
        found = hashlib.sha256(json.dumps(self.said, sort_keys=True).encode())
        for array in self.arrays:
            found.update(array.tobytes())
        return found.hexdigest()

    def scan(self, data: Any, *, path: str, form: str, reader: str) -> Scan:
        """Return the scan with its data and where they lie now.

        Parameters
        ----------
        data : array, shape (*scan_shape, *pattern_shape)
        path, form, reader : str
            As in `unmixel.dataset.record.Source`.
        """
        keep = Faithful(list(self.arrays))
        axes = tuple(Axis(**axis) for axis in self.said["axes"])
        n_scan = int(self.said["n_scan_axes"])
        told = self.said["source"]
        weights = keep.decode(self.said["weights"])
        return Scan(
            data=data,
            scan_axes=axes[:n_scan],
            pattern_axes=axes[n_scan:],
            instrument=Instrument(**self.said["instrument"]),
            original_metadata=keep.decode(self.said["original_metadata"]),
            source=Source(
                path=path,
                format=f"{form}, converted from {told['format']}",
                reader=reader,
                scan_shape_from=told["scan_shape_from"],
                notes=tuple(told["notes"]),
            ),
            history=tuple(StepRecord(**keep.decode(step)) for step in self.said["history"]),
            pixel_weights=weights["pixels"],
            position_weights=weights["positions"],
            extras=keep.decode(self.said["extras"]),
        )


def title(scan: Scan) -> str:
    """Return what a scan is called: the title that its file gives, or the name of the file."""
    said: Any = scan.original_metadata
    for key in ("metadata", "General", "title"):
        said = said.get(key) if isinstance(said, Mapping) else None
    return said if isinstance(said, str) and said else Path(_name(scan.source.path)).stem


def _name(path: str) -> str:
    """Return the name of a file without its folders; an address such as ``demo:glass?seed=1`` as it is."""
    return path if ":" in path and not Path(path).exists() else Path(path).name


def arrays_of(names: Sequence[str], get: Any) -> tuple[NDArray[Any], ...]:
    """Return the arrays beside a description in the order of their numbers.

    Parameters
    ----------
    names : sequence of str
        ``array-0``, ``array-1``, ... in any order; others are left out.
    get : callable(str)
        Returns the array of a name.
    """
    count = sum(name.startswith("array-") for name in names)
    return tuple(np.asarray(get(f"array-{number}")) for number in range(count))
