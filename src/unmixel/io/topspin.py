"""NanoMEGAS TopSpin ``.app5``: one HDF5 data set for each pattern, read without loading them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from xml.etree import ElementTree  # nosec B405

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import ReadError
from unmixel.io.arrays import lazy
from unmixel.io.build import FileAxis, Found, built
from unmixel.io.h5tree import opened
from unmixel.io.pick import Offer, pick

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan
    from unmixel.io.contract import ReadOptions

_UNITS = {"Angle": "rad", "Length": "m"}


@dataclass(frozen=True)
class Frames:
    """The patterns of one acquisition as one stack.

    Parameters
    ----------
    group : h5py.Group
        Holds a group for each pattern, named by its number, with a data set ``Data``.
    n_frames : int
    frame_shape : tuple of int
    dtype : numpy dtype
    """

    group: Any
    n_frames: int
    frame_shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the stack."""
        return (self.n_frames, *self.frame_shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return 1 + len(self.frame_shape)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (self.group.file.filename, self.group.name, self.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys = key if isinstance(key, tuple) else (key,)
        first, rest = keys[0], keys[1:]
        if not isinstance(first, slice):
            return np.asarray(self.group[f"{int(first)}/Data"][rest or ...])
        chosen = range(*first.indices(self.n_frames))
        empty = np.empty((0, *self.frame_shape), self.dtype)[(slice(None), *rest)]
        frames = [np.asarray(self.group[f"{index}/Data"][rest or ...]) for index in chosen]
        return np.stack(frames) if frames else empty


def _xml(node: Any) -> ElementTree.Element:
    """Return the XML of a metadata data set; its declaration may name an encoding that it is not in."""
    text = node[()].decode("ascii", "replace").split("?>", 1)[-1].strip()
    if "<!" in text:
        raise ValueError("metadata with a document type, which TopSpin never writes")
    # without a document type there are no entities to expand
    return ElementTree.fromstring(text)  # nosec B314


def _position(group: Any, index: int) -> tuple[float, float]:
    """Return (y, x) in metres of the beam of one pattern."""
    found = _xml(group[f"{index}/Metadata"]).find(".//Value[@Serializer='ImagePositionSerializer']")
    y, x = (found.findtext(name) if found is not None else None for name in ("Y", "X"))
    if y is None or x is None:
        raise ValueError(f"pattern {index} does not say where the beam was")
    return float(y), float(x)


def _columns(group: Any, n_frames: int) -> int:
    """Return the length of the first row: patterns until the row of the beam changes."""
    first = _position(group, 0)[0]
    for index in range(1, n_frames):
        if _position(group, index)[0] != first:
            return index
    return n_frames


def _scan_axes(group: Any, n_frames: int) -> tuple[FileAxis, ...]:
    """Return rows and columns from the beam positions, or one axis where they are no full grid."""
    columns = _columns(group, n_frames)
    if n_frames % columns:
        return (FileAxis(n_frames, role="scan"),)
    rows = n_frames // columns
    y0, x0 = _position(group, 0)
    y_step = _position(group, columns)[0] - y0 if rows > 1 else 0.0
    x_step = _position(group, 1)[1] - x0 if columns > 1 else y_step
    return (
        FileAxis(rows, "y", y_step or x_step, y0, "m", "scan"),
        FileAxis(columns, "x", x_step or y_step, x0, "m", "scan"),
    )


def _pattern_axes(group: Any, shape: tuple[int, ...]) -> tuple[FileAxis, ...]:
    axes = []
    calibration = _xml(group["0/Metadata"]).find("Calibration")
    for name, size in zip(("Y", "X"), shape, strict=True):
        node = calibration.find(name) if calibration is not None else None
        if node is None:
            axes.append(FileAxis(size, role="pattern"))
            continue
        scale, offset = (float(node.findtext(key, "0")) for key in ("Scale", "Offset"))
        unit = _UNITS.get(node.findtext("Type/Text", ""), node.findtext("Type/Text", ""))
        axes.append(FileAxis(size, f"k{name.lower()}", scale, offset, unit, "pattern"))
    return tuple(axes)


def _found(file: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, group of patterns or image) of everything recorded in a file."""
    import h5py

    for key, node in file.items():
        if isinstance(node, h5py.Group) and "0/Data" in node:
            yield node.name.strip("/"), node
        elif isinstance(node, h5py.Group):
            yield from _found(node)
        elif node.ndim == 2 and key.count("-") == 4:
            yield node.name.strip("/"), node


def _offer(name: str, node: Any) -> Offer:
    if "0/Data" in node if hasattr(node, "keys") else False:
        frame = node["0/Data"]
        return Offer(name, (len(node), *frame.shape), frame.dtype, 1)
    return Offer(name, tuple(node.shape), node.dtype, 0)


@dataclass(frozen=True)
class TopspinReader:
    """TopSpin files; RosettaSciIO reads them too, but whole.

    Examples
    --------
    >>> TopspinReader().accepts("scan.app5")
    True
    """

    name: ClassVar[str] = "topspin"

    def accepts(self, path: str) -> bool:
        """Return whether `path` ends in app5."""
        return Path(path).suffix.lower() == ".app5" and not Path(path).is_dir()

    def read(self, path: str, options: ReadOptions) -> Scan:
        """Return the scan in a TopSpin file, its patterns unread.

        Raises
        ------
        ReadError
            When the file holds no acquisition.
        """
        import h5py

        form = "NanoMEGAS TopSpin app5"
        file = opened(path)
        nodes = list(_found(file))
        if not nodes:
            raise ReadError(path, expected=f"{form} with an acquisition", got="none", hint="export it again")
        offers = [_offer(name, node) for name, node in nodes]
        index, notes = pick(offers, options.dataset, path=path, form=form)
        node, offer = nodes[index][1], offers[index]
        if offer.n_scan_axes:
            scan_axes = _scan_axes(node, offer.shape[0])
            pattern_axes = _pattern_axes(node, offer.shape[1:])
            stack = lazy(Frames(node, offer.shape[0], offer.shape[1:], offer.dtype), 2)
            data = stack.reshape((*(axis.size for axis in scan_axes), *offer.shape[1:]))
        else:
            scan_axes, data = (), lazy(node, 2)
            pattern_axes = tuple(FileAxis(size, role="pattern") for size in offer.shape)
        return built(
            Found(
                data=data,
                axes=(*scan_axes, *pattern_axes),
                path=path,
                form=form,
                reader=f"{self.name} (h5py {h5py.__version__})",
                metadata=_metadata(node),
                notes=notes,
                diffraction=bool(scan_axes),
            )
        )


def _metadata(node: Any) -> dict[str, Any]:
    """Return the XML texts that describe an acquisition, whole."""
    found = {
        "acquisition": node.parent["Metadata"],
        "first pattern": node.get("0/Metadata") if hasattr(node, "keys") else None,
    }
    return {key: value[()].decode("ascii", "replace") for key, value in found.items() if value is not None}
