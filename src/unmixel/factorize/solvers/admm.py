"""Alternating direction method of multipliers: every inner step one small product, whatever the conditioning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
from unmixel.factorize.contracts import Array
from unmixel.factorize.problem import Problem, Side

CHECKED = 10
"""Steps after which it is looked whether they still move anything; and steps of safe length, which are slower."""


@dataclass(frozen=True)
class Admm:
    """Splits one side into a least-squares copy and a feasible copy; proximal constraints that are uniform only.

    Components are scaled to a Gram matrix of unit diagonal, so that one penalty serves all data. The multipliers
    begin from one proximal gradient step. Where the feasible copy does not lower the objective (far too few steps,
    or already there), plain proximal gradient steps are taken instead: the objective never rises.

    Parameters
    ----------
    inner_steps : int, >= 1
        Steps on one side before the other side's turn.
    penalty : float, > 0
        Weight of the distance between the two copies, relative to the unit diagonal.
    precision : float, >= 0
        Steps end where ten of them move no value by more than this share of the largest.

    References
    ----------
    Huang, Sidiropoulos & Liavas, IEEE Trans. Signal Process. 64, 5052 (2016), for its use in matrix factorisation;
    Boyd et al., Found. Trends Mach. Learn. 3, 1 (2011).

    Examples
    --------
    >>> Admm(inner_steps=10).name
    'admm'
    """

    inner_steps: int = 20
    penalty: float = 0.1
    precision: float = 0.0
    name: ClassVar[str] = "admm"
    references: ClassVar = papers("huang2016", "boyd2011")

    def __post_init__(self) -> None:
        if not (self.inner_steps >= 1 and self.penalty > 0 and self.precision >= 0):
            raise InputError(
                "Admm",
                expected="inner_steps >= 1, penalty > 0 and precision >= 0",
                got=f"{self.inner_steps}, {self.penalty}, {self.precision}",
                hint="use the defaults, 20, 0.1 and 0",
            )

    def check(self, problem: Problem) -> None:
        """Refuse constraints that couple samples or treat them differently."""
        for side in (problem.maps, problem.patterns):
            if not side.separable:
                raise InputError(
                    "solver admm",
                    expected="uniform proximal constraints only (nonnegative, sparse)",
                    got=f"a constraint on the {side.name} that couples samples",
                    hint="use solver='auto', which takes each side as its constraints allow",
                )

    @property
    def to_the_end(self) -> Admm:
        """The same for one side whose partner stays: a weaker penalty, and steps until they stand still."""
        return Admm(25 * self.inner_steps, 0.6 * self.penalty, 3e-6)

    def update(self, side: Side, z: Array, gram: Array, target: Array, scale: Array) -> Array:
        """Return a Z with a lower objective; see `contracts.Solver`."""
        quadratic = _Quadratic.of(side, gram, self.penalty)
        step = quadratic.length / side.xp.where(
            side.weights > 0, side.weights, side.xp.ones_like(side.weights)
        )
        start, aim = side.flat(z), side.flat(target)

        def prox(values: Array) -> Array:
            return side.flat(side.prox(side.fold(values), step, scale))

        slope = gram @ start
        slope -= aim
        moved = start - slope * side.xp.reshape(quadratic.length, (-1, 1))
        copy = prox(moved)
        dual = copy - moved
        constant = quadratic.solve @ aim
        before = moved + 0
        for step_number in range(1, self.inner_steps + 1):
            copy += dual
            moved = quadratic.pull @ copy
            moved += constant
            moved -= dual
            copy = prox(moved)
            dual = copy - moved
            if self.precision and step_number % CHECKED == 0:
                # copies may wait at 0 for multipliers to come down: what makes both is what must stand still
                if self._stands_still(side, moved - before, copy):
                    break
                before = moved + 0
        new = self._kept(side, z, side.fold(copy), quadratic)
        if not self._change(side, z, new, gram, slope, scale) <= 0:
            new = self._plain(side, z, gram, target, scale, quadratic)
        return new

    def _stands_still(self, side: Side, step: Array, values: Array) -> bool:
        weighs = side.flat((side.weights > 0)[None, ...])
        return bool(side.xp.max(abs(step) * weighs) <= self.precision * side.xp.max(abs(values) * weighs))

    @staticmethod
    def _kept(side: Side, z: Array, new: Array, quadratic: _Quadratic) -> Array:
        """Return new values; old ones where the data say nothing of a component, 0 where a sample has no weight."""
        xp = side.xp
        new = new if quadratic.all_alive else xp.where(side.column(quadratic.alive), new, z)
        return xp.where(side.weights > 0, new, xp.zeros_like(new))

    @staticmethod
    def _change(side: Side, z: Array, new: Array, gram: Array, slope: Array, scale: Array) -> Array:
        # summed from differences: whole values would drown the change in single precision
        step = new - z
        change = side.change(step, side.fold(gram @ side.flat(step)), side.fold(slope))
        if side.penalised:
            change = change + side.penalty(new, new, scale) - side.penalty(z, z, scale)
        return change

    def _plain(
        self, side: Side, z: Array, gram: Array, target: Array, scale: Array, quadratic: _Quadratic
    ) -> Array:
        """Return z after proximal gradient steps of the safe length, which cannot rise."""
        xp = side.xp
        safe = xp.where(side.weights > 0, side.weights, xp.ones_like(side.weights))
        length = quadratic.length * (self.penalty / quadratic.largest) / safe
        for _ in range(min(self.inner_steps, CHECKED)):
            slope = (side.fold(gram @ side.flat(z)) - target) * side.weights
            z = self._kept(side, z, side.prox(z - length * slope, length, scale), quadratic)
        return z + xp.zeros_like(z)


@dataclass(frozen=True, eq=False)
class _Quadratic:
    """What is made from a Gram matrix once: with D its diagonal, inverses of ``gram + penalty D``."""

    solve: Array
    pull: Array
    length: Array
    alive: Array
    all_alive: bool
    largest: float

    @classmethod
    def of(cls, side: Side, gram: Array, penalty: float) -> _Quadratic:
        engine, k = side.engine, gram.shape[0]
        host = engine.to_host(gram).astype(np.float64)
        diagonal = np.diagonal(host)
        alive = diagonal > max(float(diagonal.max()), 0.0) * 1e-12
        root = np.sqrt(np.where(alive, diagonal, 1.0))
        # inverted at unit diagonal, where it is well conditioned whatever the scale of the components
        unit = host / root[:, None] / root[None, :]
        inverse = np.linalg.inv(unit + penalty * np.eye(k)) / root[:, None]
        # a device waits for every array that is sent: they travel as one
        sent = [inverse / root, inverse * (penalty * root), 1 / (penalty * root**2), alive]
        rows = engine.asarray(np.vstack(sent), side.dtype)
        return cls(
            solve=rows[:k, :],
            pull=rows[k : 2 * k, :],
            length=side.column(rows[2 * k, :]),
            alive=rows[2 * k + 1, :] > 0,
            all_alive=bool(alive.all()),
            largest=float(np.linalg.eigvalsh(unit)[-1]),
        )
