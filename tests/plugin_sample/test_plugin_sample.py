"""A package from outside adds a constraint by one entry-point line, through the door that built-ins use."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unmixel
from unmixel.core import registry
from unmixel.core.errors import PluginError

HERE = Path(__file__).parent


@pytest.fixture
def frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Install the sample as pip would: its folder and a dist-info with an entry point on sys.path."""
    info = tmp_path / "unmixel_frame-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unmixel-frame\nVersion: 1.0\n")
    lines = (HERE / "pyproject.toml").read_text().splitlines()
    entry = next(line for line in lines if line.startswith("frame ="))
    (info / "entry_points.txt").write_text(f"[unmixel.constraints]\n{entry.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(HERE)
    forget()
    yield registry.load("constraints", "frame")
    sys.modules.pop("unmixel_frame", None)
    monkeypatch.undo()
    forget()


def forget() -> None:
    """Let the registry look at the installed packages anew."""
    registry._group.cache_clear()
    importlib.invalidate_caches()


def test_registry_lists_and_names_the_origin(frame: Any) -> None:
    assert "frame" in registry.names("constraints")
    assert registry.origin("constraints", "frame") == "unmixel-frame 1.0"


def test_it_holds_in_a_fit(frame: Any) -> None:
    rng = np.random.default_rng(0)
    data = rng.poisson(50.0, size=(5, 7, 9, 8)).astype(np.uint16)
    scan = unmixel.Scan.from_array(data)
    free = unmixel.NMF(2, max_iter=5).factorize(scan)
    held = unmixel.NMF(2, constraints=[frame(2)], max_iter=5).factorize(scan)
    rim = np.ones((9, 8), bool)
    rim[2:-2, 2:-2] = False
    assert free.patterns[:, rim].max() > 0
    assert held.patterns[:, rim].max() == 0
    assert (held.patterns[:, ~rim] > 0).mean() > 0.5
    assert held.settings["constraints"][0] == {"name": "frame", "width": 2, "side": "patterns"}


def test_without_the_package_the_message_says_so() -> None:
    with pytest.raises(
        PluginError, match=r"No plug-in 'frame' among the constraints.*Installed: .*resolution"
    ):
        registry.load("constraints", "frame")
