"""The trail of ideas on the screen: lists, one trial, notes, promotions."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from unmixel.cli.output import err, out, print_json
from unmixel.lab.ledger import Ledger
from unmixel.lab.metrics import METRICS

if TYPE_CHECKING:
    from unmixel.lab.index import Summary
    from unmixel.lab.trial import Measured

_SHOWN = 5
"""Metrics that have a column of their own, those that judge first; the others are in --json and in 'runs show'."""


def show(words: Sequence[str], *, lab: str | None, as_json: bool, rebuild: bool) -> None:
    """Print the trials that a filter lets through."""
    ledger = Ledger.here(lab)
    if rebuild:
        err().print(f"The index was made anew from {ledger.rebuild()} trials.", markup=False)
    found = _found(ledger, words)
    best = ledger.best()
    if as_json:
        print_json([asdict(one) | {"promoted": bool(best and best[0] == one.id)} for one in found])
        return
    if not found:
        out().print(f"No trials in '{ledger.folder}'" + (" that fit." if words else "."), markup=False)
        return
    out().print(_table(found, best[0] if best else ""))


def _found(ledger: Ledger, words: Sequence[str]) -> tuple[Summary, ...]:
    """Return the trials that the words of a command line let through: one argument may hold a whole filter."""
    return ledger.find(shlex.join(words) if len(words) > 1 else "".join(words))


def _table(found: Sequence[Summary], best: str) -> Any:
    """Return the trials as a table; the promoted one has a star."""
    from rich.table import Table
    from rich.text import Text

    known = {metric for one in found for metric in one.metrics}
    metrics = [metric for metric in (*METRICS, *sorted(known - set(METRICS))) if metric in known][:_SHOWN]
    table = Table(box=None, pad_edge=False, caption="* promoted" if best else None, caption_justify="left")
    for heading in ("", "trial", "kind", "suite", "state", "n"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "n" else "left")
    for metric in metrics:
        table.add_column(metric, justify="right", no_wrap=True)
    table.add_column("conclusion", overflow="fold")
    for one in found:
        table.add_row(
            "*" if one.id == best else "",
            *(Text(text) for text in (one.id, one.kind, one.suite, one.state, str(one.n_measured))),
            *(number(one.metrics.get(metric, math.nan)) for metric in metrics),
            Text(one.conclusion.split("\n")[0]),
        )
    return table


def number(value: float) -> str:
    """Return a number in four figures, or a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.4g}"


def tell(trial: str, *, lab: str | None, as_json: bool) -> None:
    """Print everything that is known of one trial."""
    ledger = Ledger.here(lab)
    one = ledger.get(trial)
    place = ledger.place(trial)
    if as_json:
        print_json(vars(one) | {"measured": [vars(each) for each in one.measured], "folder": str(place)})
        return
    words = {
        "trial": one.id, "kind": one.kind, "state": one.state, "begun": one.created, "suite": one.suite,
        "compared with": one.baseline, "seeds": ", ".join(map(str, one.seeds)), "hypothesis": one.hypothesis,
        "conclusion": one.conclusion.replace("\n", "\n" + " " * 15), "folder": str(place),
    }  # fmt: skip
    for label, text in words.items():
        if text:
            out().print(f"{label:<14} {text}", markup=False)
    if one.measured:
        out().print(_measurements(one.measured))


def _measurements(measured: Sequence[Measured]) -> Any:
    """Return the measurements of a trial as a table."""
    from rich.table import Table
    from rich.text import Text

    metrics = list(dict.fromkeys(metric for one in measured for metric in one.metrics))
    table = Table(box=None, pad_edge=False)
    for heading in ("case", "seed", "variant"):
        table.add_column(heading)
    for heading in (*metrics, "seconds"):
        table.add_column(heading, justify="right")
    if any(one.failed for one in measured):
        table.add_column("failed")
    for one in measured:
        values = [number(one.metrics.get(metric, math.nan)) for metric in metrics]
        words = [Text(one.failed)] if one.failed else []
        table.add_row(Text(one.case), str(one.seed), Text(one.variant), *values, number(one.seconds), *words)
    return table


def add(folder: str, *, hypothesis: str, lab: str | None) -> None:
    """Enter a run."""
    from unmixel.lab.entered import enter

    trial = enter(Ledger.here(lab), folder, hypothesis=hypothesis)
    out().print(f"Entered as {trial.id}.", markup=False)


def export(words: Sequence[str], *, uri: str, lab: str | None) -> None:
    """Hand trials to MLflow."""
    from unmixel.lab.mlflow_export import export_to_mlflow

    ledger = Ledger.here(lab)
    found = _found(ledger, words)
    written = export_to_mlflow(ledger, [one.id for one in found], uri)
    out().print(f"{written} of {len(found)} trials written to {uri}; the others were there.", markup=False)


def note(trial: str, text: str, *, lab: str | None) -> None:
    """Keep what the user says of a trial."""
    ledger = Ledger.here(lab)
    ledger.note(trial, text)
    out().print(f"Noted with {ledger.get(trial).id}.", markup=False)


def promote(trial: str, *, lab: str | None) -> None:
    """Promote a trial and say what it replaces."""
    done = Ledger.here(lab).promote(trial)
    before = "the recipe that ships with unmixel" if done.replaces == "shipped" else done.replaces
    out().print(f"Promoted {done.id} on {done.when[:10]}. It replaces {before}.", markup=False)


def compare(what: Sequence[str], *, target: str, lab: str | None) -> None:
    """Write the page of a comparison."""
    from unmixel.lab.compare import compare as execute

    out().print(f"Comparison: {execute(*what, out=target, ledger=Ledger.here(lab))}", markup=False)
