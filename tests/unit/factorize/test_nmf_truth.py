"""What NMF finds against known truth, however the data are held."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import scipy.sparse

from unmixel import NMF, Matrix, Pinned, Resolution, Scan, Sparse, SpotShape
from unmixel.core.errors import InputError
from unmixel.testing import metrics, phantoms


@pytest.fixture(scope="module")
def planted():
    return phantoms.planted_cube()


def check_planted(factors, truth) -> None:
    flat = factors.maps.reshape(4, -1).T @ factors.patterns.reshape(4, -1)
    expected = np.asarray(truth.expected).reshape(flat.shape)
    assert np.linalg.norm(flat - expected) / np.linalg.norm(expected) <= 0.02
    matched = metrics.match(factors.maps, factors.patterns, truth.maps, truth.patterns)
    assert min(matched.pattern_cosine) >= 0.99


@pytest.mark.parametrize("solver", ["gradient", "hals"])
def test_planted_cube_in_memory(planted, solver: str) -> None:
    scan, truth = planted
    check_planted(NMF(4, solver=solver).factorize(scan), truth)


LAYOUTS = [(40, 40, 40, 40), (7, 40, 40, 40), (5, 9, 40, 40), (40, 40, 13, 8)]


@pytest.mark.parametrize("chunks", LAYOUTS)
@pytest.mark.parametrize("budget", [10**9, 4_800_000], ids=["kept", "streamed"])
def test_planted_cube_lazy_is_the_same(planted, chunks, budget: int) -> None:
    scan, truth = planted
    lazy = replace(scan, data=da.from_array(np.asarray(scan.data), chunks=chunks))
    settings = {"max_iter": 4, "tol": 0.0}
    eager = NMF(4, **settings).factorize(scan)
    factors = NMF(4, memory_budget=budget, **settings).factorize(lazy)
    check_planted(factors, truth)
    np.testing.assert_allclose(factors.convergence.objective, eager.convergence.objective, rtol=1e-5)
    assert factors.convergence.relative_error == pytest.approx(eager.convergence.relative_error, rel=1e-5)
    assert ("every pass reads" in factors.settings["held_in_memory"]) == (budget < 10**9)


def test_integers_floats_and_sparse_agree(planted) -> None:
    scan, _ = planted
    counts = np.asarray(scan.data).reshape(1600, 1600)
    errors = [
        NMF(4, max_iter=5, tol=0).fit(X).reconstruction_err_
        for X in (
            counts,
            counts.astype(np.float32),
            counts.astype(np.float64),
            scipy.sparse.csr_matrix(counts),
        )
    ]
    np.testing.assert_allclose(errors, errors[0], rtol=1e-4)


def test_objective_never_rises_and_its_end_is_exact(planted) -> None:
    scan, _ = planted
    model = NMF(4, start="random", sketch_sweeps=0, max_iter=40, tol=0)
    factors = model.factorize(scan)
    objective = np.array(factors.convergence.objective)
    assert np.diff(objective).max() <= 1e-6 * objective[0]
    # the last update of the maps comes after the last sweep, so the exact value may only be lower
    assert 0.5 * model.reconstruction_err_**2 <= objective[-1] * (1 + 1e-4)
    assert 0.5 * model.reconstruction_err_**2 >= objective[-1] * 0.99


def test_the_seed_decides() -> None:
    X = np.random.default_rng(1).poisson(3.0, (60, 50))
    one, two, other = (
        NMF(3, start="random", random_state=s, max_iter=3).fit(X).components_ for s in (1, 1, 2)
    )
    assert np.array_equal(one, two)
    assert not np.allclose(one, other)


def test_masked_pixels_and_positions_do_not_count() -> None:
    """Whatever stands under a mask, the result is the same."""
    rng = np.random.default_rng(2)
    truth = rng.random((8, 9, 2)) @ rng.random((2, 35))
    data = rng.poisson(truth * 100).astype(np.uint16).reshape(8, 9, 5, 7)
    pixels, positions = np.ones((5, 7)), np.ones((8, 9))
    pixels[2, 3], positions[4, 4] = 0, 0
    spoiled = data.copy()
    spoiled[:, :, 2, 3], spoiled[4, 4] = 60_000, 12_345
    results = [
        NMF(2, max_iter=20, tol=0).factorize(
            replace(Scan.from_array(d), pixel_weights=pixels, position_weights=positions)
        )
        for d in (data, spoiled)
    ]
    np.testing.assert_allclose(results[0].patterns, results[1].patterns, atol=1e-6)
    assert results[0].patterns[:, 2, 3].max() == 0
    assert results[0].fill == "zero"
    kept = positions.astype(bool)
    np.testing.assert_allclose(results[0].maps[:, kept], results[1].maps[:, kept], rtol=1e-4, atol=1e-3)


def test_weights_are_part_of_the_model() -> None:
    """Weights of 2 on a pixel are the same as that pixel twice."""
    rng = np.random.default_rng(3)
    X = rng.poisson(rng.random((40, 2)) @ rng.random((2, 6)) * 40).astype(np.float64)
    weights = np.ones(6)
    weights[1] = 2
    weighted = NMF(2, tol=1e-9, max_iter=500).fit(replace(Matrix.from_array(X), pixel_weights=weights))
    doubled = NMF(2, tol=1e-9, max_iter=500).fit(np.hstack([X, X[:, 1:2]]))
    assert weighted.reconstruction_err_ == pytest.approx(doubled.reconstruction_err_, rel=1e-3)


def test_pinned_pattern_stays() -> None:
    rng = np.random.default_rng(4)
    known, other = rng.random(30), rng.random(30)
    X = rng.random((50, 1)) * known + rng.random((50, 1)) * other
    model = NMF(2, constraints=[Pinned(known)], max_iter=300).fit(X)
    first = model.components_[0]
    np.testing.assert_allclose(first, known / known.sum(), rtol=1e-6)
    assert model.convergence_.relative_error < 0.05
    with pytest.raises(InputError, match="Pinned"):
        NMF(1, constraints=[Pinned(np.ones((2, 30)))]).fit(X)


def test_pinned_pattern_is_not_blurred_by_the_spot_shape() -> None:
    scan, truth = phantoms.glass(scan=(13, 29), detector=(31, 26), precipitates=3, seed=3)
    matrix = np.asarray(truth.patterns[0])
    factors = NMF(4, constraints=[SpotShape(2.0), Pinned(matrix)], max_iter=5).factorize(scan)
    cosines = metrics.pattern_cosine(factors.patterns, matrix[None])
    assert np.max(cosines) > 0.999999


@pytest.mark.parametrize("shape", [((13, 29), (31, 26)), ((17,), (11, 12)), ((6, 5), (40,)), ((), (9, 8))])
def test_any_shape(shape) -> None:
    scan_shape, pattern_shape = shape
    rng = np.random.default_rng(5)
    data = rng.poisson(2.0, (*scan_shape, *pattern_shape)).astype(np.uint8)
    scan = Scan.from_array(data, n_pattern_axes=len(pattern_shape))
    factors = NMF(2, max_iter=3).factorize(scan)
    assert factors.maps.shape == (2, *scan_shape)
    assert factors.patterns.shape == (2, *pattern_shape)
    assert factors.residual.chi2_map.shape == scan_shape


def test_maps_are_in_counts_and_sorted_by_strength(planted) -> None:
    scan, _ = planted
    factors = NMF(4).factorize(scan)
    np.testing.assert_allclose(factors.patterns.reshape(4, -1).sum(axis=1), 1, rtol=1e-5)
    assert float(factors.maps.sum()) == pytest.approx(float(np.asarray(scan.data).sum()), rel=1e-2)
    assert np.all(np.diff(factors.strengths) <= 0)


def test_physics_holds_exactly() -> None:
    """Maps have no power beyond the probe, patterns no dips, at every number of sweeps."""
    scan, _ = phantoms.glass(scan=(24, 24), detector=(32, 32), precipitates=3, dose=5e3, seed=1)
    constraints = (Resolution(3.0), SpotShape(2.2), Sparse(2.0))
    for sweeps in (2, 30):
        factors = NMF(6, constraints=constraints, max_iter=sweeps, tol=0, sketch_sweeps=0).factorize(scan)
        spectrum = np.abs(np.fft.fft2(factors.maps)) ** 2
        beyond = np.hypot(*np.meshgrid(np.fft.fftfreq(24), np.fft.fftfreq(24))) > 0.45
        alive = factors.maps.max(axis=(1, 2)) > 0
        share = spectrum[:, beyond].sum(axis=1)[alive] / spectrum.sum(axis=(1, 2))[alive]
        assert share.max() < 0.01


@pytest.mark.slow
def test_interrupted_fit_goes_on_as_if_nothing_happened() -> None:
    scan, _ = phantoms.glass(scan=(13, 29), detector=(31, 26), precipitates=3, seed=4)
    constraints = (Resolution(1.9), SpotShape(2.0), Sparse(2.0))
    states = []
    whole = NMF(4, constraints=constraints, max_iter=12, tol=0).factorize(scan, on_sweep=states.append)
    resumed = NMF(4, constraints=constraints, max_iter=12, tol=0).factorize(scan, resume=states[4])
    assert resumed.convergence.objective == whole.convergence.objective
    assert np.array_equal(resumed.maps, whole.maps)


def test_residual_of_a_true_model_is_one() -> None:
    """Counts that are Poisson about the model have chi-square 1 everywhere."""
    from unmixel.engines.blocks import BlockReader
    from unmixel.engines.numpy_engine import NumpyEngine
    from unmixel.factorize.residual import residual

    rng = np.random.default_rng(6)
    maps, patterns = rng.uniform(50, 90, (2, 400)), rng.uniform(0.5, 1, (2, 300))
    X = rng.poisson(maps.T @ patterns)
    reader = BlockReader(X, 1)
    found, misfit2, norm2, _ = residual(Matrix.from_array(X), maps, patterns, reader, NumpyEngine())
    assert found.chi2 == pytest.approx(1, abs=0.02)
    assert found.chi2_map == pytest.approx(1, abs=0.4)
    np.testing.assert_allclose(misfit2, np.sum((X - maps.T @ patterns) ** 2))
    np.testing.assert_allclose(norm2, np.sum(X.astype(float) ** 2))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("solver", ["gradient", "hals"])
def test_the_data_are_not_touched(dtype, solver: str) -> None:
    X = np.random.default_rng(7).poisson(3.0, (30, 20)).astype(dtype)
    before = X.copy()
    NMF(2, solver=solver, max_iter=3).fit(X).transform(X)
    assert np.array_equal(X, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_bad_numbers_are_refused(bad) -> None:
    X = np.ones((6, 5))
    X[2, 3] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity|[Nn]egative"):
        NMF(2).fit(X)
    with pytest.raises(ValueError, match=r"NaN|[Nn]egative|finite"):
        NMF(2).factorize(Scan.from_array(X.reshape(2, 3, 5)))


def test_empty_data_give_empty_factors() -> None:
    factors = NMF(2).factorize(Scan.from_array(np.zeros((3, 4, 5), np.uint8)))
    assert factors.maps.max() == 0
    assert np.all(np.isfinite(factors.patterns))
