"""``unmixel run``: the main job."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from typing import Any

from unmixel.cli.output import err, out, print_json


@dataclass(frozen=True)
class Request:
    """What the command line asked for.

    Parameters
    ----------
    file : str
    recipe : str or None
    sets : tuple of str
        Arguments of ``--set``.
    out : str or None
    components : int or None
    scan_shape : str or None
    drop_flyback : bool
    engine : str or None
    scheduler : str or None
    workers : int or None
    promote : int or None
        Argument of ``--promote-residual``.
    cifs : tuple of str
        Arguments of ``--cif``.
    """

    file: str
    recipe: str | None = None
    sets: tuple[str, ...] = ()
    out: str | None = None
    components: int | None = None
    scan_shape: str | None = None
    drop_flyback: bool = False
    engine: str | None = None
    scheduler: str | None = None
    workers: int | None = None
    promote: int | None = None
    cifs: tuple[str, ...] = ()

    @property
    def overrides(self) -> tuple[str, ...]:
        """Everything that changes the recipe, as ``key=value``; single options go before ``--set``."""
        options = {
            "factorize.components": self.components,
            "read.scan_shape": self.scan_shape,
            "read.drop_flyback": "true" if self.drop_flyback else None,
            "factorize.engine": self.engine,
            "factorize.scheduler": self.scheduler,
            "factorize.workers": self.workers,
            "factorize.promote": self.promote,
            "interpret.identify.candidates": json.dumps(self.cifs) if self.cifs else None,
        }
        given = tuple(f"{key}={value}" for key, value in options.items() if value is not None)
        return (*self.sets, *given)


def execute(request: Request, *, force: bool, as_json: bool, dry: bool) -> None:
    """Run it, or only say what would be run."""
    if dry:
        _plan(request, as_json=as_json)
        return
    from unmixel.cli.progress import Bars
    from unmixel.pipeline.run import run

    with Bars(err()) as bars:
        result = run(
            request.file,
            request.recipe,
            out=request.out,
            force=force,
            overrides=request.overrides,
            progress=bars,
            command=shlex.join(["unmixel", *sys.argv[1:]]),
        )
    from unmixel.pipeline.summary import lines, summary

    if as_json:
        print_json(summary(result))
        return
    console = out()
    for line in lines(result):
        console.print(line, markup=False)


def _plan(request: Request, *, as_json: bool) -> None:
    from unmixel.pipeline.plan import plan

    what = plan(request.file, request.recipe, overrides=request.overrides)
    if as_json:
        print_json(what.to_dict())
        return
    console = out()
    console.print(what.recipe_text, markup=False)
    rows: list[tuple[str, Any]] = what.rows()
    for label, value in rows:
        console.print(f"# {label}: {value}", markup=False)
