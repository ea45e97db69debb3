"""Hierarchical alternating least squares: one component at a time, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
from unmixel.factorize.contracts import Array
from unmixel.factorize.problem import Problem, Side


@dataclass(frozen=True)
class Hals:
    """Exact minimisation over one component after the other; proximal constraints only.

    Parameters
    ----------
    inner_steps : int, >= 1
        Rounds over the components of one side before the other side's turn.

    References
    ----------
    Cichocki & Phan, IEICE Trans. Fundam. E92-A, 708 (2009); repeated rounds: Gillis & Glineur, Neural Comput. 24,
    1085 (2012).

    Examples
    --------
    >>> Hals(inner_steps=2).name
    'hals'
    """

    inner_steps: int = 3
    name: ClassVar[str] = "hals"
    references: ClassVar = papers("cichocki2009", "gillis2012")

    def __post_init__(self) -> None:
        if self.inner_steps < 1:
            raise InputError(
                "inner_steps", expected="a whole number >= 1", got=str(self.inner_steps), hint="use 3"
            )

    def check(self, problem: Problem) -> None:
        """Refuse linear and smooth constraints, which couple neighbouring samples."""
        for side in (problem.maps, problem.patterns):
            if side.linear or side.smooth:
                raise InputError(
                    "solver hals",
                    expected="proximal constraints only (nonnegative, sparse)",
                    got=f"a linear or smooth constraint on the {side.name}",
                    hint="use solver='gradient'",
                )

    def update(self, side: Side, z: Array, gram: Array, target: Array, scale: Array) -> Array:
        """Return a Z with a lower objective; see `contracts.Solver`."""
        xp = side.xp
        z = z + xp.zeros_like(z)
        weights = side.weights
        safe = xp.where(weights > 0, weights, xp.ones_like(weights))
        curvatures = side.engine.to_host(gram).diagonal().tolist()
        for _ in range(self.inner_steps):
            for k, curvature in enumerate(curvatures):
                if curvature <= 0:
                    continue
                rest = side.fold(gram[k : k + 1, :] @ side.flat(z)) - curvature * z[k : k + 1, ...]
                best = (target[k : k + 1, ...] - rest) / curvature
                z[k : k + 1, ...] = self._prox_one(side, z, best, k, 1 / (curvature * safe), scale)
        return xp.where(weights > 0, z, xp.zeros_like(z))

    @staticmethod
    def _prox_one(side: Side, z: Array, best: Array, k: int, step: Array, scale: Array) -> Array:
        """Return the proximal step of component k alone (constraints may treat components differently)."""
        xp = side.xp
        whole = z + xp.zeros_like(z)
        whole[k : k + 1, ...] = best
        steps = xp.zeros_like(z) + step
        return side.prox(whole, steps, scale)[k : k + 1, ...]
