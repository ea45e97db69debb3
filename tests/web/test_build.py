"""A rebuild from the sources gives the shipped assets, byte for byte; the page's own tests pass."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "src" / "unmixel" / "web" / "assets"


def call(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rebuild_gives_the_same_bytes_and_its_tests_pass(tmp_path):
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no node here: the digests of the manifest are checked all the same")
    web = tmp_path / "web"
    shutil.copytree(ROOT / "web", web, ignore=shutil.ignore_patterns("node_modules", "schema.ts"))
    call(npm, "ci", cwd=web)
    call(npm, "test", cwd=web)
    call(npm, "run", "build", cwd=web)
    built = tmp_path / "src" / "unmixel" / "web" / "assets"
    assert sorted(path.name for path in built.iterdir()) == sorted(path.name for path in ASSETS.iterdir())
    for path in built.iterdir():
        assert path.read_bytes() == (ASSETS / path.name).read_bytes(), f"{path.name}: make web"
