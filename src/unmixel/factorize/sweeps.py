"""The outer loop: one side after the other until the full objective stands still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from unmixel.factorize.contracts import Array, Solver
from unmixel.factorize.problem import Problem, Side


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
            return (
                f"the objective fell by less than {self.tol:g} of itself per sweep over {self.window} sweeps"
            )
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


def _other(side: Side, problem: Problem) -> Side:
    return problem.patterns if side is problem.maps else problem.maps


def data_target(problem: Problem, side: Side, partner_factor: Array) -> Array:
    """Return the product of the data with the weighted partner, folded for `side` (one pass over the data)."""
    weighted = _other(side, problem).weighted(partner_factor)
    products = problem.products
    return side.fold(
        products.with_patterns(weighted) if side is problem.maps else products.with_maps(weighted)
    )


def update(
    problem: Problem, solver: Solver, side: Side, z: Array, z_partner: Array, target: Array | None = None
) -> tuple[Array, float]:
    """Return Z of one side with a lower objective, the partner held fixed, and by how much the objective changed.

    Parameters
    ----------
    problem : Problem
    solver : Solver
    side : Side
        ``problem.maps`` or ``problem.patterns``.
    z, z_partner : array
    target : array, optional
        Where `data_target` is known already; else one pass over the data.
    """
    partner = _other(side, problem)
    fixed = partner.forward(z_partner)
    before = side.forward(z)
    if target is None:
        target = data_target(problem, side, fixed)
    xp = problem.xp
    ridge = partner.ridge(z_partner, fixed, side.norms(before))
    bare = partner.gram(fixed)
    gram = bare + xp.eye(ridge.shape[0], dtype=ridge.dtype, device=ridge.device) * ridge
    scale = partner.norms(fixed)
    new = solver.update(side, z, gram, target, scale)
    after = side.forward(new)
    step = after - before

    def times(f: Array) -> Array:
        return side.fold(bare @ side.flat(f))

    change = side.change(step, times(step), times(before) - target)
    change += side.penalty(new, after, scale) - side.penalty(z, before, scale)
    change += partner.penalty(z_partner, fixed, side.norms(after))
    change -= partner.penalty(z_partner, fixed, side.norms(before))
    return new, change


def alternate(
    problem: Problem,
    solver: Solver,
    sweep: Sweep,
    rule: StopRule,
    on_sweep: Callable[[Sweep], None] | None = None,
) -> tuple[Sweep, bool]:
    """Return the state after sweeping until the rule is met or the limit reached, and whether it was met.

    One sweep: balance, maps (one pass over the data), patterns (one pass). The objective of a sweep is the one
    before plus the changes of both updates, which needs no further pass and loses nothing to cancellation; it
    never rises beyond the rounding of those changes.

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
    z_maps, z_patterns, objective = sweep.z_maps, sweep.z_patterns, list(sweep.objective)
    if not objective:
        objective.append(problem.objective(z_maps, z_patterns))
    met = rule.met(objective)
    while not met and len(objective) <= rule.max_sweeps:
        z_maps, z_patterns = balance(problem, z_maps, z_patterns)
        z_maps, by_maps = update(problem, solver, problem.maps, z_maps, z_patterns)
        z_patterns, by_patterns = update(problem, solver, problem.patterns, z_patterns, z_maps)
        objective.append(objective[-1] + by_maps + by_patterns)
        met = rule.met(objective)
        if on_sweep is not None:
            on_sweep(Sweep(z_maps, z_patterns, objective))
    return Sweep(z_maps, z_patterns, objective), met
