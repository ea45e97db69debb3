"""Uncertainty and what the residual holds, as parts of the result bundle: written and read back exactly."""

from __future__ import annotations

from typing import Any

from unmixel.dataset.results import Factors, Leftovers, Uncertainty
from unmixel.io.nexus import make, plot, put, signal

_SCORES = ("stability", "scatter")
_PEAKS = ("places", "significance", "counts")


def write_trust(entry: Any, factors: Factors) -> None:
    """Write what factors hold of it under ``uncertainty`` and ``leftovers``; nothing where there is nothing."""
    if factors.uncertainty is not None:
        _write_uncertainty(entry, factors.uncertainty, factors)
    if factors.leftovers is not None:
        _write_leftovers(entry, factors.leftovers, factors)


def read_trust(entry: Any) -> dict[str, Any]:
    """Return the fields of `Factors` that `write_trust` wrote; none of a bundle without them."""
    found: dict[str, Any] = {}
    if "uncertainty" in entry:
        group = entry["uncertainty"]
        found["uncertainty"] = Uncertainty(
            maps=signal(group["maps"]),
            patterns=signal(group["patterns"]),
            gain=float(group.attrs["gain"]),
            method=str(group.attrs["method"]),
            **{name: group[name][()] for name in _SCORES if name in group},
        )
    if "leftovers" in entry:
        group = entry["leftovers"]
        found["leftovers"] = Leftovers(
            z_map=signal(group["z_map"]),
            z_pattern=signal(group["z_pattern"]),
            gain=float(group.attrs["gain"]),
            threshold=float(group.attrs["threshold"]),
            maps=signal(group["maps"]),
            patterns=signal(group["patterns"]),
            **{name: group[name][()] for name in _PEAKS},
        )
    return found


def _write_uncertainty(entry: Any, uncertainty: Uncertainty, factors: Factors) -> None:
    group = make(entry, "uncertainty", "NXcollection", gain=uncertainty.gain, method=uncertainty.method)
    for name, values, axes, unit in (
        ("maps", uncertainty.maps, factors.scan_axes, "counts"),
        ("patterns", uncertainty.patterns, factors.pattern_axes, "share per pixel"),
    ):
        title = f"standard error of the {name}"
        plot(group, name, values, axes, leading=("component",), unit=unit, title=title)
    for name in _SCORES:
        if getattr(uncertainty, name) is not None:
            put(group, name, getattr(uncertainty, name))


def _write_leftovers(entry: Any, left: Leftovers, factors: Factors) -> None:
    group = make(entry, "leftovers", "NXcollection", gain=left.gain, threshold=left.threshold)
    for name, values, axes in (
        ("z_map", left.z_map, factors.scan_axes),
        ("z_pattern", left.z_pattern, factors.pattern_axes),
    ):
        title = "chi-square against what noise leaves, in standard deviations"
        plot(group, name, values, axes, unit="1", title=title)
    for name, values, axes, unit in (
        ("maps", left.maps, factors.scan_axes, "counts"),
        ("patterns", left.patterns, factors.pattern_axes, "share per pixel"),
    ):
        title = f"{name} of structures in the residual"
        plot(group, name, values, axes, leading=("peak",), unit=unit, title=title)
    for name in _PEAKS:
        put(group, name, getattr(left, name))
