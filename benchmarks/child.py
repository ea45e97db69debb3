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
    """

    cpu_s: float
    wall_s: float
    peak_mb: float


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
    started = time.perf_counter()
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
        wall = time.perf_counter() - started
        if child.returncode:
            said.seek(0)
            end = said.read().decode(errors="replace").strip()[-2000:]
            raise ChildFailedError(f"{' '.join(words)} ended with status {child.returncode}:\n{end}")
    cost = Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * RSS_UNIT / 1e6)
    return printed.decode(errors="replace"), cost
