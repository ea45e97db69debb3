"""A run in the formats of others: each whole or not at all, and none tells who ran it, where, or from which folder."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import unmixel
from unmixel.core import registry
from unmixel.core.errors import InputError, MissingExtraError, PluginError, ReadError, RunExistsError
from unmixel.dataset.card import CardRow, DataCard
from unmixel.io.pieces import pieces
from unmixel.io.store import read_array, write_bundle
from unmixel.pipeline import export as module
from unmixel.pipeline import stages
from unmixel.pipeline.export import export
from unmixel.pipeline.parcel import packed
from unmixel.pipeline.recipe import Recipe
from unmixel.testing.exporters import ABOUT
from unmixel.testing.results import example_result


class Text:
    """Writes one line."""

    name: ClassVar[str] = "text"
    suffix: ClassVar[str] = ".txt"

    def write(self, parcel: Any, target: Path) -> None:
        target.write_text(parcel.name)

    def check(self, target: Path) -> tuple[str, ...]:
        return ("the line is short",)


class Folder(Text):
    name: ClassVar[str] = "folder"
    suffix: ClassVar[str] = ""

    def write(self, parcel: Any, target: Path) -> None:
        target.mkdir()
        (target / "a.txt").write_text(parcel.name)

    def check(self, target: Path) -> tuple[str, ...]:
        return ()


class Poor(Text):
    name: ClassVar[str] = "poor"

    def write(self, parcel: Any, target: Path) -> None:
        target.write_text("half of it")
        raise MissingExtraError("gold", extra="gold", purpose="Writing it")


class Unjudged(Folder):
    name: ClassVar[str] = "unjudged"

    def check(self, target: Path) -> tuple[str, ...]:
        raise MissingExtraError("judge", extra="law", purpose="Checking it")


class Broken(Text):
    name: ClassVar[str] = "broken"

    def write(self, parcel: Any, target: Path) -> None:
        target.mkdir()
        (target / "half").touch()
        raise ZeroDivisionError("a fault of ours")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_page: None) -> Path:
    """Have these exporters only, and a run folder; return it."""
    kinds = {kind.name: kind for kind in (Text, Folder, Poor, Unjudged, Broken)}
    load = registry.load
    monkeypatch.setattr(
        registry, "load", lambda group, name: kinds[name] if group == "exporters" else load(group, name)
    )
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mgo.run"
    folder.mkdir()
    write_bundle(folder / "result.nxs", example_result())
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_format_is_written_beside_the_others(made: Path) -> None:
    done = export(made, "text,folder")
    assert [(one.format, one.path, one.findings, one.error) for one in done] == [
        ("text", Path("mgo.export/mgo.txt"), None, ""),
        ("folder", Path("mgo.export/mgo-folder"), None, ""),
    ]
    assert done[0].path.read_text() == "mgo"
    assert names(Path("mgo.export")) == ["mgo-folder", "mgo.txt"]


def test_formats_come_as_a_list_and_each_once(made: Path, tmp_path: Path) -> None:
    done = export(str(made), ["folder", "text, folder"], out=tmp_path / "deep" / "out")
    assert [one.format for one in done] == ["folder", "text"]
    assert names(tmp_path / "deep" / "out") == ["mgo-folder", "mgo.txt"]


def test_a_result_without_folder_is_called_as_its_scan(made: Path) -> None:
    (done,) = export(example_result(path="/data/cu on mgo.zspy"), "text")
    assert done.path == Path("cu-on-mgo.export/cu-on-mgo.txt")


def test_what_one_format_lacks_the_others_do_not_pay_for(made: Path) -> None:
    done = export(made, "poor,text,unjudged", check=True)
    assert 'pip install "unmixel[gold]"' in done[0].error
    assert done[1].findings == ("the line is short",)
    assert done[2].findings is None
    assert "unmixel[law]" in done[2].unchecked
    assert names(Path("mgo.export")) == ["mgo-unjudged", "mgo.txt"]


def test_a_fault_leaves_no_half_of_an_export(made: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        export(made, "folder,broken")
    assert names(Path("mgo.export")) == ["mgo-folder"]


def test_nothing_is_overwritten_unasked(made: Path) -> None:
    export(made, "folder")
    mark = Path("mgo.export/mgo-folder/mine.txt")
    mark.touch()
    with pytest.raises(RunExistsError, match=r"holds mgo-folder already.*--force"):
        export(made, "text,folder")
    assert mark.exists()
    assert not Path("mgo.export/mgo.txt").exists()  # nothing was written
    export(made, "text,folder", force=True)
    assert names(Path("mgo.export/mgo-folder")) == ["a.txt"]


def test_where_a_file_is_no_folder_can_be(made: Path) -> None:
    Path("out").touch()
    with pytest.raises(RunExistsError, match="is a file"):
        export(made, "text", out="out")


def test_wrong_words_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="Did you mean 'hspy'"):
        export(tmp_path, "csv,hsyp")
    with pytest.raises(InputError, match="csv, emd, hspy"):
        export(tmp_path, ", ")
    with pytest.raises(ReadError, match="run folder"):
        export(tmp_path, "csv")
    assert names(tmp_path) == []


def test_the_verb_is_public() -> None:
    assert unmixel.export is module.export


@pytest.mark.usefixtures("no_page")
def test_a_parcel_holds_the_files_of_a_run_and_they_are_read_back(tmp_path: Path) -> None:
    result = example_result(path="/home/ottilie/scans/mgo.zspy")
    parcel = packed(result, "mgo", tmp_path)
    assert not names(tmp_path), "nothing is written, and no report drawn, before somebody asks"
    assert parcel.folder == tmp_path
    assert {"result.nxs", "recipe.yaml", "record.json", "report.html", "components.csv"} <= set(
        names(tmp_path)
    )
    assert {"particles.csv", "phases.csv", "orientations.ang", "orientations.ctf"} <= set(names(tmp_path))
    again = unmixel.load(tmp_path)
    np.testing.assert_array_equal(again.maps, result.maps)
    assert again.record == dict(parcel.result.record)
    assert parcel.result.record["input"]["path"] == "mgo.zspy"
    assert Recipe.load(tmp_path / "recipe.yaml").digest() == Recipe.from_dict(dict(result.recipe)).digest()


@pytest.mark.usefixtures("no_page")
def test_arrays_of_the_recipe_go_with_it(tmp_path: Path, scan: Any, quick: dict[str, Any]) -> None:
    image = np.ones((21, 18))
    image[:3] = 0
    quick["prepare"] = [{"mask_image": {"image": image}}]
    result = unmixel.run(scan, quick, out=tmp_path / "a.run")
    (tmp_path / "parcel").mkdir()
    folder = packed(result, "a", tmp_path / "parcel").folder
    recipe = Recipe.load(folder / "recipe.yaml")
    (name,) = recipe.arrays()
    np.testing.assert_array_equal(read_array(folder / "result.nxs", f"entry/arrays/{name}"), image)


USER, HOST, PLACE = "ottilie-planted", "planted-host-77", "attic-of-ottilie"


@pytest.fixture
def planted_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: dict[str, Any]) -> Path:
    """Return the folder of a run whose record tells a user, a host and whole paths."""
    for key in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(key, USER)
    monkeypatch.setenv("HOSTNAME", HOST)
    monkeypatch.setattr("getpass.getuser", lambda: USER)
    monkeypatch.setattr("os.getlogin", lambda: USER)
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)
    monkeypatch.setattr("platform.node", lambda: HOST)
    folder = tmp_path / "home" / USER / PLACE
    folder.mkdir(parents=True)
    data = np.random.default_rng(2).poisson(3.0, (9, 11, 14, 13)).astype(np.uint16)
    axes = [{"name": name, "scale": 0.5, "offset": 0.0, "unit": "nm"} for name in "yx"]
    axes += [{"name": name, "scale": 0.1, "offset": -0.7, "unit": "1/angstrom"} for name in "vu"]
    np.savez(folder / "scan.npz", data=data, axes=np.array(json.dumps(axes)))
    monkeypatch.chdir(folder)
    result = unmixel.run(folder / "scan.npz", quick, out=folder / "scan.run")
    # as runs of earlier versions have it
    record = {
        **result.record,
        "input": {**result.record["input"], "path": str(folder / "scan.npz"), "notes": [f"read on {HOST}"]},
        "command": f"unmixel run {folder}/scan.npz --recipe {folder}/quick.yaml  # {USER}@{HOST}",
        "operator": USER,
    }
    card = DataCard(
        f"{folder}/scan.npz", (CardRow("operator", USER), CardRow("file", str(folder / "scan.npz")))
    )
    recipe = {**result.recipe, "note": f"by {USER} from {folder}/scan.npz"}
    planted = replace(result, record=record, card=card, recipe=recipe)
    write_bundle(folder / "scan.run" / "result.nxs", planted)
    (folder / "scan.run" / "record.json").write_text(json.dumps(record))
    return folder / "scan.run"


def leaks(folder: Path, tmp_path: Path) -> list[str]:
    secrets = [USER, HOST, PLACE, str(tmp_path), str(Path.cwd())]
    return [
        f"{secret} in {name}"
        for name, data in pieces(folder)
        for secret in secrets
        if secret.encode() in data or secret.encode("utf-16-le") in data or secret in name
    ]


@pytest.mark.filterwarnings("default")  # libraries of other formats warn about one another
def test_no_export_tells_a_user_a_host_or_a_path(planted_run: Path, tmp_path: Path) -> None:
    assert leaks(planted_run, tmp_path), "the run itself tells them: otherwise this test could not fail"
    done = export(planted_run, registry.names("exporters"), out=tmp_path / "out", about=ABOUT)
    wanting = {
        one.format: one.error for one in done if "which is not installed" not in one.error and one.error
    }
    assert wanting == {}
    written = {one.format for one in done if not one.error}
    assert written >= {"csv", "emd", "hspy", "nxs", "tiff", "zspy"}
    assert leaks(tmp_path / "out", tmp_path) == []
    assert np.isfinite(unmixel.load(planted_run).maps).all()  # the run stays as it was
    assert leaks(planted_run, tmp_path)


@pytest.mark.usefixtures("no_page")
def test_names_stay_where_that_is_asked_for(planted_run: Path, tmp_path: Path) -> None:
    export(planted_run, "emd,hspy", out=tmp_path / "out", keep_names=True)
    found = leaks(tmp_path / "out", tmp_path)
    assert any(str(tmp_path) in leak and "scan.emd" in leak for leak in found)
    assert any(USER in leak and "scan.hspy" in leak for leak in found)


def test_the_report_of_a_parcel_is_that_of_the_private_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(stages, "report", lambda result, path: shown.append(result))
    _ = packed(example_result(path="/home/ottilie/scans/mgo.zspy"), "mgo", tmp_path).folder
    assert "ottilie" not in str(shown[0].record)
