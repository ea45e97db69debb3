"""A job done in a process of its own, within limits; however it ends, this process gets words."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess  # nosec B404
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import unmixel
from unmixel.lab.idea import Idea
from unmixel.lab.wall import ANSWER, JOB, SCAN
from unmixel.lab.words import last_place

PRINTS = 16_000_000
"""Bytes that an idea may print before it is ended."""

_TAIL = 20_000
_LIVE: set[int] = set()


def end_all() -> None:
    """End every process that does a job for this one now."""
    for pid in tuple(_LIVE):
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Limits:
    """What a job may take.

    Parameters
    ----------
    seconds : float, > 0
        Wall time, and processor time.
    bytes : int
        Address space: memory that may be asked for, libraries included (they take about 1 GB).
    """

    seconds: float = 120.0
    bytes: int = 4_000_000_000


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Parameters
    ----------
    told : mapping
        The answer; empty where there is none.
    failed : str
        Why not, in words; empty where it went well.
    seconds : float
        Wall time of the whole process.
    peak_bytes : int
        Largest resident memory of the process; 0 where the system does not tell.
    """

    told: Mapping[str, Any] = field(default_factory=dict)
    failed: str = ""
    seconds: float = float("nan")
    peak_bytes: int = 0


@contextlib.contextmanager
def workshop() -> Any:
    """Make an empty folder with a name that says nothing, and remove it in the end."""
    folder = Path(tempfile.mkdtemp(prefix="job-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def perform(
    folder: Path,
    task: str,
    ideas: Sequence[Idea] = (),
    *,
    limits: Limits,
    scan: Path | None = None,
    **job: Any,
) -> Outcome:
    """Do a job in a process of its own and return how it ended.

    Parameters
    ----------
    folder : Path
        Empty; the job's whole world, and where its files are left.
    task : {"laws", "run"}
    ideas : sequence of Idea
        Loaded in this order; the last is the one that is tried.
    limits : Limits
    scan : Path, optional
        A file of `wall.write_scan`, which is linked or copied into the folder under a name that says nothing.
    **job
        JSON-safe.
    """
    if scan is not None:
        try:
            os.link(scan, folder / SCAN)
        except OSError:
            shutil.copyfile(scan, folder / SCAN)
    told = {"task": task, "ideas": [asdict(one) for one in ideas], "limits": asdict(limits), **job}
    (folder / JOB).write_text(json.dumps(told), encoding="utf-8")
    begun = time.monotonic()
    process = subprocess.Popen(  # our own module, no shell  # nosec B603
        [sys.executable, "-P", "-m", "unmixel.lab.child"],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    watch = _Watch(process, limits)
    status, peak = watch.wait()
    seconds = time.monotonic() - begun
    failed = watch.words(status, [one.file for one in ideas])
    answer = folder / f"{ANSWER}.json"
    if failed or not answer.is_file():
        return Outcome({}, failed or _unsaid(status), seconds, peak)
    try:
        found = json.loads(answer.read_text(encoding="utf-8"))
    except ValueError:
        return Outcome({}, "its answer cannot be read", seconds, peak)
    return Outcome(found, str(found.get("failed", "")), seconds, peak)


def _unsaid(status: int) -> str:
    return f"it ended the process (exit status {status}) before there was an answer"


def _environment(folder: Path) -> dict[str, str]:
    """Return what a job may know: where Python and its packages are, one thread, nothing else."""
    home = str(Path(unmixel.__file__).parents[1])
    packages = [path for path in sys.path if path and ("-packages" in path or path == home)]
    kept = {
        key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG") if key in os.environ
    }
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB")}
    return {
        **kept,
        **threads,
        "PYTHONPATH": os.pathsep.join([home, *(path for path in packages if path != home)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }


class _Watch:
    """Listens to a process and ends it, with all that it started, where it takes too long or prints too much."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits) -> None:
        self.process, self.limits = process, limits
        self.tail, self.printed, self.why = b"", 0, ""
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        while block := self.process.stdout.read1(65536):  # type: ignore[attr-defined]
            self.printed += len(block)
            self.tail = (self.tail + block)[-_TAIL:]
            if self.printed > PRINTS and not self.why:
                self.why = f"it printed more than {PRINTS / 1e6:.0f} MB and was ended"
                self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(OSError):  # it has ended by itself
            os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self) -> tuple[int, int]:
        """Return exit status and peak memory in bytes once the process has ended or was ended."""
        timer = threading.Timer(self.limits.seconds, self._late)
        timer.start()
        _LIVE.add(self.process.pid)
        try:
            _, raw, usage = os.wait4(self.process.pid, 0)
        except BaseException:
            self._kill()
            raise
        finally:
            timer.cancel()
            _LIVE.discard(self.process.pid)
        self._kill()  # what it started, too
        self.process.returncode = os.waitstatus_to_exitcode(raw)
        self.listener.join(timeout=5)
        if self.process.stdout is not None and not self.listener.is_alive():
            self.process.stdout.close()
        unit = 1 if sys.platform == "darwin" else 1024
        return self.process.returncode, usage.ru_maxrss * unit

    def _late(self) -> None:
        self.why = f"it did not end within {self.limits.seconds:g} s and was ended"
        self._kill()

    def words(self, status: int, files: Sequence[str]) -> str:
        """Return why there is no answer; empty where the process ended by itself."""
        text = self.tail.decode(errors="replace")
        place = last_place(text, files)
        if status == -getattr(signal, "SIGXCPU", 0) or (not self.why and status == -signal.SIGKILL):
            why = f"it did not end within {self.limits.seconds:g} s of processor time and was ended"
        elif self.why:
            why = self.why
        elif status < 0:
            name = signal.Signals(-status).name
            crash = {"SIGSEGV": "it crashed (segmentation fault)", "SIGABRT": "it crashed (aborted)"}
            why = crash.get(name, f"it was ended by {name}")
            if "memory" in text.lower() or "alloc" in text.lower():
                why += f", as it asked for more memory than the {self.limits.bytes / 1e9:g} GB it may have"
        elif status:
            said = [line for line in text.splitlines() if line.strip()][-1:]
            why = f"{_unsaid(status)}{f': {said[0].strip()}' if said else ''}"
        else:
            return ""
        return f"{why}; it was at {place}" if place else why
