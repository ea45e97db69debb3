"""The three acts alone: products of the data, solvers on one side, extrapolation, anchors."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

from unmixel import NMF, Matrix, Resolution, Sparse, SpotShape
from unmixel.core.errors import InputError
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.engines.walk import Found
from unmixel.factorize.descent import Anderson
from unmixel.factorize.polish import Anchor
from unmixel.factorize.products import products_of
from unmixel.factorize.sketch import sketch
from unmixel.factorize.solve import solve
from unmixel.factorize.solvers.admm import Admm
from unmixel.factorize.work import Work
from unmixel.testing import phantoms

ENGINE = NumpyEngine()


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    rng = np.random.default_rng(0)
    X = rng.poisson(rng.gamma(0.5, size=(120, 4)) @ rng.gamma(0.5, size=(4, 99)) * 30)
    pixels = rng.uniform(0.2, 2, 99)
    pixels[:6] = 0
    plain = Matrix.from_array(X, scan_shape=(12, 10), pattern_shape=(9, 11))
    return replace(plain, pixel_weights=pixels, position_weights=rng.uniform(0.5, 1, 120))


FORMS = {
    "array": lambda X: X,
    "lazy": lambda X: da.from_array(X, chunks=(17, 99)),
    "sparse": scipy.sparse.csr_matrix,
}


@pytest.mark.parametrize("form", FORMS)
def test_products_are_those_of_the_data(matrix: Matrix, form: str) -> None:
    products = products_of(
        replace(matrix, data=FORMS[form](matrix.data)), ENGINE, dtype="float64", budget=16 * 20_000
    )
    X, rng = matrix.data.astype(float), np.random.default_rng(1)
    rows, columns = rng.random((3, 99)), rng.random((3, 120))
    groups, signs = rng.integers(0, 7, 120), rng.choice([-1.0, 1.0], 120)
    mixing = np.zeros((7, 120))
    mixing[groups, np.arange(120)] = signs * np.sqrt(matrix.position_weights)
    np.testing.assert_allclose(products.mixed(groups, signs, 7), mixing @ X)
    np.testing.assert_allclose(
        products.norm2, matrix.position_weights @ (X * X) @ matrix.pixel_weights, rtol=1e-12
    )
    np.testing.assert_allclose(products.with_patterns(rows), rows @ X.T)
    np.testing.assert_allclose(products.with_maps(columns), columns @ X)
    np.testing.assert_allclose(products.overlap(columns, rows), np.sum(columns * (rows @ X.T), axis=1))
    twice, _ = products.through(rows, lambda part: (2 * part[:2], Found()))
    np.testing.assert_allclose(twice, 2 * (rows[:2] @ X.T) @ X)


def test_admm_ends_where_exact_least_squares_does(matrix: Matrix) -> None:
    model = NMF(4)
    work = Work(matrix, replace(model.plan_for(matrix), dtype="float64"))
    problem = work.problem()
    h = np.random.default_rng(2).random((4, 9, 11))
    side, partner = problem.maps, problem.patterns
    gram, target = partner.gram(h), side.fold(problem.products.with_patterns(partner.weighted(h)))
    roots = np.sqrt(matrix.pixel_weights)
    for solver, atol in ((Admm(inner_steps=3000), 1e-6), (Admm().to_the_end, 1e-3)):
        found = solver.update(side, side.ones(), gram, target, partner.norms(h))
        for i in (0, 57, 119):
            exact, _ = scipy.optimize.nnls((h.reshape(4, -1) * roots).T, matrix.data[i] * roots)
            np.testing.assert_allclose(side.flat(found)[:, i], exact, atol=atol)


def test_admm_never_rises_even_with_one_step(matrix: Matrix) -> None:
    fit = NMF(5, solver=Admm(inner_steps=1), start="random", sketch_sweeps=0, max_iter=30, tol=0).fit(matrix)
    objective = np.array(fit.convergence_.objective)
    assert np.diff(objective).max() <= 1e-6 * objective[0]


def test_admm_refuses_what_couples_samples(matrix: Matrix) -> None:
    with pytest.raises(InputError, match="auto"):
        NMF(3, solver="admm", constraints=[Resolution(1.9)]).fit(matrix)


def test_extrapolation_solves_a_linear_sequence(matrix: Matrix) -> None:
    """A contraction of two directions is solved by a memory of two."""
    problem = Work(matrix, replace(NMF(1).plan_for(matrix), dtype="float64")).problem()
    rng = np.random.default_rng(3)
    goal, one, two = (rng.random((1, 9, 11)) + 1 for _ in range(3))
    state, anderson = goal + 0.3 * one + 0.2 * two, Anderson(problem.patterns, depth=2)
    sizes = np.array([0.3, 0.2])
    for _ in range(3):
        sizes = sizes * [0.9, 0.7]
        end = goal + sizes[0] * one + sizes[1] * two
        anderson.remember(state, end)
        state = end
    ahead = anderson.ahead()
    assert np.abs(ahead - goal).max() < 1e-3 * np.abs(state - goal).max()
    anderson.forget()
    assert anderson.ahead() is None


@pytest.fixture(scope="module")
def glass():
    scan, _ = phantoms.glass(scan=(24, 29), detector=(31, 26), precipitates=4, dose=1e4, seed=2)
    mean = np.asarray(scan.data, float).mean(axis=(0, 1))
    return replace(scan, pixel_weights=np.where(mean < 200, 1 / np.maximum(mean, 1e-2), 0))


PHYSICS = (Resolution(1.9), SpotShape(1.2), Sparse(1.0))


def test_anchor_is_exact_where_one_factor_is(glass) -> None:
    model = NMF(5, constraints=PHYSICS)
    matrix = model.matrix_of(glass)
    plan = replace(model.plan_for(matrix), dtype="float64")
    work = Work(matrix, plan)
    problem = work.problem()
    low = sketch(work.products, matrix, width=20, engine=ENGINE, dtype="float64")
    z = plan.start.make(problem, sketch=lambda: low, seed=0)
    anchor = Anchor.at(problem, low, *z)
    w, h = (
        problem.maps.weighted(problem.maps.forward(z[0])),
        problem.patterns.weighted(problem.patterns.forward(z[1])),
    )
    X = np.asarray(glass.data, float).reshape(24 * 29, 31 * 26)
    used = matrix.pixel_weights > 0
    np.testing.assert_allclose(anchor.with_patterns(h), h @ X.T, rtol=2e-4)
    found, wanted = anchor.with_maps(w)[:, used], (w @ X)[:, used]
    assert np.linalg.norm(found - wanted) < 2e-4 * np.linalg.norm(wanted)
    roots = np.sqrt(matrix.position_weights)[:, None], np.sqrt(matrix.pixel_weights)
    stand_in = roots[0] * (anchor.rows.T @ anchor.columns) * roots[1]
    assert np.linalg.norm(stand_in) <= np.linalg.norm(roots[0] * X * roots[1]) * (1 + 1e-6)


@pytest.mark.slow
def test_anchors_book_the_exact_objective_and_never_rise(glass) -> None:
    model = NMF(5, constraints=PHYSICS, tol=1e-6)
    factors = model.factorize(glass)
    objective = np.array(factors.convergence.objective)
    assert factors.settings["sketch_sweeps"] > 0
    assert np.diff(objective).max() <= 1e-6 * objective[0]
    exact = NMF(
        5, constraints=PHYSICS, start=given(model, glass), sketch_sweeps=0, max_iter=60, tol=1e-6
    ).factorize(glass)
    # nothing is left to gain for ordinary exact sweeps from the same kind of start
    assert objective[-1] <= exact.convergence.objective[-1] * (1 + 2e-3)


def given(model: NMF, glass):
    """Return the start from which the anchors began."""
    matrix = model.matrix_of(glass)
    plan = model.plan_for(matrix)
    work = Work(matrix, plan)
    _, sweep = solve(work.sketch, plan)
    from unmixel.factorize.start import GivenStart

    return GivenStart(sweep.z_maps, sweep.z_patterns)


def test_a_pass_an_anchor_whatever_the_constraints(glass) -> None:
    reads = []

    class Counted:
        shape, dtype, ndim = glass.data.shape, glass.data.dtype, 4

        def __getitem__(self, index):
            reads.append(index)
            return np.asarray(glass.data)[index]

    lazy = replace(glass, data=da.from_array(Counted(), chunks=(24, 29, 31, 26), asarray=False))
    counts = []
    for max_iter in (2, 5):
        reads.clear()
        NMF(3, constraints=PHYSICS, tol=0, max_iter=max_iter, memory_budget=2_000_000).factorize(lazy)
        counts.append(len(reads))
    blocks = (counts[1] - counts[0]) / 3
    assert counts[0] == blocks * 7, "3 passes of the sketch, 3 anchors, 1 residual"
