"""Write a file whole or not at all, and hold a file so that no second process writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a place to write to; on success it takes the name `path`, on any error it is removed.

    A reader, or a run after a power cut, sees the old file or the new one and never half of it.

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
        with draft.open("rb+") as stream:
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


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
