"""How constraints are bound to the two sides of a problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import Constraint, Context, Products, SideName
from unmixel.factorize.problem import Problem, Side, total


def _impulse_gain(side: Side) -> float:
    """Return the norm of the response to one free sample in the middle, as if every component could be there."""
    side = replace(side, linear=tuple(operator for operator in side.linear if _order(operator) >= 0))
    if not side.linear:
        return 1.0
    impulse = np.zeros((side.n_components, *side.grid.shape))
    impulse[(-1, *(size // 2 for size in side.grid.shape))] = 1.0
    answer = side.forward(side.engine.asarray(impulse, side.dtype)) - side.forward(side.zeros())
    return float(total(side.xp, answer * answer) ** 0.5) or 1.0


def _order(operator: Any) -> int:
    return int(getattr(operator, "outermost", 0))


def bind_side(name: SideName, constraints: Iterable[Constraint], context: Context) -> Side:
    """Return one side with its constraints bound: linear ones first, so that penalties can know their gain.

    Parameters
    ----------
    name : "maps" or "patterns"
    constraints : iterable of Constraint
        Those of the other side are left out.
    context : Context
    """
    mine = [c for c in constraints if c.side == name]
    weights = context.engine.asarray(context.weights, context.dtype)
    side = Side(name, context.grid, context.engine, context.dtype, weights, context.n_components)
    bound = [(c, c.bind(context)) for c in mine]
    for constraint, operator in bound:
        if operator.kind not in ("linear", "proximal", "smooth"):
            raise InputError(
                f"constraint {constraint.name}",
                expected="a bound operator of kind 'linear', 'proximal' or 'smooth'",
                got=repr(operator.kind),
                hint="set the class attribute `kind`",
            )
    # what fixes whole components must come last, or the others would change what is fixed; where a component may
    # be is said of the free variable, before anything blurs it
    linear = sorted((b for _, b in bound if b.kind == "linear"), key=_order)
    side = replace(side, linear=tuple(linear))
    tied = replace(context, gain=_impulse_gain(side))
    penalties = [c.bind(tied) for c, b in bound if b.kind != "linear"]
    return replace(
        side,
        proximal=tuple(sorted((b for b in penalties if b.kind == "proximal"), key=_order)),
        smooth=tuple(b for b in penalties if b.kind == "smooth"),
    )


class Frame(Protocol):
    """What a problem must know of the data beside their products: `Matrix` and `Sketch` both do."""

    @property
    def scan_grid(self) -> Grid:
        """Grid of the maps."""
        ...

    @property
    def pattern_grid(self) -> Grid:
        """Grid of the patterns."""
        ...

    @property
    def position_weights(self) -> NDArray[Any]:
        """Weights of the positions, shape (n,)."""
        ...

    @property
    def pixel_weights(self) -> NDArray[Any]:
        """Weights of the pixels, shape (m,)."""
        ...


def bind(
    frame: Frame,
    products: Products,
    constraints: Iterable[Constraint],
    *,
    n_components: int,
    engine: Any,
    dtype: str,
    noise: Callable[[], float] = lambda: 1.0,
) -> Problem:
    """Return the problem of factorising data under `constraints`.

    Parameters
    ----------
    frame : Frame
        Grids and weights: a matrix, or a sketch of it.
    products : Products
    constraints : iterable of Constraint
    n_components : int
    engine : Engine
    dtype : str
    noise : callable () -> float
    """
    constraints = tuple(constraints)

    rows, columns = frame.position_weights, frame.pixel_weights

    def side(name: SideName, grid: Grid, own: Any, others: Any) -> Side:
        used = int(np.count_nonzero(others))
        own = own.reshape(grid.shape)
        context = Context(grid, n_components, engine, dtype, own, noise, n_partner=used)
        return bind_side(name, constraints, context)

    maps = side("maps", frame.scan_grid, rows, columns)
    return Problem(products, maps, side("patterns", frame.pattern_grid, columns, rows), n_components)
