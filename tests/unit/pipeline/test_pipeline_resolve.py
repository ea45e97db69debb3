"""From a request to a recipe without open ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmixel.core.errors import InputError, RecipeError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Instrument, Scan
from unmixel.engines.lazy import wrap
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.resolve import Request, airy_fwhm_nm, holds_counts, instrument_from, settle


def patterns(**fields: Any) -> Scan:
    return Scan.from_array(np.zeros((3, 4, 6, 5), np.uint16), scan_step=(1.0, "nm"), **fields)


def spectra(dtype: Any = np.uint16) -> Scan:
    return Scan.from_array(np.ones((3, 4, 6), dtype), scan_step=(1.0, "nm"))


MICROSCOPE = Instrument(voltage_kV=300.0, convergence_mrad=0.7)


def names(entries: Any) -> list[str]:
    return [entry.name for entry in entries]


def test_the_shipped_recipe_is_chosen_by_the_number_of_pattern_axes() -> None:
    recipe, why = Request.of(None).recipe_for(patterns())
    assert "center" in names(recipe.prepare)
    assert "'diffraction'" in why
    assert "2 pattern axes" in why
    recipe, why = Request.of(None).recipe_for(spectra())
    assert names(recipe.prepare) == ["poisson_weights"]
    assert "'spectrum'" in why


def test_other_data_need_a_recipe_of_their_own() -> None:
    axes = tuple(Axis(name, size) for name, size in zip("abc", (3, 4, 5), strict=True))
    cube = Scan(np.zeros((2, 3, 4, 5)), (Axis("x", 2),), axes)
    with pytest.raises(InputError, match="one or two pattern axes"):
        Request.of(None).recipe_for(cube)
    recipe, _ = Request.of({"extends": "none"}).recipe_for(cube)
    assert recipe == Recipe()


def test_what_is_said_goes_before_what_ships() -> None:
    recipe, why = Request.of({"factorize": {"components": 5}, "prepare": []}).recipe_for(patterns())
    assert recipe.factorize.components == 5
    assert recipe.prepare == ()
    assert "sparse" in names(recipe.factorize.constraints)
    assert "goes before" in why


def test_extends_decides_what_fills_the_gaps() -> None:
    recipe, _ = Request.of({"extends": "none", "factorize": {"components": 5}}).recipe_for(patterns())
    assert recipe == Recipe.from_dict({"factorize": {"components": 5}})
    recipe, _ = Request.of({"extends": "spectrum"}).recipe_for(patterns())
    assert names(recipe.prepare) == ["poisson_weights"]
    with pytest.raises(RecipeError, match="Did you mean 'spectrum'"):
        Request.of({"extends": "spectrm"}).recipe_for(patterns())


def test_a_recipe_object_is_complete() -> None:
    recipe = Recipe.from_dict({"factorize": {"components": 3}})
    assert Request.of(recipe).recipe_for(patterns())[0] == recipe


def test_overrides_go_before_everything(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("factorize: {components: 5, seed: 3}\n")
    request = Request.of(tmp_path / "r.yaml", ["factorize.components=7", "read.voltage_kV=200"])
    recipe, why = request.recipe_for(patterns())
    assert (recipe.factorize.components, recipe.factorize.seed) == (7, 3)
    assert request.read().voltage_kV == 200
    assert "r.yaml" in why


def test_a_request_of_something_else_is_refused() -> None:
    with pytest.raises(RecipeError, match="got int"):
        Request.of(3)  # type: ignore[arg-type]


def test_auto_resolution_is_the_airy_width() -> None:
    """0.51 lambda / alpha at 300 kV (lambda = 1.9687 pm) and 0.7 mrad."""
    width, why = airy_fwhm_nm(patterns(instrument=MICROSCOPE))
    assert width == pytest.approx(0.5145 * 1.96875e-3 / 0.7e-3, rel=1e-3)
    assert "300 kV and 0.7 mrad" in why
    assert "hardly" not in why
    coarse = Scan.from_array(np.zeros((3, 4, 6, 5)), scan_step=(3.0, "nm"), instrument=MICROSCOPE)
    assert "hardly limits" in airy_fwhm_nm(coarse)[1]


def test_auto_resolution_becomes_a_number_in_the_recipe() -> None:
    recipe, _ = Request.of(None).recipe_for(patterns())
    settled, notes = settle(recipe, patterns(instrument=MICROSCOPE))
    (entry,) = [entry for entry in settled.factorize.constraints if entry.name == "resolution"]
    assert entry.parameters["unit"] == "nm"
    assert entry.parameters["fwhm"] == pytest.approx(1.447, abs=0.001)
    assert any("1.447 nm" in note for note in notes)
    assert settle(settled, patterns(instrument=MICROSCOPE)) == (settled, ())


@pytest.mark.parametrize(
    ("scan", "missing"),
    [
        (patterns(), "voltage, convergence angle not known"),
        (patterns(instrument=replace(MICROSCOPE, voltage_kV=None)), "voltage not known"),
        (Scan.from_array(np.zeros((3, 4, 6, 5)), instrument=MICROSCOPE), "scan step in nm not known"),
        (
            Scan.from_array(np.zeros((6, 5)), n_pattern_axes=2, instrument=MICROSCOPE),
            "scan step in nm not known",
        ),
    ],
)
def test_an_unknown_resolution_is_left_out_and_told(scan: Scan, missing: str) -> None:
    recipe, _ = Request.of(None).recipe_for(scan)
    settled, notes = settle(recipe, scan)
    assert names(settled.factorize.constraints) == ["nonnegative", "spot_shape", "sparse"]
    assert any("resolution is left out" in note and missing in note for note in notes)


def test_the_user_knows_the_microscope_better() -> None:
    read = Request.of(None, ["read.convergence_mrad=1.4", "read.voltage_kV=300"]).read()
    scan = instrument_from(read, patterns(instrument=Instrument(voltage_kV=200.0, microscope="x")))
    assert scan.instrument == Instrument(voltage_kV=300.0, convergence_mrad=1.4, microscope="x")


def test_a_measured_beam_must_be_measured() -> None:
    data = {"extends": "none", "factorize": {"constraints": [{"spot_shape": {"kernel": "measured"}}]}}
    recipe, _ = Request.of(data).recipe_for(patterns())
    with pytest.raises(RecipeError, match="measure_beam"):
        settle(recipe, patterns())
    assert settle(recipe, patterns(extras={"beam": np.ones((3, 3))}))[0].factorize == recipe.factorize


@pytest.mark.parametrize(
    ("dtype", "value", "counts"),
    [
        (np.uint8, 1, True),
        (np.int32, 1, True),
        (np.int32, -1, False),
        (np.float32, 3.0, True),
        (np.float32, 3.5, False),
        (np.float64, np.nan, False),
        (np.bool_, True, False),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_counts_are_whole_numbers(dtype: Any, value: Any, counts: bool, lazy: bool) -> None:
    data = np.full((3, 4, 6), value, dtype)
    scan = Scan.from_array(wrap(data, (1, 2, 6)) if lazy else data)
    assert holds_counts(scan) is counts
    assert holds_counts(Scan.from_array(data[0, 0], n_pattern_axes=1)) is counts


def test_steps_for_counts_run_on_counts() -> None:
    recipe, _ = Request.of(None).recipe_for(spectra())
    settled, notes = settle(recipe, spectra())
    assert settled.prepare[0].parameters == {}
    assert notes == ()
    settled, notes = settle(recipe, Scan.from_array(np.full((3, 4, 6), 0.5)))
    assert settled.prepare == ()
    assert "poisson_weights is left out" in notes[0]


def test_auto_grouping_follows_the_data() -> None:
    for scan, name in ((patterns(), "rotation"), (spectra(), "spectrum")):
        settled, notes = settle(Recipe(), scan)
        assert settled.interpret.group is not None
        assert settled.interpret.group != "auto"
        assert settled.interpret.group.name == name
        assert name in notes[0]


def test_line_scans_and_single_patterns_have_recipes_too() -> None:
    line = Scan(np.zeros((7, 6), np.uint8), (Axis("x", 7, 2.0, unit="nm"),), (Axis("energy", 6, unit="eV"),))
    assert settle(Request.of(None).recipe_for(line)[0], line)[0].prepare[0].name == "poisson_weights"
