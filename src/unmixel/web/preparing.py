"""Screen 3: what every step of preparation does, on all of a scan or on an even sample of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.privacy import scrubbed
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import as_array
from unmixel.io.nexus import jsonable
from unmixel.pipeline.entries import Entry
from unmixel.pipeline.resolve import Request, settle
from unmixel.prepare.statistics import pattern_statistics
from unmixel.web.models import Prepared, PrepareReply, PrepareRequest
from unmixel.web.paths import without_paths
from unmixel.web.run_view import axis_model
from unmixel.web.viewer import Shelf

ROOM = 200_000_000
"""Bytes of patterns that are looked at; of a larger scan, every second, third, ... position."""


def prepared(scan: Scan, request: PrepareRequest, shelf: Shelf) -> PrepareReply:
    """Return what steps do, with pictures of the mean pattern and of the scan before and after each.

    Parameters
    ----------
    scan : Scan
    request : PrepareRequest
    shelf : Shelf
        Where the pictures are put.

    Raises
    ------
    UnmixelError
        When a step is not known or cannot be done.
    """
    told: list[Prepared] = []
    before: tuple[str, str] | None = None
    seen = _sample(scan)
    whole = seen.n_positions == scan.n_positions
    for entry, before_step, after_step in steps_done(scan, request):
        before = before or _shelved(before_step, shelf)
        after = _shelved(after_step, shelf)
        told.append(_told(entry, after_step, (before, after)))
        seen, before = after_step, after
    return PrepareReply(steps=told, n_positions=seen.n_positions, whole=whole)


def steps_done(scan: Scan, request: PrepareRequest) -> Iterator[tuple[Entry, Scan, Scan]]:
    """Yield each step with the sampled scan before and after it.

    Raises
    ------
    UnmixelError
        When a step is not known or cannot be done.
    """
    if request.steps is None:
        recipe, _ = settle(Request.of(None).recipe_for(scan)[0], scan)
        entries = list(recipe.prepare)
    else:
        entries = [Entry(name=one.name, parameters=without_paths(one.parameters)) for one in request.steps]
    seen = _sample(scan)
    for entry in entries:
        after: Scan = entry.build("steps").apply(seen)
        yield entry, seen, after
        seen = after


def _sample(scan: Scan) -> Scan:
    """Return the scan in memory, thinned evenly along its axes to what there is room for."""
    stride = 1
    if scan.n_bytes > ROOM and scan.scan_axes:
        stride = math.ceil((scan.n_bytes / ROOM) ** (1 / len(scan.scan_axes)))
    key = tuple(slice(None, None, stride) for _ in scan.scan_axes)
    values = np.asarray(as_array(scan.data, len(scan.scan_axes))[key])
    axes = tuple(
        replace(axis, size=n, scale=axis.scale * stride)
        for axis, n in zip(scan.scan_axes, values.shape, strict=False)
    )
    weights = None if scan.position_weights is None else scan.position_weights[key]
    return replace(scan, data=values, scan_axes=axes, position_weights=weights)


def pictures(scan: Scan) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the mean pattern, NaN where pixels are left out, and the scan image."""
    found = pattern_statistics(scan)
    mean: NDArray[Any] = found.mean
    if scan.pixel_weights is not None:
        mean = np.where(scan.pixel_weights > 0, mean, np.nan)
    return mean, found.sums


def _shelved(scan: Scan, shelf: Shelf) -> tuple[str, str]:
    mean, sums = pictures(scan)
    return shelf.put(mean), shelf.put(sums)


def _told(entry: Entry, scan: Scan, pictures: tuple[tuple[str, str], tuple[str, str]]) -> Prepared:
    record = scan.history[-1]
    values: dict[str, Any] = scrubbed(jsonable(record.values))
    (pattern_before, map_before), (pattern_after, map_after) = pictures
    return Prepared(
        name=entry.name,
        parameters=scrubbed(jsonable(record.parameters)),
        effect=record.effect,
        warnings=[str(text) for text in values.get("warnings") or ()],
        values=values,
        scan_axes=[axis_model(axis) for axis in scan.scan_axes],
        pattern_axes=[axis_model(axis) for axis in scan.pattern_axes],
        pattern_before=pattern_before,
        pattern_after=pattern_after,
        map_before=map_before,
        map_after=map_after,
    )
