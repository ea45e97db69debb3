"""Spots are found where they are, and nothing is found where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.interpret.peaks import find_spots, spot_sigma

Y, X = np.mgrid[:80, :80]
CENTER = (39.5, 39.5)
PLACES = np.array([[20.3, 31.6], [55.7, 61.2], [40.1, 12.9], [63.4, 25.5]])


def scene(heights, sigma=1.5, halo=4.0, places=PLACES):
    radius = np.hypot(Y - CENTER[0], X - CENTER[1])
    image = halo * (0.3 + np.exp(-(((radius - 20) / 6) ** 2)))
    for (v, u), height in zip(places, heights, strict=True):
        image = image + height * np.exp(-((Y - v) ** 2 + (X - u) ** 2) / (2 * sigma**2))
    return image


def matched(found, places=PLACES):
    distance = np.linalg.norm(found.place[:, None] - places[None], axis=2)
    return distance.min(axis=0)


def test_places_and_amplitudes() -> None:
    heights = np.array([80.0, 60.0, 50.0, 40.0])
    found = find_spots(np.random.default_rng(0).poisson(scene(heights)), CENTER, sigma=1.5)
    assert len(found) == 4
    assert matched(found).max() < 0.2
    wanted = heights * 2 * np.pi * 1.5**2
    own = np.argmin(np.linalg.norm(found.place[:, None] - PLACES[None], axis=2), axis=1)
    np.testing.assert_allclose(found.amplitude, wanted[own], rtol=0.15)
    assert np.all(np.diff(found.significance) <= 0)


def test_without_noise_places_are_exact_to_a_tenth_of_a_pixel() -> None:
    assert matched(find_spots(scene([80.0] * 4), CENTER, sigma=1.5)).max() < 0.1


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.floats(4.0, 60.0))
def test_a_halo_alone_has_no_spots(seed: int, halo: float) -> None:
    noisy = np.random.default_rng(seed).poisson(scene([], halo=halo, places=PLACES[:0]))
    # counts are a little more often far above their mean than normal noise is
    assert len(find_spots(noisy, CENTER, sigma=1.5, least=6)) <= 1


def test_significance_has_unit_spread_where_there_is_noise_only() -> None:
    noisy = np.random.default_rng(1).poisson(scene([], halo=20.0, places=PLACES[:0]))
    found = find_spots(noisy, CENTER, sigma=1.5, least=0.0, share=0.0)
    assert 1.0 < np.median(found.significance) < 2.5  # of local maxima
    assert found.significance.max() < 5.5


def test_masked_pixels_are_no_spots_and_hide_none_beside_them() -> None:
    image = scene([80.0] * 4)
    used = np.ones(image.shape, bool)
    used[10:15, 50:58] = False
    used[:, 30] = False  # a dead column a pixel and a half from a spot
    wild = np.where(used, image, 1e6)
    found = find_spots(wild, CENTER, sigma=1.5, used=used)
    assert len(found) == 4
    assert matched(found).max() < 0.7


def test_nothing_is_looked_for_within_the_beam() -> None:
    beam = 1e4 * np.exp(-((Y - CENTER[0]) ** 2 + (X - CENTER[1]) ** 2) / (2 * 1.5**2))
    found = find_spots(scene([80.0] * 4) + beam, CENTER, sigma=1.5, inner=8, share=0.0)
    assert np.linalg.norm(found.place - CENTER, axis=1).min() > 8
    assert matched(found).max() < 0.2


@pytest.mark.parametrize("image", [np.zeros((20, 20)), np.full((20, 20), 3.0), np.full((20, 20), np.nan)])
def test_flat_and_empty_patterns(image) -> None:
    assert len(find_spots(image, (10, 10), sigma=1.5)) == 0


@pytest.mark.parametrize(
    ("image", "used", "sigma"),
    [(np.ones(9), None, 1.0), (np.ones((4, 4)), np.ones((3, 4)), 1.0), (np.ones((4, 4)), None, 0)],
)
def test_bad_input_is_refused(image, used, sigma) -> None:
    with pytest.raises(InputError, match="find_spots"):
        find_spots(image, (1, 1), sigma=sigma, used=used)


@pytest.mark.parametrize("sigma", [0.9, 1.5, 2.6])
def test_the_size_of_spots_is_measured(sigma: float) -> None:
    used = np.ones(Y.shape, bool)
    image = scene([400.0] * 4, sigma=sigma)
    assert spot_sigma(image, CENTER, used) == pytest.approx(sigma, rel=0.12)
    assert spot_sigma(np.random.default_rng(0).poisson(image), CENTER, used) == pytest.approx(sigma, rel=0.15)
    assert spot_sigma(np.zeros((20, 20)), (10, 10), np.ones((20, 20), bool)) == 1.5


@settings(max_examples=20)
@given(st.floats(0, 79), st.floats(0, 79))
def test_spots_at_the_rim_are_no_trouble(v: float, u: float) -> None:
    image = scene([400.0], places=np.array([[v, u]]))
    used = np.ones(Y.shape, bool)
    assert 0.5 < spot_sigma(image, CENTER, used, inner=6) < 5


def test_a_spot_between_pixels_is_one() -> None:
    found = find_spots(scene([80.0], places=np.array([[20.5, 31.5]])), CENTER, sigma=1.5)
    assert len(found) == 1
    np.testing.assert_allclose(found.place[0], [20.5, 31.5], atol=0.05)


@pytest.mark.parametrize(
    ("height", "level", "gain", "sigma"),
    [(80, 4, 1, 1.5), (30, 10, 1, 1.0), (400, 4, 1, 1.5), (200, 4, 7.0, 1.5), (2000, 1, 1, 1.5)],
)
def test_place_errors_are_what_places_scatter(height, level, gain, sigma) -> None:
    image = np.full(Y.shape, float(level))
    for v, u in PLACES:
        image += height * np.exp(-((Y - v) ** 2 + (X - u) ** 2) / (2 * sigma**2))
    off, error = [], []
    for seed in range(25):
        counts = gain * np.random.default_rng(seed).poisson(image)
        found = find_spots(counts, CENTER, sigma=sigma, inner=3)
        distance = np.linalg.norm(found.place[:, None] - PLACES[None], axis=2)
        own = np.argmin(distance, axis=0)
        off.append(found.place[own] - PLACES)
        error.append(found.place_error[own])
    ratio = np.sqrt(np.mean(np.square(off))) / np.sqrt(np.mean(np.square(error)))
    assert 0.8 < ratio < 1.3, ratio


def test_a_place_is_never_better_known_than_counting_allows() -> None:
    found = find_spots(np.random.default_rng(0).poisson(scene([400.0] * 4)), CENTER, sigma=1.5)
    bound = 1.5 / np.sqrt(found.amplitude)  # Cramer-Rao, of a spot without background
    assert np.all(found.place_error > bound)
    assert np.all(found.place_error < 4 * bound)
