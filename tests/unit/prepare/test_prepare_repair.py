"""Repair: planted bad pixels are found, spots and edges are left alone."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.prepare.repair import Repair

SHAPE = (31, 26)
HOT, DEAD, STUCK = [(4, 5), (4, 6), (30, 25)], [(20, 8), (0, 0), (14, 12)], [(9, 20)]


@pytest.fixture
def clean(gaussian):
    light = 300 * gaussian(SHAPE, (14.3, 11.8), 1.2) + 40 * gaussian(SHAPE, (24.0, 18.0), 0.9) + 3
    return np.random.default_rng(0).poisson(light, (7, 9, *SHAPE)).astype(np.uint16)


@pytest.fixture
def spoiled(clean):
    data = clean.copy()
    for v, u in HOT:
        data[..., v, u] = np.random.default_rng(1).poisson(500, (7, 9))
    for v, u in DEAD:
        data[..., v, u] = 0
    for v, u in STUCK:
        data[..., v, u] = 4
    return data


def listed(pixels):
    return sorted(list(pixel) for pixel in pixels)


def test_planted_pixels_are_found_by_kind(spoiled):
    values = Repair().apply(Scan.from_array(spoiled)).history[-1].values
    assert values["by_kind"] == {"hot": 3, "dead": 3, "stuck": 1, "broken": 0}
    assert values["pixels"] == listed([*HOT, *DEAD, *STUCK])


def test_clean_data_are_left_alone(clean):
    scan = Repair().apply(Scan.from_array(clean))
    assert scan.data is clean
    assert scan.history[-1].effect.startswith("no bad pixels")


@pytest.mark.parametrize("dose", [0.02, 0.5])
def test_sparse_counts_are_no_defects(gaussian, dose):
    light = dose * (gaussian(SHAPE, (14.3, 11.8), 1.2) + 0.03)
    data = np.random.default_rng(0).poisson(light, (20, 20, *SHAPE)).astype(np.uint8)
    assert Repair().apply(Scan.from_array(data)).history[-1].values["n_pixels"] == 0


def test_a_beam_stop_a_saturated_beam_and_a_bright_rim_are_no_bad_pixels(clean):
    data = np.minimum(clean, 200)
    data[..., :12, 10:13] = 0
    data[..., -1, :] *= 6
    assert Repair().apply(Scan.from_array(data)).history[-1].values["n_pixels"] == 0


def test_a_dead_line_is_found(clean):
    data = clean.copy()
    data[..., :, 20] = 0
    assert Repair().apply(Scan.from_array(data)).history[-1].values["by_kind"]["dead"] == 31


@pytest.mark.parametrize("lazy", [False, True])
def test_bad_pixels_become_the_median_of_good_neighbours(spoiled, clean, lazy):
    given = da.from_array(spoiled, chunks=(3, 4, 20, 26)) if lazy else spoiled
    before = spoiled.copy()
    scan = Repair().apply(Scan.from_array(given))
    repaired = np.asarray(scan.data)
    assert repaired.dtype == spoiled.dtype
    around = spoiled[:, :, [3, 3, 3, 3, 4, 4, 5, 5, 5, 5], [4, 5, 6, 7, 4, 7, 4, 5, 6, 7]]
    one = [0, 1, 2, 4, 6, 7, 8]
    np.testing.assert_array_equal(repaired[:, :, 4, 5], np.rint(np.median(around[..., one], axis=-1)))
    bad = np.zeros(SHAPE, bool)
    bad[tuple(np.array([*HOT, *DEAD, *STUCK]).T)] = True
    np.testing.assert_array_equal(repaired[:, :, ~bad], clean[:, :, ~bad])
    np.testing.assert_array_equal(spoiled, before)
    assert scan.pixel_weights is None


def test_leaving_out_changes_weights_only(spoiled):
    scan = Repair(how="leave_out").apply(Scan.from_array(spoiled))
    assert scan.data is spoiled
    assert listed(np.argwhere(scan.pixel_weights == 0).tolist()) == listed([*HOT, *DEAD, *STUCK])


@pytest.mark.parametrize("how", ["median", "leave_out"])
def test_not_a_number_is_taken_out_of_the_data(clean, how):
    data = clean.astype(np.float32)
    data[2, 3, 7, 8], data[..., 8, 8] = np.inf, np.nan
    scan = Repair(how=how).apply(Scan.from_array(data))
    assert np.isfinite(scan.data).all()
    assert scan.history[-1].values["pixels"] == [[7, 8], [8, 8]]
    assert scan.history[-1].values["by_kind"]["broken"] == 2


@pytest.mark.parametrize("given", ["list", "image", "file"])
def test_known_pixels_are_taken_as_given(clean, tmp_path, given):
    bad = np.zeros(SHAPE, bool)
    bad[[3, 30], [4, 0]] = True
    pixels = [[3, 4], [30, 0]] if given == "list" else bad
    if given == "file":
        np.save(tmp_path / "bad.npy", bad)
        pixels = str(tmp_path / "bad.npy")
    scan = Repair(pixels=pixels, how="leave_out").apply(Scan.from_array(clean))
    np.testing.assert_array_equal(scan.pixel_weights == 0, bad)
    assert Repair(pixels=[]).apply(Scan.from_array(clean)).history[-1].values["n_pixels"] == 0


def test_pixels_already_left_out_are_not_looked_at(spoiled):
    weights = np.ones(SHAPE)
    weights[4, 5] = 0
    values = Repair().apply(Scan.from_array(spoiled, pixel_weights=weights)).history[-1].values
    assert [4, 5] not in values["pixels"]


def test_what_cannot_be_repaired_is_refused(clean):
    scan = Scan.from_array(clean)
    with pytest.raises(InputError, match="rows and columns within"):
        Repair(pixels=[[31, 0]]).apply(scan)
    with pytest.raises(InputError, match="a tenth"):
        Repair(pixels=np.indices(SHAPE).sum(0) % 3 == 0).apply(scan)
    with pytest.raises(InputError, match="finite"):
        Repair().apply(Scan.from_array(np.full((2, 2, 5, 5), np.nan)))
    with pytest.raises(InputError, match="repair: how"):
        Repair(how="guess")
    with pytest.raises(InputError, match="repair: ratio"):
        Repair(ratio=1.0)
