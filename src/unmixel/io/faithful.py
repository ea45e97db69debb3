"""Metadata as JSON that brings every value back equal: bytes, numpy values, NaN, dates, tuples, any keys."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

MARK = "~"
"""How the only key of an object begins that stands for something JSON has no word for."""

_LARGE = 1024
"""Bytes from which an array of numbers stands beside the JSON instead of in it."""


@dataclass
class Faithful:
    """Turns values into JSON and back; arrays of numbers that are large go beside it.

    What JSON knows stays as it is: text, true, false, null, whole numbers, finite numbers, lists, and mappings with
    texts as keys. Anything else becomes an object with a single key:

    ================  =====================================================================================
    ``~float``        ``"nan"``, ``"inf"`` or ``"-inf"``
    ``~complex``      ``[real, imaginary]``
    ``~bytes``        base64 (``~bytearray`` alike)
    ``~tuple``        list (``~set``, ``~frozenset`` alike, sorted by their JSON)
    ``~dict``         list of ``[key, value]``, where a key is no text or begins with ``~``
    ``~datetime``     ISO 8601 (``~date``, ``~time`` alike); ``~timedelta``: ``[days, seconds, microseconds]``
    ``~scalar``       ``[dtype, value]`` of a numpy number or text
    ``~npy``          base64 of numpy's own file format (``~npy0`` for a numpy value that has no axis)
    ``~objects``      ``[shape, list of values]`` of an array of Python objects
    ``~array``        ``[number of the array beside the JSON, dtype]``
    ``~text``         ``[type, text]`` of anything else, which comes back as its text
    ================  =====================================================================================

    Parameters
    ----------
    arrays : list of ndarray
        What stands beside the JSON: filled by `encode`, used by `decode`.
    lost : list of str
        Types that are kept as text only; filled by `encode`.

    Examples
    --------
    >>> keep = Faithful()
    >>> keep.encode({"gain": (1, b"x", float("nan"))})
    {'gain': {'~tuple': [1, {'~bytes': 'eA=='}, {'~float': 'nan'}]}}
    >>> keep.decode({"gain": {"~tuple": [1, {"~bytes": "eA=="}]}})
    {'gain': (1, b'x')}
    """

    arrays: list[NDArray[Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def encode(self, value: Any) -> Any:
        """Return `value` made of what JSON knows."""
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, np.generic):
            return _scalar(value)
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {f"{MARK}float": str(float(value))}
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, list):
            return [self.encode(item) for item in value]
        if all(hasattr(value, part) for part in ("__array__", "dtype", "shape")):
            return self._array(np.asarray(value))  # some readers leave metadata unread
        return self._other(value)

    def decode(self, value: Any) -> Any:
        """Return the value that `encode` was given."""
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            ((key, inside),) = value.items()
            if key.startswith(MARK):
                return self._decoded(key[len(MARK) :], inside)
        return {key: self.decode(item) for key, item in value.items()}

    def _mapping(self, value: Mapping[Any, Any]) -> Any:
        # str itself: numpy's texts are texts to Python, too
        if all(type(key) is str and not key.startswith(MARK) for key in value):
            return {key: self.encode(item) for key, item in value.items()}
        return {f"{MARK}dict": [[self.encode(key), self.encode(item)] for key, item in value.items()]}

    def _array(self, value: NDArray[Any]) -> Any:
        if value.dtype.hasobject:
            return {f"{MARK}objects": [list(value.shape), [self.encode(item) for item in value.ravel()]]}
        # what every store keeps to the bit; all else goes by numpy's own format
        if value.dtype.kind in "iuf" and value.nbytes > _LARGE and value.dtype.itemsize <= 8:
            self.arrays.append(np.ascontiguousarray(value, value.dtype.newbyteorder("=")))
            return {f"{MARK}array": [len(self.arrays) - 1, value.dtype.str]}
        return {f"{MARK}npy": _npy(value)}

    def _other(self, value: Any) -> Any:
        for kind, name in ((tuple, "tuple"), (set, "set"), (frozenset, "frozenset")):
            if isinstance(value, kind):
                items = [self.encode(item) for item in value]
                return {f"{MARK}{name}": items if kind is tuple else sorted(items, key=json.dumps)}
        if isinstance(value, (bytes, bytearray)):
            name = "bytes" if isinstance(value, bytes) else "bytearray"
            return {f"{MARK}{name}": base64.b64encode(value).decode()}
        if isinstance(value, complex):
            return {f"{MARK}complex": [self.encode(value.real), self.encode(value.imag)]}
        if isinstance(value, timedelta):
            return {f"{MARK}timedelta": [value.days, value.seconds, value.microseconds]}
        for moment, name in ((datetime, "datetime"), (date, "date"), (time, "time")):
            if isinstance(value, moment):
                return {f"{MARK}{name}": value.isoformat()}
        kind_name = type(value).__name__
        self.lost.append(kind_name)
        return {f"{MARK}text": [kind_name, str(value)]}

    def _decoded(self, mark: str, inside: Any) -> Any:
        if mark == "array":
            number, dtype = inside
            return np.asarray(self.arrays[int(number)]).astype(np.dtype(dtype))
        if mark == "objects":
            shape, items = inside
            found = np.empty(len(items), dtype=object)
            found[:] = [self.decode(item) for item in items]
            return found.reshape(shape)
        if mark == "dict":
            return {self.decode(key): self.decode(item) for key, item in inside}
        if mark in _COLLECTIONS:
            return _COLLECTIONS[mark](self.decode(inside))
        if mark == "complex":
            return complex(*(self.decode(part) for part in inside))
        return _PLAIN[mark](inside)


def same(first: Any, second: Any) -> bool:
    """Return whether two values are equal in everything: types, order of keys apart, bits of arrays, NaN as NaN.

    Examples
    --------
    >>> same({"a": float("nan"), "b": 1}, {"b": 1, "a": float("nan")}), same(1, 1.0)
    (True, False)
    """
    left, right = Faithful(), Faithful()
    texts = [
        json.dumps(keeper.encode(value), sort_keys=True) for keeper, value in ((left, first), (right, second))
    ]
    return texts[0] == texts[1] and all(
        a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(left.arrays, right.arrays, strict=True)
    )


def _npy(value: NDArray[Any]) -> str:
    if value.dtype.metadata:  # of HDF5's own; the values do not need it
        value = value.astype(np.dtype(value.dtype.str))
    stream = io.BytesIO()
    np.lib.format.write_array(stream, value, allow_pickle=False)
    return base64.b64encode(stream.getvalue()).decode()


def _from_npy(text: str) -> NDArray[Any]:
    found: NDArray[Any] = np.lib.format.read_array(io.BytesIO(base64.b64decode(text)), allow_pickle=False)
    return found


def _scalar(value: np.generic) -> Any:
    legible = isinstance(value, (np.bool_, np.integer, np.str_)) or (
        isinstance(value, np.floating) and value.dtype.itemsize <= 8 and bool(np.isfinite(value))
    )
    if not legible:  # NaN may carry bits, a date has a unit
        return {f"{MARK}npy0": _npy(np.asarray(value))}
    return {f"{MARK}scalar": [value.dtype.str, value.item()]}


def _from_scalar(inside: Sequence[Any]) -> Any:
    dtype, value = inside
    return np.asarray(value, np.dtype(dtype))[()]


_COLLECTIONS: dict[str, Callable[[Any], Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}
_PLAIN: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "bytes": base64.b64decode,
    "bytearray": lambda text: bytearray(base64.b64decode(text)),
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda parts: timedelta(*parts),
    "scalar": _from_scalar,
    "npy": _from_npy,
    "npy0": lambda text: _from_npy(text)[()],
    "text": lambda parts: parts[1],
}
