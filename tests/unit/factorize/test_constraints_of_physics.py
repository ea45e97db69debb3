"""What the constraints of this issue promise, each against numbers worked out another way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel import (
    NMF,
    Friedel,
    Isotropic,
    NoDips,
    Pinned,
    Relevance,
    Resolution,
    SoftOrthogonal,
    Sparse,
    TotalIntensity,
)
from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.matrix import Grid, Matrix
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.binding import bind
from unmixel.factorize.contracts import Context
from unmixel.factorize.products import products_of
from unmixel.pipeline.recipe import Recipe

GRID = Grid((13, 18), (1.0, 1.0))


def bound(constraint, grid: Grid = GRID, *, k: int = 3, weights=None, **how):
    weights = np.ones(grid.shape) if weights is None else weights
    return constraint.bind(Context(grid, k, NumpyEngine(1), "float64", weights, **how))


def image(f, centre, shape=GRID.shape):
    v, u = np.indices(shape)
    return f(v - centre[0], u - centre[1])


# centre


def test_centre_is_the_zero_of_the_axes_or_what_is_given() -> None:
    axes = Axis("v", 13, scale=0.5, offset=-2.6), Axis("u", 18, scale=-0.5, offset=4.0)
    grid = Grid.of(axes)
    assert grid.centre() == pytest.approx((5.2, 8.0))
    assert grid.centre((6.0, 7.5)) == (6.0, 7.5)


@pytest.mark.parametrize("given_centre", [None, (0.0, 5.0), (5.0,), (5.0, 17.0), (5.0, float("nan"))])
def test_a_centre_that_is_not_inside_is_refused(given_centre) -> None:
    with pytest.raises(InputError, match="center"):
        GRID.centre(given_centre)


# isotropic


def test_isotropic_patterns_have_one_value_per_radius() -> None:
    centre = (6.0, 8.5)
    z = np.random.default_rng(0).random((3, *GRID.shape))
    f = bound(Isotropic((1,), centre)).forward(z)
    np.testing.assert_array_equal(f[[0, 2]], z[[0, 2]])
    radius = image(np.hypot, centre).round(9)
    for r in np.unique(radius):
        assert np.ptp(f[1][radius == r]) < 1e-12
    # the rings join by straight lines: a cone stays a cone where rings are whole
    cone = bound(Isotropic((0,), centre)).forward(10 - image(np.hypot, centre)[None])[0]
    inside = (radius > 1.5) & (radius < 5)
    np.testing.assert_allclose(cone[inside], (10 - radius)[inside], atol=0.12)


def test_isotropic_keeps_what_is_flat_and_refuses_components_that_are_not_there() -> None:
    flat = np.full((3, *GRID.shape), 2.5)
    np.testing.assert_allclose(bound(Isotropic((0, 1, 2), (6.3, 8.1))).forward(flat), flat)
    with pytest.raises(InputError, match="components below 3"):
        bound(Isotropic((3,), (6.0, 8.0)))


# friedel


@pytest.mark.parametrize("centre", [(6.0, 8.5), (5.5, 9.0), (6.0, 6.5)])
def test_friedel_is_exact_at_half_pixels(centre) -> None:
    z = np.random.default_rng(1).random((3, *GRID.shape))
    f = bound(Friedel(centre=centre)).forward(z)
    index = np.indices(GRID.shape)
    mirror = (2 * np.array(centre)[:, None, None] - index).astype(int)
    inside = np.all([(m >= 0) & (m < n) for m, n in zip(mirror, GRID.shape, strict=True)], axis=0)
    assert inside.sum() > 100
    here = f[:, inside]
    there = f[:, mirror[0][inside], mirror[1][inside]]
    np.testing.assert_array_equal(here, there)
    np.testing.assert_array_equal(f[:, ~inside], z[:, ~inside])


@settings(max_examples=20, deadline=None)
@given(st.floats(4.5, 7.5), st.floats(7.0, 10.0))
def test_friedel_finds_its_centre_between_pixels(row: float, column: float) -> None:
    # of a wide spot far from the centre, the operator makes two whose mean place is the centre
    def spot(v, u):
        return np.exp(-((v - 1.3) ** 2 + (u - 2.1) ** 2) / 2)

    z = image(spot, (row, column))[None]
    f = bound(Friedel(centre=(row, column)), k=1).forward(z)[0]
    place = [float((f * x).sum() / f.sum()) for x in np.indices(GRID.shape)]
    assert place == pytest.approx([row, column], abs=0.02)


# no dips


def test_no_dips_sees_dips_only() -> None:
    narrow = bound(NoDips(1.0, reach=1), k=1)

    def spot(v, u):
        return np.exp(-(v**2 + u**2) / 8)

    peak = image(spot, (6.2, 8.7))[None]
    slope = (np.indices(GRID.shape).sum(axis=0) ** 2.0)[None]
    assert narrow.value(peak)[0] < 1e-12 * (peak**2).sum()
    assert narrow.value(slope)[0] == 0
    holed = peak.copy()
    holed[0, 6, 9] = 0
    assert narrow.value(holed)[0] > 1e-2
    downhill = -narrow.gradient(holed)[0]
    assert downhill[6, 9] == downhill.max() > 0
    # the second derivative at a dip whose rises are equal, by hand: u^2 / 2 over 4 offsets, u = 1
    alone = np.ones((1, *GRID.shape))
    alone[0, 6, 9] = 0
    assert narrow.value(alone)[0] == pytest.approx(0.5)


def test_no_dips_knows_no_masked_pixels() -> None:
    weights = np.ones(GRID.shape)
    weights[5:8, 7:10] = 0
    dark = np.ones((1, *GRID.shape))
    dark[0, 5:8, 7:10] = 0
    assert bound(NoDips(1.0, reach=2), k=1, weights=weights).value(dark)[0] == 0
    assert bound(NoDips(1.0, reach=2), k=1).value(dark)[0] > 0


def test_no_dips_fills_the_hole_that_another_component_punched() -> None:
    rng = np.random.default_rng(3)
    halo = image(lambda v, u: 4 * np.exp(-(v**2 + u**2) / 60), (6, 8))
    spot = image(lambda v, u: 3 * np.exp(-(v**2 + u**2) / 1.5), (4, 12))
    maps = np.stack([0.7 + 0.3 * rng.random(120), (np.arange(120) < 90) * rng.uniform(0.7, 1.0, 120)])
    X = rng.poisson(np.tensordot(maps, np.stack([halo, spot]), axes=(0, 0)).reshape(120, -1)).astype(float)
    model = {"pattern_shape": GRID.shape, "start": "random", "max_iter": 60, "tol": 0, "sketch_sweeps": 0}

    def dip(*constraints) -> float:
        patterns = NMF(2, constraints=constraints, **model).fit(X).components_.reshape(2, *GRID.shape)
        return float(np.sum(bound(NoDips(1.0, reach=2)).value(patterns) / (patterns**2).sum(axis=(1, 2))))

    assert dip(NoDips(3.0, reach=2)) < 0.35 * dip()


# total intensity


def test_maps_of_a_flickering_beam_are_shares_of_it() -> None:
    rng = np.random.default_rng(4)
    current = rng.uniform(0.4, 1.0, (11, 12))
    grid = Grid((11, 12), (1.0, 1.0))
    both = (TotalIntensity(current), Resolution(2.5))
    problem_maps = bind(
        Matrix.from_array(np.ones((132, 7)), scan_shape=(11, 12)), None, both, n_components=2,
        engine=NumpyEngine(1), dtype="float64",
    ).maps  # fmt: skip
    z = rng.random((2, 11, 12))
    blurred = bound(Resolution(2.5), grid, k=2).forward(z)
    np.testing.assert_allclose(problem_maps.forward(z), blurred * current / current.mean())


@pytest.mark.parametrize("total", [np.ones(7), np.zeros((13, 18)), np.full((13, 18), -1.0)])
def test_a_total_that_cannot_be_is_refused(total) -> None:
    with pytest.raises(InputError, match="TotalIntensity"):
        bound(TotalIntensity(total))


def test_a_pinned_map_stays_as_it_is_beside_a_total() -> None:
    current = np.random.default_rng(5).uniform(0.4, 1.0, (11, 12))
    known = np.random.default_rng(6).random((11, 12))
    side = bind(
        Matrix.from_array(np.ones((132, 7)), scan_shape=(11, 12)), None,
        (Pinned(known, side="maps"), TotalIntensity(current)), n_components=2, engine=NumpyEngine(1), dtype="float64",
    ).maps  # fmt: skip
    np.testing.assert_allclose(side.forward(side.ones())[0], known / np.linalg.norm(known))


# relevance


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 30))
def test_relevance_solves_its_proximal_step(seed: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    z, step = rng.normal(size=(3, 5, 7)), rng.uniform(0, 2, (3, 5, 7))
    operator = bound(Relevance(weight), Grid((5, 7), (1.0, 1.0)))
    u = operator.prox(z, step)
    t = weight * (np.sqrt(35) + 1)
    for k in range(3):
        norm = np.linalg.norm(u[k])
        if norm:  # z - u = t step u / |u| on what stays
            np.testing.assert_allclose(np.maximum(z[k], 0) - u[k], t * step[k] * u[k] / norm, atol=1e-7)
        else:  # the pull of 0 is stronger than z
            pulled = np.divide(np.maximum(z[k], 0), step[k], out=np.zeros((5, 7)), where=step[k] > 0)
            assert np.linalg.norm(pulled) <= t * (1 + 1e-9)


def test_relevance_follows_the_soft_threshold_in_any_order() -> None:
    matrix = Matrix.from_array(np.ones((20, 9)))
    sides = [
        bind(matrix, None, order, n_components=2, engine=NumpyEngine(1), dtype="float64").maps
        for order in ((Sparse(0.3), Relevance(0.05)), (Relevance(0.05), Sparse(0.3)))
    ]
    z = np.random.default_rng(7).normal(size=(2, 20))
    one, two = (side.prox(z, np.full((2, 20), 0.5), np.ones(2)) for side in sides)
    np.testing.assert_array_equal(one, two)


def test_relevance_empties_components_that_are_not_needed() -> None:
    rng = np.random.default_rng(8)
    X = rng.poisson(rng.gamma(0.5, size=(80, 2)) @ rng.gamma(0.5, size=(2, 60)) * 20).astype(float)
    matrix = replace(Matrix.from_array(X), pixel_weights=1 / np.maximum(X.mean(axis=0), 1e-3))

    def alive(*constraints) -> int:
        model = NMF(6, constraints=constraints, max_iter=150, tol=0)
        return int(np.count_nonzero(model.fit_transform(matrix).sum(axis=0)))

    assert alive() == 6
    assert alive(Relevance(1.5)) == 2


# soft orthogonality


def test_overlap_does_not_change_when_partners_trade_scale() -> None:
    rng = np.random.default_rng(9)
    matrix = Matrix.from_array(rng.random((20, 9)))
    products = products_of(matrix, NumpyEngine(1), dtype="float64", budget=10**6)
    problem = bind(
        matrix,
        products,
        (SoftOrthogonal(0.4, spare=1),),
        n_components=4,
        engine=NumpyEngine(1),
        dtype="float64",
    )
    maps, patterns = rng.random((4, 20)), rng.random((4, 9))
    length = np.linalg.norm(patterns, axis=1)
    by_hand = sum(
        0.4 * (maps[j] @ maps[k]) * length[j] * length[k] for j in range(1, 4) for k in range(j + 1, 4)
    )
    assert problem.penalty(maps, patterns) == pytest.approx(by_hand)
    trade = np.array([3.0, 0.2, 5.0, 1.0])[:, None]
    assert problem.penalty(maps * trade, patterns / trade) == pytest.approx(by_hand)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_the_ridge_of_coupled_components_bounds_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = Matrix.from_array(rng.random((20, 9)))
    side = bind(
        matrix, None, (SoftOrthogonal(0.4),), n_components=4, engine=NumpyEngine(1), dtype="float64"
    ).maps
    maps, now, then = rng.random((4, 20)), rng.uniform(0.1, 2, 4), rng.uniform(0, 3, 4)
    ridge = side.ridge(maps, maps, now)
    rise = float(side.penalty(maps, maps, then) - side.penalty(maps, maps, now))
    assert rise <= 0.5 * float(ridge @ (then**2 - now**2)) + 1e-9


def test_soft_orthogonality_parts_maps() -> None:
    rng = np.random.default_rng(10)
    X = rng.poisson(rng.gamma(0.5, size=(80, 3)) @ rng.gamma(0.5, size=(3, 60)) * 20).astype(float)

    def overlap(*constraints) -> float:
        maps = NMF(3, constraints=constraints, random_state=1).fit_transform(X).T
        unit = maps / np.linalg.norm(maps, axis=1, keepdims=True)
        return float((unit @ unit.T).sum() - 3)

    assert overlap(SoftOrthogonal(0.1)) < 0.5 * overlap()


# recipes


def test_recipes_take_all_of_them() -> None:
    entries = [
        {"isotropic": {"components": [0], "centre": [5.5, 6.0]}},
        {"friedel": {"centre": [5.5, 6.0]}},
        {"no_dips": {"weight": 1.0, "reach": 2}},
        {"soft_orthogonal": {"weight": 0.1, "spare": 1}},
        {"relevance": {"weight": 0.1}},
    ]
    recipe = Recipe.from_dict({"version": 1, "factorize": {"constraints": entries}})
    made = [entry.build("constraints") for entry in recipe.factorize.constraints]
    assert [one.name for one in made] == [next(iter(entry)) for entry in entries]
    assert made[0].centre == (5.5, 6.0)
    assert Recipe.from_dict(recipe.to_dict()) == recipe


# the likelihood of counts


def test_the_likelihood_takes_what_couples_components_and_refuses_what_couples_samples() -> None:
    rng = np.random.default_rng(11)
    X = rng.poisson(rng.gamma(0.5, size=(40, 3)) @ rng.gamma(0.5, size=(3, 30)) * 20).astype(float)
    how = {"loss": "kl", "max_iter": 25, "tol": 0, "pattern_shape": (6, 5)}
    physics = (SoftOrthogonal(0.2), NoDips(0.3), Friedel(centre=(2.5, 2.0)))
    objective = np.array(NMF(3, constraints=physics, **how).fit(X).convergence_.objective)
    assert np.diff(objective).max() <= 1e-9 * objective[0]
    assert objective[-1] < objective[0]
    with pytest.raises(InputError, match="frobenius"):
        NMF(3, constraints=(Relevance(),), **how).fit(X)
