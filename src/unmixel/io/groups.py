"""Groups of components in a result bundle."""

from __future__ import annotations

from typing import Any

import numpy as np

from unmixel.dataset.results import Groups
from unmixel.io.nexus import make, plot, put, read_axes, signal

_ARRAYS = ("labels", "distance", "rotation_deg", "linkage", "crystalline")
_OPTIONAL = (
    "mirrored", "distance_unturned", "used_pixels", "membership", "shifted_maps", "shifts",
)  # fmt: skip


def write_groups(entry: Any, groups: Groups) -> None:
    """Write groups to a new collection."""
    group = make(
        entry, "groups", "NXcollection", cut=groups.cut, cut_reason=groups.cut_reason, method=groups.method
    )
    put(group, "center", np.asarray(groups.center, np.float64), units="px")
    for name in _ARRAYS:
        put(group, name, getattr(groups, name))
    for name in _OPTIONAL:
        if getattr(groups, name) is not None:
            put(group, name, getattr(groups, name))
    plot(
        group,
        "maps",
        groups.maps,
        groups.scan_axes,
        leading=("group",),
        unit="counts",
        title="maps of the groups",
    )
    plot(
        group,
        "patterns",
        groups.patterns,
        groups.pattern_axes,
        leading=("group",),
        unit="share per pixel",
        title="patterns of the groups, members aligned and summed by weight",
    )


def read_groups(group: Any) -> Groups:
    """Return the groups that `write_groups` wrote."""
    return Groups(
        **{name: group[name][()] for name in _ARRAYS},
        **{name: group[name][()] for name in _OPTIONAL if name in group},
        cut=float(group.attrs["cut"]),
        cut_reason=str(group.attrs["cut_reason"]),
        method=str(group.attrs["method"]),
        center=tuple(float(value) for value in group["center"][()]),
        maps=signal(group["maps"]),
        patterns=signal(group["patterns"]),
        scan_axes=read_axes(group["maps"], 1),
        pattern_axes=read_axes(group["patterns"], 1),
    )
