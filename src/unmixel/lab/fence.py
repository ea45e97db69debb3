"""What an idea may reach: Python, unmixel and its own folder. A fence that honest code never meets, not a prison.

An audit hook (PEP 578) stands in the way of what would tell an idea the truth or let it write where the judge keeps its
results: files outside, phantoms, other processes, the network. Code that calls the system past Python is not held.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLOSED = (
    "unmixel.io.counting", "unmixel.io.demo", "unmixel.io.glass", "unmixel.io.glass_scene", "unmixel.io.glass_spec",
    "unmixel.io.phantom", "unmixel.io.planted", "unmixel.lab.ledger", "unmixel.lab.suites", "unmixel.testing.oracle",
    "unmixel.testing.phantoms",
)  # fmt: skip
"""Modules that draw phantoms or know where truths are."""

_FORBIDDEN = (
    "ftplib.", "http.", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system",
    "pty.spawn", "smtplib.", "socket.", "subprocess.", "urllib.",
)  # fmt: skip
_READS = {"os.listdir", "os.scandir"}
_WRITES = {
    "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate", "os.utime",
    "shutil.move", "shutil.rmtree",
}  # fmt: skip
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/sys/devices/system", "/dev/null",
           "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo")  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def fence(own: Path) -> None:
    """Keep all that follows in this process within the fence; it cannot be taken down.

    Parameters
    ----------
    own : Path
        The one folder that may be written to.
    """
    sys.addaudithook(Fence.around(own))


def _inside(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


@dataclass(frozen=True)
class Fence:
    """An audit hook that raises PermissionError for what is not allowed.

    Parameters
    ----------
    own : str
        The one folder that may be written to.
    readable, closed : tuple of str
        Files and folders that may be read, and those in them that may not.
    """

    own: str
    readable: tuple[str, ...]
    closed: tuple[str, ...]

    @classmethod
    def around(cls, own: Path) -> Fence:
        """Return the fence of a folder: Python and its packages may be read."""
        package = Path(__file__).parents[1]
        files = [Path(package, *name.split(".")[1:]).with_suffix(".py") for name in CLOSED]
        roots = {os.path.realpath(root) for root in (*sys.path, sys.prefix, sys.base_prefix) if root}
        return cls(
            str(own.resolve()),
            (*roots, f"/proc/{os.getpid()}", *_SYSTEM),
            (*map(str, files), str(package / "lab" / "shipped")),
        )

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Raise PermissionError where an event is not allowed."""
        if event == "open":
            said = isinstance(args[1], str) and any(letter in args[1] for letter in "wax+")
            self._reach(args[0], writing=said or bool((args[2] or 0) & _WRITING))
        elif event == "import" and args[0] in CLOSED:
            _refuse(f"import {args[0]}")
        elif event in _READS:
            self._reach(args[0], writing=False)
        elif event in _WRITES:
            for given in args[:2]:
                self._reach(given, writing=True)
        elif event == "os.kill" and args[0] != os.getpid():
            _refuse("send signals to other processes")
        elif event.startswith(_FORBIDDEN):
            _refuse(f"start processes or use the network ({event})")

    def _reach(self, given: Any, *, writing: bool) -> None:
        """Refuse a path that may not be reached in this way."""
        if not isinstance(given, (str, bytes, os.PathLike)):
            return  # an open file, or nothing
        path = os.path.realpath(os.fsdecode(given))
        if _inside(path, (self.own,)) or path == os.devnull:
            return
        if writing:
            _refuse(f"write to '{path}'")
        if _inside(path, self.closed) or not _inside(path, self.readable):
            _refuse(f"open '{path}'")


def _refuse(what: str) -> None:
    raise PermissionError(f"an idea may not {what}")
