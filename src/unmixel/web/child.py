"""The process of a job: reads what to do as JSON on standard input, tells how it goes by lines of JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TextIO

from unmixel.core.errors import UnmixelError
from unmixel.dataset.privacy import scrubbed
from unmixel.io.nexus import jsonable

PICTURES_EVERY_S = 1.0
"""Seconds between two looks at an unfinished factorisation."""


class Lines:
    """Hears of a run and writes a line of JSON for each thing.

    Parameters
    ----------
    out : file
    partial : Path
        Where an unfinished run keeps its factors.
    """

    def __init__(self, out: TextIO, partial: Path) -> None:
        self._out, self._partial, self._seen = out, partial, 0

    def tell(self, **line: Any) -> None:
        """Write a line."""
        self._out.write(json.dumps(scrubbed(jsonable(line))) + "\n")
        self._out.flush()

    def stage(self, name: str) -> None:
        """Tell that a stage begins."""
        self.tell(event="stage", stage=name)

    def sweep(self, sweep: int, limit: int, objective: float) -> None:
        """Tell that a sweep is done, and whether there are new pictures."""
        self.tell(event="sweep", sweep=sweep, limit=limit, objective=objective)
        written = self._partial.stat().st_mtime_ns if self._partial.exists() else 0
        if written != self._seen:
            self._seen = written
            self.tell(event="pictures")

    def moved(self, n_bytes: int, total: int) -> None:
        """Nothing is converted here."""

    def passed(self, done: int, of: int) -> None:
        """Sweeps tell enough here."""

    def note(self, text: str) -> None:
        """Tell a remark."""
        self.tell(event="note", note=text)


def work(order: dict[str, Any], lines: Lines) -> None:
    """Do a job.

    Parameters
    ----------
    order : dict
        ``kind``, ``scan`` (path or address), ``out`` (folder), ``overrides``; for a rank ``ranks``, ``restarts``.
    lines : Lines
    """
    if order["kind"] == "run":
        from unmixel.pipeline.run import run

        run(
            order["scan"],
            out=order["out"],
            overrides=order["overrides"],
            progress=lines,
            keep_every_s=PICTURES_EVERY_S,
        )
        return
    folder = Path(order["out"])
    folder.mkdir(parents=True)
    if order["kind"] == "rank":
        from unmixel.pipeline.rank import rank
        from unmixel.web.ranks import keep_rank

        found = rank(
            order["scan"],
            ranks=order["ranks"],
            restarts=order["restarts"],
            overrides=order["overrides"],
            tell=lines.stage,
        )
        keep_rank(found, folder)
        return
    from unmixel.web.compare import compare

    compare(order["scan"], order["overrides"], folder, lines.stage)


def main() -> int:
    """Do what standard input says."""
    order = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, sys.stderr  # nothing else may write between the lines
    lines = Lines(out, Path(order["out"]) / "partial.nxs")
    try:
        work(order, lines)
    except KeyboardInterrupt:
        return 130
    except UnmixelError as error:
        lines.tell(error=str(error))
        return 2
    except Exception as error:  # noqa: BLE001 - told to the browser, which is all that anybody sees
        lines.tell(error=f"unexpected {type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
