"""Between the solve on the sketch and the exact sweeps: which components there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unmixel.factorize.constraints.support import Support
from unmixel.factorize.contracts import Start
from unmixel.factorize.descent import Sweep, descend
from unmixel.factorize.draft import Draft, SetAside
from unmixel.factorize.least_squares import LeastSquares
from unmixel.factorize.matched import matched_width
from unmixel.factorize.plan import Plan
from unmixel.factorize.sketch import Sketch
from unmixel.factorize.solve import closed, set_apart, solve

Told = tuple[dict[str, Any], ...]

WORTH = 5.0
"""Sweeps on the sketch go on while one explains so many times the variance of the noise, for each component."""


REFINED = 40
"""Components for which the sketch of a refined fit is wide enough, at least: what is added must be in it."""


def refined_width(plan: Plan) -> int:
    """Return the width of the sketches of a refined fit, whatever becomes of its components.

    Few components of much noise need a sketch as wide; what sees all electrons shares the one of the whole fit.
    """
    return matched_width(max(plan.n_components, REFINED))


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


def continued(plan: Plan, n_components: int, support: Sequence[Support]) -> Plan:
    """Return the plan for another number of components, each in its place where that is known."""
    return replace(plan, n_components=n_components, constraints=(*plan.constraints, *support))


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
    plan = patient(closed(plan, low), low)
    return _Course(low, plan, noise, evidence).run()


@dataclass(frozen=True, eq=False)
class _Course:
    """The solve on a sketch and the refinements of a plan."""

    low: Sketch
    plan: Plan
    noise: Callable[[], float]
    evidence: SetAside | None

    def run(self) -> tuple[Draft, Told]:
        """Return where all of it leads, and what each refinement did."""
        low, plan = self.low, self.plan
        problem, end = solve(low, plan, noise=self.noise, tol=plan.rule.tol)
        draft = Draft(low, problem, end.z_maps, end.z_patterns, set_apart(plan, low), self.evidence)
        told = []
        for number, step in enumerate(plan.refinements):
            so_far = replace(self, plan=replace(plan, refinements=plan.refinements[:number]))
            draft, done = step.refine(replace(draft, course=so_far))
            agreement = {} if draft.agreement is None else {"agreement": draft.agreement.tolist()}
            told.append({"step": step.name, **done, **agreement})
            draft = self.solved(draft)
        return draft, tuple(told)

    def again(self, start: Start, share: float, number: int) -> Draft:
        """Return where all of it leads from another start, with another number of components and another seed."""
        plan = self.plan
        count = max(set_apart(plan, self.low) + 1, round(share * plan.n_components))
        own = replace(plan, start=start, n_components=count, seed=plan.seed + number)
        return replace(self, plan=own).run()[0]

    def solved(self, draft: Draft) -> Draft:
        """Return a draft after sweeps on the sketch, constraints bound for its components."""
        free, held = (continued(self.plan, draft.n_components, places) for places in ((), draft.support))
        problem = held.problem(self.low, self.low, self.noise)
        rule = replace(held.rule, max_sweeps=held.sketch_sweeps)
        begin = Sweep(draft.z_maps, draft.z_patterns, [])
        end, _ = descend(problem, LeastSquares(problem, held.solver), begin, rule)
        # without the places: what comes of these components may be of another number
        problem = free.problem(self.low, self.low, self.noise)
        return replace(draft, problem=problem, z_maps=end.z_maps, z_patterns=end.z_patterns)
