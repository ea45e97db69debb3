"""Regions of maps: background, thresholds, splitting, holes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_phantoms import body_map, few

from unmixel.interpret.regions import background, find_regions

LIMITS = {"least_contrast": 0.25, "least_pixels": 4}


def noisy(image, *, height=200.0, level=20.0, seed=0):
    return np.random.default_rng(seed).poisson(height * image + level).astype(float)


def test_background_of_a_noisy_map() -> None:
    ground = background(noisy(body_map((40, 50), [(20, 25, 9)])))
    assert ground.level == pytest.approx(20, abs=1)
    assert ground.noise == pytest.approx(np.sqrt(20), rel=0.3)
    assert ground.height == pytest.approx(200, rel=0.15)


def test_background_of_a_map_that_is_mostly_particle() -> None:
    ground = background(noisy(body_map((30, 30), [(15, 15, 28)])))
    assert ground.level == pytest.approx(20, abs=3)


def test_single_hot_positions_are_no_height() -> None:
    image = np.zeros((20, 20))
    image[5, 5] = 1e6
    image[10:12, 10:12] = 3.0
    assert background(image).height == pytest.approx(3.0)


@few
@given(st.floats(5, 12), st.floats(0, 2.5), st.integers(0, 1000))
def test_area_of_a_noisy_disk(diameter, fwhm, seed) -> None:
    image = noisy(body_map((40, 40), [(19.4, 20.3, diameter)], fwhm=fwhm), seed=seed)
    (region, *others) = find_regions(image, **LIMITS)
    assert not others
    assert 2 * np.sqrt(region.mask.sum() / np.pi) == pytest.approx(diameter, rel=0.12)


def test_a_faint_particle_is_measured_like_a_strong_one() -> None:
    strong, faint = body_map((40, 60), [(20, 15, 9)], fwhm=2), body_map((40, 60), [(20, 45, 9)], fwhm=2)
    first, second = find_regions(strong + 0.4 * faint, **LIMITS)
    assert first.mask[20, 15]
    assert second.mask[20, 45]
    assert abs(int(first.mask.sum()) - int(second.mask.sum())) <= 2
    assert second.height == pytest.approx(0.4 * first.height, rel=0.05)


def test_touching_particles_are_split_at_a_deep_dip_only() -> None:
    pair = body_map((40, 60), [(20, 22, 10), (20, 34, 10)], fwhm=2)
    assert len(find_regions(pair, **LIMITS)) == 2
    near = body_map((40, 60), [(20, 26, 10), (20, 34, 10)], fwhm=2)
    assert len(find_regions(np.minimum(near, 1.0), **LIMITS)) == 1


def test_a_speckled_plateau_stays_whole_and_holes_are_filled() -> None:
    image = body_map((40, 40), [(20, 20, 20)])
    image[19:21, 19:21] = 0.1
    (region,) = find_regions(noisy(image, height=100), **LIMITS)
    assert region.mask[19:21, 19:21].all()
    assert region.mask.sum() == pytest.approx(np.pi * 100, rel=0.06)


def test_leakage_noise_and_specks_are_no_regions() -> None:
    rng = np.random.default_rng(0)
    assert find_regions(np.zeros((20, 20)), **LIMITS) == ()
    assert find_regions(np.full((20, 20), 7.0), **LIMITS) == ()
    flat = rng.poisson(100, (60, 60)).astype(float)
    assert len(find_regions(flat, **LIMITS)) <= 1
    image = body_map((40, 60), [(20, 15, 9)]) + 0.15 * body_map((40, 60), [(20, 45, 9)])
    assert len(find_regions(image, **LIMITS)) == 1
    image[5, 5] = 1.0
    assert len(find_regions(image, **LIMITS)) == 1


def test_scale_does_not_matter() -> None:
    image = noisy(body_map((13, 29), [(6, 8, 5), (7, 21, 6)], fwhm=1))
    first, second = find_regions(image, **LIMITS), find_regions(image * 1e-6, **LIMITS)
    assert len(first) == 2
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.mask, other.mask)
