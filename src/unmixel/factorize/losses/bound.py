"""Expectation maximisation under constraints: a bound of the objective that touches it, and its lowest point.

For counts x and a model m = sum_k w_k h_k the objective ``m - x log m`` lies below a sum of one function per free
number z, ``slope z + curvature/2 z^2 - counts log z``, which touches it where the model stands now (Jensen's
inequality); penalties add to slope and curvature. The lowest point of each is known in closed form, so a step never
raises the objective and never leaves the positive numbers.

References
----------
Dempster, Laird & Rubin, J. R. Stat. Soc. B 39, 1 (1977); Richardson, J. Opt. Soc. Am. 62, 55 (1972);
Lee & Seung, Nature 401, 788 (1999).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from unmixel.core.errors import InputError
from unmixel.factorize.contracts import Array, Samples
from unmixel.factorize.problem import Problem, Side


def check_side(side: Side) -> None:
    """Raise InputError where a side has a constraint that the bound cannot hold."""
    for constraint in side.proximal:
        if constraint.degree > 1 or not getattr(constraint, "uniform", False):
            raise InputError(
                f"loss kl: constraint {type(constraint).__name__} on {side.name}",
                expected="constraints that treat every sample alike and alone (non-negative, sparse), linear ones "
                "(resolution, spot_shape, pinned) and smooth penalties",
                got="one that couples samples",
                hint="leave it out, or use loss='frobenius' with Poisson weights",
            )


@dataclass(frozen=True, eq=False)
class Bound:
    """``slope z + curvature/2 z^2 - counts log z`` for every free number.

    Parameters
    ----------
    slope, curvature : array or None
        Of one shape, or that broadcast; None stands for a curvature of 0.
    flat : bool
        Whether the slope may be 0 where there is no curvature.
    """

    slope: Array
    curvature: Array | None
    flat: bool = True

    def part(self, samples: Samples) -> Bound:
        """Return the bound of some of its rows (slope of shape (b, k))."""
        curvature = None if self.curvature is None else self.curvature[samples, :]
        return Bound(self.slope[samples, :], curvature, self.flat)

    def value(self, z: Array) -> Array:
        """Return the bound without its counts."""
        value = self.slope * z
        return value if self.curvature is None else value + 0.5 * self.curvature * z * z

    def lowest(self, xp: Any, counts: Array, now: Array) -> Array:
        """Return where the bound is lowest for ``counts >= 0``; `now` where it is flat."""
        if self.curvature is None and not self.flat:
            return counts / self.slope
        if self.curvature is None:
            sloped = self.slope > 0
            return xp.where(sloped, counts / xp.where(sloped, self.slope, xp.ones_like(self.slope)), now)
        slope, curvature = self.slope + 0 * counts, self.curvature + 0 * counts
        root = xp.sqrt(slope * slope + 4 * curvature * counts)
        rising, bent = slope > 0, curvature > 0
        ones = xp.ones_like(counts)
        # each form where it subtracts nothing
        above = 2 * counts / xp.where(rising, slope + root, ones)
        below = (root - slope) / xp.where(bent, 2 * curvature, ones)
        return xp.where(rising, above, xp.where(bent, below, now))


@dataclass(frozen=True, eq=False)
class RowTerms:
    """What the bounds of positions that stand alone have in common.

    Parameters
    ----------
    mass : array, shape (k,)
    lasso, ridge : array, shape (k,), or None
        Slope of penalties that grow with z, and what the other side's add.
    flat : bool
        As of `Bound`.
    """

    mass: Array
    lasso: Array | None
    ridge: Array | None
    flat: bool

    def bound(self, multiplicity: Array, weights: Array) -> Bound:
        """Return the bound of some positions, shape (b, k), from their multiplicities and weights, shape (b,)."""
        slope = multiplicity[:, None] * self.mass
        slope = slope if self.lasso is None else slope + self.lasso
        if self.ridge is None:
            return Bound(slope, None, self.flat)
        return Bound(slope, weights[:, None] * self.ridge)


@dataclass(frozen=True, eq=False)
class Terms:
    """What one side's bound is made of beside the counts, while the other side is held fixed.

    Parameters
    ----------
    side : Side
    multiplicity : array, shape side.grid.shape
        The user's weights of the samples.
    mass : array, shape (k,)
        Sum of each component of the other side, under the user's weights.
    scale : array, shape (k,)
        Norms of the other side's components, by which this side's penalties are multiplied.
    ridge : array, shape (k,), or None
        What the other side's penalties add, see `Side.ridge`.
    """

    side: Side
    multiplicity: Array
    mass: Array
    scale: Array
    ridge: Array | None

    @classmethod
    def of(
        cls, problem: Problem, side: Side, z: Array, z_partner: Array, weights: tuple[Array, Array]
    ) -> Terms:
        """Return the terms of a side at z; `weights` are the user's of the side and of its partner."""
        partner = problem.patterns if side is problem.maps else problem.maps
        fixed = partner.forward(z_partner)
        mass = partner.xp.sum(partner.flat(fixed * weights[1]), axis=1)
        scale = partner.norms(fixed)
        ridge = partner.ridge(z_partner, fixed, side.norms(side.forward(z))) if partner.penalised else None
        return cls(side, weights[0], mass, scale, ridge)

    @cached_property
    def _flat(self) -> bool:
        return not (bool(self.side.xp.all(self.mass > 0)) and bool(self.side.xp.all(self.multiplicity > 0)))

    @cached_property
    def _lasso(self) -> Array | None:
        """Slope of the penalties that grow with z, shape (k,)."""
        found = None
        for constraint in self.side.proximal:
            if constraint.degree:
                # of one number a norm is a multiple, the same for all samples
                slope = constraint.value(self.side.ones()) / self.side.grid.size * self.scale
                found = slope if found is None else found + slope
        return found

    @property
    def by_row(self) -> RowTerms:
        """What the samples of a separable side have in common."""
        return RowTerms(self.mass, self._lasso, self.ridge, self._flat)

    def whole(self, z: Array, f: Array) -> Bound:
        """Return the bound of all samples of a side at z, whose factor is f."""
        side = self.side
        slope = side.adjoint(side.column(self.mass) * self.multiplicity)
        curvature, lasso = None, self._lasso
        slope = slope if lasso is None else slope + side.column(lasso)
        for penalty in side.smooth:
            scale = side.column(self.scale**penalty.degree)
            bend = scale * penalty.curvature * side.plain_majoriser
            slope = slope + side.adjoint(side.slope(penalty, f, self.scale)) - bend * z
            curvature = bend if curvature is None else curvature + bend
        if self.ridge is not None:
            bend = side.column(self.ridge) * side.majoriser
            slope = slope + side.adjoint(side.column(self.ridge) * f * side.weights) - bend * z
            curvature = bend if curvature is None else curvature + bend
        return Bound(slope, curvature)

    def step(self, z: Array, back: Array, repeats: int) -> Array:
        """Return a lower z of a whole side.

        Parameters
        ----------
        z : array, shape (k, *grid.shape)
        back : array, shape (k, size)
            Ratios of counts to model, multiplied by the other side.
        repeats : int
            Steps for the same expected counts of the factor; a factor that is z itself needs one.
        """
        side, xp = self.side, self.side.xp
        f = side.forward(z)
        expected = side.fold(back) * f
        for _ in range(repeats if side.linear or side.smooth else 1):
            floor = xp.max(f) * 1e-12 + 1e-30
            share = side.adjoint(expected / xp.where(f > floor, f, xp.ones_like(f) * floor))
            z = side.project(
                self.whole(z, f).lowest(xp, z * xp.where(share > 0, share, xp.zeros_like(share)), z)
            )
            f = side.forward(z)
        return z
