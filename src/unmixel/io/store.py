"""The result bundle: everything a run found in one HDF5/NeXus file, written and read back exactly.

The paths are documented in docs/reference/bundle.md; ``unmixel_schema`` at the root says which version
they follow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError, ReadError
from unmixel.dataset.card import CardRow, DataCard
from unmixel.dataset.result import Result
from unmixel.dataset.results import Convergence, Factors, Groups, Particle, Particles, Residual
from unmixel.io.atomic import replacing
from unmixel.io.nexus import make, note, plot, put, read_axes, read_note, signal, to_json
from unmixel.io.orientations import read_grains, read_orientations, write_orientations
from unmixel.io.phases import read_phases, write_phases
from unmixel.io.positions import read_positions, write_positions
from unmixel.io.trust import read_trust, write_trust

SCHEMA = 1
"""Version of the layout written here; older ones stay readable."""


def write_bundle(path: Path, result: Result, *, arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
    """Write a result to an HDF5/NeXus file, whole or not at all.

    Parameters
    ----------
    path : Path
        File to write, replaced if it exists.
    result : Result
        Groups, particles and card may be missing.
    arrays : mapping of str to ndarray, optional
        Arrays that the recipe holds, by the name under which the written recipe refers to them.

    Examples
    --------
    >>> from pathlib import Path
    >>> write_bundle(Path("result.nxs"), result)  # doctest: +SKIP
    """
    import h5py

    with replacing(path) as draft, h5py.File(draft, "w") as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["default"] = "entry"
        file.attrs["creator"] = "unmixel"
        file.attrs["unmixel_schema"] = SCHEMA
        entry = make(file, "entry", "NXentry", default="maps")
        _write_factors(entry, result.factors)
        if result.groups is not None:
            _write_groups(entry, result.groups)
        if result.particles is not None:
            _write_particles(entry, result.particles, result.factors)
        if result.phases is not None:
            write_phases(entry, result.phases)
        if result.orientations is not None:
            write_orientations(entry, result.orientations, result.grains)
        if result.positions is not None:
            write_positions(entry, result.positions)
        if result.card is not None:
            note(entry, "card", "application/json", to_json(result.card.to_dict()))
        note(entry, "recipe", "application/json", to_json(result.recipe))
        note(entry, "record", "application/json", to_json(result.record))
        _write_arrays(entry, "extras", result.extras)
        _write_arrays(entry, "arrays", arrays or {})


def _write_arrays(entry: Any, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    if arrays:
        collection = make(entry, name, "NXcollection")
        for key, array in arrays.items():
            put(collection, key, array)


def _write_factors(entry: Any, factors: Factors) -> None:
    plot(
        entry,
        "maps",
        factors.maps,
        factors.scan_axes,
        leading=("component",),
        unit="counts",
        title="maps of the components",
    )
    plot(
        entry,
        "patterns",
        factors.patterns,
        factors.pattern_axes,
        leading=("component",),
        unit="share per pixel",
        title="patterns of the components (sum 1 over used pixels)",
    )
    components = make(entry, "components", "NXcollection", fill=factors.fill)
    put(components, "strengths", factors.strengths, units="share of the fitted counts")
    put(components, "used_pixels", factors.used_pixels)
    note(components, "flags", "application/json", to_json([list(flags) for flags in factors.flags]))
    note(components, "settings", "application/json", to_json(factors.settings))
    convergence = factors.convergence
    group = plot(
        entry,
        "convergence",
        np.asarray(convergence.objective, np.float64),
        (),
        leading=("sweep",),
        unit="1",
        title="objective after each sweep",
    )
    group.attrs["relative_error"] = convergence.relative_error
    group.attrs["n_sweeps"] = convergence.n_sweeps
    group.attrs["converged"] = convergence.converged
    group.attrs["reason"] = convergence.reason
    if factors.residual is not None:
        _write_residual(entry, factors.residual, factors)
    write_trust(entry, factors)


def _write_residual(entry: Any, residual: Residual, factors: Factors) -> None:
    group = make(entry, "residual", "NXcollection", chi2=residual.chi2, floor=residual.floor)
    title = "chi-square against Poisson"
    plot(group, "chi2_map", residual.chi2_map, factors.scan_axes, unit="1", title=f"{title}, per position")
    plot(
        group,
        "chi2_pattern",
        residual.chi2_pattern,
        factors.pattern_axes,
        unit="1",
        title=f"{title}, per pixel",
    )


_GROUP_ARRAYS = ("labels", "distance", "rotation_deg", "linkage", "crystalline")
_GROUP_OPTIONAL = (
    "mirrored", "distance_unturned", "used_pixels", "membership", "shifted_maps", "shifts",
)  # fmt: skip


def _write_groups(entry: Any, groups: Groups) -> None:
    group = make(
        entry, "groups", "NXcollection", cut=groups.cut, cut_reason=groups.cut_reason, method=groups.method
    )
    put(group, "center", np.asarray(groups.center, np.float64), units="px")
    for name in _GROUP_ARRAYS:
        put(group, name, getattr(groups, name))
    for name in _GROUP_OPTIONAL:
        if getattr(groups, name) is not None:
            put(group, name, getattr(groups, name))
    plot(
        group,
        "maps",
        groups.maps,
        groups.scan_axes,
        leading=("group",),
        unit="counts",
        title="maps of the groups",
    )
    plot(
        group,
        "patterns",
        groups.patterns,
        groups.pattern_axes,
        leading=("group",),
        unit="share per pixel",
        title="patterns of the groups, members aligned and summed by weight",
    )


_COLUMNS = {
    "id": np.int64, "group": np.int64, "component": np.int64, "y": np.float64, "x": np.float64,
    "area": np.float64, "diameter": np.float64, "on_border": np.bool_,
}  # fmt: skip
_LATER_COLUMNS = {"fit_diameter": np.float64, "aspect_ratio": np.float64}  # older bundles lack them
_STATISTICS = ("number_density", "area_fraction", "mean_diameter", "median_diameter")
_INTERVALS = ("mean_interval", "median_interval")


def _write_particles(entry: Any, particles: Particles, factors: Factors) -> None:
    group = make(entry, "particles", "NXcollection", unit=particles.unit)
    for name in _STATISTICS:
        group.attrs[name] = float(getattr(particles, name))
    if np.isfinite(particles.volume_fraction):
        group.attrs["volume_fraction"] = particles.volume_fraction
    for name in _INTERVALS:
        group.attrs[name] = np.asarray(getattr(particles, name), np.float64)
    note(group, "notes", "application/json", to_json(particles.notes))
    table = make(group, "table", "NXcollection")
    units = {
        "y": particles.unit,
        "x": particles.unit,
        "area": f"{particles.unit}^2",
        "diameter": particles.unit,
        "fit_diameter": particles.unit,
    }
    for name, kind in (_COLUMNS | _LATER_COLUMNS).items():
        values: NDArray[Any] = np.array([getattr(particle, name) for particle in particles.table], dtype=kind)
        put(table, name, values, units=units.get(name))
    title = "particles by their id, 0 elsewhere"
    plot(group, "labels", particles.labels, factors.scan_axes, leading=("group",), unit="id", title=title)


def read_bundle(path: Path) -> Result:
    """Return the result that lies in a bundle, arrays and all other values as they were written.

    Raises
    ------
    ReadError
        When the file is missing, damaged, no bundle, or written by a newer unmixel.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _check_schema(file, path)
            return _read_entry(file["entry"])
    except (OSError, KeyError) as error:
        raise ReadError(
            f"result bundle '{path}'",
            expected="an HDF5/NeXus file that unmixel wrote",
            got=f"{type(error).__name__}: {' '.join(str(error).split())}",
            hint="check the path, or run again",
        ) from error


def _check_schema(file: Any, path: Path) -> None:
    schema = file.attrs.get("unmixel_schema")
    if schema is None or int(schema) > SCHEMA:
        raise ReadError(
            f"result bundle '{path}'",
            expected=f"unmixel_schema up to {SCHEMA} at the root",
            got="none" if schema is None else str(schema),
            hint="give a file that unmixel wrote" if schema is None else "install a newer unmixel",
        )


def _read_entry(entry: Any) -> Result:
    factors = _read_factors(entry)
    card = None
    if "card" in entry:
        raw = json.loads(read_note(entry, "card"))
        card = DataCard(raw["title"], tuple(CardRow(**row) for row in raw["rows"]), raw["values"])
    return Result(
        factors=factors,
        groups=_read_groups(entry["groups"]) if "groups" in entry else None,
        particles=_read_particles(entry["particles"]) if "particles" in entry else None,
        phases=read_phases(entry["phases"]) if "phases" in entry else None,
        orientations=read_orientations(entry["orientations"]) if "orientations" in entry else None,
        grains=read_grains(entry["orientations"]) if "orientations" in entry else None,
        positions=read_positions(entry["positions"]) if "positions" in entry else None,
        card=card,
        recipe=json.loads(read_note(entry, "recipe")),
        record=json.loads(read_note(entry, "record")),
        extras={name: entry["extras"][name][()] for name in entry["extras"]} if "extras" in entry else {},
    )


def _read_factors(entry: Any) -> Factors:
    components, curve = entry["components"], entry["convergence"]
    residual = None
    if "residual" in entry:
        group = entry["residual"]
        residual = Residual(
            chi2_map=signal(group["chi2_map"]),
            chi2_pattern=signal(group["chi2_pattern"]),
            chi2=float(group.attrs["chi2"]),
            floor=float(group.attrs["floor"]),
        )
    return Factors(
        maps=signal(entry["maps"]),
        patterns=signal(entry["patterns"]),
        scan_axes=read_axes(entry["maps"], 1),
        pattern_axes=read_axes(entry["patterns"], 1),
        used_pixels=components["used_pixels"][()],
        fill=str(components.attrs["fill"]),
        strengths=components["strengths"][()],
        convergence=Convergence(
            objective=tuple(float(value) for value in signal(curve)),
            relative_error=float(curve.attrs["relative_error"]),
            n_sweeps=int(curve.attrs["n_sweeps"]),
            converged=bool(curve.attrs["converged"]),
            reason=str(curve.attrs["reason"]),
        ),
        flags=tuple(tuple(flags) for flags in json.loads(read_note(components, "flags"))),
        residual=residual,
        settings=json.loads(read_note(components, "settings")),
        **read_trust(entry),
    )


def _read_groups(group: Any) -> Groups:
    return Groups(
        **{name: group[name][()] for name in _GROUP_ARRAYS},
        **{name: group[name][()] for name in _GROUP_OPTIONAL if name in group},
        cut=float(group.attrs["cut"]),
        cut_reason=str(group.attrs["cut_reason"]),
        method=str(group.attrs["method"]),
        center=tuple(float(value) for value in group["center"][()]),
        maps=signal(group["maps"]),
        patterns=signal(group["patterns"]),
        scan_axes=read_axes(group["maps"], 1),
        pattern_axes=read_axes(group["patterns"], 1),
    )


def _read_particles(group: Any) -> Particles:
    names = [*_COLUMNS, *(name for name in _LATER_COLUMNS if name in group["table"])]
    columns: list[list[Any]] = [group["table"][name][()].tolist() for name in names]
    rows = [Particle(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
    intervals: dict[str, tuple[float, ...]] = {
        name: tuple(float(v) for v in group.attrs[name]) for name in _INTERVALS
    }
    return Particles(
        table=tuple(rows),
        labels=signal(group["labels"]),
        unit=str(group.attrs["unit"]),
        notes=tuple(json.loads(read_note(group, "notes"))),
        **{name: float(group.attrs[name]) for name in _STATISTICS},
        mean_interval=(intervals["mean_interval"][0], intervals["mean_interval"][1]),
        median_interval=(intervals["median_interval"][0], intervals["median_interval"][1]),
        volume_fraction=float(group.attrs.get("volume_fraction", np.nan)),
    )


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays that the recipe of a bundle refers to, by their names; none where it has none."""
    import h5py

    with h5py.File(path, "r") as file:
        arrays = file["entry"].get("arrays", {})
        return {name: arrays[name][()] for name in arrays}


def read_array(path: Path, name: str = "") -> NDArray[Any]:
    """Return one array of a ``.npy``, ``.npz`` or HDF5 file.

    Parameters
    ----------
    path : Path
    name : str
        Key of the npz file or path inside the HDF5 file.

    Raises
    ------
    InputError
        When the file holds no such array.
    """
    if path.suffix == ".npy":
        return np.asarray(np.load(path, allow_pickle=False))
    try:
        if path.suffix == ".npz":
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                return np.asarray(archive[name])
        import h5py

        with h5py.File(path, "r") as file:
            return np.asarray(file[name][()])
    except KeyError as error:
        raise InputError(
            "array", expected=f"an array '{name}' in {path.name}", got="none", hint="check it"
        ) from error
