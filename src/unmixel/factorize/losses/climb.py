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
from unmixel.factorize.losses.tiles import Tile
from unmixel.factorize.problem import Side

POWER = 0.9
"""Share of a change (of its logarithm) that is done again."""

MOST_CHANGE = 3.0
"""Most that one number is carried on by: a factor."""

FIRST_STEPS = 8
"""Steps before Newton's, which begin best near the top."""

MOST_STEPS = 50
"""Most of Newton's steps on the maps of a tile."""

SHORTER = 6
"""How often one of Newton's steps is tried, each time shorter."""


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
    tile: Tile, rows: Array, ratio: Array, bound: Bound, side: Side, precision: float, floor: Array
) -> tuple[Array, Array, Array]:
    """Return the best maps of a tile to a precision (share of the largest), and ratio and model at them.

    A few steps of expectation maximisation, then Newton's (measured: 5 of them for what takes 300 of the others);
    positions that stand still are left alone.
    """
    xp, whole = side.xp, tile
    rows, ratio, _ = climb(tile, rows, ratio, bound, side, FIRST_STEPS, floor)
    out, left, limit = rows + 0, xp.arange(rows.shape[0], device=rows.device), precision * xp.max(rows)
    for _ in range(MOST_STEPS):
        new = _newton(tile, rows, bound, side, floor)
        moving = xp.max(xp.abs(new - rows), axis=1) > limit
        out[left] = new
        keep = xp.nonzero(moving)[0]
        if not keep.shape[0]:
            break
        rows = new[keep, :]
        if 2 * keep.shape[0] <= new.shape[0]:
            tile, bound, left = tile.part(keep), bound.part(keep), left[keep]
        else:
            rows = new
    return out, *ratio_of(xp, whole.counts, whole.model(out), floor)


def _newton(tile: Tile, rows: Array, bound: Bound, side: Side, floor: Array) -> Array:
    """Return rows after a Newton step that stays above 0, shortened (or replaced) where it leads up.

    Solved for is ``w * gradient = 0``, so that what tends to 0 gets there as fast as the rest gets to its place.

    References
    ----------
    Coleman & Li, Math. Program. 67, 189 (1994).
    """
    xp, k = side.xp, rows.shape[1]
    ratio, model = ratio_of(xp, tile.counts, tile.model(rows), floor)
    back = tile.back(ratio)
    gradient = bound.slope - back if bound.curvature is None else bound.slope + bound.curvature * rows - back
    tiny = 1e-12 * xp.max(rows) + 1e-30
    pull = xp.maximum(gradient, xp.zeros_like(gradient)) / xp.maximum(rows, tiny)
    bend, eye = tile.bend(ratio / model), xp.eye(k, dtype=rows.dtype, device=rows.device)
    trace = xp.sum(bend * eye, axis=(1, 2))
    # components that look alike at the entries of a position leave the matrix without full rank
    pull = pull + xp.where(trace > 0, 1e-5 / k * trace, xp.ones_like(trace))[:, None]
    if bound.curvature is not None:
        pull = pull + bound.curvature
    step = -xp.linalg.solve(bend + pull[:, :, None] * eye, gradient[:, :, None])[:, :, 0]

    def reached(share: Array) -> tuple[Array, Array]:
        point = side.project(xp.maximum(rows + share * step, 0.01 * rows).T).T
        told = xp.log(xp.maximum(tile.model(point), floor) / model)
        change = xp.sum(bound.value(point) - bound.value(rows), axis=1) - xp.sum(tile.counts * told, axis=1)
        return point, change <= 10 * xp.finfo(rows.dtype).eps * xp.sum(tile.counts, axis=1)

    share = xp.ones_like(rows[:, :1])
    for _ in range(SHORTER):
        new, good = reached(share)
        if bool(xp.all(good)):
            return new
        share = xp.where(good[:, None], share, 0.3 * share)
    return xp.where(good[:, None], new, side.project(bound.lowest(xp, rows * back, rows).T).T)


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
    power: float = POWER
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
        return now if last is None else carried(self.side, now, last, self.power)


def carried(side: Side, now: Array, last: Array, power: float = POWER) -> Array:
    """Return z carried on from `now` by its change since `last`, as a power, number by number.

    The scale of a component is left as it is: it is its partner's to take back, and would grow with every sweep.
    """
    xp = side.xp

    def mass(f: Array) -> Array:
        return side.column(xp.sum(side.flat(f), axis=1))

    known = (last > 0) & (mass(last) > 0) & (mass(now) > 0)
    ones = xp.ones_like(now)
    change = xp.where(known, now, ones) / xp.where(known, last, ones)
    change = change * xp.where(known, mass(last) / xp.where(known, mass(now), ones), ones)
    point = now * xp.clip(change, 1 / MOST_CHANGE, MOST_CHANGE) ** power
    new = mass(point)
    return side.project(point * xp.where(new > 0, mass(now) / xp.where(new > 0, new, xp.ones_like(new)), 1.0))
