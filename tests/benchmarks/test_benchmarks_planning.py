"""The benchmark of plans: what it simulates, how it counts, that it finds the calibration that made its data."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import planning
import pytest

from unmixel.lab.planning_forecast import SHIPPED, margins
from unmixel.lab.planning_simulation import layout
from unmixel.physics.detection import Calibration


def book_of(keys: list[str], found: float) -> dict[str, Any]:
    """Return records of ten crystals each, of which a share is found; the others fail by one of the two."""
    n = round(10 * found)
    one = {"cosine": [0.9] * 10, "pearson": [0.9] * n + [0.5] * (10 - n), "cpu_s": 1.0}
    return dict.fromkeys(keys, one)


def test_table_and_figure_of_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = [f"yardstick|zone|6|{dose}|{seed}" for dose in (300, 30000) for seed in (1, 2)]
    book = book_of(keys[:2], 0.0) | book_of(keys[2:], 1.0)
    (tmp_path / "book.json").write_text(json.dumps(book))
    words = [
        "--only-show",
        "--seeds",
        "1",
        "2",
        "3",
        "--diameters",
        "6",
        "--out",
        str(tmp_path / "book.json"),
    ]
    assert planning.main([*words, "--figure", str(tmp_path / "planning.png")]) == 0
    told = capsys.readouterr().out
    assert re.search(r"\| 6 nm \| 300 \| 0\.0\d .* \| 0\.00 \| 0 of 20 \| yes \|", told)
    assert re.search(r"\| 6 nm \| 30,000 \| 0\.98 .* \| 1\.00 \| 20 of 20 \| yes \|", told)
    assert "2 of 2 agree" in told
    assert (tmp_path / "planning.png").read_bytes().startswith(b"\x89PNG")


def test_a_prediction_that_fails_is_told() -> None:
    asked = planning.parse(["--seeds", "1", "--diameters", "6", "--doses", "30000"])
    (row,) = planning.rows(book_of(["yardstick|zone|6|30000|1"], 0.1), asked)
    assert not row["agrees"]
    assert "| no |" in planning.show([row])


@pytest.mark.slow
def test_calibration_finds_what_made_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    doses = ["300", "1000", "2000", "3000", "5000", "9000"]
    words = ["--seeds", "1", "2", "3", "4", "--diameters", "6", "9", "--doses", *doses]
    asked, made, book = planning.parse(words), Calibration(1.7, 0.15, 0.0, 0.0), {}
    random = np.random.default_rng(0)
    for setup, orientations, diameter, dose, seed in planning.cells(asked):
        sample, microscope = planning.sample_of(orientations, diameter), planning.setup_of(setup)
        side, n = layout(sample, microscope)
        keys = {"scan": (side, side), "precipitates": n, "dose": dose, "seed": seed}
        over = np.log(margins(sample, microscope, **keys) * SHIPPED.excess / made.excess)
        good = over + made.spread * random.standard_normal(n) > 0
        record = {"cosine": np.where(good, 0.9, 0.1).tolist(), "pearson": [0.9] * n}
        book[f"{setup}|{orientations}|{diameter:g}|{dose:g}|{seed}"] = record
    planning.calibrate(book, asked)
    told = capsys.readouterr().out
    excess, spread = (float(re.search(rf"{word} ([\d.]+)", told)[1]) for word in ("excess", "spread"))  # type: ignore[index]
    assert math.log(excess / made.excess) == pytest.approx(0, abs=0.1)
    assert spread < 0.3
