"""Expectation maximisation: lowers the divergence of counts, one pass over them a sweep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from unmixel.factorize.contracts import Array
from unmixel.factorize.losses.bound import Terms
from unmixel.factorize.losses.climb import Momentum, carried
from unmixel.factorize.losses.counts import Counts
from unmixel.factorize.losses.tiles import Turn
from unmixel.factorize.losses.turns import Climb, ClimbToTheTop, Stay, StayCoupled
from unmixel.factorize.problem import Problem, Side

LIFT = 0.2
"""Least value of a start, as a share of its component's mean: no step leads away from 0."""

REPEATS = 6
"""Steps on a side with linear or smooth constraints for what one pass told of it."""

MOST_PASSES = 300
"""Most passes in which coupled maps settle for fixed patterns."""


@dataclass(frozen=True, eq=False)
class Standing:
    """A point and what one pass over the counts tells of it.

    Parameters
    ----------
    z_maps, z_patterns : array
    value : float
        The full objective there.
    maps_back, patterns_back : array, shape (k, n) and (k, m)
        Ratios of counts to model, multiplied by the other factor (maps: only where they are not `separable`).
    """

    z_maps: Array
    z_patterns: Array
    value: float
    maps_back: Array | None
    patterns_back: Array


@dataclass(eq=False)
class ExpectationMaximisation:
    """Lowers the divergence; a `Descent`, with one pass over the counts a sweep.

    A sweep moves the patterns by what the last pass told of them, then passes over the counts: each tile takes a few
    steps on its maps, and tells the objective and what the patterns need for the next sweep. Where constraints couple
    positions the maps move as the patterns do, by what the last pass told (and a fit that is resumed begins without
    what carries them on: it gets to the same end by a slightly different way).

    Parameters
    ----------
    problem : Problem
        Its weights are those of the least squares that stands for the loss: penalties are multiplied by norms under
        them, in which one unit is the noise of the counts, and so mean here what they mean there.
    counts : Counts
    r, w : array, shapes of the maps' and the patterns' grid
        The user's weights.
    steps : int
    """

    problem: Problem
    counts: Counts
    r: Array
    w: Array
    steps: int
    _known: tuple[Standing, ...] = field(default=(), repr=False)
    _momentum: Momentum | None = field(default=None, repr=False)
    _landed_maps: Array | None = field(default=None, repr=False)
    _began: tuple[Any, Any, float] | None = field(default=None, repr=False)

    def begin(self, z_maps: Array, z_patterns: Array) -> tuple[Array, Array]:
        """Return the point with nothing at 0 that could be more: no step leads away from 0."""
        problem = self.problem
        return _lifted(problem.maps, self.r, z_maps), _lifted(problem.patterns, self.w, z_patterns)

    def extrapolation(self, side: Side, depth: int, trail: tuple[tuple[Array, Array], ...]) -> Momentum:
        """Return the change of the last sweep, done again in part."""
        self._momentum = Momentum(side, depth, trail)
        return self._momentum

    def objective(self, z_maps: Array, z_patterns: Array) -> float:
        """Return the full objective (without a pass where a sweep has just begun or ended)."""
        if self._began is not None and self._began[0] is z_maps and self._began[1] is z_patterns:
            return self._began[2]
        known = self._at(z_maps, z_patterns)
        return self._pass(z_maps, z_patterns, 0)[0] if known is None else known.value

    def sweep(
        self, z_maps: Array, z_patterns: Array, ahead: Array | None = None
    ) -> tuple[Array, Array, float]:
        """Return both sides after a sweep and how the objective changed; see `Descent.sweep`."""
        known = self._at(z_maps, z_patterns)
        # a fit that goes on must stand where it stood; a new one may as well begin with better maps
        steps = self.steps if ahead is None else 0
        before, here = self._pass(z_maps, z_patterns, steps) if known is None else (known.value, known)
        self._began = z_maps, z_patterns, before
        new_maps, new_patterns = self._next(here, ahead)
        _, there = self._pass(new_maps, new_patterns, self.steps)
        if ahead is None and not there.value <= here.value:
            there = here  # only rounding can do that
        self._known = here, there
        return there.z_maps, there.z_patterns, there.value - before

    def settle(self, z_maps: Array, z_patterns: Array) -> Array:
        """Return the maps that are best for fixed patterns."""
        side = self.problem.maps
        precision = 1e-9 if side.dtype == "float64" else 1e-4
        z_maps = _lifted(side, self.r, z_maps)
        if not side.separable:
            return self._settled(z_maps, z_patterns, precision)
        # once is enough where no penalty of the patterns depends on the norms of the maps
        for _ in range(MOST_PASSES if self.problem.patterns.penalised else 1):
            last, z_maps = z_maps, self._pass(z_maps, z_patterns, None, precision)[1].z_maps
            if _moved(side, last, z_maps) <= precision:
                break
        return z_maps

    def settling(self, z_maps: Array, z_patterns: Array) -> None:
        """Return None: settling has a pass of its own."""

    def _settled(self, z_maps: Array, z_patterns: Array, precision: float) -> Array:
        """Return coupled maps that are best for fixed patterns, a pass a step; steps are carried on while it helps."""
        side, xp = self.problem.maps, self.problem.xp
        _, best = self._pass(z_maps, z_patterns, 0)
        last, pace = z_maps, 0.0
        for _ in range(MOST_PASSES):
            new = self._stepped(side, best.z_maps, z_patterns, best.maps_back)
            further = new + pace * (new - last)
            point = side.project(xp.where(further > 0.1 * new, further, 0.1 * new)) if pace else new
            _, there = self._pass(point, z_patterns, 0)
            if there.value < best.value:
                moved = _moved(side, best.z_maps, point)
                last, best, pace = new, there, pace + 0.15 * (0.97 - pace)
                if moved <= precision:
                    break
            elif pace:
                last, pace = best.z_maps, 0.0
            else:
                break
        return best.z_maps

    def _at(self, z_maps: Array, z_patterns: Array) -> Standing | None:
        for known in self._known:
            if known.z_maps is z_maps and known.z_patterns is z_patterns:
                return known
        return None

    def _terms(self, side: Side, z: Array, z_partner: Array) -> Terms:
        weights = (self.r, self.w) if side is self.problem.maps else (self.w, self.r)
        return Terms.of(self.problem, side, z, z_partner, weights)

    def _stepped(self, side: Side, z: Array, z_partner: Array, back: Array) -> Array:
        return self._terms(side, z, z_partner).step(z, back, REPEATS)

    def _next(self, here: Standing, ahead: Array | None) -> tuple[Array, Array]:
        """Return the sides moved by what a pass told: patterns, and maps where positions are coupled."""
        problem = self.problem
        z_maps, z_patterns = here.z_maps, here.z_patterns
        if here.maps_back is None:
            new_maps = landed_maps = z_maps
        else:
            new_maps = landed_maps = self._stepped(problem.maps, z_maps, z_patterns, here.maps_back)
            if ahead is not None and self._landed_maps is not None:
                new_maps = carried(problem.maps, landed_maps, self._landed_maps)
            self._landed_maps = landed_maps
        landed = self._stepped(problem.patterns, z_patterns, landed_maps, here.patterns_back)
        return new_maps, landed if self._momentum is None else self._momentum.carried(landed, ahead)

    def _pass(
        self, z_maps: Array, z_patterns: Array, steps: int | None, precision: float = 0.0
    ) -> tuple[float, Standing]:
        """Return the objective at a point, and where steps on the maps lead (None: to the top, to a precision)."""
        maps, patterns = self.problem.maps, self.problem.patterns
        flat_maps, flat_patterns = (
            side.flat(side.forward(z)) for side, z in ((maps, z_maps), (patterns, z_patterns))
        )
        turn = self._turn(z_maps, z_patterns, self._floor(flat_maps, flat_patterns), steps, precision)
        here, patterns_back, before, after = self.counts.through(flat_maps, flat_patterns, turn)
        new = maps.fold(here[0]) if turn.moves else z_maps
        value = self._value(new, z_patterns, after)
        first = value if new is z_maps else self._value(z_maps, z_patterns, before)
        return first, Standing(new, z_patterns, value, here[0] if turn.coupled else None, patterns_back)

    def _turn(
        self, z_maps: Array, z_patterns: Array, floor: Array, steps: int | None, precision: float
    ) -> Turn:
        """Return what is done with the maps of a tile: nothing where positions are coupled."""
        maps = self.problem.maps
        if not maps.separable:
            return StayCoupled(floor)
        if steps == 0:
            return Stay(floor)
        terms, alone = self._terms(maps, z_maps, z_patterns).by_row, maps.alone()
        if steps is None:
            return ClimbToTheTop(floor, alone, terms, precision)
        return Climb(floor, alone, terms, steps)

    def _floor(self, flat_maps: Array, flat_patterns: Array) -> Array:
        """Return a model that is next to nothing beside the mean one."""
        xp = self.problem.xp
        mean = xp.sum(xp.mean(flat_maps, axis=1) * xp.mean(flat_patterns, axis=1))
        return mean * 1e-12 + 1e-30

    def _value(self, z_maps: Array, z_patterns: Array, likelihood: float) -> float:
        problem, xp = self.problem, self.problem.xp
        sums = []
        for side, z, weights in ((problem.maps, z_maps, self.r), (problem.patterns, z_patterns, self.w)):
            sums.append(xp.sum(side.flat(side.forward(z) * weights), axis=1, dtype=xp.float64))
        mass = float(xp.sum(sums[0] * sums[1]))
        return mass - likelihood + self.counts.constant + problem.penalty(z_maps, z_patterns)


def _moved(side: Side, one: Array, two: Array) -> float:
    """Return the largest change of z as a share of the largest z."""
    xp = side.xp
    return float(xp.max(xp.abs(two - one))) / max(float(xp.max(two)), 1e-30)


def _lifted(side: Side, weights: Array, z: Array) -> Array:
    """Return z, nowhere below a share of its component's mean, laid out as the counts of the side are."""
    xp = side.xp
    used = side.weights > 0
    # weights are the user's over the expected counts
    profile = xp.where(
        used, weights / xp.where(used, side.weights, xp.ones_like(weights)), xp.zeros_like(weights)
    )
    profile = profile / (xp.mean(profile) + 1e-30)
    mean = xp.mean(side.flat(z), axis=1)
    usual = xp.where(xp.max(mean) > 0, xp.max(mean), xp.ones_like(xp.max(mean)))
    mean = xp.where(mean > 1e-3 * usual, mean, xp.ones_like(mean) * 1e-3 * usual)
    least = LIFT * side.column(mean) * profile
    return side.project(xp.where((side.majoriser > 0) & (z < least), least, z))
