"""What is there is found and nothing else: refined fits, significance, the sketch matched to the kernels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unmixel import NMF, Resolution, Sparse, SpotShape
from unmixel.dataset.matrix import Matrix
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.binding import bind
from unmixel.factorize.draft import Draft
from unmixel.factorize.matched import matched_passes
from unmixel.factorize.products import products_of
from unmixel.factorize.refine import patient
from unmixel.factorize.refinements.merge import Merge
from unmixel.factorize.refinements.prune import Prune
from unmixel.factorize.refinements.split import Split
from unmixel.factorize.significance import Evidence
from unmixel.factorize.sketch import Sketch, sketch
from unmixel.factorize.thinning import thinned
from unmixel.factorize.work import Work
from unmixel.prepare.weights import PoissonWeights
from unmixel.testing import metrics, phantoms

REFINE = (Split(), Merge(), Prune(), Merge(0.75), Prune())


@pytest.fixture(scope="module")
def glass():
    scan, truth = phantoms.glass(scan=(36, 40), detector=(40, 36), precipitates=4, dose=10_000, seed=1)
    used = phantoms.yardstick_pixels(truth)
    mean = np.asarray(scan.data, float).mean((0, 1))
    return replace(scan, pixel_weights=np.where(used, 1 / np.maximum(mean, 1e-3), 0.0)), truth, used


def physics(truth, **settings) -> NMF:
    kernels = Resolution(2.3548 * truth.probe_sigma), SpotShape(truth.spot_sigma)
    return NMF(40, constraints=(*kernels, Sparse(2.0, spare=1)), refine=REFINE, **settings)


def test_crystals_are_found_and_nothing_else(glass) -> None:
    scan, truth, used = glass
    found = physics(truth).factorize(scan)
    matched = metrics.match(found.maps, found.patterns, truth.maps, truth.patterns, used_pixels=used)
    assert metrics.found(matched, truth.crystals) == 4
    assert found.n_components == 5
    significance = found.settings["significance"]
    assert len(significance) == 5
    assert min(significance) >= 4
    assert [told["step"] for told in found.settings["refinements"]] == [step.name for step in REFINE]
    assert found.settings["n_components"] == 40


def test_a_refined_fit_goes_on_where_it_stood(glass) -> None:
    scan, truth, _ = glass
    states = []
    wanted = physics(truth).factorize(scan, on_sweep=states.append)
    for state in (states[0], states[-1]):
        again = physics(truth).factorize(scan, resume=state)
        np.testing.assert_array_equal(again.maps, wanted.maps)
        assert again.settings["significance"] == wanted.settings["significance"]


@pytest.mark.parametrize("unit", [3, 0.25])
def test_crystals_are_found_and_nothing_else_whatever_an_electron_counts(glass, unit: float) -> None:
    scan, truth, used = glass
    counts = replace(scan, data=np.asarray(scan.data) * unit, pixel_weights=used.astype(float))
    prepared = PoissonWeights().apply(counts)
    assert prepared.gain == pytest.approx(unit, rel=0.1)
    assert prepared.gain != unit  # as measured
    found = physics(truth).factorize(prepared)
    matched = metrics.match(found.maps, found.patterns, truth.maps, truth.patterns, used_pixels=used)
    assert metrics.found(matched, truth.crystals) == 4
    assert found.n_components == 5
    assert min(found.settings["significance"]) >= 4


def test_refinements_that_need_no_counts_work_on_any_data(glass) -> None:
    scan, truth, _ = glass
    scaled = replace(scan, data=np.asarray(scan.data) * np.float32(0.37))
    found = physics(truth).factorize(scaled)
    assert any("not counts" in told.get("not_done", "") for told in found.settings["refinements"])
    assert found.settings["significance"] is None


def scores_of_noise(unit: float, gain: float) -> list[float]:
    """Return the significance of components made of the noise of the fit part; data of `unit` counts an electron."""
    rng, scores, share = np.random.default_rng(5), [], 0.3
    flat = unit * np.outer(rng.uniform(0.5, 2, 300), rng.uniform(1, 6, 200))
    engine = NumpyEngine()
    for seed in range(6):
        X = unit * rng.poisson(flat / unit)
        matrix = replace(
            Matrix.from_array(X, gain=gain),
            pixel_weights=1 / (unit * X.mean(axis=0)),
            position_weights=X.mean() / X.mean(axis=1),
        )
        fit, check = thinned(matrix, share=share, seed=seed)
        rest = np.asarray(fit.data.compute()) - (1 - share) * flat
        left, _, right = np.linalg.svd(rest, full_matrices=False)
        # each as small as need be for the others not to feel it, after the truth itself
        maps = np.vstack([(1 - share) * flat[:, 0], 1e-6 * np.clip(left[:, :30].T, 0, None)])
        patterns = np.vstack([flat[0] / flat[0, 0], np.clip(right[:30], 0, None)])
        products = [products_of(part, engine, dtype="float64", budget=10**7) for part in (fit, check)]
        problem = bind(fit, products[0], (), n_components=31, engine=engine, dtype="float64")
        scores += Evidence(products[1], share, 1.0)(Draft(None, problem, maps, patterns))[1:].tolist()
    return scores


# an electron of 3 counts as integers, and as floats whose gain was measured; averages of four
@pytest.mark.parametrize(("unit", "gain"), [(1, 1), (3, 3), (3.0, 2.98), (0.25, 0.25)])
def test_noise_has_no_significance(unit: float, gain: float) -> None:
    """Whatever map and pattern were made of the noise of the fit part score 0 with a deviation of 1 on the other."""
    scores = scores_of_noise(unit, gain)
    assert abs(np.mean(scores)) < 4 / np.sqrt(len(scores))
    assert np.std(scores) == pytest.approx(1, abs=0.15)


def test_noise_is_significant_where_the_gain_is_not_known() -> None:
    assert np.mean(scores_of_noise(3, 1)) > 1


def test_what_is_there_is_significant_as_counted() -> None:
    """The score of a true component is the square root of what it explains, by the shares of the electrons."""
    rng = np.random.default_rng(6)
    maps, patterns = np.ones((2, 400)), rng.uniform(1, 3, (2, 300))
    maps[1] = 0
    maps[1, 50:90] = 0.7
    X = rng.poisson(maps.T @ patterns)
    matrix = replace(Matrix.from_array(X), pixel_weights=1 / X.mean(axis=0))
    share, engine = 0.2, NumpyEngine()
    fit, check = thinned(matrix, share=share)
    problem = bind(fit, products_of(fit, engine, dtype="float64", budget=10**7), (), n_components=2,
                   engine=engine, dtype="float64")  # fmt: skip
    evidence = Evidence(products_of(check, engine, dtype="float64", budget=10**7), share, 1.0)
    found = evidence(Draft(None, problem, (1 - share) * maps, patterns))
    size = np.sqrt(np.sum(maps[1] ** 2) * np.sum(patterns[1] ** 2 * matrix.pixel_weights))
    assert found[1] == pytest.approx(np.sqrt(share) * size, abs=4)


def test_a_matched_sketch_holds_what_a_plain_one_has_lost() -> None:
    scan, truth = phantoms.glass(scan=(44, 60), detector=(60, 56), precipitates=8, dose=2_000, seed=3)
    used = phantoms.yardstick_pixels(truth)
    mean = np.asarray(scan.data, float).mean((0, 1))
    weighted = replace(scan, pixel_weights=np.where(used, 1 / np.maximum(mean, 1e-3), 0.0))
    matrix = Matrix.from_scan(weighted)
    model = NMF(10, constraints=(Resolution(2.3548 * truth.probe_sigma), SpotShape(truth.spot_sigma)))
    plan = model.plan_for(matrix)
    work = Work(matrix, plan)
    problem = plan.problem(matrix, work.products, lambda: 1.0)
    states = list(matched_passes(work.products, matrix, (problem.maps, problem.patterns), width=70))
    low = Sketch.of(states[-1], matrix, plan.engine, plan.dtype)
    plain = sketch(work.products, matrix, width=70, engine=plan.engine, dtype=plan.dtype)
    np.testing.assert_allclose(low.right @ low.right.T, np.eye(70), atol=1e-5)
    root = np.sqrt(matrix.pixel_weights)
    patterns = truth.patterns[truth.crystals].reshape(8, -1) * root
    patterns /= np.linalg.norm(patterns, axis=1, keepdims=True)
    held = [np.linalg.norm(patterns @ kind.right.T, axis=1) for kind in (low, plain)]
    assert held[0].min() > 0.6
    assert np.median(held[0]) > np.median(held[1]) + 0.1
    # begun again from any of its states it is the same
    for state in states[:-1]:
        (*_, last) = matched_passes(
            work.products, matrix, (problem.maps, problem.patterns), width=70, begin=state
        )
        np.testing.assert_array_equal(last.core, states[-1].core)


def test_a_draft_knows_what_components_explain() -> None:
    rng = np.random.default_rng(7)
    X = rng.random((20, 3)) @ rng.random((3, 15))
    matrix, engine = Matrix.from_array(X), NumpyEngine()
    products = products_of(matrix, engine, dtype="float64", budget=10**6)
    low = sketch(products, matrix, width=5, engine=engine, dtype="float64")
    problem = bind(matrix, low, (), n_components=2, engine=engine, dtype="float64")
    draft = Draft(low, problem, rng.random((2, 20)), rng.random((2, 15)))
    unit_maps, unit_patterns, sizes = draft.unit
    model = (unit_maps.T * sizes) @ unit_patterns
    np.testing.assert_allclose(model, draft.z_maps.T @ draft.z_patterns)


def pair_of(cosine: float, seed: int) -> tuple[Draft, Evidence]:
    """Return two components side by side, begun from pieces of the truth, whose true patterns have this cosine."""
    rng, share, engine = np.random.default_rng(seed), 0.2, NumpyEngine()
    maps = np.zeros((3, 400))
    maps[0], maps[1, 100:150], maps[2, 130:180] = 1, 2, 2
    patterns = rng.uniform(1, 3, (3, 300))
    other = rng.permutation(patterns[1])
    patterns[2] = patterns[1] if cosine == 1 else other
    X = rng.poisson(maps.T @ patterns)
    matrix = replace(Matrix.from_array(X), pixel_weights=1 / X.mean(axis=0))
    fit, check = thinned(matrix, share=share, seed=seed)
    problem = bind(fit, products_of(fit, engine, dtype="float64", budget=10**7), (), n_components=3,
                   engine=engine, dtype="float64")  # fmt: skip
    evidence = Evidence(products_of(check, engine, dtype="float64", budget=10**7), share, 1.0)
    # as a fit would have them: each pattern with noise of its own
    noisy = patterns * rng.uniform(0.9, 1.1, patterns.shape)
    low = sketch(problem.products, fit, width=5, engine=engine, dtype="float64")
    return Draft(low, problem, (1 - share) * maps, noisy, 1, evidence), evidence


def test_pieces_of_one_thing_are_not_told_apart_and_two_things_are() -> None:
    scores = [evidence.apart(draft, [(1, 2)])[0] for draft, evidence in (pair_of(1.0, s) for s in range(40))]
    assert abs(np.mean(scores)) < 0.8
    assert np.std(scores) == pytest.approx(1, abs=0.35)
    assert max(scores) < 3.5
    two = [evidence.apart(draft, [(1, 2)])[0] for draft, evidence in (pair_of(0.0, s) for s in range(5))]
    assert min(two) > 8
    draft, evidence = pair_of(0.0, 9)
    assert evidence.apart(draft, []).shape == (0,)
    both = evidence.apart(draft, [(1, 2), (2, 1)])
    assert both[0] == pytest.approx(both[1])


def test_sweeps_of_a_refined_fit_do_not_end_earlier_because_the_scan_is_larger() -> None:
    rng = np.random.default_rng(1)
    tolerances = []
    for n, m in ((300, 200), (3000, 200)):
        matrix = Matrix.from_array(rng.poisson(3.0, (n, m)))
        model = NMF(4, tol=1e-3)
        plan = model.plan_for(matrix)
        low = Work(matrix, plan).sketch
        tolerances.append(patient(plan, low).rule.tol)
        assert patient(replace(plan, rule=replace(plan.rule, tol=1e-9)), low).rule.tol == 1e-9
    assert tolerances[0] == pytest.approx(10 * tolerances[1])
    # half the variance in every entry: a sweep goes on for 5 variances a component
    assert tolerances[1] * 0.5 * 3000 * 200 == pytest.approx(5 * 4)
