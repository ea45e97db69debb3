"""All settings of a factorisation in one noun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from unmixel.engines.blocks import DEFAULT_BUDGET
from unmixel.factorize.binding import Frame, bind
from unmixel.factorize.contracts import Constraint, Loss, Products, Solver, Spreading, Start
from unmixel.factorize.descent import StopRule
from unmixel.factorize.draft import Refinement
from unmixel.factorize.problem import Problem


@dataclass(frozen=True, eq=False)
class Plan:
    """All settings of a factorisation, every plug-in an object.

    Parameters
    ----------
    n_components : int
    constraints : tuple of Constraint
        All of them, non-negativity included.
    loss : Loss
    solver : Solver
    start : Start
    engine : Engine
    dtype : str
    rule : StopRule
    sketch_sweeps : int
    seed : int
    budget : int
        Bytes for blocks of data.
    refinements : tuple of Refinement
        What changes which components there are before the exact sweeps, in order.
    """

    n_components: int
    constraints: tuple[Constraint, ...]
    loss: Loss
    solver: Solver
    start: Start
    engine: Any
    dtype: str = "float32"
    rule: StopRule = StopRule()
    sketch_sweeps: int = 100
    seed: int = 0
    budget: int = DEFAULT_BUDGET
    refinements: tuple[Refinement, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether a constraint wants to know how many components fill the scan."""
        return any(isinstance(c, Spreading) and c.is_open for c in self.constraints)

    def settled(self, spread: int) -> Plan:
        """Return the plan with nothing left open, `spread` components filling the scan."""
        closed = (c.settled(spread) if isinstance(c, Spreading) else c for c in self.constraints)
        return replace(self, constraints=tuple(closed))

    def problem(self, frame: Frame, products: Products, noise: Callable[[], float]) -> Problem:
        """Return the bound problem of a matrix or a sketch.

        Parameters
        ----------
        frame : Frame
        products : Products
        noise : callable () -> float
            What penalties are tied to, asked for only where one needs it.

        Notes
        -----
        Where a constraint is still open, one component is taken to fill the scan: only a sketch can tell more, and
        what makes a sketch asks for nothing but the linear constraints.
        """
        return bind(
            frame,
            products,
            self.settled(1).constraints,
            n_components=self.n_components,
            engine=self.engine,
            dtype=self.dtype,
            noise=noise,
        )
