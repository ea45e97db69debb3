"""How much wider a constraint's kernel is than it is said to be: a number, or what the data tell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

from unmixel.core.errors import InputError
from unmixel.factorize.contracts import Constraint, SideName

Stretch = float | Literal["auto"]
"""A factor on a width, or ``"auto"``: what predicts electrons best that were set aside (`widths`)."""


class Stretching:
    """What constraints with a kernel and the field `stretch` share: the check of it, and the answer to "auto"."""

    name: ClassVar[str]
    side: SideName
    stretch: Stretch

    def check_stretch(self) -> None:
        """Refuse what is no factor.

        Raises
        ------
        InputError
            When `stretch` is neither a finite number above 0 nor "auto".
        """
        number = isinstance(self.stretch, int | float) and not isinstance(self.stretch, bool)
        if not (self.stretch == "auto" or (number and math.isfinite(self.stretch) and self.stretch > 0)):
            raise InputError(
                type(self).__name__,
                expected='stretch > 0 or "auto"',
                got=repr(self.stretch),
                hint='use 1, the width as it is given, or "auto"',
            )

    @property
    def width_is_open(self) -> bool:
        """Whether the data are to tell the width."""
        return self.stretch == "auto"

    @property
    def factor(self) -> float:
        """Factor on the width; 1 as long as that is open."""
        return 1.0 if self.stretch == "auto" else float(self.stretch)

    def stretched(self, factor: float) -> Self:
        """Return it with a kernel `factor` times as wide as it is said to be."""
        return replace(self, stretch=factor)  # type: ignore[type-var]


Key = tuple[str, SideName]
"""Name and side of a constraint."""


@dataclass(frozen=True)
class Tried:
    """One width, beside the one that was the best until then.

    Parameters
    ----------
    constraint : str
    side : "maps" or "patterns"
    stretch : float
        Factor on the width that was given.
    gain : float
        By how much the squared misfit of the electrons set aside is lower, in units of their variance.
    deviation : float
        Standard error of the gain.
    taken : bool
    """

    constraint: str
    side: SideName
    stretch: float
    gain: float
    deviation: float
    taken: bool


@dataclass(frozen=True, eq=False)
class Widths:
    """What was found for every constraint whose width was open.

    Parameters
    ----------
    factors : mapping of (str, side) to float
        Factors on the widths that were given.
    tried : tuple of Tried
        In the order of trying.
    window : tuple of (int, int)
        First position and the one after the last, along every axis of the scan.
    not_done : str
        Why nothing was tried; empty where something was.
    """

    factors: Mapping[Key, float] = field(default_factory=dict)
    tried: tuple[Tried, ...] = ()
    window: tuple[tuple[int, int], ...] = ()
    not_done: str = ""

    @property
    def sentence(self) -> str:
        """What was found, in words.

        Examples
        --------
        >>> Widths({("resolution", "maps"): 1.0}, not_done="data are not counts").sentence
        'Widths stay as given (the kernel of resolution): data are not counts.'
        """
        each = [(f"the kernel of {name}", factor) for (name, _), factor in self.factors.items()]
        if self.not_done:
            return f"Widths stay as given ({', '.join(what for what, _ in each)}): {self.not_done}."
        parts = [
            f"{what} " + ("as it is given" if factor == 1 else f"{factor:.3g} times as wide as given")
            for what, factor in each
        ]
        where = " x ".join(str(last - first) for first, last in self.window)
        return (
            f"On {where} positions, electrons that were set aside are predicted best by {' and '.join(parts)} "
            f"({len(self.tried)} widths tried)."
        )

    def told(self) -> dict[str, Any]:
        """Return it in JSON-safe numbers and words.

        Examples
        --------
        >>> Widths({("resolution", "maps"): 1.19}).told()["stretch"]
        [{'constraint': 'resolution', 'side': 'maps', 'factor': 1.19}]
        """
        named = [{"constraint": n, "side": side, "factor": f} for (n, side), f in self.factors.items()]
        return {
            "stretch": named,
            "tried": [asdict(one) for one in self.tried],
            "window": [list(ends) for ends in self.window],
            "not_done": self.not_done,
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Widths:
        """Return it from what `told` returned."""
        return cls(
            {(one["constraint"], one["side"]): float(one["factor"]) for one in told["stretch"]},
            tuple(Tried(**one) for one in told["tried"]),
            tuple((int(first), int(last)) for first, last in told["window"]),
            str(told["not_done"]),
        )

    def applied(self, constraints: Iterable[Any]) -> tuple[Any, ...]:
        """Return constraints with every width that was open as it was found."""
        return tuple(
            c.stretched(self.factors.get((c.name, c.side), 1.0)) if _is_open(c) else c for c in constraints
        )


def _is_open(constraint: Any) -> bool:
    return isinstance(constraint, Stretching) and constraint.width_is_open


def open_widths(constraints: Iterable[Constraint]) -> tuple[Key, ...]:
    """Return the constraints whose widths are open, those of patterns first: they are the clearer ones."""
    keys = dict.fromkeys((c.name, c.side) for c in constraints if _is_open(c))
    return tuple(sorted(keys, key=lambda key: key[1] != "patterns"))
