"""The verdict as a table: rows of words for the terminal, and HTML for notebooks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from unmixel.lab.metrics import METRICS
from unmixel.lab.statistics import CaseEffect
from unmixel.lab.verdict import Comparison, Verdict

HEAD = ("metric", "best so far", "with the idea", "effect", "95 % interval", "in sd", "p", "verdict")

_COLOURS = {"better": "#0072b2", "worse": "#d55e00", "no evidence": "#666666"}
_MARKS = {"better": "\u25b2", "worse": "\u25bc", "no evidence": "\u00b7"}


def number(value: float) -> str:
    """Return a number in three digits; a dash where there is none.

    Examples
    --------
    >>> number(0.00123456), number(float("nan")), number(12345.6)
    ('0.00123', '-', '12300')
    """
    if math.isnan(value):
        return "-"
    return f"{float(f'{value:.3g}'):.10g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.2e}"


def row(one: Comparison) -> tuple[str, ...]:
    """Return the cells of a metric, in the order of `HEAD`."""
    unit = f" ({one.unit})" if one.unit else ""
    chance = "-" if one.better == "neither" else ("< 0.001" if one.p_value < 0.001 else f"{one.p_value:.3f}")
    word = "only told" if one.better == "neither" else f"{_MARKS[one.word]} {one.word}"
    return (
        f"{one.metric.replace('_', ' ')}{unit}",
        number(one.baseline),
        number(one.idea),
        f"{'+' if one.effect > 0 else ''}{number(one.effect)}",
        f"{number(one.low)} to {number(one.high)}" if math.isfinite(one.low) else "-",
        number(one.standardised),
        chance,
        word,
    )


def cases(effects: Sequence[CaseEffect], metric: str) -> str:
    """Return in one line on which scans an idea did what; nothing for a suite of one scan."""
    if len(effects) < 2:
        return ""
    told = ", ".join(
        f"{one.case} {'+' if one.effect > 0 else ''}{number(one.effect)} (better in {one.n_better} of {one.n_pairs})"
        for one in effects
    )
    return f"{metric.replace('_', ' ').capitalize()} by scan: {told}."


def html(verdict: Verdict, *, title: str, below: Sequence[str]) -> str:
    """Return the verdict as a fragment of HTML that needs nothing else."""
    left, right = "text-align:left;padding:2px 10px", "text-align:right;padding:2px 10px"
    head = "".join(
        f'<th style="{left if i in (0, 7) else right}">{escape(word)}</th>' for i, word in enumerate(HEAD)
    )
    body = []
    for one in verdict.comparisons:
        colour = _COLOURS[one.word] if one.better != "neither" else _COLOURS["no evidence"]
        cells = [
            f'<td style="{left if i in (0, 7) else right}{f";color:{colour};font-weight:600" if i == 7 else ""}"'
            f"{_title(one, i)}>{escape(cell)}</td>"
            for i, cell in enumerate(row(one))
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    ends = "".join(f"<p>{escape(line)}</p>" for line in below)
    return (
        f"<div><p><b>{escape(title)}</b>: "
        f'<span style="color:{_COLOURS[verdict.word]}">{escape(verdict.sentence)}</span></p>'
        f'<table style="border-collapse:collapse;font-variant-numeric:tabular-nums"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>{ends}</div>"
    )


def _title(one: Comparison, column: int) -> str:
    return f' title="{escape(METRICS[one.metric].meaning)}"' if column == 0 else ""


def text(verdict: Verdict) -> str:
    """Return the verdict as a table of plain text."""
    rows = [HEAD, *(row(one) for one in verdict.comparisons)]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(HEAD))]
    lines = [
        "  ".join(
            cell.ljust(width) if i in (0, 7) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
