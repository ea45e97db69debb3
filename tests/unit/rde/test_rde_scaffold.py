"""The dataset template: what is written, where, and never over what is there."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import unmixel
from unmixel.cli.main import app
from unmixel.core.errors import RunExistsError
from unmixel.rde.fields import blank, schema
from unmixel.rde.metadata import definition
from unmixel.rde.scaffold import contents, init


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_template_has_what_rdetoolkit_looks_for(tmp_path: Path) -> None:
    written = init(tmp_path / "new")
    root = tmp_path / "new"
    assert (
        set(written) == {path for path in root.rglob("*") if path.is_file()} == {root / p for p in contents()}
    )
    for support in (root / "container/data/tasksupport", root / "templates/tasksupport"):
        assert read(support / "metadata-def.json") == definition()
        assert read(support / "invoice.schema.json") == schema()
        system = yaml.safe_load((support / "rdeconfig.yaml").read_text(encoding="utf-8"))["system"]
        assert system["extended_mode"] is None
        assert (system["save_raw"], system["save_nonshared_raw"], system["save_thumbnail_image"]) == (
            True, False, False,
        )  # fmt: skip
    assert read(root / "container/data/invoice/invoice.json") == blank()
    assert (root / "container/data/inputdata").is_dir()


def test_the_container_installs_the_version_that_wrote_it() -> None:
    docker = contents()["container/Dockerfile"].splitlines()
    assert "FROM python:3.11" in docker
    assert f'RUN pip install --no-cache-dir "unmixel[fair]=={unmixel.__version__}"' in docker
    assert not [path for path, text in contents().items() if "@VERSION@" in text]


def test_main_is_python_that_hands_our_callback_over() -> None:
    tree = ast.parse(contents()["container/main.py"])
    imported = {(node.module, name.name) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                for name in node.names}  # fmt: skip
    assert ("unmixel.rde", "dataset") in imported


def test_japanese_is_written_as_it_is() -> None:
    assert "加速電圧" in contents()["templates/tasksupport/metadata-def.json"]


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    with pytest.raises(RunExistsError, match="--force"):
        init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    init(tmp_path, force=True)
    main = tmp_path / "container/main.py"
    main.write_text("changed")
    init(tmp_path, force=True)
    assert main.read_text() == contents()["container/main.py"]
    assert mine.read_text() == "mine"
    with pytest.raises(RunExistsError, match="is a file"):
        init(mine)


def test_the_command_line_writes_it_and_says_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "template"
    done = CliRunner().invoke(app, ["rde", "init", str(folder)])
    assert done.exit_code == 0, done.output
    assert "python main.py" in done.output
    assert (folder / "container/main.py").is_file()
    again = CliRunner().invoke(app, ["rde", "init", str(folder)])
    assert again.exit_code == 2
    assert "--force" in again.output
    assert CliRunner().invoke(app, ["rde", "init", str(folder), "--force"]).exit_code == 0
