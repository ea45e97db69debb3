"""Artefacts: planted camera faults are found, clean phantoms are left in peace."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest

from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import ReadOnce
from unmixel.engines.lazy import wrap
from unmixel.prepare import passes
from unmixel.prepare.artefacts import find_artefacts, inspect_detector, tile_means
from unmixel.prepare.masks import MaskImage
from unmixel.prepare.statistics import pattern_statistics

SHAPE, CENTER, SCAN = (61, 56), (30.3, 27.8), (12, 14)
REAL = Path(__file__).parents[3].parent / "shared" / "data" / "mgo_sped" / "mgo_nanoparticles.zspy"


def row(found, label):
    return [r for r in found.rows if r.label == label]


@pytest.fixture
def light(gaussian):
    """Rates with a beam, a halo and spots of crystals that fill parts of the scan."""
    rng = np.random.default_rng(3)
    v, u = np.indices(SHAPE)
    radius = np.hypot(v - CENTER[0], u - CENTER[1])
    halo = 6 * np.exp(-radius / 14) + 5 * np.exp(-((radius - 17) ** 2) / 10) + 0.5
    rates = np.tile(150 * gaussian(SHAPE, CENTER, 1.8) + halo, (*SCAN, 1, 1))
    for _ in range(6):
        at = rng.integers(0, 9, 2)
        place = np.array(CENTER) + rng.uniform(-20, 20, 2)
        rates[at[0] : at[0] + 5, at[1] : at[1] + 5] += 40 * gaussian(SHAPE, place, 1.8)
    return rates


def counted(rates, seed=0):
    return np.random.default_rng(seed).poisson(rates)


def test_clean_counts_show_nothing(light):
    found = inspect_detector(Scan.from_array(counted(light)))
    assert {r.light for r in found.rows} <= {"green", "none"}
    assert found.use.all()
    assert not found.ghosts.any()
    assert found.margins == (0, 0, 0, 0)


@pytest.mark.parametrize("dose", [0.002, 0.05])
def test_sparse_counts_show_no_ghosts(light, dose):
    found = inspect_detector(Scan.from_array(counted(dose * light)))
    assert row(found, "Ghosts")[0].light == "green"
    assert found.use.all()


def test_a_ghost_is_found_with_its_place_and_size(light):
    v, u = np.indices(SHAPE)
    disk = np.hypot(v - 12, u - 38) <= 7
    found = inspect_detector(Scan.from_array(counted(light + 6 * disk)))
    (told,) = row(found, "Ghosts")
    assert told.light == "red"
    assert "row 12, column 38" in told.value
    assert (found.ghosts & disk).sum() > 0.85 * disk.sum()
    assert (found.ghosts & ~disk).sum() < 1.3 * disk.sum()
    assert not found.use[found.ghosts].any()
    assert not found.ghosts[61 - 12 - 5 : 61 - 12 + 5, 14:20].any()


def test_the_suggested_mask_silences_the_finder(light):
    v, u = np.indices(SHAPE)
    scan = Scan.from_array(counted(light + 6 * (np.hypot(v - 12, u - 38) <= 7)))
    masked = MaskImage(inspect_detector(scan).use).apply(scan)
    assert row(inspect_detector(masked), "Ghosts")[0].light == "green"


def test_slow_unevenness_is_told_apart_from_ghosts(light):
    slope = np.geomspace(0.3, 3.0, SHAPE[1])
    found = inspect_detector(Scan.from_array(counted(light * slope)))
    assert row(found, "Evenness")[0].light == "yellow"
    assert row(found, "Ghosts")[0].light == "green"


@pytest.mark.parametrize(("side", "lines"), [("top", np.s_[..., :2, :]), ("right", np.s_[..., -3:])])
@pytest.mark.parametrize("factor", [3.0, 0.2])
def test_lines_of_the_rim_that_stand_out(light, side, lines, factor):
    light[lines] *= factor
    found = inspect_detector(Scan.from_array(counted(light)))
    (told,) = row(found, "Detector rim")
    assert told.light == "yellow"
    assert side in told.value
    assert found.margins == {"top": (2, 0, 0, 0), "right": (0, 0, 0, 3)}[side]
    assert not found.use[lines[-2:]].any()


def test_saturation_cut_off_values_and_gain(light):
    data = 20 * counted(light)
    data = np.where(
        data < 50, 0, np.minimum(data + np.random.default_rng(0).integers(0, 20, data.shape), 2000)
    )
    found = inspect_detector(Scan.from_array(data.astype(np.uint16)))
    assert row(found, "Saturation")[0].light == "yellow"
    assert "2000" in row(found, "Saturation")[0].value
    assert not found.use[30, 28]
    assert row(found, "Small values")[0].light == "yellow"
    assert "between 0 and" in row(found, "Small values")[0].value
    assert row(found, "Noise")[0].light == "yellow"


def test_whole_multiples_are_not_taken_for_cut_off(light):
    found = inspect_detector(Scan.from_array(30 * counted(light)))
    assert row(found, "Small values")[0].light == "none"
    assert row(found, "Noise")[0].light == "yellow"


def test_spectra_and_small_scans_are_looked_at_as_far_as_possible():
    spectra = Scan.from_array(np.random.default_rng(0).poisson(4.0, (6, 12, 40)))
    assert {r.label for r in find_artefacts(spectra)} == {"Saturation", "Small values", "Noise"}
    few = Scan.from_array(np.random.default_rng(0).poisson(4.0, (2, 3, 31, 26)))
    rows = {r.label: r for r in find_artefacts(few)}
    assert "not looked for" in rows["Ghosts"].value
    assert "not measured" in rows["Noise"].value
    empty = find_artefacts(Scan.from_array(np.zeros((9, 9, 4))))
    assert {r.label: r for r in empty}["Small values"].value == "all values are 0"


def test_all_frames_are_read_once(monkeypatch):
    sizes = []

    class Told(ReadOnce):
        def __init__(self, *given):
            super().__init__(*given)
            sizes.append(self.n_positions)

    monkeypatch.setattr(passes, "ReadOnce", Told)
    frames = np.random.default_rng(0).poisson(3.0, (9, 8, 31, 26))
    found = inspect_detector(Scan.from_array(wrap(frames, (2, 8, 31, 26)), n_pattern_axes=2))
    assert sizes.count(72) == 1
    assert any(r.label == "Evenness" or "Ghosts" in r.label for r in found.rows)


@pytest.mark.parametrize("scan", [(40,), (13, 29), (2, 5, 7)])
def test_tiles_cover_the_scan(scan):
    data = np.random.default_rng(0).poisson(4.0, (*scan, 7, 6)).astype(np.uint8)
    told, eager = tile_means(Scan.from_array(data, n_pattern_axes=2))
    _, late = tile_means(Scan.from_array(da.from_array(data, chunks=4), n_pattern_axes=2))
    np.testing.assert_array_equal(told.sums, pattern_statistics(Scan.from_array(data, n_pattern_axes=2)).sums)
    np.testing.assert_allclose(eager, late)
    assert 8 <= len(eager) <= 64
    assert eager.mean() == pytest.approx(data.mean(), rel=0.05)
    weights = np.zeros(scan)
    weights.flat[0] = 1
    _, (only,) = tile_means(Scan.from_array(data, n_pattern_axes=2, position_weights=weights))
    np.testing.assert_array_equal(only, data.reshape(-1, 7, 6)[0])


@pytest.mark.real
@pytest.mark.slow
def test_the_mgo_scan_shows_its_ghost_and_its_rim():
    if not REAL.exists():
        pytest.skip(f"the real scan is not beside the repository: {REAL.name}")
    import unmixel

    found = inspect_detector(unmixel.open(REAL))
    lights = {r.label: r.light for r in found.rows}
    assert lights["Ghosts"] == "red"
    assert lights["Saturation"] == lights["Detector rim"] == lights["Small values"] == "yellow"
    assert found.ghosts[34, 75]
    assert found.margins == (3, 0, 0, 0)
    assert 500 < found.ghosts.sum() < 800
