"""Figures and words of trust: standard errors beside components, and what the residual holds place by place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmixel.core.units import printed
from unmixel.dataset.axes import Axis
from unmixel.dataset.result import Result
from unmixel.dataset.results import Factors, Leftovers, error_share
from unmixel.report.canvas import FAINT, INK, sheet, write
from unmixel.report.panels import Panel
from unmixel.report.scales import Scale, linear_scale
from unmixel.report.views import (
    MAP_COLOURS,
    PATTERN_COLOURS,
    RATIO_COLOURS,
    flat,
    pattern_panel,
    per_sample,
    sample_noun,
)
from unmixel.report.words import counted, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIGMAS = 4.0
"""Standard deviations above which positions and pixels are counted."""

CHANCE = 0.5 * math.erfc(SIGMAS / math.sqrt(2))
"""Share of them that noise alone lifts as high."""


def trust_words(factors: Factors, index: int) -> tuple[str, ...]:
    """Return what is known of a component's uncertainty, in a few words each; empty without it."""
    found, stands = factors.uncertainty, significance(factors, index)
    words = [f"significance {stands:.3g} on electrons set aside"] if stands is not None else []
    agreed = agreement(factors, index)
    words += [f"found in {agreed[0]} of {agreed[1]} runs"] if agreed is not None else []
    if found is None:
        return tuple(words)
    shares = (
        error_share(found.maps[index], factors.maps[index]),
        error_share(found.patterns[index], factors.patterns[index]),
    )
    words += [f"standard error: map {_share(shares[0])}, pattern {_share(shares[1])}"]
    if found.stability is not None:
        words.append(f"stability {found.stability[index]:.2f}")
    if found.scatter is not None and np.isfinite(found.scatter[index]):
        words.append(f"scatter {found.scatter[index]:.2g} × the error")
    return tuple(words)


def significance(factors: Factors, index: int) -> float | None:
    """Return how many standard deviations a component stands out on counts set aside; None where none were."""
    found = factors.settings.get("significance")
    return float(found[index]) if isinstance(found, (list, tuple)) and index < len(found) else None


def agreement(factors: Factors, index: int) -> tuple[int, int] | None:
    """Return in how many runs from different starts a component was found, and of how many; None without them."""
    found, told = factors.settings.get("agreement"), factors.settings.get("refinements") or ()
    runs = max((int(done.get("runs", 0)) for done in told), default=0)
    return (int(found[index]), runs) if isinstance(found, (list, tuple)) and index < len(found) else None


def _share(value: float) -> str:
    if math.isnan(value):
        return "not known"
    return percent(value) if value < 10 else "not determined"


def error_panels(result: Result, index: int) -> tuple[Panel, Panel] | None:
    """Return the standard errors of a component's pattern and map; None without them or where they are curves."""
    factors, found = result.factors, result.factors.uncertainty
    if found is None or len(factors.pattern_axes) < 2 or len(factors.scan_axes) < 2:
        return None
    pattern, pattern_axes, _ = flat(_finite(found.patterns[index]), factors.pattern_axes)
    image, scan_axes, _ = flat(_finite(found.maps[index]), factors.scan_axes)
    noun = per_sample(factors.pattern_axes)
    return (
        _error(pattern, pattern_axes, f"error, share per {noun}", PATTERN_COLOURS),
        _error(image, scan_axes, "error, counts", MAP_COLOURS),
    )


def _finite(values: Any) -> Any:
    return np.where(np.isfinite(values), values, np.nan)


def _error(values: Any, axes: tuple[Axis, ...], quantity: str, colours: str) -> Panel:
    used = np.isfinite(values)
    shown = np.where(used, values, 0.0)
    return Panel(shown, axes, quantity, scale=linear_scale(shown, used), colours=colours, used=used)


def figure_uncertainty(result: Result, *, columns: int = 3, width: float = 2.2) -> Figure:
    """Return one figure with the standard errors of all components, patterns left and maps right of each pair.

    Parameters
    ----------
    result : Result
    columns : int
        Pairs in a row.
    width : float
        Width of one panel in inches.
    """
    pairs = [error_panels(result, index) for index in range(result.factors.n_components)]
    drawn = [pair for pair in pairs if pair is not None]
    if not drawn:
        figure = sheet(4.0, 0.4)
        write(figure, 0.1, 0.1, "No pictures of standard errors are there.", color=FAINT)
        return figure
    columns = min(columns, len(drawn))
    row = max(panel.height(width, tallest=width) for pair in drawn for panel in pair) + 0.5
    column = 2 * width + 0.5
    figure = sheet(columns * column + 0.1, -(-len(drawn) // columns) * row + 0.1)
    for index, pair in enumerate(drawn):
        left, top = 0.15 + (index % columns) * column, 0.1 + (index // columns) * row
        write(figure, left, top, f"Component {index}", fontweight="bold")
        line = " · ".join(trust_words(result.factors, index))
        write(figure, left + 0.95, top, line if len(line) < 60 else line[:58] + " …", color=FAINT)
        for place, panel in enumerate(pair):
            panel.draw(figure, left + place * (width + 0.15), top + 0.24, width, tallest=width)
    return figure


def deviation_panels(result: Result) -> tuple[Panel, ...]:
    """Return how far chi-square lies from what noise leaves, per position and per pixel; none without it."""
    factors, left = result.factors, result.factors.leftovers
    if left is None:
        return ()
    noun = sample_noun(factors.pattern_axes)
    found = []
    for values, given, title in (
        (left.z_map, factors.scan_axes, "At each position"),
        (left.z_pattern, factors.pattern_axes, f"At each {noun}"),
    ):
        shown, axes, _ = flat(np.asarray(values, np.float64), given)
        used = np.isfinite(shown)
        shown = np.where(used, shown, 0.0)
        found.append(
            Panel(
                shown, axes, "standard deviations", scale=_even_scale(shown), colours=RATIO_COLOURS, used=used,
                title=title, level=0.0,
            )
        )  # fmt: skip
    return tuple(found)


def _even_scale(values: Any) -> Scale:
    """Return a linear scale that is symmetric about 0 and holds 99.9 % of the values."""
    wanted = float(np.percentile(np.abs(values), 99.9)) if np.size(values) else 1.0
    width = next((step for step in (4.0, 8.0, 20.0, 50.0, 100.0, 500.0) if wanted <= step), 2000.0)
    return Scale("linear", -width, width, clipped=bool(np.size(values) and np.abs(values).max() > width))


def figure_leftovers(result: Result, *, width: float = 4.5, tallest: float = 3.6) -> Figure:
    """Return where the model fails, over the scan and over the detector, with the places that stand out numbered."""
    panels = deviation_panels(result)
    if not panels:
        figure = sheet(4.0, 0.4)
        write(figure, 0.1, 0.1, "The residual was not compared with noise.", color=FAINT)
        return figure
    tall = max(panel.height(width, tallest=tallest) for panel in panels)
    figure = sheet(2 * width + 0.4, tall + 0.1)
    for index, panel in enumerate(panels):
        axes = panel.draw(figure, 0.05 + index * (width + 0.3), 0.05, width, tallest=tallest)
        if index == 0 and axes is not None and result.factors.leftovers is not None:
            _number(axes, panel, result.factors.leftovers)
    return figure


def _number(axes: Any, panel: Panel, left: Leftovers) -> None:
    """Write the number of each place beside it."""
    from matplotlib.patheffects import withStroke

    for index, place in enumerate(left.places):
        if panel.is_picture:
            row, column = place[-2:]
            axes.plot(column, row, marker="o", ms=9, mfc="none", mec=INK, mew=0.9)
            at = (column, row)
        else:
            at = (float(panel.axes[0].values[place[-1]]), float(panel.values[place[-1]]))
        axes.annotate(
            str(index), at, xytext=(6, 4), textcoords="offset points", fontsize=8, color=INK, clip_on=True,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip


@dataclass(frozen=True)
class Place:
    """One place of the residual on the page: where, how significant, how much, how large."""

    index: int
    where: str
    significance: str
    counts: str
    size: str


def places(result: Result) -> tuple[Place, ...]:
    """Return the places of the residual, most significant first."""
    left, axes = result.factors.leftovers, result.factors.scan_axes
    if left is None:
        return ()
    rows = []
    for index in range(left.n_peaks):
        where = ", ".join(
            f"{axis.name} {axis.values[int(i)]:.4g} {printed(axis.unit)}"
            for axis, i in zip(axes, left.places[index], strict=True)
        )
        size = counted(int(np.count_nonzero(left.maps[index])), "position")
        significance = f"{left.significance[index]:.1f}"
        rows.append(Place(index, where, significance, _rounded(left.counts[index]), size))
    return tuple(rows)


def _rounded(value: float) -> str:
    """Return a number with three digits that count, without a power of ten."""
    return f"{float(f'{value:.3g}'):.0f}" if abs(value) >= 100 else f"{value:.3g}"


def place_panel(result: Result, index: int) -> Panel:
    """Return the panel of the residual pattern at a place."""
    left, factors = result.factors.leftovers, result.factors
    assert left is not None
    return pattern_panel(
        left.patterns[index], factors, used=factors.used_pixels, fill="zero", title=f"Place {index}"
    )


def leftover_words(result: Result, noun: str) -> list[str]:
    """Return in sentences how much of the residual noise does not explain, and what to do with it.

    Parameters
    ----------
    result : Result
    noun : str
        What a sample of the detector is called.
    """
    left = result.factors.leftovers
    if left is None:
        return []
    texts, most = [], False
    for values, name in ((left.z_map, "position"), (left.z_pattern, noun)):
        known = np.asarray(values)[np.isfinite(values)]
        beyond = int(np.count_nonzero(known > SIGMAS))
        most = most or beyond > 0.5 * max(1, known.size)
        texts.append(
            f"{counted(beyond, name).capitalize()} of {known.size} stand{'s' if beyond == 1 else ''} more than "
            f"{SIGMAS:g} standard deviations above what noise leaves ({_few(known.size * CHANCE)} expected)."
        )
    if most:
        texts.append(
            "Where most of them do, the noise is not that of counts with this gain, or the model fails everywhere; "
            "only differences tell something then."
        )
    if not left.n_peaks:
        return [*texts, "No place stands out of the noise: nothing localised is left to be found."]
    verb = "stands" if left.n_peaks == 1 else "stand"
    texts.append(
        f"{counted(left.n_peaks, 'place')} {verb} out of the noise (significance above {left.threshold:.2g}, which "
        "noise passes in one scan of twenty at most). To make components of what is there, run again with "
        f"--promote-residual {left.n_peaks}."
    )
    return texts


def _few(number: float) -> str:
    return f"{number:.1f}" if number >= 0.1 else "fewer than 0.1"
