"""A conversion on its way: a folder beside the target, the plan in it, and a journal of what is written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmixel.core.errors import ReadError, RunExistsError
from unmixel.io.atomic import hold, write_text

SUFFIX = ".unfinished"
"""What the folder of a conversion is called: the name of the target and this."""

_PIECE = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def refuse_unfinished(path: str) -> None:
    """Refuse to open the target of a conversion that did not end.

    Raises
    ------
    ReadError
        When `path` is not there, or is the folder of a conversion, and a conversion to it has begun.
    """
    name = path.rstrip("/" + os.sep)
    target = name.removesuffix(SUFFIX)
    if target == name and Path(name).exists():
        return
    plan = Unfinished(Path(target)).plan()
    if plan is not None:
        recorded = bool(plan.get("recorded"))
        raise ReadError(
            path,
            expected="a scan",
            got=f"a {'record' if recorded else 'conversion'} that is not finished",
            hint="finish it with: unmixel live DIR --recover"
            if recorded
            else f"resume it with: unmixel convert SOURCE {Path(target).name} --resume",
        )


def is_full(error: BaseException) -> bool:
    """Return whether an error says that there is no room left on a disk (HDF5 says so in its text only)."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return isinstance(error, (OSError, RuntimeError)) and any(
        f"errno = {code}" in str(error) or os.strerror(code) in str(error) for code in _FULL
    )


@dataclass(frozen=True)
class Unfinished:
    """The folder of a conversion: ``TARGET.unfinished``.

    Parameters
    ----------
    target : Path
        Where the store will be, and is not before it is whole.

    Examples
    --------
    >>> Unfinished(Path("data/scan.zarr")).folder.name
    'scan.zarr.unfinished'
    """

    target: Path

    @property
    def folder(self) -> Path:
        """Where everything is kept until the store is whole."""
        return self.target.with_name(self.target.name + SUFFIX)

    @property
    def store(self) -> Path:
        """Where the writer works."""
        return self.folder / "store"

    @property
    def _journal(self) -> Path:
        return self.folder / "journal.jsonl"

    def plan(self) -> dict[str, Any] | None:
        """Return the plan of the conversion (or of the record) that lies there, or None where there is none."""
        try:
            found = json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def begin(self) -> None:
        """Clear the folder; without a plan it is no conversion yet."""
        self.clear()
        self.store.mkdir(parents=True)

    def keep(self, plan: Mapping[str, Any]) -> None:
        """Keep the plan (JSON-safe): from now on there is something to resume."""
        write_text(self.folder / "plan.json", json.dumps(plan, indent=1) + "\n")

    def clear(self) -> None:
        """Remove plan, journal and store."""
        (self.folder / "plan.json").unlink(
            missing_ok=True
        )  # first: what is left has no plan and is no conversion
        self._journal.unlink(missing_ok=True)
        shutil.rmtree(self.store, ignore_errors=True)

    def note(self, tile: int, file: Path) -> int:
        """Put a file onto the disk, keep its size and checksum in the journal and return its size."""
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())
        size, checksum = _checked(file)
        line = json.dumps([tile, str(file.relative_to(self.store)), size, checksum])
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.write(line + "\n")
        return size

    def written(self) -> dict[int, int]:
        """Return the tiles whose files are there and have the checksum that the journal knows, with their sizes."""
        try:
            lines = self._journal.read_text(encoding="utf-8").splitlines()
        except OSError:
            return {}
        found: dict[int, int] = {}
        for line in lines:
            try:
                tile, name, size, checksum = json.loads(line)
            except ValueError:  # the line that was being written when the process ended
                continue
            file = self.store / name
            if file.is_file() and _checked(file) == (size, checksum):
                found[int(tile)] = int(size)
            else:
                found.pop(int(tile), None)
        return found

    def sweep(self) -> None:
        """Remove files that were being written when a process ended, under names of their own."""
        for file in self.store.rglob("*.partial"):
            file.unlink()

    def free(self) -> int:
        """Return the bytes of room on the disk."""
        return shutil.disk_usage(self.folder).free

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the folder and hold it, so that no second process converts to the same target.

        Raises
        ------
        RunExistsError
            When another process does.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR)
        if not hold(handle):
            os.close(handle)
            raise RunExistsError(f"Another process is converting to '{self.target}' now. Wait for it.")
        try:
            yield
        finally:
            os.close(handle)
            if not (self.folder / "plan.json").exists():
                shutil.rmtree(self.folder, ignore_errors=True)

    def place(self, product: Path) -> None:
        """Give the whole store its name, in the place of what has it now, and remove the folder."""
        old = self.folder / "replaced"
        if old.exists():  # left by a process that ended in the middle of this
            _remove(old)
        if self.target.is_dir() or (self.target.exists() and product.is_dir()):
            self.target.replace(old)  # folders cannot take the place of others at once
        product.replace(self.target)
        self.clear()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _checked(file: Path) -> tuple[int, int]:
    """Return size and CRC-32 of a file."""
    size, checksum = 0, 0
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            size += len(piece)
            checksum = zlib.crc32(piece, checksum)
    return size, checksum
