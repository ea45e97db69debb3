"""docs/reference/bundle.md says where everything lies, and it lies there."""

from __future__ import annotations

import re
from pathlib import Path

import h5py

GOLDEN = Path(__file__).parents[2] / "golden" / "bundle-v1.nxs"
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "bundle.md"


def documented() -> tuple[set[str], set[str]]:
    """Return the paths of the table and the paths anywhere on the page."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `/entry")]
    return {path for row in rows for path in re.findall(r"`(/entry[\w/]+)`", row)}, set(
        re.findall(r"(/entry[\w/]+)", text)
    )


def test_every_documented_path_exists() -> None:
    table, _ = documented()
    assert len(table) > 20
    with h5py.File(GOLDEN) as file:
        absent = {path for path in table if path not in file}
    assert absent == {"/entry/extras/mean_pattern"}  # the golden file has another image there


def test_every_dataset_is_documented() -> None:
    _, known = documented()
    told = PAGE.read_text(encoding="utf-8")
    with h5py.File(GOLDEN) as file:
        found: list[h5py.Dataset] = []
        file.visititems(lambda _, node: found.append(node) if isinstance(node, h5py.Dataset) else None)
        for dataset in found:
            folder, name = dataset.name.rsplit("/", 1)
            is_axis = "axis_name" in dataset.attrs or name in ("component", "group", "sweep")
            is_type = name == "type"
            is_column = folder == "/entry/particles/table" and f"`{name}`" in told
            is_extra = folder in ("/entry/extras", "/entry/arrays")
            assert dataset.name in known or is_axis or is_type or is_column or is_extra, dataset.name
