"""What a run found as NeXus processes, each with data that viewers plot by default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from unmixel.dataset.axes import Axis
from unmixel.dataset.orientations import Grains, Orientations
from unmixel.dataset.phases import Phases
from unmixel.dataset.result import Result
from unmixel.dataset.results import Array, Factors, Groups, Particles, Residual
from unmixel.io.nexus import dataset_name, make, put, text, to_json
from unmixel.io.tables import Table, components_table, groups_table, particles_table, phases_table


def write_processes(roi: Any, result: Result) -> None:
    """Write a process for each stage of the run that there is, in order; the factorisation is the default."""
    version = str(dict(result.record.get("versions") or {}).get("unmixel", ""))
    order = iter(range(1, 99))

    def process(name: str, default: str = "") -> Any:
        group = make(roi, name, "NXprocess", **({"default": default} if default else {}))
        text(group, "program", "unmixel")
        if version:
            text(group, "version", version)
        put(group, "sequence_index", next(order))
        return group

    if result.extras:
        _write_images(process, result)
    _write_factors(process("factorisation", "maps"), result)
    if result.groups is not None:
        _write_groups(process("grouping", "maps"), result, result.groups)
    if result.phases is not None:
        _write_phases(process("phases"), result.phases)
    if result.particles is not None:
        _write_particles(process("particles", "labels"), result.particles, result.factors.scan_axes)
    if result.orientations is not None:
        _write_orientations(process("orientations", "phase"), result.orientations, result.grains)


def plot(group: Any, name: str, values: Any, axes: Sequence[Axis], *, title: str, unit: str = "") -> Any:
    """Return a new NXdata group that plots `values` over its axes, after the third convention of NeXus.

    Parameters
    ----------
    group : h5py.Group
    name : str
        Name of the new group and of its signal.
    values : ndarray, shape (*axis sizes)
        Truth values are written as 0 and 1.
    axes : sequence of Axis
        One for each dimension.
    title, unit : str
        Unit of the values; ``px`` on axes says that they are not calibrated.
    """
    array = np.asarray(values)
    array = array.astype(np.uint8) if array.dtype == np.bool_ else array
    data = make(group, name, "NXdata", signal=name)
    names = [dataset_name(axis, index) for index, axis in enumerate(axes)]
    if names:
        data.attrs["axes"] = np.array(names, dtype=object)
    text(data, "title", title)
    put(data, name, array, long_name=f"{title} ({unit})" if unit else title, units=unit or None)
    for index, (axis, word) in enumerate(zip(axes, names, strict=True)):
        data.attrs[f"{word}_indices"] = index
        told = f"{axis.name} ({axis.unit})" if axis.unit else axis.name
        ticks = axis.values if axis.unit else np.arange(axis.size)
        put(data, word, ticks, units=axis.unit or None, long_name=told)
    return data


def count(name: str, size: int) -> Axis:
    """Return an axis that only counts.

    Examples
    --------
    >>> count("group", 3).size
    3
    """
    return Axis(name, size, unit="")


def _write_table(group: Any, table: Table) -> None:
    """Write a table column by column; the unit is part of each column's name."""
    header, rows = table
    collection = make(group, "table", "NXcollection")
    for name, column in zip(header, zip(*rows, strict=True) if rows else ([] for _ in header), strict=True):
        plain = all(isinstance(value, (bool, int, float, np.generic)) for value in column)
        values: Any = np.array(column) if plain else np.array([str(v) for v in column], dtype=object)
        put(collection, name, np.asarray(values, float) if not len(column) else values)


def _write_parameters(group: Any, name: str, values: Mapping[str, Any]) -> None:
    """Write settings: numbers and text as they are, what is nested as JSON; what is None is left out."""
    parameters = make(group, name, "NXparameters")
    for key, value in values.items():
        if value is None:
            continue
        number = isinstance(value, (int, float, np.generic)) and not isinstance(value, bool)
        if number and np.isfinite(value):
            put(parameters, key, value)
        else:
            text(parameters, key, value if isinstance(value, str) else to_json(value))


def _write_images(process: Any, result: Result) -> None:
    """Write sums and means of the prepared data that have the shape of the scan or of the patterns."""
    kept = [
        (name, values, axes)
        for name, values in sorted(result.extras.items())
        if (axes := _grid(name, np.asarray(values), result.factors))
    ]
    if not kept:
        return
    scan = result.factors.scan_axes
    group = process("scan", next((name for name, _, axes in kept if axes is scan), kept[0][0]))
    for name, values, axes in kept:
        plot(group, name, values, axes, title=name.replace("_", " "))


def _grid(name: str, values: Array, factors: Factors) -> tuple[Axis, ...]:
    """Return the axes of an image that the run kept, told by its shape, then its name; none where it is a kernel."""
    grids = (factors.scan_axes, factors.pattern_axes)
    fitting = [axes for axes in grids if axes and values.shape == tuple(axis.size for axis in axes)]
    if not fitting or values.dtype.kind not in "biuf":
        return ()
    return fitting[-1 if "pattern" in name else 0]


def _write_factors(group: Any, result: Result) -> None:
    factors = result.factors
    each = count("component", factors.n_components)
    errors = factors.uncertainty
    maps = plot(
        group, "maps", factors.maps, (each, *factors.scan_axes), title="Maps of the components", unit="counts"
    )
    patterns = plot(
        group,
        "patterns",
        factors.patterns,
        (each, *factors.pattern_axes),
        title="Patterns of the components, of sum 1 over used pixels",
    )
    if errors is not None:
        put(maps, "maps_errors", errors.maps)
        put(patterns, "patterns_errors", errors.patterns)
    plot(
        group,
        "used",
        factors.used_pixels,
        factors.pattern_axes,
        title="Pixels of the detector that were fitted (1)",
    )
    plot(group, "strengths", factors.strengths, (each,), title="Share of all fitted counts")
    objective = np.asarray(factors.convergence.objective, np.float64)
    if objective.size:
        plot(
            group,
            "convergence",
            objective,
            (count("sweep", objective.size),),
            title="Objective after each sweep",
        )
    if factors.residual is not None:
        _write_residual(group, factors, factors.residual)
    _write_table(group, components_table(result))
    _write_parameters(group, "configuration", factors.settings)
    end = factors.convergence
    found = {"fill": factors.fill, "n_sweeps": end.n_sweeps, "converged": end.converged, "reason": end.reason}
    remarks = {"flags": [list(flags) for flags in factors.flags], "relative_error": end.relative_error}
    _write_parameters(group, "outcome", {**found, **remarks})


def _write_residual(group: Any, factors: Factors, residual: Residual) -> None:
    what = "Chi-square against Poisson"
    plot(group, "chi2_map", residual.chi2_map, factors.scan_axes, title=f"{what}, per position")
    plot(group, "chi2_pattern", residual.chi2_pattern, factors.pattern_axes, title=f"{what}, per pixel")


def _write_groups(group: Any, result: Result, groups: Groups) -> None:
    each = count("group", groups.n_groups)
    members = count("component", len(groups.labels))
    plot(group, "maps", groups.maps, (each, *groups.scan_axes), title="Maps of the groups", unit="counts")
    plot(
        group,
        "patterns",
        groups.patterns,
        (each, *groups.pattern_axes),
        title="Patterns of the groups, members aligned and summed by weight",
    )
    plot(group, "labels", groups.labels, (members,), title="Group of each component")
    plot(
        group,
        "rotation",
        groups.rotation_deg,
        (members,),
        title="Rotation of each component against the strongest of its group, counter-clockwise as displayed",
        unit="deg",
    )
    _write_table(group, groups_table(result))
    told = {"cut": groups.cut, "cut_reason": groups.cut_reason, "method": groups.method}
    _write_parameters(group, "configuration", told)


def _write_phases(group: Any, phases: Phases) -> None:
    _write_table(group, phases_table(phases))
    told = {"candidates": list(phases.candidates), "notes": list(phases.notes)}
    _write_parameters(group, "configuration", told)


def _write_particles(group: Any, particles: Particles, axes: tuple[Axis, ...]) -> None:
    each = count("group", len(particles.labels))
    plot(group, "labels", particles.labels, (each, *axes), title="Particles by their id, 0 elsewhere")
    _write_table(group, particles_table(particles))
    lower, upper = particles.mean_interval
    unit = particles.unit
    statistics = {
        "mean_diameter": (particles.mean_diameter, unit),
        "mean_diameter_lower": (lower, unit),
        "mean_diameter_upper": (upper, unit),
        "median_diameter": (particles.median_diameter, unit),
        "number_density": (particles.number_density, f"1/{unit}^2"),
        "area_fraction": (particles.area_fraction, None),
        "volume_fraction": (particles.volume_fraction, None),
    }
    found = make(group, "statistics", "NXparameters")
    for name, (value, of) in statistics.items():
        if np.isfinite(value):
            put(found, name, value, units=of)
    _write_parameters(group, "configuration", {"assumed": list(particles.notes)})


def _write_orientations(group: Any, found: Orientations, grains: Grains | None) -> None:
    plot(group, "phase", found.phase, found.axes, title="Number of the phase, -1 for none")
    plot(group, "confidence", found.confidence, found.axes, title="Share of the crystalline signal")
    row, column = count("row", 3), count("column", 3)
    plot(
        group,
        "matrices",
        found.matrices,
        (*found.axes, row, column),
        title="Matrices that take a direction in the crystal's frame to the sample's",
    )
    if grains is not None:
        plot(group, "grains", grains.labels, found.axes, title="Grains by their number, 0 for none")
    _write_table(group, _cells(found))


def _cells(found: Orientations) -> Table:
    header = ["phase", "name", "a_angstrom", "b_angstrom", "c_angstrom"]
    header += ["alpha_deg", "beta_deg", "gamma_deg", "space_group", "point_group"]
    rows: Iterable[list[Any]] = (
        [number, cell.name, *cell.lengths, *cell.angles_deg, cell.space_group, cell.point_group]
        for number, cell in enumerate(found.phases)
    )
    return header, list(rows)
