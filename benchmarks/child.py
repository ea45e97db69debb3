"""Child processes and what they took: CPU seconds, wall seconds, peak memory.

Imports nothing but the standard library: a child's peak memory, as the system tells it, begins at what its parent held.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux units of 1024


class ChildFailedError(Exception):
    """A child process ended with an error; the message is the end of what it said."""


@dataclass(frozen=True)
class Cost:
    """What one command took.

    Parameters
    ----------
    cpu_s, wall_s : float
        Seconds; CPU is user + system of all threads.
    peak_mb : float
        Largest resident memory, 10^6 bytes.
    others : float or None
        Cores that everything else on the machine kept busy meanwhile, on average; None where Linux does not tell.
    """

    cpu_s: float
    wall_s: float
    peak_mb: float
    others: float | None = None


def busy_s() -> float | None:
    """Return the seconds that all cores together have worked since the machine started; None where nobody tells."""
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return None
    user, nice, system, _idle, _waiting, *interrupts = (int(word) for word in words[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def run(words: Sequence[str], *, env: Mapping[str, str] | None = None) -> tuple[str, Cost]:
    """Run a command and return what it printed and what it took.

    Parameters
    ----------
    words : sequence of str
        Program and arguments.
    env : mapping, optional
        Variables set beside those of this process.

    Raises
    ------
    ChildFailedError
        When it ends with another status than 0, or cannot be started.
    """
    started, before = time.perf_counter(), busy_s()
    with tempfile.TemporaryFile() as said:
        try:
            child = subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=said, env={**os.environ, **(env or {})}
            )
        except OSError as error:
            raise ChildFailedError(f"{words[0]}: {error.strerror}") from error
        try:
            assert child.stdout is not None
            with child.stdout:
                printed = child.stdout.read()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if child.returncode is None:  # interrupted: leave no child behind
                child.kill()
                child.wait()
        wall, after = time.perf_counter() - started, busy_s()
        if child.returncode:
            said.seek(0)
            end = said.read().decode(errors="replace").strip()[-2000:]
            raise ChildFailedError(f"{' '.join(words)} ended with status {child.returncode}:\n{end}")
    cpu = usage.ru_utime + usage.ru_stime
    others = None if before is None or after is None else max(0.0, after - before - cpu) / wall
    return printed.decode(errors="replace"), Cost(cpu, wall, usage.ru_maxrss * RSS_UNIT / 1e6, others)
