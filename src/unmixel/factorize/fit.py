"""One factorisation from beginning to end: sketch, solve, polish, exact residual."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.results import Convergence, Residual
from unmixel.factorize.closing import Closed, close, finished, host_factor, to_the_end
from unmixel.factorize.constraints.support import Support
from unmixel.factorize.contracts import Descent
from unmixel.factorize.descent import Sweep
from unmixel.factorize.draft import Draft
from unmixel.factorize.edge import n_spread
from unmixel.factorize.least_squares import LeastSquares
from unmixel.factorize.losses.frobenius import Frobenius
from unmixel.factorize.plan import Plan
from unmixel.factorize.polish import polish_by_anchors
from unmixel.factorize.problem import Problem
from unmixel.factorize.products import products_of
from unmixel.factorize.refine import continued, refine, refined_width
from unmixel.factorize.significance import Evidence
from unmixel.factorize.solve import first, solve
from unmixel.factorize.state import SketchState, State
from unmixel.factorize.stretching import Widths, open_widths
from unmixel.factorize.thinning import divisible, thinned
from unmixel.factorize.widths import fitted_widths
from unmixel.factorize.work import OnSketch, Work

OnSweep = Callable[[State], None]


@dataclass(frozen=True, eq=False)
class Fit:
    """Factors on the host and how they came about.

    Parameters
    ----------
    maps : ndarray, shape (k, n)
    patterns : ndarray, shape (k, m)
        Each sums to 1 over used pixels (all-zero ones stay zero).
    convergence : Convergence
    misfit : float
        Exact ``sqrt(sum r w (X - W H)^2)``.
    residual : Residual
    noise : float
        What penalties were tied to; NaN where nothing asked.
    notes : dict
        ``held_in_memory``, ``sketch_sweeps``, ``noise``, ``refinements``, ``spread`` (how many components fill the
        scan) and ``widths`` (how wide kernels are), where a constraint asked: what was done in words and numbers.
    """

    maps: NDArray[Any]
    patterns: NDArray[Any]
    convergence: Convergence
    misfit: float
    residual: Residual
    noise: float
    notes: dict[str, Any]

    def told(self, name: str, order: NDArray[np.intp]) -> list[Any] | None:
        """Return what the last refinement that says it told of each component, in an order; None where none did.

        ``significance`` on counts set aside, ``agreement`` of several runs.
        """
        for told in reversed(self.notes["refinements"]):
            if len(told.get(name, ())) == len(order):
                return [told[name][k] for k in order]
        return None


def fit(
    matrix: Matrix,
    plan: Plan,
    *,
    on_sweep: OnSweep | None = None,
    on_sketch: OnSketch | None = None,
    resume: State | None = None,
    sketch: SketchState | None = None,
) -> Fit:
    """Return the factorisation of a matrix.

    Parameters
    ----------
    matrix : Matrix
    plan : Plan
    on_sweep : callable, optional
        Told the state after the solve on the sketch, after every exact sweep, and when the maps have settled;
        whatever it raises ends the fit.
    on_sketch : callable, optional
        Told where the sketch stands after each of its passes over the data.
    resume : State, optional
        Go on from here: nothing that was done before is done again, but a sketch that is needed and not given.
    sketch : SketchState, optional
        Where the sketch stood.
    """
    work = Work(matrix, plan, on_sketch=on_sketch, earlier=sketch)
    if resume is not None:
        work.known_noise, work.known_norm2 = resume.noise, resume.norm2
    with plan.engine.threads():
        if plan.refinements:
            work.width = refined_width(plan)
        if open_widths(plan.constraints):
            work.widths = _widths(work, resume)
            work.plan = plan = replace(plan, constraints=work.widths.applied(plan.constraints))
        if plan.is_open:
            work.spread = n_spread(work.sketch)
            work.plan = plan = plan.settled(work.spread)
        if resume is not None:
            if plan.refinements:
                work.support = tuple(Support(places) for places in (resume.places,) if places.size)
                work.plan = continued(plan, len(resume.maps), work.support)
            work.refined = tuple(json.loads(resume.refined or "[]"))
            draft = None
        else:
            draft = _refined(work) if plan.refinements else None
            # either checks the data in its first pass
            _ = work.sketch if work.sketched else work.products.norm2
        problem = work.problem()
        descent = plan.loss.descent(matrix, problem, plan.solver, budget=plan.budget)
        begin, warm = (
            _begin(work, problem, draft)
            if resume is None
            else (_where(problem, resume), resume.sketch_sweeps)
        )
        if isinstance(descent, LeastSquares) and begin.by_maps is not None:
            descent.recall(begin.z_maps, begin.by_maps)

        def tell(now: Sweep) -> None:
            if on_sweep is not None:
                on_sweep(_state(work, problem, descent, now, warm))

        if resume is None and work.sketched:
            tell(begin)
        # the first fall after a sketch is what the sketch had missed, and says nothing of the pace of the sweeps
        rule = replace(plan.rule, window=1) if work.sketched else plan.rule
        data = matrix, work.reader
        if work.sketched and isinstance(descent, LeastSquares) and not problem.maps.separable:
            inner = replace(plan.rule, max_sweeps=plan.sketch_sweeps, tol=0.3 * plan.rule.tol or 1e-6)
            sweep, met = polish_by_anchors(problem, work.sketch, plan.solver, begin, rule, inner, tell)
            closed, why = close(data, problem, descent, sweep), (met, rule.reason(met))
        else:
            sweep, closed, why = to_the_end(data, problem, descent, begin, rule, tell)
        return _finished(work, closed, sweep, why, warm)


def maps_for(matrix: Matrix, patterns: NDArray[Any], plan: Plan, noise: float) -> NDArray[Any]:
    """Return the maps (k, n) of a matrix for known patterns (k, m), under the plan's constraints on maps."""
    own = tuple(c for c in plan.constraints if c.side == "maps")
    work = Work(matrix, replace(plan, constraints=own), noise)
    with plan.engine.threads():
        problem = work.problem()
        descent = plan.loss.descent(matrix, problem, plan.solver, budget=plan.budget)
        side = problem.patterns
        h = side.fold(plan.engine.asarray(np.ascontiguousarray(patterns), plan.dtype))
        norms = problem.maps.column(side.norms(h))
        xp = problem.xp
        overlap = problem.maps.fold(work.products.with_patterns(side.weighted(h)))
        z = problem.maps.project(overlap / xp.where(norms > 0, norms, xp.ones_like(norms)) ** 2)
        return host_factor(problem.maps, problem.maps.forward(descent.settle(z, h)))


def _widths(work: Work, resume: State | None) -> Widths:
    """Return how wide the kernels are whose widths are open; those of a state that a fit goes on from."""
    if resume is not None and resume.widths:
        return Widths.of(json.loads(resume.widths))
    return fitted_widths(work)


def _refined(work: Work) -> Draft:
    """Return which components there are; the work goes on with as many.

    Where a refinement asks for counts that no fit has seen, a share of the electrons is set aside, and the components
    are found in the rest: only later do they see all.
    """
    plan, width = work.plan, work.width
    share = max((getattr(step, "held_out", 0.0) for step in plan.refinements), default=0.0)
    evidence, inner = None, work
    if share and divisible(work.matrix):
        rest, aside = thinned(work.weighed, share=share, seed=plan.seed)
        products = products_of(aside, plan.engine, dtype=plan.dtype, budget=plan.budget)
        inner = Work(rest, replace(plan, loss=Frobenius()), width=width)
        evidence = Evidence(products, share, inner.noise() / np.sqrt(1 - share))
    draft, work.refined = refine(inner.sketch, plan, noise=inner.noise, evidence=evidence)
    work.support = draft.support
    work.plan = continued(plan, draft.n_components, work.support)
    return draft


def _begin(work: Work, problem: Problem, draft: Draft | None = None) -> tuple[Sweep, int]:
    """Return the state before the first exact sweep and the number of sweeps done on the sketch."""
    plan = work.plan
    if not work.sketched:
        if draft is not None:
            return Sweep(draft.z_maps, draft.z_patterns, []), 0
        return Sweep(*first(plan, problem, lambda: work.sketch), []), 0
    z = None if draft is None else (draft.z_maps, draft.z_patterns)
    _, warm = solve(work.sketch, plan, noise=work.noise, begin=z)
    return Sweep(warm.z_maps, warm.z_patterns, []), len(warm.objective) - 1


def _state(work: Work, problem: Problem, descent: Descent, sweep: Sweep, warm: int) -> State:
    host, maps, patterns = problem.maps.engine.to_host, problem.maps, problem.patterns
    by_maps = sweep.by_maps
    if by_maps is None and isinstance(descent, LeastSquares):
        by_maps = descent.known_by(sweep.z_maps)
    trail = [[host(patterns.flat(point)) for point in points] for points in sweep.trail]
    known = {"by_patterns": sweep.by_patterns, "by_maps": by_maps}
    if sweep.settled is not None:
        known["settled"] = maps.flat(sweep.settled)
    return State(
        sweep=max(0, len(sweep.objective) - 1),
        objective=tuple(sweep.objective),
        maps=host(maps.flat(sweep.z_maps)),
        patterns=host(patterns.flat(sweep.z_patterns)),
        noise=work.known_noise,
        trail=np.array(trail) if trail else np.zeros((0, 2, 0, 0)),
        norm2=work.products.norm2,
        sketch_sweeps=warm,
        refined=json.dumps(work.refined) if work.refined else "",
        widths="" if work.widths is None else json.dumps(work.widths.told()),
        places=work.support[0].places if work.support else np.zeros(0, bool),
        shown=lambda: finished(problem, sweep),
        **{key: host(value) for key, value in known.items() if value is not None},
    )


def _where(problem: Problem, state: State) -> Sweep:
    """Return a state as arrays of the engine."""
    maps, patterns = problem.maps, problem.patterns
    wanted = (problem.n_components, maps.grid.size), (problem.n_components, patterns.grid.size)
    if (state.maps.shape, state.patterns.shape) != wanted:
        raise InputError(
            "resume",
            expected=f"maps and patterns of shapes {wanted[0]} and {wanted[1]}",
            got=f"{state.maps.shape} and {state.patterns.shape}",
            hint="go on with the same data and settings, or begin anew",
        )

    def there(values: NDArray[Any]) -> Any:
        return maps.engine.asarray(np.ascontiguousarray(values), maps.dtype)

    return Sweep(
        maps.fold(there(state.maps)),
        patterns.fold(there(state.patterns)),
        list(state.objective),
        tuple((patterns.fold(there(begin)), patterns.fold(there(end))) for begin, end in state.trail),
        by_patterns=there(state.by_patterns) if state.by_patterns.size else None,
        by_maps=there(state.by_maps) if state.by_maps.size else None,
        settled=maps.fold(there(state.settled)) if state.settled.size else None,
    )


def _finished(work: Work, closed: Closed, sweep: Sweep, why: tuple[bool, str], warm: int) -> Fit:
    """Return the fit from what the last pass found."""
    misfit2, norm2 = closed.misfit2, closed.norm2
    convergence = Convergence(
        objective=tuple(sweep.objective),
        relative_error=float(np.sqrt(misfit2 / norm2)) if norm2 > 0 else 0.0,
        n_sweeps=len(sweep.objective) - 1,
        converged=why[0],
        reason=why[1],
    )
    notes = {
        "held_in_memory": work.reader.kept_as,
        "sketch_sweeps": warm,
        "noise": None if not np.isfinite(work.known_noise) else work.known_noise,
        "refinements": list(work.refined),
        "spread": work.spread,
        "widths": None if work.widths is None else work.widths.told(),
    }
    factors = closed.maps, closed.patterns
    return Fit(*factors, convergence, float(np.sqrt(misfit2)), closed.residual, work.known_noise, notes)
