"""What is sent to workers: tasks with their small arrays, and where the data lie, never the data themselves."""

from __future__ import annotations

import io
import pickle  # nosec B403
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version as installed
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.engines.lazy import mapping_of

MOST_SENT = 16_000_000
"""Bytes of one array in memory that may travel with the description of where the data lie."""

_HERE: ContextVar[Any] = ContextVar("unmixel_engine_here")


@contextmanager
def computing_with(engine: Any) -> Iterator[None]:
    """While this is entered, what arrives is put where `engine` computes."""
    token = _HERE.set(engine)
    try:
        yield
    finally:
        _HERE.reset(token)


def engine_here() -> Any:
    """Return the engine of the process that something has arrived in."""
    return _HERE.get()


def _arrived(values: NDArray[Any]) -> Any:
    return _HERE.get().asarray(values)


def _mapped(path: str, offset: int, dtype: Any, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    """Return a view of a mapped file."""
    whole = np.memmap(path, np.uint8, "r")
    return np.ndarray(shape, dtype, buffer=whole, offset=offset, strides=strides)


def _place(view: NDArray[Any]) -> tuple[Any, ...] | None:
    """Return where the values of a memory map, or of a view of one, lie in its file; None where it has none."""
    owner: Any = view
    while isinstance(owner, np.ndarray) and not (
        isinstance(owner, np.memmap) and not isinstance(owner.base, np.memmap)
    ):
        owner = owner.base
    path = getattr(owner, "filename", None)
    if path is None:
        return None
    address = view.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
    return str(path), owner.offset + address, view.dtype, view.shape, view.strides


def packed(given: Any, *, most: int | None = None) -> bytes:
    """Return something as bytes that can be opened in another process.

    Memory maps travel as the place in their file, arrays of torch as their values, engines as whatever computes
    there.

    Parameters
    ----------
    given : object
    most : int, optional
        Bytes that an array in memory may have.

    Raises
    ------
    InputError
        When an array in memory is larger, or something cannot be sent at all.

    Examples
    --------
    >>> opened(packed({"rows": np.ones(3)}), engine=None)["rows"].tolist()
    [1.0, 1.0, 1.0]
    """
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc,name-defined,unused-ignore]
        def reducer_override(self, thing: Any) -> Any:
            if isinstance(thing, np.ndarray):
                place = _place(thing) if mapping_of(thing) is not None else None
                if place is not None:
                    return _mapped, place
                if most is not None and thing.nbytes > most:
                    raise _too_large(thing)
            elif type(thing).__module__ == "torch" and type(thing).__name__ == "Tensor":
                return _arrived, (thing.detach().cpu().numpy(),)
            return super().reducer_override(thing)

    stream = io.BytesIO()
    try:
        Pickler(stream, protocol=5).dump(given)
    except InputError:
        raise
    except (TypeError, pickle.PicklingError, ValueError) as error:
        raise InputError(
            "data for workers",
            expected="data that another process can open by itself (zarr, HDF5, .npy, .mib and other files)",
            got=f"something that only this process can read ({error})",
            hint="convert the scan to zarr first (unmixel convert), or use engine='numpy'",
        ) from error
    return stream.getvalue()


def _too_large(array: NDArray[Any]) -> InputError:
    return InputError(
        "data for workers",
        expected=f"data in a file that every worker can read, or less than {MOST_SENT / 1e6:g} MB in memory",
        got=f"an array of {array.nbytes / 1e6:.0f} MB in the memory of this process",
        hint="open the file lazily (unmixel.open), or let DaskEngine(spill=folder) write it where all workers see it",
    )


def opened(data: bytes, engine: Any) -> Any:
    """Return what was `packed`, its arrays where an engine computes."""
    with computing_with(engine):
        # what the user's own client packed: dask's connections carry code anyhow
        return pickle.loads(data)  # nosec B301


@cache
def _version() -> str:
    return installed("unmixel")


@dataclass(eq=False)
class Parcel:
    """Something packed that every worker opens once and then keeps, as long as it keeps the parcel.

    Parameters
    ----------
    data : bytes
    version : str
        Of the unmixel that packed it.
    """

    data: bytes
    version: str = field(default_factory=_version)
    _opened: Any = field(default=None, repr=False)
    _lock: Any = field(default_factory=threading.Lock, repr=False)

    def __reduce__(self) -> tuple[Callable[..., Parcel], tuple[bytes, str]]:
        return Parcel, (self.data, self.version)

    def __sizeof__(self) -> int:
        return len(self.data) + 64

    def open(self, engine: Any) -> Any:
        """Return what is in it.

        Raises
        ------
        InputError
            When it was packed by another version of unmixel.
        """
        if self.version != _version():
            raise InputError(
                "workers",
                expected=f"unmixel {self.version} on every worker",
                got=f"unmixel {_version()}",
                hint="install the same version where workers run",
            )
        with self._lock:
            if self._opened is None:
                self._opened = opened(self.data, engine)
        return self._opened
