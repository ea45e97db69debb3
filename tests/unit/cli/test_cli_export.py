"""``unmixel export``: what is printed, as words and as JSON, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unmixel.cli.main import app
from unmixel.io.exporters.emd import EmdExporter
from unmixel.io.exporters.tiff import TiffExporter
from unmixel.io.store import write_bundle
from unmixel.pipeline import stages
from unmixel.testing.results import example_result

runner = CliRunner()


@pytest.fixture(autouse=True)
def _run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "report", lambda result, path: path.write_text("page"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNMIXEL_DEBUG", raising=False)
    Path("mgo.run").mkdir()
    write_bundle(Path("mgo.run/result.nxs"), example_result())


def call(*arguments: str) -> Any:
    return runner.invoke(app, ["export", "mgo.run", *arguments])


def test_what_was_written_is_printed() -> None:
    done = call("--to", "csv,tiff", "--out", "out")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == ["csv: out/mgo-csv", "tiff: out/mgo-tiff"]
    assert Path("out/mgo-csv/components.csv").is_file()


def test_the_judges_are_heard() -> None:
    done = call("--to", "csv,tiff", "--check")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "csv: mgo.export/mgo-csv (checked: nothing wrong)"


def test_a_finding_is_printed_and_ends_in_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TiffExporter, "check", lambda self, target: ("too dark", "too small"))
    done = call("--to", "tiff,csv", "--check")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[:3] == [
        "tiff: mgo.export/mgo-tiff (checked: 2 found)",
        "  too dark",
        "  too small",
    ]


def test_a_missing_package_is_told_and_the_rest_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "emdfile", None)
    done = call("--to", "emd,csv", "--check")
    assert done.exit_code == 2
    assert "emd: mgo.export/mgo.emd" in done.stdout  # written, though not checked
    assert "emd: not checked. Checking an .emd file needs the package 'emdfile'" in done.stderr
    assert Path("mgo.export/mgo-csv").is_dir()


def test_what_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from unmixel.core.errors import InputError

    def refuse(self: object, parcel: object, target: Path) -> None:
        raise InputError("result", expected="more", got="less", hint="run again")

    monkeypatch.setattr(EmdExporter, "write", refuse)
    done = call("--to", "emd,csv")
    assert done.exit_code == 2
    assert "emd: not written. result: expected more, got less." in done.stderr
    assert done.stdout == "csv: mgo.export/mgo-csv\n"


def test_json_holds_it_all_and_nothing_else() -> None:
    told = json.loads(call("--to", "csv,emd", "--json").stdout)
    assert [one["format"] for one in told] == ["csv", "emd"]
    assert told[1] == {
        "format": "emd",
        "path": "mgo.export/mgo.emd",
        "findings": None,
        "error": "",
        "unchecked": "",
    }


def test_wrong_names_and_what_is_there_are_refused() -> None:
    done = call("--to", "hsyp")
    assert done.exit_code == 2
    assert "Did you mean 'hspy'? Installed: csv, emd" in done.stderr
    assert call("--to", "csv").exit_code == 0
    done = call("--to", "csv")
    assert done.exit_code == 2
    assert "holds mgo-csv already" in done.stderr
    assert call("--to", "csv", "--force").exit_code == 0


def test_help_lists_the_command() -> None:
    assert "export" in runner.invoke(app, ["--help"]).stdout
    assert call().exit_code == 2  # --to is needed
