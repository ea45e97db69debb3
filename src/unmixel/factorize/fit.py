"""One factorisation from beginning to end: start, sweeps on the sketch, exact sweeps, exact residual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.dataset.results import Convergence, Residual
from unmixel.engines.blocks import DEFAULT_BUDGET, BlockReader
from unmixel.factorize.contracts import Array, Constraint, Loss, Products, Solver, Start, State
from unmixel.factorize.problem import Problem, bind
from unmixel.factorize.residual import residual
from unmixel.factorize.sketch import Sketch, sketch
from unmixel.factorize.start import GivenStart
from unmixel.factorize.sweeps import StopRule, Sweep, alternate, balance, data_target, update

OnSweep = Callable[[State], None]


@dataclass(frozen=True, eq=False)
class Plan:
    """All settings of a factorisation, every plug-in an object.

    Parameters
    ----------
    n_components : int
    constraints : tuple of Constraint
        All of them, non-negativity included.
    loss : Loss
    solver : Solver
    start : Start
    engine : Engine
    dtype : str
    rule : StopRule
    sketch_sweeps : int
    seed : int
    budget : int
        Bytes for blocks of data.
    """

    n_components: int
    constraints: tuple[Constraint, ...]
    loss: Loss
    solver: Solver
    start: Start
    engine: Any
    dtype: str = "float32"
    rule: StopRule = StopRule()
    sketch_sweeps: int = 60
    seed: int = 0
    budget: int = DEFAULT_BUDGET


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
        ``held_in_memory``, ``sketch_sweeps``, ``sketch_width``: what was done in words and numbers.
    """

    maps: NDArray[Any]
    patterns: NDArray[Any]
    convergence: Convergence
    misfit: float
    residual: Residual
    noise: float
    notes: dict[str, Any]


@dataclass(eq=False)
class _Work:
    """The data of one fit: products, the sketch made when first asked for, the problem."""

    matrix: Matrix
    plan: Plan
    known_noise: float = float("nan")

    @cached_property
    def products(self) -> Products:
        plan = self.plan
        return plan.loss.products(self.matrix, plan.engine, dtype=plan.dtype, budget=plan.budget)

    @cached_property
    def sketch(self) -> Sketch:
        plan = self.plan
        width = 2 * plan.n_components + 10
        return sketch(
            self.products, self.matrix, width=width, engine=plan.engine, dtype=plan.dtype, seed=plan.seed
        )

    def noise(self) -> float:
        if not np.isfinite(self.known_noise):
            self.known_noise = self.sketch.noise
        return self.known_noise

    def problem(self, products: Products) -> Problem:
        plan = self.plan
        return bind(
            self.matrix,
            products,
            plan.constraints,
            n_components=plan.n_components,
            engine=plan.engine,
            dtype=plan.dtype,
            noise=self.noise,
        )


def fit(matrix: Matrix, plan: Plan, *, on_sweep: OnSweep | None = None, resume: State | None = None) -> Fit:
    """Return the factorisation of a matrix.

    Parameters
    ----------
    matrix : Matrix
    plan : Plan
    on_sweep : callable, optional
        Told the state after every exact sweep; whatever it raises ends the fit.
    resume : State, optional
        Go on from here; start and sketch are left out.
    """
    work = _Work(matrix, plan) if resume is None else _Work(matrix, plan, resume.noise)
    with plan.engine.threads():
        _ = work.products.norm2  # the first pass checks the data, before anything is made from them
        problem = work.problem(work.products)
        plan.solver.check(problem)
        sweep, warm = _begin(work, problem, resume)

        def tell(now: Sweep) -> None:
            if on_sweep is not None:
                on_sweep(_state(problem, now, work.known_noise))

        sweep, met = alternate(problem, plan.solver, sweep, plan.rule, tell)
        z_maps, z_patterns = balance(problem, sweep.z_maps, sweep.z_patterns)
        z_maps = settle(problem, plan.solver, z_maps, z_patterns)
        objective = [*sweep.objective]
        maps, patterns = _finished(problem, z_maps, z_patterns)
        return _report(work, maps, patterns, objective, met, warm)


def maps_for(matrix: Matrix, patterns: NDArray[Any], plan: Plan, noise: float) -> NDArray[Any]:
    """Return the maps (k, n) of a matrix for known patterns (k, m), under the plan's constraints on maps."""
    own = tuple(c for c in plan.constraints if c.side == "maps")
    work = _Work(matrix, replace(plan, constraints=own), noise)
    with plan.engine.threads():
        problem = work.problem(work.products)
        side = problem.patterns
        h = side.fold(plan.engine.asarray(np.ascontiguousarray(patterns), plan.dtype))
        target = data_target(problem, problem.maps, h)
        norms = problem.maps.column(side.norms(h))
        xp = problem.xp
        z = problem.maps.project(target / xp.where(norms > 0, norms, xp.ones_like(norms)) ** 2)
        z = settle(problem, plan.solver, z, h, target)
        return _host(problem.maps, problem.maps.forward(z))


def settle(
    problem: Problem, solver: Solver, z_maps: Array, z_patterns: Array, target: Array | None = None
) -> Array:
    """Return the maps that are best for fixed patterns (at most one pass over the data)."""
    xp = problem.xp
    if target is None:
        target = data_target(problem, problem.maps, problem.patterns.forward(z_patterns))
    precision = 1e-10 if z_maps.dtype == xp.float64 else 1e-5
    for _ in range(100):
        before = z_maps
        z_maps, _ = update(problem, solver, problem.maps, z_maps, z_patterns, target)
        if float(xp.max(xp.abs(z_maps - before))) <= precision * float(xp.max(z_maps)):
            break
    return z_maps


def _begin(work: _Work, problem: Problem, resume: State | None) -> tuple[Sweep, int]:
    """Return the state before the first exact sweep and the number of sweeps done on the sketch."""
    plan = work.plan
    if resume is not None:
        z = GivenStart.of(resume).make(problem, sketch=lambda: work.sketch, seed=plan.seed)
        return Sweep(*z, list(resume.objective)), 0
    z_maps, z_patterns = plan.start.make(problem, sketch=lambda: work.sketch, seed=plan.seed)
    small = min(work.matrix.n_positions, work.matrix.n_pixels) < 4 * (2 * plan.n_components + 10)
    if small or not plan.sketch_sweeps:
        return Sweep(z_maps, z_patterns, []), 0
    rule = replace(plan.rule, max_sweeps=plan.sketch_sweeps)
    low = work.problem(work.sketch)
    warm, _ = alternate(low, plan.solver, Sweep(z_maps, z_patterns, []), rule)
    return Sweep(warm.z_maps, warm.z_patterns, []), len(warm.objective) - 1


def _host(side: Any, f: Array) -> NDArray[Any]:
    # transforms leave rounding of the order of 1e-7 below zero, which no reader of a map should see
    return np.asarray(np.clip(side.engine.to_host(side.flat(f)), 0, None))


def _state(problem: Problem, sweep: Sweep, noise: float) -> State:
    host = problem.maps.engine.to_host
    return State(
        sweep=len(sweep.objective) - 1,
        objective=tuple(sweep.objective),
        maps=host(problem.maps.flat(sweep.z_maps)),
        patterns=host(problem.patterns.flat(sweep.z_patterns)),
        noise=noise,
    )


def _finished(problem: Problem, z_maps: Array, z_patterns: Array) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return maps (k, n) and patterns (k, m) on the host, patterns summing to 1 over used pixels."""
    maps = _host(problem.maps, problem.maps.forward(z_maps))
    patterns = _host(problem.patterns, problem.patterns.forward(z_patterns))
    used = problem.patterns.engine.to_host(problem.patterns.flat(problem.patterns.weights[None, ...]))[0] > 0
    if not problem.patterns.linear:
        patterns[:, ~used] = 0
    sums = patterns[:, used].sum(axis=1, dtype=np.float64)
    sums = np.where(sums > 0, sums, 1.0)[:, None].astype(patterns.dtype)
    return maps * sums, patterns / sums


def _report(
    work: _Work,
    maps: NDArray[Any],
    patterns: NDArray[Any],
    objective: list[float],
    met: bool,
    warm: int,
) -> Fit:
    plan = work.plan
    reader = getattr(work.products, "reader", None)
    if reader is None:
        reader = BlockReader(work.matrix.data, work.matrix.n_scan_axes, plan.budget)
    found, misfit2, norm2 = residual(work.matrix, maps, patterns, reader)
    convergence = Convergence(
        objective=tuple(objective),
        relative_error=float(np.sqrt(misfit2 / norm2)) if norm2 > 0 else 0.0,
        n_sweeps=len(objective) - 1,
        converged=met,
        reason=plan.rule.reason(met),
    )
    notes = {
        "held_in_memory": reader.kept_as,
        "sketch_sweeps": warm,
        "noise": None if not np.isfinite(work.known_noise) else work.known_noise,
    }
    return Fit(maps, patterns, convergence, float(np.sqrt(misfit2)), found, work.known_noise, notes)
