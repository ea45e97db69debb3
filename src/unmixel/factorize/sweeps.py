"""The outer loop: one side after the other until the full objective stands still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unmixel.factorize.contracts import Array, Solver
from unmixel.factorize.problem import Problem


@dataclass(frozen=True)
class StopRule:
    """When to stop: the mean fall of the objective per sweep, over a few sweeps, is small.

    Parameters
    ----------
    max_sweeps : int, >= 0
    tol : float, >= 0
        Stop when the objective fell by less than `tol` times its present value per sweep on average over the
        last `window` sweeps. 0 never stops early.
    window : int
    """

    max_sweeps: int = 200
    tol: float = 1e-5
    window: int = 5

    def met(self, objective: list[float]) -> bool:
        """Return whether the objective stands still."""
        if self.tol <= 0 or len(objective) <= self.window:
            return False
        fall = (objective[-1 - self.window] - objective[-1]) / self.window
        return fall <= self.tol * abs(objective[-1])

    def reason(self, met: bool) -> str:
        """Return in words why the sweeps ended."""
        if met:
            return f"the objective fell by less than {self.tol:g} of itself per sweep over {self.window} sweeps"
        return f"the limit of {self.max_sweeps} sweeps was reached before the objective stood still"


@dataclass(frozen=True, eq=False)
class Sweep:
    """Where the loop stands.

    Parameters
    ----------
    z_maps, z_patterns : array
    objective : list of float
    """

    z_maps: Array
    z_patterns: Array
    objective: list[float]


def balance(problem: Problem, z_maps: Array, z_patterns: Array) -> tuple[Array, Array]:
    """Return the same model with patterns of unit weighted norm (pinned components stay as they are)."""
    xp = problem.xp
    norms = problem.patterns.norms(problem.patterns.forward(z_patterns))
    movable = problem.maps.free & problem.patterns.free & (norms > 0)
    norms = xp.where(movable, norms, xp.ones_like(norms))
    return z_maps * problem.maps.column(norms), z_patterns / problem.patterns.column(norms)


def update_maps(problem: Problem, solver: Solver, z_maps: Array, z_patterns: Array, target: Array | None = None) -> Array:
    """Return Z of the maps with a lower objective, the patterns held fixed (one pass unless `target` is given)."""
    maps, patterns = problem.maps, problem.patterns
    h = patterns.forward(z_patterns)
    if target is None:
        target = maps.fold(problem.products.with_patterns(patterns.weighted(h)))
    ridge = patterns.ridge(z_patterns, h, maps.norms(maps.forward(z_maps)))
    gram = patterns.gram(h) + _diagonal(problem.xp, ridge)
    return solver.update(maps, z_maps, gram, target, patterns.norms(h))


def _diagonal(xp: Any, values: Array) -> Array:
    return xp.eye(values.shape[0], dtype=values.dtype, device=values.device) * values


def alternate(
    problem: Problem,
    solver: Solver,
    sweep: Sweep,
    rule: StopRule,
    on_sweep: Callable[[Sweep], None] | None = None,
) -> tuple[Sweep, bool]:
    """Return the state after sweeping until the rule is met or the limit reached, and whether it was met.

    One sweep: balance, maps (one pass over the data), patterns (one pass). The objective of a sweep needs no
    further pass. It never rises beyond rounding.

    Parameters
    ----------
    problem : Problem
    solver : Solver
    sweep : Sweep
        Where to begin; its objective list counts the sweeps done before.
    rule : StopRule
    on_sweep : callable, optional
        Told after every sweep; an exception from it ends the loop (interrupt).
    """
    maps, patterns = problem.maps, problem.patterns
    z_maps, z_patterns, objective = sweep.z_maps, sweep.z_patterns, list(sweep.objective)
    if not objective:
        objective.append(problem.objective(z_maps, z_patterns))
    met = rule.met(objective)
    while not met and len(objective) <= rule.max_sweeps:
        z_maps, z_patterns = balance(problem, z_maps, z_patterns)
        z_maps = update_maps(problem, solver, z_maps, z_patterns)
        w = maps.forward(z_maps)
        target = problem.products.with_maps(maps.weighted(w))
        ridge = maps.ridge(z_maps, w, patterns.norms(patterns.forward(z_patterns)))
        gram = maps.gram(w) + _diagonal(problem.xp, ridge)
        z_patterns = solver.update(patterns, z_patterns, gram, patterns.fold(target), maps.norms(w))
        objective.append(problem.objective(z_maps, z_patterns, target))
        met = rule.met(objective)
        if on_sweep is not None:
            on_sweep(Sweep(z_maps, z_patterns, objective))
    return Sweep(z_maps, z_patterns, objective), met
