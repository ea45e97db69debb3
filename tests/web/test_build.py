"""A rebuild from the sources gives the shipped assets, byte for byte; the page's own tests pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT, call

pytestmark = pytest.mark.slow

ASSETS = ROOT / "src" / "unmixel" / "web" / "assets"


def test_rebuild_gives_the_same_bytes_and_its_tests_pass(sources: Path) -> None:
    call("npm", "test", cwd=sources)
    call("npm", "run", "build", cwd=sources)
    built = sources.parent / "src" / "unmixel" / "web" / "assets"
    assert sorted(path.name for path in built.iterdir()) == sorted(path.name for path in ASSETS.iterdir())
    for path in built.iterdir():
        assert path.read_bytes() == (ASSETS / path.name).read_bytes(), f"{path.name}: make web"
