"""Neighbours are alike: a quadratic penalty on differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import Array, Context, SideName


@dataclass(frozen=True)
class Smooth:
    """``1/2 weight * sum (differences of neighbouring samples)^2`` of a factor, times the partner's norm squared.

    Parameters
    ----------
    weight : float, >= 0
        Relative to the data's own curvature of 1 per unit-norm partner; 0.1 is mild, 10 strong.
    side : "maps" or "patterns"
        What is smoothed.

    References
    ----------
    Graph Laplacian regularisation of maps: Teurtrie et al., Ultramicroscopy 249, 113719 (2023).

    Examples
    --------
    >>> Smooth(0.1, side="maps").weight
    0.1
    """

    weight: float = 0.1
    side: SideName = "maps"
    local: ClassVar[bool] = True
    name: ClassVar[str] = "smooth"
    references: ClassVar = papers("teurtrie2023")

    def __post_init__(self) -> None:
        if not self.weight >= 0:
            raise InputError("Smooth", expected="weight >= 0", got=str(self.weight), hint="use 0.1")

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls(0.3)

    def bind(self, context: Context) -> BoundSmooth:
        """Return the penalty for one problem."""
        return BoundSmooth(context.engine.xp, self.weight, len(context.grid.shape))


@dataclass(frozen=True)
class BoundSmooth:
    """Squared first differences along every axis of the grid."""

    xp: Any
    weight: float
    n_axes: int
    kind: ClassVar[Literal["smooth"]] = "smooth"
    degree: ClassVar[int] = 2

    @property
    def curvature(self) -> float:
        """Return 4 per axis times the weight: the largest eigenvalue of the grid's Laplacian."""
        return 4.0 * self.n_axes * self.weight

    def cut(self, components: slice) -> Self:
        """Return itself: all components are treated alike."""
        return self

    def _differences(self, f: Array) -> list[Array]:
        return [self.xp.diff(f, axis=axis) for axis in range(1, self.n_axes + 1)]

    def value(self, f: Array) -> Array:
        """Return the penalty per component."""
        axes = tuple(range(1, self.n_axes + 1))
        return 0.5 * self.weight * sum(self.xp.sum(d * d, axis=axes) for d in self._differences(f))

    def gradient(self, f: Array) -> Array:
        """Return the weighted Laplacian of f (with free ends)."""
        gradient = self.xp.zeros_like(f)
        for axis, difference in enumerate(self._differences(f), start=1):
            end = self.xp.zeros_like(self.xp.take(f, self.xp.asarray([0], device=f.device), axis=axis))
            gradient = gradient - self.xp.diff(self.xp.concat([end, difference, end], axis=axis), axis=axis)
        return self.weight * gradient
