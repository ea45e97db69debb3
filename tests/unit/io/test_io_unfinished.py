"""The folder of a conversion: what its journal believes, and how a target gets its name."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from unmixel.core.errors import ReadError
from unmixel.io.unfinished import Unfinished, is_full, refuse_unfinished


@pytest.fixture
def begun(tmp_path: Path) -> Unfinished:
    place = Unfinished(tmp_path / "a.zarr")
    place.begin()
    place.keep({"identity": "x"})
    return place


def test_the_journal_believes_files_with_the_right_checksum_only(begun: Unfinished) -> None:
    for tile in range(4):
        (begun.store / str(tile)).write_bytes(bytes(100 + tile))
        assert begun.note(tile, begun.store / str(tile)) == 100 + tile
    assert begun.written() == {0: 100, 1: 101, 2: 102, 3: 103}
    (begun.store / "1").unlink()
    (begun.store / "2").write_bytes(b"\x01" + bytes(101))
    with (begun.folder / "journal.jsonl").open("a") as journal:
        journal.write('[0, "0"')
    assert begun.written() == {0: 100, 3: 103}


def test_a_tile_that_was_written_again_counts_as_it_is_now(begun: Unfinished) -> None:
    for content in (b"first", b"second one"):
        (begun.store / "0").write_bytes(content)
        begun.note(0, begun.store / "0")
    assert begun.written() == {0: 10}


def test_without_a_plan_there_is_no_conversion(tmp_path: Path) -> None:
    place = Unfinished(tmp_path / "a.zarr")
    with place.claimed():
        place.begin()
    assert not place.folder.exists()
    assert place.plan() is None
    refuse_unfinished(str(place.target))


def test_target_and_folder_are_refused_while_it_goes_on(begun: Unfinished) -> None:
    for path in (begun.target, begun.folder, f"{begun.folder}/"):
        with pytest.raises(ReadError, match=r"a\.zarr --resume"):
            refuse_unfinished(str(path))
    begun.target.mkdir()
    refuse_unfinished(str(begun.target))  # what is there already can be read


@pytest.mark.parametrize("old", ["nothing", "file", "folder"])
@pytest.mark.parametrize("new", ["file", "folder"])
def test_the_new_takes_the_place_of_the_old(begun: Unfinished, old: str, new: str) -> None:
    product = begun.store / "product"
    for kind, path, text in ((old, begun.target, "old"), (new, product, "new")):
        if kind == "folder":
            path.mkdir()
            (path / "x").write_text(text)
        elif kind == "file":
            path.write_text(text)
    with begun.claimed():
        begun.place(product)
    found = begun.target / "x" if new == "folder" else begun.target
    assert found.read_text() == "new"
    assert [path.name for path in begun.target.parent.iterdir()] == ["a.zarr"]


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError("Can't write data (file write failed: errno = 28, error message = 'x')"), True),
        (RuntimeError("unable to flush (No space left on device)"), True),
        (OSError(errno.EIO, "Input/output error"), False),
        (ValueError("No space left on device"), False),
    ],
)
def test_a_full_disk_is_told_from_other_errors(error: Exception, full: bool) -> None:
    assert is_full(error) is full
