"""The provenance record while a run goes on: stages, times, remarks; on disk after every change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from unmixel.pipeline.folder import RunFolder
from unmixel.pipeline.progress import Progress
from unmixel.pipeline.schema import RECORD_SCHEMA


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class Logbook:
    """Collects what becomes ``record.json``.

    Parameters
    ----------
    progress : Progress
        Hears of stages and remarks too.
    values : dict
        The record so far.
    folder : RunFolder or None
        Where it is written; None before the folder is claimed.
    """

    progress: Progress
    values: dict[str, Any] = field(
        default_factory=lambda: {"schema": RECORD_SCHEMA, "status": "running", "started": now()}
    )
    folder: RunFolder | None = None

    def note(self, text: str) -> None:
        """Keep a remark, once, and tell it."""
        notes = self.values.setdefault("notes", [])
        if text not in notes:
            notes.append(text)
            self.progress.note(text)

    def step(self, name: str) -> None:
        """Tell that a step of the preparation begins."""
        self.progress.stage(f"prepare: {name}")

    def passed(self, done: int, of: int) -> None:
        """Tell how many parts of a pass over the data workers have done."""
        self.progress.passed(done, of)

    def update(self, **values: Any) -> None:
        """Put values into the record and write it."""
        self.values.update(values)
        self.write()

    def write(self) -> None:
        """Write the record, where there is a folder."""
        if self.folder is not None:
            self.folder.save_record(self.values)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; its name stays in the record as the last one begun."""
        self.values["stage"] = name
        self.write()
        self.progress.stage(name)
        start = perf_counter()
        try:
            yield
        finally:
            times = self.values.setdefault("timings_s", {})
            times[name] = round(times.get(name, 0.0) + perf_counter() - start, 3)

    def end(self, status: str, *, error: str | None = None) -> None:
        """Write the record for the last time: ``finished``, ``interrupted`` or ``failed``."""
        self.update(status=status, finished=now(), error=error)

    def goes_on_from(self, earlier: Mapping[str, Any], where: str) -> None:
        """Take over what an unfinished run had recorded."""
        before = [
            *earlier.get("resumed", []),
            {"started": earlier.get("started"), "status": earlier.get("status")},
        ]
        self.values["resumed"] = before
        self.note(f"Goes on from an unfinished run: {where}.")
