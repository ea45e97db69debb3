"""docs/reference/bundle.md says where everything lies: everything that it says is there, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from whole_result import whole

from unmixel.io.store import SCHEMA, write_bundle

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "bundle.md"
COUNTING = ("component", "group", "peak", "sweep")
OF_NEXUS = {"NX_class", "signal", "axes", "title", "default"}
OF_ARRAYS = {"units", "long_name", "interpretation", "columns", "parameters"}


def documented() -> dict[str, tuple[str, str]]:
    """Return shape and meaning by path, as the table of the page has them."""
    rows = re.findall(
        r"^\| `(/entry[\w/]*)` \| ([^|]+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len({path for path, *_ in rows}) == len(rows), "a path is there twice"
    return {path: (shape, meaning) for path, shape, meaning in rows}


def numbered(path: str) -> str:
    """Return a path with N and M in place of its numbers, NAME in place of free names."""
    path = re.sub(r"/(step|group)_\d+", r"/\1_N", path)
    path = re.sub(r"/(match|places|rings)_\d+", r"/\1_M", path)
    return re.sub(r"^/entry/(arrays|extras)/.*", r"/entry/\1/NAME", path)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, h5py.HLObject]:
    """Every group and dataset of a bundle with one of everything."""
    path = tmp_path_factory.mktemp("bundle") / "r.nxs"
    write_bundle(path, whole(), arrays={"constraints.0.pinned.values": np.ones(3)})
    nodes: dict[str, h5py.HLObject] = {}
    h5py.File(path).visititems(lambda name, node: nodes.update({f"/{name}": node}))
    return nodes


def is_axis(node: h5py.Dataset) -> bool:
    folder, name = node.name.rsplit("/", 1)
    names = node.parent.attrs.get("axes", ())
    return "axis_name" in node.attrs or (name in COUNTING and name in names and folder != "/entry")


def test_every_array_is_documented_and_every_documented_array_is_there(
    stored: dict[str, h5py.HLObject],
) -> None:
    found = {
        numbered(path)
        for path, node in stored.items()
        if isinstance(node, h5py.Dataset) and not is_axis(node) and not path.endswith("/type")
    }
    told = {path for path, (shape, _) in documented().items() if shape != "group"}
    assert found - told == set()
    assert told - found == set()


def test_dimensions_are_as_documented(stored: dict[str, h5py.HLObject]) -> None:
    for path, node in stored.items():
        shape, _ = documented().get(numbered(path), ("any", ""))
        if isinstance(node, h5py.Dataset) and shape.startswith("("):
            inside = shape.split(" or ")[0].strip("()").rstrip(",")
            n_dimensions = len(inside.split(",")) if inside else 0
            assert node.ndim == n_dimensions, path
        elif isinstance(node, h5py.Dataset) and shape in ("JSON", "text"):
            assert node.shape == (), path


def test_every_attribute_is_documented_and_every_documented_group_has_them(
    stored: dict[str, h5py.HLObject],
) -> None:
    groups = {path: meaning for path, (shape, meaning) in documented().items() if shape == "group"}
    for path, node in stored.items():
        if isinstance(node, h5py.Group):
            own = set(node.attrs) - OF_NEXUS
            assert not own or numbered(path) in groups, f"{path} has {own}"
            told = groups.get(numbered(path), "").partition("ttribute")[2]
            missing = [name for name in own if f"`{name}`" not in told]
            assert not missing, f"{path}: {missing}"
        elif not is_axis(node):
            assert set(node.attrs) <= OF_ARRAYS, path
    for path, meaning in groups.items():
        node = next(node for name, node in stored.items() if numbered(name) == path)
        words = re.findall(
            r"`(\w+)`", re.sub(r"\([^)]*\)", "", meaning.partition("ttribute")[2].partition(":")[0])
        )
        absent = [word for word in words if word not in node.attrs]
        assert not absent, f"{path}: {absent}"


def test_the_page_tells_the_layout_that_is_written() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert f"Layout {SCHEMA}, in the order" in text
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == [str(n) for n in range(1, SCHEMA + 1)]
    assert list(documented()) == sorted(documented())
