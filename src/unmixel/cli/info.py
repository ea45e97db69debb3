"""``unmixel info``: the data card of a scan, the state of a run."""

from __future__ import annotations

from pathlib import Path

from unmixel.cli.output import out, print_json
from unmixel.dataset.card import DataCard

_COLOURS = {"green": "green", "yellow": "yellow", "red": "red", "none": "dim"}


def show(file: str, *, as_json: bool, scan_shape: str | None, drop_flyback: bool) -> None:
    """Open a file and print its data card; of a run folder or a bundle, print how far the run got."""
    if (Path(file) / "record.json").is_file() or file.endswith(".nxs"):
        from unmixel.pipeline.kept import state_of

        state = state_of(file)
        if state is not None:
            _show_run(file, state, as_json=as_json)
            return
    from unmixel.io.card import data_card
    from unmixel.io.open import open as open_scan
    from unmixel.io.shape import parsed

    shape = parsed(scan_shape) if scan_shape else None
    card = data_card(open_scan(file, scan_shape=shape, drop_flyback=drop_flyback))
    if as_json:
        print_json(card.to_dict())
    else:
        _print(card)


def _show_run(name: str, state: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(state)
        return
    console = out()
    console.print(f"Run {name}", markup=False)
    for label, value in state.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        console.print(
            f"  {label.replace('_', ' ')}: {'none' if shown in (None, '') else shown}", markup=False
        )


def _print(card: DataCard) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in card.rows:
        light = "" if row.light == "none" else f"[{_COLOURS[row.light]}]●[/] {row.light}"
        reason = f"\n[dim]{escape(row.reason)}[/]" if row.reason else ""
        table.add_row(light, escape(row.label), escape(row.value) + reason)
    console = out()
    console.print(f"[bold]{escape(card.title)}[/]")
    console.print(table, soft_wrap=False)
