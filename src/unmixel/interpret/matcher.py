"""How positions are compared with groups: the choices, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from unmixel.core.errors import InputError


@dataclass(frozen=True)
class PositionMatcher:
    """How the patterns of single positions are compared with those of groups.

    Parameters
    ----------
    significance : float
        Share of patterns without angular order that may be taken for a group's, in (0, 0.5).
    smooth : float
        Gaussian sigma in detector pixels (their shorter side) before comparing, >= 0.
    mirror : bool
        Whether mirror images count as the same.
    neighbourhood : float
        Gaussian sigma in positions over which patterns are averaged before comparing; 0 takes each alone.
    background : tuple of int or None
        Groups that show no crystal (a glass, a film, a ghost of the camera): their patterns, as they lie on the
        detector, are taken out of every position's and every other group's, and no position is matched with them.
        None takes the groups without spots; () takes none.

    surrogates : int
        Patterns without order that chance is measured on, at least 200: the level that 1 % exceed is known to about
        a tenth of its rate from 2000.

    Examples
    --------
    >>> PositionMatcher(neighbourhood=1.0).mirror
    False
    """

    significance: float = 0.01
    smooth: float = 1.0
    mirror: bool = False
    neighbourhood: float = 0.0
    background: tuple[int, ...] | None = None
    surrogates: int = 2000

    def __post_init__(self) -> None:
        in_range = 0 < self.significance < 0.5 and 0 <= self.smooth < 100 and 0 <= self.neighbourhood < 100
        if not in_range or self.surrogates < 200:
            raise InputError(
                "PositionMatcher",
                expected="significance in (0, 0.5), smooth and neighbourhood from 0 to below 100, surrogates >= 200",
                got=f"significance {self.significance}, smooth {self.smooth}, "
                f"neighbourhood {self.neighbourhood}, surrogates {self.surrogates}",
                hint="the defaults 0.01, 1.0 and 0 serve most scans; neighbourhood=1 helps where counts are few",
            )
