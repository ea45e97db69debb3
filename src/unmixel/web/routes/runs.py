"""Screens 5 to 8: groups, phases, particles and the history of runs."""

from __future__ import annotations

from typing import Literal

import numpy as np
from fastapi import APIRouter, Response

from unmixel.io.tables import particles_table, table_text
from unmixel.web.arrays import BYTES, reply
from unmixel.web.jobs import NotOpened
from unmixel.web.models import Opened
from unmixel.web.routes.opened import TheRun, TheViewer
from unmixel.web.run_models import (
    CompareRunsReply,
    CutReply,
    CutRequest,
    GroupsReply,
    HistoryRow,
    OpenRunRequest,
    ParticlesReply,
    PhasesReply,
    RunSummary,
)
from unmixel.web.run_view import group_models, history, lacking
from unmixel.web.runs_compared import runs_compared

Side = Literal["maps", "patterns"]

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get("")
def past_runs(viewer: TheViewer) -> list[HistoryRow]:
    """List the runs that are opened or lie in the folder of runs, newest first."""
    return history(viewer.folder, viewer.runs)


@router.post("", status_code=201)
def open_run(viewer: TheViewer, request: OpenRunRequest) -> Opened:
    """Open a run that the history lists, by its name."""
    if request.name not in {row.name for row in history(viewer.folder, viewer.runs) if row.id is None}:
        raise NotOpened("a run of that name")
    run = viewer.add_run(viewer.folder / request.name)
    return Opened(id=run.id, name=run.name, kind="run", scan=run.scan, status=run.status)


@router.get("/compare/{first}/{second}")
def compare(viewer: TheViewer, first: str, second: str) -> CompareRunsReply:
    """Say how two opened runs differ."""
    return runs_compared(viewer.run(first), viewer.run(second))


@router.get("/{id}")
def summary(run: TheRun) -> RunSummary:
    """Say what a run found and how."""
    return run.summary()


@router.get("/{id}/components/{side}", response_class=Response, responses=BYTES)
def components(run: TheRun, side: Side) -> Response:
    """Return the maps (k, *scan_shape) or the patterns (k, *pattern_shape) of all components."""
    return reply(run.result.maps if side == "maps" else run.result.patterns)


@router.get("/{id}/residual/{side}", response_class=Response, responses=BYTES)
def residual(run: TheRun, side: Literal["map", "pattern", "z_map", "z_pattern"]) -> Response:
    """Return chi-square, or its distance from what noise leaves, of each position or pixel."""
    factors = run.result.factors
    if side.startswith("z_"):
        if factors.leftovers is None:
            raise lacking("leftovers", "run it with factorize.residual_peaks above 0")
        return reply(factors.leftovers.z_map if side == "z_map" else factors.leftovers.z_pattern)
    if factors.residual is None:
        raise lacking("residual", "it comes when the run has ended")
    return reply(factors.residual.chi2_map if side == "map" else factors.residual.chi2_pattern)


@router.get("/{id}/extras/{name}", response_class=Response, responses=BYTES)
def extra(run: TheRun, name: Literal["mean_pattern", "mean_map"]) -> Response:
    """Return a picture of the prepared scan that the run kept."""
    if name not in run.result.extras:
        raise NotOpened("this picture: the run did not keep it")
    return reply(run.result.extras[name])


@router.get("/{id}/groups")
def groups(run: TheRun) -> GroupsReply:
    """Return groups, their tree and its cut."""
    return run.groups_reply()


@router.post("/{id}/groups/cut")
def cut(run: TheRun, viewer: TheViewer, request: CutRequest) -> CutReply:
    """Group at another height of the tree; nothing of the run changes."""
    if not request.align:
        labels = run.labels_at(request.height)
        return CutReply(cut=request.height, labels=labels, rotation_deg=[], groups=[])
    found = run.regrouped(request.height)
    return CutReply(
        cut=request.height,
        labels=found.labels.tolist(),
        rotation_deg=found.rotation_deg.tolist(),
        groups=group_models(run.result, found),
        patterns=viewer.shelf.put(found.patterns),
        maps=viewer.shelf.put(found.maps),
    )


@router.get("/{id}/groups/{side}", response_class=Response, responses=BYTES)
def group_arrays(run: TheRun, side: Side) -> Response:
    """Return the maps or the aligned mean patterns of all groups."""
    return reply(run.groups.maps if side == "maps" else run.groups.patterns)


@router.get("/{id}/phases")
def phases(run: TheRun) -> PhasesReply:
    """Return measured against expected spots of each group, best candidate first."""
    if run.result.phases is None:
        raise lacking("phases", "name candidates: interpret.identify.candidates=[Cu, MgO]")
    from unmixel.web.answers import phases_reply

    return phases_reply(run.result.phases)


@router.get("/{id}/particles")
def particles(run: TheRun) -> ParticlesReply:
    """Return particles and their statistics."""
    from unmixel.web.answers import particles_reply

    return particles_reply(run.particles)


@router.get("/{id}/particles/labels", response_class=Response, responses=BYTES)
def labels(run: TheRun) -> Response:
    """Return 0 or the number of the particle at each position of each group's map, shape (g, *scan_shape)."""
    return reply(np.maximum(run.particles.labels, 0).astype(np.uint32))


@router.get("/{id}/particles.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def csv(run: TheRun) -> Response:
    """Return the table of particles, as a run writes it."""
    return Response(table_text(*particles_table(run.particles)), media_type="text/csv; charset=utf-8")


@router.get("/{id}/report.html", response_class=Response, responses={200: {"content": {"text/html": {}}}})
def report(run: TheRun) -> Response:
    """Return the report of the run."""
    page = run.folder / "report.html"
    if not page.is_file():
        raise NotOpened("the report: the run has not written it")
    return Response(page.read_bytes(), media_type="text/html; charset=utf-8")
