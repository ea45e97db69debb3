"""The data card: what a scan is and whether its numbers can be trusted, in rows for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from unmixel.dataset.scan import EMPTY

Light = Literal["green", "yellow", "red", "none"]


@dataclass(frozen=True)
class CardRow:
    """One line of the data card.

    Parameters
    ----------
    label, value : str
        What is told and its value, ready to print.
    light : {"green", "yellow", "red", "none"}
        Whether it can be trusted; ``none`` for plain facts.
    reason : str
        Why the light has its colour, in one sentence, with what to do about it.
    """

    label: str
    value: str
    light: Light = "none"
    reason: str = ""


@dataclass(frozen=True)
class DataCard:
    """What is known of a scan before anything is done with it.

    Parameters
    ----------
    title : str
        File name or phantom address.
    rows : tuple of CardRow
    values : mapping
        The same facts for programs, JSON-safe.
    """

    title: str
    rows: tuple[CardRow, ...]
    values: Mapping[str, Any] = field(default_factory=lambda: EMPTY)

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain JSON-safe data."""
        return {"title": self.title, "rows": [asdict(row) for row in self.rows], "values": dict(self.values)}
