"""Screen 1: patterns, regions, summaries and virtual images of a scan."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from unmixel.web.arrays import BYTES, reply
from unmixel.web.models import Card, CardLine, Index, RegionRequest, Statistic, StoreState, VirtualRequest
from unmixel.web.routes.opened import TheScan
from unmixel.web.run_view import axis_model

router = APIRouter(prefix="/scans/{id}", tags=["scan"])


@router.get("/card")
def card(view: TheScan) -> Card:
    """Say what the scan is and whether its numbers can be trusted."""
    scan, found = view.scan, view.card.to_dict()
    return Card(
        title=view.name,
        kind="spectra" if scan.is_spectrum else "patterns",
        shape=list(scan.data.shape),
        dtype=str(scan.data.dtype),
        n_bytes=scan.n_bytes,
        scan_axes=[axis_model(axis) for axis in scan.scan_axes],
        pattern_axes=[axis_model(axis) for axis in scan.pattern_axes],
        rows=[CardLine(**row) for row in found["rows"]],
        values=found["values"],
    )


@router.get("/pattern", response_class=Response, responses=BYTES)
def pattern(view: TheScan, at: Annotated[list[Index], Query(max_length=4)]) -> Response:
    """Return the pattern of a position: `?at=3&at=5` is row 3, column 5."""
    return reply(view.patterns.at(tuple(at)))


@router.post("/region", response_class=Response, responses=BYTES)
def region(view: TheScan, request: RegionRequest) -> Response:
    """Return the mean pattern of a region of the scan."""
    values, exact = view.region(request.region)
    return reply(values, exact=exact)


@router.get("/summary/{statistic}", response_class=Response, responses=BYTES)
def summary(view: TheScan, statistic: Statistic) -> Response:
    """Return a statistic of each detector pixel over all positions that have been read, shape pattern_shape."""
    found = view.summaries(statistic)
    return reply(found.pattern[statistic], done=found.share(statistic))


@router.get("/map/{statistic}", response_class=Response, responses=BYTES)
def summed(view: TheScan, statistic: Statistic) -> Response:
    """Return a statistic of each position over all pixels, shape scan_shape; NaN where it has not been read yet."""
    found = view.summaries(statistic)
    return reply(found.map[statistic], done=found.share(statistic))


@router.post("/virtual", response_class=Response, responses=BYTES)
def virtual(view: TheScan, request: VirtualRequest) -> Response:
    """Return the image of a virtual detector, shape scan_shape, after the whole scan has been read."""
    found = view.whole_virtual(request.detector, exact=request.exact)
    return reply(found.values, exact=found.exact, done=found.done)


@router.get("/store")
def store(view: TheScan) -> StoreState:
    """Say how far the store for virtual images is filled."""
    held, drawer = view.store, view.store.drawer
    return StoreState(
        done=held.done,
        exact_from="file" if drawer is None else drawer.where,
        bytes_memory=held.n_bytes,
        bytes_scratch=0 if drawer is None or drawer.where == "memory" else drawer.n_bytes,
        bin_pixels=list(held.bins.side),
    )
