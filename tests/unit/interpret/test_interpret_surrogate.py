"""Surrogates keep rings and power, lose spots; the level of chance lies between unlike and like."""

from __future__ import annotations

import numpy as np
import pytest
from interpret_phantoms import beam_mask, middle, pattern_axes, spots

from unmixel.interpret.correlate import all_pairs, spectra
from unmixel.interpret.polar import polar_grid
from unmixel.interpret.surrogate import Surrogates, chance_level, feature_width

SHAPE = (64, 64)
USED = beam_mask(SHAPE)
GRID = polar_grid(pattern_axes(SHAPE), USED, center=middle(SHAPE))


def anomalies(kinds, seed=0):
    rng = np.random.default_rng(seed)
    patterns = np.array([spots(kind, rng.uniform(0, 360), jitter=rng) for kind in kinds])
    return GRID.anomaly(np.sqrt(GRID.of(patterns)))


def test_surrogates_keep_the_power_of_every_harmonic() -> None:
    anomaly = anomalies([0, 1])
    full = np.ones_like(GRID.used)
    fake = Surrogates.of(anomaly, full).draw(np.random.default_rng(0))
    strength = np.abs(np.fft.rfft(anomaly, axis=2))
    kept = Surrogates.of(anomaly, full).amplitude.shape[2]
    again = np.abs(np.fft.rfft(fake, axis=2))
    np.testing.assert_allclose(again[:, :, 1:kept], strength[:, :, 1:kept], rtol=1e-3, atol=1e-3)
    assert np.sum(again**2) == pytest.approx(np.sum(strength**2), rel=5e-3)


def test_surrogates_lose_the_spots() -> None:
    anomaly = anomalies([0, 1, 2] * 4)
    fake = Surrogates.of(anomaly, GRID.used).draw(np.random.default_rng(0))

    def highest(rings):
        return np.mean(rings.max(axis=2) / np.maximum(rings.std(axis=2), 1e-9))

    assert highest(fake) < 0.9 * highest(anomaly)


def test_width_of_a_feature_is_that_of_a_spot() -> None:
    rng = np.random.default_rng(0)
    wide, narrow = (
        feature_width(GRID.anomaly(GRID.of(np.array([spots(1, rng.uniform(0, 90), sigma=s)]))))
        for s in (2.4, 1.2)
    )
    assert wide / narrow == pytest.approx(2, rel=0.25)
    assert feature_width(np.zeros((1, 5, 8), np.float32)) == 1.0


def test_chance_lies_between_unlike_and_like() -> None:
    kinds = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    anomaly = anomalies(kinds)
    level, n_pairs = chance_level(anomaly, GRID, significance=0.01, seed=0)
    similarity = all_pairs(spectra(anomaly, GRID.used, GRID.radii)).similarity
    same = kinds[:, None] == kinds[None, :]
    assert similarity[~same].max() < level < similarity[same].min()
    assert n_pairs >= 300


def test_a_smaller_significance_is_a_higher_level_and_mirrors_raise_it() -> None:
    anomaly = anomalies([0, 1, 2])
    level = {p: chance_level(anomaly, GRID, significance=p, seed=0)[0] for p in (0.3, 0.05, 0.01)}
    assert level[0.3] < level[0.05] < level[0.01]
    assert chance_level(anomaly, GRID, significance=0.3, seed=0, mirror=True)[0] > level[0.3]


def test_same_seed_same_level() -> None:
    anomaly = anomalies([0, 1])
    first, again, other = (chance_level(anomaly, GRID, significance=0.05, seed=s)[0] for s in (0, 0, 1))
    assert first == again != other
