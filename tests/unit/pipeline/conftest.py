"""A small scan with known structure, a quick recipe, and a page that costs nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmixel.dataset.scan import Scan
from unmixel.pipeline import stages
from unmixel.pipeline.folder import RunFolder, told
from unmixel.pipeline.schema import Record

QUICK: dict[str, Any] = {
    "extends": "none",
    "factorize": {"components": 3, "max_iter": 12, "sketch_sweeps": 0, "tol": 0.0, "start": "random"},
    "interpret": {"group": {"rotation": {}}, "measure": {}},
}


def counts(scan: tuple[int, ...] = (13, 17), pattern: tuple[int, ...] = (21, 18), k: int = 3) -> Any:
    """Return Poisson counts of k random non-negative components."""
    rng = np.random.default_rng(5)
    maps = rng.gamma(0.5, 60.0, (int(np.prod(scan)), k))
    patterns = rng.gamma(0.3, 1.0, (k, int(np.prod(pattern))))
    patterns /= patterns.sum(axis=1, keepdims=True)
    return rng.poisson(20 * maps @ patterns).astype(np.uint16).reshape(*scan, *pattern)


@pytest.fixture
def scan() -> Scan:
    return Scan.from_array(counts(), scan_step=(1.5, "nm"), pattern_step=(0.05, "1/angstrom"))


@pytest.fixture
def quick() -> dict[str, Any]:
    return json.loads(json.dumps(QUICK))


@pytest.fixture
def file(tmp_path: Path, scan: Scan) -> Path:
    path = tmp_path / "scan.npz"
    axes = [
        {"name": axis.name, "scale": axis.scale, "offset": axis.offset, "unit": axis.unit}
        for axis in (*scan.scan_axes, *scan.pattern_axes)
    ]
    np.savez(path, data=scan.data, axes=np.array(json.dumps(axes)))
    return path


@pytest.fixture(autouse=True)
def _records_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold every record that any run of these tests writes to the model of records."""
    save = RunFolder.save_record

    def checked(self: RunFolder, record: Any) -> None:
        if "started" in record:  # of a run
            Record.model_validate(told(record))
        save(self, record)

    monkeypatch.setattr(RunFolder, "save_record", checked)


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page takes seconds and is tested beside its own code."""
    monkeypatch.setattr(stages, "report", lambda result, path: path.write_text(f"{result.record['status']}"))
