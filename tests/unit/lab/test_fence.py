"""The fence: its own folder and Python may be reached, what would tell the truth may not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from unmixel.lab import fence as module
from unmixel.lab.fence import CLOSED, Fence


@pytest.fixture
def fence(tmp_path: Path) -> Fence:
    (tmp_path / "own").mkdir()
    (tmp_path / "lab").mkdir()
    (tmp_path / "own" / "link").symlink_to(tmp_path / "lab")
    return Fence.around(tmp_path / "own")


def opened(fence: Fence, path: object, mode: str = "r") -> None:
    fence("open", (path, mode, os.O_RDONLY))


def test_python_and_its_own_folder_may_be_reached(fence: Fence, tmp_path: Path) -> None:
    for path in (np.__file__, module.__file__, tmp_path / "own" / "scan.npz", 3, "/dev/null"):
        opened(fence, path)
    opened(fence, tmp_path / "own" / "new.txt", "w")
    fence("os.mkdir", (str(tmp_path / "own" / "new"), 0o777, -1))
    fence("import", ("numpy.linalg", None, None, None, None))


def test_nothing_else_may_be_reached(fence: Fence, tmp_path: Path) -> None:
    lab, package = tmp_path / "lab", Path(module.__file__).parents[1]
    refused = [
        ("open", (lab / "truth.npz", "r", 0)),
        ("open", (os.fsencode(lab / "truth.npz"), "r", 0)),
        ("open", (tmp_path / "own" / "link" / "truth.npz", "r", 0)),
        ("open", (tmp_path / "own" / ".." / "lab" / "truth.npz", "r", 0)),
        ("open", (f"/proc/{os.getppid()}/cmdline", "r", 0)),
        ("open", (np.__file__, "w", 0)),
        ("open", (np.__file__, None, os.O_RDWR)),
        ("open", (package / "io" / "glass.py", "r", 0)),
        ("open", (package / "lab" / "shipped" / "quick.yaml", "r", 0)),
        ("os.listdir", (str(lab),)),
        ("os.scandir", (str(tmp_path),)),
        ("os.rename", (str(tmp_path / "own" / "a"), str(lab / "a"), -1, -1)),
        ("os.remove", (str(lab / "a"), -1)),
        ("subprocess.Popen", ("ls", [], None, None)),
        ("os.system", ("ls",)),
        ("os.fork", ()),
        ("socket.connect", (None, ("127.0.0.1", 80))),
        ("os.kill", (os.getppid(), 9)),
        *(("import", (name, None, None, None, None)) for name in CLOSED),
    ]
    for event, args in refused:
        with pytest.raises(PermissionError, match="an idea may not"):
            fence(event, args)


def test_every_closed_module_is_there() -> None:
    """A module that moves would otherwise open the fence."""
    package = Path(module.__file__).parents[1]
    assert all(Path(package, *name.split(".")[1:]).with_suffix(".py").is_file() for name in CLOSED)
    assert (package / "lab" / "shipped").is_dir()
