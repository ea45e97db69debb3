"""Plug-ins by entry point: a group and a name give a class, loaded on first use.

Built-ins and third parties use the same door: a line under ``[project.entry-points."unmixel.constraints"]``.
Listing names imports nothing.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from unmixel.core.errors import PluginError


@cache
def _group(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"unmixel.{group}")}


def names(group: str) -> tuple[str, ...]:
    """Return the sorted names of all plug-ins of a group, without importing them.

    Parameters
    ----------
    group : str
        Plug-in kind without the leading ``unmixel.``: ``"constraints"``, ``"steps"``, ``"solvers"``, ...

    Examples
    --------
    >>> "resolution" in names("constraints")
    True
    """
    return tuple(sorted(_group(group)))


def load(group: str, name: str) -> Any:
    """Return the class registered as `name` in `group`, importing it now.

    Raises
    ------
    PluginError
        When there is no such plug-in; the message lists near names and all names.

    Examples
    --------
    >>> load("constraints", "nonnegative").__name__
    'NonNegative'
    """
    points = _group(group)
    if name not in points:
        near = difflib.get_close_matches(name, points, n=1)
        guess = f" Did you mean '{near[0]}'?" if near else ""
        raise PluginError(
            f"No plug-in '{name}' among the {group}.{guess} Installed: {', '.join(sorted(points)) or 'none'}."
        )
    return points[name].load()


def origin(group: str, name: str) -> str:
    """Return ``"distribution version"`` of the package that ships a plug-in."""
    distribution = _group(group)[name].dist
    return f"{distribution.name} {distribution.version}" if distribution else "unknown"


def module(group: str, name: str) -> str:
    """Return the dotted name of the module that a plug-in comes from, without importing it.

    Examples
    --------
    >>> module("constraints", "nonnegative")
    'unmixel.factorize.constraints.nonnegative'
    """
    return _group(group)[name].module


def is_built_in(group: str, name: str) -> bool:
    """Return whether a plug-in ships with unmixel itself (told from its entry point alone, without its package)."""
    return _group(group)[name].value.startswith("unmixel.")
