"""A file is the old one or the new one, on the disk and not only in its memory; a full disk is said so."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from whole_result import whole

from unmixel.core.errors import UnmixelError, WriteError
from unmixel.dataset.result import Result
from unmixel.io.atomic import clear_drafts, replacing, write_bytes, write_text
from unmixel.io.store import read_bundle, write_bundle

POSIX = pytest.mark.skipif(os.name == "nt", reason="limits and mounts of POSIX systems")


def filled(value: float, n: int = 40_000) -> Result:
    """Return a result whose bundle has at least 8 n bytes, which cannot be compressed away."""
    noise = np.random.default_rng(int(value)).random(n)
    return replace(whole(), extras={"noise": noise, "value": np.full(3, value)})


def value_of(path: Path) -> float:
    return float(read_bundle(path).extras["value"][0])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.none() | st.binary(max_size=9), after=st.binary(max_size=9), fails=st.booleans())
def test_the_old_or_the_new_and_nothing_beside(
    tmp_path: Path, before: Any, after: bytes, fails: bool
) -> None:
    path = tmp_path / "a.bin"
    path.unlink(missing_ok=True)
    if before is not None:
        path.write_bytes(before)
    try:
        with replacing(path) as draft:
            draft.write_bytes(after)
            assert (path.read_bytes() if path.exists() else None) == before
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert (path.read_bytes() if path.exists() else None) == before
    else:
        assert path.read_bytes() == after
    assert {member.name for member in tmp_path.iterdir()} <= {"a.bin"}


def test_text_keeps_its_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "é\r\nb\n")
    assert (tmp_path / "a.txt").read_bytes() == "é\r\nb\n".encode()


def test_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def noted(handle: int) -> None:
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")  # noqa: PTH112
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "replace", lambda self, target: (done.append("name"), rename(self, target))[1])
    write_bytes(tmp_path / "a", b"x")
    assert [step for step in done if step != "folder"] == ["file", "name"]
    if Path("/proc/self/fd").is_dir():
        assert done == ["file", "name", "folder"]


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (
        ".result.17.part.nxs",
        ".record.9.part.json",
        ".other.17.part.nxs",
        ".result.x.part.nxs",
        "result.nxs",
    ):
        (tmp_path / name).write_text("x")
    clear_drafts(tmp_path, ("result.nxs", "record.json"))
    left = {member.name for member in tmp_path.iterdir()}
    assert left == {".other.17.part.nxs", ".result.x.part.nxs", "result.nxs"}


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"No such file.*What to do: check that the folder"):
        write_bytes(tmp_path / "none" / "a", b"x")


def test_errors_about_something_else_are_told_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a"):
        (tmp_path / "template").read_text()


@POSIX
def test_a_file_larger_than_allowed_loses_nothing(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "r.nxs"
    write_bundle(path, filled(1))
    before, soft = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, soft[1]))
    try:
        with pytest.raises(
            WriteError, match=r"'.*r\.nxs' could not be written: .*it needs \d{3} kB"
        ) as caught:
            write_bundle(path, filled(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, soft)
    assert isinstance(caught.value, UnmixelError)
    assert isinstance(caught.value, OSError)
    assert "nothing that was there is lost" in str(caught.value)
    assert path.read_bytes() == before
    assert [member.name for member in tmp_path.iterdir()] == ["r.nxs"]
    write_bundle(path, filled(2))
    assert value_of(path) == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.name == "nt" or os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be made only by root, where mounts are allowed")
    yield place
    subprocess.run(["umount", str(place)], check=True, capture_output=True)


def test_a_full_disk_loses_nothing_and_says_how_much_is_missing(small_disk: Path) -> None:
    path = small_disk / "r.nxs"
    write_bundle(path, filled(1))
    (small_disk / "other").write_bytes(bytes(300_000))
    before = path.read_bytes()
    with pytest.raises(WriteError, match=r"No space left.*it needs \d+ kB, \d+ kB are free") as caught:
        write_bundle(path, filled(2, 60_000))
    assert "What to do: make room" in str(caught.value)
    assert path.read_bytes() == before
    assert value_of(path) == 1
    assert sorted(member.name for member in small_disk.iterdir()) == ["other", "r.nxs"]
    (small_disk / "other").unlink()
    write_bundle(path, filled(2, 30_000))
    assert value_of(path) == 2
