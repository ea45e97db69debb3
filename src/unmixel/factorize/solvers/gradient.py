"""Accelerated projected gradient, one side at a time, for every kind of constraint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unmixel.core.errors import InputError
from unmixel.factorize.contracts import Array
from unmixel.factorize.problem import Problem, Side


@dataclass(frozen=True)
class AcceleratedGradient:
    """Nesterov's accelerated proximal gradient with a diagonal majoriser and a guard against every rise.

    The step of each free sample is the inverse of a diagonal that bounds the Hessian: largest eigenvalue of the
    normalised Gram matrix x its diagonal x row sums of the (non-negative) linear part. A step that does not lower
    the objective is taken back and the momentum dropped; without momentum it cannot rise.

    Parameters
    ----------
    inner_steps : int, >= 1
        Steps on one side before the other side's turn.

    References
    ----------
    Beck & Teboulle, SIAM J. Imaging Sci. 2, 183 (2009); restart: O'Donoghue & Candes, Found. Comput. Math. 15,
    715 (2015).

    Examples
    --------
    >>> AcceleratedGradient(inner_steps=8).name
    'gradient'
    """

    inner_steps: int = 8
    name: ClassVar[str] = "gradient"

    def __post_init__(self) -> None:
        if self.inner_steps < 1:
            raise InputError(
                "inner_steps", expected="a whole number >= 1", got=str(self.inner_steps), hint="use 8"
            )

    def check(self, problem: Problem) -> None:
        """Accept every problem."""

    def update(self, side: Side, z: Array, gram: Array, target: Array, scale: Array) -> Array:
        """Return a Z with a lower objective; see `contracts.Solver`."""
        step = self._step(side, gram, scale)
        f = side.forward(z)
        gf = side.fold(gram @ side.flat(f))
        block = _Block(side, gram, target, scale, f, gf, side.penalty(z, f, scale) if side.penalised else 0.0)
        new = self._hurried(block, z, step)
        return self._guarded(block, z, step) if new is None else new

    def _hurried(self, block: _Block, z: Array, step: Array) -> Array | None:
        """Return where all steps lead, looked at only in the end; None where that is higher."""
        side, f, gf, t = block.side, block.f0, block.gf0, 1.0
        y, fy, gfy = z, f, gf
        for _ in range(self.inner_steps):
            slope = block.gradient(fy, gfy)
            slope *= step
            new = side.prox(y - slope, step, block.scale)
            f_new = side.forward(new)
            gf_new = block.times_gram(f_new)
            t_new = (1 + (1 + 4 * t * t) ** 0.5) / 2
            beta = (t - 1) / t_new
            # only a smooth penalty looks at the factor itself
            fy = _ahead(f_new, f, beta) if side.smooth else f_new
            y, gfy = _ahead(new, z, beta), _ahead(gf_new, gf, beta)
            z, f, gf, t = new, f_new, gf_new, t_new
        return z if block.change(z, f, gf) <= 0 else None

    def _guarded(self, block: _Block, z: Array, step: Array) -> Array:
        """Return where steps lead of which none may rise."""
        side, f, gf, value = block.side, block.f0, block.gf0, 0.0
        # the momentum point y and its images; forward is affine, so they extrapolate without another product
        y, fy, gfy, t = z, f, gf, 1.0
        for _ in range(self.inner_steps):
            new = side.prox(y - step * block.gradient(fy, gfy), step, block.scale)
            f_new = side.forward(new)
            gf_new = block.times_gram(f_new)
            value_new = block.change(new, f_new, gf_new)
            if not value_new <= value:
                if t == 1.0:
                    break
                y, fy, gfy, t = z, f, gf, 1.0
                continue
            t_new = (1 + (1 + 4 * t * t) ** 0.5) / 2
            beta = (t - 1) / t_new
            y, fy, gfy = new + beta * (new - z), f_new + beta * (f_new - f), gf_new + beta * (gf_new - gf)
            z, f, gf, value, t = new, f_new, gf_new, value_new, t_new
        return z

    def _step(self, side: Side, gram: Array, scale: Array) -> Array:
        """Return the step of every free sample, 0 where nothing in the data depends on it."""
        xp = side.xp
        host = side.engine.to_host(gram).astype(np.float64)
        diagonal = np.diagonal(host)
        root = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        largest = float(np.linalg.eigvalsh(host / root[:, None] / root[None, :])[-1])
        bound = side.column(side.engine.asarray(largest * diagonal, side.dtype)) * side.majoriser
        for penalty in side.smooth:
            bound = bound + side.column(scale**penalty.degree) * penalty.curvature * side.plain_majoriser
        floor = xp.max(bound) * 1e-12
        safe = xp.where(bound > floor, bound, xp.ones_like(bound))
        return xp.where(bound > floor, 1 / safe, xp.zeros_like(bound))


def _ahead(new: Array, old: Array, beta: float) -> Array:
    """Return ``new + beta (new - old)``."""
    ahead = new - old
    ahead *= beta
    ahead += new
    return ahead


@dataclass(frozen=True, eq=False)
class _Block:
    """The objective of one side with the other held fixed, counted from where the update began."""

    side: Side
    gram: Array
    target: Array
    scale: Array
    f0: Array
    gf0: Array
    penalty0: Array

    def times_gram(self, f: Array) -> Array:
        return self.side.fold(self.gram @ self.side.flat(f))

    def gradient(self, f: Array, gf: Array) -> Array:
        slope = gf - self.target
        slope *= self.side.weights
        for penalty in self.side.smooth:
            slope = slope + self.side.column(self.scale**penalty.degree) * penalty.gradient(f)
        return self.side.adjoint(slope)

    def change(self, z: Array, f: Array, gf: Array) -> float:
        # the change is summed from differences: the whole value would drown it in single precision
        data = self.side.change(f - self.f0, gf - self.gf0, self.gf0 - self.target)
        return float(data + self.side.penalty(z, f, self.scale) - self.penalty0)
