"""Tables of a result as CSV files: components, groups, phases, particles. The unit is part of each column's name."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unmixel.dataset.axes import Axis
from unmixel.dataset.phases import Phases
from unmixel.dataset.result import Result
from unmixel.dataset.results import Factors, Groups, Particles, error_share
from unmixel.io.atomic import write_text

Table = tuple[list[str], list[list[Any]]]


def write_tables(folder: Path, result: Result) -> tuple[str, ...]:
    """Write ``components.csv`` and, where there are any, ``groups.csv``, ``phases.csv`` and ``particles.csv``.

    Returns
    -------
    tuple of str
        Names of the files written.
    """
    tables: dict[str, Table] = {"components.csv": components_table(result)}
    if result.groups is not None:
        tables["groups.csv"] = groups_table(result)
    if result.phases is not None:
        tables["phases.csv"] = phases_table(result.phases)
    if result.particles is not None:
        tables["particles.csv"] = particles_table(result.particles)
    for name, (header, rows) in tables.items():
        write_text(folder / name, table_text(header, rows))
    return tuple(tables)


def components_table(result: Result) -> Table:
    """Return one row per component: strength, group, rotation, where its map is strongest, flags."""
    factors, groups = result.factors, result.groups
    header = ["component", "strength", "group", "rotation_deg", "mean_counts", "max_counts"]
    header += [f"max_at_{axis.name}_{_suffix(axis.unit)}" for axis in factors.scan_axes]
    rows = []
    for k in range(factors.n_components):
        image = np.asarray(factors.maps[k])
        rows.append(
            [
                k,
                float(factors.strengths[k]),
                "" if groups is None else int(groups.labels[k]),
                "" if groups is None else float(groups.rotation_deg[k]),
                float(image.mean()),
                float(image.max()),
                *_peak(image, factors.scan_axes),
                *_trust(factors, k),
                "; ".join(factors.flags[k]) if k < len(factors.flags) else "",
            ]
        )
    return [*header, "map_error_share", "pattern_error_share", "stability", "flags"], rows


def _trust(factors: Factors, k: int) -> list[Any]:
    """Return the relative standard error of map and pattern, and the stability; empty where it is not known."""
    found = factors.uncertainty
    if found is None:
        return ["", "", ""]
    pairs = (found.maps, factors.maps), (found.patterns, factors.patterns)
    shares = [error_share(errors[k], values[k]) for errors, values in pairs]
    return [*shares, "" if found.stability is None else float(found.stability[k])]


def _peak(image: Any, axes: tuple[Axis, ...]) -> list[float]:
    place = np.unravel_index(int(np.argmax(image)), image.shape) if axes else ()
    return [float(axis.offset + int(i) * axis.scale) for axis, i in zip(axes, place, strict=True)]


def groups_table(result: Result) -> Table:
    """Return one row per group: its members, strength, whether it is crystalline, its particles."""
    groups, particles = result.groups, result.particles
    assert groups is not None
    unit = _suffix(particles.unit) if particles is not None else "px"
    header = [
        "group",
        "n_components",
        "components",
        "strength",
        "crystalline",
        "n_particles",
        f"mean_diameter_{unit}",
    ]
    rows = []
    for g in range(groups.n_groups):
        members = np.flatnonzero(groups.labels == g)
        rows.append(
            [
                g,
                members.size,
                " ".join(str(k) for k in members),
                float(result.factors.strengths[members].sum()),
                _yes(bool(groups.crystalline[g])),
                *_sizes(particles, g, groups),
            ]
        )
    return header, rows


def _sizes(particles: Particles | None, group: int, groups: Groups) -> list[Any]:
    """Return the number of particles of a group and the mean diameter of its whole ones."""
    if particles is None or group >= groups.n_groups:
        return ["", ""]
    found = [particle for particle in particles.table if particle.group == group]
    whole = [particle.diameter for particle in found if not particle.on_border]
    return [len(found), float(np.mean(whole)) if whole else ""]


def phases_table(phases: Phases) -> Table:
    """Return one row per group: its phase, score, runner-up, margin, orientation, scale and the reason."""
    rows = phases.table()
    header = [
        "group", "phase", "score", "runner_up", "margin", "zone_axis", "rotation_deg", "scale", "best", "by",
        "n_spots", "ring_1_per_angstrom", "ring_fwhm_1_per_angstrom", "reason",
    ]  # fmt: skip
    return header, [["" if row[key] is None else row[key] for key in header] for row in rows]


def particles_table(particles: Particles) -> Table:
    """Return one row per particle; lengths in nm, or in px (and so named) without calibration."""
    unit = _suffix(particles.unit)
    header = ["id", "group", f"y_{unit}", f"x_{unit}", f"area_{unit}2", f"diameter_{unit}", "on_border"]
    header += [f"fit_diameter_{unit}", "aspect_ratio"]
    rows: list[list[Any]] = [
        [
            *(p.id, p.group, float(p.y), float(p.x), float(p.area), float(p.diameter), _yes(p.on_border)),
            *(_known(value) for value in (p.fit_diameter, p.aspect_ratio)),
        ]
        for p in particles.table
    ]
    return header, rows


def _known(value: float) -> float | str:
    """Return a number, or nothing where it is not known."""
    return "" if math.isnan(value) else float(value)


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _suffix(unit: str) -> str:
    """Return a unit as part of a column's name.

    Examples
    --------
    >>> _suffix("nm"), _suffix("1/angstrom")
    ('nm', '1_per_angstrom')
    """
    return unit.replace("/", "_per_") or "px"


def table_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV text; numbers have nine digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([f"{value:.9g}" if isinstance(value, float) else value for value in row])
    return text.getvalue()
