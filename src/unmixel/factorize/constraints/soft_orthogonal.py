"""Components avoid each other: a penalty on the overlap of their maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from unmixel.dataset.bibliography import papers
from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import Array, Context, SideName
from unmixel.factorize.sparing import Spare, Sparing


@dataclass(frozen=True)
class SoftOrthogonal(Sparing):
    """``weight / 2 * sum_{j != k} <w_j, w_k> |h_j| |h_k|``: overlap of components, each at the scale of its partner.

    It is 0 where no two components are at one place. It does not make maps orthogonal by force: a place that needs two
    components pays for both. The overlap couples components, so the penalty is `joint` (see contracts.py), and it is
    not convex; the steps of the solver are short enough (curvature ``weight * (k - 1)``) never to raise it.

    Parameters
    ----------
    weight : float, >= 0
        Relative to the data's own curvature of 1 per unit-norm partner; 0.1 is mild, 1 is strong.
    side : "maps" or "patterns"
        What is kept apart.
    spare : int, >= 0, or "auto"
        Number of leading components that may overlap with all others (a matrix that is everywhere); "auto": as many
        as fill the scan.

    References
    ----------
    Shiga et al., Ultramicroscopy 170, 43 (2016), who take a share of the overlap away after each update; the penalty
    in its place is this project's own.

    Examples
    --------
    >>> SoftOrthogonal(0.1, spare=1).side
    'maps'
    """

    weight: float = 0.1
    side: SideName = "maps"
    spare: Spare = 0
    name: ClassVar[str] = "soft_orthogonal"
    references: ClassVar = papers("shiga2016")

    def __post_init__(self) -> None:
        self.check("0.1")

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls(0.02)

    def bind(self, context: Context) -> BoundSoftOrthogonal:
        """Return the penalty for one problem."""
        taking_part = [0.0] * self.n_spared + [1.0] * max(0, context.n_components - self.n_spared)
        return BoundSoftOrthogonal(
            context.engine.xp,
            context.engine.asarray(taking_part[: context.n_components], context.dtype),
            self.weight,
            max(0, context.n_components - self.n_spared - 1),
        )


@dataclass(frozen=True, eq=False)
class BoundSoftOrthogonal:
    """Half the overlap of each component with the sum of the others."""

    xp: Any
    taking_part: Array
    weight: float
    others: int
    kind: ClassVar[Literal["smooth"]] = "smooth"
    degree: ClassVar[int] = 2
    joint: ClassVar[bool] = True

    @property
    def curvature(self) -> float:
        """Return the largest eigenvalue of ``weight (1 1' - I)``."""
        return self.weight * max(1, self.others)

    def value(self, f: Array) -> Array:
        """Return half the overlap of each component with the others: they sum to the penalty."""
        return 0.5 * self.xp.sum(f * self.gradient(f), axis=tuple(range(1, f.ndim)))

    def gradient(self, f: Array) -> Array:
        """Return the weighted sum of the other components."""
        mine = f * self.xp.reshape(self.taking_part, (-1,) + (1,) * (f.ndim - 1))
        together = self.xp.sum(mine, axis=0, keepdims=True)
        return (
            self.weight * self.xp.reshape(self.taking_part, (-1,) + (1,) * (f.ndim - 1)) * (together - mine)
        )
