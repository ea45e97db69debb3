"""The data card: every light has a cause that is planted here, and a reason in words."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unmixel.dataset.axes import Axis
from unmixel.dataset.card import CardRow, DataCard
from unmixel.dataset.record import Source
from unmixel.dataset.scan import Instrument, Scan
from unmixel.engines.lazy import wrap
from unmixel.io import card as home
from unmixel.io.card import data_card
from unmixel.io.open import open as open_scan

V, U = np.mgrid[:31, :26]
PATTERN = 2 + 30 * np.exp(-((V - 14) ** 2 + (U - 11) ** 2) / 60)
COUNTS = np.random.default_rng(4).poisson(PATTERN, (13, 29, 31, 26)).astype(np.uint16)


def good(data: np.ndarray = COUNTS, **changes) -> Scan:
    scan = Scan(
        data,
        (Axis("y", 13, scale=2.0, unit="nm"), Axis("x", 29, scale=2.0, unit="nm")),
        (Axis("v", 31, scale=0.02, unit="1/angstrom"), Axis("u", 26, scale=0.02, unit="1/angstrom")),
        instrument=Instrument(voltage_kV=300.0, camera_length_mm=100.0),
        source=Source("folder/scan.hspy", "HyperSpy hspy", "rosetta", "the axes of the file: 13 x 29"),
    )
    return replace(scan, **changes)


def rows(scan: Scan) -> dict[str, CardRow]:
    return {row.label: row for row in data_card(scan).rows}


def test_a_good_scan_is_green_throughout() -> None:
    card = data_card(good())
    assert set(card.values["lights"].values()) == {"green"}
    assert card.title == "scan.hspy"
    assert all(row.reason for row in card.rows if row.light != "none")
    labels = [row.label for row in card.rows]
    assert len(set(labels)) == len(labels)


def test_the_card_is_the_same_lazily() -> None:
    lazy = data_card(good(wrap(COUNTS, (13, 29, 31, 26)))).values["counts"]
    assert lazy["whole"]
    assert lazy["mean"] == pytest.approx(data_card(good()).values["counts"]["mean"], rel=0.02)


def test_values_are_json_and_nan_is_none() -> None:
    plain = json.loads(json.dumps(data_card(good()).to_dict(), allow_nan=False))
    assert plain["values"]["scan_shape"] == [13, 29]
    assert plain["values"]["pattern_shape"] == [31, 26]
    assert plain["values"]["counts"]["saturated_at"] is None
    assert plain["values"]["bytes_needed"] == COUNTS.nbytes
    assert plain["values"]["axes"][3] == {
        "name": "u",
        "size": 26,
        "scale": 0.02,
        "offset": 0.0,
        "unit": "1/angstrom",
    }
    assert plain["values"]["instrument"]["voltage_kV"] == 300.0


def planted(name: str) -> Scan:
    values = COUNTS.astype(np.float32)
    if name == "average":
        values = np.random.default_rng(4).poisson(4 * PATTERN, COUNTS.shape).astype(np.float32) / 4
    elif name == "scaled":
        values = values * np.float32(0.1237)
    elif name == "gain":
        values = values * 20
    elif name == "threshold":
        values[values < 9] = 0
    elif name == "dark level":
        values += 400
    elif name == "nan":
        values[:, :, 3, 3] = np.nan
    elif name == "negative":
        values[:, :, 3, 3] = -7
    elif name == "clipped":
        values = np.minimum(values * 3, 60)
    elif name == "dead":
        values[:, :, 14, 11] = 0
    elif name == "empty":
        values[:] = 0
    return good(values)


@pytest.mark.parametrize(
    ("name", "label", "light", "words"),
    [
        ("average", "Values", "yellow", "averages or binned means instead of sums"),
        ("average", "Noise", "yellow", "averaged"),
        ("scaled", "Values", "yellow", "Not whole numbers"),
        ("gain", "Step of counts", "yellow", "divide by it"),
        ("gain", "Noise", "yellow", "gain"),
        ("threshold", "Threshold", "yellow", "cut to 0"),
        ("dark level", "Dark level", "yellow", "background"),
        ("nan", "Not finite", "red", "Repair or mask"),
        ("negative", "Negative", "red", "never negative"),
        ("clipped", "Saturated", "yellow", "pile up"),
        ("dead", "Dead or hot pixels", "yellow", "repair"),
        ("empty", "Counts", "red", "Every value is 0"),
    ],
)
def test_what_is_wrong_with_the_numbers_is_told(name: str, label: str, light: str, words: str) -> None:
    row = rows(planted(name))[label]
    assert row.light == light
    assert words in row.reason


@pytest.mark.parametrize(
    "label", ["Step of counts", "Threshold", "Dark level", "Not finite", "Negative", "Axes", "Note"]
)
def test_what_is_not_there_has_no_row(label: str) -> None:
    assert label not in rows(good())


def with_axes(
    scan: tuple[float, str] = (2.0, "nm"), pattern: tuple[float, str] = (0.02, "1/angstrom")
) -> Scan:
    base = good()
    return replace(
        base,
        scan_axes=tuple(replace(a, scale=scan[0], unit=scan[1]) for a in base.scan_axes),
        pattern_axes=tuple(replace(a, scale=pattern[0], unit=pattern[1]) for a in base.pattern_axes),
    )


@pytest.mark.parametrize(
    ("scan", "label", "light"),
    [
        (with_axes(scan=(1.0, "px")), "Scan step", "red"),
        (with_axes(scan=(1.0, "nm")), "Scan step", "yellow"),
        (with_axes(scan=(0.1, "eV")), "Axes", "red"),
        (with_axes(pattern=(1.0, "px")), "Detector step", "red"),
        (with_axes(pattern=(0.1, "mrad")), "Detector step", "yellow"),
        (with_axes(pattern=(2.0, "nm")), "Axes", "red"),
        (
            replace(good(), scan_axes=(Axis("y", 13, 2.0, unit="nm"), Axis("x", 29, 3.0, unit="nm"))),
            "Scan step",
            "yellow",
        ),
        (replace(good(), scan_axes=(Axis("y", 13, 2.0, unit="nm"), Axis("x", 29))), "Scan step", "red"),
        (replace(good(), instrument=Instrument()), "Voltage", "yellow"),
    ],
)
def test_what_is_wrong_with_the_calibration_is_told(scan: Scan, label: str, light: str) -> None:
    row = rows(scan)[label]
    assert row.light == light
    assert row.reason


def test_a_doubt_of_the_microscope_is_passed_on() -> None:
    source = replace(good().source, notes=("The microscope says that its scan step is not calibrated.",))
    found = rows(replace(good(), source=source))
    assert found["Scan step"].light == "yellow"
    assert found["Note"].value.startswith("The microscope")


def test_exchanged_axes_are_suspected() -> None:
    turned = np.ascontiguousarray(COUNTS.transpose(2, 3, 0, 1))
    assert "Axes" not in rows(Scan.from_array(COUNTS))
    assert rows(Scan.from_array(turned))["Axes"].light == "yellow"


def test_a_stack_lists_its_possible_shapes(tmp_path: Path) -> None:
    np.save(tmp_path / "stack.npy", np.ones((390, 9, 9), np.uint8))
    card = data_card(open_scan(tmp_path / "stack.npy"))
    row = {row.label: row for row in card.rows}["Scan shape"]
    assert row.light == "red"
    assert "13 x 30 (or 13 x 29 with one flyback column)" in row.reason
    assert "13 x 30 (13 x 29 with one flyback column)" in card.values["scan_shapes_possible"]


def test_a_guess_is_yellow(tmp_path: Path) -> None:
    np.save(tmp_path / "cube.npy", np.ones((13, 29, 40), np.uint8))
    assert rows(open_scan(tmp_path / "cube.npy"))["Scan shape"].light == "yellow"


def test_a_single_pattern_is_no_scan() -> None:
    found = rows(Scan.from_array(COUNTS[0, 0], n_pattern_axes=2))
    assert found["Scan shape"].light == "yellow"
    assert "Scan step" not in found
    assert found["Pixel step"].light == "red"


def test_spectra_have_an_energy_step() -> None:
    found = rows(Scan.from_array(COUNTS[..., 0], pattern_step=(10.0, "eV")))
    assert found["Energy step"].light == "green"
    assert "Detector step" not in found


def test_a_phantom_keeps_its_address_as_title() -> None:
    assert data_card(open_scan("demo:planted?seed=1")).title == "demo:planted?seed=1"


@pytest.mark.parametrize(
    ("free", "light"), [(0, "yellow"), (10**12, "green"), (500_000, "yellow"), (10_000, "red")]
)
def test_memory_needed_against_memory_free(monkeypatch: pytest.MonkeyPatch, free: int, light: str) -> None:
    monkeypatch.setattr(home, "free_memory", lambda: free)
    assert rows(good())["Memory"].light == light


def test_the_instrument_is_shown() -> None:
    found = rows(good(instrument=Instrument(200.0, 115.0, 0.7, 0.001, 30.0)))
    assert [
        found[k].value for k in ("Voltage", "Camera length", "Convergence", "Dwell time", "Beam current")
    ] == [
        "200 kV",
        "115 mm",
        "0.7 mrad",
        "0.001 s",
        "30 pA",
    ]


def test_a_card_loads_no_heavy_library(tmp_path: Path, write_hspy) -> None:
    """dask and h5py read the file; nothing of the analysis is loaded for a card."""
    path = write_hspy(COUNTS)
    code = (
        "import sys; from unmixel.io.open import open; from unmixel.io.card import data_card\n"
        f"data_card(open({str(path)!r}))\n"
        "print([m for m in ('matplotlib', 'sklearn', 'torch', 'pint', 'skimage', 'numba', 'zarr',"
        " 'scipy.ndimage', 'scipy.optimize') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_card_is_a_noun() -> None:
    assert isinstance(data_card(good()), DataCard)
