"""Screens 5 to 8: groups, phases, particles and the history of runs."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, HTTPException, Response

from unmixel.web.arrays import BYTES
from unmixel.web.models import Opened
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

Side = Literal["maps", "patterns"]

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get("")
def history() -> list[HistoryRow]:
    """List the runs that are opened or lie beside what is opened, newest first."""
    raise HTTPException(501)


@router.post("", status_code=201)
def open_run(request: OpenRunRequest) -> Opened:
    """Open a run that the history lists, by its name."""
    raise HTTPException(501)


@router.get("/compare/{first}/{second}")
def compare(first: str, second: str) -> CompareRunsReply:
    """Say how two opened runs differ."""
    raise HTTPException(501)


@router.get("/{id}")
def summary(id: str) -> RunSummary:  # noqa: A002
    """Say what a run found and how."""
    raise HTTPException(501)


@router.get("/{id}/components/{side}", response_class=Response, responses=BYTES)
def components(id: str, side: Side) -> Response:  # noqa: A002
    """Return the maps (k, *scan_shape) or the patterns (k, *pattern_shape) of all components."""
    raise HTTPException(501)


@router.get("/{id}/residual/{side}", response_class=Response, responses=BYTES)
def residual(id: str, side: Literal["map", "pattern", "z_map", "z_pattern"]) -> Response:  # noqa: A002
    """Return chi-square, or its distance from what noise leaves, of each position or pixel."""
    raise HTTPException(501)


@router.get("/{id}/extras/{name}", response_class=Response, responses=BYTES)
def extra(id: str, name: Literal["mean_pattern", "mean_map"]) -> Response:  # noqa: A002
    """Return a picture of the prepared scan that the run kept."""
    raise HTTPException(501)


@router.get("/{id}/groups")
def groups(id: str) -> GroupsReply:  # noqa: A002
    """Return groups, their tree and its cut."""
    raise HTTPException(501)


@router.post("/{id}/groups/cut")
def cut(id: str, request: CutRequest) -> CutReply:  # noqa: A002
    """Group at another height of the tree; nothing of the run changes."""
    raise HTTPException(501)


@router.get("/{id}/groups/{side}", response_class=Response, responses=BYTES)
def group_arrays(id: str, side: Side) -> Response:  # noqa: A002
    """Return the maps or the aligned mean patterns of all groups."""
    raise HTTPException(501)


@router.get("/{id}/phases")
def phases(id: str) -> PhasesReply:  # noqa: A002
    """Return measured against expected spots of each group, best candidate first."""
    raise HTTPException(501)


@router.get("/{id}/particles")
def particles(id: str) -> ParticlesReply:  # noqa: A002
    """Return particles and their statistics."""
    raise HTTPException(501)


@router.get("/{id}/particles/labels", response_class=Response, responses=BYTES)
def labels(id: str) -> Response:  # noqa: A002
    """Return 0 or the number of the particle at each position of each group's map, shape (g, *scan_shape)."""
    raise HTTPException(501)


@router.get("/{id}/particles.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def csv(id: str) -> Response:  # noqa: A002
    """Return the table of particles."""
    raise HTTPException(501)


@router.get("/{id}/report.html", response_class=Response, responses={200: {"content": {"text/html": {}}}})
def report(id: str) -> Response:  # noqa: A002
    """Return the report of the run."""
    raise HTTPException(501)
