"""The words of HyperSpy's files: axes, metadata, and how trees of them lie in HDF5 and in zarr."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from unmixel.io.described import Description
from unmixel.io.faithful import Faithful
from unmixel.io.messages import heard

LONGEST = 60_000
"""Bytes of a text in an attribute; HDF5 takes no more."""


def axes(description: Description) -> list[dict[str, Any]]:
    """Return one mapping for each axis, in the order of the data."""
    n_scan = int(description.said["n_scan_axes"])
    return [axis_words(axis, navigate=index < n_scan) for index, axis in enumerate(description.said["axes"])]


def axis_words(axis: Mapping[str, Any], *, navigate: bool) -> dict[str, Any]:
    """Return one axis, given by the fields of `unmixel.dataset.axes.Axis`."""
    return {
        "_type": "UniformDataAxis",
        "name": axis["name"],
        "units": "" if axis["unit"] == "px" else axis["unit"],
        "size": axis["size"],
        "scale": axis["scale"],
        "offset": axis["offset"],
        "navigate": navigate,
        "is_binned": False,
    }


def metadata(description: Description) -> dict[str, dict[str, Any]]:
    """Return ``metadata`` and ``original_metadata`` in types that HyperSpy's files know.

    What comes from RosettaSciIO goes where it was; from other readers, HyperSpy gets title and instrument, and the rest
    is original metadata. Values of other types become the nearest ones (see `plain`); they stand
    unchanged in the description beside them.
    """
    said = description.said
    original = Faithful(list(description.arrays)).decode(said["original_metadata"])
    ours: dict[str, Any] = {}
    if set(original) == {"metadata", "original_metadata"}:
        ours, original = original["metadata"], original["original_metadata"]
    else:
        told = said["instrument"]
        tem = {
            "beam_energy": told["voltage_kV"],
            "camera_length": told["camera_length_mm"],
            "convergence_angle": told["convergence_mrad"],
            "dwell_time": told["dwell_s"],
            "beam_current": None if told["current_pA"] is None else told["current_pA"] / 1e3,
            "microscope": told["microscope"],
        }
        known = {key: value for key, value in tem.items() if value is not None}
        ours = {"Acquisition_instrument": {"TEM": known}} if known else {}
    general = {**(ours.get("General") or {}), "title": said["title"]}
    signal = {"signal_type": "", **(ours.get("Signal") or {})}
    return {
        "metadata": plain({**ours, "General": general, "Signal": signal}),
        "original_metadata": plain(original),
    }


def plain(value: Any) -> Any:
    """Return a value made of mappings, lists, arrays of numbers, texts, numbers, true, false and None.

    Keys become texts without slashes; tuples and sets lists; bytes texts; dates ISO 8601; integers beyond 64 bits
    and texts that are too long for an attribute are named only. Signals within metadata are left out.

    Examples
    --------
    >>> plain({"a/b": (1, b"x"), 3: np.float32(0.5)})
    {'a-b': [1, 'x'], '3': 0.5}
    """
    if isinstance(value, Mapping):
        items = ((str(key).replace("/", "-") or "-", item) for key, item in value.items())
        return {
            f"-{key}" if key in (".", "..") else key: plain(item)
            for key, item in items
            if not key.startswith("_sig_")
        }
    if isinstance(value, np.ndarray):
        numbers = value.dtype.kind in "iuf" and value.dtype.itemsize <= 8 and value.ndim and value.size
        return value if numbers else plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return _leaf(value)


def _leaf(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        try:
            value = bytes(value).decode()
        except UnicodeDecodeError:
            value = "base64:" + base64.b64encode(value).decode()
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return int(value)
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    text = text.replace("\x00", "").encode("utf-8", "replace").decode()  # neither store takes them
    return text if len(text.encode()) <= LONGEST else f"({len(text)} characters: see the description)"


def grow_hdf5(group: Any, tree: Mapping[str, Any], **packing: Any) -> None:
    """Write a tree of values as `plain` leaves them to a group of an HDF5 file, as HyperSpy does.

    Parameters
    ----------
    group : h5py.Group
    tree : mapping
    **packing
        How h5py stores arrays, such as ``compression="gzip"``.
    """
    from rsciio.hspy._api import HyperspyWriter

    with heard():
        HyperspyWriter(group.file, None, group).dict2group(tree, group, **packing)


def grow_zarr(
    group: Any, tree: Mapping[str, Any], put: Callable[[Any, str, np.ndarray[Any, Any]], None]
) -> None:
    """Write the same to a zarr group: mappings are groups, arrays of numbers arrays, all else attributes.

    Parameters
    ----------
    group : zarr.Group
    tree : mapping
    put : callable(group, name, values)
        Stores an array.
    """
    attributes = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            grow_zarr(group.require_group(key), value, put)
        elif isinstance(value, np.ndarray):
            put(group, key, value)
        else:
            attributes[key] = "_None_" if value is None else _listed(value)
    group.attrs.update(attributes)


def _listed(value: Any) -> Any:
    """Return lists with their arrays as lists, which JSON knows."""
    if isinstance(value, list):
        return [_listed(item) for item in value]
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value
