"""Particles in a result bundle: the table by columns, statistics as attributes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.results import Factors, Particle, Particles
from unmixel.io.nexus import make, note, plot, put, read_note, signal, to_json

_COLUMNS = {
    "id": np.int64, "group": np.int64, "component": np.int64, "y": np.float64, "x": np.float64,
    "area": np.float64, "diameter": np.float64, "on_border": np.bool_, "fit_diameter": np.float64,
    "aspect_ratio": np.float64,
}  # fmt: skip
_STATISTICS = ("number_density", "area_fraction", "volume_fraction", "mean_diameter", "median_diameter")
_INTERVALS = ("mean_interval", "median_interval")


def write_particles(entry: Any, particles: Particles, factors: Factors) -> None:
    """Write particles to a new collection; they have the scan axes of the factors."""
    group = make(entry, "particles", "NXcollection", unit=particles.unit)
    for name in _STATISTICS:
        group.attrs[name] = float(getattr(particles, name))
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
    for name, kind in _COLUMNS.items():
        values: NDArray[Any] = np.array([getattr(particle, name) for particle in particles.table], dtype=kind)
        put(table, name, values, units=units.get(name))
    title = "particles by their id, 0 elsewhere"
    plot(group, "labels", particles.labels, factors.scan_axes, leading=("group",), unit="id", title=title)


def read_particles(group: Any) -> Particles:
    """Return the particles that `write_particles` wrote."""
    columns: list[list[Any]] = [group["table"][name][()].tolist() for name in _COLUMNS]
    rows = [Particle(**dict(zip(_COLUMNS, row, strict=True))) for row in zip(*columns, strict=True)]
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
    )
