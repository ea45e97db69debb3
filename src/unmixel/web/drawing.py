"""Save figure: what is shown as SVG or PNG with scale bar, drawn as the report draws it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.physics.crystal import Crystal
from unmixel.report.calibration import figure_calibration
from unmixel.report.canvas import png, sheet, svg
from unmixel.report.components import component_panels, figure_panel
from unmixel.report.convergence import figure_convergence
from unmixel.report.dendrogram import figure_dendrogram
from unmixel.report.groups import figure_groups
from unmixel.report.panels import Panel
from unmixel.report.particles import figure_particle_map, figure_size_histogram
from unmixel.report.phases import figure_overlay
from unmixel.report.residual import figure_residual
from unmixel.report.scales import Scale, sqrt_scale
from unmixel.report.side_by_side import figure_side_by_side
from unmixel.web.calibrating import calibrated, fitted
from unmixel.web.models import CalibrateRequest, FigureRequest, PrepareRequest
from unmixel.web.preparing import pictures, steps_done
from unmixel.web.run_view import RunView, lacking
from unmixel.web.runs_compared import runs_compared
from unmixel.web.scan_view import ScanView

WIDTH = 4.6
"""Inches of a picture with its colour bar."""
MOST_PAIRS = 8
"""Pairs of components in one figure: smaller ones could not be looked at."""


def scan_figure(view: ScanView, request: FigureRequest) -> bytes:
    """Return a view of a scan as a picture.

    Raises
    ------
    InputError
        When the request lacks what the view shows.
    """
    values, is_map, quantity = _shown(view, request)
    axes = view.scan.scan_axes if is_map else view.scan.pattern_axes
    panel = Panel(
        values,
        axes,
        quantity,
        scale=_scale(values, request) if values.ndim == 2 else None,
        colours=request.colormap,
        title=request.title,
    )
    return file_of(figure_panel(panel, width=WIDTH, tallest=4.2), request)


def calibration_figure(view: ScanView, crystal: Crystal, request: CalibrateRequest) -> Any:
    """Return the figure of a fitted calibration: rings over the pattern, and what is left."""
    fit, pattern = fitted(view, crystal, request)
    return figure_calibration(fit, pattern)


def rings_figure(view: ScanView, crystal: Crystal, request: CalibrateRequest) -> Any:
    """Return the figure of rings as they are drawn by hand, nothing fitted."""
    reply = calibrated(view, crystal, request)
    pattern = view.summaries(request.of).pattern[request.of]
    panel = Panel(
        pattern, view.scan.pattern_axes, "counts", scale=sqrt_scale(pattern), title=f"Rings of {crystal.name}"
    )
    figure = sheet(WIDTH, 0.1 + panel.height(WIDTH - 0.1, tallest=4.2))
    axes = panel.draw(figure, 0.05, 0.05, WIDTH - 0.1, tallest=4.2)
    assert axes is not None  # a pattern with two axes is a picture  # nosec B101
    for ring in reply.rings:
        v, u = zip(*ring.points, strict=True)
        axes.plot(u, v, color="#d55e00", linewidth=0.7)
    rows, columns = pattern.shape
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    return figure


def step_figure(view: ScanView, request: FigureRequest) -> Any:
    """Return the figure of one step of preparation: mean pattern and scan image before and after it.

    The contrast that is asked for is the patterns'; images are linear between their 0.5th and 99.5th percentile.

    Raises
    ------
    InputError
        When there is no such step.
    """
    done = list(
        islice(steps_done(view.scan, PrepareRequest(steps=request.steps)), request.index, request.index + 1)
    )
    if not done:
        raise InputError("index", expected="one of the steps", got=f"{request.index}", hint="count from 0")
    entry, *scans = done[0]
    plain = FigureRequest(opened=request.opened, view="map", percentiles=(0.5, 99.5))
    panels = []
    for scan, when in zip(scans, ("before", "after"), strict=True):
        pattern, image = pictures(scan)
        for values, axes, what in (
            (pattern, scan.pattern_axes, "mean pattern"),
            (image, scan.scan_axes, "scan image"),
        ):
            wish = request if what == "mean pattern" else plain
            scale = _scale(values, wish) if values.ndim == 2 else None
            title = f"{what} {when} {entry.name}"
            panels.append(Panel(values, axes, "counts", scale=scale, colours=request.colormap, title=title))
    width, tallest = 3.4, 3.2
    tall = max(panel.height(width, tallest=tallest) for panel in panels)
    figure = sheet(2 * width + 0.3, 2 * tall + 0.3)
    for place, panel in enumerate(panels):
        left, top = 0.1 + (place // 2) * (width + 0.1), 0.1 + (place % 2) * (tall + 0.1)
        panel.draw(figure, left, top, width, tallest=tallest)
    return figure


def comparison_figure(first: RunView, second: RunView) -> Any:
    """Return the figure of two runs: components in pairs, those of the first with the largest shares."""
    found = runs_compared(first, second)
    factors, others = first.result.factors, second.result.factors
    shares = [factors.strengths[a] for a, _ in found.pairs]
    chosen = [found.pairs[i] for i in np.argsort(shares)[::-1][:MOST_PAIRS]]
    ours, theirs = (list(side) for side in zip(*chosen, strict=True))
    names = (
        (first.name, second.name)
        if first.name != second.name
        else (f"{first.name} (1)", f"{second.name} (2)")
    )
    return figure_side_by_side(
        {
            names[0]: (factors.maps[ours], factors.patterns[ours]),
            names[1]: (others.maps[theirs], others.patterns[theirs]),
        },
        scan_axes=factors.scan_axes,
        pattern_axes=factors.pattern_axes,
        used_pixels=factors.used_pixels,
        columns=[f"{a + 1} | {b + 1}" for a, b in chosen],
    )


def run_figure(run: RunView, request: FigureRequest) -> bytes:
    """Return a view of a run as a picture.

    Raises
    ------
    InputError
        When the run has no such part.
    """
    result, index = run.result, request.index
    parts = {
        "groups": result.groups, "dendrogram": result.groups, "phases": result.phases,
        "particles": result.particles, "histogram": result.particles, "residual": result.factors.residual,
    }  # fmt: skip
    if request.view in parts and parts[request.view] is None:
        raise lacking(request.view, "run it with what makes them")
    most = (
        result.factors.n_components if request.view == "component" else getattr(result.groups, "n_groups", 0)
    )
    if request.view in ("component", "phases", "particles") and index >= most:
        raise InputError("index", expected=f"below {most}", got=f"{index}", hint="count from 0")
    if request.view == "component":
        pattern, image = component_panels(result, index)
        chosen = replace(
            image if request.side == "map" else pattern, title=request.title or f"Component {index}"
        )
        return file_of(figure_panel(chosen, width=WIDTH, tallest=4.2), request)
    cut = result if request.height is None else replace(result, groups=run.regrouped(request.height))
    figures = {
        "groups": lambda: figure_groups(cut),
        "dendrogram": lambda: figure_dendrogram(cut),
        "phases": lambda: figure_overlay(result, index, candidate=request.candidate),
        "particles": lambda: figure_particle_map(result, index),
        "histogram": lambda: figure_size_histogram(result),
        "residual": lambda: figure_residual(result),
        "convergence": lambda: figure_convergence(result),
    }
    if request.view not in figures:
        raise InputError("view", expected=", ".join(figures), got=request.view, hint="name a scan")
    return file_of(figures[request.view](), request)


def _shown(view: ScanView, request: FigureRequest) -> tuple[NDArray[Any], bool, str]:
    """Return values, whether they are a map, and what they are."""
    if request.view == "pattern":
        position = request.position or [0] * len(view.scan.scan_axes)
        return view.patterns.at(tuple(position)), False, "counts"
    if request.view in ("region", "virtual"):
        if request.shape is None:
            raise InputError("shape", expected="what is drawn", got="none", hint="")
        if request.view == "region":
            return view.region(request.shape)[0], False, "mean counts per position"
        return view.whole_virtual(request.shape).values, True, "counts"
    if request.view in ("summary", "map"):
        view.read_all()
        statistic = request.statistic or "sum"
        found = view.summaries(statistic)
        values = found.pattern if request.view == "summary" else found.map
        quantity = {"variance": "variance of counts", "max": "largest counts", "mean": "mean counts"}
        return values[statistic], request.view == "map", quantity.get(statistic, "counts")
    raise InputError("view", expected="a view of a scan", got=request.view, hint="name a run")


def _scale(values: NDArray[Any], request: FigureRequest) -> Scale:
    """Return the contrast that is shown: percentiles, of what is above 0 on a logarithmic scale."""
    known = values[np.isfinite(values)]
    logarithmic = request.log and bool((known > 0).any())
    known = known[known > 0] if logarithmic else known
    low, high = np.percentile(known, sorted(request.percentiles)) if known.size else (0.0, 1.0)
    if logarithmic:
        low = max(low, high / 1e5)
    high = high if high > low else low * 2 if low > 0 else low + 1.0
    clipped = bool(known.size and known.max() > high)
    return Scale("log" if logarithmic else "linear", float(low), float(high), clipped)


def file_of(figure: Any, request: FigureRequest) -> bytes:
    """Return a figure as the file that was asked for."""
    return svg(figure) if request.format == "svg" else png(figure)
