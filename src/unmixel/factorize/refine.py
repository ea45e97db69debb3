"""Between the solve on the sketch and the exact sweeps: which components there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.factorize.contracts import Start
from unmixel.factorize.descent import Sweep, descend
from unmixel.factorize.draft import Draft
from unmixel.factorize.least_squares import LeastSquares
from unmixel.factorize.plan import Plan
from unmixel.factorize.problem import Frame
from unmixel.factorize.sketch import Sketch
from unmixel.factorize.solve import solve

Told = tuple[dict[str, Any], ...]


def spared(plan: Plan, low: Frame) -> int:
    """Return how many leading components constraints set apart: spared by a penalty, or pinned."""
    grids = {"maps": low.scan_grid, "patterns": low.pattern_grid}
    return max((c.leading(grids[c.side]) for c in plan.constraints if hasattr(c, "leading")), default=0)


def refine(
    low: Sketch,
    plan: Plan,
    *,
    noise: Callable[[], float],
    evidence: Callable[[Draft], NDArray[np.float64]] | None,
) -> tuple[Draft, Told]:
    """Return components after the solve on a sketch and every refinement of the plan, and what each did.

    Parameters
    ----------
    low : Sketch
    plan : Plan
    noise : callable () -> float
        What penalties are tied to.
    evidence : callable, optional
        Significance on counts that the sketch does not hold, see `Draft`.
    """
    return _Course(low, plan, noise, evidence).run()


@dataclass(frozen=True, eq=False)
class _Course:
    """The solve on a sketch and the refinements of a plan."""

    low: Sketch
    plan: Plan
    noise: Callable[[], float]
    evidence: Callable[[Draft], NDArray[np.float64]] | None

    def run(self) -> tuple[Draft, Told]:
        """Return where all of it leads, and what each refinement did."""
        low, plan = self.low, self.plan
        problem, end = solve(low, plan, noise=self.noise, tol=plan.rule.tol)
        draft = Draft(low, problem, end.z_maps, end.z_patterns, spared(plan, low), self.evidence)
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
        count = max(spared(plan, self.low) + 1, round(share * plan.n_components))
        own = replace(plan, start=start, n_components=count, seed=plan.seed + number)
        return replace(self, plan=own).run()[0]

    def solved(self, draft: Draft) -> Draft:
        """Return a draft after sweeps on the sketch, constraints bound for its number of components."""
        own = replace(self.plan, n_components=draft.n_components)
        problem = own.problem(self.low, self.low, self.noise)
        rule = replace(own.rule, max_sweeps=own.sketch_sweeps)
        begin = Sweep(draft.z_maps, draft.z_patterns, [])
        end, _ = descend(problem, LeastSquares(problem, own.solver), begin, rule)
        return replace(draft, problem=problem, z_maps=end.z_maps, z_patterns=end.z_patterns)
