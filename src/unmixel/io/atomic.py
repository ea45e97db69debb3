"""Write a file, a folder or a line whole or not at all; hold a file so that no second process writes."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unmixel.core.errors import WriteError
from unmixel.core.units import memory

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No space on the disk, none within the quota, or a file larger than is allowed."""


@contextmanager
def replacing(path: Path, *, n_bytes: int | None = None) -> Iterator[Path]:
    """Give a place to write to; on success it takes the name `path`, on any error it is removed.

    A reader, or a run after a power cut, sees the old file or the new one and never half of it: the new one is on the
    disk before it takes the name, and the name is before this returns. What is written there may be a folder too:
    between the old one and the new one of the same name there is a moment without any.

    Parameters
    ----------
    path : Path
        The final name; its folder exists.
    n_bytes : int, optional
        Size of the new file, where it is known.

    Yields
    ------
    Path
        A name in the same folder, with the same suffix.

    Raises
    ------
    WriteError
        When the disk or the quota is full, or the system refuses; the old file is as it was.
    """
    draft = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield draft
        if draft.is_dir():
            _exchange(draft, path)
        else:
            with draft.open("rb+") as stream:
                os.fsync(stream.fileno())
            (_exchange if path.is_dir() else Path.replace)(draft, path)
        _sync_folder(path.parent)
    except WriteError:
        raise
    except OSError as error:
        if error.errno not in _FULL and error.filename != str(draft):
            raise  # about something else
        with suppress(OSError):
            draft.unlink(missing_ok=True)  # so that what is free is told without it
        raise _refused(path, error, n_bytes) from error
    finally:
        with suppress(OSError):
            _remove(draft)


def _exchange(draft: Path, path: Path) -> None:
    """Give a draft its name where it, or what has the name now, is a folder; put the old one back on an error."""
    old = path.with_name(f".{path.stem}.{os.getpid()}.old{path.suffix}")
    there = path.exists()
    if there:
        path.rename(old)
    try:
        draft.rename(path)
    except OSError:
        if there:
            old.rename(path)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes whole or not at all; see `replacing`."""
    with replacing(path, n_bytes=len(content)) as draft:
        draft.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write text (UTF-8, line ends as they are) whole or not at all; see `replacing`."""
    write_bytes(path, text.encode())


def clear_drafts(folder: Path, names: Iterable[str]) -> None:
    """Remove what processes that were killed left of files that they were writing.

    Parameters
    ----------
    folder : Path
        Which nobody else writes to now.
    names : iterable of str
        Final names; nothing else in the folder is touched.
    """
    stems = "|".join(
        rf"{re.escape(Path(name).stem)}\.\d+\.part{re.escape(Path(name).suffix)}" for name in names
    )
    for member in folder.iterdir():
        if re.fullmatch(rf"\.(?:{stems})", member.name):
            member.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have the system write the names in a folder to the disk, where it can be asked to."""
    with suppress(OSError):  # systems and network disks without such a thing
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _refused(path: Path, error: OSError, n_bytes: int | None) -> WriteError:
    """Return what to tell when the system refuses to write."""
    what = f"'{path}'"
    if error.errno not in _FULL:
        told = error.strerror or type(error).__name__
        return WriteError(
            what, told, hint="check that the folder is there and may be written to, then try again"
        )
    needed = "" if n_bytes is None else f"it needs {memory(n_bytes)}"
    try:
        free = f"{memory(shutil.disk_usage(path.parent).free)} are free on the disk"
    except OSError:
        free = ""
    known = ", ".join(part for part in (needed, free) if part)
    hint = "make room or raise the quota, then give the same command again; nothing that was there is lost"
    return WriteError(what, f"{error.strerror}" + (f" ({known})" if known else ""), hint=hint)


def append_line(path: Path, line: str) -> None:
    """Add one line to a file of lines, whole: also while other processes add theirs.

    A line that a killed process left unfinished is closed first, so that it spoils no other; see `whole_lines`.

    Parameters
    ----------
    path : Path
        Made where it is not there.
    line : str
        Without a line end in it.

    Raises
    ------
    WriteError
        When the disk or the quota is full.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "log"
    >>> append_line(path, "one"), append_line(path, "two"), whole_lines(path)
    (None, None, ('one', 'two'))
    """
    content = line.encode() + b"\n"
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o666)
    try:
        _wait_for(handle)  # appending alone is atomic on local disks, not on network ones
        size = os.fstat(handle).st_size
        if size and (os.lseek(handle, -1, os.SEEK_END), os.read(handle, 1))[1] != b"\n":
            content = b"\n" + content
        while content:
            content = content[os.write(handle, content) :]
    except OSError as error:
        raise _refused(path, error, len(content)) from error
    finally:
        os.close(handle)


def whole_lines(path: Path) -> tuple[str, ...]:
    """Return the lines that `append_line` wrote, without one that was cut off at the end; () without a file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ()
    return tuple(line for line in text[: text.rfind("\n") + 1].split("\n") if line)


def _wait_for(handle: int) -> None:
    """Wait for an advisory lock of a file that is held for a moment only."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover - not on Windows
        return
    fcntl.flock(handle, fcntl.LOCK_EX)


def hold(handle: int) -> bool:
    """Take an advisory lock that ends with the process; where the system has none, count it as taken."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover - not on Windows
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_held(lock: Path) -> bool:
    """Return whether a process holds a lock file now; where the system cannot tell, one may while the file is there.

    Looking takes a shared lock for a moment: two who look at once do not see each other.
    """
    try:
        import fcntl
    except ImportError:  # pragma: no cover - not on Windows
        return lock.exists()
    try:
        handle = os.open(lock, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
