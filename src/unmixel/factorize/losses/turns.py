"""What a pass over counts does with each tile: look at it, or move its maps as well."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from unmixel.factorize.contracts import Array
from unmixel.factorize.losses.bound import Bound, RowTerms
from unmixel.factorize.losses.climb import climb, climb_to_the_top, ratio_of
from unmixel.factorize.losses.tiles import Tile, Turned
from unmixel.factorize.problem import Side


@dataclass(frozen=True, eq=False)
class Stay:
    """Looks at the tile where its maps stand.

    Parameters
    ----------
    floor : array, shape ()
        Least model of an entry: an electron where the model is 0 has a finite cost.
    """

    floor: Array
    moves: ClassVar[bool] = False
    coupled: ClassVar[bool] = False

    def __call__(self, xp: Any, tile: Tile, rows: Array, along: tuple[Array, Array]) -> Turned:
        """Return what the tile tells at its maps."""
        ratio, model = ratio_of(xp, tile.counts, tile.model(rows), self.floor)
        value = likelihood(xp, tile.counts, model)
        return Turned(rows, ratio, value, value, tile.back(ratio) if self.coupled else None)


@dataclass(frozen=True, eq=False)
class StayCoupled(Stay):
    """Looks at the tile, and gives the ratios multiplied by the patterns: what maps need that move together."""

    coupled: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class Climbing(ABC):
    """Moves the maps of the tile while its counts are in fast memory.

    Parameters
    ----------
    floor : array, shape ()
        As of `Stay`.
    side : Side
        The maps, which constraints treat one by one; without grid and weights (`Side.alone`).
    terms : RowTerms
        What the bound of the maps is made of beside the counts.
    """

    floor: Array
    side: Side
    terms: RowTerms
    moves: ClassVar[bool] = True
    coupled: ClassVar[bool] = False

    @abstractmethod
    def climbed(self, tile: Tile, rows: Array, ratio: Array, bound: Bound) -> tuple[Array, Array, Array]:
        """Return new maps, their ratios and their model."""

    def __call__(self, xp: Any, tile: Tile, rows: Array, along: tuple[Array, Array]) -> Turned:
        """Return the tile with higher likelihood."""
        ratio, model = ratio_of(xp, tile.counts, tile.model(rows), self.floor)
        before = likelihood(xp, tile.counts, model)
        rows, ratio, model = self.climbed(tile, rows, ratio, self.terms.bound(*along))
        return Turned(rows, ratio, before, likelihood(xp, tile.counts, model))


@dataclass(frozen=True, eq=False)
class Climb(Climbing):
    """Takes a few steps on the maps of the tile.

    Parameters
    ----------
    steps : int
    """

    steps: int

    def climbed(self, tile: Tile, rows: Array, ratio: Array, bound: Bound) -> tuple[Array, Array, Array]:
        """Return maps after the steps, their ratios and their model."""
        return climb(tile, rows, ratio, bound, self.side, self.steps, self.floor)


@dataclass(frozen=True, eq=False)
class ClimbToTheTop(Climbing):
    """Moves the maps of the tile to the best ones.

    Parameters
    ----------
    precision : float
        Share of the largest map.
    """

    precision: float

    def climbed(self, tile: Tile, rows: Array, ratio: Array, bound: Bound) -> tuple[Array, Array, Array]:
        """Return the best maps, their ratios and their model."""
        return climb_to_the_top(tile, rows, ratio, bound, self.side, self.precision, self.floor)


def likelihood(xp: Any, counts: Array, model: Array) -> Array:
    """Return ``sum counts log(model)``, shape (), accumulated in float64."""
    return xp.sum(counts * xp.log(model), dtype=xp.float64)
