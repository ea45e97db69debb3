"""Documentation that runs: every python block, every marked command and every doctest."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT, Block, blocks, pages

import unmixel

LONG = {
    "change-the-recipe", "convert", "keep-track-of-ideas", "live", "look-at-a-scan", "map-orientations",
    "match-every-position", "name-phases", "phantoms", "plan-an-acquisition", "run-on-a-cluster", "share-results",
    "ship-a-plug-in", "try-an-idea", "tune-a-recipe",
}  # fmt: skip
"""Pages of some seconds and more, beside the tutorials, which are whole jobs of some twenty seconds each."""

RUNNABLE = [
    pytest.param(
        page, marks=pytest.mark.slow if "tutorials" in page.parts or page.stem in LONG else (), id=str(page)
    )
    for page in pages()
    if blocks((ROOT / page).read_text())
]


def run_block(block: Block, page: Path, namespace: dict[str, Any]) -> None:
    """Do what one block says, in the current folder."""
    if block.action == "file":
        Path(block.name).parent.mkdir(parents=True, exist_ok=True)
        Path(block.name).write_text(block.text)
    elif block.action == "python":
        padded = "\n" * (block.line - 1) + block.text
        exec(compile(padded, str(page), "exec", dont_inherit=True), namespace)
    else:
        for command in block.text.splitlines():
            words = [sys.executable, "-m", "unmixel", *shlex.split(command, comments=True)[1:]]
            done = subprocess.run(words, capture_output=True, text=True)
            assert done.returncode == 0, f"{page}:{block.line}: {command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", RUNNABLE)
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks((ROOT / page).read_text()):
        run_block(block, page, namespace)


WITH_EXTRAS = {"unmixel.web.widget": "anywidget"}
"""Modules that are a class of an optional package, and which."""


def modules() -> list[str]:
    """Return every module of the package."""
    found = pkgutil.walk_packages(unmixel.__path__, "unmixel.")
    return ["unmixel", *(module.name for module in found if not module.name.endswith("__main__"))]


@pytest.mark.parametrize("name", modules())
def test_docstring_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in WITH_EXTRAS:
        pytest.importorskip(WITH_EXTRAS[name], reason=f"{WITH_EXTRAS[name]} comes with an extra")
    module = importlib.import_module(name)
    monkeypatch.chdir(tmp_path)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=flags)
    report: list[str] = []
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name, extraglobs={}):
        test.globs.setdefault("np", importlib.import_module("numpy"))
        runner.run(test, out=report.append)
    assert not runner.summarize(verbose=False).failed, "".join(report)


@pytest.mark.parametrize("page", pages(), ids=str)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
    missing = [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()]
    assert not missing


def test_blocks_of_a_page_are_found() -> None:
    text = "a\n```python\nx = 1\n```\n<!-- run -->\n```console\n$ unmixel info \\\n  a.hspy\nprinted\n```\n"
    text += "<!-- file: r.yaml -->\n```yaml\na: 1\n```\n<!-- skip: needs a GPU -->\n```python\nboom()\n```\n"
    found = blocks(text)
    assert [(b.action, b.text.strip(), b.name) for b in found] == [
        ("python", "x = 1", ""),
        ("shell", "unmixel info    a.hspy", ""),
        ("file", "a: 1", "r.yaml"),
    ]
    assert found[0].line == 3
