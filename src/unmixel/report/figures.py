"""The figures of a run, for use from Python: each takes a result and returns a matplotlib Figure.

Examples
--------
>>> from unmixel.report.figures import figure_overview  # doctest: +SKIP
>>> figure_overview(unmixel.load("run")).savefig("overview.png", dpi=200)  # doctest: +SKIP
"""

from __future__ import annotations

from unmixel.report.components import figure_components
from unmixel.report.convergence import figure_convergence
from unmixel.report.dendrogram import figure_dendrogram
from unmixel.report.groups import figure_groups
from unmixel.report.overview import figure_overview
from unmixel.report.particles import figure_particles
from unmixel.report.residual import figure_residual
from unmixel.report.thumbnail import figure_thumbnail
from unmixel.report.trust import figure_leftovers, figure_uncertainty

__all__ = [
    "figure_components",
    "figure_convergence",
    "figure_dendrogram",
    "figure_groups",
    "figure_leftovers",
    "figure_overview",
    "figure_particles",
    "figure_residual",
    "figure_thumbnail",
    "figure_uncertainty",
]
