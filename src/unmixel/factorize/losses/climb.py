"""Steps of expectation maximisation: on the maps of a tile while its counts are near, and on from there.

References
----------
Nesterov, Sov. Math. Dokl. 27, 372 (1983), for carrying steps on; O'Donoghue & Candes, Found. Comput. Math. 15, 715
(2015), for beginning anew where that leads up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unmixel.factorize.contracts import Array
from unmixel.factorize.losses.bound import Bound
from unmixel.factorize.losses.counts import Tile
from unmixel.factorize.problem import Side

MOST_CHANGE = 3.0
"""Most that one number is carried on by: a factor."""

MOST_STEPS = 500
"""Most steps on the maps of a tile for fixed patterns."""

LOOK = 8
"""Steps after which positions that stand still are looked for."""


def ratio_of(xp: Any, counts: Array, model: Array, floor: Array) -> tuple[Array, Array]:
    """Return counts over model, and the model, nowhere below `floor` (an array of no axes)."""
    model = xp.maximum(model, floor)
    return counts / model, model


def climb(
    tile: Tile, rows: Array, ratio: Array, bound: Bound, side: Side, steps: int, floor: Array
) -> tuple[Array, Array, Array]:
    """Return maps of a tile after some steps, shape (b, k), and ratio and model at them.

    Parameters
    ----------
    tile : Tile
    rows : array, shape (b, k)
    ratio : array, shape (b, c)
        Counts over model at `rows`.
    bound : Bound
        Of these rows; where constraints treat positions alone it bounds the objective at every step.
    side : Side
        The maps, whose sets are projected on.
    steps : int
    floor : array, shape ()
        Least model of an entry: an electron where the model is 0 has a finite cost.
    """
    xp = side.xp
    for _ in range(steps):
        rows = side.project(bound.lowest(xp, rows * tile.back(ratio), rows).T).T
        ratio, model = ratio_of(xp, tile.counts, tile.model(rows), floor)
    return rows, ratio, model


def climb_to_the_top(
    tile: Tile, rows: Array, bound: Bound, side: Side, precision: float, floor: Array
) -> tuple[Array, Array, Array]:
    """Return the best maps of a tile to a precision (share of the largest), and ratio and model at them.

    Steps are carried on by a share of the last one that grows while it leads uphill and falls to nothing, position
    by position, where it does not (measured: 60 steps for what takes 300 without). Positions that stand still are
    left alone.
    """
    xp, whole, out = side.xp, tile, rows + 0
    left, limit = xp.arange(rows.shape[0], device=rows.device), precision * xp.max(rows)
    point, best, pace = rows, rows, xp.zeros_like(rows[:, :1])
    for step in range(1, MOST_STEPS + 1):
        ratio, _ = ratio_of(xp, tile.counts, tile.model(point), floor)
        new = side.project(bound.lowest(xp, point * tile.back(ratio), point).T).T
        moved = new - best
        against = xp.sum((point - new) * moved, axis=1, keepdims=True) > 0
        pace = xp.where(against, xp.zeros_like(pace), pace + 0.15 * (0.97 - pace))
        best, further = new, new + pace * moved
        point = xp.where(further > 0.1 * new, further, 0.1 * new)
        if step % LOOK == 0:
            keep = xp.nonzero(xp.max(xp.abs(moved), axis=1) > limit)[0]
            if not keep.shape[0]:
                break
            if 2 * keep.shape[0] <= best.shape[0]:
                out[left] = best
                tile, bound, left = tile.part(keep), bound.part(keep), left[keep]
                point, best, pace = point[keep, :], best[keep, :], pace[keep, :]
    out[left] = best
    return out, *ratio_of(xp, whole.counts, whole.model(out), floor)


@dataclass(eq=False)
class Momentum:
    """Carries patterns on from where a step landed, by how that place changed since the step before, as a power.

    Parameters
    ----------
    side : Side
        The patterns, whose sets the point is moved into.
    depth : int, >= 0
        0 never looks ahead.
    trail : tuple of (array, array)
        Where the last sweep began, and where its step on the patterns landed before it was carried on.
    power : float
        Share of the last change (of its logarithm) that is done again.
    """

    side: Side
    depth: int = 1
    trail: tuple[tuple[Array, Array], ...] = ()
    power: float = 0.9
    landed: Array | None = None

    def remember(self, begin: Array, end: Array) -> None:
        """Add a sweep that began at `begin`."""
        self.trail = ((begin, end if self.landed is None else self.landed),)

    def forget(self) -> None:
        """Begin anew: the sequence was left."""
        self.trail = ()

    def ahead(self) -> Array | None:
        """Return where the last step landed: what the next one is compared with."""
        return self.trail[-1][1] if self.depth and self.trail else None

    def carried(self, now: Array, last: Array | None) -> Array:
        """Return a place to go on from, where the steps of this and the last sweep landed at `now` and `last`."""
        self.landed = now
        if last is None:
            return now
        side, xp = self.side, self.side.xp

        def mass(f: Array) -> Array:
            return side.column(xp.sum(side.flat(f), axis=1))

        known = (last > 0) & (mass(last) > 0) & (mass(now) > 0)
        ones = xp.ones_like(now)
        change = xp.where(known, now, ones) / xp.where(known, last, ones)
        # without the change of scale, which is the maps' to take back and would grow with every sweep
        change = change * xp.where(known, mass(last) / xp.where(known, mass(now), ones), ones)
        point = now * xp.clip(change, 1 / MOST_CHANGE, MOST_CHANGE) ** self.power
        new = mass(point)
        return side.project(
            point * xp.where(new > 0, mass(now) / xp.where(new > 0, new, xp.ones_like(new)), 1.0)
        )
