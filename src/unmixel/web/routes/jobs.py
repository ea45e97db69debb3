"""Screen 4: runs from here, the number of components, and methods side by side."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response

from unmixel.core.errors import InputError, ReadError
from unmixel.pipeline.kept import load
from unmixel.web.arrays import BYTES, reply
from unmixel.web.compare import METHODS, compared_arrays, comparison_of
from unmixel.web.jobs import NotOpened, Work
from unmixel.web.ranks import curve_of
from unmixel.web.routes.opened import Key, TheViewer
from unmixel.web.run_models import Comparison, Job, JobKind, JobRequest, RankCurve

router = APIRouter(prefix="/jobs", tags=["jobs"])

Side = Literal["maps", "patterns"]


def _work(viewer: TheViewer, key: Key) -> Work:
    return viewer.jobs.get(key)


TheWork = Annotated[Work, Depends(_work)]


@router.post("", status_code=201)
def begin(viewer: TheViewer, request: JobRequest) -> Job:
    """Begin a job; one at a time (409 while another one works)."""
    return viewer.begin_job(request).told()


@router.get("")
def jobs(viewer: TheViewer) -> list[Job]:
    """Say how all jobs of this session stand, newest first."""
    return [work.told() for work in viewer.jobs.all()]


@router.get("/{id}")
def job(work: TheWork) -> Job:
    """Say how a job stands."""
    return work.told()


@router.post("/{id}/stop")
def stop(work: TheWork) -> Job:
    """Stop a job; what it found is kept."""
    work.stop()
    return work.told()


@router.post("/{id}/resume")
def resume(viewer: TheViewer, work: TheWork) -> Job:
    """Go on with a stopped job."""
    return viewer.jobs.resume(work.id).told()


@router.get("/{id}/{side}", response_class=Response, responses=BYTES)
def pictures(work: TheWork, side: Side) -> Response:
    """Return maps (k, *scan_shape) or patterns (k, *pattern_shape) as they are now; 404 before there are some."""
    _of_kind(work, "run")
    try:
        result = load(work.folder)
    except ReadError:
        raise NotOpened("pictures of this job: there are none yet") from None
    return reply(result.maps if side == "maps" else result.patterns)


@router.get("/{id}/rank/curve")
def rank_curve(work: TheWork) -> RankCurve:
    """Return what a finished rank job found."""
    _of_kind(work, "rank")
    return curve_of(_finished(work).folder)


@router.get("/{id}/compare/methods")
def comparison(work: TheWork) -> Comparison:
    """Return what a finished comparison found."""
    _of_kind(work, "compare")
    return comparison_of(_finished(work).folder)


@router.get("/{id}/compare/{method}/{side}", response_class=Response, responses=BYTES)
def compared(work: TheWork, method: Literal[METHODS], side: Side) -> Response:  # type: ignore[valid-type]
    """Return the maps or patterns of one method; those of PCA have both signs."""
    _of_kind(work, "compare")
    return reply(compared_arrays(_finished(work).folder, method, side))


def _of_kind(work: Work, kind: JobKind) -> None:
    if work.kind != kind:
        raise InputError("job", expected=f"a {kind}", got=f"a {work.kind}", hint="")


def _finished(work: Work) -> Work:
    if work.status != "finished":
        raise NotOpened(f"what this job finds: it is {work.status}")
    return work
