"""HyperSpy itself opens what `unmixel.convert` writes.

Runs where HyperSpy is installed; `make test-hyperspy` sets up an environment with it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import unmixel
from unmixel.testing.writers import example

hs = pytest.importorskip(
    "hyperspy.api",
    reason="HyperSpy is not installed here; `make test-hyperspy` runs this",
    exc_type=ImportError,
)

# HyperSpy and what it brings warn about one another; that is not ours to mend
pytestmark = pytest.mark.filterwarnings("default")

COUNTS = np.random.default_rng(0).poisson(2.0, (7, 9, 13, 11)).astype(np.float32)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("suffix", [".hspy", ".zspy"])
def test_hyperspy_opens_it(tmp_path: Path, suffix: str, lazy: bool) -> None:
    scan = example(COUNTS, 2)
    unmixel.convert(scan, tmp_path / f"a{suffix}", budget=32 * 12 * 13 * 11 * 4)
    signal = hs.load(tmp_path / f"a{suffix}", lazy=lazy)
    data = np.asarray(signal.data)
    assert data.tobytes() == COUNTS.tobytes()
    assert data.dtype == np.float32
    assert signal.axes_manager.navigation_shape == (9, 7)  # HyperSpy counts x first
    assert signal.axes_manager.signal_shape == (11, 13)
    for ours, axis in zip((*scan.scan_axes, *scan.pattern_axes), signal.axes_manager._axes, strict=True):
        assert (axis.name, axis.scale, axis.offset) == (ours.name, ours.scale, ours.offset)
        assert str(axis.units) == ours.unit
    assert signal.metadata.General.title == scan.original_metadata["metadata"]["General"]["title"]
    numbers = signal.original_metadata.as_dictionary()["array"]
    assert np.array_equal(np.asarray(numbers), scan.original_metadata["original_metadata"]["array"])


@pytest.mark.parametrize("suffix", [".hspy", ".zspy"])
def test_a_signal_that_hyperspy_wrote_comes_back(tmp_path: Path, suffix: str) -> None:
    signal = hs.signals.Signal1D(np.arange(60.0).reshape(3, 4, 5))
    signal.metadata.General.title = "spectra"
    signal.axes_manager[-1].units = "eV"
    signal.save(tmp_path / "s.hspy")
    unmixel.convert(tmp_path / "s.hspy", tmp_path / f"t{suffix}", verify=True)
    back = hs.load(tmp_path / f"t{suffix}")
    assert np.array_equal(back.data, signal.data)
    assert back.metadata.General.title == "spectra"
    assert back.axes_manager.signal_axes[0].units == "eV"
