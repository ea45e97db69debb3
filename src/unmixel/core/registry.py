"""Plug-ins by entry point: a group and a name give a class, loaded on first use.

Built-ins and third parties use the same door: a line under ``[project.entry-points."unmixel.constraints"]``.
Listing names imports nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from unmixel.core.errors import PluginError

_LENT: dict[tuple[str, str], Any] = {}
"""Classes that count as plug-ins for a time: (group, name) -> class."""


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
    lent = [name for known, name in _LENT if known == group]
    return tuple(sorted([*_group(group), *lent]))


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
    if (group, name) in _LENT:
        return _LENT[group, name]
    points = _group(group)
    if name not in points:
        known = names(group)
        near = difflib.get_close_matches(name, known, n=1)
        guess = f" Did you mean '{near[0]}'?" if near else ""
        raise PluginError(
            f"No plug-in '{name}' among the {group}.{guess} Installed: {', '.join(known) or 'none'}."
        )
    return points[name].load()


def plugin(group: str, given: Any) -> Any:
    """Return a plug-in object: a registered name is loaded and made with its defaults, an object is given back.

    Raises
    ------
    PluginError
        When there is no such plug-in.

    Examples
    --------
    >>> plugin("engines", "numpy"), plugin("engines", 3)
    (NumpyEngine(n_threads=None), 3)
    """
    return load(group, given)() if isinstance(given, str) else given


@contextmanager
def lent(group: str, plugin: Any) -> Iterator[str]:
    """Let a class count as a plug-in for the time of a ``with``, under its own name.

    Parameters
    ----------
    group : str
        Plug-in kind without the leading ``unmixel.``.
    plugin : class
        With a class variable `name`.

    Yields
    ------
    str
        The name.

    Raises
    ------
    PluginError
        When a plug-in of that name is there already: nothing is shadowed.

    Examples
    --------
    >>> class Frame:
    ...     name = "frame"
    >>> with lent("constraints", Frame):
    ...     load("constraints", "frame") is Frame
    True
    >>> "frame" in names("constraints")
    False
    """
    name = plugin.name
    if name in names(group):
        raise PluginError(f"There is a plug-in '{name}' among the {group} already. Give yours another name.")
    _LENT[group, name] = plugin
    try:
        yield name
    finally:
        del _LENT[group, name]


def origin(group: str, name: str) -> str:
    """Return ``"distribution version"`` of the package that ships a plug-in; that of one that is lent has none."""
    if (group, name) in _LENT:
        return "not installed"
    distribution = _group(group)[name].dist
    return f"{distribution.name} {distribution.version}" if distribution else "unknown"


def module(group: str, name: str) -> str:
    """Return the dotted name of the module that a plug-in comes from, without importing it.

    Examples
    --------
    >>> module("constraints", "nonnegative")
    'unmixel.factorize.constraints.nonnegative'
    """
    return _LENT[group, name].__module__ if (group, name) in _LENT else _group(group)[name].module


def is_built_in(group: str, name: str) -> bool:
    """Return whether a plug-in ships with unmixel itself (told from its entry point alone, without its package)."""
    return (group, name) not in _LENT and _group(group)[name].value.startswith("unmixel.")
