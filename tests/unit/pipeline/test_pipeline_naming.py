"""Naming phases in a run: recipe, record, bundle, table, page, command line."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import unmixel
from unmixel.cli.main import app
from unmixel.core.errors import InputError, RecipeError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.io.store import read_bundle, write_bundle
from unmixel.physics.cells import built_in
from unmixel.pipeline.naming import Naming
from unmixel.report.page import page
from unmixel.testing.crystals import SIZE, STEP, View

CELLS = built_in()
RECIPE: dict[str, Any] = {
    "extends": "none",
    "factorize": {"components": 2, "max_iter": 20},
    "interpret": {
        "group": {"rotation": {"cut": 0.3}},
        "identify": {"candidates": ["CuZr", "ZrO2", "Cu"], "largest": 1},
    },
}


@pytest.fixture(scope="module")
def scan() -> Scan:
    """Two crystals side by side, eight positions each."""
    one, two = (
        View(rotation_deg=turn).pattern(CELLS[name], axis)
        for name, axis, turn in (("CuZr", (0, 0, 1), 12.0), ("ZrO2", (0, 1, 1), 40.0))
    )
    mean = np.where(np.arange(4)[None, :, None, None] < 2, one, two) * np.ones((4, 1, 1, 1))
    counts = np.random.default_rng(0).poisson(40_000 * mean).astype(np.uint16)
    bare = Scan.from_array(counts, scan_step=(1.0, "nm"), pattern_step=(STEP, "1/angstrom"))
    middle = -STEP * (SIZE - 1) / 2
    axes = tuple(Axis(axis.name, SIZE, STEP, middle, "1/angstrom") for axis in bare.pattern_axes)
    return replace(bare, pattern_axes=axes)


@pytest.fixture(scope="module")
def result(scan: Scan, tmp_path_factory: pytest.TempPathFactory) -> unmixel.Result:
    return unmixel.run(scan, RECIPE, out=tmp_path_factory.mktemp("runs") / "two.run")


def test_a_run_names_the_phases_of_its_groups(result: unmixel.Result) -> None:
    assert result.phases is not None
    assert sorted(answer.phase for answer in result.phases) == ["CuZr", "ZrO2"]
    assert [one["name"] for one in result.record["candidates"]] == ["CuZr", "ZrO2", "Cu"]
    assert any("voltage is not known" in note for note in result.record["notes"])


def test_table_bundle_and_page_say_the_same(result: unmixel.Result) -> None:
    assert result.phases is not None
    folder = result.folder
    assert folder is not None
    with (folder / "phases.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    wanted = result.phases.table()
    assert [row["phase"] for row in rows] == [row["phase"] for row in wanted]
    assert list(rows[0])[:8] == [
        "group", "phase", "score", "runner_up", "margin", "zone_axis", "rotation_deg", "scale",
    ]  # fmt: skip
    again = unmixel.load(folder).phases
    assert again is not None
    assert again.table() == wanted
    for old, new in zip(result.phases, again, strict=True):
        np.testing.assert_array_equal(old.g, new.g)
        for before, after in zip(old.matches, new.matches, strict=True):
            for key in vars(before):
                np.testing.assert_array_equal(getattr(before, key), getattr(after, key))
    text = (folder / "report.html").read_text()
    assert "CuZr along [" in text
    assert text.count("spots found and those expected of") == 2


def test_orientations_are_kept_written_and_shown(result: unmixel.Result) -> None:
    found, grains, folder = result.orientations, result.grains, result.folder
    assert found is not None
    assert grains is not None
    assert folder is not None
    assert found.known.mean() > 0.9
    assert grains.n_grains == 2
    again = unmixel.load(folder)
    assert again.groups is not None
    assert result.groups is not None
    for key in ("membership", "shifted_maps", "shifts"):
        np.testing.assert_array_equal(getattr(again.groups, key), getattr(result.groups, key))
    assert again.orientations is not None
    assert again.grains is not None
    for key in ("phase", "matrices", "confidence", "zone_axis"):
        np.testing.assert_array_equal(getattr(again.orientations, key), getattr(found, key))
    assert again.orientations.phases == found.phases
    assert again.orientations.axes == found.axes
    for key in ("right", "down", "labels", "phase_right"):
        np.testing.assert_array_equal(getattr(again.grains, key), getattr(grains, key))
    assert [grain.area for grain in again.grains.table] == [grain.area for grain in grains.table]
    assert {"orientations.ang", "orientations.ctf"} <= set(result.record["files"])
    assert (folder / "orientations.ang").read_text().count("\n") > 16
    assert "in 2 grains" in (folder / "report.html").read_text()


def test_rings_and_unknowns_survive_the_bundle(result: unmixel.Result, tmp_path: Path) -> None:
    assert result.groups is not None
    phases = unmixel.identify(result.groups, ["Si", "Au"], largest=1)
    assert {answer.phase for answer in phases} <= {"unknown", "Si", "Au"}
    assert any(answer.rings for answer in phases)
    changed = replace(result, phases=phases)
    write_bundle(tmp_path / "r.nxs", changed)
    again = read_bundle(tmp_path / "r.nxs").phases
    assert again is not None
    assert again.table() == phases.table()
    assert "by rings" in page(changed)


def test_a_halo_survives_the_bundle(result: unmixel.Result, tmp_path: Path) -> None:
    assert result.groups is not None
    smooth = replace(result.groups, crystalline=np.zeros(result.groups.n_groups, bool))
    phases = unmixel.identify(smooth, ["Si"])
    assert any(answer.halo for answer in phases)
    write_bundle(tmp_path / "h.nxs", replace(result, phases=phases))
    again = read_bundle(tmp_path / "h.nxs").phases
    assert again is not None
    assert [answer.halo for answer in again] == [answer.halo for answer in phases]


def test_the_resolved_recipe_reproduces_the_phases(
    result: unmixel.Result, scan: Scan, tmp_path: Path
) -> None:
    assert result.folder is not None
    again = unmixel.run(scan, result.folder / "recipe.yaml", out=tmp_path / "again.run")
    assert result.phases is not None
    assert again.phases is not None
    assert again.phases.table() == result.phases.table()


def test_candidates_lie_beside_the_recipe_file(
    tmp_path: Path, scan: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unmixel.pipeline.resolve import Request, settle

    (tmp_path / "cells").mkdir()
    cell = "data_x\n_cell_length_a 4.2\n_cell_length_b 4.2\n_cell_length_c 4.2\n_cell_angle_alpha 90\n"
    cell += "_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'F m -3 m'\nloop_\n"
    cell += "_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nMg 0 0 0\nO 0.5 0.5 0.5\n"
    (tmp_path / "cells" / "periclase.cif").write_text(cell)
    naming = {"candidates": ["cells", "Cu"], "elements": ["Mg", "O"]}
    (tmp_path / "r.yaml").write_text(json.dumps({"extends": "none", "interpret": {"identify": naming}}))
    monkeypatch.chdir(tmp_path.parent)
    recipe, _ = Request.of(tmp_path / "r.yaml", ()).recipe_for(scan)
    settled, notes = settle(recipe, scan)
    assert settled.interpret.identify is not None
    assert settled.interpret.identify["candidates"] == [str(tmp_path / "cells"), "Cu"]
    assert any("periclase, Cu" in note for note in notes)


@pytest.mark.parametrize(
    ("naming", "words"),
    [
        ({"candidates": []}, "candidates"),
        ({"candidates": "Cu"}, "candidates"),
        ({"candidate": ["Cu"]}, "Did you mean 'candidates'"),
        ({}, "needs candidates"),
    ],
)
def test_mistakes_in_the_section_are_told(naming: dict[str, Any], words: str, scan: Scan) -> None:
    with pytest.raises(RecipeError, match=words):
        unmixel.run(scan, {"extends": "none", "interpret": {"identify": naming}})


def test_nothing_is_computed_for_a_candidate_that_is_not_there(scan: Scan, tmp_path: Path) -> None:
    bad = {**RECIPE, "interpret": {"identify": {"candidates": ["absent.cif"]}}}
    with pytest.raises(InputError, match=r"absent\.cif"):
        unmixel.run(scan, bad, out=tmp_path / "bad.run")
    assert not (tmp_path / "bad.run").exists()
    bare = Scan.from_array(np.asarray(scan.data))
    with pytest.raises(InputError, match="1/angstrom or mrad"):
        unmixel.run(bare, RECIPE, out=tmp_path / "bad.run")


def test_the_voltage_of_the_scan_is_taken(scan: Scan) -> None:
    known = replace(scan, instrument=replace(scan.instrument, voltage_kV=200.0))
    settled, notes = Naming(("Cu",)).settled(known)
    assert settled["voltage_kV"] == 200.0
    assert not any("not known" in note for note in notes)


def test_cif_files_on_the_command_line(scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    axes = [
        {"name": a.name, "scale": a.scale, "offset": a.offset, "unit": a.unit}
        for a in (*scan.scan_axes, *scan.pattern_axes)
    ]
    np.savez("scan.npz", data=scan.data, axes=np.array(json.dumps(axes)))
    Path("r.yaml").write_text(json.dumps({**RECIPE, "interpret": {"group": {"rotation": {"cut": 0.3}}}}))
    done = CliRunner().invoke(
        app, ["run", "scan.npz", "--recipe", "r.yaml", "--cif", "CuZr", "--cif", "ZrO2", "--json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert sorted(row["phase"] for row in told["phases"]) == ["CuZr", "ZrO2"]
    assert "phases.csv" in told["files"]


@pytest.mark.slow
def test_positions_are_matched_one_by_one_where_asked(scan: Scan, tmp_path: Path) -> None:
    how = {**RECIPE, "interpret": {"group": {"rotation": {"cut": 0.3}}, "match": {"surrogates": 300}}}
    found = unmixel.run(scan, how, out=tmp_path / "m.run")
    assert found.groups is not None
    assert found.positions is not None
    left, right = found.positions.group[:, :2], found.positions.group[:, 2:]
    assert len(np.unique(left)) == len(np.unique(right)) == 1
    assert left[0, 0] != right[0, 0]
    again = unmixel.load(tmp_path / "m.run").positions
    assert again is not None
    for key, value in vars(found.positions).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(again, key), value)
        else:
            assert getattr(again, key) == value
    assert "Position by position" in (tmp_path / "m.run" / "report.html").read_text()
    with pytest.raises(RecipeError, match="significance"):
        unmixel.run(scan, {**how, "interpret": {"match": {"significance": 2.0}}})


def test_without_spots_positions_are_not_matched(scan: Scan, tmp_path: Path) -> None:
    flat = replace(scan, data=np.random.default_rng(0).poisson(5.0, scan.data.shape).astype(np.uint16))
    how = {**RECIPE, "interpret": {"group": {"rotation": {}}, "match": {}}}
    found = unmixel.run(flat, {**how, "factorize": {"components": 1, "max_iter": 5}}, out=tmp_path / "f.run")
    assert found.positions is None
    assert any("not matched one by one" in note for note in found.record["notes"])
