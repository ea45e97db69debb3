"""Spots are told from rings, noise and holes, whatever the dose."""

from __future__ import annotations

import numpy as np
import pytest
from interpret_phantoms import beam_mask, halo, middle, pattern_axes, spots

from unmixel.interpret.cluster import RotationClusterer
from unmixel.interpret.contrast import azimuthal_contrast, smoothed
from unmixel.interpret.polar import polar_grid

LEAST = RotationClusterer().least_contrast
SHAPE = (64, 64)
USED = beam_mask(SHAPE)
GRID = polar_grid(pattern_axes(SHAPE), USED, center=middle(SHAPE))


def mixed(share, kind=0, degrees=17.0):
    """Return a pattern of sum 1 whose spots hold `share` of the counts, the halo the rest."""
    one, other = spots(kind, degrees) * USED, halo() * USED
    return share * one / one.sum() + (1 - share) * other / other.sum()


@pytest.mark.parametrize("dose", [1e4, 1e6])
@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("share", [0.25, 0.6, 1.0])
def test_spots_are_seen(dose, kind, share) -> None:
    counts = np.random.default_rng(kind).poisson(dose * mixed(share, kind))
    assert azimuthal_contrast(counts[None], USED, GRID).spots(LEAST).all()


@pytest.mark.parametrize("dose", [100, 1e3, 1e4, 1e6])
def test_a_noisy_halo_has_no_spots(dose) -> None:
    counts = np.random.default_rng(1).poisson(dose * mixed(0.0), (20, *SHAPE))
    found = azimuthal_contrast(counts, USED, GRID).spots(LEAST)
    assert found.mean() <= 0.05


def test_pure_noise_has_no_spots() -> None:
    noise = np.random.default_rng(2).exponential(size=(20, *SHAPE))
    result = azimuthal_contrast(noise, USED, GRID)
    assert not result.spots(LEAST).any()
    assert np.abs(result.agreement).max() < 0.25


def test_an_elliptical_or_displaced_halo_has_no_spots() -> None:
    crooked = np.array([halo(ellipticity=0.04), halo(center=(32.3, 31.0))])
    assert not azimuthal_contrast(crooked, USED, GRID).spots(LEAST).any()


def test_holes_are_not_spots() -> None:
    holes = np.maximum(mixed(0.0) - 0.5 * mixed(1.0, kind=1), 0)
    result = azimuthal_contrast(holes[None], USED, GRID)
    assert result.contrast[0] > 0.1
    assert result.skewness[0] < 0
    assert not result.spots(LEAST).any()


def test_contrast_does_not_depend_on_dose() -> None:
    pattern = mixed(0.5)
    exact = azimuthal_contrast(pattern[None], USED, GRID).contrast[0]
    counts = np.random.default_rng(3).poisson(3e4 * pattern, (8, *SHAPE))
    np.testing.assert_allclose(azimuthal_contrast(counts, USED, GRID).contrast, exact, rtol=0.12)


def test_blocks_do_not_matter_and_scale_neither() -> None:
    patterns = np.array([mixed(0.3, kind) for kind in (0, 1, 2)] * 7)
    result = azimuthal_contrast(patterns, USED, GRID)
    np.testing.assert_allclose(result.contrast[:3], result.contrast[-3:], rtol=1e-5)
    louder = azimuthal_contrast(patterns[:3] * 1e5, USED, GRID)
    np.testing.assert_allclose(louder.contrast, result.contrast[:3], rtol=1e-4)
    np.testing.assert_allclose(louder.skewness, result.skewness[:3], rtol=1e-4)


def test_empty_pattern_is_no_crystal() -> None:
    assert not azimuthal_contrast(np.zeros((1, *SHAPE)), USED, GRID).spots(LEAST).any()


def test_smoothing_keeps_a_constant_and_forgets_masked_pixels() -> None:
    spoiled = np.where(USED, 3.0, 1e6)[None]
    result = smoothed(spoiled, USED, 1.5)[0]
    np.testing.assert_allclose(result[USED], 3.0, rtol=1e-4)
    assert np.all(result[~USED] == 0)
    assert np.array_equal(smoothed(spoiled, USED, 0.0)[0], np.where(USED, 3.0, 0.0).astype(np.float32))
