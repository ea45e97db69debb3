"""The second act: the factorisation of a sketch, where a sweep costs next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from unmixel.factorize.binding import Frame
from unmixel.factorize.contracts import Array
from unmixel.factorize.descent import Sweep, descend
from unmixel.factorize.edge import n_spread, only_spread
from unmixel.factorize.least_squares import LeastSquares
from unmixel.factorize.plan import Plan
from unmixel.factorize.problem import Problem
from unmixel.factorize.sketch import Sketch
from unmixel.factorize.start import GivenStart


def closed(plan: Plan, low: Sketch) -> Plan:
    """Return the plan with nothing left open: the sketch tells what fills the scan."""
    return plan.settled(n_spread(low)) if plan.is_open else plan


def set_apart(plan: Plan, frame: Frame) -> int:
    """Return how many leading components constraints set apart: spared by a penalty, or pinned."""
    grids = {"maps": frame.scan_grid, "patterns": frame.pattern_grid}
    return max((c.leading(grids[c.side]) for c in plan.constraints if hasattr(c, "leading")), default=0)


def first(plan: Plan, problem: Problem, low: Callable[[], Sketch]) -> tuple[Array, Array]:
    """Return the plan's start; where several components fill the scan, what they are is found out first.

    They are factorised by themselves, on the directions of the sketch that fill the scan, and take the place of the
    components of the start that have the most light. Nothing is changed where the start is given, or where more
    components are spared than there are such directions.

    Parameters
    ----------
    plan : Plan
        With nothing left open.
    problem : Problem
    low : callable () -> Sketch
        Asked for by starts that need one.
    """
    z_maps, z_patterns = plan.start.make(problem, sketch=low, seed=plan.seed)
    apart = max((getattr(c, "n_spared", 0) for c in plan.constraints), default=0)
    if not 2 <= apart < plan.n_components or isinstance(plan.start, GivenStart):
        return z_maps, z_patterns
    filling = only_spread(low())
    if len(filling.values) < apart:
        return z_maps, z_patterns
    xp = problem.xp
    light = [
        np.asarray(side.engine.to_host(xp.sum(side.flat(z), axis=1)), np.float64)
        for side, z in ((problem.maps, z_maps), (problem.patterns, z_patterns))
    ]
    rest = np.sort(np.argsort(-(light[0] * light[1]), kind="stable")[apart:])
    _, leaders = solve(filling, replace(plan, n_components=apart), noise=lambda: 1.0)
    return tuple(
        xp.concat([leader, xp.stack([z[int(i)] for i in rest])])
        for leader, z in ((leaders.z_maps, z_maps), (leaders.z_patterns, z_patterns))
    )


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
    plan = closed(plan, low)
    problem = plan.problem(low, low, noise or (lambda: low.noise))
    plan.solver.check(problem)
    z = begin or first(plan, problem, lambda: low)
    tol = 0.3 * plan.rule.tol if tol is None else tol
    rule = replace(plan.rule, max_sweeps=plan.sketch_sweeps, tol=tol)
    sweep, _ = descend(problem, LeastSquares(problem, plan.solver), Sweep(*z, []), rule)
    return problem, sweep
