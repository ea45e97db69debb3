"""Electrons that were set aside tell how wide kernels are: too wide and too narrow ones are mended, right ones stay."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from unmixel import NMF, Pinned, Resolution, Sparse, SpotShape, rank
from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Grid, Matrix
from unmixel.factorize import widths
from unmixel.factorize.refinements.prune import Prune
from unmixel.factorize.refinements.split import Split
from unmixel.factorize.stretching import Tried, Widths, open_widths
from unmixel.factorize.work import Work
from unmixel.testing import phantoms

PROBE, SPOT = ("resolution", "maps"), ("spot_shape", "patterns")


def weighted(**settings):
    """Return a phantom without its direct beam, under Poisson weights, and its truth."""
    scan, truth = phantoms.glass(**{"dose": 20_000, **settings})
    used = phantoms.yardstick_pixels(truth)
    mean = np.asarray(scan.data, float).mean((0, 1))
    return replace(scan, pixel_weights=np.where(used, 1 / np.maximum(mean, 1e-3), 0.0)), truth


@pytest.fixture(scope="module")
def glass():
    return weighted(scan=(36, 40), detector=(40, 36), precipitates=5, seed=1)


def model(truth, probe: float = 1.0, spot: float = 1.0, **settings) -> NMF:
    """Return a fit whose kernels are so many times as wide as the truth, as far as it knows."""
    kernels = (
        Resolution(probe * 2.3548 * truth.probe_sigma, stretch="auto"),
        SpotShape(spot * truth.spot_sigma, stretch="auto"),
    )
    return NMF(12, constraints=(*kernels, Sparse(2.0, spare=1)), **settings)


def found(scan, nmf: NMF) -> Widths:
    matrix = nmf.matrix_of(scan)
    plan = nmf.plan_for(matrix)
    with plan.engine.threads():
        return widths.fitted_widths(Work(matrix, plan))


def test_spots_that_are_right_stay_within_a_step(glass) -> None:
    scan, truth = glass
    told = found(scan, model(truth))
    assert 1 / widths.STEP <= told.factors[SPOT] <= widths.STEP
    assert told.window == ((0, 36), (0, 40))


@pytest.mark.parametrize("off", [0.55, 1.5])
def test_spots_that_are_wrong_are_mended(glass, off: float) -> None:
    scan, truth = glass
    told = found(scan, model(truth, spot=off))
    # within one step and a half of the truth, on the way there electrons tell clearly
    assert abs(np.log(off * told.factors[SPOT])) < 1.5 * np.log(widths.STEP)
    assert all(one.gain > widths.CLEAR[one.side] * one.deviation for one in told.tried if one.taken)
    assert any(one.taken for one in told.tried)


def test_a_probe_that_is_too_narrow_is_widened(glass) -> None:
    scan, truth = glass
    told = found(scan, model(truth, probe=0.5))
    assert told.factors[PROBE] > 1


def test_the_fit_uses_and_tells_what_was_found(glass) -> None:
    scan, truth = glass
    factors = model(truth, spot=1.5).factorize(scan)
    told = Widths.of(factors.settings["widths"])
    used = {c["name"]: c["stretch"] for c in factors.settings["constraints"] if "stretch" in c}
    assert used == {name: factor for (name, _), factor in told.factors.items()}
    assert told.factors[SPOT] < 1
    by_hand = tuple(c.stretched(used[c.name]) for c in model(truth, spot=1.5).constraints[:2])
    same = NMF(12, constraints=(*by_hand, Sparse(2.0, spare=1))).factorize(scan)
    assert same.settings["widths"] is None
    np.testing.assert_array_equal(factors.maps, same.maps)


def test_maps_of_other_data_have_the_width_that_was_found(glass) -> None:
    scan, truth = glass
    nmf = model(truth, probe=0.5)
    nmf.fit(scan)
    factor = nmf._widths.factors[PROBE]
    wide = Resolution(0.5 * 2.3548 * truth.probe_sigma, stretch=factor)
    again = NMF(12, constraints=(wide, *nmf.constraints[1:])).plan_for(nmf.matrix_of(scan))
    assert nmf._settled(nmf.matrix_of(scan)).constraints[0] == again.constraints[0]
    assert nmf.transform(scan).shape == (scan.n_positions, 12)


def test_a_resumed_fit_does_not_look_again(glass, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, truth = glass
    states: list = []
    nmf = model(truth, spot=1.5, refine=(Split(), Prune()))
    wanted = nmf.factorize(scan, on_sweep=states.append)
    monkeypatch.setattr("unmixel.factorize.fit.fitted_widths", None)
    resumed = model(truth, spot=1.5, refine=(Split(), Prune())).factorize(scan, resume=states[0])
    np.testing.assert_array_equal(resumed.maps, wanted.maps)
    assert resumed.settings["widths"] == wanted.settings["widths"]


def test_data_that_are_no_counts_keep_the_widths_that_are_given(glass) -> None:
    scan, truth = glass
    values = np.asarray(scan.data, np.float32) * 0.37
    factors = model(truth).factorize(replace(scan, data=values))
    told = Widths.of(factors.settings["widths"])
    assert told.not_done == "data are not counts"
    assert set(told.factors.values()) == {1.0}
    assert "data are not counts" in told.sentence


@pytest.mark.parametrize("seed", range(4))
def test_the_window_lies_where_the_crystal_is(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, truth = weighted(scan=(20, 60), detector=(40, 36), precipitates=1, seed=seed, dose=40_000)
    monkeypatch.setattr(widths, "POSITIONS", 20 * 20)
    told = found(scan, model(truth))
    column = np.argmax(np.asarray(truth.maps)[truth.crystals[0]].max(axis=0))
    assert told.window[0] == (0, 20)
    (first, last) = told.window[1]
    assert last - first == 20
    assert first <= column < last


def test_what_holds_the_whole_scan_is_judged_on_the_whole_scan(
    glass, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan, truth = glass
    monkeypatch.setattr(widths, "POSITIONS", 24 * 24)
    pinned = Pinned(np.asarray(truth.maps)[:1], side="maps")
    nmf = model(truth)
    nmf.constraints = (*nmf.constraints, pinned)
    assert found(scan, nmf).window == ((0, 36), (0, 40))
    assert found(scan, model(truth)).window != ((0, 36), (0, 40))


def test_rows_and_sparse_rows_are_cut_like_scans(glass, monkeypatch: pytest.MonkeyPatch) -> None:
    scan, truth = glass
    monkeypatch.setattr(widths, "POSITIONS", 30 * 30)
    folded = Matrix.from_scan(scan)
    table = np.asarray(scan.data).reshape(scan.n_positions, -1)
    told = [
        found(replace(folded, data=data), model(truth)).told()
        for data in (folded.data, table, scipy.sparse.csr_matrix(table))
    ]
    assert told[0]["window"] == told[1]["window"] == told[2]["window"]
    assert told[0] == told[1]  # the same electrons; sparse ones are drawn in another order


def test_all_ranks_are_judged_under_the_widths_that_were_found(
    glass, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan, truth = glass
    asked: list = []
    look = widths.fitted_widths
    monkeypatch.setattr(
        "unmixel.factorize.rank.fitted_widths", lambda *given: asked.append(look(*given)) or asked[-1]
    )
    monkeypatch.setattr("unmixel.factorize.fit.fitted_widths", None)
    nmf = model(truth, spot=1.5)
    choice = rank(scan, [4, 8], model=nmf)
    assert len(asked) == 1
    assert 1 <= choice.n_components <= choice.most
    assert open_widths(nmf.constraints)  # the model that was given is as it was


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["resolution", "spot_shape"]), st.sampled_from(["maps", "patterns"])),
        st.floats(0.3, 3),
    ),
    st.lists(
        st.builds(Tried, st.just("resolution"), st.just("maps"), *3 * [st.floats(-9, 9)], st.booleans())
    ),
)
def test_what_is_told_is_read_back(factors, tried) -> None:
    one = Widths(factors, tuple(tried), ((0, 8), (2, 9)), "")
    again = Widths.of(json.loads(json.dumps(one.told())))
    assert (again.factors, again.tried, again.window) == (one.factors, one.tried, one.window)


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), float("inf"), "wide", None, True])
def test_what_is_no_factor_is_refused(bad) -> None:
    with pytest.raises(InputError, match="stretch"):
        Resolution(1.9, stretch=bad)
    with pytest.raises(InputError, match="stretch"):
        SpotShape(2.0, stretch=bad)


@given(st.floats(0.4, 2.5))
def test_kernels_are_as_many_times_as_wide(factor: float) -> None:
    grid = Grid((60, 60), (1.0, 1.0))
    image = SpotShape(2.2).kernel_for(2)

    def width(kernel) -> float:
        offsets = np.arange(kernel.shape[0]) - kernel.shape[0] // 2
        return float(np.sqrt(kernel.sum(axis=1) @ offsets**2))

    probe = [width(Resolution(5.0, stretch=stretch).kernel(grid)) for stretch in (1.0, factor)]
    assert probe[1] == pytest.approx(factor * probe[0], rel=0.02)
    for kernel in (2.2, image):
        spot = [width(SpotShape(kernel, stretch=stretch).kernel_for(2)) for stretch in (1.0, factor)]
        assert spot[1] == pytest.approx(factor * spot[0], rel=0.04)
    assert np.array_equal(SpotShape(image, stretch="auto").kernel_for(2), SpotShape(image).kernel_for(2))
