"""What numbers are: planted saturation, thresholds, gains, averages, dead and hot pixels are found, and none else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.io.counts import Counts, measured
from unmixel.io.sample import Sample

RNG = np.random.default_rng(8)
V, U = np.mgrid[:31, :26]
PATTERN = (
    2 + 30 * np.exp(-((V - 14) ** 2 + (U - 11) ** 2) / 60) + 8 * np.exp(-((V - 24) ** 2 + (U - 19) ** 2) / 9)
)


def poisson(scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(8).poisson(PATTERN * scale, (10, 12, 31, 26))


def facts(values: np.ndarray) -> Counts:
    return measured(Sample((values[:5], values[5:]), values.shape[0] * values.shape[1]))


def test_plain_counts_have_nothing_to_tell() -> None:
    counts = facts(poisson().astype(np.uint16))
    assert counts.whole
    assert (counts.denominator, counts.step, counts.n_nan, counts.n_negative) == (1, 1, 0, 0)
    assert (counts.n_dead, counts.n_hot) == (0, 0)
    assert math.isnan(counts.saturated_at)
    assert counts.noise == pytest.approx(1.0, abs=0.1)
    assert counts.mean == pytest.approx(PATTERN.sum(), rel=0.01)
    assert counts.threshold == 1
    assert 0 < counts.zeros < 0.2
    assert counts.n_frames == 120


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32, np.float64])
def test_whole_numbers_are_whole_whatever_their_type(dtype) -> None:
    assert facts(poisson().astype(dtype)).whole


@pytest.mark.parametrize("n", [2, 4, 5, 9, 16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_averages_are_seen_by_their_denominator(n: int, dtype) -> None:
    counts = facts((poisson(n) / n).astype(dtype))
    assert not counts.whole
    assert counts.denominator == n
    assert counts.noise == pytest.approx(1 / n, rel=0.2)


def test_anything_else_has_no_denominator() -> None:
    assert facts(poisson() * 0.12345).denominator == 0


@settings(deadline=None, max_examples=10)
@given(st.sampled_from([2, 3, 7, 20, 64]))
def test_scaled_counts_are_seen_by_their_step(gain: int) -> None:
    counts = facts((poisson() * gain).astype(np.int64))
    assert counts.step == gain
    assert counts.noise == pytest.approx(gain, rel=0.2)


def test_a_threshold_is_the_smallest_value_left() -> None:
    values = poisson(3)
    values[values < 12] = 0
    assert facts(values).threshold == 12


@pytest.mark.parametrize("at", [100, 255])
def test_clipped_readings_are_saturated(at: int) -> None:
    values = np.minimum(poisson(10), at)
    counts = facts(values.astype(np.uint16))
    assert counts.saturated_at == at
    assert counts.n_saturated == np.count_nonzero((values == at).any(axis=(0, 1)))


def test_the_end_of_the_type_is_saturation_even_once() -> None:
    values = poisson().astype(np.uint8)
    values[0, 0, 3, 3] = 255
    assert (facts(values).saturated_at, facts(values).n_saturated) == (255.0, 1)


def test_dead_pixels_are_counted() -> None:
    values = poisson()
    for v, u in ((14, 11), (3, 4), (30, 25), (0, 0)):
        values[:, :, v, u] = 0
    counts = facts(values.astype(np.uint16))
    assert (counts.n_dead, counts.n_hot) == (4, 0)


def test_hot_pixels_are_counted_and_sparks_are_not() -> None:
    values = poisson()
    values[:, :, 5, 5] += 400
    values[:, :, 20, 0] += 300
    values[0, 0, 28, 3] += 60_000
    counts = facts(values.astype(np.uint32))
    assert (counts.n_dead, counts.n_hot) == (0, 2)


def test_pixels_beyond_the_pattern_are_not_dead() -> None:
    values = poisson()
    values[:, :, :, 20:] = 0
    assert facts(values).n_dead == 0


def test_a_beam_is_not_hot() -> None:
    beam = 1000 * np.exp(-((V - 14) ** 2 + (U - 11) ** 2) / 2)
    assert facts(np.random.default_rng(0).poisson(beam + 0.2, (10, 12, 31, 26))).n_hot == 0


def test_spectra_have_dead_channels_too() -> None:
    spectrum = 40 * np.exp(-((np.arange(60) - 30.0) ** 2) / 80) + 4
    values = np.random.default_rng(0).poisson(spectrum, (10, 12, 60))
    assert facts(values).n_dead == 0
    values[:, :, 31] = 0
    assert facts(values).n_dead == 1
    assert facts(values).noise == pytest.approx(1.0, abs=0.15)


def test_what_cannot_be_counted_is_told() -> None:
    values = poisson().astype(np.float32)
    values[1, 2, 3, 4] = np.nan
    values[1, 2, 3, 5] = np.inf
    values[2, 2, 3, 5] = -4
    counts = facts(values)
    assert (counts.n_nan, counts.n_negative) == (2, 1)
    assert counts.whole
    assert math.isfinite(counts.mean)
    assert math.isfinite(counts.noise)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, bool])
def test_an_empty_scan(dtype) -> None:
    counts = facts(np.zeros((10, 12, 31, 26), dtype))
    assert (counts.mean, counts.high, counts.zeros) == (0.0, 0.0, 1.0)
    assert math.isnan(counts.noise)
    assert math.isnan(counts.map_contrast)


def test_noise_of_few_patterns_is_not_guessed() -> None:
    assert math.isnan(measured(Sample((poisson()[:1, :3],), 3)).noise)
    assert math.isnan(measured(Sample((poisson()[:, :1],), 10)).noise)


def test_a_changing_specimen_is_not_taken_for_noise() -> None:
    """Steps between grains raise the variance of few pairs only; the weak pixels stay near 1."""
    ramp = np.where(np.arange(12) < 6, 1.0, 1.6)[None, :, None, None]
    assert facts(np.random.default_rng(1).poisson(PATTERN * ramp, (10, 12, 31, 26))).noise < 1.4
