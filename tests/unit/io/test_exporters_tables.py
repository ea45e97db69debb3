"""Tables: what scikit-image says of the label images, what unmixel measured, orientations as they were."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage.measure import regionprops_table

from unmixel.io.exporters.contract import Parcel
from unmixel.io.exporters.csv import CsvExporter, regions_table
from unmixel.io.tables import write_tables
from unmixel.testing.results import example_result


def read(path: Path) -> dict[str, list[str]]:
    header, *rows = csv.reader(path.read_text().splitlines())
    return dict(zip(header, zip(*rows, strict=True), strict=True))


@pytest.fixture
def parcel(tmp_path: Path) -> Parcel:
    return Parcel(example_result(), "mgo", lambda: pytest.fail("tables need no other files"))


def test_particles_have_the_columns_and_numbers_of_scikit_image(parcel: Parcel, tmp_path: Path) -> None:
    CsvExporter().write(parcel, tmp_path / "out")
    table = read(tmp_path / "out" / "particles.csv")
    labels = parcel.result.particles.labels[0]
    names = ("label", "centroid", "area", "equivalent_diameter_area", "bbox", "orientation")
    expected = regionprops_table(labels, properties=names, spacing=(1.5, 1.5))
    assert set(expected) <= set(table)
    for column, values in expected.items():
        np.testing.assert_allclose(np.array(table[column], float), values, rtol=1e-8)
    assert set(table["unit"]) == {"nm"}
    assert table["group"] == ("0", "0")
    assert table["component"] == ("0", "2")


def test_unmixels_own_numbers_stand_beside_them(parcel: Parcel, tmp_path: Path) -> None:
    CsvExporter().write(parcel, tmp_path / "out")
    table = read(tmp_path / "out" / "particles.csv")
    particles = parcel.result.particles.table
    assert [float(v) for v in table["diameter_nm"]] == pytest.approx([p.diameter for p in particles])
    assert [float(v) for v in table["y_nm"]] == pytest.approx([p.y for p in particles])
    assert table["on_border"] == ("false", "true")
    assert table["fit_diameter_nm"][1] == ""  # it is not known


def test_a_particle_behind_another_keeps_its_own_numbers() -> None:
    result = example_result()
    particles = result.particles
    hidden = replace(particles, labels=np.where(particles.labels == 2, 0, particles.labels))
    header, rows = regions_table(hidden, result.factors)
    assert rows[1][header.index("label")] == 2
    assert rows[1][header.index("centroid-0")] == ""
    assert rows[1][header.index("area_nm2")] == particles.table[1].area


@pytest.mark.parametrize("n_groups", [0, 2])
def test_no_particles_leave_a_header(n_groups: int) -> None:
    result = example_result()
    none = replace(result.particles, table=(), labels=np.zeros((n_groups, 9, 7), np.int64))
    header, rows = regions_table(none, result.factors)
    assert header[:3] == ["label", "centroid-0", "centroid-1"]
    assert rows == []


def test_every_table_and_the_orientations_are_written_and_nothing_else(
    parcel: Parcel, tmp_path: Path
) -> None:
    CsvExporter().write(parcel, tmp_path / "out")
    found = {path.name for path in (tmp_path / "out").iterdir()}
    tables = {f"{name}.csv" for name in ("components", "groups", "phases", "particles")}
    assert found == tables | {"orientations.ang", "orientations.ctf"}
    (tmp_path / "own").mkdir()
    write_tables(tmp_path / "own", parcel.result)
    for name in tables - {"particles.csv"}:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "own" / name).read_bytes()
    assert CsvExporter().check(tmp_path / "out") == ()


def test_a_cut_table_is_noticed(parcel: Parcel, tmp_path: Path) -> None:
    CsvExporter().write(parcel, tmp_path / "out")
    path = tmp_path / "out" / "particles.csv"
    path.write_text(path.read_text()[:-40])
    (finding,) = CsvExporter().check(tmp_path / "out")
    assert finding.startswith("particles.csv: line 3")
