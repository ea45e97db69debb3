"""The laws of a loss: what it is defined as, in every form that data may have, and that it only ever falls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.binding import bind
from unmixel.factorize.constraints.nonnegative import NonNegative
from unmixel.factorize.contracts import Descent, Loss
from unmixel.factorize.problem import Problem
from unmixel.factorize.products import products_of
from unmixel.factorize.solvers.auto import Auto
from unmixel.testing.laws import Laws

Formula = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
"""From data and model, both (n, m), to what each entry costs."""


def half_square(x: NDArray[Any], m: NDArray[Any]) -> NDArray[Any]:
    """Return ``(x - m)^2 / 2``."""
    return np.asarray(0.5 * (x - m) ** 2)


def divergence(x: NDArray[Any], m: NDArray[Any]) -> NDArray[Any]:
    """Return ``m - x log m + x log x - x``."""
    return np.asarray(m - x + x * np.log(np.where(x > 0, x, m) / m))


FORMULAS: dict[str, Formula] = {"frobenius": half_square, "kl": divergence}
"""What the losses that ship with unmixel are defined as."""


@dataclass(frozen=True)
class LossLaws(Laws):
    """Laws that a loss must keep for a table of counts.

    Parameters
    ----------
    loss : Loss
    wrap : callable
        Makes the data of the matrix from a numpy table of shape (30, 20): sparse, lazy, ...
    formula : callable, optional
        What each entry costs, for the law `objective`; that of a registered loss is known.
    constraints : tuple of Constraint
        Beside non-negativity.
    engine : Engine

    Examples
    --------
    >>> from unmixel.factorize.losses.frobenius import Frobenius
    >>> LossLaws(Frobenius()).check("falls")
    """

    loss: Loss
    wrap: Any = np.asarray
    formula: Formula | None = None
    constraints: tuple[Any, ...] = ()
    engine: Any = field(default_factory=NumpyEngine)

    def check(self, law: str) -> None:
        """Raise AssertionError where a law is broken."""
        with self.engine.threads():
            super().check(law)

    @property
    def table(self) -> NDArray[np.uint16]:
        """The counts, shape (30, 20): few in most places."""
        rng = np.random.default_rng(5)
        return rng.poisson(rng.gamma(0.3, 3.0, (30, 20))).astype(np.uint16)

    def matrix(self, table: NDArray[Any]) -> Matrix:
        """Return the matrix of a table: positions 4 by pixels 5 by 6, weights of all sizes, some 0."""
        rng = np.random.default_rng(6)
        positions, pixels = rng.uniform(0.5, 1.5, 30), rng.uniform(0.1, 2, 20)
        positions[[3, 17]] = pixels[[0, 7, 8]] = 0
        found = Matrix.from_array(self.wrap(table), scan_shape=(5, 6), pattern_shape=(4, 5))
        return replace(found, position_weights=positions, pixel_weights=pixels)

    def problem(self, matrix: Matrix, dtype: str = "float64") -> Problem:
        """Return the problem of a matrix as a fit binds it."""
        weighed = self.loss.weigh(matrix, engine=self.engine, budget=10**6)
        products = products_of(weighed, self.engine, dtype=dtype, budget=10**6)
        constraints = (*self.constraints, NonNegative("maps"), NonNegative("patterns"))
        return bind(weighed, products, constraints, n_components=3, engine=self.engine, dtype=dtype)

    def descent(self, table: NDArray[Any], dtype: str = "float64") -> tuple[Problem, Descent]:
        """Return problem and descent of a table."""
        matrix = self.matrix(table)
        problem = self.problem(matrix, dtype)
        return problem, self.loss.descent(matrix, problem, Auto(), budget=10**6)

    def start(self, problem: Problem) -> tuple[Any, Any]:
        """Return Z above 0 of both sides."""
        rng = np.random.default_rng(7)
        shapes = [(3, *side.grid.shape) for side in (problem.maps, problem.patterns)]
        maps, patterns = (self.engine.asarray(rng.uniform(0.2, 2, s), problem.maps.dtype) for s in shapes)
        return maps, patterns

    def law_weigh(self) -> None:
        """The weights that stand for the loss are finite and >= 0, 0 where the user's are 0; the data stay."""
        matrix = self.matrix(self.table)
        weighed = self.loss.weigh(matrix, engine=self.engine, budget=10**6)
        assert weighed.data is matrix.data
        for given, found in (
            (matrix.position_weights, weighed.position_weights),
            (matrix.pixel_weights, weighed.pixel_weights),
        ):
            assert found.shape == given.shape
            assert np.all(np.isfinite(found))
            assert np.all(found >= 0)
            np.testing.assert_array_equal(found == 0, given == 0)

    def law_objective(self) -> None:
        """The objective is what the loss is defined as, to the dense letter."""
        formula = self.formula or FORMULAS.get(self.loss.name)
        if formula is None:
            return
        problem, descent = self.descent(self.table)
        z = self.start(problem)
        host, matrix = self.engine.to_host, self.matrix(self.table)
        maps, patterns = (
            host(side.flat(side.forward(f)))
            for side, f in zip((problem.maps, problem.patterns), z, strict=True)
        )
        cost = formula(self.table.astype(np.float64), maps.T @ patterns)
        wanted = matrix.position_weights @ cost @ matrix.pixel_weights + problem.penalty(*z)
        np.testing.assert_allclose(descent.objective(*z), wanted, rtol=1e-7)

    def law_forms(self) -> None:
        """Counts as integers of any width and as floats are the same counts."""
        values = []
        for dtype in (np.uint8, np.int64, np.float64):
            problem, descent = self.descent(self.table.astype(dtype))
            z_maps, z_patterns, change = descent.sweep(*descent.begin(*self.start(problem)))
            values.append((change, descent.objective(z_maps, z_patterns)))
        np.testing.assert_allclose(values, [values[0]] * len(values), rtol=1e-9)

    def law_masks(self) -> None:
        """What has weight 0 does not count, whatever it is."""
        table, wild = self.table, self.table.copy()
        matrix = self.matrix(table)
        wild[matrix.position_weights == 0] = 60_000
        wild[:, matrix.pixel_weights == 0] = 50_000
        ends = []
        for each in (table, wild):
            problem, descent = self.descent(each)
            z_maps, z_patterns, change = descent.sweep(*descent.begin(*self.start(problem)))
            ends.append((change, descent.objective(z_maps, z_patterns)))
        np.testing.assert_allclose(ends[0], ends[1], rtol=1e-9)

    def law_falls(self) -> None:
        """No sweep raises the objective, and the change it tells is the change of the objective."""
        problem, descent = self.descent(self.table)
        z = descent.begin(*self.start(problem))
        values = [descent.objective(*z)]
        for _ in range(20):
            *new, change = descent.sweep(*z)
            fresh = self.descent(self.table)[1]
            values.append(fresh.objective(*new))
            np.testing.assert_allclose(change, values[-1] - values[-2], rtol=1e-6, atol=1e-9 * values[0])
            z = (new[0], new[1])
        assert np.all(np.diff(values) <= 1e-9 * values[0])
        assert values[-1] < values[0]

    def law_single(self) -> None:
        """In single precision it falls as far as in double."""
        ends = []
        for dtype in ("float32", "float64"):
            problem, descent = self.descent(self.table, dtype)
            z = descent.begin(*self.start(problem))
            for _ in range(10):
                z = descent.sweep(*z)[:2]
            ends.append(descent.objective(*z))
        np.testing.assert_allclose(ends[0], ends[1], rtol=1e-4)

    def law_repeats(self) -> None:
        """The same begin has the same end, to the last bit; what is given is not changed."""
        ends = []
        for _ in range(2):
            problem, descent = self.descent(self.table)
            z = descent.begin(*self.start(problem))
            before = [self.engine.to_host(f).copy() for f in z]
            z_maps, z_patterns, _ = descent.sweep(*z)
            ends.append([self.engine.to_host(f) for f in (z_maps, z_patterns)])
            for f, was in zip(z, before, strict=True):
                np.testing.assert_array_equal(self.engine.to_host(f), was)
        for one, two in zip(*ends, strict=True):
            np.testing.assert_array_equal(one, two)

    def law_settles(self) -> None:
        """Maps that have settled are best: they are feasible, and no sweep finds better ones for the patterns."""
        problem, descent = self.descent(self.table)
        z_maps, z_patterns = descent.begin(*self.start(problem))
        best = descent.settle(z_maps, z_patterns)
        value = descent.objective(best, z_patterns)
        assert value <= descent.objective(z_maps, z_patterns)
        assert problem.maps.violation(best) <= 1e-12
        rng = np.random.default_rng(8)
        nearby = [rng.uniform(1 - size, 1 + size, tuple(best.shape)) for size in (0.3, 0.03, 0.003)]
        for factor in (*nearby, np.full(tuple(best.shape), 0.98), np.full(tuple(best.shape), 1.02)):
            other = descent.objective(best * self.engine.asarray(factor, "float64"), z_patterns)
            assert other >= value - 1e-9 * abs(value), (other, value)

    def law_refuses(self) -> None:
        """What it cannot do it says, with what was expected and a hint; it never does something else."""

        class Odd:
            kind, degree, name, side = "proximal", 3, "odd", "maps"

            def bind(self, context: Any) -> Any:
                return self

            def prox(self, z: Any, step: Any) -> Any:
                return z

            def value(self, z: Any) -> Any:
                return z[(slice(None), *(0,) * (z.ndim - 1))] * 0

            def violation(self, z: Any) -> float:
                return 0.0

        refusal = None
        try:
            replace(self, constraints=(Odd(),)).descent(self.table)
        except InputError as error:
            refusal = error
        assert refusal is None or (refusal.hint and refusal.expected), refusal
