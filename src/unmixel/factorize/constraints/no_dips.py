"""No narrow dips: a pattern is not punched where another component has a spot."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar, Literal, Self

import numpy as np

from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import Array, Context, SideName


@dataclass(frozen=True)
class NoDips:
    """Penalty on pixels that lie below both of two opposite neighbours, for patterns whose beam shape is not known.

    For a pixel x and its neighbours ``x + d`` and ``x - d`` let u and v be what they are higher by (0 where lower)::

        weight / D * sum over x and d of  w(x) * u^2 v^2 / (u^2 + v^2)

    over the D offsets d along rows, columns and diagonals and all lengths up to `reach`. The fraction lies between
    half of ``min(u, v)^2`` and the whole of it, smoothly: 0 on slopes, edges, peaks and their feet. w is the weight of
    the pixel in the fit, the inverse of its noise, but not more than twice the median. The penalty is not convex (see
    docs/decisions/0010-no-dips.md: what is convex and spares peaks cannot forbid dips), but its gradient is
    Lipschitz, and the solver's steps never raise it.

    Parameters
    ----------
    weight : float, >= 0
        Relative to the data's own curvature of w(x) per unit-norm partner; 1 is a good start.
    reach : int, >= 1
        Half the width, in px, of the widest dips that are penalised; less than half the distance of neighbouring spots.

    References
    ----------
    The aim: Kimoto et al., Sci. Rep. 15, 39143 (2025); the penalty is this project's own.

    Examples
    --------
    >>> NoDips(1.0, reach=2).name
    'no_dips'
    """

    weight: float = 1.0
    reach: int = 1
    side: ClassVar[SideName] = "patterns"
    name: ClassVar[str] = "no_dips"
    references: ClassVar = papers("kimoto2025")

    def __post_init__(self) -> None:
        if not (self.weight >= 0 and isinstance(self.reach, int) and self.reach >= 1):
            raise InputError(
                "NoDips",
                expected="weight >= 0 and a whole number reach >= 1",
                got=f"{self.weight}, {self.reach}",
                hint="use weight=1.0, reach=1",
            )

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls(0.7, reach=2)

    def bind(self, context: Context) -> BoundNoDips:
        """Return the penalty for one problem; a pixel that is left out neither is nor makes a dip."""
        weights = np.asarray(context.weights, np.float64)
        used = weights > 0
        level = 2 * float(np.median(weights[used])) if used.any() else 0.0
        limited = np.minimum(weights, level)
        offsets = [
            tuple(length * step for step in direction)
            for length in range(1, self.reach + 1)
            for direction in product((-1, 0, 1), repeat=weights.ndim)
            if direction > (0,) * weights.ndim
        ]
        triples = []
        for offset in offsets:
            if any(2 * abs(d) >= size for d, size in zip(offset, weights.shape, strict=True)):
                continue
            place, ahead, behind = (_shifted(offset, weights.shape, by) for by in (0, 1, -1))
            known = used[place] & used[ahead] & used[behind]
            share = (self.weight / len(offsets) * limited[place] * known)[None]
            whole: Any = slice(None)
            triples.append(
                (
                    (whole, *place),
                    (whole, *ahead),
                    (whole, *behind),
                    context.engine.asarray(share, context.dtype),
                )
            )
        return BoundNoDips(context.engine.xp, tuple(triples), self.weight * float(limited.max(initial=0.0)))


def _shifted(offset: tuple[int, ...], shape: tuple[int, ...], by: int) -> tuple[slice, ...]:
    """Return the part of a grid that is `by` offsets away from the pixels that have neighbours on both sides."""
    return tuple(
        slice(abs(d) + by * d, size - abs(d) + by * d) for d, size in zip(offset, shape, strict=True)
    )


@dataclass(frozen=True, eq=False)
class BoundNoDips:
    """Squared smooth minimum of the rises to two opposite neighbours."""

    xp: Any
    triples: tuple[tuple[Any, Any, Any, Array], ...]
    top: float
    kind: ClassVar[Literal["smooth"]] = "smooth"
    degree: ClassVar[int] = 2

    @property
    def curvature(self) -> float:
        """Return 16 times the largest share: 2 of the fraction, 8 of the two differences."""
        return 16.0 * self.top

    def cut(self, components: slice) -> Self:
        """Return itself: all components are treated alike."""
        return self

    def value(self, f: Array) -> Array:
        """Return the penalty per component."""
        xp, axes = self.xp, tuple(range(1, f.ndim))
        value = xp.sum(xp.zeros_like(f), axis=axes)
        for place, ahead, behind, share in self.triples:
            u, v = self._rises(f, place, ahead, behind)
            part = self._part(u, v)
            value = value + xp.sum(share * u * u * (1 - part), axis=axes)
        return value

    def gradient(self, f: Array) -> Array:
        """Return the gradient: of one neighbour ``2 u (v^2 / (u^2 + v^2))^2``, of the other with u and v exchanged."""
        out = self.xp.zeros_like(f)
        for place, ahead, behind, share in self.triples:
            u, v = self._rises(f, place, ahead, behind)
            part = self._part(u, v)
            by_u, by_v = 2 * share * u * (1 - part) ** 2, 2 * share * v * part**2
            out[ahead] += by_u
            out[behind] += by_v
            out[place] -= by_u + by_v
        return out

    def _rises(self, f: Array, place: Any, ahead: Any, behind: Any) -> tuple[Array, Array]:
        here, nothing = f[place], self.xp.zeros((), dtype=f.dtype, device=f.device)
        return self.xp.maximum(f[ahead] - here, nothing), self.xp.maximum(f[behind] - here, nothing)

    def _part(self, u: Array, v: Array) -> Array:
        """Return ``u^2 / (u^2 + v^2)``, 0 where both are 0."""
        squared = u * u
        both = squared + v * v
        return squared / self.xp.where(both > 0, both, self.xp.ones_like(both))
