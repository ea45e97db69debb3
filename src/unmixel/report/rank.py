"""How many components: one figure of all the evidence, and a page around it."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.rank import NoiseEdge, RankChoice
from unmixel.report.canvas import FAINT, TEXT_PT, box, label_axes, open_frame, png, sheet, write
from unmixel.report.scales import power_of_ten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREEN = "#0072b2", "#d55e00", "#009e73"


def figure_rank(choice: RankChoice, *, width: float = 7.2) -> Figure:
    """Return the evidence in four panels: noise edge, held-out error, what held-out data confirm, stability.

    Parameters
    ----------
    choice : RankChoice
    width : float
        In inches.
    """
    figure = sheet(width, 5.0)
    wide, tall = width / 2 - 0.86, 1.55
    places = [(0.62 + column * width / 2, 0.66 + row * 2.2) for row in range(2) for column in range(2)]
    axes = [box(figure, left, top, wide, tall) for left, top in places]
    titles = (
        "Singular values over the edge of the noise",
        "Error on held-out data",
        "Directions that held-out data confirm"
        if choice.components is None
        else "Components in held-out electrons",
        "Agreement of restarts",
    )
    for (left, top), title in zip(places, titles, strict=True):
        write(figure, left, top - 0.2, title, fontweight="bold")
    write(figure, 0.1, 0.08, f"Recommended: {choice.n_components}. {choice.verdict}", fontsize=TEXT_PT + 2)
    _edges(axes[0], choice)
    _held_out(axes[1], choice)
    (_confirmed if choice.components is None else _components)(axes[2], choice)
    _stability(axes[3], choice)
    return figure


def _edges(axes: Axes, choice: RankChoice) -> None:
    open_frame(axes)
    label_axes(axes, "place in the spectrum", "value / edge")
    curves = [(choice.plain, FAINT, "data as they are")]
    if choice.edge.seen_through:
        curves.append((choice.edge, _BLUE, f"through the physics ({', '.join(choice.edge.seen_through)})"))
    for edge, colour, label in curves:
        ratio = _ratio(edge)
        places = np.arange(1, ratio.size + 1)
        text = f"{label}: {edge.n_above} above"
        axes.plot(places, ratio, color=colour, linewidth=1.2, marker=".", markersize=4, label=text)
    axes.axhline(1.0, color=_ORANGE, linewidth=1.0)
    axes.set_yscale("log")
    axes.legend(fontsize=TEXT_PT - 1, frameon=False)


def _ratio(edge: NoiseEdge) -> NDArray[np.float64]:
    """Return the positive values over the edge."""
    scale = edge.edge if edge.edge > 0 else 1.0
    return np.asarray(edge.values[edge.values > 0] / scale)


def _held_out(axes: Axes, choice: RankChoice) -> None:
    ranks = [score.n_components for score in choice.scores]
    held = [score.held_out for score in choice.scores]
    open_frame(axes)
    label_axes(axes, "components fitted", "above the best, in noise units")
    axes.errorbar(
        ranks, held, yerr=[score.uncertainty for score in choice.scores], color=_BLUE, linewidth=1.2,
        marker="o", markersize=3, capsize=2,
    )  # fmt: skip
    highest = max(held, default=0.0)
    linear = max(10.0, 0.01 * highest)
    axes.set_yscale("symlog", linthresh=linear)
    powers = range(int(np.ceil(np.log10(linear))), int(np.log10(max(highest, 10 * linear))) + 1)
    axes.set_yticks([0.0, *(10.0**power for power in powers)], ["0", *map(power_of_ten, powers)])
    axes.minorticks_off()
    _mark(axes, choice)


def _confirmed(axes: Axes, choice: RankChoice) -> None:
    from matplotlib.ticker import MaxNLocator

    ranks = [score.n_components for score in choice.scores]
    open_frame(axes)
    label_axes(axes, "components fitted", "directions")
    axes.plot(ranks, ranks, color=FAINT, linewidth=0.8, linestyle=":", label="as many as fitted")
    axes.plot(
        ranks,
        [score.confirmed for score in choice.scores],
        color=_GREEN,
        linewidth=1.2,
        marker="o",
        markersize=3,
    )
    axes.axhline(choice.n_components, color=_ORANGE, linewidth=1.0, label="recommended")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.legend(fontsize=TEXT_PT - 1, frameon=False)


def _components(axes: Axes, choice: RankChoice) -> None:
    """Show what refinements left, strongest first, over the edge that the best piece of noise stays below."""
    from matplotlib.ticker import FormatStrFormatter, MaxNLocator, NullLocator

    left = choice.components
    if left is None:
        return
    open_frame(axes)
    label_axes(axes, "component, strongest first", "standard deviations")
    places = np.arange(left.apart + 1, left.apart + left.values.size + 1)
    axes.plot(places, left.values, color=_GREEN, linewidth=1.2, marker="o", markersize=3)
    label = f"best of {left.candidates} pieces of noise: {left.edge:.1f}"
    axes.axhline(left.edge, color=_ORANGE, linewidth=1.0, label=label)
    axes.set_yscale("log")
    low, high = min(1.0, *left.values.clip(0.1)), max(10.0, *left.values, 2 * left.edge)
    levels = [step * 10.0**power for power in range(-1, 6) for step in (1, 3)]
    axes.set_ylim(0.8 * low, 1.6 * high)
    axes.set_yticks([level for level in levels if low <= level <= high])
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlim(0.5, max(left.apart + left.values.size, 2) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.legend(fontsize=TEXT_PT - 1, frameon=False)


def _stability(axes: Axes, choice: RankChoice) -> None:
    known = [(score.n_components, score.stability) for score in choice.scores if np.isfinite(score.stability)]
    open_frame(axes)
    label_axes(axes, "components fitted", "pattern cosine x map Pearson")
    axes.set_ylim(0, 1.05)
    if not known:
        axes.set(xticks=[])
        axes.text(
            0.5,
            0.5,
            "needs two restarts or more",
            transform=axes.transAxes,
            ha="center",
            fontsize=TEXT_PT,
            color=FAINT,
        )
        return
    axes.plot(*zip(*known, strict=True), color=_BLUE, linewidth=1.2, marker="o", markersize=3)
    _mark(axes, choice)


def _mark(axes: Axes, choice: RankChoice) -> None:
    axes.axvline(choice.n_components, color=_ORANGE, linewidth=1.0)


def write_rank(choice: RankChoice, path: Path, *, title: str = "") -> Path:
    """Write the figure, or a self-contained page with figure, reason and table.

    Parameters
    ----------
    choice : RankChoice
    path : Path
        Ends in ``.png`` or ``.html``; overwritten when it is there.
    title : str
        What was looked at.

    Raises
    ------
    InputError
        At another ending.
    """
    path = Path(path)
    picture = png(figure_rank(choice))
    if path.suffix == ".png":
        path.write_bytes(picture)
    elif path.suffix == ".html":
        path.write_text(_page(choice, picture, title), encoding="utf-8")
    else:
        raise InputError(
            "rank: output",
            expected="a name that ends in .html or .png",
            got=f"'{path}'",
            hint="e.g. rank.html",
        )
    return path


def _page(choice: RankChoice, picture: bytes, title: str) -> str:
    heads = ("components", "held-out error", "standard error", "confirmed", "stability", "error of the fit")
    rows = [
        (
            s.n_components,
            f"{s.held_out:.0f}",
            f"{s.uncertainty:.0f}",
            s.confirmed,
            f"{s.stability:.2f}",
            f"{s.relative_error:.5f}",
        )
        for s in choice.scores
    ]
    table = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    head = "".join(f"<th>{name}</th>" for name in heads)
    notes = "".join(f"<li>{escape(note)}</li>" for note in choice.notes)
    edges = (
        f"<p>Above the edge of the noise: {choice.plain.n_above} singular values of the data as they are"
        + (f", {choice.edge.n_above} seen through the physics" if choice.edge.seen_through else "")
        + ".</p>"
    )
    name = escape(title or "a scan")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>How many components: {name}</title>"
        f"<style>body{{font-family:sans-serif;max-width:52rem;margin:2rem auto;"
        "padding:0 1rem;color:#1f2933}td,th{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #c5ccd3}"
        "img{width:100%}</style></head><body>"
        f"<h1>How many components: {name}</h1><p><strong>{escape(choice.reason)}</strong> {escape(choice.verdict)}</p>"
        f'<img alt="Evidence for the number of components" src="data:image/png;base64,{b64encode(picture).decode()}">'
        f"{edges}<table><thead><tr>{head}</tr></thead><tbody>{table}</tbody></table><ul>{notes}</ul></body></html>\n"
    )
