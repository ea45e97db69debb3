"""Screen 1: patterns, regions, summaries and virtual images of a scan."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response

from unmixel.web.arrays import BYTES
from unmixel.web.models import Card, Index, RegionRequest, Statistic, StoreState, VirtualRequest

router = APIRouter(prefix="/scans/{id}", tags=["scan"])


@router.get("/card")
def card(id: str) -> Card:  # noqa: A002 - the word of the address
    """Say what the scan is and whether its numbers can be trusted."""
    raise HTTPException(501)


@router.get("/pattern", response_class=Response, responses=BYTES)
def pattern(id: str, at: Annotated[list[Index], Query(max_length=4)]) -> Response:  # noqa: A002
    """Return the pattern of a position: `?at=3&at=5` is row 3, column 5."""
    raise HTTPException(501)


@router.post("/region", response_class=Response, responses=BYTES)
def region(id: str, request: RegionRequest) -> Response:  # noqa: A002
    """Return the mean pattern of a region of the scan."""
    raise HTTPException(501)


@router.get("/summary/{statistic}", response_class=Response, responses=BYTES)
def summary(id: str, statistic: Statistic) -> Response:  # noqa: A002
    """Return a statistic of each detector pixel over all positions, shape pattern_shape."""
    raise HTTPException(501)


@router.get("/map/{statistic}", response_class=Response, responses=BYTES)
def summed(id: str, statistic: Statistic) -> Response:  # noqa: A002
    """Return a statistic of each position over all pixels, shape scan_shape: the scan image."""
    raise HTTPException(501)


@router.post("/virtual", response_class=Response, responses=BYTES)
def virtual(id: str, request: VirtualRequest) -> Response:  # noqa: A002
    """Return the image of a virtual detector, shape scan_shape."""
    raise HTTPException(501)


@router.get("/store")
def store(id: str) -> StoreState:  # noqa: A002
    """Say how far the store for virtual images is filled."""
    raise HTTPException(501)
