"""What each position shows on its own, in a result bundle."""

from __future__ import annotations

from typing import Any

from unmixel.dataset.positions import PositionMatches
from unmixel.io.nexus import make, plot, put, read_axes, signal

_MAPS = {
    "group": "group of each position, -1 for none",
    "rotation_deg": "rotation against the group's pattern, degrees",
    "similarity": "similarity with the group's pattern",
}
"""Drawn by viewers; the others lie beside them."""

_BESIDE = (
    "best", "runner_up", "p_value", "chance", "agreement", "unrelated", "mirrored", "electrons", "symmetry_deg",
)  # fmt: skip


def write_positions(entry: Any, positions: PositionMatches) -> None:
    """Write position matches to a new collection."""
    group = make(
        entry,
        "positions",
        "NXcollection",
        significance=float(positions.significance),
        method=positions.method,
    )
    for name, title in _MAPS.items():
        plot(group, name, getattr(positions, name), positions.scan_axes, unit="1", title=title)
    for name in _BESIDE:
        put(group, name, getattr(positions, name))


def read_positions(group: Any) -> PositionMatches:
    """Return the position matches that `write_positions` wrote."""
    return PositionMatches(
        **{name: signal(group[name]) for name in _MAPS},
        **{name: group[name][()] for name in _BESIDE},
        significance=float(group.attrs["significance"]),
        scan_axes=read_axes(group["group"]),
        method=str(group.attrs["method"]),
    )
