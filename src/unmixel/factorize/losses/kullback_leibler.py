"""The likelihood of counts: generalised Kullback-Leibler divergence, exact, with work that grows with the electrons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import BlockReader
from unmixel.engines.walk import Block, Found, Task
from unmixel.factorize.contracts import Array, Solver
from unmixel.factorize.losses.bound import check_side
from unmixel.factorize.losses.counts import counts_of
from unmixel.factorize.losses.expectation import ExpectationMaximisation
from unmixel.factorize.problem import Problem

PRIOR_COUNTS = 10.0
"""Counts added to every position and pixel before their noise is judged: a few electrons say little about it."""


@dataclass(frozen=True)
class KullbackLeibler:
    """``sum_ij r_i w_j (m_ij - x_ij log m_ij + x_ij log x_ij - x_ij)`` for the model m: half the Poisson deviance.

    The right measure for single electrons, however few: least squares takes counts for numbers with a known noise,
    which counts of 0 and 1 are not. The weights r and w are multiplicities (0 leaves out); they must not hold the
    noise a second time, so leave out the step ``poisson_weights``.

    On the sketch weighted least squares stands for it, with the variance of counts of a model of rank one (row sum
    times column sum). Exact sweeps are expectation maximisation, on the entries that are not zero where most are.

    Parameters
    ----------
    steps : int, >= 1
        Steps on the maps of a tile while its counts are in fast memory.

    References
    ----------
    Lee & Seung, NIPS 13, 556 (2001); Keenan & Kotula, Surf. Interface Anal. 36, 203 (2004), for the weights.

    Examples
    --------
    >>> from unmixel import NMF
    >>> counts = np.random.default_rng(0).poisson([[1.0, 2.0, 3.0]] * 40)
    >>> model = NMF(1, loss="kl").fit(counts)
    >>> bool(np.allclose(model.components_[0], counts.sum(axis=0) / counts.sum(), atol=1e-4))
    True
    """

    steps: int = 4
    name: ClassVar[str] = "kl"
    references: ClassVar = papers("lee2001", "dempster1977")

    def check(self, scan: Scan) -> None:
        """Raise InputError where the scan's weights hold the noise of its counts already."""
        if any(step.name == "poisson_weights" for step in scan.history):
            raise InputError(
                "loss kl",
                expected="weights that hold no noise: this loss knows that of counts by itself",
                got="a scan after the step poisson_weights",
                hint="leave that step out of the recipe, or use the loss frobenius",
            )

    def weigh(self, matrix: Matrix, *, engine: Any, budget: int) -> Matrix:
        """Return the matrix with weights r and w divided by the variance that counts of rank one would have."""
        rows, columns = _sums(matrix, engine, budget)
        kept = matrix.position_weights > 0
        rows, columns = np.maximum(rows, 0) + PRIOR_COUNTS, np.maximum(columns, 0) + PRIOR_COUNTS
        with np.errstate(invalid="ignore"):  # NaN or infinity: the products of the data say so
            usual = rows[kept].mean() if kept.any() else 1.0
            positions = matrix.position_weights * (usual / rows)
            pixels = matrix.pixel_weights * (max(1, int(kept.sum())) / columns)
        return replace(matrix, position_weights=positions, pixel_weights=pixels)

    def descent(
        self, matrix: Matrix, problem: Problem, solver: Solver, *, budget: int
    ) -> ExpectationMaximisation:
        """Return expectation maximisation (the solver is used on the sketch only).

        Raises InputError where a constraint couples samples otherwise than linearly or smoothly.
        """
        check_side(problem.maps)
        check_side(problem.patterns)
        side = problem.maps
        counts = counts_of(
            matrix,
            side.engine,
            weights=side.xp.reshape(side.weights, (-1,)),
            dtype=side.dtype,
            reader=getattr(problem.products, "reader", None),
            budget=budget,
        )
        weights = matrix.position_weights, matrix.pixel_weights
        grids = matrix.scan_grid.shape, matrix.pattern_grid.shape
        r, w = (
            side.engine.asarray(weight.reshape(shape), side.dtype)
            for weight, shape in zip(weights, grids, strict=True)
        )
        return ExpectationMaximisation(problem, counts, r, w, self.steps)


@dataclass(frozen=True, eq=False)
class _Margins(Task):
    """Along: which positions count, (b,). Here: the sums of their used pixels. Sums: over positions, (m,), in float64.

    Parameters
    ----------
    used : array of float32, shape (m,)
    """

    used: Array

    def __call__(self, engine: Any, block: Block, *along: Array) -> Found:
        """Return the sums of a block."""
        (kept,) = along
        values = engine.asarray(block.values, "float32")
        return Found((values @ self.used,), (engine.xp.astype(kept @ values, engine.xp.float64),))


def _sums(matrix: Matrix, engine: Any, budget: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of used counts over pixels and over positions."""
    used = (matrix.pixel_weights > 0).astype(np.float32)
    kept = (matrix.position_weights > 0).astype(np.float32)
    if hasattr(matrix.data, "tocsr"):
        return np.asarray(matrix.data @ used, np.float64), np.asarray(matrix.data.T @ kept, np.float64)
    blocks = engine.resident(BlockReader(matrix.data, matrix.n_scan_axes, budget))
    found = engine.walk(_Margins(engine.asarray(used)), blocks, (engine.asarray(kept),))
    rows, columns = (np.asarray(engine.to_host(part), np.float64) for part in (found.here[0], found.sums[0]))
    return rows, columns
