"""Screens 2 and 3: calibration and preparation."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from unmixel.web.arrays import BYTES, reply
from unmixel.web.models import CalibrateReply, CalibrateRequest, PrepareReply, PrepareRequest
from unmixel.web.routes.opened import TheScan, TheViewer

router = APIRouter(tags=["setup"])


@router.post("/scans/{id}/calibrate")
def calibrate(view: TheScan, viewer: TheViewer, request: CalibrateRequest) -> CalibrateReply:
    """Draw rings of a known phase, and fit centre, scale and ellipse to its rings or spots."""
    from unmixel.web.calibrating import calibrated

    return calibrated(view, viewer.structure(request.phase), request)


@router.post("/scans/{id}/prepare")
def prepare(view: TheScan, viewer: TheViewer, request: PrepareRequest) -> PrepareReply:
    """Show what every step does."""
    from unmixel.web.preparing import prepared

    return prepared(view.scan, request, viewer.shelf)


@router.get("/arrays/{key}", response_class=Response, responses=BYTES)
def array(viewer: TheViewer, key: Annotated[str, Path(max_length=100)]) -> Response:
    """Return an array that another reply spoke of by its key (404 once newer ones have taken its place)."""
    return reply(viewer.shelf.get(key))
