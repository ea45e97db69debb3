"""Velox spectrum images: streams of single X-ray events in an EMD file, counted as they are read.

A stream is a run of numbers: the channel of each event, and 65535 at the end of each position. Positions follow row by
row, frame after frame; each detector has a stream of its own. Frames and detectors are summed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import ReadError
from unmixel.dataset.scan import Instrument
from unmixel.io.arrays import lazy
from unmixel.io.build import FileAxis, Found, built
from unmixel.io.diagnose import signature
from unmixel.io.h5tree import opened
from unmixel.io.instrument import number

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan
    from unmixel.io.contract import ReadOptions

_END = 65535
_PIECE = 8_000_000
_STREAMS = "Data/SpectrumStream"


@dataclass(frozen=True)
class Events:
    """Streams of events seen as counts, shape (rows, columns, channels).

    Parameters
    ----------
    streams : tuple of array-like of uint16, each of shape (n,) or (n, 1)
    shape : tuple of int
    """

    streams: tuple[Any, ...]
    shape: tuple[int, int, int]
    dtype: ClassVar[np.dtype[np.uint16]] = np.dtype(np.uint16)
    lock: Any = field(default_factory=Lock, compare=False, repr=False)
    starts: dict[int, NDArray[np.int64]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return 3

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (
            self.shape,
            *((s.file.filename, s.name) if hasattr(s, "file") else id(s) for s in self.streams),
        )

    def row_starts(self, which: int) -> NDArray[np.int64]:
        """Return where each row of each whole frame begins in a stream, and where it ends: shape (n_frames, rows + 1).

        The stream is walked through once, in pieces.
        """
        with self.lock:
            if which not in self.starts:
                rows, columns, _ = self.shape
                stream, seen, ends = self.streams[which], 0, [np.zeros(1, np.int64)]
                for start in range(0, stream.shape[0], _PIECE):
                    marks = np.flatnonzero(_flat(stream[start : start + _PIECE]) == _END)
                    ends.append(marks[(columns - 1 - seen) % columns :: columns] + start + 1)
                    seen += marks.size
                edges = np.concatenate(ends)
                n_frames = (edges.size - 1) // rows
                begin = edges[: n_frames * rows].reshape(n_frames, rows)
                self.starts[which] = np.hstack([begin, edges[rows : n_frames * rows + 1 : rows, None]])
            return self.starts[which]

    def _events(self, first: int, stop: int) -> Iterator[NDArray[np.int64]]:
        """Yield flat indices into counts of rows first..stop-1, stream by stream and frame by frame."""
        channels = self.shape[2]
        for which, stream in enumerate(self.streams):
            for frame in self.row_starts(which):
                values = _flat(stream[frame[first] : frame[stop]])
                ends = values == _END
                position = np.cumsum(ends) - ends
                counted = values < channels
                yield position[counted] * channels + values[counted]

    def __getitem__(self, key: Any) -> NDArray[np.uint16]:
        keys = key if isinstance(key, tuple) else (key,)
        rows = keys[0]
        one = not isinstance(rows, slice)
        first, stop, step = (int(rows), int(rows) + 1, 1) if one else rows.indices(self.shape[0])
        stop = max(first, stop)
        counts = np.zeros((stop - first) * self.shape[1] * self.shape[2], np.int64)
        for index in self._events(first, stop):
            np.add.at(counts, index, 1)
        if counts.size and counts.max() > np.iinfo(np.uint16).max:
            raise ValueError("more than 65535 events in one channel of one position")
        block = counts.astype(np.uint16).reshape(stop - first, *self.shape[1:])[::step]
        chosen: NDArray[np.uint16] = (block[0] if one else block)[
            keys[1:] if one else (slice(None), *keys[1:])
        ]
        return chosen


def _flat(values: Any) -> NDArray[Any]:
    return np.asarray(values).reshape(-1)


def _json(node: Any) -> dict[str, Any]:
    """Return JSON that Velox keeps as text or as a column of bytes (one for each frame; the first is taken)."""
    raw = node[0] if node.dtype.kind == "O" else node[:, 0].tobytes().split(b"\x00")[0]
    found: dict[str, Any] = json.loads(raw)
    return found


def _scan_shape(metadata: dict[str, Any]) -> tuple[int, int]:
    """Return (rows, columns): the scanned area as a share of the full raster."""
    scan = metadata["Scan"]
    width, height = (int(scan["ScanSize"][key]) for key in ("width", "height"))
    area = {key: float(value) for key, value in scan.get("ScanArea", {}).items()}
    share_x = area.get("right", 1.0) - area.get("left", 0.0)
    share_y = area.get("bottom", 1.0) - area.get("top", 0.0)
    return round(height * share_y), round(width * share_x)


def _instrument(metadata: dict[str, Any]) -> Instrument:
    volts = number(metadata.get("Optics", {}).get("AccelerationVoltage"))
    known = metadata.get("Instrument", {})
    return Instrument(
        voltage_kV=volts / 1e3 if volts else None,
        dwell_s=number(metadata.get("Scan", {}).get("DwellTime")),
        microscope=" ".join(str(known[k]) for k in ("InstrumentClass", "InstrumentModel") if k in known)
        or None,
        detector=str(metadata.get("BinaryResult", {}).get("Detector", "")) or None,
    )


def _axes(metadata: dict[str, Any], shape: tuple[int, int, int]) -> tuple[FileAxis, ...]:
    step = metadata["BinaryResult"]["PixelSize"]
    name = metadata["BinaryResult"].get("Detector")
    detectors = metadata.get("Detectors", {}).values()
    detector: dict[str, Any] = next(
        (d for d in detectors if d.get("DetectorName") == name and "Dispersion" in d), {}
    )
    known = "Dispersion" in detector
    return (
        FileAxis(shape[0], "y", float(step["height"]), 0.0, metadata["BinaryResult"]["PixelUnitY"], "scan"),
        FileAxis(shape[1], "x", float(step["width"]), 0.0, metadata["BinaryResult"]["PixelUnitX"], "scan"),
        FileAxis(
            shape[2],
            "energy",
            float(detector.get("Dispersion", 1.0)),
            float(detector.get("OffsetEnergy", 0.0)),
            "eV" if known else "",
            "pattern",
        ),
    )


@dataclass(frozen=True)
class VeloxReader:
    """EMD files of Velox with streams of X-ray events; its images are read by RosettaSciIO.

    Examples
    --------
    >>> VeloxReader().accepts("scan.npz")
    False
    """

    name: ClassVar[str] = "velox"

    def accepts(self, path: str) -> bool:
        """Return whether `path` is an EMD file with a spectrum image of Velox."""
        if Path(path).suffix.lower() != ".emd" or signature(path) != "HDF5":
            return False
        try:
            with opened(path) as file:
                return _STREAMS in file and (len(file[_STREAMS]) > 0 or "Data/SpectrumImage" in file)
        except OSError:
            return False

    def read(self, path: str, options: ReadOptions) -> Scan:
        """Return the spectrum image, its events uncounted.

        Raises
        ------
        ReadError
            When the file holds no events, or not of the detector that is asked for.
        """
        import h5py

        form = "Velox EMD"
        file = opened(path)
        groups = list(file[_STREAMS].values())
        if not groups:
            raise ReadError(
                path,
                expected=f"{form} with streams of X-ray events",
                got="reduced data, packed in a way that only Velox reads",
                hint="save it from Velox with its full data",
            )
        names = [str(_json(g["Metadata"])["BinaryResult"].get("Detector", i)) for i, g in enumerate(groups)]
        chosen = [i for i, name in enumerate(names) if options.dataset in (None, name)]
        if not chosen:
            raise ReadError(
                path,
                expected=f"a detector named '{options.dataset}' in {form}",
                got=", ".join(names),
                hint="leave dataset out for the sum of all detectors",
            )
        metadata = [_json(groups[i]["Metadata"]) for i in chosen]
        channels = int(_json(groups[chosen[0]]["AcquisitionSettings"])["bincount"])
        shape = (*_scan_shape(metadata[0]), channels)
        return built(
            Found(
                data=lazy(Events(tuple(groups[i]["Data"] for i in chosen), shape), 1),
                axes=_axes(metadata[0], shape),
                path=path,
                form=form,
                reader=f"{self.name} (h5py {h5py.__version__})",
                instrument=_instrument(metadata[0]),
                metadata={names[i]: told for i, told in zip(chosen, metadata, strict=True)},
                notes=(f"All frames and these detectors are summed: {', '.join(names[i] for i in chosen)}.",),
            )
        )
