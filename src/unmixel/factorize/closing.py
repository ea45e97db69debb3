"""The end of a fit: sweeps until nothing moves, then one exact pass over the data with the finished model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.dataset.results import Residual
from unmixel.engines.base import Blocks
from unmixel.factorize.contracts import Descent
from unmixel.factorize.descent import StopRule, Sweep
from unmixel.factorize.polish import OnSweep, polish
from unmixel.factorize.problem import Problem
from unmixel.factorize.residual import Settle, residual

SOON = 8.0
"""Fall of a sweep, in units of the tolerance, after which the last pass is likely to find that nothing moves any more.

Measured: the second sweep after a sketch lowered the objective by an eighth to a fiftieth of what the first had.
"""


@dataclass(frozen=True, eq=False)
class Closed:
    """A finished model on the host, and what the last pass found.

    Parameters
    ----------
    maps : ndarray, shape (k, n)
    patterns : ndarray, shape (k, m)
        Each sums to 1 over used pixels.
    residual : Residual
    misfit2, norm2 : float
        Exact weighted squared misfit and norm of the data.
    left : float
        How far another sweep would lower the objective; NaN where nobody asked.
    """

    maps: NDArray[Any]
    patterns: NDArray[Any]
    residual: Residual
    misfit2: float
    norm2: float
    left: float = float("nan")


def to_the_end(
    data: tuple[Matrix, Blocks],
    problem: Problem,
    descent: Descent,
    begin: Sweep,
    rule: StopRule,
    on_sweep: OnSweep | None = None,
) -> tuple[Sweep, Closed, tuple[bool, str]]:
    """Return where exact sweeps ended, the finished model, whether the objective stands still, and why in words.

    Where the last pass makes the maps the best, it also tells what a further sweep would bring: that is a sweep less,
    if it is little enough.

    Parameters
    ----------
    data : (Matrix, Blocks)
        With the user's own weights, and what reads it.
    problem : Problem
    descent : Descent
    begin : Sweep
    rule : StopRule
    on_sweep : callable, optional
        Told after every sweep; whatever it raises ends the work.
    """
    can_tell = rule.tol > 0 and descent.settling(begin.z_maps, begin.z_patterns) is not None
    soon = replace(rule, tol=SOON * rule.tol) if can_tell else rule
    sweep, _ = polish(problem, descent, begin, soon, on_sweep)
    met = rule.met(sweep.objective)
    closed = close(data, problem, descent, sweep, ask=can_tell and not met)
    if closed.left <= rule.tol * abs(sweep.objective[-1]):
        return (
            sweep,
            closed,
            (True, f"another sweep would lower the objective by less than {rule.tol:g} of itself"),
        )
    if not met and len(sweep.objective) <= rule.max_sweeps:
        sweep, met = polish(problem, descent, sweep, rule, on_sweep)
        closed = close(data, problem, descent, sweep)
    return sweep, closed, (met, rule.reason(met))


def close(
    data: tuple[Matrix, Blocks], problem: Problem, descent: Descent, sweep: Sweep, *, ask: bool = False
) -> Closed:
    """Return the finished model and what it explains, in one pass; maps that can settle block by block do.

    Parameters
    ----------
    data : (Matrix, Blocks)
    problem : Problem
    descent : Descent
    sweep : Sweep
        Balanced.
    ask : bool
        Whether to find out what another sweep would bring.
    """
    engine = problem.maps.engine
    maps, patterns, sums = scaled(problem, sweep)
    settling = descent.settling(sweep.z_maps, sweep.z_patterns)
    settle = None if settling is None else Settle(settling.on_block, engine.asarray(sums), ask=ask)
    along = () if settling is None else settling.along
    found, misfit2, norm2, products = residual(data[0], maps, patterns, data[1], engine, settle, along)
    left = float("nan")
    if settling is not None and products is not None:
        left = settling.left(problem.maps.fold(engine.asarray(maps / sums)), products)
    return Closed(maps, patterns, found, misfit2, norm2, left)


def host_factor(side: Any, f: Any) -> NDArray[Any]:
    """Return a factor on the host, flat and without the rounding of transforms below zero."""
    # of the order of 1e-7, which no reader of a map should see
    return np.asarray(np.clip(side.engine.to_host(side.flat(f)), 0, None))


def finished(problem: Problem, sweep: Sweep) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return maps (k, n) and patterns (k, m) on the host, patterns summing to 1 over used pixels."""
    return scaled(problem, sweep)[:2]


def scaled(problem: Problem, sweep: Sweep) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the same, and the sums (k, 1) that the patterns had."""
    maps = host_factor(problem.maps, problem.maps.forward(sweep.z_maps))
    patterns = host_factor(problem.patterns, problem.patterns.forward(sweep.z_patterns))
    used = problem.patterns.engine.to_host(problem.patterns.flat(problem.patterns.weights[None, ...]))[0] > 0
    if not problem.patterns.linear:
        patterns[:, ~used] = 0
    sums = patterns[:, used].sum(axis=1, dtype=np.float64)
    sums = np.where(sums > 0, sums, 1.0)[:, None].astype(patterns.dtype)
    return maps * sums, patterns / sums, sums
