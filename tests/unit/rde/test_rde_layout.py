"""A parcel in RDE's folders: everything that a result has, nothing that it has not."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unmixel.core.errors import MissingExtraError
from unmixel.pipeline import stages
from unmixel.rde import layout
from unmixel.rde.exporter import RdeExporter
from unmixel.rde.images import other_pictures, thumbnail
from unmixel.rde.layout import Folders, lay_out
from unmixel.testing.exporters import EXAMPLES, Parcels
from unmixel.testing.results import example_result


@pytest.fixture(scope="module")
def parcels() -> Iterator[Parcels]:
    with Parcels() as found, pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            stages, "report", lambda result, path: path.write_text("page")
        )  # tested beside its code
        yield found


@pytest.fixture(scope="module")
def laid_out(parcels: Parcels, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    folders = Folders.under(tmp_path_factory.mktemp("rde"))
    lay_out(parcels.of("whole"), folders)
    return folders


def test_everything_of_the_parcel_is_structured(parcels: Parcels, laid_out: Folders) -> None:
    parcel, folders = parcels.of("whole"), laid_out
    there = {file.name for file in parcel.folder.iterdir()}
    assert {file.name for file in folders.structured.iterdir()} == there
    for name in there:
        assert (folders.structured / name).read_bytes() == (parcel.folder / name).read_bytes()
    for folder in (folders.main_image, folders.thumbnail, folders.meta):
        assert len(list(folder.iterdir())) == 1
    for file in folders.other_image.iterdir():
        with Image.open(file) as picture:
            assert min(picture.size) > 100, file


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_small_picture_has_one_size_and_shows_something(example: str) -> None:
    with Image.open(io.BytesIO(thumbnail(example_result(**EXAMPLES[example])))) as picture:
        assert picture.size == (640, 480)
        assert np.ptp(np.asarray(picture.convert("L"))) > 100


def test_pictures_are_drawn_of_what_is_there_only(laid_out: Folders) -> None:
    bare = dict(other_pictures(example_result(whole=False)))
    whole = {file.stem.removeprefix("sample_") for file in laid_out.other_image.iterdir()}
    assert not {"groups", "dendrogram", "particles", "orientations"} & set(bare)
    assert {"groups", "dendrogram", "particles", "orientations"} <= whole


def test_an_export_names_the_raw_data_and_does_not_carry_them(
    parcels: Parcels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "other_pictures", lambda result: [])
    RdeExporter().write(parcels.of("whole"), tmp_path / "rde")
    raw = list((tmp_path / "rde/raw").iterdir())
    assert [file.name for file in raw] == ["input.json"]
    told = json.loads(raw[0].read_text())
    assert told == json.loads(json.dumps(dict(parcels.of("whole").result.record["input"])))
    assert (tmp_path / "rde/tasksupport/metadata-def.json").is_file()


def test_the_judge_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "rdetoolkit", None)
    monkeypatch.setitem(sys.modules, "rdetoolkit.cmd.validate", None)
    with pytest.raises(MissingExtraError, match=r"unmixel\[fair\]"):
        RdeExporter().check(tmp_path)
