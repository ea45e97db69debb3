"""CSV tables: units in the names of columns, one row for each thing, readable by anyone."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from unmixel.dataset.axes import Axis
from unmixel.dataset.result import Result
from unmixel.dataset.results import Convergence, Factors, Groups, Particle, Particles
from unmixel.io.tables import components_table, groups_table, particles_table, write_tables


def a_result() -> Result:
    axes = (Axis("y", 3, 0.5, 1.0, "nm"), Axis("x", 4, 0.25, 0.0, "nm"))
    maps = np.zeros((3, 3, 4))
    maps[0, 2, 1], maps[1, 0, 3], maps[2, 1, 0] = 8.0, 4.0, 2.0
    factors = Factors(
        maps=maps,
        patterns=np.ones((3, 5)),
        scan_axes=axes,
        pattern_axes=(Axis("energy", 5, unit="eV"),),
        used_pixels=np.ones(5, bool),
        fill="zero",
        strengths=np.array([0.5, 0.3, 0.2]),
        convergence=Convergence((1.0,), 0.1, 0, True, ""),
        flags=((), ("edge, or so", 'a "quoted" remark'), ()),
    )
    groups = Groups(
        labels=np.array([0, 1, 0]),
        distance=np.zeros((3, 3)),
        rotation_deg=np.array([0.0, 0.0, -30.0]),
        linkage=np.zeros((2, 4)),
        cut=0.2,
        cut_reason="",
        patterns=np.ones((2, 5)),
        maps=np.ones((2, 3, 4)),
        center=(),
        crystalline=np.array([True, False]),
        scan_axes=axes,
        pattern_axes=factors.pattern_axes,
    )
    particles = Particles(
        table=(
            Particle(1, 0, 0, 1.25, 0.5, 3.0, 2.0, False),
            Particle(2, 0, 2, 1.0, 0.25, 5.0, 4.0, False, 4.2, 1.5),
            Particle(3, 0, -1, 2.0, 0.0, 9.0, 9.0, True),
        ),
        labels=np.zeros((2, 3, 4), int),
        unit="nm",
        number_density=1.0,
        area_fraction=0.5,
        mean_diameter=3.0,
        mean_interval=(2.0, 4.0),
        median_diameter=3.0,
        median_interval=(2.0, 4.0),
    )
    return Result(factors, groups, particles)


def test_components() -> None:
    header, rows = components_table(a_result())
    assert header == [
        "component", "strength", "group", "rotation_deg", "mean_counts", "max_counts", "max_at_y_nm", "max_at_x_nm",
        "map_error_share", "pattern_error_share", "stability", "flags",
    ]  # fmt: skip
    assert rows[0] == [0, 0.5, 0, 0.0, 8 / 12, 8.0, 2.0, 0.25, "", "", "", ""]
    assert rows[1][-1] == 'edge, or so; a "quoted" remark'
    assert rows[2][3] == -30.0


def test_groups_count_their_whole_particles() -> None:
    header, rows = groups_table(a_result())
    assert header == [
        "group", "n_components", "components", "strength", "crystalline", "n_particles", "mean_diameter_nm",
    ]  # fmt: skip
    assert rows[0] == [0, 2, "0 2", 0.7, "true", 3, 3.0]
    assert rows[1] == [1, 1, "1", 0.3, "false", 0, ""]


def test_particles_name_their_unit() -> None:
    particles = a_result().particles
    assert particles is not None
    header, rows = particles_table(particles)
    assert header == [
        "id", "group", "y_nm", "x_nm", "area_nm2", "diameter_nm", "on_border", "fit_diameter_nm", "aspect_ratio",
    ]  # fmt: skip
    assert rows[1] == [2, 0, 1.0, 0.25, 5.0, 4.0, "false", 4.2, 1.5]
    assert rows[2] == [3, 0, 2.0, 0.0, 9.0, 9.0, "true", "", ""], "what is not known is left empty"
    assert particles_table(replace(particles, unit="px"))[0][2:6] == [
        "y_px",
        "x_px",
        "area_px2",
        "diameter_px",
    ]


def test_files_are_plain_csv(tmp_path: Path) -> None:
    assert write_tables(tmp_path, a_result()) == ("components.csv", "groups.csv", "particles.csv")
    raw = (tmp_path / "components.csv").read_bytes()
    assert b"\r" not in raw
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8"))))
    assert rows[1]["flags"] == 'edge, or so; a "quoted" remark'
    assert [float(row["strength"]) for row in rows] == [0.5, 0.3, 0.2]


def test_only_what_there_is_gets_a_file(tmp_path: Path) -> None:
    bare = Result(a_result().factors)
    assert write_tables(tmp_path, bare) == ("components.csv",)
    assert [member.name for member in tmp_path.iterdir()] == ["components.csv"]
    header, rows = components_table(bare)
    assert rows[0][header.index("group")] == ""


def test_a_scan_without_axes_has_no_place() -> None:
    factors = replace(a_result().factors, maps=np.ones(3), scan_axes=())
    header, rows = components_table(Result(factors))
    assert "max_at_y_nm" not in header
    assert len(rows[0]) == len(header)
