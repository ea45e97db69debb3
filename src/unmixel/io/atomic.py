"""Write a file, or a folder, whole or not at all; hold a file so that no second process writes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a place to write to; on success it takes the name `path`, on any error it is removed.

    A reader, or a run after a power cut, sees the old file or the new one and never half of it. What is written there
    may be a folder too: between the old one and the new one of the same name there is a moment without any.

    Parameters
    ----------
    path : Path
        The final name; its folder exists.

    Yields
    ------
    Path
        A name in the same folder, with the same suffix.
    """
    draft = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield draft
        if draft.is_dir():
            _exchange(draft, path)
        else:
            with draft.open("rb+") as stream:
                os.fsync(stream.fileno())
            if path.is_dir():
                _exchange(draft, path)
            else:
                draft.replace(path)
    finally:
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


def write_text(path: Path, text: str) -> None:
    """Write text (UTF-8, line ends as they are) whole or not at all."""
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="")


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
