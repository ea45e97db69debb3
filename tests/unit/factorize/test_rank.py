"""How many components: the edge of noise, what held-out data confirm, and the recommendation."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.optimize import nnls

import unmixel
from unmixel import NMF, Matrix, Resolution, Sparse, SpotShape
from unmixel.core.errors import InputError
from unmixel.dataset.rank import ComponentEdge
from unmixel.factorize.edge import component_edge, filtered_edge, noise_edges, white_edge
from unmixel.factorize.holdout import confirmed, judged, nonnegative, refined
from unmixel.factorize.products import products_of
from unmixel.factorize.rank import stability
from unmixel.factorize.refinements.merge import Merge
from unmixel.factorize.refinements.prune import Prune
from unmixel.factorize.refinements.split import Split
from unmixel.factorize.sketch import sketch
from unmixel.factorize.sweep import Trials
from unmixel.factorize.work import Work
from unmixel.testing import phantoms


def planted(rank: int, *, n: int = 240, m: int = 150, mean: float = 40.0, seed: int = 0) -> np.ndarray:
    """Return counts of `rank` components, each in its own positions and pixels, on a common ground."""
    rng = np.random.default_rng(seed)
    maps, patterns = np.zeros((rank, n)), np.zeros((rank, m))
    maps[0], patterns[0] = 1.0, 1.0
    for k in range(1, rank):
        maps[k, rng.choice(n, n // 6, replace=False)] = 1.0
        patterns[k, rng.choice(m, m // 6, replace=False)] = 0.8
    return rng.poisson(mean / 2 * maps.T @ patterns)


def edges_of(matrix: Matrix, model: NMF, width: int = 40):
    plan = model.plan_for(matrix)
    products = products_of(matrix, plan.engine, dtype=plan.dtype, budget=plan.budget)
    low = sketch(products, matrix, width=width, engine=plan.engine, dtype=plan.dtype)
    return noise_edges(low, products, plan.problem(matrix, products, lambda: 1.0))


# --- the edge of noise


@settings(max_examples=12, deadline=None)
@given(n=st.integers(60, 300), m=st.integers(60, 300), seed=st.integers(0, 999))
def test_white_noise_ends_at_its_edge(n: int, m: int, seed: int) -> None:
    top = np.linalg.norm(np.random.default_rng(seed).standard_normal((n, m)), 2)
    edge = white_edge(n, m)
    assert 0.9 * edge < top < 1.03 * edge  # beyond the edge itself once in a hundred, and by little


@pytest.mark.parametrize(("probe", "spot"), [(0.8, 2.2), (1.6, 1.0)])
def test_filtered_noise_ends_at_its_edge_far_below_the_white_one(probe: float, spot: float) -> None:
    scan, pattern = (26, 30), (28, 23)

    def powers(sigma: float, shape: tuple[int, int]) -> np.ndarray:
        impulse = np.zeros(shape)
        impulse[shape[0] // 2, shape[1] // 2] = 1
        return np.abs(np.fft.fftn(gaussian_filter(impulse, sigma, mode="constant"))).ravel() ** 2

    edge = filtered_edge(powers(probe, scan), powers(spot, pattern))
    for seed in range(2):
        noise = np.random.default_rng(seed).standard_normal((*scan, *pattern))
        noise = gaussian_filter(noise, (probe, probe, spot, spot), mode="constant")
        top = np.linalg.norm(noise.reshape(np.prod(scan), -1), 2)
        assert 0.85 * edge < top < edge
    assert edge < 0.5 * white_edge(np.prod(scan), np.prod(pattern))


@pytest.mark.parametrize("rank", [1, 2, 5])
@pytest.mark.parametrize("masked", [0, 40])
def test_as_many_values_leave_the_noise_as_there_are_components(rank: int, masked: int) -> None:
    X = planted(rank)
    matrix = Matrix.from_array(X)
    weights = 1 / np.maximum(X.mean(axis=0), 1e-3)
    weights[:masked] = 0
    plain, edge = edges_of(replace(matrix, pixel_weights=weights), NMF())
    assert edge is plain  # nothing blurs
    assert plain.n_above == rank
    assert plain.noise == pytest.approx(1, abs=0.02)


def test_scaled_counts_have_the_noise_of_their_gain() -> None:
    X = 4 * planted(3)
    matrix = replace(Matrix.from_array(X), pixel_weights=1 / X.mean(axis=0))
    plain, _ = edges_of(matrix, NMF())
    assert plain.n_above == 3
    assert plain.noise == pytest.approx(2, rel=0.02)


def test_the_physics_raises_crystals_out_of_the_noise_and_nothing_else() -> None:
    scan, truth = phantoms.glass(scan=(34, 27), detector=(40, 36), precipitates=3, dose=2e4, seed=2)
    mean = np.asarray(scan.data, float).mean((0, 1))
    weights = np.where(phantoms.yardstick_pixels(truth), 1 / np.maximum(mean, 1e-3), 0)
    matrix = Matrix.from_scan(replace(scan, pixel_weights=weights))
    model = NMF(constraints=[Resolution(1.884), SpotShape(truth.spot_sigma)])
    plain, edge = edges_of(matrix, model)
    assert plain.n_above < edge.n_above <= len(truth.maps)
    assert edge.edge < 0.5 * plain.edge
    assert edge.seen_through == ("maps", "patterns")
    assert edge.noise == plain.noise


def test_filtered_values_are_those_of_the_filtered_data_and_never_larger() -> None:
    scan, pattern = (25, 22), (19, 24)
    X = planted(4, n=550, m=456, mean=60.0)
    weights = 1 / X.mean(axis=0)
    weights[200:240] = 0
    matrix = Matrix.from_array(X, scan_shape=scan, pattern_shape=pattern)
    matrix = replace(matrix, pixel_weights=weights)
    _, edge = edges_of(matrix, NMF(constraints=[Resolution(2.3548), SpotShape(1.5)]))
    white = (X * np.sqrt(weights)).reshape(*scan, *pattern)
    seen = gaussian_filter(white, (1.0, 1.0, 1.5, 1.5), mode="constant", truncate=4).reshape(550, 456)
    exact = np.linalg.svd(seen, compute_uv=False)[: len(edge.values)]
    assert np.all(edge.values <= exact * (1 + 1e-4))
    np.testing.assert_allclose(edge.values[:6], exact[:6], rtol=0.02)


def test_noise_holds_nothing_through_the_physics_either() -> None:
    X = np.random.default_rng(3).poisson(np.full((600, 1), 9.0) * np.linspace(0.5, 1.5, 580), (600, 580))
    matrix = Matrix.from_array(X, scan_shape=(24, 25), pattern_shape=(20, 29))
    matrix = replace(matrix, pixel_weights=1 / X.mean(axis=0))
    plain, edge = edges_of(matrix, NMF(constraints=[Resolution(1.9), SpotShape(1.5)]))
    assert (plain.n_above, edge.n_above) == (1, 1)


# --- what held-out data say


def test_no_direction_of_noise_is_confirmed() -> None:
    rng = np.random.default_rng(0)
    false = [confirmed(rng.standard_normal(30)) for _ in range(200)]
    assert np.mean(np.array(false) > 0) < 0.12
    assert confirmed(np.concatenate([np.full(7, 12.0), rng.standard_normal(9)])) in (7, 8)


def test_directions_of_the_truth_are_confirmed_and_those_of_fitted_noise_are_not() -> None:
    rng = np.random.default_rng(1)
    n, m = 90, 70
    W, H = rng.random((3, n)), rng.random((3, m))
    X = 5 * W.T @ H + rng.standard_normal((n, m))
    work = Work(Matrix.from_array(np.abs(X)), NMF().plan_for(Matrix.from_array(X)))
    work.products.__dict__["norm2"] = float(np.sum(X**2))
    fitted = [(5 * W, H), (np.vstack([5 * W, rng.random((9, n)) * 0.05]), np.vstack([H, rng.random((9, m))]))]
    found = judged(Trials(()), work, fitted, 1.0)
    assert found.confirmed.tolist()[0] == 3
    assert found.confirmed[1] <= 4
    # the errors are those that the residuals have
    exact = [float(np.sum((np.abs(X) - w.T @ h) ** 2)) for w, h in fitted]
    np.testing.assert_allclose(found.held_out, np.array(exact) - min(exact), rtol=1e-3, atol=0.5)
    assert found.uncertainty[int(np.argmin(exact))] == 0
    difference = fitted[0][0].T @ fitted[0][1] - fitted[1][0].T @ fitted[1][1]
    assert max(found.uncertainty) == pytest.approx(2 * np.linalg.norm(difference), rel=1e-6)


def test_nonnegative_solution_is_that_of_nnls() -> None:
    rng = np.random.default_rng(2)
    A, X = rng.random((40, 5)), rng.standard_normal((40, 7))
    found = nonnegative(A.T @ A, A.T @ X)
    exact = np.stack([nnls(A, x)[0] for x in X.T], axis=1)
    np.testing.assert_allclose(found, exact, atol=2e-3)


# --- the recommendation


@pytest.mark.parametrize("true", [1, 2, 4, 6])
def test_planted_components_are_counted(true: int) -> None:
    X = planted(true, seed=true)
    choice = unmixel.rank(X, [max(1, true - 1), true, true + 3], restarts=1)
    assert choice.n_components == true
    assert true <= choice.most <= true + 1  # one in ten of these tables seems to hold one more
    assert choice.method == "count splitting"
    assert choice.n_components <= choice.edge.n_above
    assert f"not support more than {choice.most}" in choice.verdict


def test_the_answer_does_not_hang_on_the_ranks_that_were_tried() -> None:
    X = planted(4)
    assert {unmixel.rank(X, ranks, restarts=1).n_components for ranks in ([5], [4, 9], [2, 7, 12], None)} == {
        4
    }


def test_too_small_ranks_are_told() -> None:
    choice = unmixel.rank(planted(6), [2, 3], restarts=1)
    assert choice.n_components == 3
    assert "try larger" in choice.reason


@pytest.mark.parametrize("wrap", [scipy.sparse.csr_matrix, da.from_array])
def test_any_form_of_counts(wrap) -> None:
    assert unmixel.rank(wrap(planted(3)), [2, 3, 6], restarts=1).n_components == 3


@pytest.mark.parametrize("kind", ["scaled counts", "fractions"])
def test_what_cannot_be_split_is_judged_by_held_out_entries(kind: str) -> None:
    X = planted(3, mean=60.0)
    X = X * 0.37 + 0.01 if kind == "fractions" else 7 * X
    choice = unmixel.rank(X, [2, 3, 6], restarts=1)
    assert choice.method == "held-out entries"
    assert choice.n_components == 3
    assert choice.scores[0].held_out > 5 * choice.scores[0].uncertainty  # two are too few
    assert any("A block of entries" in note for note in choice.notes)


@pytest.mark.parametrize(("unit", "gain"), [(7, 7.0), (7, 6.9), (0.25, 0.25), (0.37, 0.367)])
def test_counts_of_a_known_gain_are_split(unit: float, gain: float) -> None:
    X = unit * planted(3)
    choice = unmixel.rank(Matrix.from_array(X, gain=gain), [2, 3, 6], restarts=1)
    assert choice.method == "count splitting"
    assert choice.n_components == choice.most == 3
    assert any(f"of {gain:.3g} units of the data each" in note for note in choice.notes)


@pytest.mark.parametrize(("unit", "gain"), [(1, 3.0), (3, 2.0), (0.37, 0.8)])
def test_data_that_do_not_have_the_noise_of_their_gain_are_not_split(unit: float, gain: float) -> None:
    choice = unmixel.rank(Matrix.from_array(unit * planted(3), gain=gain), [2, 3, 6], restarts=1)
    assert choice.method == "held-out entries"
    assert choice.n_components == 3
    assert any(f"not the gain of {gain:.2g}" in note for note in choice.notes)


def test_held_out_error_falls_to_the_truth_and_restarts_agree_there() -> None:
    choice = unmixel.rank(planted(4), [2, 4, 8], restarts=3)
    score = {s.n_components: s for s in choice.scores}
    assert score[2].held_out > 10 * score[2].uncertainty
    assert score[4].held_out < 0.1 * score[2].held_out
    assert 1 >= score[4].stability > score[8].stability > 0


def test_refinements_tell_crystals_of_one_pattern_apart_where_directions_cannot() -> None:
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:31, :26]
    spots = rng.random(180) < 0.15
    maps = [np.ones((31, 26)), *((np.hypot(y - a, x - b) < 4) * 1.0 for a, b in ((7, 7), (22, 6), (15, 19)))]
    patterns = [np.full(180, 5.0), 6.0 * spots, 6.0 * spots, 6.0 * (rng.random(180) < 0.15)]
    X = rng.poisson(np.tensordot(np.stack(maps), np.stack(patterns), axes=(0, 0)))
    matrix = Matrix.from_array(X.reshape(-1, 180), scan_shape=(31, 26), pattern_shape=(180,))
    plain = NMF(constraints=[Resolution(1.2), Sparse(2.0, spare=1)])
    model = NMF(constraints=plain.constraints, refine=[Split(), Merge(), Prune()])
    assert unmixel.rank(matrix, [2, 5], restarts=1, model=plain).n_components == 3
    choice = unmixel.rank(matrix, [2, 5], restarts=1, model=model)
    assert choice.n_components == choice.most == choice.components.n_above == 4
    assert "in held-out electrons" in choice.reason
    # more counts show each of them more clearly; the edge stays where it is
    assert np.all(choice.components.values > 2 * choice.components.edge)
    assert choice.components.candidates >= 3
    assert choice.components.apart == 1


def test_the_best_of_many_pieces_of_noise_stays_below_the_edge_of_components() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 8, 60):
        best = rng.standard_normal((40_000, count)).max(axis=1)
        beyond = float(np.mean(best > component_edge(count)))
        assert 0.006 < beyond < 0.013


def test_components_below_their_edge_are_not_counted() -> None:
    scores = np.array([40.0, 5.0, 3.4, -0.2])
    assert ComponentEdge(scores, 3.5, 40, apart=1).n_above == 3
    assert ComponentEdge(scores[:0], 3.5, 40).n_above == 1


def test_a_matrix_with_noise_holds_no_component_above_the_edge() -> None:
    rng = np.random.default_rng(4)
    X = rng.poisson(3.0 * np.linspace(0.5, 1.5, 180), (31 * 26, 180))
    matrix = replace(
        Matrix.from_array(X, scan_shape=(31, 26), pattern_shape=(180,)), pixel_weights=1 / X.mean(axis=0)
    )
    model = NMF(
        constraints=[Resolution(1.2), Sparse(2.0, spare=1)], refine=[Split(least=2), Merge(), Prune(0.0)]
    )
    left = refined(matrix, model, noise=1.0, share=0.2, seed=1)
    assert left.candidates >= 3
    assert left.values.size > 0  # noise that nothing was asked of
    assert left.n_above == 1


def test_a_loss_for_counts_is_judged_by_its_least_squares() -> None:
    choice = unmixel.rank(planted(3), [2, 5], restarts=1, model=NMF(loss="kl"))
    assert choice.n_components == 3


def test_stability_knows_no_order() -> None:
    trial = unmixel.sweep(planted(4), [4], restarts=1).best()[0]
    turned = replace(trial, maps=trial.maps[::-1] * 3, patterns=trial.patterns[::-1])
    assert stability([trial, turned]) == pytest.approx(1, abs=1e-6)
    assert np.isnan(stability([trial]))


@pytest.mark.parametrize("settings_", [{"ranks": []}, {"ranks": [0, 2]}, {"restarts": 0}, {"share": 1.0}])
def test_what_makes_no_sense_is_told(settings_) -> None:
    with pytest.raises(InputError, match="rank"):
        unmixel.rank(planted(2), **settings_)
