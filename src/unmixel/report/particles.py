"""Figures of the particles: where they are, and how large."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.units import printed
from unmixel.dataset.result import Result
from unmixel.dataset.results import Particles
from unmixel.report.borders import outline
from unmixel.report.canvas import FAINT, INK, TEXT_PT, box, group_colour, label_axes, open_frame, sheet, write
from unmixel.report.panels import Panel
from unmixel.report.views import flat, map_panel
from unmixel.report.words import counted, length_with_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NUMBERED = 60
"""Particles in one map up to which each is numbered in the figure."""


def particle_panel(result: Result, group: int) -> Panel:
    """Return the panel of a group's map in grey, on which its particles are outlined."""
    groups, particles = result.groups, result.particles
    assert groups is not None  # callers draw particles where there are some  # nosec B101
    assert particles is not None  # nosec B101
    found = [particle for particle in particles.table if particle.group == group]
    panel = map_panel(
        groups.maps[group], groups.scan_axes, title=f"Group {group}: {counted(len(found), 'particle')}"
    )
    dashed = panel.is_picture and any(particle.on_border for particle in found)
    return replace(panel, colours="gray", remark="dashed: cut by the border" if dashed else "")


def place_particles(
    figure: Figure, result: Result, group: int, *, left: float, top: float, width: float, tallest: float
) -> None:
    """Draw a group's map with its particles outlined and numbered, upper left corner in inches."""
    panel = particle_panel(result, group)
    axes = panel.draw(figure, left, top, width, tallest=tallest)
    if axes is None or not panel.is_picture or result.particles is None:
        return
    labels, _, _ = flat(result.particles.labels[group], panel.axes)
    _outline_particles(axes, np.asarray(labels), result.particles, group)


def figure_particle_map(result: Result, group: int, *, width: float = 3.6, tallest: float = 3.6) -> Figure:
    """Return a group's map in grey, its particles outlined: solid where whole, dashed where cut."""
    figure = sheet(width, 0.1 + particle_panel(result, group).height(width - 0.1, tallest=tallest))
    place_particles(figure, result, group, left=0.05, top=0.05, width=width - 0.1, tallest=tallest)
    return figure


def _outline_particles(axes: Axes, labels: NDArray[Any], particles: Particles, group: int) -> None:
    """Outline every particle of a group and number it, as long as numbers stay legible."""
    mine = [particle for particle in particles.table if particle.group == group]
    plate = {"boxstyle": "round,pad=0.12", "facecolor": INK, "edgecolor": "none", "alpha": 0.75}
    style: Any = {"color": "white", "fontsize": 6.5, "ha": "center", "va": "center", "bbox": plate}
    for particle in mine:
        where = labels == particle.id
        if not where.any():
            continue
        outline(axes, where, colour="#ffb000", dashes=(3.2, 2.0) if particle.on_border else None, rim=0)
        if len(mine) <= _NUMBERED:
            y, x = np.argwhere(where).mean(axis=0)
            axes.text(x, y, str(particle.id), **style)
    axes.set(xlim=(-0.5, labels.shape[1] - 0.5), ylim=(labels.shape[0] - 0.5, -0.5))


def figure_size_histogram(result: Result, *, width: float = 6.4, height: float = 2.9) -> Figure:
    """Return the histogram of particle diameters with mean and median and their 95 % intervals."""
    known = result.particles is not None and bool(np.isfinite(result.particles.diameters).any())
    figure = sheet(width, height if known else 0.4)
    place_histogram(figure, result, (0.0, 0.0), (width, height))
    return figure


def place_histogram(
    figure: Figure, result: Result, corner: tuple[float, float], size: tuple[float, float]
) -> None:
    """Draw the histogram in a rectangle given in inches; bars are stacked by group, a legend stands above."""
    left, top = corner
    particles = result.particles
    sizes = np.array([]) if particles is None else particles.diameters
    sizes = sizes[np.isfinite(sizes)]
    if particles is None or not sizes.size:
        reason = (
            "No particles were measured."
            if particles is None
            else "No whole particle inside the scan: no sizes."
        )
        write(figure, left + 0.1, top + 0.1, reason, color=FAINT)
        return
    from matplotlib.ticker import MaxNLocator

    kept = [p for p in particles.table if not p.on_border and math.isfinite(p.diameter)]
    shown = sorted({p.group for p in kept})
    columns = 4 if size[0] > 6.3 else 2
    above = 0.3 + 0.17 * -(-(len(shown) + 2) // columns)
    axes = box(figure, left + 0.55, top + above, size[0] - 0.75, size[1] - above - 0.45)
    counts, _, _ = axes.hist(
        [[p.diameter for p in kept if p.group == group] for group in shown],
        bins=size_bins(sizes).tolist(),
        stacked=True,
        color=[group_colour(group) for group in shown],
        edgecolor="white",
        linewidth=0.6,
        label=[f"group {group}" for group in shown],
        alpha=0.8,
    )
    axes.set_ylim(0, 1.3 * float(np.max(counts)))
    unit = particles.unit
    _mark(axes, particles.mean_diameter, particles.mean_interval, "mean", unit=unit, marker="o", height=0.95)
    _mark(
        axes,
        particles.median_diameter,
        particles.median_interval,
        "median",
        unit=unit,
        marker="D",
        height=0.86,
    )
    open_frame(axes)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    label_axes(axes, f"diameter of the equivalent circle ({printed(particles.unit)})", "particles")
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=columns, frameon=False, fontsize=TEXT_PT - 0.5,
        labelcolor=INK, borderpad=0.2, handlelength=1.6, columnspacing=1.2,
    )  # fmt: skip


def size_bins(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of the histogram: Freedman-Diaconis width, 4 to 30 bins of equal width.

    Examples
    --------
    >>> size_bins(np.array([5.0, 5.0])).tolist()
    [4.5, 4.75, 5.0, 5.25, 5.5]
    """
    low, high = float(sizes.min()), float(sizes.max())
    if high - low < 1e-9 * max(abs(high), 1.0):
        return np.linspace(low - 0.5, high + 0.5, 5)
    edges = np.histogram_bin_edges(sizes, "fd")
    return np.linspace(low, high, int(np.clip(edges.size - 1, 4, 30)) + 1)


def _mark(
    axes: Axes,
    value: float,
    interval: tuple[float, float],
    name: str,
    *,
    unit: str,
    marker: str,
    height: float,
) -> None:
    """Draw a value with whiskers for its 95 % interval above the bars, at a share of the axes' height."""
    if not math.isfinite(value):
        return
    known = all(math.isfinite(end) for end in interval)
    across = axes.get_xaxis_transform()
    axes.axvline(value, ymax=height, color=INK, linewidth=0.7, linestyle=(0, (2, 2)))
    if known:
        axes.plot(
            interval, [height, height], color=INK, linewidth=1.2, marker="|", markersize=6, transform=across
        )
    label = f"{name} {length_with_interval(value, interval, unit).replace(' interval', ':')}"
    axes.plot([value], [height], marker, color=INK, markersize=4.5, transform=across, label=label)


def figure_particles(result: Result) -> Figure:
    """Return the particle maps of all groups that have particles, with the histogram of sizes below."""
    particles, groups = result.particles, result.groups
    if particles is None or groups is None:
        figure = sheet(4.0, 0.4)
        write(figure, 0.1, 0.1, "No particles were measured.", color=FAINT)
        return figure
    shown = sorted({particle.group for particle in particles.table})
    width, columns = 3.4, min(3, max(2, len(shown)))
    rows = -(-len(shown) // columns)
    tall = 0.15 + max(
        (particle_panel(result, group).height(width, tallest=3.0) for group in shown), default=0.0
    )
    figure = sheet(columns * (width + 0.2) + 0.1, rows * tall + 3.1)
    for place, group in enumerate(shown):
        left, top = 0.1 + (place % columns) * (width + 0.2), 0.1 + (place // columns) * tall
        place_particles(figure, result, group, left=left, top=top, width=width, tallest=3.0)
    place_histogram(figure, result, (0.1, rows * tall + 0.1), (6.4, 2.9))
    return figure
