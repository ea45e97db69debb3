"""The sketch against the full decomposition; starts are feasible and useful."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unmixel import NMF, Matrix
from unmixel.core import registry
from unmixel.core.errors import InputError
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.products import products_of
from unmixel.factorize.sketch import _in_runs, sketch
from unmixel.factorize.start import GivenStart


@pytest.fixture
def matrix() -> Matrix:
    rng = np.random.default_rng(0)
    X = rng.poisson(rng.gamma(0.5, size=(90, 4)) @ rng.gamma(0.5, size=(4, 70)) * 30)
    weights = rng.uniform(0.2, 2, 70)
    weights[:6] = 0
    return replace(Matrix.from_array(X), pixel_weights=weights, position_weights=rng.uniform(0.5, 1, 90))


@pytest.mark.parametrize(("n", "size"), [(3000, 50), (3001, 50), (130, 50), (50, 50), (7, 7)])
def test_positions_are_shared_out_evenly_and_near_ones_to_few_groups(n: int, size: int) -> None:
    groups = _in_runs(np.random.default_rng(0), n, size)
    counts = np.bincount(groups, minlength=size)
    assert groups.shape == (n,)
    assert counts.min() >= 1
    assert counts.max() <= 1.6 * n / size + 1
    if n >= 3000:
        assert np.unique(groups[:128]).size <= 32


def make(matrix: Matrix, **settings):
    engine = NumpyEngine()
    products = products_of(matrix, engine, dtype="float64", budget=10**7)
    return sketch(products, matrix, engine=engine, dtype="float64", **settings)


def test_sketch_finds_the_leading_singular_values(matrix: Matrix) -> None:
    weighted = np.sqrt(matrix.position_weights)[:, None] * matrix.data * np.sqrt(matrix.pixel_weights)
    exact = np.linalg.svd(weighted, compute_uv=False)
    found = make(matrix, width=20)
    np.testing.assert_allclose(found.values[:4], exact[:4], rtol=1e-6)
    assert np.all(found.values <= exact[:20] * (1 + 1e-9))
    assert found.norm2 == pytest.approx(np.sum(weighted**2))


def test_full_width_sketch_is_the_data(matrix: Matrix) -> None:
    found = make(matrix, width=1000)
    rows = np.random.default_rng(1).random((3, 90))
    used = matrix.pixel_weights > 0
    np.testing.assert_allclose(found.with_maps(rows)[:, used], (rows @ matrix.data)[:, used], rtol=1e-8)
    masked = np.random.default_rng(2).random((3, 70)) * used
    np.testing.assert_allclose(found.with_patterns(masked), masked @ matrix.data.T, rtol=1e-8)


def test_data_of_lower_rank_than_the_sketch() -> None:
    rng = np.random.default_rng(6)
    X = rng.random((80, 3)) @ rng.random((3, 60))
    for dtype, precision in (("float32", 1e-5), ("float64", 1e-10)):
        matrix, engine = Matrix.from_array(X.astype(dtype)), NumpyEngine()
        products = products_of(matrix, engine, dtype=dtype, budget=10**7)
        found = sketch(products, matrix, width=12, engine=engine, dtype=dtype)
        np.testing.assert_allclose((found.left * found.values) @ found.right, X, atol=precision)
        np.testing.assert_allclose(found.values[3:], 0, atol=1e3 * precision)


def test_strong_and_weak_directions_are_both_found() -> None:
    """The direct beam outshines what is looked for by many orders."""
    rng = np.random.default_rng(7)
    left, right = (np.linalg.qr(rng.normal(size=(n, 4)))[0] for n in (300, 200))
    X = (left * [1e4, 1e2, 3.0, 1.0]) @ right.T
    matrix, engine = Matrix.from_array((X - X.min()).astype("float32")), NumpyEngine()
    exact = np.linalg.svd(X - X.min(), compute_uv=False)
    products = products_of(matrix, engine, dtype="float32", budget=10**7)
    found = sketch(products, matrix, width=10, engine=engine, dtype="float32")
    np.testing.assert_allclose(found.values[:5], exact[:5], rtol=2e-2)


def test_noise_of_whitened_counts_is_one() -> None:
    rng = np.random.default_rng(3)
    expected = rng.uniform(2, 9, 400)
    X = rng.poisson(np.outer(np.ones(500), expected))
    matrix = replace(Matrix.from_array(X), pixel_weights=1 / expected)
    assert make(matrix, width=10).noise == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("name", ["svd", "pursuit", "random"])
def test_start_is_feasible_and_repeats(matrix: Matrix, name: str) -> None:
    fits = [NMF(4, start=name, max_iter=1, tol=0, sketch_sweeps=0).fit(matrix).components_ for _ in range(2)]
    assert np.array_equal(*fits)
    assert fits[0].min() >= 0
    assert fits[0][:, :6].max() == 0


def test_starts_from_the_data_beat_noise(matrix: Matrix) -> None:
    begin = {}
    for name in ("svd", "pursuit", "random"):
        states = []

        def first(state, states=states):
            states.append(state)

        from unmixel.factorize.fit import fit

        plan = NMF(4, start=name, max_iter=1, tol=0, sketch_sweeps=0).plan_for(matrix)
        fit(matrix, plan, on_sweep=first)
        begin[name] = states[0].objective[0]
    assert begin["svd"] < begin["random"]


def test_given_start_is_taken_and_checked() -> None:
    rng = np.random.default_rng(4)
    maps, patterns = rng.random((2, 30)), rng.random((2, 20))
    X = maps.T @ patterns
    model = NMF(2, start=GivenStart(maps, patterns), max_iter=1).fit(X)
    assert model.convergence_.relative_error < 1e-5
    with pytest.raises(InputError, match="start"):
        NMF(3, start=GivenStart(maps, patterns)).fit(X)


def test_registered_starts_can_be_listed() -> None:
    assert set(registry.names("starts")) >= {"given", "pursuit", "random", "svd"}
