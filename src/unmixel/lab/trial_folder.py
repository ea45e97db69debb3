"""One trial as a folder of files: the truth that every index is made of."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import sleep
from typing import Any

from unmixel.core.errors import InputError, RunExistsError
from unmixel.io.atomic import append_line, hold, is_held, whole_lines, write_text
from unmixel.io.nexus import jsonable
from unmixel.lab.trial import Measured, Trial
from unmixel.pipeline.written import commented

_HEAD, _RECIPE, _CODE, _MEASURED, _NOTES, _LOCK = (
    "trial.json", "recipe.yaml", "idea.py", "measured.jsonl", "notes.jsonl", ".lock",
)  # fmt: skip
_TRIES, _PAUSE_S = 50, 0.02
"""How often a lock is asked for that somebody may only be looking at, and the time between."""


@dataclass(frozen=True)
class TrialFolder:
    """The files of one trial.

    ``trial.json`` is what was known when it began and, once it has ended, how; ``recipe.yaml`` and ``idea.py`` are for
    people too; ``measured.jsonl`` and ``notes.jsonl`` only grow, a line at a time, so that several processes may add at
    once and a killed one spoils at most its own last line; ``kept`` holds results to be looked at. Whoever runs the
    trial holds ``.lock``, which the system takes away from a process that ends in any way.

    Parameters
    ----------
    path : Path
        Its name is the trial's id.
    """

    path: Path

    def write(self, trial: Trial) -> int:
        """Write a new trial, held by this process, and return the handle that holds it; it appears whole or not at all.

        Raises
        ------
        RunExistsError
            When a trial of that id is there.
        """
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        draft.mkdir(parents=True)
        handle = os.open(draft / _LOCK, os.O_CREAT | os.O_RDWR)
        try:
            hold(handle)
            TrialFolder(draft)._fill(trial)
            draft.rename(self.path)
        except BaseException as error:
            os.close(handle)
            shutil.rmtree(draft, ignore_errors=True)
            if isinstance(error, OSError) and self.path.is_dir():
                raise RunExistsError(f"A trial '{trial.id}' is there already. Give another id.") from error
            raise
        return handle

    def _fill(self, trial: Trial) -> None:
        """Write every file of a new trial."""
        self.write_head(trial)
        if trial.recipe:
            self.write_recipe(trial)
        if trial.code:
            write_text(self.path / _CODE, trial.code)
        for one in trial.measured:
            self.append(one)

    def write_head(self, trial: Trial) -> None:
        """Write everything that is neither measured nor code, whole or not at all."""
        head = {key: value for key, value in vars(trial).items() if key not in ("measured", "code")}
        text = json.dumps(jsonable(head), indent=2, ensure_ascii=False, allow_nan=False)
        write_text(self.path / _HEAD, text + "\n")

    def write_recipe(self, trial: Trial) -> None:
        """Write the recipe with the meaning of its fields: what ``unmixel run --recipe`` takes."""
        write_text(self.path / _RECIPE, commented(trial.recipe, header=(f"Recipe of {trial.id}",)))

    def append(self, measured: Measured) -> None:
        """Add one measurement as a line."""
        _append(self.path / _MEASURED, vars(measured))

    def note(self, text: str) -> None:
        """Add what the user says, with the time."""
        _append(self.path / _NOTES, {"when": now(), "text": text})

    def head(self) -> Trial:
        """Return what ``trial.json`` says, without code, measurements and notes.

        Raises
        ------
        InputError
            When it is not there or holds no trial.
        """
        try:
            head = json.loads((self.path / _HEAD).read_text(encoding="utf-8"))
            return Trial(**(head | {"seeds": tuple(head.get("seeds", ()))}))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"trial '{self.path.name}'",
                expected=f"a folder with a {_HEAD} that 'unmixel' wrote",
                got=" ".join(str(error).split()),
                hint="remove the folder if it is not wanted",
            ) from error

    def read(self) -> Trial:
        """Return the trial as the files say it, the user's notes below its conclusion.

        A trial whose process has ended without a word is told as ``killed``.

        Raises
        ------
        InputError
            As `head`.
        """
        trial = self.head()
        code = self.path / _CODE
        notes = [f"{one['when'][:16].replace('T', ' ')}: {one['text']}" for one in _lines(self.path / _NOTES)]
        return replace(
            trial,
            state="killed" if trial.state == "running" and not self.is_held else trial.state,
            conclusion="\n".join(filter(None, (trial.conclusion, *notes))),
            code=code.read_text(encoding="utf-8") if code.is_file() else "",
            measured=tuple(_measured(one) for one in _lines(self.path / _MEASURED)),
        )

    @property
    def is_held(self) -> bool:
        """Whether a process that runs the trial is alive."""
        return is_held(self.path / _LOCK)

    def take(self) -> int | None:
        """Return a handle that holds the trial for this process; None where another process runs it."""
        handle = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR)
        for _ in range(_TRIES):
            if hold(handle):
                return handle
            sleep(_PAUSE_S)
        os.close(handle)
        return None

    @property
    def stamp(self) -> str:
        """What changes whenever a file of the trial does: times, sizes and numbers of the files."""
        found = []
        for name in (_HEAD, _MEASURED, _NOTES):
            try:
                there = (self.path / name).stat()
            except OSError:
                continue
            found.append(f"{name} {there.st_mtime_ns} {there.st_size} {there.st_ino}")
        return "; ".join(found)


def now() -> str:
    """Return the time in UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _append(path: Path, values: Mapping[str, Any]) -> None:
    append_line(path, json.dumps(jsonable(values), ensure_ascii=False, allow_nan=False))


def _lines(path: Path) -> list[dict[str, Any]]:
    """Return the JSON lines of a file; what a killed process left half written says nothing."""
    found = []
    for line in whole_lines(path):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return [one for one in found if isinstance(one, dict)]


def _measured(line: Mapping[str, Any]) -> Measured:
    """Return a measurement from its line: JSON has no NaN, so what is null is not a number."""
    metrics = {key: float(value) for key, value in line["metrics"].items() if value is not None}
    seconds = line.get("seconds")
    return Measured(
        **{**line, "metrics": metrics, "seconds": math.nan if seconds is None else float(seconds)}
    )
