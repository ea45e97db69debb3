"""Jobs: each works in a process of its own and tells by lines of JSON how it goes."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess  # nosec B404
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from unmixel.core.errors import InputError
from unmixel.pipeline.folder import stem
from unmixel.web.run_models import Job, JobEvent, JobKind, JobStatus

ENDED = ("stopped", "finished", "failed")


class NotOpened(LookupError):  # noqa: N818 - it says what is so
    """Nothing of that id is there."""


class Busy(RuntimeError):  # noqa: N818 - it says what is so
    """Another job works."""


@dataclass
class Work:
    """One job: what it was asked for, its process, and what it has told.

    Parameters
    ----------
    id : str
    kind : {"run", "rank", "compare"}
    scan : str
        Id of the scan.
    order : mapping
        What the child is told, JSON-safe.
    folder : Path
        Run folder, or a temporary one for what is not a run.
    show : callable(Path, str)
        Opens the run of a folder, made from the scan of an id, and returns the run's id.
    """

    id: str
    kind: JobKind
    scan: str
    order: Mapping[str, Any]
    folder: Path
    show: Callable[[Path, str], str] = field(repr=False)
    status: JobStatus = "running"
    stage: str = ""
    sweeps: int = 0
    limit: int = 0
    objective: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str | None = None
    run: str | None = None
    pictures: int = 0
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    events: list[JobEvent] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)
    _begun: float = field(default_factory=monotonic, repr=False)
    _seconds: float | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED

    def told(self) -> Job:
        """Return how it stands."""
        seconds = monotonic() - self._begun if self._seconds is None else self._seconds
        return Job(
            id=self.id, kind=self.kind, scan=self.scan, status=self.status, stage=self.stage, sweeps=self.sweeps,
            limit=self.limit, objective=list(self.objective), notes=list(self.notes), error=self.error, run=self.run,
            pictures=self.pictures, started=self.started, seconds=round(seconds, 2),
        )  # fmt: skip

    def begin(self) -> None:
        """Start the process and listen to it."""
        self.status, self._begun, self._seconds, self.error = "running", monotonic(), None, None
        command = [sys.executable, "-m", "unmixel.web.child"]
        self._process = subprocess.Popen(  # nosec B603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def stop(self) -> None:
        """Ask the process to end in order."""
        if self._process is not None and not self.ended:
            self.status = "stopping"
            self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the process has ended; one that does not end in time is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait_for_news(self, told: int, timeout: float) -> None:
        """Wait until there are more than `told` events."""
        with self.news:
            self.news.wait_for(lambda: len(self.events) > told, timeout)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None  # nosec B101
        assert process.stdout is not None  # nosec B101
        with suppress(OSError), process.stdin:  # a process that is gone already tells by its code
            json.dump(self.order, process.stdin)
        with process.stdout as lines:
            for line in lines:
                self._hear(json.loads(line))
        code = process.wait()
        if self.kind == "run" and any(
            (self.folder / name).is_file() for name in ("result.nxs", "partial.nxs")
        ):
            self.run = self.show(self.folder, self.scan)
        self._seconds = monotonic() - self._begun
        if self.status == "stopping":
            self.status = "stopped"
        elif code == 0 and self.error is None:
            self.status = "finished"
        else:
            self.status = "failed"
            self.error = self.error or f"the process ended with code {code}"
        self._tell(JobEvent(event="end", status=self.status, note=self.error, run=self.run))

    def _hear(self, line: dict[str, Any]) -> None:
        """Take what the child says into account and tell it on."""
        if "error" in line:
            self.error = str(line["error"])
            return
        event = JobEvent.model_validate(line)
        if event.stage is not None:
            self.stage = event.stage
        if event.sweep is not None and event.objective is not None:
            self.sweeps, self.limit = event.sweep, event.limit or 0
            self.objective = [*self.objective[: event.sweep - 1], event.objective]
        if event.note is not None:
            self.notes.append(event.note)
        if event.event == "pictures":
            self.pictures += 1
            event = event.model_copy(update={"pictures": self.pictures, "run": self.run})
        self._tell(event)

    def _tell(self, event: JobEvent) -> None:
        with self.news:
            self.events.append(event)
            self.news.notify_all()


class Jobs:
    """All jobs of a viewer; one works at a time.

    Parameters
    ----------
    folder : Path
        Where run folders are made.
    show : callable
        See `Work`.
    """

    def __init__(self, folder: Path, show: Callable[[Path, str], str]) -> None:
        self._folder, self._show = folder, show
        self._works: dict[str, Work] = {}
        self._lock = threading.Lock()
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def begin(self, kind: JobKind, scan: str, address: str, order: Mapping[str, Any]) -> Work:
        """Begin a job.

        Parameters
        ----------
        kind : {"run", "rank", "compare"}
        scan : str
            Id of the scan.
        address : str
            Path or address of the scan.
        order : mapping
            What else the child is told.

        Raises
        ------
        Busy
            While another one works.
        """
        with self._lock:
            self._check_free()
            key = f"j{len(self._works) + 1}"
            folder = self._free(address) if kind == "run" else self._temporary()
            told = {"kind": kind, "scan": address, "out": str(folder), **order}
            work = Work(key, kind, scan, told, folder, self._show)
            self._works[key] = work
            work.begin()
            return work

    def resume(self, key: str) -> Work:
        """Go on with a stopped or failed run.

        Raises
        ------
        Busy, InputError
        """
        with self._lock:
            work = self.get(key)
            if work.kind != "run" or work.status not in ("stopped", "failed"):
                raise InputError(
                    "job", expected="a stopped run", got=f"a {work.kind} that is {work.status}", hint=""
                )
            self._check_free()
            work.begin()
            return work

    def get(self, key: str) -> Work:
        """Return a job.

        Raises
        ------
        NotOpened
        """
        if key not in self._works:
            raise NotOpened("a job of that id")
        return self._works[key]

    def all(self) -> list[Work]:
        """Return all jobs, newest first."""
        return list(self._works.values())[::-1]

    def close(self) -> None:
        """Stop what works and remove what is temporary."""
        for work in self._works.values():
            if not work.ended:
                work.stop()
                work.wait(30.0)
        if self._scratch is not None:
            self._scratch.cleanup()

    def _check_free(self) -> None:
        if any(not work.ended for work in self._works.values()):
            raise Busy("Another job works: stop it, or wait for it.")

    def _temporary(self) -> Path:
        """Return the name of a folder that goes when the viewer is closed."""
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="unmixel-jobs-")
        return Path(self._scratch.name) / secrets.token_hex(4)

    def _free(self, address: str) -> Path:
        """Return the name of a run folder that is not there yet."""
        base = stem(address)
        numbered = (f"{base}.run", *(f"{base}-{n}.run" for n in range(2, 10_000)))
        return next(self._folder / name for name in numbered if not (self._folder / name).exists())
