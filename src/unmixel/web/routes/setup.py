"""Screens 2 and 3: calibration and preparation."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Response

from unmixel.web.arrays import BYTES
from unmixel.web.models import CalibrateReply, CalibrateRequest, PrepareReply, PrepareRequest

router = APIRouter(tags=["setup"])


@router.post("/scans/{id}/calibrate")
def calibrate(id: str, request: CalibrateRequest) -> CalibrateReply:  # noqa: A002
    """Fit centre, scale and ellipse to rings or spots of a known phase."""
    raise HTTPException(501)


@router.post("/scans/{id}/prepare")
def prepare(id: str, request: PrepareRequest) -> PrepareReply:  # noqa: A002
    """Show what every step does."""
    raise HTTPException(501)


@router.get("/arrays/{key}", response_class=Response, responses=BYTES)
def array(key: Annotated[str, Path(max_length=100)]) -> Response:
    """Return an array that another reply spoke of by its key (404 once newer ones have taken its place)."""
    raise HTTPException(501)
