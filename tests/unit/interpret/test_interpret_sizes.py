"""Statistics of sizes: weights against the border, medians, intervals, volumes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_phantoms import few

from unmixel.interpret.sizes import edge_weights, estimate, mean_volume, weighted_mean, weighted_median


def test_weights_undo_what_the_frame_selects() -> None:
    # particles of two sizes anywhere; those that the frame cuts are not measured
    rng, frame, box = np.random.default_rng(0), 64, {9: 0.5, 25: 0.5}
    sizes, masks = [], []
    while len(sizes) < 1500:
        size = int(rng.choice(list(box)))
        y, x = rng.integers(-30, frame + 30, 2)
        if min(y, x) < 0 or max(y, x) + size > frame:
            continue
        mask = np.zeros((frame, frame), bool)
        mask[y : y + size, x : x + size] = True
        sizes.append(size)
        masks.append(mask)
    values, weights = np.array(sizes, float), edge_weights(masks)
    assert values.mean() < 16, "large ones are cut more often"
    assert weighted_mean(values, weights) == pytest.approx(17.0, rel=0.03)


@few
@given(st.lists(st.floats(1, 50), min_size=1, max_size=12))
def test_equal_weights_change_nothing(sizes) -> None:
    values = np.array(sizes)
    ones = np.ones(len(values))
    assert weighted_mean(values, ones) == pytest.approx(values.mean())
    assert weighted_median(values, ones) == pytest.approx(np.median(values))


def test_weights_are_numbers_of_particles() -> None:
    assert weighted_mean(np.array([2.0, 5.0]), np.array([2.0, 1.0])) == pytest.approx(3.0)
    assert weighted_median(np.array([9.0, 1.0, 2.0]), np.array([0.01, 1.0, 5.0])) == pytest.approx(
        2.0, abs=0.2
    )


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, hits = np.random.default_rng(0), 0
    for _ in range(200):
        low, high = estimate(rng.normal(7, 1.4, 20), np.ones(20), weighted_mean, seed=0).interval
        hits += low <= 7 <= high
    assert 0.88 <= hits / 200 <= 0.98


def test_few_particles_have_no_interval() -> None:
    none = estimate(np.zeros(0), np.zeros(0), weighted_mean, seed=0)
    assert math.isnan(none.value)
    one = estimate(np.array([3.0]), np.ones(1), weighted_median, seed=0)
    assert one.value == 3.0
    assert all(map(math.isnan, one.interval))


def test_volumes() -> None:
    sizes, areas, ones = np.array([2.0, 4.0]), np.array([3.0, 12.0]), np.ones(2)
    spheres = mean_volume(sizes, areas, ones, body="sphere", thickness=30.0)
    assert spheres == pytest.approx(math.pi / 6 * (8 + 64) / 2)
    assert mean_volume(sizes, areas, ones, body="disk", thickness=10.0) == pytest.approx(75.0)
    assert mean_volume(np.zeros(0), np.zeros(0), np.zeros(0), body="disk", thickness=1.0) == 0
