"""Facts from a file: YAML as people write it, errors that say which file."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmixel.core.errors import InputError, ReadError
from unmixel.dataset.about import About
from unmixel.io.about import read_about

TEXT = """
title: Glass
measured: 2024-05-02T09:30:00+09:00   # YAML makes moments of these by itself
sample:
  elements: [Zr, Cu]
  prepared: 2024-05-01
"""


def test_moments_that_yaml_understands_stay_as_they_were_said(tmp_path: Path) -> None:
    path = tmp_path / "about.yaml"
    path.write_text(TEXT)
    about = read_about(path)
    assert about.measured == "2024-05-02T09:30:00+09:00"
    assert about.sample.prepared == "2024-05-01"
    assert about.sample.elements == ("Zr", "Cu")


def test_json_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "about.json"
    path.write_text('{"title": "Glass", "authors": [{"name": "Ada"}]}')
    assert read_about(path).authors[0].name == "Ada"


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "about.yaml"
    path.write_text("# nothing yet\n")
    assert read_about(path) == About()


@pytest.mark.parametrize("text", [None, "title: [", b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | bytes | None) -> None:
    path = tmp_path / "about.yaml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ReadError, match=r"about\.yaml"):
        read_about(path)


def test_a_list_is_no_set_of_facts(tmp_path: Path) -> None:
    path = tmp_path / "about.yaml"
    path.write_text("- title\n")
    with pytest.raises(InputError, match="names and values"):
        read_about(path)
