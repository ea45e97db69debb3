"""Tables for spreadsheets, pandas, scikit-image and orix: a folder of CSV files, and the orientations beside them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unmixel.io.ebsd import write_maps
from unmixel.io.tables import particles_table, table_text, write_tables

if TYPE_CHECKING:
    from unmixel.dataset.results import Factors, Particles
    from unmixel.io.exporters.contract import Parcel
    from unmixel.io.tables import Table

_PROPERTIES = (
    "label", "centroid", "bbox", "area", "equivalent_diameter_area", "axis_major_length", "axis_minor_length",
    "eccentricity", "orientation",
)  # fmt: skip


class CsvExporter:
    """Tables: components, groups, phases, particles, and orientations as .ang and .ctf.

    ``particles.csv`` has the columns of ``skimage.measure.regionprops_table`` for the label images that the exporter
    ``tiff`` writes (in the unit of the column ``unit``, from the first position), then unmixel's own: their names say
    the unit. A particle that lies wholly behind another one has only the latter. orix reads the .ang with
    ``orix.io.load``.
    """

    name: ClassVar[str] = "csv"
    suffix: ClassVar[str] = ""

    def write(self, parcel: Parcel, target: Path) -> None:
        """Write the tables to a new folder."""
        target.mkdir()
        write_tables(target, parcel.result)
        write_maps(target, parcel.result.orientations)
        particles = parcel.result.particles
        if particles is not None:
            table = regions_table(particles, parcel.result.factors)
            (target / "particles.csv").write_text(table_text(*table), encoding="utf-8", newline="")

    def check(self, target: Path) -> tuple[str, ...]:
        """Return which tables lack a header, or have rows of another length than it."""
        if not (target / "components.csv").is_file():
            return ("components.csv is missing",)
        found = []
        for path in sorted(target.glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as stream:
                header, *rows = [*csv.reader(stream)] or [[]]
            odd = [number for number, row in enumerate(rows, start=2) if len(row) != len(header)]
            if not header or odd:
                found.append(
                    f"{path.name}: {f'line {odd[0]} is cut short or too long' if odd else 'is empty'}"
                )
        return tuple(found)


def regions_table(particles: Particles, factors: Factors) -> Table:
    """Return one row per particle: what scikit-image says of its region, then what unmixel measured."""
    from skimage.measure import regionprops_table

    spacing = tuple(abs(axis.scale) for axis in factors.scan_axes)
    seen: dict[int, list[Any]] = {}
    columns: list[str] = []
    empty = np.zeros((1, *(axis.size for axis in factors.scan_axes)), np.int64)
    for labels in particles.labels if len(particles.labels) else empty:
        table = regionprops_table(np.asarray(labels), properties=_PROPERTIES, spacing=spacing)
        columns = list(table)
        for row in zip(*(column.tolist() for column in table.values()), strict=True):
            seen[int(row[0])] = list(row)
    header, rows = particles_table(particles)
    own = [column for column in header if column not in ("id", "group")]
    merged = [
        [
            *seen.get(particle.id, [particle.id, *[""] * (len(columns) - 1)]),
            particles.unit,
            particle.group,
            particle.component,
            *(value for column, value in zip(header, row, strict=True) if column in own),
        ]
        for particle, row in zip(particles.table, rows, strict=True)
    ]
    return [*columns, "unit", "group", "component", *own], merged
