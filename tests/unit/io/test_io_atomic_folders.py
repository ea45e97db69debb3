"""Files and folders appear whole or not at all, and what was there stays until then."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmixel.io.atomic import replacing


def fill(place: Path, kind: str, text: str) -> None:
    if kind == "file":
        place.write_text(text)
    else:
        (place / "deep").mkdir(parents=True)
        (place / "deep" / "a.txt").write_text(text)


def told(place: Path) -> str:
    return place.read_text() if place.is_file() else (place / "deep" / "a.txt").read_text()


@pytest.mark.parametrize("new", ["file", "folder"])
@pytest.mark.parametrize("old", ["nothing", "file", "folder"])
def test_the_new_one_takes_the_name(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "a.zspy"
    if old != "nothing":
        fill(path, old, "old")
    with replacing(path) as draft:
        assert draft.parent == path.parent
        assert draft.suffix == path.suffix
        fill(draft, new, "new")
    assert told(path) == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("new", ["file", "folder"])
@pytest.mark.parametrize("old", ["nothing", "file", "folder"])
def test_an_error_leaves_what_was_there(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "a.zspy"
    if old != "nothing":
        fill(path, old, "old")

    def fail() -> None:
        with replacing(path) as draft:
            fill(draft, new, "new")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert list(tmp_path.iterdir()) == ([] if old == "nothing" else [path])
    assert old == "nothing" or told(path) == "old"


def test_the_old_folder_comes_back_where_the_new_one_cannot_take_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zspy"
    fill(path, "folder", "old")
    rename = Path.rename

    def picky(self: Path, target: Path) -> Path:
        if "part" in self.name:
            raise PermissionError("not this one")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", picky)
    with pytest.raises(PermissionError), replacing(path) as draft:
        fill(draft, "folder", "new")
    assert told(path) == "old"
    assert list(tmp_path.iterdir()) == [path]
