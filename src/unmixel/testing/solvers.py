"""The laws of a solver: with every set of constraints it claims, it never raises the objective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from unmixel.core import registry
from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.binding import bind
from unmixel.factorize.contracts import Constraint, Solver
from unmixel.factorize.descent import StopRule, Sweep, balance, descend
from unmixel.factorize.least_squares import LeastSquares
from unmixel.factorize.problem import Problem
from unmixel.factorize.products import products_of
from unmixel.testing.laws import Laws


@dataclass(frozen=True)
class SolverLaws(Laws):
    """Laws that a solver must keep for given constraints.

    Parameters
    ----------
    solver : Solver
    constraints : sequence of Constraint
        Non-negativity of both sides is added.
    engine : Engine
    dtype : str

    Examples
    --------
    >>> from unmixel.factorize.solvers.hals import Hals
    >>> SolverLaws(Hals()).check("never_rises")
    """

    solver: Solver
    constraints: Sequence[Constraint] = ()
    engine: Any = field(default_factory=NumpyEngine)
    dtype: str = "float64"

    def check(self, law: str) -> None:
        """Raise AssertionError where a law is broken; a refusal of the constraints must say what to do."""
        problem, z = self._problem()
        refusal = self._refusal(problem)
        if refusal is None:
            getattr(self, f"law_{law}")(problem, z)
        else:
            assert "What to do" in refusal, "a refusal says what to do"

    def _refusal(self, problem: Problem) -> str | None:
        try:
            self.solver.check(problem)
        except InputError as refusal:
            return str(refusal)
        return None

    def _descend(self, problem: Problem, sweep: Sweep, rule: StopRule) -> tuple[Sweep, bool]:
        return descend(problem, LeastSquares(problem, self.solver), sweep, rule)

    def _problem(self) -> tuple[Problem, tuple[Any, Any]]:
        """Return a small weighted Poisson problem on 7 x 9 | 6 x 8 and a feasible start."""
        rng = np.random.default_rng(3)
        truth = rng.gamma(0.5, size=(63, 3)) @ rng.gamma(0.5, size=(3, 48)) * 20
        matrix = Matrix.from_array(
            rng.poisson(truth).astype(np.uint16), scan_shape=(7, 9), pattern_shape=(6, 8)
        )
        pixels = 1 / np.maximum(truth.mean(axis=0), 1e-3)
        pixels[:5] = 0
        matrix = replace(matrix, pixel_weights=pixels, position_weights=rng.uniform(0.5, 1.5, 63))
        positive = registry.load("constraints", "nonnegative")
        products = products_of(matrix, self.engine, dtype=self.dtype, budget=10**6)
        problem = bind(
            matrix,
            products,
            (*self.constraints, positive("maps"), positive("patterns")),
            n_components=3,
            engine=self.engine,
            dtype=self.dtype,
        )
        z = []
        for side in (problem.maps, problem.patterns):
            random = self.engine.asarray(rng.random((3, *side.grid.shape)), self.dtype)
            xp = self.engine.xp
            z.append(side.project(xp.where(side.majoriser > 0, random, xp.zeros_like(random))))
        return problem, (z[0], z[1])

    def law_never_rises(self, problem: Problem, z: tuple[Any, Any]) -> None:
        """The full objective falls or stays at every sweep, beyond rounding of the data's norm."""
        sweep, _ = self._descend(problem, Sweep(*z, []), StopRule(max_sweeps=25, tol=0))
        rounding = abs(sweep.objective[0]) * (1e-12 if self.dtype == "float64" else 1e-6)
        rises = np.diff(sweep.objective)
        assert rises.max() <= rounding, f"rose by {rises.max():g} at sweep {int(rises.argmax()) + 1}"
        assert sweep.objective[-1] < sweep.objective[0], "nothing was gained"

    def law_stays_feasible(self, problem: Problem, z: tuple[Any, Any]) -> None:
        """What comes out satisfies every set."""
        sweep, _ = self._descend(problem, Sweep(*z, []), StopRule(max_sweeps=5, tol=0))
        for side, values in ((problem.maps, sweep.z_maps), (problem.patterns, sweep.z_patterns)):
            assert side.violation(values) <= 1e-9, f"{side.name} leave the set"

    def law_leaves_its_input(self, problem: Problem, z: tuple[Any, Any]) -> None:
        """The starting point is not changed."""
        before = [self.engine.to_host(values).copy() for values in z]
        self._descend(problem, Sweep(*z, []), StopRule(max_sweeps=2, tol=0))
        for values, copy in zip(z, before, strict=True):
            assert np.array_equal(self.engine.to_host(values), copy)

    def law_is_deterministic(self, problem: Problem, z: tuple[Any, Any]) -> None:
        """Twice the same."""
        rule = StopRule(max_sweeps=3, tol=0)
        one, two = (self._descend(problem, Sweep(*z, []), rule)[0] for _ in range(2))
        assert one.objective == two.objective

    def law_scale_does_not_matter(self, problem: Problem, z: tuple[Any, Any]) -> None:
        """Trading scale between maps and patterns leaves the objective where it is."""
        before = problem.objective(*z)
        after = problem.objective(*balance(problem, *z))
        np.testing.assert_allclose(after, before, rtol=1e-9 if self.dtype == "float64" else 1e-4)
