"""Orientations and grains in a result bundle."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from unmixel.dataset.orientations import Grain, Grains, Orientations, PhaseCell
from unmixel.io.nexus import make, note, plot, put, read_axes, read_note, signal, to_json

_GRAIN_MAPS = ("right", "down", "phase_right", "phase_down")


def write_orientations(entry: Any, orientations: Orientations, grains: Grains | None) -> None:
    """Write how crystals lie, and their grains where there are some, to a new collection."""
    group = make(entry, "orientations", "NXcollection")
    axes = orientations.axes
    plot(group, "phase", orientations.phase, axes, unit="number", title="number of the phase, -1 for none")
    plot(
        group, "confidence", orientations.confidence, axes, unit="1", title="share of the crystalline signal"
    )
    put(group, "matrices", orientations.matrices)
    put(group, "zone_axis", orientations.zone_axis)
    note(group, "phases", "application/json", to_json([asdict(cell) for cell in orientations.phases]))
    if grains is None:
        return
    within = make(
        group, "grains", "NXcollection", threshold_deg=float(grains.threshold_deg), unit=grains.unit
    )
    plot(within, "labels", grains.labels, axes, unit="id", title="grains by their id, 0 for none")
    for name in _GRAIN_MAPS:
        put(within, name, getattr(grains, name))
    put(within, "matrix", np.array([grain.matrix for grain in grains.table]).reshape(-1, 3, 3))
    rows = [{key: value for key, value in vars(grain).items() if key != "matrix"} for grain in grains.table]
    note(within, "table", "application/json", to_json(rows))


def read_orientations(group: Any) -> Orientations:
    """Return the orientations that `write_orientations` wrote."""
    cells = json.loads(read_note(group, "phases"))
    return Orientations(
        phase=signal(group["phase"]),
        matrices=group["matrices"][()],
        confidence=signal(group["confidence"]),
        axes=read_axes(group["phase"]),
        phases=tuple(
            PhaseCell(
                str(cell["name"]),
                tuple(cell["lengths"]),
                tuple(cell["angles_deg"]),
                str(cell["space_group"]),
                str(cell["point_group"]),
            )
            for cell in cells
        ),
        zone_axis=group["zone_axis"][()],
    )


def read_grains(group: Any) -> Grains | None:
    """Return the grains beside the orientations, None where there are none."""
    if "grains" not in group:
        return None
    within = group["grains"]
    rows = json.loads(read_note(within, "table"))
    return Grains(
        **{name: within[name][()] for name in _GRAIN_MAPS},
        labels=signal(within["labels"]),
        table=tuple(
            Grain(**row, matrix=matrix) for row, matrix in zip(rows, within["matrix"][()], strict=True)
        ),
        threshold_deg=float(within.attrs["threshold_deg"]),
        unit=str(within.attrs["unit"]),
    )
