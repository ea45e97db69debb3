"""The pictures of a result in RDE: one main picture, others beside it, a small one for lists."""

from __future__ import annotations

from collections.abc import Iterator

from unmixel.dataset.result import Result
from unmixel.report.canvas import png
from unmixel.report.figures import (
    figure_components,
    figure_convergence,
    figure_dendrogram,
    figure_groups,
    figure_leftovers,
    figure_overview,
    figure_particles,
    figure_thumbnail,
    figure_uncertainty,
)
from unmixel.report.orientations import figure_orientations
from unmixel.report.positions import figure_positions

_DPI, _SMALL_DPI = 144, 96


def main_picture(result: Result) -> bytes:
    """Return the overview of a run, as PNG."""
    return png(figure_overview(result), dpi=_DPI)


def thumbnail(result: Result) -> bytes:
    """Return the strongest groups of a run, 640 x 480 pixels, as PNG."""
    return png(figure_thumbnail(result), dpi=_SMALL_DPI)


def other_pictures(result: Result) -> Iterator[tuple[str, bytes]]:
    """Yield name and PNG of every other picture that a result has something for."""
    factors = result.factors
    yield "components", png(figure_components(result), dpi=_DPI)
    if result.groups is not None:
        yield "groups", png(figure_groups(result), dpi=_DPI)
    if result.groups is not None and factors.n_components > 1:
        yield "dendrogram", png(figure_dendrogram(result), dpi=_DPI)
    if result.particles is not None and result.particles.table:
        yield "particles", png(figure_particles(result), dpi=_DPI)
    if result.orientations is not None and len(result.orientations.axes) == 2:
        yield "orientations", png(figure_orientations(result.orientations, grains=result.grains), dpi=_DPI)
    if result.positions is not None:
        yield "positions", png(figure_positions(result.positions), dpi=_DPI)
    if factors.leftovers is not None:
        yield "residual", png(figure_leftovers(result), dpi=_DPI)
    if factors.uncertainty is not None:
        yield "uncertainty", png(figure_uncertainty(result), dpi=_DPI)
    yield "convergence", png(figure_convergence(result), dpi=_DPI)
