"""Which plug-ins are installed, whose they are, and whether they keep the laws of their kind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from unmixel.core.errors import InputError
from unmixel.lab.kinds import KINDS
from unmixel.pipeline.entries import nearest

_PREFIX = "unmixel."
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
    """Return all plug-ins, or those of one kind (``"constraints"`` or ``"constraint"``), in the order of their kinds and names; nothing is imported.

    What other packages announce under a kind that unmixel does not have, or under a name that is taken, is listed too,
    with a remark.

    Raises
    ------
    InputError
        When there is no such kind.

    Examples
    --------
    >>> [one.version != "" for one in installed("engines")]
    [True, True]
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
    groups = [group for group in entry_points().groups if group.startswith(_PREFIX)]
    points = [point for group in groups for point in entry_points(group=group)]
    ours = {point.group for point in points if _built_in(point)}
    owners: dict[tuple[str, str], set[str]] = {}
    for point in points:
        owners.setdefault((point.group, point.name), set()).add(_owner(point))
    return sorted(
        {_plugin(point, ours, owners[point.group, point.name]) for point in points},
        key=lambda one: (one.kind, one.name, one.distribution),
    )


def _plugin(point: EntryPoint, ours: set[str], owners: set[str]) -> Plugin:
    kind, remark = point.group.removeprefix(_PREFIX), ""
    if point.group not in ours:
        guess = nearest(kind, [group.removeprefix(_PREFIX) for group in ours])
        remark = f"unmixel has no such kind, so nobody will find it.{guess}"
    elif len(owners) > 1:
        others = ", ".join(sorted(owners - {_owner(point)}))
        remark = f"{others} has one of the same name: only one of them can be used"
    version = point.dist.version if point.dist else ""
    return Plugin(kind, point.name, _owner(point), version, _built_in(point), point.value, remark)


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist else ""


def _built_in(point: EntryPoint) -> bool:
    return _owner(point) == "unmixel" or (not _owner(point) and point.value.startswith(_PREFIX))


@dataclass(frozen=True)
class Checked:
    """What the laws say of a plug-in.

    Parameters
    ----------
    plugin : Plugin
    n_laws : int
        Laws that were checked; 0 where its kind has no suite that runs alone, or it could not be loaded.
    broken : tuple of str
        Each law that is broken, in words with the case.
    failed : str
        Why nothing could be checked; empty where it was.
    untried : str
        A law that could not be tried here, such as one that needs a missing package; empty where all were.
    """

    plugin: Plugin
    n_laws: int = 0
    broken: tuple[str, ...] = ()
    failed: str = ""
    untried: str = ""

    @property
    def word(self) -> str:
        """``"kept"``, ``"broken"``, ``"failed"``, ``"not tried"`` or ``"no suite"``."""
        if self.failed:
            return "failed"
        if not self.n_laws:
            return "not tried" if self.untried else "no suite"
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
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience_s, check=False)
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
