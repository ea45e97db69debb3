"""EMD 1.0 (Berkeley), the HDF5 layout of emdfile and py4DSTEM: arrays with calibrated axes, particles as points.

The layout is written with h5py as emdfile 0.0.16 writes it, so that no further package is needed, files are the same
every time, and nothing says who wrote them. https://emdatasets.com/format
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import MissingExtraError
from unmixel.io.nexus import put, to_json

if TYPE_CHECKING:
    from unmixel.dataset.axes import Axis
    from unmixel.dataset.result import Result
    from unmixel.dataset.results import Particles
    from unmixel.io.exporters.contract import Parcel

_SPELLED = {"1/angstrom": "A^-1", "px": "pixels"}
"""Canonical unit -> unit as py4DSTEM writes it."""

_COLUMNS = (
    "id",
    "group",
    "component",
    "y",
    "x",
    "area",
    "diameter",
    "fit_diameter",
    "aspect_ratio",
    "on_border",
)


class EmdExporter:
    """Maps and patterns as stacks of arrays whose slices have names, particles as a `PointList`, metadata.

    ``emdfile.read("mgo.emd")`` gives the tree: ``tree("maps")["component 0"]`` is an array with its axes.
    """

    name: ClassVar[str] = "emd"
    suffix: ClassVar[str] = ".emd"

    def write(self, parcel: Parcel, target: Path) -> None:
        """Write the file."""
        import h5py

        result = parcel.result
        with h5py.File(target, "w") as file:
            told = {
                "emd_group_type": "file",
                "version_major": 1,
                "version_minor": 0,
                "UUID": _identity(result),
            }
            file.attrs.update({**told, "authoring_program": _program(result), "authoring_user": ""})
            root = _node(file, parcel.name.replace("/", "-"), "root", "Root", _metadata(result))
            _factors(root, result)
            if result.particles is not None:
                _points(root, "particles", result.particles)

    def check(self, target: Path) -> tuple[str, ...]:
        """Return what keeps emdfile from reading the file."""
        try:
            import emdfile
        except ImportError as error:
            raise MissingExtraError("emdfile", extra="emd", purpose="Checking an .emd file") from error
        try:
            tree = emdfile.read(target)
        except Exception as error:  # noqa: BLE001 - emdfile raises whatever it comes to
            return (f"emdfile cannot read it: {error}",)
        missing = [name for name in ("maps", "patterns") if name not in tree._branch.keys()]  # noqa: SIM118
        return tuple(f"emdfile finds no {name}" for name in missing)


def _identity(result: Result) -> str:
    """Return a UUID that stands for the numbers of a result."""
    digest = hashlib.sha256()
    for values in (result.maps, result.patterns):
        digest.update(np.ascontiguousarray(values).tobytes())
    return str(uuid.UUID(bytes=digest.digest()[:16], version=4))


def _program(result: Result) -> str:
    """Return the program that found a result, with its version where the record has it."""
    version = result.record.get("versions", {}).get("unmixel", "")
    return f"unmixel {version}".strip()


def _factors(root: Any, result: Result) -> None:
    factors, groups, particles = result.factors, result.groups, result.particles
    _stack(root, "maps", factors.maps, factors.scan_axes, unit="counts", noun="component")
    _stack(root, "patterns", factors.patterns, factors.pattern_axes, unit="share", noun="component")
    if groups is not None:
        _stack(root, "group_maps", groups.maps, groups.scan_axes, unit="counts", noun="group")
        _stack(root, "group_patterns", groups.patterns, groups.pattern_axes, unit="share", noun="group")
    if particles is not None:
        _stack(root, "particle_labels", particles.labels, factors.scan_axes, unit="id", noun="group")


def _node(parent: Any, name: str, kind: str, python_class: str, metadata: Mapping[str, Any]) -> Any:
    """Return a new node with its metadata."""
    group = parent.create_group(name)
    group.attrs.update({"emd_group_type": kind, "python_class": python_class})
    if metadata:
        bundle = group.create_group("metadatabundle")
        bundle.attrs["emd_group_type"] = "metadatabundle"
        for key, values in metadata.items():
            one = bundle.create_group(key)
            one.attrs.update({"emd_group_type": "metadata", "python_class": "Metadata"})
            for word, value in values.items():
                _item(one, word, value)
    return group


def _item(group: Any, key: str, value: Any) -> None:
    """Store one value as emdfile's `Metadata` has it."""
    if isinstance(value, Mapping):
        below = group.create_group(key)
        below.attrs["type"] = "dict"
        for word, item in value.items():
            _item(below, str(word), item)
        return
    kind = {str: "string", bool: "bool", np.ndarray: "array"}.get(type(value), "number")
    dataset = group.create_dataset(
        key, data=value.encode() if isinstance(value, str) else value, track_times=False
    )
    dataset.attrs["type"] = np.bytes_(kind)


def _metadata(result: Result) -> dict[str, dict[str, Any]]:
    """Return what is said of the whole result: numbers of components, and how it was made, as JSON."""
    factors, groups, particles = result.factors, result.groups, result.particles
    found: dict[str, dict[str, Any]] = {
        "components": {
            "strengths": np.asarray(factors.strengths, np.float64),
            "flags": to_json([list(flags) for flags in factors.flags]),
            "used_pixels": np.asarray(factors.used_pixels),
        },
        "provenance": {"recipe": to_json(result.recipe), "record": to_json(result.record)},
    }
    if groups is not None:
        found["groups"] = {
            "labels": np.asarray(groups.labels),
            "rotation_deg": np.asarray(groups.rotation_deg),
            "crystalline": np.asarray(groups.crystalline),
            "method": groups.method,
        }
    if particles is not None:
        found["particles"] = {
            "unit": particles.unit,
            "notes": to_json(list(particles.notes)),
            "mean_diameter": float(particles.mean_diameter),
            "mean_interval": np.asarray(particles.mean_interval),
            "median_diameter": float(particles.median_diameter),
            "median_interval": np.asarray(particles.median_interval),
            "number_density": float(particles.number_density),
            "area_fraction": float(particles.area_fraction),
        }
    return found


def _stack(
    parent: Any, name: str, values: NDArray[Any], axes: tuple[Axis, ...], *, unit: str, noun: str
) -> None:
    """Store an `Array` whose first dimension is a stack of slices with names."""
    group = _node(parent, name, "array", "Array", {})
    put(group, "data", values, units=unit)
    for number, axis in enumerate(axes):
        dim = put(group, f"dim{number}", axis.values, units=_SPELLED.get(axis.unit, axis.unit))
        dim.attrs["name"] = axis.name
    labels = np.array([f"{noun} {number}".encode() for number in range(len(values))], dtype="S24")
    put(group, f"dim{len(axes)}", labels).attrs["name"] = "_labels_"


def _points(parent: Any, name: str, particles: Particles) -> None:
    """Store particles as a `PointList`."""
    group = _node(parent, name, "pointlist", "PointList", {})
    for column in _COLUMNS:
        values = np.array([getattr(particle, column) for particle in particles.table])
        if not len(values):
            values = values.astype(np.float64)
        put(group, column, values, dtype=np.bytes_(values.dtype.str))
