"""Figure of the residual: chi-square over the scan and over the detector, against 1."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from unmixel.dataset.result import Result
from unmixel.report.canvas import FAINT, sheet, write
from unmixel.report.panels import Panel
from unmixel.report.recorded import gain
from unmixel.report.scales import ratio_scale
from unmixel.report.views import ratio_panel, sample_noun

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def residual_panels(result: Result) -> tuple[Panel, ...]:
    """Return the panels of chi-square per position and per pixel on one scale; none without a residual.

    White is what noise alone leaves: 1 for counts, the gain where Poisson weighting found one.
    """
    factors, residual = result.factors, result.factors.residual
    if residual is None:
        return ()
    used, expected = factors.used_pixels, gain(result)
    pixels = residual.chi2_pattern[used] if used.any() else residual.chi2_pattern
    scale = ratio_scale(residual.chi2_map, pixels, expected=expected)
    noun = sample_noun(factors.pattern_axes)
    by_position = ratio_panel(residual.chi2_map, factors.scan_axes, scale=scale, title="At each position")
    by_pixel = ratio_panel(residual.chi2_pattern, factors.pattern_axes, scale=scale, title=f"At each {noun}")
    return (replace(by_position, level=expected), replace(by_pixel, level=expected, used=used))


def figure_residual(result: Result, *, width: float = 3.6) -> Figure:
    """Return chi-square per position and per detector pixel: white where Poisson noise alone is left."""
    panels = residual_panels(result)
    tall = max((panel.height(width) for panel in panels), default=0.4)
    figure = sheet(2 * width + 0.5, tall + 0.2)
    if not panels:
        write(figure, 0.1, 0.1, "No residual was computed.", color=FAINT)
    for place, panel in enumerate(panels):
        panel.draw(figure, 0.1 + place * (width + 0.3), 0.1, width)
    return figure
