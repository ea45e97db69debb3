"""Which plug-ins are installed, whose they are, and whether they keep the laws of their kind."""

from __future__ import annotations

import json
import subprocess  # nosec B404
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, distributions

from unmixel.core.errors import InputError
from unmixel.lab.kinds import KINDS
from unmixel.pipeline.entries import nearest

_PREFIX, _OURS = "unmixel.", "unmixel"
_PATIENCE_S = 300.0
"""Seconds that the laws of one plug-in may take."""


@dataclass(frozen=True)
class Plugin:
    """One plug-in as its package announces it; nothing of it has been imported.

    Parameters
    ----------
    kind : str
        Group without ``unmixel.``: ``"constraints"``, ``"steps"``, ...
    name : str
    distribution, version : str
        Of the package that brings it; empty where that is not known.
    built_in : bool
        Whether unmixel itself brings it.
    place : str
        ``module:Class``.
    remark : str
        What is wrong with the announcement, in words; empty where nothing is.
    """

    kind: str
    name: str
    distribution: str
    version: str
    built_in: bool
    place: str
    remark: str = ""


def kinds() -> tuple[str, ...]:
    """Return the kinds of plug-ins that unmixel has.

    Examples
    --------
    >>> {"constraints", "steps", "losses"} <= set(kinds())
    True
    """
    return tuple(sorted({one.kind for one in _all() if one.built_in}))


def installed(kind: str | None = None) -> tuple[Plugin, ...]:
    """Return all plug-ins, or those of one kind, in the order of their kinds and names; nothing is imported.

    What other packages announce under a kind that unmixel does not have, or under a name that is taken, is listed too,
    with a remark.

    Raises
    ------
    InputError
        When there is no such kind.

    Examples
    --------
    >>> all(one.version for one in installed("engines"))
    True
    """
    known = kinds()
    kind = KINDS[kind].group if kind in KINDS else kind
    if kind is not None and kind not in known:
        raise InputError(
            "kind of plug-in",
            expected=f"one of {', '.join(known)}",
            got=f"'{kind}'",
            hint=nearest(kind, known).strip(" ?"),
        )
    return tuple(one for one in _all() if kind in (None, one.kind))


def _all() -> list[Plugin]:
    """Return what every distribution announces; where one is there twice, the first is the one that is used."""
    found: dict[str, list[tuple[EntryPoint, str]]] = {}
    for one in distributions():
        points = [point for point in one.entry_points if point.group.startswith(_PREFIX)]
        if points and one.name not in found:
            found[one.name] = [(point, one.version) for point in points]
    ours = {point.group for point, _ in found.get(_OURS, ())}
    owners: dict[tuple[str, str], set[str]] = {}
    for owner, points_of in found.items():
        for point, _ in points_of:
            owners.setdefault((point.group, point.name), set()).add(owner)
    plugins = [
        Plugin(
            point.group.removeprefix(_PREFIX), point.name, owner, version, owner == _OURS, point.value,
            _remark(point, ours, owners[point.group, point.name] - {owner}),
        )
        for owner, points_of in found.items()
        for point, version in points_of
    ]  # fmt: skip
    return sorted(plugins, key=lambda one: (one.kind, one.name, one.distribution))


def _remark(point: EntryPoint, ours: set[str], others: set[str]) -> str:
    """Return what is wrong with the announcement of a plug-in."""
    if point.group not in ours:
        known = [group.removeprefix(_PREFIX) for group in ours]
        guess = nearest(point.group.removeprefix(_PREFIX), known)
        return f"unmixel has no such kind, so nobody will find it.{guess}"
    if others:
        return f"{', '.join(sorted(others))} has one of the same name: only one of them can be used"
    return ""


@dataclass(frozen=True)
class Checked:
    """What the laws say of a plug-in.

    Parameters
    ----------
    plugin : Plugin
    n_laws : int
        Laws that were checked; 0 where none could be, which `failed` or `untried` explains.
    broken : tuple of str
        Each law that is broken, in words with the case.
    failed : str
        Why nothing could be checked; empty where it was.
    untried : str
        Why a law, or all of them, could not be tried here, such as for a missing package; empty where all were.
    """

    plugin: Plugin
    n_laws: int = 0
    broken: tuple[str, ...] = ()
    failed: str = ""
    untried: str = ""

    @property
    def word(self) -> str:
        """``"kept"``, ``"broken"``, ``"failed"`` or ``"not tried"``."""
        if self.failed:
            return "failed"
        if not self.n_laws:
            return "not tried"
        return "broken" if self.broken else "kept"


def check(plugin: Plugin, *, patience_s: float = _PATIENCE_S) -> Checked:
    """Hold a plug-in to the laws of its kind, in a process of its own: whatever it does, this one goes on.

    Parameters
    ----------
    plugin : Plugin
    patience_s : float
        Seconds after which it is ended.
    """
    if plugin.remark and not plugin.built_in:
        return Checked(plugin, failed=plugin.remark)
    command: Sequence[str] = [sys.executable, "-m", "unmixel.lab.plugin_laws", plugin.kind, plugin.name]
    try:
        done = subprocess.run(  # our own module, no shell  # nosec B603
            command, capture_output=True, text=True, timeout=patience_s, check=False
        )
    except subprocess.TimeoutExpired:
        return Checked(plugin, failed=f"its laws took longer than {patience_s:g} s")
    try:
        told = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return Checked(plugin, failed=f"its process ended without an answer: {last}")
    return Checked(
        plugin, int(told["n_laws"]), tuple(told["broken"]), str(told["failed"]), str(told["untried"])
    )
