"""The laws of a start: feasible, finite, the same for the same seed, whatever is masked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from unmixel.core import registry
from unmixel.dataset.matrix import Matrix
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.binding import bind
from unmixel.factorize.contracts import Start
from unmixel.factorize.problem import Problem
from unmixel.factorize.products import products_of
from unmixel.factorize.sketch import Sketch, sketch
from unmixel.testing.laws import Laws


def example_problem(engine: Any) -> tuple[Problem, Sketch]:
    """Return a small masked problem of 6 x 7 | 5 x 8 with three components, and its sketch."""
    rng = np.random.default_rng(8)
    counts = rng.poisson(rng.gamma(0.5, size=(42, 3)) @ rng.gamma(0.5, size=(3, 40)) * 20)
    pixels = np.ones(40)
    pixels[:4] = 0
    matrix = replace(Matrix.from_array(counts, scan_shape=(6, 7), pattern_shape=(5, 8)), pixel_weights=pixels)
    products = products_of(matrix, engine, dtype="float64", budget=10**6)
    positive = registry.load("constraints", "nonnegative")
    problem = bind(
        matrix,
        products,
        (positive("maps"), positive("patterns")),
        n_components=3,
        engine=engine,
        dtype="float64",
    )
    return problem, sketch(products, matrix, width=10, engine=engine, dtype="float64")


def example_start(kind: type[Start]) -> Start:
    """Return a start made from its defaults, or from its own ``example(problem)`` where it has one."""
    example = getattr(kind, "example", None)
    return kind() if example is None else example(example_problem(NumpyEngine())[0])


@dataclass(frozen=True)
class StartLaws(Laws):
    """Laws that a start must keep on `example_problem`.

    Parameters
    ----------
    start : Start
    engine : Engine

    Examples
    --------
    >>> from unmixel.factorize.start import SvdStart
    >>> StartLaws(SvdStart()).check("feasible")
    """

    start: Start
    engine: Any = field(default_factory=NumpyEngine)

    def _made(self, seed: int) -> tuple[Problem, tuple[Any, Any]]:
        problem, low = example_problem(self.engine)
        return problem, self.start.make(problem, sketch=lambda: low, seed=seed)

    def law_feasible(self) -> None:
        """Z has the shapes of both sides, is finite and lies in every set."""
        problem, made = self._made(0)
        for side, z in zip((problem.maps, problem.patterns), made, strict=True):
            host = self.engine.to_host(z)
            assert host.shape == (3, *side.grid.shape)
            assert np.all(np.isfinite(host))
            assert side.violation(z) == 0
            assert host.max() > 0, "a start of zeros never leaves zero"

    def law_masked_pixels_stay_empty(self) -> None:
        """Nothing is put where no data can correct it."""
        _, (_, patterns) = self._made(0)
        assert self.engine.to_host(patterns).reshape(3, -1)[:, :4].max() == 0

    def law_the_seed_decides(self) -> None:
        """The same seed, the same start."""
        for one, two in zip(self._made(3)[1], self._made(3)[1], strict=True):
            assert np.array_equal(self.engine.to_host(one), self.engine.to_host(two))
