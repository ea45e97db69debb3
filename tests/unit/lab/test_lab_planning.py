"""Plans: laws of the prediction, what is recommended and refused, what a scan can show; held against simulations."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import unmixel
from unmixel.core.errors import InputError
from unmixel.dataset.planning import Confirmation, Goal, Sample, Setup
from unmixel.lab import planning
from unmixel.lab.planning_forecast import DOSES, SHIPPED, forecast, ground_of, margins
from unmixel.lab.planning_scene import lattices, scene, spec_of, spot_sigma
from unmixel.lab.planning_simulation import confirm, draw, layout, simulate
from unmixel.lab.planning_words import described, headline, rows, sentences
from unmixel.physics.detection import Edge
from unmixel.pipeline.resolve import shipped
from unmixel.pipeline.yamlfile import parse

SAMPLE = Sample(("CuZr",), 6.0)
SETUP = Setup(probe_nm=1.9, spot_px=1.5, spots="gaussian", detector=(31, 26), pixel=0.045)
GRID = np.geomspace(10, 1e7, 40)


def where_fit(spots: float) -> planning.Forecast:
    """Return a forecast for a detector on which so many spots fit."""
    return planning.Forecast(np.ones(1), np.ones(1), Edge(5, spots))


@pytest.fixture(scope="module")
def plain() -> planning.Forecast:
    return forecast(SAMPLE, SETUP)


def test_probability_grows_with_dose_from_nothing_to_what_no_dose_exceeds(plain: planning.Forecast) -> None:
    values = [plain.probability(dose) for dose in GRID]
    assert values == sorted(values)
    assert values[0] < 1e-3
    assert values[-1] == pytest.approx(1 - SHIPPED.lapse, abs=1e-6) == plain.most
    low, high = plain.band(3e3)
    assert low < plain.probability(3e3) < high


@pytest.mark.parametrize(
    "better", [{"diameter_nm": 9.0}, {"foil_nm": 40.0}, {"scattered": 0.5}, {"diffuse": 0.0}]
)
def test_larger_crystals_and_more_contrast_need_fewer_electrons(
    plain: planning.Forecast, better: dict[str, float]
) -> None:
    once, now = plain.dose_for(0.6), forecast(replace(SAMPLE, **better), SETUP).dose_for(0.6)  # type: ignore[arg-type]
    assert once is not None
    assert now is not None
    assert now < once


def test_a_foil_twice_as_thick_needs_four_times_the_dose(plain: planning.Forecast) -> None:
    thick = forecast(replace(SAMPLE, foil_nm=140.0), SETUP)
    assert thick.dose_for(0.7) == pytest.approx(4 * plain.dose_for(0.7), rel=1e-3)  # type: ignore[operator]


def test_what_makes_no_noise_changes_nothing(plain: planning.Forecast) -> None:
    other = forecast(replace(SAMPLE, volume_share=0.2), replace(SETUP, gain=17.0))
    np.testing.assert_allclose(other.strengths, plain.strengths)


def test_twice_as_many_positions_at_half_the_dose_show_as_much() -> None:
    fine = forecast(SAMPLE, replace(SETUP, step_nm=0.7))
    coarse = forecast(SAMPLE, replace(SETUP, step_nm=1.0))
    per_area = [one.dose_for(0.7) / step**2 for one, step in ((fine, 0.7), (coarse, 1.0))]  # type: ignore[operator]
    assert per_area[0] == pytest.approx(per_area[1], rel=0.1)


def test_dose_for_is_the_inverse_and_none_where_no_dose_is_enough(plain: planning.Forecast) -> None:
    dose = plain.dose_for(0.5)
    assert dose is not None
    assert DOSES[0] < dose < DOSES[1]
    assert plain.probability(dose) == pytest.approx(0.5, abs=1e-4)
    assert plain.dose_for(1 - SHIPPED.lapse / 2) is None


def test_prediction_is_the_mean_over_the_crystals_of_scans() -> None:
    """The strengths of simulated crystals are those that the forecast draws."""
    drawn = np.concatenate(
        [margins(SAMPLE, SETUP, scan=(32, 32), precipitates=5, dose=1.0, seed=seed) for seed in range(4)]
    )
    one = forecast(SAMPLE, SETUP)
    wanted = one.strengths / (SHIPPED.excess * one.needed)
    assert np.median(drawn) == pytest.approx(np.median(wanted), rel=0.15)
    assert drawn.max() < 1.3 * wanted.max()


def test_scene_holds_the_structures_and_their_electrons() -> None:
    truth = scene(
        replace(SAMPLE, structures=("Cu", "ZrO2")), SETUP, scan=(24, 30), precipitates=4, dose=500.0
    )
    assert truth.phases == ("", "", "Cu", "ZrO2", "Cu", "ZrO2")
    np.testing.assert_allclose(truth.patterns.sum(axis=(1, 2))[2:], 1.0)
    assert truth.pattern_axes[0].scale == SETUP.pixel
    again = scene(
        replace(SAMPLE, structures=("Cu", "ZrO2")), SETUP, scan=(24, 30), precipitates=4, dose=500.0
    )
    np.testing.assert_array_equal(truth.patterns, again.patterns)


def test_crystals_at_random_scatter_on_average_as_much_as_those_on_axes() -> None:
    random, spec = replace(SAMPLE, orientations="random"), spec_of(SAMPLE, SETUP, scan=(9, 9), precipitates=1)
    (lattice,) = lattices(random, SETUP)
    sums = [lattice.spots(lattice.orientation(np.random.default_rng(i)))[1].sum() for i in range(300)]
    assert np.mean(sums) == pytest.approx(lattice.mean_strength, rel=0.25)
    assert spec.diameter == SAMPLE.diameter_nm
    assert forecast(random, SETUP).probability(1e4) < forecast(SAMPLE, SETUP).probability(1e4)


def test_ground_is_a_pattern_without_crystals() -> None:
    ground = ground_of(spec_of(SAMPLE, SETUP, scan=(7, 7)))
    # what falls outside a small camera is lost
    assert 0.9 < ground.mean.sum() <= 1.0 + 1e-9
    assert ground.mean[ground.used].sum() < SAMPLE.scattered + 0.02


def test_recommended_scan_holds_what_was_asked_for() -> None:
    goal = Goal(probability=0.6, precipitates=20, dwell_s=2e-3)
    made = unmixel.plan(SAMPLE, SETUP, goal)
    one = made.acquisition
    assert one is not None
    assert one.precipitates * 0.6 == pytest.approx(20, rel=0.1)
    assert one.e_per_A2 == pytest.approx(one.dose / 100)
    assert one.seconds == pytest.approx(one.side**2 * 2e-3)
    assert one.current_pA == pytest.approx(one.dose * 1.602176634e-7 / 2e-3)
    assert one.file_bytes in (one.side**2 * 31 * 26, 2 * one.side**2 * 31 * 26)
    assert one.dose / one.dose_low == pytest.approx(SHIPPED.dose_factor)
    assert [curve.diameter_nm for curve in made.curves] == pytest.approx([3.0, 4.2, 6.0, 8.4, 12.0])
    assert f"{one.dose:,.0f} electrons" in headline(made)
    assert {"dose per area", "file", "time", "beam current"} <= {row[0] for row in rows(made)}
    assert described(made)["sample"]["structures"] == ["CuZr"]


@pytest.mark.parametrize("fit", [44, 45, 63, 90, 91])
def test_a_detector_unlike_that_of_the_calibration_is_promised_nothing(
    plain: planning.Forecast, fit: int
) -> None:
    expected = replace(plain, edge=Edge(plain.edge.positions, fit))
    one = planning.acquisition(SAMPLE, SETUP, Goal(), expected, 3e4)
    least, most = expected.band(3e4)
    assert most > 0.9
    if 45 <= fit <= 90:
        assert least > 0.5
        assert one.dose_high == pytest.approx(one.dose * SHIPPED.dose_factor)
    else:
        assert least == 0.0
        assert one.dose_high is None


def test_what_no_dose_reaches_is_said(tmp_path: Path) -> None:
    made = planning.plan(SAMPLE, SETUP, Goal(probability=0.9999), confirm=3)
    assert made.acquisition is None
    assert made.confirmation is None
    assert "No dose" in headline(made)
    assert f"{made.most:.2f}" in headline(made)
    assert len(rows(made)) == 2


@pytest.mark.parametrize(
    ("sample", "setup", "told"),
    [
        ({"diameter_nm": 2.0}, {"step_nm": 3.0}, "larger than the precipitates"),
        ({"diameter_nm": 5.0}, {"step_nm": 3.0}, "hardly two positions"),
        ({}, {"step_nm": 5.0, "probe_nm": 1.0}, "gaps"),
        ({"diameter_nm": 1.5}, {"probe_nm": 2.0}, "wider than the precipitates"),
        ({}, {"pixel": 0.02, "detector": (32, 32)}, "first ring"),
        ({}, {"spot_px": 6.0}, "run into each other"),
        ({"volume_share": 0.3}, {}, "cover"),
        ({"diameter_nm": 30.0}, {}, "kinematically"),
        ({"diameter_nm": 30.0}, {}, "steps wide"),
    ],
)  # fmt: skip
def test_what_hardly_fits_is_warned_of(sample: dict[str, float], setup: dict[str, float], told: str) -> None:
    notes = planning.warnings(replace(SAMPLE, **sample), replace(SETUP, **setup), where_fit(63))  # type: ignore[arg-type]
    assert any(told in note for note in notes), notes


def test_nothing_is_warned_of_where_all_fits() -> None:
    assert planning.warnings(SAMPLE, Setup(), where_fit(63)) == ()
    (told,) = planning.warnings(SAMPLE, Setup(), where_fit(300))
    assert told.startswith("300 spots would fit")


@pytest.mark.parametrize(
    ("noun", "values", "told"),
    [
        (Sample, {"diameter_nm": 0.0}, "precipitate size"),
        (Sample, {"diameter_nm": math.nan}, "precipitate size"),
        (Sample, {"diameter_nm": 80.0}, "foil thickness"),
        (Sample, {"volume_share": 0.6}, "volume share"),
        (Sample, {"scattered": 1.0}, "scattered"),
        (Sample, {"structures": ()}, "structures"),
        (Sample, {"orientations": "both"}, "orientations"),
        (Setup, {"probe_nm": -1.0}, "probe"),
        (Setup, {"detector": (64,)}, "detector"),
        (Setup, {"detector": (2, 64)}, "detector"),
        (Setup, {"spots": "square"}, "spots"),
        (Setup, {"spot_px": 0.1}, "spot"),
        (Goal, {"probability": 1.0}, "probability"),
        (Goal, {"precipitates": 0}, "precipitates"),
        (Goal, {"dwell_s": 0.0}, "dwell"),
    ],
)  # fmt: skip
def test_impossible_numbers_are_refused(noun: type, values: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        noun(**values)


def test_no_structure_and_no_reflection_are_refused() -> None:
    with pytest.raises(InputError, match="candidate"):
        planning.plan(Sample(("Unobtainium",)), SETUP)
    with pytest.raises(InputError, match="reflections that the detector sees"):
        planning.plan(SAMPLE, replace(SETUP, pixel=0.01))


def test_a_scan_and_a_setup_do_not_go_together() -> None:
    with pytest.raises(InputError, match="either a scan"):
        planning.plan(setup=SETUP, scan="demo:glass")  # type: ignore[call-overload]
    with pytest.raises(InputError, match="scans to confirm"):
        planning.plan(SAMPLE, SETUP, confirm=-1)


def test_spot_is_as_wide_as_the_probe_demands() -> None:
    wide, narrow = (spot_sigma(Setup(probe_nm=p, pixel=0.01)) for p in (1.0, 2.0))
    assert wide == pytest.approx(2 * narrow)
    assert spot_sigma(Setup(probe_nm=50.0)) == 0.5
    assert spot_sigma(SETUP) == 1.5


def test_confirmation_holds_where_the_intervals_touch() -> None:
    held = Confirmation(2, 10, 8, 0.9, 0.8, 0.95, 0.49, 0.94)
    assert held.held
    assert held.observed == 0.8
    assert not replace(held, observed_high=0.7).held
    with pytest.raises(InputError, match="scans to confirm"):
        confirm(SAMPLE, SETUP, forecast(SAMPLE, SETUP), dose=1.0, scans=0)


def test_simulated_scans_are_small_and_repeatable() -> None:
    side, n = layout(SAMPLE, SETUP)
    assert (side, n) == (40, 8)
    scan, truth = draw(SAMPLE, SETUP, dose=50.0, seed=3)
    again, _ = draw(SAMPLE, SETUP, dose=50.0, seed=3)
    np.testing.assert_array_equal(scan.data, again.data)
    assert scan.data.sum() / side**2 == pytest.approx(50, rel=0.1)
    assert len(truth.crystals) == n


@pytest.mark.slow
def test_outlook_of_a_scan_says_its_smallest_precipitate() -> None:
    weak, strong = (
        unmixel.plan(
            Sample(("CuZr",)),
            scan=f"demo:glass?scan=16x17&detector=32x32&dose={dose}&precipitates=2&spot=1.5",
        )
        for dose in (4_000, 60_000)
    )
    assert strong.electrons == pytest.approx(15 * weak.electrons, rel=0.02)
    assert weak.smallest_nm is not None
    assert strong.smallest_nm is not None
    assert strong.smallest_nm < weak.smallest_nm
    assert strong.plain_nm is not None
    assert strong.smallest_nm < strong.plain_nm
    assert strong.above_edge is not None
    assert np.all(np.diff(strong.diameters_nm) > 0)
    told = " ".join(sentences(strong))
    assert f"from {strong.smallest_nm:.2g} nm on" in told
    assert "demo:glass" in told


@pytest.mark.slow
def test_outlook_agrees_with_the_forecast_of_the_same_sample() -> None:
    """Measured mean, beam and probe lead to what the settings of the phantom say."""
    seen = unmixel.plan(
        Sample(("CuZr",)), scan="demo:glass?scan=24x24&detector=48x48&dose=20000&precipitates=0&spot=1.5"
    )
    known = Setup(
        probe_nm=0.8 * 2.3548, spot_px=1.5, spots="gaussian", detector=(48, 48), pixel=0.4 / (0.57 * 24)
    )
    for size in (4.0, 5.0):
        one = forecast(Sample(("CuZr",), size), known).probability(20_000)
        assert np.interp(size, seen.diameters_nm, seen.probabilities) == pytest.approx(one, abs=0.15)


@pytest.mark.slow
def test_outlook_of_a_run_is_that_of_its_scan(tmp_path: Path) -> None:
    address = "demo:glass?scan=16x17&detector=32x32&spot=1.5&dose=20000&precipitates=2"
    recipe = shipped("glass")
    recipe["factorize"] |= {"components": 3, "refine": [], "max_iter": 2}
    done = unmixel.run(address, recipe, out=tmp_path / "run")
    sample = Sample(("CuZr",))
    of_scan, of_folder, of_result = (
        planning.plan(sample, scan=given) for given in (address, tmp_path / "run", done)
    )
    assert of_folder.warnings == of_scan.warnings
    assert all("would fit on the detector" in told for told in of_scan.warnings)
    assert of_folder.source == "run"
    np.testing.assert_allclose(of_folder.probabilities, of_scan.probabilities, atol=0.02)
    np.testing.assert_allclose(of_result.probabilities, of_folder.probabilities)
    assert of_folder.above_edge is None


def test_no_outlook_of_spectra_and_of_scans_without_scale() -> None:
    with pytest.raises(InputError, match="diffraction patterns"):
        planning.plan(scan="demo:spectrum")
    with pytest.raises(InputError, match="scan step in nm"):
        planning.plan(scan="demo:planted")


def test_simulations_are_factorised_by_the_recipe_of_the_examples() -> None:
    given = Path(__file__).parents[3] / "examples" / "glass.yaml"
    assert parse(given) == shipped("glass")


@pytest.mark.slow
def test_simulated_scans_are_found_as_predicted() -> None:
    one = forecast(SAMPLE, replace(SETUP, detector=(48, 48), pixel=0.03))
    setup = replace(SETUP, detector=(48, 48), pixel=0.03)
    dose = one.dose_for(0.9)
    assert dose is not None
    faint = confirm(SAMPLE, setup, one, dose=dose / 20, scans=2, seed=11)
    bright = confirm(SAMPLE, setup, one, dose=4 * dose, scans=2, seed=11)
    assert faint.found == 0
    assert faint.held
    assert bright.held
    assert bright.observed > 0.75


@pytest.mark.slow
def test_a_simulation_repeats_itself() -> None:
    first, second = (simulate(SAMPLE, SETUP, dose=3e4, seed=5) for _ in range(2))
    assert first == second
