"""Panels of what a result holds: a pattern, a map, a ratio; the same choices wherever one is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis
from unmixel.dataset.results import Factors, Groups
from unmixel.report.canvas import INK
from unmixel.report.panels import Panel
from unmixel.report.scales import Scale, log_scale, spread_scale, sqrt_scale

PATTERN_COLOURS = "magma"
MAP_COLOURS = "viridis"
RATIO_COLOURS = "PuOr_r"


def flat(values: NDArray[Any], axes: tuple[Axis, ...]) -> tuple[NDArray[Any], tuple[Axis, ...], str]:
    """Return values with at most two dimensions, their axes, and in words what was done to get there.

    Examples
    --------
    >>> axes = (Axis("s0", 3), Axis("y", 4), Axis("x", 5))
    >>> flat(np.ones((3, 4, 5)), axes)[2]
    'mean over s0'
    """
    if values.ndim <= 2:
        return values, axes, ""
    lost = values.ndim - 2
    return (
        values.mean(axis=tuple(range(lost))),
        axes[lost:],
        "mean over " + ", ".join(a.name for a in axes[:lost]),
    )


def sample_noun(axes: tuple[Axis, ...]) -> str:
    """Return what one sample of the detector is called in a sentence: detector pixel, or channel."""
    return "detector pixel" if len(axes) > 1 else "channel"


def per_sample(axes: tuple[Axis, ...]) -> str:
    """Return what one sample of a pattern is called: pixel, or channel of a spectrum."""
    return "pixel" if len(axes) > 1 else "channel"


def pattern_panel(
    values: NDArray[Any],
    factors: Factors | Groups,
    *,
    used: NDArray[Any],
    fill: str,
    title: str = "",
    colour: str = INK,
) -> Panel:
    """Return the panel of a pattern that sums to 1: square-root colours, or a line for a spectrum."""
    values, axes, note = flat(values, factors.pattern_axes)
    used = used if used.shape == values.shape else np.ones(values.shape, bool)
    return Panel(
        values,
        axes,
        f"share per {per_sample(axes)}" + (f" ({note})" if note else ""),
        scale=sqrt_scale(values, used) if values.ndim == 2 else None,
        colours=PATTERN_COLOURS,
        used=used,
        fill=fill,
        title=title,
        colour=colour,
    )


def map_panel(values: NDArray[Any], axes: tuple[Axis, ...], *, title: str = "", colour: str = INK) -> Panel:
    """Return the panel of a map: linear colours from 0, or a line for a line scan."""
    values, axes, note = flat(values, axes)
    return Panel(
        values,
        axes,
        "counts" + (f" ({note})" if note else ""),
        colours=MAP_COLOURS,
        title=title,
        colour=colour,
    )


def ratio_panel(values: NDArray[Any], axes: tuple[Axis, ...], *, scale: Scale, title: str) -> Panel:
    """Return the panel of chi-square: white is what is expected, orange above, purple below."""
    values, axes, note = flat(values, axes)
    quantity = "chi-square" + (f" ({note})" if note else "")
    return Panel(values, axes, quantity, scale=scale, colours=RATIO_COLOURS, title=title)


def kept_panel(name: str, values: NDArray[Any], factors: Factors) -> Panel:
    """Return the panel of an image that the run kept, told by its name and its shape.

    What has the shape of the scan is a map; everything else is a pattern, drawn on a logarithmic scale. One
    on the grid of the factorisation gets its mask outlined; another one (a kernel) is drawn with the
    detector's step where it is smaller than the detector, else in px.
    """
    title = _title(name)
    is_pattern = any(word in name.lower() for word in ("pattern", "beam", "kernel", "spectrum"))
    if values.shape == factors.maps.shape[1:] and not is_pattern:
        panel = map_panel(values, factors.scan_axes, title=title)
        return replace(panel, quantity=_quantity(name), scale=spread_scale(values))
    on_grid = values.shape == factors.patterns.shape[1:]
    axes = _axes_of(values, factors.pattern_axes)
    values, axes, _ = flat(values, axes)
    return Panel(
        values,
        axes,
        _quantity(name),
        scale=log_scale(values) if values.ndim == 2 else None,
        colours=PATTERN_COLOURS,
        used=factors.used_pixels if on_grid else None,
        fill="outline",
        title=title,
    )


def _title(name: str) -> str:
    words = name.replace("_", " ")
    if words == "beam":
        return "Shape of the direct beam"
    if words.startswith("virtual "):
        return f"Virtual detector, {words.removeprefix('virtual ')} ring"
    return words.capitalize()


def _quantity(name: str) -> str:
    words = name.lower()
    if "kernel" in words or "beam" in words:
        return "weight"
    if "mean" in words:
        return "mean counts per pixel" if "map" in words else "mean counts per position"
    return "counts"


def _axes_of(values: NDArray[Any], axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    fits = len(axes) == values.ndim and all(
        n <= axis.size for n, axis in zip(values.shape, axes, strict=True)
    )
    if fits:
        return tuple(replace(axis, size=n) for n, axis in zip(values.shape, axes, strict=True))
    return tuple(Axis(f"index {i}", n) for i, n in enumerate(values.shape))
