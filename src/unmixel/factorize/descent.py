"""The outer loop: sweeps over both sides, extrapolated, until the full objective stands still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unmixel.factorize.contracts import Array, Descent
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
    tol: float = 3e-5
    window: int = 2

    def met(self, objective: list[float]) -> bool:
        """Return whether the objective stands still."""
        if self.tol <= 0 or len(objective) <= self.window:
            return False
        fall = (objective[-1 - self.window] - objective[-1]) / self.window
        return fall <= self.tol * abs(objective[-1])

    def reason(self, met: bool) -> str:
        """Return in words why the sweeps ended."""
        if met:
            pace = "in the last sweep" if self.window == 1 else f"per sweep over {self.window} sweeps"
            return f"the objective fell by less than {self.tol:g} of itself {pace}"
        return f"the limit of {self.max_sweeps} sweeps was reached before the objective stood still"


@dataclass(frozen=True, eq=False)
class Sweep:
    """Where the loop stands.

    Parameters
    ----------
    z_maps, z_patterns : array
    objective : list of float
    trail : tuple of (array, array)
        Patterns at the begin and at the end of the last sweeps: what the extrapolation remembers.
    by_patterns, by_maps : array or None
        Products of the data with the weighted factors, flat, where they are known.
    settled : array or None
        Once the sweeps have ended: the maps that are the best for the balanced patterns.
    """

    z_maps: Array
    z_patterns: Array
    objective: list[float]
    trail: tuple[tuple[Array, Array], ...] = ()
    by_patterns: Array | None = None
    by_maps: Array | None = None
    settled: Array | None = None


def balance(problem: Problem, z_maps: Array, z_patterns: Array) -> tuple[Array, Array]:
    """Return the same model with patterns of unit weighted norm (pinned components stay as they are)."""
    xp = problem.xp
    norms = problem.patterns.norms(problem.patterns.forward(z_patterns))
    movable = problem.maps.free & problem.patterns.free & (norms > 0)
    norms = xp.where(movable, norms, xp.ones_like(norms))
    return z_maps * problem.maps.column(norms), z_patterns / problem.patterns.column(norms)


@dataclass(eq=False)
class Anderson:
    """Extrapolates a sequence of patterns by the combination of the last ones that moves least.

    Parameters
    ----------
    side : Side
        The patterns, whose sets the extrapolated point is moved into.
    depth : int, >= 0
        How many earlier sweeps are combined; 0 never extrapolates.
    trail : tuple of (array, array)
        Begin and end of the last sweeps.

    References
    ----------
    Anderson, J. ACM 12, 547 (1965); Walker & Ni, SIAM J. Numer. Anal. 49, 1715 (2011).
    """

    side: Side
    depth: int = 2
    trail: tuple[tuple[Array, Array], ...] = ()

    def remember(self, begin: Array, end: Array) -> None:
        """Add a sweep that led from `begin` to `end`."""
        self.trail = (*self.trail, (begin, end))[-self.depth - 1 :]

    def forget(self) -> None:
        """Begin anew: the sequence was left."""
        self.trail = ()

    def ahead(self) -> Array | None:
        """Return extrapolated, feasible patterns; None where too little is known."""
        if not self.depth or len(self.trail) < 2:
            return None
        xp, host = self.side.xp, self.side.engine.to_host
        moves = xp.stack([xp.reshape(end - begin, (-1,)) for begin, end in self.trail])
        steps = moves[1:, :] - moves[:-1, :]
        products = host(steps @ xp.concat([steps, moves[-1:, :]]).T).astype(np.float64)
        normal, slope = products[:, :-1], products[:, -1]
        trace = float(np.trace(normal))
        if not trace > 0:
            return None
        shares = np.linalg.solve(normal + 1e-8 * trace * np.eye(len(slope)), slope)
        weights = np.append(0.0, -shares) + np.append(shares, 0.0)
        weights[-1] += 1.0
        point = sum(float(weight) * end for weight, (_, end) in zip(weights, self.trail, strict=True))
        return self.side.project(point)


def descend(
    problem: Problem,
    descent: Descent,
    sweep: Sweep,
    rule: StopRule,
    on_sweep: Callable[[Sweep], None] | None = None,
    *,
    depth: int = 2,
) -> tuple[Sweep, bool]:
    """Return the state after sweeping until the rule is met or the limit reached, and whether it was met.

    The objective of a sweep is the one before plus its changes, which needs no further pass and loses nothing to
    cancellation; it never rises beyond the rounding of those changes: where a sweep from extrapolated patterns ends
    higher than the last one, it is done again from there without extrapolation.

    Parameters
    ----------
    problem : Problem
    descent : Descent
    sweep : Sweep
        Where to begin; its objective list counts the sweeps done before.
    rule : StopRule
    on_sweep : callable, optional
        Told after every sweep; an exception from it ends the loop (interrupt).
    depth : int
        Depth of the extrapolation, see `Anderson`.
    """
    objective = list(sweep.objective)
    z_maps, z_patterns = sweep.z_maps, sweep.z_patterns
    if not objective:
        z_maps, z_patterns = balance(problem, *descent.begin(z_maps, z_patterns))
    if not objective and rule.max_sweeps == 0:
        objective.append(descent.objective(z_maps, z_patterns))
    extrapolation = descent.extrapolation(problem.patterns, depth, sweep.trail)
    met = rule.met(objective)
    while not met and len(objective) <= rule.max_sweeps:
        ahead = extrapolation.ahead()
        new_maps, new_patterns, change = descent.sweep(z_maps, z_patterns, ahead)
        if ahead is not None and not change <= 0:
            extrapolation.forget()
            ahead = None
            new_maps, new_patterns, change = descent.sweep(z_maps, z_patterns)
        if not objective:
            objective.append(descent.objective(z_maps, z_patterns))
        extrapolation.remember(z_patterns if ahead is None else ahead, new_patterns)
        z_maps, z_patterns = new_maps, new_patterns
        objective.append(objective[-1] + change)
        met = rule.met(objective)
        if on_sweep is not None:
            on_sweep(Sweep(z_maps, z_patterns, objective, extrapolation.trail))
    return Sweep(z_maps, z_patterns, objective, extrapolation.trail), met
