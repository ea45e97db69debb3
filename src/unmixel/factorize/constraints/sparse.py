"""Few places: a component is absent unless the noise cannot explain it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

from unmixel.dataset.bibliography import papers
from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import Array, Context, SideName
from unmixel.factorize.sparing import Spare, Sparing


@dataclass(frozen=True)
class Sparse(Sparing):
    """L1 penalty on the free variable, in multiples of the noise of its gradient.

    ``g(z_k) = weight * noise * gain * sum |z_k|``, times the weighted norm of the partner. With whitened data and
    unit-norm patterns the noise of the gradient for Z is the norm of the probe's kernel (`gain`), so one weight
    serves all doses.

    Parameters
    ----------
    weight : float, >= 0
        In standard deviations of the gradient's noise; 2 is a good start for maps, 0 switches it off.
    side : "maps" or "patterns"
        What is penalised.
    spare : int, >= 0, or "auto"
        Number of leading components that are left alone (a matrix that is everywhere), default 0; "auto": as many as
        fill the scan.

    References
    ----------
    Tibshirani, J. R. Stat. Soc. B 58, 267 (1996); the tie to the noise is this project's own.

    Examples
    --------
    >>> Sparse(2.0).side
    'maps'
    """

    weight: float = 2.0
    side: SideName = "maps"
    spare: Spare = 0
    name: ClassVar[str] = "sparse"
    references: ClassVar = papers("tibshirani1996")

    def __post_init__(self) -> None:
        self.check("2.0")

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls(0.5)

    def bind(self, context: Context) -> BoundSparse:
        """Return the penalty for one problem; asks for its noise once."""
        weight = self.weight * context.gain * (context.noise() if self.weight else 0.0)
        column = [0.0] * self.n_spared + [weight] * max(0, context.n_components - self.n_spared)
        return BoundSparse(
            context.engine.xp, context.engine.asarray(column[: context.n_components], context.dtype)
        )


@dataclass(frozen=True, eq=False)
class BoundSparse:
    """Soft threshold with one weight per component."""

    xp: Any
    weights: Array
    kind: ClassVar[Literal["proximal"]] = "proximal"
    uniform: ClassVar[bool] = True
    degree: ClassVar[int] = 1

    def _threshold(self, z: Array) -> Array:
        return self.xp.reshape(self.weights, (-1,) + (1,) * (z.ndim - 1))

    def prox(self, z: Array, step: Array) -> Array:
        """Return z drawn towards 0 by step * weight."""
        threshold = step * self._threshold(z)
        # not by `clip`, which takes three times as long
        return z - self.xp.minimum(self.xp.maximum(z, -threshold), threshold)

    def cut(self, components: slice) -> Self:
        """Return the threshold of some of the components."""
        return replace(self, weights=self.weights[components])

    def value(self, z: Array) -> Array:
        """Return the weighted sum of absolute values per component."""
        return self.weights * self.xp.sum(self.xp.abs(z), axis=tuple(range(1, z.ndim)))

    def violation(self, z: Array) -> float:
        """Return 0: every z has a finite penalty."""
        return 0.0
