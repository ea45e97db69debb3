"""A run as the viewer holds it, told in the words of its models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.privacy import private
from unmixel.dataset.result import Result
from unmixel.dataset.results import Groups, Particles, error_share
from unmixel.interpret.tree import grouped
from unmixel.pipeline.folder import RunFolder, told
from unmixel.pipeline.kept import load, record_of
from unmixel.web.models import AxisModel
from unmixel.web.run_models import (
    Component,
    Convergence,
    GroupModel,
    GroupsReply,
    HistoryRow,
    Merge,
    RunSummary,
)

FILES = ("result.nxs", "partial.nxs", "record.json")


def is_run(path: Path) -> bool:
    """Return whether a path is a run folder or a bundle."""
    return (path.suffix == ".nxs" and path.is_file()) or (path / "record.json").is_file()


def known(value: Any) -> float | None:
    """Return a number, None where it is not finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def axis_model(axis: Axis) -> AxisModel:
    """Return an axis as the browser gets it."""
    return AxisModel(name=axis.name, size=axis.size, scale=axis.scale, offset=axis.offset, unit=axis.unit)


class RunView:
    """A run that the viewer shows; read anew when its files change.

    Parameters
    ----------
    id : str
    folder : Path
        Run folder or bundle.
    """

    def __init__(self, id: str, folder: Path) -> None:  # noqa: A002 - the word of the address
        self.id, self.folder = id, folder
        self.scan: str | None = None
        self.given = False  # whether it was handed over from memory, so that no path leads to it
        self._read: tuple[tuple[int, ...], Result] | None = None

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.folder.resolve().name

    @property
    def result(self) -> Result:
        """What the run found; without names of users or machines and whole paths."""
        mark = tuple(_changed(self.folder / name) for name in FILES) if self.folder.is_dir() else ()
        if self._read is None or self._read[0] != mark:
            self._read = (mark, private(load(self.folder)))
        return self._read[1]

    @property
    def input(self) -> Mapping[str, Any]:
        """What the record says of the scan."""
        found: Mapping[str, Any] = self.result.record.get("input") or {}
        return found

    @property
    def status(self) -> str | None:
        """Finished, running, interrupted or failed."""
        status = self.result.record.get("status")
        return None if status is None else str(status)

    @property
    def groups(self) -> Groups:
        """Its groups.

        Raises
        ------
        InputError
            When it has none.
        """
        if self.result.groups is None:
            raise lacking("groups", "run it with interpret.group=auto")
        return self.result.groups

    @property
    def particles(self) -> Particles:
        """Its particles.

        Raises
        ------
        InputError
            When it has none.
        """
        if self.result.particles is None:
            raise lacking("particles", "run it with interpret.measure={}")
        return self.result.particles

    def summary(self) -> RunSummary:
        """Return what the run found and how."""
        result = self.result
        factors, record = result.factors, told(result.record)
        end = factors.convergence
        return RunSummary(
            id=self.id,
            name=self.name,
            status=self.status or "unknown",
            scan=self.scan,
            scan_axes=[axis_model(axis) for axis in factors.scan_axes],
            pattern_axes=[axis_model(axis) for axis in factors.pattern_axes],
            convergence=Convergence(
                objective=[float(value) for value in end.objective],
                relative_error=known(end.relative_error),
                n_sweeps=end.n_sweeps,
                converged=end.converged,
                reason=end.reason,
            ),
            components=[component(result, k) for k in range(factors.n_components)],
            chi2=None if factors.residual is None else known(factors.residual.chi2),
            has=[name for name, there in parts(result, self.folder).items() if there],  # type: ignore[misc]
            notes=[str(note) for note in record.get("notes", ())],
            timings_s=record.get("timings_s") or {},
            recipe=told(result.recipe),
            record=record,
        )

    def groups_reply(self) -> GroupsReply:
        """Return groups, their tree and its cut."""
        groups = self.groups
        k = len(groups.labels)
        return GroupsReply(
            labels=groups.labels.tolist(),
            rotation_deg=[float(angle) for angle in groups.rotation_deg],
            mirrored=[False] * k if groups.mirrored is None else [bool(one) for one in groups.mirrored],
            tree=[
                Merge(a=int(a), b=int(b), height=float(height), size=int(size))
                for a, b, height, size in groups.linkage
            ],
            leaves=leaves(groups),
            cut=float(groups.cut),
            cut_reason=groups.cut_reason,
            method=groups.method,
            groups=group_models(self.result, groups),
        )

    def labels_at(self, height: float) -> list[int]:
        """Return the group of each component where the tree is cut at a height."""
        tree = np.asarray(self.groups.linkage, np.float64)
        labels: list[int] = grouped(
            tree, height, strengths=np.asarray(self.result.factors.strengths)
        ).tolist()
        return labels

    @property
    def clusterer(self) -> tuple[str, dict[str, Any]]:
        """Name and settings of the clusterer of the run; the usual one where its recipe leaves that open."""
        entry = (self.result.recipe.get("interpret") or {}).get("group")
        if entry in (None, "auto"):
            entry = "rotation" if len(self.result.factors.pattern_axes) == 2 else "spectrum"
        name, settings = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
        return name, dict(settings or {})

    def regrouped(self, height: float) -> Groups:
        """Return the groups that the clusterer of the run makes at another cut, patterns aligned."""
        from unmixel.core import registry

        name, settings = self.clusterer
        clusterer = registry.load("clusterers", name)(**{**settings, "cut": height})
        seed = int((self.result.recipe.get("factorize") or {}).get("seed", 0))
        found: Groups = clusterer.group(self.result.factors, seed=seed)
        return found


def lacking(what: str, hint: str) -> InputError:
    """Return what to tell where a run has no such answers."""
    return InputError(what, expected="a run that has them", got="one without", hint=hint)


def parts(result: Result, folder: Path) -> dict[str, bool]:
    """Return which parts of a result are there."""
    factors = result.factors
    return {
        "residual": factors.residual is not None,
        "leftovers": factors.leftovers is not None,
        "groups": result.groups is not None,
        "phases": result.phases is not None,
        "particles": result.particles is not None,
        "orientations": result.orientations is not None,
        "report": (folder / "report.html").is_file(),
    }


def component(result: Result, k: int) -> Component:
    """Return what is known of one component."""
    factors, groups, errors = result.factors, result.groups, result.factors.uncertainty
    stability = None if errors is None or errors.stability is None else known(errors.stability[k])
    return Component(
        index=k,
        strength=float(factors.strengths[k]),
        flags=list(factors.flags[k]) if k < len(factors.flags) else [],
        group=None if groups is None else int(groups.labels[k]),
        rotation_deg=None if groups is None else known(groups.rotation_deg[k]),
        stability=stability,
        map_error=None if errors is None else known(error_share(errors.maps[k], factors.maps[k])),
        pattern_error=None if errors is None else known(error_share(errors.patterns[k], factors.patterns[k])),
    )


def group_models(result: Result, groups: Groups) -> list[GroupModel]:
    """Return what is known of each group; phases only of the run's own groups."""
    named = result.phases if groups is result.groups else None
    strengths = np.asarray(result.factors.strengths)
    return [
        GroupModel(
            index=g,
            members=np.flatnonzero(groups.labels == g).tolist(),
            strength=float(strengths[groups.labels == g].sum()),
            crystalline=bool(groups.crystalline[g]),
            phase=None if named is None else named.answers[g].phase,
        )
        for g in range(groups.n_groups)
    ]


def leaves(groups: Groups) -> list[int]:
    """Return the order of the leaves in which no lines of the tree cross."""
    from scipy.cluster.hierarchy import leaves_list

    order: list[int] = leaves_list(groups.linkage).tolist() if len(groups.linkage) else [0]
    return order


def history(folder: Path, opened: Mapping[str, RunView]) -> list[HistoryRow]:
    """Return the runs that are opened or lie in a folder, newest first."""
    ids = {run.folder.resolve(): key for key, run in opened.items()}
    places = {*ids, *(path.resolve() for path in folder.iterdir() if path.is_dir() and is_run(path))}
    rows = [_row(place, opened.get(ids.get(place, ""))) for place in places]
    return sorted(rows, key=lambda row: row.started or "", reverse=True)


def _row(place: Path, run: RunView | None) -> HistoryRow:
    if place.is_dir():
        record = told(record_of(RunFolder(place)) or {})
    else:
        record = {} if run is None else told(run.result.record)
    factors = None if run is None else run.result.factors
    return HistoryRow(
        id=None if run is None else run.id,
        name=place.name,
        status=record.get("status"),
        started=record.get("started"),
        input=(record.get("input") or {}).get("path"),
        components=None if factors is None else factors.n_components,
        relative_error=None if factors is None else known(factors.convergence.relative_error),
    )


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0
