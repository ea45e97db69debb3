"""NeXus groups in HDF5: plotted data with axes, notes, collections."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from unmixel.dataset.axes import Axis

_COMPRESS_FROM = 4096
"""Bytes from which an array is stored compressed."""


def make(parent: Any, name: str, nx_class: str, **attributes: Any) -> Any:
    """Return a new group of a NeXus class."""
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    for key, value in attributes.items():
        group.attrs[key] = value
    return group


def put(group: Any, name: str, values: Any, **attributes: Any) -> Any:
    """Return a new dataset, compressed (without loss) where that pays; attributes of None are left out."""
    array = np.asarray(values)
    options: dict[str, Any] = {}
    if array.nbytes >= _COMPRESS_FROM and array.ndim > 0:
        options = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
        options["chunks"] = (1, *array.shape[1:]) if array.ndim > 1 else True
    dataset = group.create_dataset(name, data=array, track_times=False, **options)
    for key, value in attributes.items():
        if value is not None:
            dataset.attrs[key] = value
    return dataset


def text(group: Any, name: str, value: str) -> None:
    """Store text (UTF-8)."""
    group.create_dataset(name, data=value, track_times=False)


def note(parent: Any, name: str, media_type: str, value: str) -> None:
    """Store a document as NXnote."""
    group = make(parent, name, "NXnote")
    text(group, "type", media_type)
    text(group, "data", value)


def read_note(parent: Any, name: str) -> str:
    """Return the document of an NXnote."""
    return str(parent[name]["data"].asstr()[()])


def plot(
    parent: Any,
    name: str,
    values: Any,
    axes: tuple[Axis, ...],
    *,
    leading: tuple[str, ...] = (),
    unit: str,
    title: str,
) -> Any:
    """Return a new NXdata group that plots `values` over its axes.

    Parameters
    ----------
    parent : h5py.Group
    name : str
        Name of the group and of its signal.
    values : ndarray, shape (*leading sizes, *axis sizes)
    axes : tuple of Axis
        Of the last dimensions.
    leading : tuple of str
        Names of the dimensions before them, which only count.
    unit : str
        Of the values.
    title : str
    """
    array = np.asarray(values)
    names = [*leading, *(dataset_name(axis, index) for index, axis in enumerate(axes))]
    group = make(parent, name, "NXdata", signal=name, title=title)
    if names:
        group.attrs["axes"] = np.array(names, dtype=object)
    rank = min(2, len(axes)) or 1
    kind = None if array.ndim < rank or not names else ("spectrum", "image")[rank - 1]
    put(group, name, array, units=unit, long_name=title, interpretation=kind)
    for dimension, word in enumerate(leading):
        put(group, word, np.arange(array.shape[dimension]), long_name=word)
    for axis, word in zip(axes, names[len(leading) :], strict=True):
        put_axis(group, word, axis)
    return group


def dataset_name(axis: Axis, index: int) -> str:
    """Return a name for the dataset of an axis: letters, digits and underscores of its own name.

    Examples
    --------
    >>> dataset_name(Axis("time / s", 3), 0), dataset_name(Axis("", 3), 2)
    ('time___s', 'axis_2')
    """
    safe = "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in axis.name)
    return safe or f"axis_{index}"


def put_axis(group: Any, name: str, axis: Axis) -> None:
    """Store the values of an axis, and its exact definition as attributes."""
    put(
        group,
        name,
        axis.values,
        units=axis.unit,
        long_name=f"{axis.name} ({axis.unit})",
        axis_name=axis.name,
        scale=float(axis.scale),
        offset=float(axis.offset),
    )


def read_axes(group: Any, skip: int = 0) -> tuple[Axis, ...]:
    """Return the axes of an NXdata group, without the first `skip` that only count."""
    names = [str(name) for name in group.attrs.get("axes", ())][skip:]
    return tuple(read_axis(group[name]) for name in names)


def read_axis(dataset: Any) -> Axis:
    """Return the axis that a dataset defines."""
    attributes = dataset.attrs
    return Axis(
        str(attributes["axis_name"]),
        int(dataset.shape[0]),
        scale=float(attributes["scale"]),
        offset=float(attributes["offset"]),
        unit=str(attributes["units"]),
    )


def signal(group: Any) -> Any:
    """Return the plotted array of an NXdata group."""
    return group[str(group.attrs["signal"])][()]


def to_json(values: Any) -> str:
    """Return JSON text; numbers that JSON lacks become null, numpy's become plain ones.

    Examples
    --------
    >>> to_json({"a": float("nan"), "b": np.float64(1.5)})
    '{"a": null, "b": 1.5}'
    """
    return json.dumps(jsonable(values), ensure_ascii=False, allow_nan=False)


def jsonable(value: Any) -> Any:
    """Return `value` made of what JSON knows: mappings, lists, text, finite numbers, true, false, null."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
