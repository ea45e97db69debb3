"""The solver that suits each side: the fastest that its constraints allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from unmixel.factorize.contracts import Array, Solver
from unmixel.factorize.problem import Problem, Side
from unmixel.factorize.solvers.admm import Admm
from unmixel.factorize.solvers.gradient import AcceleratedGradient


@dataclass(frozen=True)
class Auto:
    """One solver for sides whose samples can be solved for one by one, another for all others.

    Parameters
    ----------
    separable, coupled : Solver

    Examples
    --------
    >>> Auto().name
    'auto'
    """

    separable: Solver = field(default_factory=Admm)
    coupled: Solver = field(default_factory=AcceleratedGradient)
    name: ClassVar[str] = "auto"

    def check(self, problem: Problem) -> None:
        """Accept every problem."""

    @property
    def to_the_end(self) -> Auto:
        """Both for one side alone."""
        return Auto(*(getattr(solver, "to_the_end", solver) for solver in (self.separable, self.coupled)))

    def update(self, side: Side, z: Array, gram: Array, target: Array, scale: Array) -> Array:
        """Return a Z with a lower objective; see `contracts.Solver`."""
        solver = self.separable if side.separable else self.coupled
        return solver.update(side, z, gram, target, scale)
