"""``unmixel plugins``: what is installed, and whether it keeps its laws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from unmixel.cli.output import err, out, print_json

if TYPE_CHECKING:
    from unmixel.lab.plugins import Checked, Plugin

BROKEN = 1
"""Exit code where a law is broken or could not be checked."""


def show(kind: str | None, *, laws: bool, as_json: bool) -> None:
    """Print the plug-ins of one kind, or of all."""
    from unmixel.lab.plugins import check, installed

    found = installed(kind)
    checked: list[Checked] = []
    for one in found if laws else ():
        if not as_json:
            err().print(f"{one.kind}: {one.name}", markup=False)
        checked.append(check(one))
    if as_json:
        print_json([_plain(one, checked[place] if laws else None) for place, one in enumerate(found)])
    else:
        out().print(_table(found, checked))
        for done in checked:
            untried = f"not tried: {done.untried}" if done.untried else ""
            for text in filter(None, (*done.broken, done.failed, untried)):
                out().print(f"{done.plugin.kind} {done.plugin.name}: {text}", markup=False)
    if any(done.word in ("broken", "failed") for done in checked):
        raise typer.Exit(BROKEN)


def describe(kind: str, name: str, *, as_json: bool) -> None:
    """Print what one plug-in is, and its parameters in its own words."""
    from rich.table import Table
    from rich.text import Text

    from unmixel.core import registry
    from unmixel.lab.plugins import installed
    from unmixel.pipeline.reference import parameters, summary

    group = next((one.kind for one in installed(kind)), kind)
    plugin = registry.load(group, name)
    found = parameters(plugin)
    if as_json:
        told = [dict(vars(one)) for one in found]
        print_json({"kind": group, "name": name, "meaning": summary(plugin), "parameters": told})
        return
    out().print(f"{name}: {summary(plugin)}", markup=False)
    table = Table(box=None, pad_edge=False)
    for heading, fold in (("parameter", False), ("default", True), ("values", True), ("meaning", True)):
        table.add_column(heading, no_wrap=not fold, overflow="fold" if fold else "ellipsis")
    for one in found:
        table.add_row(*map(Text, (one.name, one.default, one.valid, one.meaning)))
    out().print(table)


def _plain(plugin: Plugin, checked: Checked | None) -> dict[str, Any]:
    told = dict(vars(plugin))
    if checked is not None:
        told["laws"] = {
            "word": checked.word, "checked": checked.n_laws, "broken": checked.broken, "failed": checked.failed,
            "untried": checked.untried,
        }  # fmt: skip
    return told


def _table(found: Sequence[Plugin], checked: Sequence[Checked]) -> Any:
    """Return the plug-ins as a table; those of other packages bear the name of their package."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("kind", "name", "from", "version", "class"):
        table.add_column(heading, no_wrap=True)
    if checked:
        table.add_column("laws", no_wrap=True)
    if any(one.remark for one in found):
        table.add_column("remark", overflow="fold")
    before = ""
    for place, one in enumerate(found):
        origin = "built in" if one.built_in else one.distribution or "unknown"
        cells = ["" if one.kind == before else one.kind, one.name, origin, one.version, one.place]
        if checked:
            result = checked[place]
            cells.append(f"{result.word} ({result.n_laws})" if result.n_laws else result.word)
        table.add_row(*map(Text, (*cells, *([one.remark] if one.remark else []))))
        before = one.kind
    return table
