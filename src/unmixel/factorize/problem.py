"""A factorisation problem with its constraints bound: two sides, one objective."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import (
    Array,
    Linear,
    Products,
    Proximal,
    Samples,
    SideName,
    Smooth,
)


def summed(xp: Any, values: Array) -> Array:
    """Return the sum of an array, accumulated in float64, where the array lives: nobody waits for it."""
    return xp.sum(values, dtype=xp.float64)


def total(xp: Any, values: Array) -> float:
    """Return the sum of an array, accumulated in float64, on the host."""
    return float(summed(xp, values))


@dataclass(frozen=True, eq=False)
class Side:
    """One factor of the problem with its bound constraints.

    Parameters
    ----------
    name : "maps" or "patterns"
    grid : Grid
    engine : Engine
    dtype : str
    weights : array, shape grid.shape
    n_components : int
    linear, proximal, smooth : tuple
        Bound constraints, in the order in which they are applied to Z.
    """

    name: SideName
    grid: Grid
    engine: Any
    dtype: str
    weights: Array
    n_components: int
    linear: tuple[Linear, ...] = ()
    proximal: tuple[Proximal, ...] = ()
    smooth: tuple[Smooth, ...] = ()

    @property
    def xp(self) -> Any:
        """Return the array namespace."""
        return self.engine.xp

    def forward(self, z: Array) -> Array:
        """Return the factor made from Z, shape (k, *grid.shape)."""
        for operator in self.linear:
            z = operator.forward(z)
        return z

    def factor(self, z: Array) -> Array:
        """Return what `forward` does; of the last few Z, which must not be written into, it is remembered."""
        if not self.linear:
            return z
        found = next((f for known, f in self._recent if known is z), None)
        if found is None:
            found = self.forward(z)
            self._recent.append((z, found))
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to another process: not what was remembered on the way."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @cached_property
    def _recent(self) -> deque[tuple[Array, Array]]:
        # a turn asks for the factors of where it begins and of where it ends
        return deque(maxlen=2)

    def adjoint(self, f: Array) -> Array:
        """Return the adjoint of `forward`'s linear part."""
        for operator in reversed(self.linear):
            f = operator.adjoint(f)
        return f

    def ones(self) -> Array:
        """Return Z of ones, shape (k, *grid.shape)."""
        return self.engine.asarray(np.ones((self.n_components, *self.grid.shape)), self.dtype)

    def zeros(self) -> Array:
        """Return Z of zeros, shape (k, *grid.shape)."""
        return self.engine.asarray(np.zeros((self.n_components, *self.grid.shape)), self.dtype)

    @property
    def penalised(self) -> bool:
        """Whether any constraint of the side has a value that adds to the objective."""
        return bool(self.smooth) or any(c.degree for c in self.proximal)

    @property
    def separable(self) -> bool:
        """Whether samples can be solved for one by one: nothing couples them, all are treated alike."""
        alike = all(getattr(c, "uniform", False) for c in self.proximal)
        return alike and not (self.linear or self.smooth)

    def part(self, samples: Samples) -> Side:
        """Return the side cut to some of its samples (only where it is `separable`)."""
        weights = self.xp.reshape(self.weights, (-1,))[samples]
        grid = Grid((int(weights.shape[0]),), (1.0,))
        return replace(self, grid=grid, weights=weights)

    def alone(self) -> Side:
        """Return the side without what only its whole grid knows: what blocks of samples need of it, to be sent."""
        nothing = self.xp.reshape(self.weights, (-1,))[:0]
        return replace(self, grid=Grid((0,), (1.0,)), weights=nothing)

    def cut(self, components: slice) -> Side:
        """Return the side with some of its components only (only where it is `divisible`)."""
        count = len(range(*components.indices(self.n_components)))

        def parts(operators: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(operator.cut(components) for operator in operators)

        linear, proximal, smooth = (parts(kind) for kind in (self.linear, self.proximal, self.smooth))
        return replace(self, n_components=count, linear=linear, proximal=proximal, smooth=smooth)

    @property
    def divisible(self) -> bool:
        """Whether every constraint treats each component by itself."""
        return all(hasattr(c, "cut") for c in (*self.linear, *self.proximal, *self.smooth))

    @cached_property
    def divided(self) -> list[tuple[slice, Side]]:
        """Groups of components for threads to share, each with the side cut to them; one of all if it must be."""
        k = self.n_components
        # of four tiles: smaller ones make threads wait for each other more than fast memory gains
        count = max(1, round(k * self.grid.size / (4 * self.engine.tile))) if self.divisible else 1
        edges = np.linspace(0, k, min(count, k) + 1).round().astype(int).tolist()
        groups = [slice(start, stop) for start, stop in pairwise(edges)]
        return [(group, self.cut(group)) for group in groups] if len(groups) > 1 else [(slice(0, k), self)]

    @cached_property
    def _reach(self) -> Array:
        """The linear part applied to ones: how strongly the free samples reach each sample of the factor."""
        return self.forward(self.ones()) - self.forward(self.zeros()) if self.linear else self.ones()

    @cached_property
    def majoriser(self) -> Array:
        """Diagonal that bounds ``A' weights A`` from above (row sums of a matrix without negative entries)."""
        return self.adjoint(self._reach * self.weights)

    @cached_property
    def plain_majoriser(self) -> Array:
        """Diagonal that bounds ``A' A`` from above."""
        return self.adjoint(self._reach)

    @cached_property
    def free(self) -> Array:
        """Which components depend on Z at all (pinned ones do not), bool of shape (k,)."""
        return self.xp.max(self.flat(self._reach), axis=1) > 0

    def prox(self, z: Array, step: Array, scale: Array) -> Array:
        """Return Z after the proximal step of all proximal constraints, in order."""
        for constraint in self.proximal:
            z = constraint.prox(z, step * self.column(scale) if constraint.degree else step)
        return z

    def project(self, z: Array) -> Array:
        """Return Z moved into the sets of the proximal constraints."""
        xp = self.xp
        for constraint in self.proximal:
            if constraint.degree == 0:
                z = constraint.prox(
                    z, xp.ones((z.shape[0],) + (1,) * (z.ndim - 1), dtype=z.dtype, device=z.device)
                )
        return z

    def column(self, per_component: Array) -> Array:
        """Return an array of shape (k,) shaped to broadcast over the grid."""
        return self.xp.reshape(per_component, (-1,) + (1,) * len(self.grid.shape))

    def flat(self, f: Array) -> Array:
        """Return a factor as (k, size)."""
        return self.xp.reshape(f, (f.shape[0], self.grid.size))

    def fold(self, f: Array) -> Array:
        """Return a flat factor as (k, *grid.shape)."""
        return self.xp.reshape(f, (f.shape[0], *self.grid.shape))

    def weighted(self, f: Array) -> Array:
        """Return the factor times the side's weights, flat: (k, size)."""
        return self.flat(f * self.weights)

    def gram(self, f: Array) -> Array:
        """Return the weighted Gram matrix of a factor, shape (k, k)."""
        flat = self.flat(f)
        return self.weighted(f) @ flat.T

    def norms(self, f: Array) -> Array:
        """Return the weighted norm of each component, shape (k,)."""
        xp = self.xp
        axes = tuple(range(1, f.ndim))
        return xp.sqrt(xp.sum(f * f * self.weights, axis=axes))

    def change(self, step: Array, gram_step: Array, slope: Array) -> Array:
        """Return how the data term changes: ``<step, r (slope + 1/2 gram step)>``, r the weights; shape ()."""
        return summed(self.xp, step * self.weights * (slope + 0.5 * gram_step))

    def penalties(self, z: Array, f: Array, scale: Array) -> list[tuple[int, Array]]:
        """Return (degree, value per component at the partner's norms) of every penalty with a value."""
        found = [(c.degree, c.value(z) * scale**c.degree) for c in self.proximal if c.degree]
        for c in self.smooth:
            joint = getattr(c, "joint", False)
            at_scale = c.value(self.column(scale) * f) if joint else c.value(f) * scale**c.degree
            found.append((c.degree, at_scale))
        return found

    def penalty(self, z: Array, f: Array, scale: Array) -> Array:
        """Return the sum of all penalties at the partner's norms; shape ()."""
        return sum(summed(self.xp, value) for _, value in self.penalties(z, f, scale))

    def slope(self, penalty: Smooth, f: Array, scale: Array) -> Array:
        """Return the gradient of one smooth penalty at the partner's norms, shape of f."""
        if getattr(penalty, "joint", False):
            return self.column(scale) * penalty.gradient(self.column(scale) * f)
        return self.column(scale**penalty.degree) * penalty.gradient(f)

    def ridge(self, z: Array, f: Array, partner: Array) -> Array:
        """Return what this side's penalties add to the diagonal of the partner's quadratic problem, shape (k,).

        ``|h|^p <= p/2 s^(p-2) |h|^2 + const`` at s = the partner's present norm (exact for p = 2), of two components
        ``|g| |h| <= t/(2s) |g|^2 + s/(2t) |h|^2``: lowering the problem with this ridge never raises the objective.
        """
        xp = self.xp
        ridge = xp.zeros_like(partner)
        floor = xp.max(partner) * 1e-12 + 1e-30
        safe = xp.where(partner > floor, partner, xp.ones_like(partner) * floor)
        for degree, value in self.penalties(z, f, safe):
            ridge = ridge + degree * value / safe**2
        return ridge

    def violation(self, z: Array) -> float:
        """Return the largest violation over all proximal constraints."""
        return max((c.violation(z) for c in self.proximal), default=0.0)


@dataclass(frozen=True, eq=False)
class Problem:
    """Data, two sides and everything that is asked of them.

    Parameters
    ----------
    products : Products
        The data, or a sketch of them.
    maps, patterns : Side
    n_components : int
    """

    products: Products
    maps: Side
    patterns: Side
    n_components: int

    @property
    def xp(self) -> Any:
        """Return the array namespace."""
        return self.maps.xp

    def objective(self, z_maps: Array, z_patterns: Array) -> float:
        """Return the full objective (one pass over the products' data).

        Parameters
        ----------
        z_maps, z_patterns : array
        """
        w, h = self.maps.factor(z_maps), self.patterns.factor(z_patterns)
        misfit2 = self.products.misfit2(self.maps.flat(w), self.patterns.flat(h))
        return 0.5 * misfit2 + self.penalty(z_maps, z_patterns)

    def penalty(self, z_maps: Array, z_patterns: Array) -> float:
        """Return the penalties of both sides."""
        w, h = self.maps.factor(z_maps), self.patterns.factor(z_patterns)
        value = self.maps.penalty(z_maps, w, self.patterns.norms(h))
        return float(value + self.patterns.penalty(z_patterns, h, self.maps.norms(w)))
