from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.testing.metrics import (
    Match,
    data_error,
    dip_fraction,
    false_reports,
    found,
    grouping,
    map_pearson,
    match,
    oracle_fraction,
    out_of_band_power,
    pattern_cosine,
    phase_accuracy,
    rotation_error,
    size_error,
    truth_error,
)

SEEDS = st.integers(0, 1000)


def _factors(seed: int, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.gamma(0.5, size=(k, 6, 7)), random.gamma(0.5, size=(k, 5, 8))


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_cosine_and_pearson_know_no_scale(seed: int) -> None:
    maps, patterns = _factors(seed)
    assert np.allclose(np.diagonal(pattern_cosine(5 * patterns, patterns)), 1)
    assert np.allclose(np.diagonal(map_pearson(5 * maps + 3, maps)), 1)
    assert map_pearson(-maps, maps)[0, 0] == pytest.approx(-1)
    other = np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1]
    assert map_pearson(maps, maps)[0, 1] == pytest.approx(other)


def test_masked_pixels_do_not_count() -> None:
    used = np.ones((5, 8), bool)
    used[2] = False
    _, patterns = _factors(0)
    spoiled = np.where(used, patterns, 1e9)
    assert np.allclose(np.diagonal(pattern_cosine(spoiled, patterns, used_pixels=used)), 1)
    assert pattern_cosine(spoiled, patterns)[0, 0] < 0.9
    maps, _ = _factors(0)
    assert truth_error(maps, spoiled, maps, patterns, used_pixels=used) == pytest.approx(0, abs=1e-12)
    X = np.tensordot(maps, patterns, axes=(0, 0))
    assert data_error(X, maps, spoiled, used_pixels=used) == pytest.approx(0, abs=1e-20)
    with pytest.raises(InputError, match="pixels"):
        pattern_cosine(patterns, patterns, used_pixels=used[1:])


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.permutations(range(4)))
def test_match_undoes_a_permutation(seed: int, order: list[int]) -> None:
    maps, patterns = _factors(seed, k=4)
    matched = match(3 * maps[order], patterns[order], maps, patterns)
    assert np.array_equal(np.asarray(order)[matched.component], np.arange(4))
    assert found(matched) == 4
    assert found(matched, np.array([1, 2])) == 2


def test_match_is_the_best_whole_not_the_greedy_one() -> None:
    maps = np.eye(4)[:2] + 1e-3
    truth_maps = np.array([[1.0, 0.9, 0, 0], [1.0, 0, 0, 0]])
    patterns = np.ones((2, 3))
    matched = match(maps, patterns, truth_maps, patterns)
    assert matched.component.tolist() == [1, 0]


def test_components_may_be_fewer_or_more_than_the_truth() -> None:
    maps, patterns = _factors(1, k=5)
    few = match(maps[:2], patterns[:2], maps, patterns)
    assert np.count_nonzero(few.component >= 0) == 2
    assert found(few) == 2
    assert found(match(maps, patterns, maps[:2], patterns[:2])) == 2
    with pytest.raises(InputError, match="one map per pattern"):
        match(maps[:2], patterns, maps, patterns)


def test_found_needs_both() -> None:
    matched = Match(np.arange(3), np.array([0.9, 0.7, 0.8]), np.array([0.7, 0.9, 0.8]))
    assert found(matched) == 1
    assert found(matched, at=0.7) == 3


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.permutations(range(4)))
def test_the_truth_itself_reports_nothing_false(seed: int, order: list[int]) -> None:
    maps, patterns = _factors(seed, k=4)
    everything = np.ones(4, bool)
    assert false_reports(3 * maps[order], patterns[order], maps, patterns, reported=everything) == 0
    twice = false_reports(
        np.concatenate([maps, maps[:2]]),
        np.concatenate([patterns, patterns[:2]]),
        maps,
        patterns,
        reported=np.ones(6, bool),
    )
    assert twice == 2, "a second component of one crystal is false"


def test_what_resembles_nothing_is_false_and_what_is_not_reported_is_not() -> None:
    truth = np.eye(12)[:3]
    strange = np.eye(12)[[0, 5, 6]]
    words = {"reported": np.array([True, True, False])}
    assert false_reports(strange, strange, truth, truth, **words) == 1
    # the right pattern at a wrong place is as false as the wrong pattern at the right place
    assert false_reports(strange, truth, truth, truth, reported=np.ones(3, bool)) == 2
    assert false_reports(truth, strange, truth, truth, reported=np.ones(3, bool)) == 2
    assert false_reports(truth, truth, truth[:0], truth[:0], reported=np.ones(3, bool)) == 3
    assert false_reports(truth, truth, truth, truth, reported=np.zeros(3, bool)) == 0
    with pytest.raises(InputError, match="reported"):
        false_reports(truth, truth, truth, truth, reported=np.ones(2, bool))


def test_false_reports_pairs_as_many_as_can_be() -> None:
    # the first resembles both crystals, the second only one: a greedy pairing would leave one over
    truth = np.array([[1.0, 1, 0, 0, 0, 0, 0, 0], [0, 1.0, 1, 0, 0, 0, 0, 0]])
    first, second = truth[0] + truth[1], truth[0]
    both = np.stack([first, second])
    assert false_reports(both, both, truth, truth, reported=np.ones(2, bool), at=0.4) == 0


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_truth_error_is_the_one_of_the_full_matrices(seed: int) -> None:
    maps, patterns = _factors(seed)
    other_maps, other_patterns = _factors(seed + 1, k=2)
    L = maps.reshape(3, -1).T @ patterns.reshape(3, -1)
    E = other_maps.reshape(2, -1).T @ other_patterns.reshape(2, -1)
    wanted = np.sum((E - L) ** 2) / np.sum(L**2)
    assert truth_error(other_maps, other_patterns, maps, patterns) == pytest.approx(wanted)
    assert data_error(L.reshape(6, 7, 5, 8), other_maps, other_patterns) == pytest.approx(wanted)
    assert truth_error(maps, patterns, maps, patterns) < 1e-12


def test_data_error_adds_up_over_blocks() -> None:
    random = np.random.default_rng(0)
    X, W, H = random.poisson(3.0, (3000, 4)), random.random((1, 3000)), random.random((1, 4))
    wanted = np.sum((X - W.T @ H) ** 2) / np.sum(X.astype(float) ** 2)
    assert data_error(X, W, H) == pytest.approx(wanted)


@pytest.mark.parametrize("bad", [np.ones(4), np.full((2, 3), np.nan)])
def test_bad_factors_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(InputError, match="finite numbers"):
        pattern_cosine(bad, np.ones((2, 3)))


@pytest.mark.parametrize("shape", [(24, 32), (40,)])
def test_out_of_band_power_counts_what_lies_beyond(shape: tuple[int, ...]) -> None:
    grid = np.indices(shape)
    wave = sum(np.cos(np.pi * (g + 0.5) * 6 / n) for g, n in zip(grid, shape, strict=True))
    frequency = 6 / (2 * min(shape))
    maps = np.stack([wave, 7 + 2 * wave])
    assert out_of_band_power(maps, frequency * 1.01).max() < 1e-12
    assert out_of_band_power(maps, 6 / (2 * max(shape)) * 0.99) == pytest.approx([1, 1])


def test_an_object_cut_by_the_edge_is_not_sharp() -> None:
    x = np.arange(64)
    edge = np.exp(-0.5 * (x / 6.0) ** 2)[None, None] * np.ones((1, 10, 1))
    assert out_of_band_power(edge, 0.25)[0] < 1e-4


def test_limits_may_differ_between_axes() -> None:
    stripes = np.ones((8, 1)) * np.cos(np.pi * np.arange(8))
    assert out_of_band_power(stripes[None], (0.1, 0.6))[0] == pytest.approx(0, abs=1e-6)
    assert out_of_band_power(stripes[None], (0.6, 0.1))[0] > 0.9


def test_dips_are_narrow_deep_and_inside() -> None:
    v, u = np.indices((30, 34))
    smooth = 100 + 20 * np.sin(u / 9.0) + v
    holes = smooth.copy()
    holes[10, 10] -= 30
    holes[20:22, 5] -= 8
    wide = smooth.copy()
    wide[np.hypot(v - 14, u - 14) < 6] -= 30
    patterns = np.stack([smooth, holes, wide])
    n = smooth.size
    deep = dip_fraction(patterns, width=5, noise=10.0)
    assert deep.tolist() == pytest.approx([0, 1 / n, 0])
    assert dip_fraction(patterns, width=5, noise=5.0)[1] == pytest.approx(3 / n)


def test_a_slope_down_to_the_edge_is_no_dip() -> None:
    v, u = np.indices((20, 24))
    assert dip_fraction((v + 3.0 * u)[None], width=7)[0] == 0
    assert dip_fraction(-np.hypot(v - 9, u - 11)[None], width=7)[0] == 0


def test_masked_pixels_make_no_dips() -> None:
    pattern = np.full((1, 20, 20), 10.0)
    pattern[0, 8:12, 8:12] = 0
    used = pattern[0] > 0
    assert dip_fraction(pattern, width=7, used_pixels=used)[0] == 0
    assert dip_fraction(pattern, width=7)[0] > 0
    spectrum = np.ones((1, 30))
    spectrum[0, 4] = 0
    assert dip_fraction(spectrum, width=3).tolist() == pytest.approx([1 / 30])


def test_grouping_is_the_adjusted_rand_index() -> None:
    assert grouping(["x", "x", "y", "y"], [1, 1, 0, 0]) == 1
    assert grouping([0, 0, 0, 0], [1, 1, 0, 0]) == 0
    random = np.random.default_rng(0)
    assert abs(grouping(random.integers(0, 3, 3000), random.integers(0, 3, 3000))) < 0.01


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from([60.0, 90.0, 180.0, 360.0]))
def test_rotation_error_frees_one_angle_a_group_and_the_symmetry(seed: int, symmetry: float) -> None:
    random = np.random.default_rng(seed)
    true = random.uniform(0, 360, 8)
    groups = np.array([0, 0, 0, 0, 1, 1, 1, 2])
    constant = np.array([40.0, -120, 7])[groups]
    alignment = constant - true + symmetry * random.integers(-3, 3, 8)
    assert rotation_error(alignment, true, groups=groups, symmetry_deg=symmetry) == pytest.approx(0, abs=1e-6)
    off = alignment + np.array([1.0, -1, 1, -1, 0, 0, 0, 33])
    error = rotation_error(off, true, groups=groups, symmetry_deg=symmetry)
    assert error == pytest.approx(4 / 7, rel=1e-6)


def test_rotation_error_without_pairs_is_no_number() -> None:
    assert np.isnan(rotation_error(np.zeros(2), np.zeros(2), groups=[0, 1]))


def test_size_error() -> None:
    error = size_error(np.array([5.0, 6, 7]), np.array([6.0, 7, 8]))
    assert error.mean == pytest.approx(-1)
    assert error.wasserstein == pytest.approx(1)
    assert np.isnan(size_error(np.array([]), np.array([7.0])).mean)


def test_shares() -> None:
    assert phase_accuracy(["a", "b", "b"], ["a", "b", "c"]) == pytest.approx(2 / 3)
    assert np.isnan(phase_accuracy([], []))
    assert oracle_fraction(5, 20) == 0.25
    assert np.isnan(oracle_fraction(0, 0))
