"""The third act: exact sweeps over the data until the objective of the full problem stands still."""

from __future__ import annotations

from collections.abc import Callable

from unmixel.factorize.contracts import Descent
from unmixel.factorize.descent import StopRule, Sweep, balance, descend
from unmixel.factorize.problem import Problem


def polish(
    problem: Problem,
    descent: Descent,
    sweep: Sweep,
    rule: StopRule,
    on_sweep: Callable[[Sweep], None] | None = None,
) -> tuple[Sweep, bool]:
    """Return the state after exact sweeps, its maps the best for its patterns, and whether the rule was met.

    Parameters
    ----------
    problem : Problem
        The data themselves, constraints bound.
    descent : Descent
        How the loss lowers it.
    sweep : Sweep
        Where to begin.
    rule : StopRule
        "Stands still": the objective falls by less than ``rule.tol`` of itself a sweep.
    on_sweep : callable, optional
        Told after every sweep; whatever it raises ends the work.
    """
    sweep, met = descend(problem, descent, sweep, rule, on_sweep)
    z_maps, z_patterns = balance(problem, sweep.z_maps, sweep.z_patterns)
    z_maps = descent.settle(z_maps, z_patterns)
    return Sweep(z_maps, z_patterns, sweep.objective), met
