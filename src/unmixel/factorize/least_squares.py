"""Alternating least squares under constraints: each side in turn, through two products with the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from unmixel.dataset.matrix import Grid
from unmixel.engines.walk import Found
from unmixel.factorize.contracts import Array, Solver
from unmixel.factorize.descent import Anderson
from unmixel.factorize.problem import Problem, Side, summed


@dataclass(frozen=True, eq=False)
class Turn:
    """The quadratic problem of one side while the other is held fixed.

    Parameters
    ----------
    side, partner : Side
    z_partner, fixed : array
        Free variable and factor of the partner.
    bare, gram : array, shape (k, k)
        Weighted Gram matrix of the partner, without and with the ridge that its penalties add.
    scale : array, shape (k,)
        Weighted norms of the partner's components.
    before : array, shape (k,)
        Norms of this side's components as the turn begins (only where the partner has penalties).
    """

    side: Side
    partner: Side
    z_partner: Array
    fixed: Array
    bare: Array
    gram: Array
    scale: Array
    before: Array

    @classmethod
    def of(cls, problem: Problem, side: Side, z: Array, z_partner: Array) -> Turn:
        """Return the turn of a side at z."""
        partner = problem.patterns if side is problem.maps else problem.maps
        fixed = partner.factor(z_partner)
        bare, scale, xp = partner.gram(fixed), partner.norms(fixed), problem.xp
        gram, before = bare, xp.zeros_like(scale)
        if partner.penalised:
            before = side.norms(side.factor(z))
            ridge = partner.ridge(z_partner, fixed, before)
            gram = bare + xp.eye(ridge.shape[0], dtype=ridge.dtype, device=ridge.device) * ridge
        return cls(side, partner, z_partner, fixed, bare, gram, scale, before)

    def alone(self) -> Turn:
        """Return the turn without all that only grids and partners know: what blocks of positions need of it."""
        nobody = self.side.alone()
        return replace(self, side=nobody, partner=nobody, z_partner=self.z_partner[:0], fixed=self.fixed[:0])

    def at(self, weights: Array) -> Turn:
        """Return the turn of some samples with these weights (only where the side is `separable`)."""
        side = replace(self.side, grid=Grid((int(weights.shape[0]),), (1.0,)), weights=weights)
        return replace(self, side=side)

    def rows(self) -> Array:
        """Return what the data are multiplied by: the weighted partner, flat."""
        return self.partner.weighted(self.fixed)

    def change(self, side: Side, z: Array, new: Array, target: Array) -> Array:
        """Return how data term and own penalties change from z to new (`side`: this side or a part of it), shape ()."""
        before, after = side.factor(z), side.factor(new)
        step = after - before

        def times(f: Array) -> Array:
            return side.fold(self.bare @ side.flat(f))

        change = side.change(step, times(step), times(before) - target)
        if side.penalised:
            change = change + side.penalty(new, after, self.scale) - side.penalty(z, before, self.scale)
        return change

    def partner_change(self, new: Array) -> Array:
        """Return how the partner's penalties change as this side's norms do, shape ()."""
        if not self.partner.penalised:
            return 0.0
        after = self.side.norms(self.side.factor(new))
        now = self.partner.penalty(self.z_partner, self.fixed, after)
        return now - self.partner.penalty(self.z_partner, self.fixed, self.before)

    def solve(self, solver: Solver, side: Side, z: Array, target: Array) -> tuple[Array, Array]:
        """Return a lower Z of a side, or of the part of it that `side` is, and the change of its terms."""
        new = solver.update(side, z, self.gram, target, self.scale)
        return new, self.change(side, z, new, target)

    def solve_tiles(self, solver: Solver, z: Array, target: Array) -> tuple[Array, Array]:
        """Return a lower Z, all samples in tiles that stay in fast memory where constraints allow it."""
        side = self.side
        if not side.separable:
            return self.solve(solver, side, z, target)
        flat_z, flat_target = side.flat(z), side.flat(target)
        out, total = flat_z + 0, 0.0

        def on_tile(tile: slice) -> tuple[slice, Array, Array]:
            part = side.part(tile)
            return tile, *self.solve(solver, part, flat_z[:, tile], flat_target[:, tile])

        size, engine = side.grid.size, side.engine
        length = max(1, engine.tile // side.n_components)
        for tile, new, change in engine.each(
            on_tile, [slice(i, min(i + length, size)) for i in range(0, size, length)]
        ):
            out[:, tile] = new
            total = total + change
        return side.fold(out), total


@dataclass(eq=False)
class LeastSquares:
    """Alternating constrained least squares; a `Descent`.

    Where nothing couples the maps of different positions, a sweep is a single pass over the data: each block gives
    its own maps and, with them, its share of the products that the patterns need. Else it is two passes.

    Parameters
    ----------
    problem : Problem
    solver : Solver
    """

    problem: Problem
    solver: Solver
    _known: tuple[Any, Array] | None = field(default=None, repr=False)
    _overlap: tuple[Any, Any, Any] | None = field(default=None, repr=False)

    def begin(self, z_maps: Array, z_patterns: Array) -> tuple[Array, Array]:
        """Return the start as it is."""
        return z_maps, z_patterns

    def extrapolation(self, side: Side, depth: int, trail: tuple[tuple[Array, Array], ...]) -> Anderson:
        """Return the combination of the last sweeps that moves least."""
        return Anderson(side, depth, trail)

    def objective(self, z_maps: Array, z_patterns: Array) -> float:
        """Return the full objective: without a pass over the data right after a sweep from there."""
        if self._overlap is not None and self._overlap[0] is z_maps and self._overlap[1] is z_patterns:
            return self.objective_from(z_maps, z_patterns, self._overlap[2])
        return self.problem.objective(z_maps, z_patterns)

    def objective_from(self, z_maps: Array, z_patterns: Array, overlap: float) -> float:
        """Return the full objective where ``<X, W H>`` is known (by a pass where rounding would drown it)."""
        problem = self.problem
        xp, grams = problem.xp, 1.0
        for side, z in ((problem.maps, z_maps), (problem.patterns, z_patterns)):
            factor = side.factor(z)
            flat, weighted = (xp.astype(f, xp.float64) for f in (side.flat(factor), side.weighted(factor)))
            grams = grams * (weighted @ flat.T)
        misfit2 = float(problem.products.norm2 - 2 * overlap + xp.sum(grams))
        if problem.maps.engine.exact and misfit2 > 1e-4 * problem.products.norm2:
            return 0.5 * misfit2 + problem.penalty(z_maps, z_patterns)
        return problem.objective(z_maps, z_patterns)

    def sweep(
        self, z_maps: Array, z_patterns: Array, ahead: Array | None = None
    ) -> tuple[Array, Array, float]:
        """Return both sides after maps and patterns had their turn, and the change of the objective."""
        problem = self.problem
        change: Array = 0.0
        if ahead is not None:
            turn = Turn.of(problem, problem.patterns, z_patterns, z_maps)
            change = turn.change(problem.patterns, z_patterns, ahead, self._target(z_maps, turn))
            change = change + turn.partner_change(ahead)
            z_patterns = ahead
        z_maps, by_maps = self._maps(z_maps, z_patterns)
        turn = Turn.of(problem, problem.patterns, z_patterns, z_maps)
        z_patterns, by_patterns = turn.solve_tiles(self.solver, z_patterns, self._target(z_maps, turn))
        change = change + by_maps + by_patterns + turn.partner_change(z_patterns)
        return z_maps, z_patterns, float(change)

    def known_by(self, z_maps: Array) -> Array | None:
        """Return the product of the data with these maps, shape (k, m), if the last pass told it."""
        known = self._known is not None and self._known[0] is z_maps
        return self.problem.patterns.flat(self._known[1]) if known and self._known else None

    def recall(self, z_maps: Array, by_maps: Array) -> None:
        """Take over the product of the data with these maps, which an earlier pass told."""
        self._known = z_maps, self.problem.patterns.fold(by_maps)

    def _target(self, z_maps: Array, turn: Turn) -> Array:
        """Return the product of the data with the maps, folded as patterns (known since the last sweep)."""
        if self._known is None or self._known[0] is not z_maps:
            self._known = z_maps, turn.side.fold(self.problem.products.with_maps(turn.rows()))
        return self._known[1]

    def _maps(self, z_maps: Array, z_patterns: Array) -> tuple[Array, Array]:
        problem, side = self.problem, self.problem.maps
        turn = Turn.of(problem, side, z_maps, z_patterns)
        if not side.separable:
            target = side.fold(problem.products.with_patterns(turn.rows()))
            weighted = side.weighted(side.factor(z_maps))
            self._overlap = z_maps, z_patterns, summed(problem.xp, weighted * side.flat(target))
            new, change = turn.solve(self.solver, side, z_maps, target)
            return new, change + turn.partner_change(new)
        products, found = problem.products.through(
            turn.rows(), TakeTurn(turn.alone(), self.solver), *_along(side, z_maps)
        )
        new = side.fold(found.here[0])
        self._known = new, problem.patterns.fold(products)
        change, overlap = found.sums
        self._overlap = z_maps, z_patterns, overlap
        return new, change + turn.partner_change(new)

    def settle(self, z_maps: Array, z_patterns: Array, target: Array | None = None) -> Array:
        """Return the maps that are best for fixed patterns (at most one pass over the data)."""
        problem, side = self.problem, self.problem.maps
        if target is None:
            turn = Turn.of(problem, side, z_maps, z_patterns)
            target = side.fold(problem.products.with_patterns(turn.rows()))
        return settled(self.solver, lambda z: Turn.of(problem, side, z, z_patterns), z_maps, target)

    def settling(self, z_maps: Array, z_patterns: Array) -> BlockSettling | None:
        """Return how blocks of maps are made the best for fixed patterns, one by one; None where they cannot be."""
        problem, side = self.problem, self.problem.maps
        by_block = hasattr(problem.products, "reader")
        if not (by_block and side.separable) or problem.patterns.penalised:
            return None
        return BlockSettling(self, Turn.of(problem, side, z_maps, z_patterns), z_maps)


def _flat_weights(side: Side) -> Array:
    return side.xp.reshape(side.weights, (-1,))


def _along(side: Side, z: Array) -> tuple[Array, Array]:
    """Return what blocks must know of their positions: Z and weights, flat."""
    return side.flat(z), _flat_weights(side)


def settled(solver: Solver, turn: Callable[[Array], Turn], z: Array, target: Array) -> Array:
    """Return z after as many rounds of the solver as it takes to stand still.

    Maps whose samples are coupled approach the best ones ever more slowly: they are left where a round adds less
    than a fiftieth of what all rounds have brought. Others are at their end after one round of a solver that goes on
    until nothing moves, as far as single precision can tell.
    """
    whole, solver = hasattr(solver, "to_the_end"), getattr(solver, "to_the_end", solver)
    fall = 0.0
    for _ in range(100):
        before, now = z, turn(z)
        xp = now.side.xp
        precision = 1e-10 if z.dtype == xp.float64 else 1e-5
        z, change = now.solve_tiles(solver, z, target)
        fall -= float(change)
        if bool(xp.max(xp.abs(z - before)) <= precision * xp.max(z)):
            break
        if now.side.separable:
            if whole and precision > 1e-6:
                break
        elif -float(change) <= 0.02 * fall:
            break
    return z


@dataclass(frozen=True, eq=False)
class TakeTurn:
    """The turn of the maps of a block; a `Between`.

    It gets their products with the patterns, Z (k, b) and weights (b,); it returns new weighted maps and tells the new
    Z, how the objective changed, and the overlap of data and model before.
    """

    turn: Turn
    solver: Solver

    def __call__(self, target: Array, z: Array, weights: Array) -> tuple[Array, Found]:
        """Return new weighted maps, and what is told."""
        turn = self.turn.at(weights)
        new, change = turn.solve_tiles(self.solver, z, target)
        overlap = summed(turn.side.xp, turn.side.weighted(z) * target)
        return turn.side.weighted(new), Found((new,), (change, overlap))


@dataclass(frozen=True, eq=False)
class SettleBlock:
    """Makes the maps of a block the best for fixed patterns, from its values (b, m), Z (k, b) and weights (b,)."""

    turn: Turn
    solver: Solver
    rows: Array

    def __call__(self, engine: Any, values: Array, z: Array, weights: Array) -> tuple[Array, Array]:
        """Return the best Z, and the maps as the data are multiplied by them, shape (k, b) each."""
        turn = self.turn.at(weights)
        target = engine.project(engine.operand(values, turn.side.dtype), self.rows)
        best = settled(self.solver, lambda _: turn, z, target)
        return best, turn.side.weighted(engine.xp.clip(best, min=0))


@dataclass(frozen=True, eq=False)
class BlockSettling:
    """Makes maps the best for fixed patterns block by block, and tells what the patterns could still bring.

    Parameters
    ----------
    descent : LeastSquares
    turn : Turn
        Of the maps.
    z : array
        Maps to begin from.
    """

    descent: LeastSquares
    turn: Turn
    z: Array

    @property
    def on_block(self) -> SettleBlock:
        """What is done with a block."""
        rows = self.turn.side.engine.ready(self.turn.rows())
        return SettleBlock(self.turn.alone(), self.descent.solver, rows)

    @property
    def along(self) -> tuple[Array, Array]:
        """What it wants to know of each position: Z and weights."""
        return _along(self.turn.side, self.z)

    def left(self, z_maps: Array, products: Array) -> float:
        """Return how far another sweep would lower the objective: by the patterns, since the maps are the best."""
        problem, z_patterns = self.descent.problem, self.turn.z_partner
        turn = Turn.of(problem, problem.patterns, z_patterns, z_maps)
        target = problem.patterns.fold(products)
        new, change = turn.solve_tiles(self.descent.solver, z_patterns, target)
        return -float(change + turn.partner_change(new))
