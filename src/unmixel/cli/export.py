"""``unmixel export``: a run in the formats of others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from unmixel.cli.output import err, out, print_json

if TYPE_CHECKING:
    from unmixel.pipeline.export import Exported

FAULTY, INCOMPLETE = 1, 2
"""Exit codes: a judge found something wrong; an export or a check could not be made."""


def hand_over(run: str, *, to: str, as_json: bool, **options: Any) -> None:
    """Export a run and print what was written and what the judges say; exit with a code where not all is well.

    Parameters
    ----------
    run, to
        As for `unmixel.export`.
    as_json : bool
    **options
        Further parameters of `unmixel.export`.
    """
    from unmixel.pipeline.export import export

    done = export(run, to, **options)
    if as_json:
        print_json([asdict(one) | {"path": str(one.path)} for one in done])
    else:
        _print(done)
    code = verdict(done)
    if code:
        raise typer.Exit(code)


def _print(done: Sequence[Exported]) -> None:
    for one in done:
        if one.error:
            err().print(f"{one.format}: not written. {one.error}", markup=False)
            continue
        out().print("\n".join(lines(one)), markup=False)
        if one.unchecked:
            err().print(f"{one.format}: not checked. {one.unchecked}", markup=False)


def lines(one: Exported) -> Iterator[str]:
    """Yield what is printed of an export that was written."""
    found = one.findings
    checked = "" if found is None else f" (checked: {f'{len(found)} found' if found else 'nothing wrong'})"
    yield f"{one.format}: {one.path}{checked}"
    yield from (f"  {finding}" for finding in found or ())


def verdict(done: Sequence[Exported]) -> int:
    """Return the exit code: what is wrong with an export weighs more than one that is missing."""
    if any(one.findings for one in done):
        return FAULTY
    return INCOMPLETE if any(one.error or one.unchecked for one in done) else 0
