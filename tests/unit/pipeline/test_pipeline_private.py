"""What a run leaves behind tells nobody who made it, on which machine and where; and it can be made again."""

from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unmixel
from unmixel.pipeline import stages
from unmixel.pipeline.run import resume, run

MGO = Path(__file__).parents[3] / "examples" / "data" / "MgO.cif"


@pytest.fixture
def home(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of Zoe Quist on lab-pc7, with a scan in two folders and a CIF file."""
    place = tmp_path / "home" / "zoequist"
    (place / "scans of may").mkdir(parents=True)
    (place / "cells").mkdir()
    (place / "scans of june").mkdir()
    shutil.copy(file, place / "scans of june" / "scan.npz")
    file.rename(place / "scans of may" / "scan.npz")
    shutil.copy(MGO, place / "cells" / "MgO.cif")
    monkeypatch.setattr(platform, "node", lambda: "lab-pc7")
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, "zoequist")
    monkeypatch.setattr(Path, "home", lambda: place)
    monkeypatch.chdir(place)
    return place


@pytest.fixture(autouse=True)
def _tell_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that holds everything it is given."""
    monkeypatch.setattr(stages, "report", lambda result, path: path.write_text(f"{result}"))


def telling(home: Path) -> tuple[bytes, ...]:
    parts = (str(home), str(home.parent), str(home.resolve()), "zoequist", "lab-pc7", "scans of june")
    return tuple(part.encode() for part in parts)


def assert_tells_nothing(folder: Path, home: Path, *, but: tuple[str, ...] = ()) -> None:
    for member in folder.iterdir():
        if member.name not in but:
            content = member.read_bytes().lower()
            assert [part for part in telling(home) if part.lower() in content] == [], member.name


def command_of(home: Path) -> str:
    return f"unmixel run '{home}/scans of june/scan.npz' --cif {home}/cells/MgO.cif --out zoequist.run"


def test_no_file_of_a_run_tells_who_and_where(home: Path, quick: Any) -> None:
    quick["interpret"]["identify"] = {"candidates": [str(home / "cells" / "MgO.cif")]}
    out = home / "runs" / "o"
    result = run(home / "scans of june" / "scan.npz", quick, out=out, command=command_of(home))
    assert "candidates/" not in json.dumps(dict(result.recipe))
    assert_tells_nothing(out, home)
    assert result.record["input"]["path"] == "scan.npz"
    assert result.record["command"] == "unmixel run 'scan.npz' --cif MgO.cif --out [user].run"
    assert result.folder == out
    assert "../../cells/MgO.cif" in (out / "recipe.yaml").read_text()
    again = run(home / "scans of june" / "scan.npz", out / "recipe.yaml", out=home / "runs" / "again")
    np.testing.assert_array_equal(again.maps, result.maps)
    assert again.record["identity"] == result.record["identity"]


def test_an_unfinished_run_finds_its_input_again_from_anywhere(
    home: Path, quick: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stops:
        def stage(self, name: str) -> None:
            """Hear of nothing."""

        note = stage

        def sweep(self, sweep: int, limit: int, objective: float) -> None:
            if sweep == 3:
                raise KeyboardInterrupt

    out = home / "runs" / "o"
    with pytest.raises(KeyboardInterrupt):
        run("scans of may/scan.npz", quick, out=out, progress=Stops(), command=command_of(home))
    assert_tells_nothing(out, home, but=("resume.json",))
    assert (
        json.loads((out / "record.json").read_text())["input"]["path"] == "scans of may/scan.npz"
    )  # as typed
    monkeypatch.chdir(tmp_path)
    found = resume(out)
    assert found.record["status"] == "finished"
    assert found.record["command"] == "unmixel run 'scan.npz' --cif MgO.cif --out [user].run"
    assert_tells_nothing(out, home)
    assert not (out / "resume.json").exists()


def test_errors_in_records_are_private_too(home: Path, quick: Any) -> None:
    class Fails:
        def stage(self, name: str) -> None:
            if name == "judge":
                raise ArithmeticError(f"zoequist on lab-pc7 has no luck with {home}/scans of june/scan.npz")

        def sweep(self, *_: Any) -> None:
            """Hear of nothing."""

        note = stage

    out = home / "runs" / "o"
    with pytest.raises(ArithmeticError):
        run(home / "scans of june" / "scan.npz", quick, out=out, progress=Fails(), command=command_of(home))
    assert_tells_nothing(out, home, but=("resume.json",))
    loaded = unmixel.load(out)
    assert loaded.record["error"] == "ArithmeticError: [user] on [host] has no luck with scan.npz"
