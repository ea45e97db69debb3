"""The origin: planted beams of every kind are found to a fraction of a pixel."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.record import StepRecord
from unmixel.dataset.scan import Scan
from unmixel.prepare.origin import (
    find_spot,
    known_origin,
    local_spot,
    radial_profile,
    rough_spot,
    spot_of,
    symmetry_center,
)

SHAPE = (61, 46)
CENTERS = [(28.3, 21.8), (19.55, 26.0), (38.0, 17.25)]


def mean_pattern(beam, gaussian, center, *, height=1000.0, seed=0):
    rng = np.random.default_rng(seed)
    return rng.poisson(height * beam + 0.02 * height * gaussian(SHAPE, center, 12) + 1.0).astype(float)


@pytest.mark.parametrize("center", CENTERS)
@pytest.mark.parametrize("sigma", [0.8, 1.5, 2.2, 4.0])
def test_gaussian_beams(gaussian, center, sigma):
    spot = find_spot(mean_pattern(gaussian(SHAPE, center, sigma), gaussian, center))
    assert spot.method == "beam"
    np.testing.assert_allclose(spot.center, center, atol=0.08)
    assert spot.radius == pytest.approx(1.18 * sigma, rel=0.15)
    assert spot.asymmetry < 0.1


@pytest.mark.parametrize("center", CENTERS)
@pytest.mark.parametrize("radius", [1.5, 3.3, 8.0])
def test_disk_beams(disk, gaussian, center, radius):
    spot = find_spot(mean_pattern(disk(SHAPE, center, radius), gaussian, center))
    np.testing.assert_allclose(spot.center, center, atol=0.1)
    assert spot.radius == pytest.approx(radius, abs=0.15)
    assert radius < spot.reach < radius + 2.5


def test_a_saturated_centre(gaussian):
    image = np.minimum(mean_pattern(gaussian(SHAPE, (28.3, 21.8), 2.2), gaussian, (28.3, 21.8)), 200)
    np.testing.assert_allclose(find_spot(image).center, (28.3, 21.8), atol=0.1)


def test_an_uneven_disk(disk, gaussian):
    v, _ = np.indices(SHAPE)
    beam = disk(SHAPE, (28.3, 21.8), 6.0) * np.where(v > 28, 1.0, 0.8)
    np.testing.assert_allclose(
        find_spot(mean_pattern(beam, gaussian, (28.3, 21.8))).center, (28.3, 21.8), atol=0.4
    )


def test_hot_pixels_and_bragg_spots_do_not_draw(gaussian):
    beam = gaussian(SHAPE, (28.3, 21.8), 2.2)
    image = mean_pattern(beam + 0.4 * gaussian(SHAPE, (40.0, 33.0), 2.2), gaussian, (28.3, 21.8))
    image[3, 4] = 1e6
    np.testing.assert_allclose(find_spot(image).center, (28.3, 21.8), atol=0.08)


def test_masked_pixels_are_not_looked_at(gaussian):
    image = mean_pattern(gaussian(SHAPE, (28.3, 21.8), 2.2), gaussian, (28.3, 21.8))
    used = np.ones(SHAPE, bool)
    used[28, 22] = used[26, 20] = False
    image[~used] = 1e9
    np.testing.assert_allclose(find_spot(image, used=used).center, (28.3, 21.8), atol=0.15)


@pytest.mark.parametrize("width", [3, 5, 9])
def test_behind_a_masked_beam_stop_symmetry_finds_it(gaussian, width):
    center = (28.3, 21.8)
    distance = np.hypot(*(np.indices(SHAPE) - np.reshape(center, (2, 1, 1))))
    rings = gaussian(SHAPE, center, 2.2) + 0.05 * np.exp(-((distance - 14) ** 2) / 8)
    image = mean_pattern(rings, gaussian, center)
    used = np.ones(SHAPE, bool)
    used[: 28 + width, 22 - width // 2 : 23 + width // 2] = False
    image[~used] = 0
    spot = find_spot(image, used=used)
    assert spot.method == "symmetry"
    np.testing.assert_allclose(spot.center, center, atol=0.25)


def test_symmetry_center_alone(gaussian):
    center = (27.75, 20.5)
    np.testing.assert_allclose(
        symmetry_center(mean_pattern(gaussian(SHAPE, center, 3.0), gaussian, center), np.ones(SHAPE, bool)),
        center,
        atol=0.1,
    )


def test_uncertainty_is_that_of_repeated_measurement(gaussian):
    beam = gaussian(SHAPE, (28.3, 21.8), 2.2)
    error = np.sqrt(1000 * beam + 1)
    found = [
        find_spot(np.random.default_rng(seed).poisson(1000 * beam + 1), error=error) for seed in range(40)
    ]
    scatter = np.std([spot.center for spot in found], axis=0).mean()
    said = np.mean([spot.uncertainty for spot in found])
    assert 0.5 < said / scatter < 2


def test_flat_patterns_are_refused():
    with pytest.raises(InputError, match="flat"):
        find_spot(np.ones(SHAPE))


def test_a_single_bright_pixel_on_nothing_is_found():
    image = np.zeros((9, 7))
    image[4, 3] = 1.0
    assert find_spot(image, method="beam").center == (4.0, 3.0)


def test_rough_and_local_spots_agree(gaussian):
    image = mean_pattern(gaussian(SHAPE, (28.3, 21.8), 2.2), gaussian, (28.3, 21.8))
    used = np.ones(SHAPE, bool)
    spot = find_spot(image)
    np.testing.assert_allclose(rough_spot(image, used), (*spot.center, spot.radius))
    near = local_spot(image, used, (27.0, 23.0), 2.0, widest=3.0)
    np.testing.assert_allclose(near.center, spot.center, atol=1e-3)


def test_radial_profile_is_the_median_of_rings():
    v, u = np.indices((31, 26))
    distance = np.rint(np.hypot(v - 15, u - 12))
    profile = radial_profile(distance, np.ones((31, 26), bool), (15.0, 12.0), 25)
    np.testing.assert_array_equal(profile[:20], np.arange(20))
    assert np.isnan(profile[-1])


def test_known_origin_is_that_of_the_step_center_only(gaussian):
    scan = Scan.from_array(np.tile(gaussian((31, 26), (14.3, 11.8), 2.0), (2, 2, 1, 1)))
    assert known_origin(scan) is None
    after = scan.after(StepRecord("center"))
    assert known_origin(after) == (0.0, 0.0)


def test_spot_of_a_scan_with_nothing_in_use():
    scan = Scan.from_array(np.ones((2, 2, 5, 5)), pixel_weights=np.zeros((5, 5)))
    with pytest.raises(InputError, match="pixel_weights"):
        spot_of(scan)


def test_spot_of_a_scan_leaves_out_what_is_not_finite(gaussian):
    data = np.tile(100 * gaussian((31, 26), (14.3, 11.8), 2.0), (2, 2, 1, 1))
    data[0, 0, 3, 3] = np.nan
    spot, _, used = spot_of(Scan.from_array(data))
    assert not used[3, 3]
    np.testing.assert_allclose(spot.center, (14.3, 11.8), atol=0.05)
