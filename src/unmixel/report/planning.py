"""Figures of plans: probability against dose or size, with the recommended point and the stated error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unmixel.dataset.planning import Outlook, Plan
from unmixel.report.canvas import (
    FAINT,
    INK,
    TEXT_PT,
    box,
    group_colour,
    label_axes,
    open_frame,
    sheet,
    write,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RECOMMENDED = "#d55e00"
_SHADES = ("#56b4e9", "#0072b2", "#1f2933", "#009e73", "#cc79a7")
# one a size, smallest first; lines differ in their dashes, too
_DASHES: tuple[Any, ...] = ((0, (1, 1.2)), (0, (4, 1.5)), "-", (0, (6, 1.5, 1, 1.5)), (0, (9, 2)))


def figure_plan(plan: Plan, *, width: float = 7.2) -> Figure:
    """Return the probability that one precipitate is found against dose, a line for each size.

    The wanted size is drawn with its stated error, and the recommended point where there is one.

    Parameters
    ----------
    plan : Plan
    width : float
        In inches.
    """
    figure = sheet(width, 3.5)
    axes = box(figure, 0.62, 0.62, width - 2.25, 2.4)
    sample = plan.sample
    where = "on a zone axis" if sample.orientations == "zone" else "in any orientation"
    write(
        figure,
        0.1,
        0.08,
        "Probability that one precipitate is found",
        fontsize=TEXT_PT + 2,
        fontweight="bold",
    )
    write(
        figure, 0.1, 0.32,
        f"{', '.join(str(s).rsplit('/', 1)[-1] for s in sample.structures)} {where} in {sample.foil_nm:g} nm of glass; "
        f"probe {plan.setup.probe_nm:g} nm, step {plan.setup.step_nm:g} nm; band: stated error",
        color=FAINT,
    )  # fmt: skip
    _dose_axes(axes)
    for place, curve in enumerate(plan.curves):
        wanted = curve.diameter_nm == sample.diameter_nm
        axes.plot(
            curve.doses, curve.probability, color=_SHADES[place % 5], linestyle=_DASHES[place % 5],
            linewidth=2.0 if wanted else 1.1, label=f"{curve.diameter_nm:.3g} nm", zorder=3,
        )  # fmt: skip
        if wanted:
            axes.fill_between(curve.doses, curve.low, curve.high, color=_SHADES[place % 5], alpha=0.15, lw=0)
    axes.axhline(plan.goal.probability, color=FAINT, linewidth=0.8, linestyle=":")
    if plan.acquisition is not None:
        dose = plan.acquisition.dose
        axes.plot(
            [dose], [plan.goal.probability], "o", color=_RECOMMENDED, markersize=7, zorder=5,
            label=f"recommended:\n{dose:,.0f} electrons",
        )  # fmt: skip
    axes.legend(
        title="diameter", fontsize=TEXT_PT, title_fontsize=TEXT_PT, frameon=False,
        loc="upper left", bbox_to_anchor=(1.02, 1.0),
    )  # fmt: skip
    return figure


def _dose_axes(axes: Axes) -> None:
    open_frame(axes)
    axes.set_xscale("log")
    axes.set_ylim(-0.03, 1.05)
    label_axes(axes, "electrons per pattern, direct beam included", "probability")


def figure_outlook(seen: Outlook, *, width: float = 7.2) -> Figure:
    """Return the probability that a precipitate of this scan is found against its size.

    Parameters
    ----------
    seen : Outlook
    width : float
        In inches.
    """
    figure = sheet(width, 3.5)
    axes = box(figure, 0.62, 0.7, width - 0.9, 2.25)
    write(figure, 0.1, 0.08, "What this scan can at best show", fontsize=TEXT_PT + 2, fontweight="bold")
    write(figure, 0.1, 0.32, seen.source, color=FAINT)
    open_frame(axes)
    axes.set_xscale("log")
    axes.set_ylim(-0.03, 1.05)
    label_axes(axes, "diameter in nm", "probability that it is found")
    ticks = [
        size
        for size in (0.5, 1, 2, 3, 5, 7, 10, 15, 20)
        if seen.diameters_nm[0] <= size <= seen.diameters_nm[-1]
    ]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.plot(seen.diameters_nm, seen.probabilities, color=INK, linewidth=2.0)
    axes.fill_between(seen.diameters_nm, seen.low, seen.high, color=INK, alpha=0.15, lw=0)
    for size, colour, text in (
        (seen.smallest_nm, _RECOMMENDED, f"found with probability {seen.probability:g}"),
        (seen.plain_nm, group_colour(0), "clear of the noise of the whole scan"),
    ):
        if size is not None:
            axes.axvline(size, color=colour, linewidth=1.2, label=f"{size:.2g} nm: {text}")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=TEXT_PT, frameon=False, loc="upper left")
    return figure
