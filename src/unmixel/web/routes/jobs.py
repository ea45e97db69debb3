"""Screen 4: runs from here, the number of components, and methods side by side."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, HTTPException, Response

from unmixel.web.arrays import BYTES
from unmixel.web.run_models import Comparison, Job, JobRequest, RankCurve

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.post("", status_code=201)
def begin(request: JobRequest) -> Job:
    """Begin a job; one at a time (409 while another one works)."""
    raise HTTPException(501)


@router.get("")
def jobs() -> list[Job]:
    """Say how all jobs of this session stand, newest first."""
    raise HTTPException(501)


@router.get("/{id}")
def job(id: str) -> Job:  # noqa: A002
    """Say how a job stands."""
    raise HTTPException(501)


@router.post("/{id}/stop")
def stop(id: str) -> Job:  # noqa: A002
    """Stop a job; what it found is kept."""
    raise HTTPException(501)


@router.post("/{id}/resume")
def resume(id: str) -> Job:  # noqa: A002
    """Go on with a stopped job."""
    raise HTTPException(501)


@router.get("/{id}/{side}", response_class=Response, responses=BYTES)
def pictures(id: str, side: Literal["maps", "patterns"]) -> Response:  # noqa: A002
    """Return maps (k, *scan_shape) or patterns (k, *pattern_shape) as they are now; 404 before there are some."""
    raise HTTPException(501)


@router.get("/{id}/rank/curve")
def rank_curve(id: str) -> RankCurve:  # noqa: A002
    """Return what a finished rank job found."""
    raise HTTPException(501)


@router.get("/{id}/compare/methods")
def comparison(id: str) -> Comparison:  # noqa: A002
    """Return what a finished comparison found."""
    raise HTTPException(501)


@router.get("/{id}/compare/{method}/{side}", response_class=Response, responses=BYTES)
def compared(
    id: str,  # noqa: A002
    method: Literal["pca", "plain", "constrained"],
    side: Literal["maps", "patterns"],
) -> Response:
    """Return the maps or patterns of one method; those of PCA have both signs."""
    raise HTTPException(501)
