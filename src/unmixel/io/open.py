"""Open a scan: find the reader, read lazily, fold to the scan shape, drop flyback columns."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from unmixel.core.errors import InputError, UnmixelError
from unmixel.core.registry import is_built_in, load, names
from unmixel.io.contract import Reader, ReadOptions
from unmixel.io.diagnose import unreadable
from unmixel.io.shape import checked, fold, without_flyback
from unmixel.io.unfinished import refuse_unfinished

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan

_LAST = "rosetta"


def _in_order() -> list[str]:
    """Return the names of all readers: third parties first, RosettaSciIO, which takes any file, last."""
    return sorted(
        names("readers"),
        key=lambda name: (name == _LAST, is_built_in("readers", name), name),
    )


def _reader_for(path: str, wanted: str | None) -> Reader:
    if wanted is not None:
        reader: Reader = load("readers", wanted)()
        return reader
    for name in _in_order():
        reader = load("readers", name)()
        if reader.accepts(path):
            return reader
    raise unreadable(path, ())


def open(  # noqa: A001 - the field's word for it
    path: str | os.PathLike[str],
    *,
    scan_shape: tuple[int, ...] | None = None,
    drop_flyback: bool = False,
    reader: str | None = None,
    dataset: str | None = None,
) -> Scan:
    """Open a scan without loading its data.

    Parameters
    ----------
    path : str or path
        A file, a folder that is a zarr store, or an address such as ``demo:glass?seed=1``.
    scan_shape : tuple of int, optional
        (rows, columns) where the file does not say or says it wrongly; as recorded, flyback column included.
    drop_flyback : bool
        Leave out the last column, recorded while the beam flew back; the step is kept in the scan's history.
    reader : str, optional
        Name of a registered reader; None finds the one that wants the file.
    dataset : str, optional
        Which data of a file that holds several; None takes the largest scan.

    Returns
    -------
    Scan
        With lazy data; ``source.scan_shape_from`` tells how the scan shape became known and ``source.notes``
        what reading assumed or left out.

    Raises
    ------
    ReadError
        When the file cannot be read: names the file, the formats tried and what to do.
    ScanShapeError
        When `scan_shape` does not fit the file; lists the shapes that do.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "stack.npy"
    >>> np.save(file, np.zeros((6, 8, 8), np.uint16))
    >>> open(file, scan_shape=(2, 3)).scan_shape
    (2, 3)
    """
    address = os.fspath(path)
    if not isinstance(address, str) or not address:
        raise InputError("path", expected="text or a path", got=repr(path), hint="give the path of a file")
    shape = None if scan_shape is None else checked(scan_shape)
    refuse_unfinished(address)
    chosen = _reader_for(address, reader)
    try:
        scan = chosen.read(address, ReadOptions(scan_shape=shape, dataset=dataset))
    except UnmixelError:
        raise
    except Exception as error:
        raise unreadable(address, (chosen.name,), error) from error
    if shape is not None:
        scan = fold(scan, shape, drop_flyback=drop_flyback)
    return without_flyback(scan) if drop_flyback else scan
