"""How many leading components a penalty leaves alone: a number, or as many as fill the scan."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Grid

Spare = int | Literal["auto"]
"""A number of components, or ``"auto"``: as many as fill the scan, which the sketch of the data tells."""


class Sparing:
    """What penalties with the fields `weight` and `spare` share: the check of both, and the answer to "auto"."""

    weight: float
    spare: Spare

    def check(self, hint: str) -> None:
        """Refuse what is out of range; the hint says what to use.

        Raises
        ------
        InputError
            When the weight is negative, or `spare` neither a whole number >= 0 nor "auto".
        """
        whole = isinstance(self.spare, int) and not isinstance(self.spare, bool) and self.spare >= 0
        if not (self.weight >= 0 and (whole or self.is_open)):
            raise InputError(
                type(self).__name__,
                expected='weight >= 0 and spare >= 0 or "auto"',
                got=f"{self.weight}, {self.spare!r}",
                hint=f"use {hint}",
            )

    @property
    def is_open(self) -> bool:
        """Whether the data are to tell how many components are spared."""
        return self.spare == "auto"

    @property
    def n_spared(self) -> int:
        """Number of leading components that are left alone; 1 as long as that is open."""
        return 1 if self.spare == "auto" else self.spare

    def settled(self, spread: int) -> Self:
        """Return it with `spread` components spared where that was left open."""
        return replace(self, spare=spread) if self.is_open else self  # type: ignore[type-var]

    def leading(self, grid: Grid) -> int:
        """Return how many leading components are set apart."""
        return self.n_spared
