"""The last pass: what it finds is exact, and what it says of a further sweep is what that sweep would bring."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import unmixel.factorize.closing as closing
from unmixel import NMF, Matrix, Sparse
from unmixel.factorize.closing import close, to_the_end
from unmixel.factorize.descent import StopRule, Sweep, balance
from unmixel.factorize.least_squares import LeastSquares
from unmixel.factorize.work import Work


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    rng = np.random.default_rng(0)
    X = rng.poisson(rng.gamma(0.5, size=(300, 4)) @ rng.gamma(0.5, size=(4, 96)) * 30)
    pixels = rng.uniform(0.2, 2, 96)
    pixels[:6] = 0
    return replace(Matrix.from_array(X, scan_shape=(20, 15), pattern_shape=(8, 12)), pixel_weights=pixels)


def begun(matrix: Matrix, *constraints: object, budget: int = 10**6):
    model = NMF(4, constraints=constraints, memory_budget=budget)
    work = Work(matrix, replace(model.plan_for(matrix), dtype="float64"))
    problem = work.problem()
    rng = np.random.default_rng(1)
    z = balance(problem, rng.random((4, 20, 15)), rng.random((4, 8, 12)))
    return work, problem, LeastSquares(problem, work.plan.solver), Sweep(*z, [])


@pytest.mark.parametrize("budget", [10**6, 100_000])
def test_what_is_left_is_what_a_sweep_from_there_brings(matrix: Matrix, budget: int) -> None:
    work, problem, descent, sweep = begun(matrix, budget=budget)
    closed = close((matrix, work.reader), problem, descent, sweep, ask=True)
    misfit = matrix.data - closed.maps.T @ closed.patterns
    assert closed.misfit2 == pytest.approx(np.sum(misfit**2 @ matrix.pixel_weights))
    best = descent.settle(sweep.z_maps, sweep.z_patterns)
    *_, change = descent.sweep(best, sweep.z_patterns)
    assert closed.left == pytest.approx(-change, rel=1e-6)
    assert np.isnan(close((matrix, work.reader), problem, descent, sweep).left)


def test_a_sweep_is_saved_where_it_would_bring_little(matrix: Matrix, monkeypatch) -> None:
    rule = StopRule(tol=1e-3, window=1)
    work, problem, descent, begin = begun(matrix)
    data = matrix, work.reader
    sweep, closed, (met, reason) = to_the_end(data, problem, descent, begin, rule)
    assert met
    assert "another sweep" in reason
    assert 0 <= closed.left <= rule.tol * sweep.objective[-1]
    monkeypatch.setattr(closing, "SOON", 1.0)
    later, same, (met, reason) = to_the_end(data, problem, descent, begin, rule)
    assert met
    assert "last sweep" in reason
    assert len(later.objective) > len(sweep.objective)
    assert same.misfit2 == pytest.approx(closed.misfit2, rel=10 * rule.tol)


def test_sweeps_go_on_where_there_is_more_to_gain(matrix: Matrix, monkeypatch) -> None:
    monkeypatch.setattr(closing, "SOON", 1e6)  # stops after the first sweep
    work, problem, descent, begin = begun(matrix)
    sweep, closed, (met, _) = to_the_end(
        (matrix, work.reader), problem, descent, begin, StopRule(tol=1e-6, window=1)
    )
    assert met
    assert len(sweep.objective) > 3
    assert np.isnan(closed.left)


@pytest.mark.parametrize("rule", [StopRule(tol=0, max_sweeps=3), StopRule(max_sweeps=2)])
def test_the_limit_of_sweeps_holds(matrix: Matrix, rule: StopRule) -> None:
    work, problem, descent, begin = begun(matrix)
    sweep, _, (met, reason) = to_the_end((matrix, work.reader), problem, descent, begin, rule)
    assert not met
    assert "limit" in reason
    assert len(sweep.objective) == rule.max_sweeps + 1


def test_penalised_patterns_are_not_asked(matrix: Matrix) -> None:
    work, problem, descent, begin = begun(matrix, Sparse(0.1, side="patterns"))
    assert descent.settling(begin.z_maps, begin.z_patterns) is None
    _, closed, (met, _) = to_the_end((matrix, work.reader), problem, descent, begin, StopRule())
    assert met
    assert np.isnan(closed.left)
