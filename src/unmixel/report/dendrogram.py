"""Figure of the grouping: the tree of components with its cut, and the pattern of every leaf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unmixel.dataset.result import Result
from unmixel.dataset.results import Factors, Groups
from unmixel.report.canvas import FAINT, INK, TEXT_PT, box, group_colour, label_axes, sheet, write
from unmixel.report.panels import paint
from unmixel.report.scales import sqrt_scale
from unmixel.report.views import PATTERN_COLOURS, flat
from unmixel.report.words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TREE, _LABEL = 4.2, 1.75


def figure_dendrogram(result: Result) -> Figure:
    """Return the tree of components: leaves with their patterns left, distance to the right, cut dashed."""
    groups, factors = result.groups, result.factors
    if groups is None or factors.n_components < 2:
        figure = sheet(4.0, 0.4)
        reason = "The run has no groups." if groups is None else "One component: there is nothing to group."
        write(figure, 0.1, 0.1, reason, color=FAINT)
        return figure
    tree = _tree(groups)
    step = 0.56 if factors.n_components <= 16 else 0.42
    tall = step * factors.n_components
    thumb = step - 0.06
    wide = thumb * _thumb_ratio(factors)
    figure = sheet(wide + _LABEL + _TREE + 0.3, tall + 0.62)
    for place, leaf in enumerate(tree["leaves"]):
        top = 0.08 + place * step
        _leaf(figure, result, int(leaf), top=top, thumb=(wide, thumb))
    axes = box(figure, 0.05 + wide + _LABEL, 0.05, _TREE, tall)
    _draw_tree(axes, tree, groups, factors.n_components)
    return figure


def _tree(groups: Groups) -> dict[str, Any]:
    from scipy.cluster.hierarchy import dendrogram

    tree: dict[str, Any] = dendrogram(groups.linkage, no_plot=True, color_threshold=0)
    return tree


def _thumb_ratio(factors: Factors) -> float:
    shape = factors.patterns.shape[1:]
    return 2.6 if len(shape) < 2 else float(np.clip(shape[-1] / shape[-2], 0.4, 2.6))


def _leaf(figure: Figure, result: Result, index: int, *, top: float, thumb: tuple[float, float]) -> None:
    """Draw one leaf: its pattern in the colour of its group, number, share."""
    factors, groups = result.factors, result.groups
    assert groups is not None  # the caller has checked  # nosec B101
    values, _, _ = flat(factors.patterns[index], factors.pattern_axes)
    group = int(groups.labels[index])
    axes = box(figure, 0.05, top, *thumb)
    if values.ndim == 2:
        used = factors.used_pixels if factors.used_pixels.shape == values.shape else None
        grey = None if used is None or factors.fill == "model" else ~used
        paint(axes, values, sqrt_scale(values, used), PATTERN_COLOURS, grey=grey)
    else:
        axes.plot(values, color=group_colour(group), linewidth=0.8)
        axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=group_colour(group), linewidth=1.6)
    text = f"{index}  ·  group {group}  ·  {percent(factors.strengths[index])}"
    write(figure, 0.05 + thumb[0] + 0.1, top + thumb[1] / 2, text, va="center", color=group_colour(group))


def _draw_tree(axes: Axes, tree: dict[str, Any], groups: Groups, count: int) -> None:
    for leaves, heights in zip(tree["icoord"], tree["dcoord"], strict=True):
        inside = max(heights) < groups.cut
        colour = group_colour(int(groups.labels[tree["leaves"][int(leaves[0] // 10)]])) if inside else INK
        axes.plot(heights, leaves, color=colour, linewidth=1.4, solid_capstyle="round")
    highest = max(float(np.max(tree["dcoord"])), groups.cut)
    axes.axvline(groups.cut, color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
    left = groups.cut > 0.6 * highest
    place: dict[str, Any] = {"ha": "right" if left else "left", "transform": axes.get_xaxis_transform()}
    text = f"cut {groups.cut:.3g}"
    axes.text(groups.cut, 0.005, f"{text} " if left else f" {text}", fontsize=TEXT_PT, color=INK, **place)
    axes.set(xlim=(0, highest * 1.04), ylim=(10 * count, 0), yticks=[])
    axes.spines[["left", "right", "top"]].set_visible(False)
    label_axes(axes, "distance (1 − similarity)")
