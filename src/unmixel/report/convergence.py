"""Figure of how the factorisation came to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.result import Result
from unmixel.report.canvas import FAINT, TEXT_PT, box, group_colour, label_axes, open_frame, sheet
from unmixel.report.scales import nice_ticks, power_of_ten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure_convergence(result: Result, *, width: float = 7.2) -> Figure:
    """Return the objective against the sweep, and the share of itself by which it fell in each sweep."""
    objective = np.asarray(result.factors.convergence.objective, np.float64)
    figure = sheet(width, 2.5)
    half = width / 2
    left = box(figure, 0.66, 0.12, half - 0.86, 1.9)
    right = box(figure, half + 0.66, 0.12, half - 0.86, 1.9)
    _objective(left, objective)
    _fall(right, objective)
    return figure


def figure_convergences(objectives: Mapping[str, Sequence[float]], *, width: float = 7.2) -> Figure:
    """Return the objectives of several fits against the sweep, each with its name at its end.

    Parameters
    ----------
    objectives : mapping of str to sequence of float
        Name -> objective of each sweep; what is not positive is left out.
    width : float
        In inches.

    Examples
    --------
    >>> [line.get_label() for line in figure_convergences({"A": [2.0, 1.0], "B": [3.0, 1.5, 1.2]}).axes[0].lines]
    ['A', 'B']
    """
    from matplotlib.ticker import MaxNLocator

    figure = sheet(width, 2.7)
    axes = box(figure, 0.66, 0.12, width - 1.2, 2.1)
    open_frame(axes)
    label_axes(axes, "sweep", "objective, log scale")
    every: list[NDArray[np.float64]] = []
    longest = 1
    for index, (name, objective) in enumerate(objectives.items()):
        values = np.asarray(objective, np.float64)
        good = np.flatnonzero(np.isfinite(values) & (values > 0))
        if not good.size:
            continue
        every.append(values[good])
        longest = max(longest, int(good[-1]))
        style, marker = ("-", "--", "-.", ":")[index % 4], "os^v"[index % 4]
        axes.plot(
            good, values[good], color=group_colour(index), linewidth=1.3, linestyle=style, marker=marker, markersize=3,
            label=name,
        )  # fmt: skip
    if not every:
        _say(axes, "no values kept")
        return figure
    axes.set_yscale("log")
    axes.set_xlim(-0.02 * longest, 1.02 * longest)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    _label_log(axes, np.concatenate(every), "objective, log scale")
    axes.legend(fontsize=TEXT_PT, frameon=False)
    return figure


def _objective(axes: Axes, objective: NDArray[np.float64]) -> None:
    sweeps = np.arange(objective.size)
    good = np.isfinite(objective) & (objective > 0)
    open_frame(axes)
    label_axes(axes, "sweep", "objective, log scale")
    if not good.any():
        _say(axes, "no values kept")
        return
    _curve(axes, sweeps[good], objective[good], "#0072b2")
    _label_log(axes, objective[good], "objective, log scale")


def _fall(axes: Axes, objective: NDArray[np.float64]) -> None:
    open_frame(axes)
    label_axes(axes, "sweep", "fall / objective, log scale")
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = -np.diff(objective) / objective[:-1]
    good = np.isfinite(fall) & (fall > 0)
    if not good.any():
        _say(axes, "needs two sweeps or more")
        return
    _curve(axes, np.arange(1, objective.size)[good], fall[good], "#d55e00")
    _label_log(axes, fall[good], "fall / objective, log scale")


def _curve(axes: Axes, x: NDArray[Any], y: NDArray[Any], colour: str) -> None:
    axes.plot(x, y, color=colour, linewidth=1.3, marker="o" if x.size < 40 else "", markersize=2.5)
    axes.set_yscale("log")
    axes.set_xlim(-0.02 * max(x[-1], 1), 1.02 * max(x[-1], 1))


def _label_log(axes: Axes, values: NDArray[np.float64], quantity: str) -> None:
    """Mark a logarithmic axis with powers of ten, or with round values where it spans less than two."""
    low, high = float(values.min()), float(values.max())
    low, high = (low, high) if high > low * (1 + 1e-7) else (low * 0.9, high * 1.1)
    axes.set_ylim(low / (high / low) ** 0.04, high * (high / low) ** 0.04)
    axes.minorticks_off()
    first, last = int(np.ceil(np.log10(low))), int(np.floor(np.log10(high)))
    if last - first >= 1:
        powers = list(range(first, last + 1, max(1, (last - first + 1) // 5)))
        axes.set_yticks([10.0**power for power in powers], [power_of_ten(power) for power in powers])
        return
    exponent = int(np.floor(np.log10(high)))
    exponent = 0 if -2 <= exponent <= 3 else exponent
    ticks = [tick for tick in nice_ticks(low, high, 5) if tick > 0]
    axes.set_yticks(ticks, [f"{tick / 10.0**exponent:.8g}" for tick in ticks])
    label_axes(axes, "sweep", (f"{power_of_ten(exponent)} " if exponent else "") + quantity)


def _say(axes: Axes, text: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.text(
        0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=TEXT_PT, color=FAINT
    )
