"""The hash of the code tells every change of a source, of unmixel and of foreign plug-ins, and nothing else."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unmixel.core import registry
from unmixel.pipeline import code as module
from unmixel.pipeline.code import code, described, sources, used
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.schema import Code
from unmixel.pipeline.stages import read

STEP = """
from dataclasses import dataclass


@dataclass(frozen=True)
class Nothing:
    name = "nothing"

    def apply(self, scan):
        return scan
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of somebody else with a step, as pip would install it."""
    package = tmp_path / "site" / "strangers_step"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STEP)
    (package / "table.csv").write_text("1,2\n")
    info = tmp_path / "site" / "strangers_step-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers-step\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text("[unmixel.steps]\nnothing = strangers_step:Nothing\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    forget()
    yield package
    sys.modules.pop("strangers_step", None)
    monkeypatch.undo()
    forget()


def forget() -> None:
    registry._group.cache_clear()
    sources.cache_clear()
    importlib.invalidate_caches()


def test_unmixel_is_hashed_whole() -> None:
    found = sources("unmixel.pipeline.code")
    root = Path(module.__file__).parents[1]
    files = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert found["files"] == len(files)
    assert found == sources("unmixel")
    Code.model_validate(code(Recipe()))


def test_any_change_of_a_foreign_package_is_told(foreign: Path) -> None:
    recipe = Recipe.from_dict({"prepare": [{"nothing": {}}]})
    first = code(recipe)["plugins"]
    assert set(first) == {"steps:nothing"}
    one = first["steps:nothing"]
    assert (one["distribution"], one["version"], one["files"]) == ("strangers-step", "2.5", 2)
    Code.model_validate(code(recipe))
    seen = {one["sha256"]}
    changes: tuple[Any, ...] = (
        lambda: (foreign / "__init__.py").write_text(STEP + "\n"),
        lambda: (foreign / "table.csv").write_text("1,3\n"),
        lambda: (foreign / "table.csv").rename(foreign / "other.csv"),
        lambda: (foreign / "deep").mkdir() or (foreign / "deep" / "x.py").write_text(""),
    )
    for change in changes:
        change()
        sources.cache_clear()
        seen.add(described("steps", "nothing")["sha256"])
    assert len(seen) == len(changes) + 1


def test_compiled_files_and_the_place_do_not_matter(foreign: Path, tmp_path: Path) -> None:
    wanted = described("steps", "nothing")
    (foreign / "__pycache__").mkdir(exist_ok=True)
    (foreign / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"x")
    (foreign / "x.pyc").write_bytes(b"x")
    sources.cache_clear()
    assert described("steps", "nothing") == wanted


def test_a_plug_in_that_is_one_file(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "site" / "lonely_module.py").write_text("x = 1\n")
    found = sources("lonely_module")
    assert found["files"] == 1
    (tmp_path / "site" / "lonely_module.py").write_text("x = 2\n")
    sources.cache_clear()
    assert sources("lonely_module")["sha256"] != found["sha256"]


def test_everything_that_a_recipe_runs_is_looked_at() -> None:
    recipe = Recipe.from_dict(
        {
            "prepare": [{"center": {}}],
            "factorize": {
                "constraints": [{"sparse": {}}],
                "refine": [{"merge": {}}],
                "loss": "kl",
                "start": "random",
            },
            "interpret": {"group": {"spectrum": {}}},
        }
    )
    assert set(used(recipe, "npz")) == {
        ("steps", "center"), ("constraints", "sparse"), ("refinements", "merge"), ("losses", "kl"),
        ("solvers", "auto"), ("starts", "random"), ("engines", "numpy"), ("clusterers", "spectrum"), ("readers", "npz"),
    }  # fmt: skip
    assert ("readers", "none") not in set(used(recipe, "none"))


def test_the_reader_of_a_file_is_known_by_its_first_word(file: Path) -> None:
    reader = read(str(file), Recipe().read).source.reader
    assert ("readers", reader.split(" ")[0]) in set(used(Recipe(), reader.split(" ")[0]))
