"""The trail of ideas: a folder of trials, and which of them others are compared with."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from unmixel.core.errors import InputError
from unmixel.io.atomic import append_line, whole_lines
from unmixel.lab.filter import Filter
from unmixel.lab.index import Index, Summary
from unmixel.lab.trial import Measured, Trial
from unmixel.lab.trial_folder import TrialFolder, now
from unmixel.pipeline.entries import nearest

PLACE, VARIABLE = "unmixel-lab", "UNMIXEL_LAB"
"""Where trials are kept: a folder of the current one, unless this environment variable names another."""


@dataclass(frozen=True)
class Promotion:
    """A trial that became the one others are compared with.

    Parameters
    ----------
    id : str
    when : str
        ISO 8601 in UTC.
    replaces : str
        Id of the one before, or ``"shipped"``.
    """

    id: str
    when: str
    replaces: str


@dataclass(frozen=True)
class Ledger:
    """Trials in a folder, each in a folder of its own, and an index of them.

    Several processes may use one ledger at once, on one machine or on a shared disk. The folders are the truth; the
    index is read anew from them when it is asked.

    Parameters
    ----------
    folder : Path
        Made by the first trial.

    Examples
    --------
    >>> import tempfile
    >>> ledger = Ledger(Path(tempfile.mkdtemp()))
    >>> trial = Trial(fresh_id("resolution"), "try", "resolution", now())
    >>> place = ledger.start(trial)
    >>> ledger.add(trial.id, Measured("glass", 0, "idea", metrics={"found": 7.0}))
    >>> ledger.finish(trial.id, state="finished", conclusion="no evidence")
    >>> [(one.name, one.state, one.metrics["found"]) for one in ledger.find("found>5")]
    [('resolution', 'finished', 7.0)]
    """

    folder: Path
    _held: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def here(cls, folder: str | Path | None = None) -> Ledger:
        """Return the ledger in a folder; in the one that UNMIXEL_LAB names, or of the current folder, without one."""
        return cls(Path(folder or os.environ.get(VARIABLE) or PLACE))

    @property
    def trials(self) -> Path:
        """The folder that holds one folder for each trial."""
        return self.folder / "trials"

    @property
    def index(self) -> Index:
        """The table of all trials."""
        return Index(self.folder / "index.sqlite", self.trials)

    def start(self, trial: Trial) -> Path:
        """Enter a trial and return its folder; this process counts as the one that runs it, until it finishes or ends.

        Raises
        ------
        RunExistsError
            When a trial of that id is there.
        InputError
            When the id is no plain name.
        """
        if not re.fullmatch(r"[\w+-][\w.+-]*", trial.id):
            raise InputError("id of a trial", expected="letters, digits and + - . _", got=f"'{trial.id}'")
        self.trials.mkdir(parents=True, exist_ok=True)
        place = TrialFolder(self.trials / trial.id)
        self._held[trial.id] = place.write(trial)
        return place.path

    def add(self, id: str, measured: Measured) -> None:  # noqa: A002 - the field's own word
        """Add one measurement of a trial, whole, whoever else adds one at the same time."""
        self._folder(id).append(measured)

    def finish(
        self,
        id: str,  # noqa: A002
        *,
        state: Literal["finished", "failed"],
        conclusion: str,
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        """Say how a trial ended and what it comes to.

        Parameters
        ----------
        id : str
        state : str
            ``"finished"`` or ``"failed"``.
        conclusion : str
            In a sentence.
        recipe : mapping, optional
            Where the trial was to find one: what it found.
        """
        place = self._folder(id)
        ended = replace(place.head(), state=state, conclusion=conclusion)
        if recipe is not None:
            ended = replace(ended, recipe=recipe)
            place.write_recipe(ended)
        place.write_head(ended)
        self._let_go(place.path.name)

    def resume(self, id: str) -> Path:  # noqa: A002
        """Take up a trial that did not finish, as `start` does with a new one, and return its folder.

        Raises
        ------
        InputError
            When it has finished, or another process runs it now.
        """
        place = self._folder(id)
        name, head = place.path.name, place.head()
        if head.state == "finished":
            raise InputError(f"trial '{name}'", expected="one that did not finish", got="a finished one")
        handle = place.take()
        if handle is None:
            raise InputError(
                f"trial '{name}'",
                expected="one that nobody runs",
                got="one that another process runs now",
                hint="wait for it, or end that process",
            )
        self._let_go(name)
        self._held[name] = handle
        place.write_head(replace(head, state="running", conclusion=""))
        return place.path

    def get(self, id: str) -> Trial:  # noqa: A002
        """Return a trial with all its measurements and the user's notes.

        Parameters
        ----------
        id : str
            Whole, or as much of it (or of its last part, ``3f2a``) as no other has.

        Raises
        ------
        InputError
            When no trial, or more than one, is meant; near ones are named.
        """
        return self._folder(id).read()

    def place(self, id: str) -> Path:  # noqa: A002
        """Return the folder of a trial; as `get`."""
        return self._folder(id).path

    def find(self, filter: str = "") -> tuple[Summary, ...]:  # noqa: A002
        """Return the trials that a filter lets through, oldest first; see `Filter`.

        Raises
        ------
        InputError
            When the filter has a word that cannot be understood, or asks for a metric that no trial has.
        """
        where, values = Filter.parse(filter, metrics=self.index.metrics).sql()
        return self.index.find(where, values)

    def note(self, id: str, text: str) -> None:  # noqa: A002
        """Add what the user says to a trial; it is shown below the conclusion with the time.

        Raises
        ------
        InputError
            When the text is empty.
        """
        if not text.strip():
            raise InputError(
                "note", expected="some words", got="none", hint='unmixel note ID "why it failed"'
            )
        self._folder(id).note(text.strip())

    def promote(self, id: str) -> Promotion:  # noqa: A002
        """Make the recipe of a trial the one that others are compared with, and say what it replaces.

        Raises
        ------
        InputError
            When the trial has not finished well, has no recipe, or is the promoted one already; says why.
        """
        trial = self.get(id)
        reason = _unfit(trial)
        best = self._promoted()
        if not reason and best == trial.id:
            reason = "the promoted one already"
        if reason:
            raise InputError(
                f"trial '{trial.id}'",
                expected="a finished trial with a recipe and measurements, which is not promoted yet",
                got=reason,
                hint="look at it with: unmixel runs show " + trial.id,
            )
        done = Promotion(trial.id, now(), best or "shipped")
        append_line(self._promotions, json.dumps(vars(done)))
        return done

    def best(self) -> tuple[str, Mapping[str, Any]] | None:
        """Return id and recipe of the promoted trial; None where none is, and the shipped recipe is the one to beat."""
        name = self._promoted()
        return None if name is None else (name, self.get(name).recipe)

    def promotions(self) -> tuple[Promotion, ...]:
        """Return every promotion, oldest first."""
        return tuple(Promotion(**json.loads(line)) for line in whole_lines(self._promotions))

    def rebuild(self) -> int:
        """Make the index anew from the folders, remove what killed processes left, return how many trials there are."""
        for draft in self.trials.glob(".*.part"):
            if not TrialFolder(draft).is_held:
                shutil.rmtree(draft, ignore_errors=True)
        return self.index.rebuild()

    @property
    def _promotions(self) -> Path:
        return self.folder / "promoted.jsonl"

    def _promoted(self) -> str | None:
        """Return the last promoted trial that is still there."""
        there = [one.id for one in self.promotions() if (self.trials / one.id).is_dir()]
        return there[-1] if there else None

    def _let_go(self, name: str) -> None:
        handle = self._held.pop(name, None)
        if handle is not None:
            os.close(handle)

    def _folder(self, id: str) -> TrialFolder:  # noqa: A002
        """Return the folder of the one trial that an id, its start or that of its last part stands for."""
        if id and (self.trials / id).is_dir() and Path(id).name == id:
            return TrialFolder(self.trials / id)
        known = sorted(path.name for path in self.trials.glob("[!.]*")) if self.trials.is_dir() else []
        ends = {name: name.rpartition("-")[2] for name in known if id}
        meant = [name for name, end in ends.items() if name.startswith(id) or end.startswith(id)]
        if len(meant) == 1:
            return TrialFolder(self.trials / meant[0])
        latest = f" The latest: {', '.join(known[-3:])}." if known else ""
        got = f"'{id}', which {len(meant)} have" if meant else f"'{id}'"
        told = (
            f"{', '.join(meant[:5])} begin so"
            if meant
            else f"list them with: unmixel runs.{nearest(id, known)}{latest}"
        )
        where = "a trial in this ledger" if known else f"a trial; there are none in '{self.folder.name}'"
        raise InputError("id of a trial", expected=where, got=got, hint=told)


def fresh_id(name: str) -> str:
    """Return an id for a new trial: time in UTC, name, six letters by chance.

    Examples
    --------
    >>> fresh_id("my idea.py")[8:].partition("-")[2][:-7]
    'my-idea.py'
    """
    plain = re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "trial"
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{plain}-{secrets.token_hex(3)}"


def _unfit(trial: Trial) -> str:
    """Return why a trial cannot be promoted; empty where it can."""
    if trial.state != "finished":
        return f"one that is {trial.state}" + (f" ({trial.conclusion})" if trial.conclusion else "")
    if not trial.recipe:
        return "one without a recipe"
    good = [one for one in trial.measured if not one.failed]
    if not good:
        first = next((f": {one.failed}" for one in trial.measured), "")
        return f"one without any measurement{first}"
    return ""
