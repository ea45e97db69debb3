"""The third act: exact passes over the data until the objective of the full problem stands still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unmixel.engines.walk import Found
from unmixel.factorize.contracts import Array, Between, Descent, Solver
from unmixel.factorize.descent import StopRule, Sweep, balance, descend
from unmixel.factorize.least_squares import LeastSquares
from unmixel.factorize.problem import Problem, total
from unmixel.factorize.sketch import Sketch

OnSweep = Callable[[Sweep], None]


def polish(
    problem: Problem, descent: Descent, sweep: Sweep, rule: StopRule, on_sweep: OnSweep | None = None
) -> tuple[Sweep, bool]:
    """Return the state after exact sweeps, balanced, and whether the rule was met.

    Its maps are the best for its patterns, unless that can be seen to block by block in a later pass (`settling`).

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
    end, met = descend(problem, descent, sweep, rule, on_sweep)
    z_maps, z_patterns = balance(problem, end.z_maps, end.z_patterns)
    if sweep.settled is not None and len(end.objective) == len(sweep.objective):
        z_maps = sweep.settled
    elif descent.settling(z_maps, z_patterns) is None:
        z_maps = descent.settle(z_maps, z_patterns)
        if on_sweep is not None:
            on_sweep(replace(end, settled=z_maps))
    return Sweep(z_maps, z_patterns, end.objective), met


@dataclass(frozen=True, eq=False)
class Anchor:
    """A low-rank stand-in for the data whose products with the factors at one point are those of the data.

    With P and Q the projections on the maps at the anchor, and on the patterns there and the sketch's own
    directions, it is ``X - (1 - P) X (1 - Q)``: exact where one factor is at the anchor, wrong only to second order
    about it, and as bounded as any data. A `Products`, so that sweeps run on it as on a sketch.

    Parameters
    ----------
    rows, columns : array, shape (l, n) and (l, m)
        The stand-in is ``rows' columns``.
    norm2 : float
        Weighted squared norm of the data.
    maps, patterns : array, shape (k, n) and (k, m)
        Weighted factors at the anchor.
    by_patterns : array, shape (k, n)
        ``patterns X'``, exact.
    by_maps : array, shape (k, m)
        ``maps X``, exact.
    """

    rows: Array
    columns: Array
    norm2: float
    maps: Array
    patterns: Array
    by_patterns: Array
    by_maps: Array

    @classmethod
    def at(cls, problem: Problem, low: Sketch, z_maps: Array, z_patterns: Array) -> Anchor:
        """Return the anchor at a point: one pass over the data."""
        maps, patterns = (
            side.weighted(side.factor(z))
            for side, z in ((problem.maps, z_maps), (problem.patterns, z_patterns))
        )
        by_maps, found = problem.products.through(patterns, _both, maps)
        return cls.of(problem, low, (z_maps, z_patterns), (found.here[0], by_maps))

    @classmethod
    def of(
        cls, problem: Problem, low: Sketch, z: tuple[Array, Array], products: tuple[Array, Array]
    ) -> Anchor:
        """Return the anchor at a point where the products of the data with patterns and maps are known."""
        xp, engine = problem.xp, problem.maps.engine
        w, h = problem.maps.factor(z[0]), problem.patterns.factor(z[1])
        maps, patterns = problem.maps.weighted(w), problem.patterns.weighted(h)
        by_patterns, by_maps = products

        def inverse(gram: Array, size: Array) -> Array:
            # what lies in the sketch's own directions already leaves nothing but rounding to invert
            host, scale = (engine.to_host(a).astype(np.float64) for a in (gram, size))
            floor = 1e-5 * np.diag(np.maximum(np.diagonal(scale), 1e-30))
            return engine.asarray(np.linalg.inv((host + host.T) / 2 + floor), problem.maps.dtype)

        inside = patterns @ low.columns.T
        outside = problem.patterns.flat(h) - inside @ low.columns
        whole = patterns @ problem.patterns.flat(h).T
        left = inverse(whole - inside @ inside.T, whole) @ (by_patterns - inside @ low.rows)
        rest = by_maps - (maps @ low.rows.T) @ low.columns - (maps @ left.T) @ outside
        size = maps @ problem.maps.flat(w).T
        right = inverse(size, size) @ problem.maps.flat(w)
        rows = xp.concat([low.rows, left, right], axis=0)
        columns = xp.concat([low.columns, outside, rest], axis=0)
        return cls(rows, columns, low.norm2, maps, patterns, by_patterns, by_maps)

    @property
    def overlap(self) -> Array:
        """``X`` times the model at the anchor, sample by sample of the maps: its sum is ``<X, W H>``."""
        return self.maps * self.by_patterns

    def with_patterns(self, rows: Array) -> Array:
        """Return ``rows X'``, shape (k, n)."""
        return (rows @ self.columns.T) @ self.rows

    def with_maps(self, rows: Array) -> Array:
        """Return ``rows X``, shape (k, m)."""
        return (rows @ self.rows.T) @ self.columns

    def through(self, rows: Array, between: Between, *along: Array) -> tuple[Array, Found]:
        """Return ``between(rows X') X``, and what it told."""
        made, found = between(self.with_patterns(rows), *along)
        return self.with_maps(made), found

    def misfit2(self, maps: Array, patterns: Array) -> float:
        """Refuse: whoever sweeps from an anchor knows the exact objective there."""
        raise NotImplementedError("the exact objective at an anchor is known")

    def correction(self, xp: Any, later: Anchor) -> float:
        """Return by how much the objective rose more, up to a later anchor, than sweeps about this one believed."""
        before, after = self.with_patterns(self.patterns), self.with_patterns(later.patterns)
        wrong = (after - before) - (later.by_patterns - self.by_patterns)
        return total(xp, wrong * later.maps) + total(
            xp, (before - self.by_patterns) * (later.maps - self.maps)
        )


def _both(products: Array, maps: Array) -> tuple[Array, Found]:
    """Return maps as they are, and products with patterns to be kept."""
    return maps, Found((products,))


def polish_by_anchors(
    problem: Problem,
    low: Sketch,
    solver: Solver,
    sweep: Sweep,
    rule: StopRule,
    inner: StopRule,
    on_sweep: OnSweep | None = None,
) -> tuple[Sweep, bool]:
    """Return the state after sweeps about one exact anchor after the other, and whether the objective stands still.

    Every anchor costs one pass over the data, whatever the constraints; the sweeps about it cost as little as those
    on the sketch. Where the anchors stand still, the exact problem does: its gradients are those of the anchor.
    The objective of an anchor is exact; where it rose, one ordinary exact sweep is done from the anchor before.

    Parameters
    ----------
    problem : Problem
        The data themselves, constraints bound.
    low : Sketch
        Of the same data and weights.
    solver : Solver
    sweep : Sweep
        Where to begin; where it says what the data's products with it are, without a pass.
    rule : StopRule
        For anchors: what it says of sweeps.
    inner : StopRule
        For the sweeps about an anchor.
    on_sweep : callable, optional
        Told after every anchor; whatever it raises ends the work.
    """
    exact = LeastSquares(problem, solver)
    objective = list(sweep.objective)

    def tell(z: tuple[Array, Array], here: Anchor) -> None:
        if on_sweep is not None:
            on_sweep(Sweep(*z, objective, by_patterns=here.by_patterns, by_maps=here.by_maps))

    z = sweep.z_maps, sweep.z_patterns
    if sweep.by_patterns is not None and sweep.by_maps is not None:
        here = Anchor.of(problem, low, z, (sweep.by_patterns, sweep.by_maps))
    else:
        if not objective:
            z = balance(problem, *z)
        here = Anchor.at(problem, low, *z)
    if not objective:
        objective.append(exact.objective_from(*z, total(problem.xp, here.overlap)))
        tell(z, here)
    met = rule.met(objective)
    while not met and len(objective) <= rule.max_sweeps:
        nearby = replace(problem, products=here)
        end, _ = descend(nearby, LeastSquares(nearby, solver), Sweep(*z, [objective[-1]]), inner)
        change = end.objective[-1] - objective[-1]
        after = end.z_maps, end.z_patterns  # as they are: the expansion is about the anchor's own scale
        there = Anchor.at(problem, low, *after)
        change += here.correction(problem.xp, there)
        if not change <= 0:
            *moved, change = exact.sweep(*z)
            after = moved[0], moved[1]
            there = Anchor.at(problem, low, *after)
        z, here = after, there
        objective.append(objective[-1] + change)
        met = rule.met(objective)
        tell(z, here)
    maps = exact.settle(*z, problem.maps.fold(here.by_patterns))
    return Sweep(maps, z[1], objective), met
