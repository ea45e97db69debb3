"""What is installed is listed without being imported, and laws are checked without being trusted."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from unmixel.core import registry
from unmixel.core.errors import InputError, RunExistsError
from unmixel.lab.new_package import new_package
from unmixel.lab.plugins import Plugin, check, installed, kinds

BAD = """
raise SystemExit("I was imported")
"""

LAWLESS = """
from dataclasses import dataclass
from typing import ClassVar
from unmixel.factorize.constraints.sparse import BoundSparse, Sparse

@dataclass(frozen=True)
class Wrong(Sparse):
    name: ClassVar[str] = "wrong"
    weight: float = 1.0
    @classmethod
    def example(cls, grid):
        return cls(1.0)
    def bind(self, context):
        good = super().bind(context)
        class Grows(BoundSparse):
            def prox(self, z, step):
                return z * 1.5
        return Grows(good.xp, good.weights)
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two packages of other people, as pip would install them."""
    (tmp_path / "bad_module.py").write_text(BAD)
    (tmp_path / "lawless.py").write_text(LAWLESS)
    info = tmp_path / "unmixel_foreign-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unmixel-foreign\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text(
        "[unmixel.constraints]\nbad = bad_module:Bad\nwrong = lawless:Wrong\nsparse = bad_module:Sparse\n"
        "[unmixel.constraint]\nlost = bad_module:Lost\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    registry._group.cache_clear()
    importlib.invalidate_caches()
    yield tmp_path
    monkeypatch.undo()
    registry._group.cache_clear()
    importlib.invalidate_caches()


def named(name: str, kind: str = "constraints", of: str = "unmixel-foreign") -> Plugin:
    return next(one for one in installed() if (one.kind, one.name, one.distribution) == (kind, name, of))


def test_all_are_listed_with_where_they_come_from(foreign: Path) -> None:
    bad = named("bad")
    assert (bad.version, bad.built_in, bad.place, bad.remark) == ("2.5", False, "bad_module:Bad", "")
    assert "bad_module" not in sys.modules
    ours = named("resolution", of="unmixel")
    assert ours.built_in
    assert {one.name for one in installed("constraints") if one.built_in} <= set(
        registry.names("constraints")
    )
    assert installed("constraint") == installed("constraints")


def test_what_nobody_will_find_is_told(foreign: Path) -> None:
    assert "Did you mean 'constraints'?" in named("lost", "constraint").remark
    assert "unmixel has one of the same name" in named("sparse").remark
    assert "constraint" not in kinds()


def test_an_unknown_kind_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'constraints'"):
        installed("constraintss")


def test_a_package_that_cannot_be_imported_does_no_harm(foreign: Path) -> None:
    result = check(named("bad"))
    assert result.word == "failed"
    assert "I was imported" in result.failed


@pytest.mark.slow
def test_laws_are_checked_in_a_process_of_their_own(foreign: Path) -> None:
    kept = check(named("sparse", of="unmixel"))
    assert (kept.word, kept.broken) == ("kept", ())
    assert kept.n_laws > 5
    broken = check(named("wrong"))
    assert broken.word == "broken"
    assert "lawless" not in sys.modules
    for kind, name in (("readers", "npz"), ("starts", "given"), ("writers", "zarr"), ("sources", "file")):
        assert check(replace(kept.plugin, kind=kind, name=name)).word == "kept"
    for kind, name, why in (
        ("readers", "velox", "no file of its format is here"),
        ("engines", "numpy", "no laws of its own"),
        ("sources", "merlin", "nobody here sends"),
    ):
        alone = check(replace(kept.plugin, kind=kind, name=name))
        assert alone.word == "not tried"
        assert why in alone.untried
    assert "longer than 0.01 s" in check(named("wrong"), patience_s=0.01).failed


@pytest.mark.parametrize(
    "name", ["Rim", "unmixel", "-rim", "rim_", "a b", "unmixel-sparse", "sparse", "../rim"]
)
def test_names_that_cannot_be_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        new_package(name, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(RunExistsError):
        new_package("unmixel-rim", tmp_path)
    assert not list(tmp_path.iterdir())


def run_tests(folder: Path, *paths: Path) -> str:
    """Run the tests of a package and return what they print."""
    known = os.pathsep.join([*map(str, paths), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": known, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_tests_of_a_new_package_pass_as_they_are(tmp_path: Path) -> None:
    """Not installed by pip: its folder and a dist-info with its entry point lie on the path."""
    made = new_package("unmixel-two-words", tmp_path / "made")
    info = tmp_path / "site" / "unmixel_two_words-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unmixel-two-words\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[unmixel.constraints]\ntwo_words = unmixel_two_words:TwoWords\n")
    entry = next(line for line in (made / "pyproject.toml").read_text().splitlines() if "TwoWords" in line)
    assert entry == 'two_words = "unmixel_two_words:TwoWords"'
    assert "passed" in run_tests(made, made / "src", info.parent)
    for path in made.rglob("*.py"):
        compile(path.read_text(), str(path), "exec")
        assert "$" not in path.read_text()


@pytest.mark.slow
def test_a_new_package_is_built_and_installed_by_pip(tmp_path: Path) -> None:
    """Really built and installed, without a network: into a folder, with the build backend that is here."""
    pytest.importorskip("hatchling", reason="the build backend: pip install hatchling")
    made = new_package("unmixel-rim", tmp_path / "made")
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
    ]
    done = subprocess.run(
        [*install, "--target", str(site), str(made)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (site / "unmixel_rim" / "__init__.py").is_file()
    assert "passed" in run_tests(made, site)
    listed = subprocess.run(
        [sys.executable, "-m", "unmixel", "plugins", "constraints", "--json"],
        capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(site), *filter(None, sys.path)])},
    )  # fmt: skip
    assert '"unmixel-rim"' in listed.stdout
