"""The GPU benchmark at a tiny size, on the CPU."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'unmixel[torch]'")

import gpu  # noqa: E402

from unmixel.engines.torch_engine import TorchEngine  # noqa: E402

SHAPE = (16, 17, 15, 18)
TINY = [
    "--device",
    "cpu",
    "--scan",
    "16",
    "17",
    "--detector",
    "15",
    "18",
    "--k",
    "3",
    "--runs",
    "1",
    "--block-mb",
    "0.05",
    "--mean",
    "20",
]


def test_counts_are_planted_at_the_mean_that_was_asked_for() -> None:
    held = gpu.planted(TorchEngine("cpu"), SHAPE, 3, 20.0, 50_000)
    counts = np.concatenate([block.values.numpy() for block in held.blocks])
    assert counts.dtype == np.uint16
    assert counts.shape == (16 * 17, 15 * 18)
    assert counts.mean() == pytest.approx(20.0, rel=0.02)
    np.testing.assert_array_equal(np.concatenate([b.positions for b in held.blocks]), np.arange(16 * 17))


@pytest.mark.parametrize("products", ["float32", "bf16"])
def test_acts_are_measured_against_the_floor(tmp_path: Path, capsys, products: str) -> None:
    out = tmp_path / "results" / "gpu.json"
    assert gpu.main([*TINY, "--products", products, "--out", str(out)]) == 0
    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["blocks"] > 2
    assert record["data_gb"] == pytest.approx(2 * np.prod(SHAPE) / 1e9)
    assert record["read_gb_per_s"] * record["read_s"] == pytest.approx(record["data_gb"])
    assert record["pass of width k"]["passes"] == 1
    assert record["sketch"]["passes"] == 2
    assert record["solve"]["passes"] == 0
    assert record["whole fit"]["passes"] >= 3
    for act in ("pass of width k", "sketch", "solve", "whole fit"):
        assert record[act]["floors"] == pytest.approx(record[act]["s"] / record["read_s"])
    # Poisson noise of 20 counts a pixel, which vary
    assert 0.02 < record["relative_error"] < 0.25
    printed = capsys.readouterr().out
    assert "whole fit" in printed
    assert products in printed
