"""Accelerated projected gradient, one side at a time, for every kind of constraint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
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
    references: ClassVar = papers("beck2009", "odonoghue2015")

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
        f = side.factor(z)
        gf = side.fold(gram @ side.flat(f))
        new, change = _Hurried(side, gram, target, scale, step, z, f, gf).after(self.inner_steps)
        if change <= 0:
            return new
        block = _Block(side, gram, target, scale, f, gf, side.penalty(z, f, scale) if side.penalised else 0.0)
        return self._guarded(block, z, step)

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


@dataclass(eq=False)
class _Hurried:
    """Steps that are looked at only in the end; groups of components are shared out to threads."""

    side: Side
    gram: Array
    target: Array
    scale: Array
    step: Array
    z0: Array
    f0: Array
    gf0: Array

    def __post_init__(self) -> None:
        # the momentum point y, the residual of z; the factor and, in turns, what it was a step before
        self.z, self.y, self.rest = self.z0 + 0, self.z0 + 0, self.gf0 - self.target
        self.f, self.before = self.f0 + 0, self.f0 + 0

    def after(self, n_steps: int) -> tuple[Array, float]:
        """Return where `n_steps` steps lead, and how the objective changed."""
        side, t, beta = self.side, 1.0, None
        for _ in range(n_steps):
            t_next = (1 + (1 + 4 * t * t) ** 0.5) / 2
            beta_next = (t - 1) / t_next
            for _ in side.engine.each(partial(self._advance, beta, beta_next), side.divided):
                pass
            self.f, self.before = self.before, self.f
            t, beta = t_next, beta_next
        return self.z, float(sum(side.engine.each(self._change, side.divided)))

    def _advance(self, beta: float | None, beta_next: float, group: tuple[slice, Side]) -> None:
        """Move some components a step; `beta`: the momentum that led to y, None at the first step."""
        some, own = group
        slope = self.rest[some] + 0
        if beta is not None:
            # forward is affine: the residual of y is extrapolated as y was
            now = own.fold(self.gram[some, :] @ self.side.flat(self.f))
            now -= self.target[some]
            slope *= -beta
            self.rest[some] = now
            now *= 1 + beta
            slope += now
        slope *= own.weights
        if own.smooth:
            point = self.f[some] + (beta or 0.0) * (self.f[some] - self.before[some])
            for penalty in own.smooth:
                slope += own.slope(penalty, point, self.scale[some])
        move = own.adjoint(slope)
        move *= self.step[some]
        new = own.prox(self.y[some] - move, self.step[some], self.scale[some])
        self.before[some] = own.forward(new)
        ahead = new - self.z[some]
        ahead *= beta_next
        ahead += new
        self.z[some], self.y[some] = new, ahead

    def _change(self, group: tuple[slice, Side]) -> Array:
        # summed from differences: the whole value would drown it in single precision
        some, own = group
        now = own.fold(self.gram[some, :] @ self.side.flat(self.f))
        f0, gf0, scale = self.f0[some], self.gf0[some], self.scale[some]
        change = own.change(self.f[some] - f0, now - gf0, gf0 - self.target[some])
        if own.penalised:
            after, before = (
                own.penalty(*at, scale) for at in ((self.z[some], self.f[some]), (self.z0[some], f0))
            )
            change = change + after - before
        return change


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
            slope = slope + self.side.slope(penalty, f, self.scale)
        return self.side.adjoint(slope)

    def change(self, z: Array, f: Array, gf: Array) -> float:
        # the change is summed from differences: the whole value would drown it in single precision
        data = self.side.change(f - self.f0, gf - self.gf0, self.gf0 - self.target)
        return float(data + self.side.penalty(z, f, self.scale) - self.penalty0)
