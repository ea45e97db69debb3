"""The second act: the factorisation of a sketch, where a sweep costs next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from unmixel.factorize.contracts import Array
from unmixel.factorize.descent import Sweep, descend
from unmixel.factorize.least_squares import LeastSquares
from unmixel.factorize.plan import Plan
from unmixel.factorize.problem import Problem
from unmixel.factorize.sketch import Sketch


def solve(
    low: Sketch,
    plan: Plan,
    *,
    noise: Callable[[], float] | None = None,
    tol: float | None = None,
    begin: tuple[Array, Array] | None = None,
) -> tuple[Problem, Sweep]:
    """Return the problem of a sketch and where sweeps on it lead from the plan's start.

    Parameters
    ----------
    low : Sketch
    plan : Plan
        At most `sketch_sweeps` sweeps; engine and constraints as for the data themselves.
    noise : callable () -> float, optional
        What penalties are tied to; that of the sketch where it is not given.
    tol : float, optional
        Of the stop rule; 0.3 times the plan's where it is not given, since a sweep over the data costs far more.
    begin : tuple of array, optional
        Z of maps and patterns; the plan's start makes them where they are not given.
    """
    problem = plan.problem(low, low, noise or (lambda: low.noise))
    plan.solver.check(problem)
    z = begin or plan.start.make(problem, sketch=lambda: low, seed=plan.seed)
    tol = 0.3 * plan.rule.tol if tol is None else tol
    rule = replace(plan.rule, max_sweeps=plan.sketch_sweeps, tol=tol)
    sweep, _ = descend(problem, LeastSquares(problem, plan.solver), Sweep(*z, []), rule)
    return problem, sweep
