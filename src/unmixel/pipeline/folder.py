"""The run folder: who may write to it, and what it keeps of a run that did not end."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from time import monotonic
from typing import Any, Generic, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import RunExistsError
from unmixel.dataset.privacy import scrubbed
from unmixel.dataset.scan import Scan
from unmixel.factorize.state import SketchState, State
from unmixel.io.atomic import clear_drafts, hold, is_held, replacing, write_text
from unmixel.io.nexus import jsonable

OURS = (
    "result.nxs", "partial.nxs", "checkpoint.npz", "sketch.npz", "resume.json", "recipe.yaml", "components.csv",
    "groups.csv", "phases.csv", "particles.csv", "orientations.ang", "orientations.ctf", "report.html",
    "methods.md", "references.bib", "use_pixels.npy", "record.json",
)  # fmt: skip
"""Every file of a run folder, in the order in which they are removed; nothing else in it is ever touched."""

UNFINISHED = ("partial.nxs", "checkpoint.npz", "sketch.npz", "resume.json")
"""Those that only an unfinished run needs."""


@dataclass(frozen=True)
class RunFolder:
    """Names of the files of one run.

    Parameters
    ----------
    path : Path
    """

    path: Path

    @classmethod
    def of(cls, out: str | Path | None, given: str | Path | Scan) -> RunFolder:
        """Return the folder that was asked for, or ``<stem>.run`` in the current directory."""
        if out is not None:
            return cls(Path(out))
        name = given.source.path if isinstance(given, Scan) else str(given)
        return cls(Path(f"{stem(name)}.run"))

    @property
    def recipe(self) -> Path:
        """Resolved recipe."""
        return self.path / "recipe.yaml"

    @property
    def bundle(self) -> Path:
        """Arrays."""
        return self.path / "result.nxs"

    @property
    def partial(self) -> Path:
        """Factors of a factorisation that did not end, to look at."""
        return self.path / "partial.nxs"

    @property
    def given(self) -> Path:
        """What an unfinished run was given, as it was given."""
        return self.path / "resume.json"

    @property
    def report(self) -> Path:
        """Page for people."""
        return self.path / "report.html"

    @property
    def checkpoint(self) -> Path:
        """State of a factorisation that did not end."""
        return self.path / "checkpoint.npz"

    @property
    def sketch(self) -> Path:
        """State of the sketch of a factorisation that did not end."""
        return self.path / "sketch.npz"

    @property
    def pixels(self) -> Path:
        """Which detector pixels to use, where some are suspected."""
        return self.path / "use_pixels.npy"

    def save_pixels(self, use: NDArray[np.bool_]) -> None:
        """Write which detector pixels to use (False: suspected), for the step ``mask_image``."""
        with replacing(self.pixels) as draft, draft.open("wb") as file:
            np.save(file, use)

    def record(self) -> dict[str, Any] | None:
        """Return the provenance record that lies there, or None where there is none that can be read."""
        return _json(self.path / "record.json")

    def save_record(self, record: Mapping[str, Any]) -> None:
        """Write the provenance record, whole or not at all; it tells no user, machine or absolute path."""
        text = json.dumps(told(record), indent=2, ensure_ascii=False, allow_nan=False)
        write_text(self.path / "record.json", text + "\n")

    def save_given(self, path: str, command: str) -> None:
        """Write what the run needs to be gone on with: the whole path of its input, and the command."""
        place = str(Path(path).resolve()) if Path(path).exists() else path
        write_text(self.given, json.dumps({"input": place, "command": command}, ensure_ascii=False) + "\n")

    def load_given(self) -> dict[str, Any] | None:
        """Return what `save_given` wrote, or None where the run needs it no more or never did."""
        return _json(self.given)

    def check(self, *, force: bool) -> dict[str, Any] | None:
        """Return the record of an unfinished run there, or None where the folder is free.

        Raises
        ------
        RunExistsError
            When something else is there and is not to be overwritten.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunExistsError(f"'{self.path}' is a file. Choose another folder with --out.")
        if force or not self.path.exists() or not any(self._visible()):
            return None
        earlier = self.record()
        if earlier is None or not self.path.joinpath("record.json").is_file():
            raise RunExistsError(
                f"The folder '{self.path}' exists and holds no unmixel run. Choose another one with --out, "
                "or write into it with --force (files of other names stay)."
            )
        if earlier.get("status") == "finished":
            raise RunExistsError(
                f"The folder '{self.path}' holds a finished run, which is never overwritten by itself. "
                "Choose another one with --out, or overwrite it with --force."
            )
        return earlier

    def _visible(self) -> Iterator[Path]:
        return (member for member in self.path.iterdir() if not member.name.startswith("."))

    def clear(self) -> None:
        """Remove the files of an earlier run, and no other: the results first, the record last."""
        for name in OURS:
            (self.path / name).unlink(missing_ok=True)

    def clear_unfinished(self) -> None:
        """Remove what only an unfinished run needs, before the record says that it has ended: none stays for good."""
        for name in UNFINISHED:
            (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the folder and hold it, so that no second run writes to it; remove what killed runs had half written.

        Raises
        ------
        RunExistsError
            When another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        handle = _held(self.path / ".lock")
        if handle is None:
            raise RunExistsError(
                f"Another run is writing to '{self.path}' now. Wait for it, or choose --out."
            )
        try:
            clear_drafts(self.path, OURS)
            yield
        finally:
            with suppress(PermissionError):  # Windows keeps files that are open
                (self.path / ".lock").unlink(missing_ok=True)
            os.close(handle)

    @property
    def is_held(self) -> bool:
        """Whether a run is writing to the folder now; where the system cannot tell, one may be."""
        return is_held(self.path / ".lock")


def told(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as it is written down and handed out: plain JSON without users, machines, absolute paths."""
    clean: dict[str, Any] = scrubbed(jsonable(record))
    return clean


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _held(lock: Path) -> int | None:
    """Return a handle of the lock file, which is held now, or None where another process holds it."""
    while True:
        handle = os.open(lock, os.O_CREAT | os.O_RDWR)
        if not hold(handle):
            os.close(handle)
            return None
        try:
            same = lock.stat().st_ino == os.fstat(handle).st_ino
        except FileNotFoundError:
            same = False
        if same or os.name == "nt":
            return handle
        os.close(handle)  # whoever held it before has just removed the file that was opened


def stem(name: str) -> str:
    """Return the part of a path or address that names a run.

    Examples
    --------
    >>> stem("data/mgo.zspy"), stem("demo:glass?scan=16x16")
    ('mgo', 'demo-glass')
    """
    name = name.split("?")[0] if name.startswith("demo:") else Path(name).stem
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "scan"


K = TypeVar("K", State, SketchState)


@dataclass
class Checkpoint(Generic[K]):
    """Keeps the last state of a factorisation or of its sketch, on disk every now and then.

    Parameters
    ----------
    path : Path
    identity : str
        What the state belongs to: recipe and input.
    noun : type
        What is kept: `State` or `SketchState`.
    every_s : float
        Least time between two writes, in seconds.
    """

    path: Path
    identity: str
    noun: type[K]
    every_s: float = 20.0
    last: K | None = field(default=None, init=False, repr=False)
    _written: K | None = field(default=None, init=False, repr=False)
    _when: float = field(default_factory=monotonic, init=False, repr=False)

    @property
    def _kept(self) -> tuple[str, ...]:
        return tuple(item.name for item in fields(self.noun) if item.metadata.get("kept", True))

    def offer(self, state: K) -> bool:
        """Keep a state in memory; write it, and say so, when the last writing is long enough ago."""
        self.last = state
        due = monotonic() - self._when >= self.every_s
        if due:
            self.save()
        return due

    def save(self) -> None:
        """Write the last state, if there is one that is not on disk yet."""
        state = self.last
        if state is None or state is self._written:
            return
        values = {name: getattr(state, name) for name in self._kept}
        with replacing(self.path) as draft, draft.open("wb") as stream:
            np.savez(stream, identity=np.array(self.identity), **values)
        self._written, self._when = state, monotonic()

    def load(self) -> K | None:
        """Return the state on disk, or None where there is none that is whole and belongs to this run."""
        try:
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                if str(archive["identity"]) != self.identity:
                    return None
                values = {name: archive[name] for name in self._kept}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        plain = {name: value.item() for name, value in values.items() if value.ndim == 0}
        if "objective" in values:
            plain["objective"] = tuple(values["objective"].tolist())
        self.last = self._written = self.noun(**(values | plain))
        return self.last


@dataclass(frozen=True)
class Checkpoints:
    """What is kept of a factorisation that has not ended: where its sketch stands, and where it stands itself.

    Parameters
    ----------
    sketch : Checkpoint of SketchState
    state : Checkpoint of State
    """

    sketch: Checkpoint[SketchState]
    state: Checkpoint[State]

    @classmethod
    def of(cls, folder: RunFolder, identity: str, *, every_s: float = 20.0) -> Checkpoints:
        """Return the checkpoints of a run; see `Checkpoint`."""
        return cls(
            Checkpoint(folder.sketch, identity, SketchState, every_s),
            Checkpoint(folder.checkpoint, identity, State, every_s),
        )

    def save(self) -> dict[str, Any]:
        """Write both and return what the record says of them."""
        self.sketch.save()
        self.state.save()
        return self.told

    @property
    def told(self) -> dict[str, Any]:
        """What is kept, for the record: ``checkpoint`` in words, ``checkpoint_sweep`` as a number."""
        sketch, state = self.sketch.last, self.state.last
        if state is not None:
            where = (
                f"sweep {state.sweep} of the factorisation" if state.objective else "the solve on the sketch"
            )
            return {
                "checkpoint": "the end of the sweeps" if state.settled.size else where,
                "checkpoint_sweep": state.sweep,
            }
        return {} if sketch is None else {"checkpoint": f"pass {sketch.passes} of the sketch"}

    @property
    def useless(self) -> list[str]:
        """Names of files that are there and could not be read."""
        return [
            mark.path.name for mark in (self.sketch, self.state) if mark.last is None and mark.path.exists()
        ]
