"""Lattice spacings that patterns show, each with its uncertainty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Spacing:
    """One spacing of one pattern: a spot, two opposite ones, or a ring.

    Parameters
    ----------
    group : int
        Number of the pattern.
    kind : {"spot", "pair", "ring"}
        A pair are opposite spots: their distance does not depend on the centre.
    g : float
        Spatial frequency, 1/angstrom.
    d : float
        ``1 / g``, angstrom.
    error : float
        Standard error of d, angstrom: places and calibration together. Infinite where the calibration is not known.
    place_error : float
        Its part from the places alone: what spacings of one calibration differ by.
    azimuth_deg : float
        Of the spot, or of the more significant one of a pair, counter-clockwise as displayed; NaN for rings.
    significance : float
        Of the spot, or of both together.
    """

    group: int
    kind: str
    g: float
    d: float
    error: float
    place_error: float
    azimuth_deg: float
    significance: float


@dataclass(frozen=True)
class Spacings:
    """Spacings of the patterns of all groups, the largest of each group first.

    Parameters
    ----------
    rows : tuple of Spacing
    """

    rows: tuple[Spacing, ...]

    def __len__(self) -> int:
        """Return the number of spacings."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Spacing]:
        """Yield the spacings."""
        return iter(self.rows)

    def of(self, group: int) -> tuple[Spacing, ...]:
        """Return the spacings of one group."""
        return tuple(row for row in self.rows if row.group == group)

    def table(self) -> list[dict[str, object]]:
        """Return a row for each spacing: group, kind, g, d, error, error of the places, azimuth, significance."""
        return [
            {
                "group": row.group,
                "kind": row.kind,
                "g": round(row.g, 5),
                "d": round(row.d, 5),
                "error": round(row.error, 5),
                "place_error": round(row.place_error, 5),
                "azimuth_deg": round(row.azimuth_deg, 1),
                "significance": round(row.significance, 1),
            }
            for row in self.rows
        ]
