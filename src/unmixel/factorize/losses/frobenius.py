"""Weighted least squares: the data enter only through two products and a norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from unmixel.dataset.matrix import Matrix
from unmixel.dataset.scan import Scan
from unmixel.factorize.contracts import Solver
from unmixel.factorize.least_squares import LeastSquares
from unmixel.factorize.problem import Problem


@dataclass(frozen=True)
class Frobenius:
    """``1/2 sum_ij r_i w_j (X - W H)_ij^2``; with weights 1 / mean counts it is a chi-square for Poisson counts.

    References
    ----------
    Keenan & Kotula, Surf. Interface Anal. 36, 203 (2004), for the weights.

    Examples
    --------
    >>> Frobenius().name
    'frobenius'
    """

    name: ClassVar[str] = "frobenius"

    def check(self, scan: Scan) -> None:
        """Accept every scan."""

    def weigh(self, matrix: Matrix, *, engine: Any, budget: int) -> Matrix:
        """Return the matrix as it is: its own weights count."""
        return matrix

    def descent(self, matrix: Matrix, problem: Problem, solver: Solver, *, budget: int) -> LeastSquares:
        """Return alternating least squares by the solver; raises InputError where it cannot take a constraint."""
        solver.check(problem)
        return LeastSquares(problem, solver)
