"""Between the solve on the sketch and the exact sweeps: which components there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from unmixel.factorize.descent import Sweep, descend
from unmixel.factorize.draft import Draft, SetAside
from unmixel.factorize.least_squares import LeastSquares
from unmixel.factorize.plan import Plan
from unmixel.factorize.sketch import Sketch
from unmixel.factorize.solve import closed, set_apart, solve

Told = tuple[dict[str, Any], ...]

WORTH = 5.0
"""Sweeps on the sketch go on while one explains so many times the variance of the noise, for each component."""


def patient(plan: Plan, low: Sketch) -> Plan:
    """Return the plan with a tolerance that does not grow with the data.

    Nearly all of the objective is noise, half its variance in every entry, so a share of it is worth more the larger
    the scan is: what ends too early leaves errors that are significant on electrons set aside.

    Parameters
    ----------
    plan : Plan
    low : Sketch
        For the number of entries that have a weight.
    """
    entries = int(np.count_nonzero(low.root_positions)) * int(np.count_nonzero(low.root_pixels))
    tol = min(plan.rule.tol, 2 * WORTH * plan.n_components / max(1, entries))
    return replace(plan, rule=replace(plan.rule, tol=tol))


def refine(
    low: Sketch,
    plan: Plan,
    *,
    noise: Callable[[], float],
    evidence: SetAside | None,
) -> tuple[Draft, Told]:
    """Return components after the solve on a sketch and every refinement of the plan, and what each did.

    Parameters
    ----------
    low : Sketch
    plan : Plan
    noise : callable () -> float
        What penalties are tied to.
    evidence : SetAside, optional
        Of counts that the sketch does not hold.
    """
    plan = patient(closed(plan, lambda: low), low)
    problem, end = solve(low, plan, noise=noise, tol=plan.rule.tol)
    draft = Draft(low, problem, end.z_maps, end.z_patterns, set_apart(plan, low), evidence)
    told = []
    for step in plan.refinements:
        draft, done = step.refine(draft)
        told.append({"step": step.name, **done})
        draft = _solved(draft, low, plan, noise)
    return draft, tuple(told)


def _solved(draft: Draft, low: Sketch, plan: Plan, noise: Callable[[], float]) -> Draft:
    """Return a draft after sweeps on the sketch, constraints bound for its number of components."""
    own = replace(plan, n_components=draft.n_components)
    problem = own.problem(low, low, noise)
    rule = replace(plan.rule, max_sweeps=plan.sketch_sweeps)
    end, _ = descend(
        problem, LeastSquares(problem, plan.solver), Sweep(draft.z_maps, draft.z_patterns, []), rule
    )
    return replace(draft, problem=problem, z_maps=end.z_maps, z_patterns=end.z_patterns)
