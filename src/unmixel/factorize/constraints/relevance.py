"""A component is there as a whole or not at all: those that are not needed go out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np

from unmixel.dataset.bibliography import papers
from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import Array, Context, SideName
from unmixel.factorize.sparing import Spare, Sparing


@dataclass(frozen=True)
class Relevance(Sparing):
    """Norm of each component as a whole: ``g(z_k) = weight * edge * |z_k|`` for ``z_k >= 0``.

    Times the weighted norm of the partner this is the norm of the component's share of the model, ``|w_k| |h_k|``;
    summed over components it bounds the nuclear norm of ``W H`` from above, which prefers few components. The edge is
    the largest norm that noise alone gives to a component whose pattern adapts to it,
    ``noise * (gain * sqrt(n) + sqrt(m))`` for n and m fitted samples of this side and of the other (the edge of the
    singular values of noise). What only fits noise goes out at a weight near 1, and with it all that is no stronger as
    a whole, such as a small crystal; below, all become weaker.

    It is the convex member of the family of automatic relevance determination. That re-estimates the weight of each
    component as ``1 / |z_k|``, which is no penalty that grows with a power of the scale (docs/decisions/0004).

    Parameters
    ----------
    weight : float, >= 0
        In multiples of the noise edge; 0.1 is mild, 1 leaves only what is as strong as noise, 0 switches it off.
    side : "maps" or "patterns"
        What is penalised.
    spare : int, >= 0, or "auto"
        Number of leading components that are left alone; "auto": as many as fill the scan.

    References
    ----------
    Group norm: Yuan & Lin, J. R. Stat. Soc. B 68, 49 (2006). Relevance determination in NMF: Tan & Fevotte, IEEE
    TPAMI 35, 1592 (2013); of spectrum images: Shiga et al., Ultramicroscopy 170, 43 (2016). Edge: Marchenko & Pastur,
    Math. USSR Sb. 1, 457 (1967).

    Examples
    --------
    >>> Relevance(1.0).side
    'maps'
    """

    weight: float = 0.1
    side: SideName = "maps"
    spare: Spare = 0
    name: ClassVar[str] = "relevance"
    references: ClassVar = papers("yuan2006", "tan2013", "shiga2016")

    def __post_init__(self) -> None:
        self.check("0.1")

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls(0.1)

    def bind(self, context: Context) -> BoundRelevance:
        """Return the penalty for one problem; asks for its noise once."""
        edge = context.gain * np.count_nonzero(context.weights) ** 0.5 + context.n_partner**0.5
        weight = self.weight * float(edge) * (context.noise() if self.weight else 0.0)
        column = [0.0] * self.n_spared + [weight] * max(0, context.n_components - self.n_spared)
        return BoundRelevance(
            context.engine.xp, context.engine.asarray(column[: context.n_components], context.dtype)
        )


@dataclass(frozen=True, eq=False)
class BoundRelevance:
    """Norm of whole components on the non-negative orthant, one weight per component.

    The clip at 0 comes first, because a clip after the shrinkage would not be the proximal step of both.
    """

    xp: Any
    weights: Array
    kind: ClassVar[Literal["proximal"]] = "proximal"
    degree: ClassVar[int] = 1
    outermost: ClassVar[int] = 1

    def prox(self, z: Array, step: Array) -> Array:
        """Return ``argmin_{u >= 0} t |u_k| + sum (u - z)^2 / (2 step)``, step by sample or by component.

        At the solution ``u = z r / (r + t step)`` with ``r = |u_k|``, so r is the root of
        ``sum (z / (r + t step))^2 = 1``: 0 where there is none. The inverse root of the left side is concave in r and
        nearly straight, so Newton's steps on it approach from below, in a few steps.
        """
        xp, axes = self.xp, tuple(range(1, z.ndim))
        z = xp.maximum(z, xp.zeros((), dtype=z.dtype, device=z.device))
        pull = xp.reshape(self.weights, (-1,) + (1,) * len(axes)) * step + 0 * z

        def over(values: Array) -> Array:
            return xp.sum(values, axis=axes, keepdims=True)

        # what the largest sample alone, and the largest pull on all of them, say: no ratio is above 1 from here on
        alone = xp.max(z - pull, axis=axes, keepdims=True)
        together = xp.sqrt(over(z * z)) - xp.max(pull, axis=axes, keepdims=True)
        r = xp.maximum(xp.maximum(alone, together), xp.zeros_like(alone))
        for _ in range(_NEWTON):
            reach = r + pull
            reach = xp.where(reach > 0, reach, xp.ones_like(reach))
            squared = (z / reach) ** 2
            total, slope = over(squared), over(squared / reach)
            going = (slope > 0) & ((r > 0) | (total > 1))
            move = total * (xp.sqrt(total) - 1) / xp.where(going, slope, xp.ones_like(slope))
            r = xp.where(going, r + move, xp.zeros_like(r))
        reach = r + pull
        return z * r / xp.where(reach > 0, reach, xp.ones_like(reach))

    def cut(self, components: slice) -> Self:
        """Return the penalty of some of the components."""
        return replace(self, weights=self.weights[components])

    def value(self, z: Array) -> Array:
        """Return the weighted norm per component."""
        axes = tuple(range(1, z.ndim))
        return self.weights * self.xp.sqrt(self.xp.sum(z * z, axis=axes))

    def violation(self, z: Array) -> float:
        """Return the size of the most negative value."""
        return max(0.0, -float(self.xp.min(z)))


_NEWTON = 8
"""Newton's steps on the norm of a component."""
