"""Turning patterns and summing members."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_phantoms import beam_mask, few, middle, spots

from unmixel.interpret.align import aligned_sum, made_round, shifted_mean, turned

SHAPE = (61, 80)
CENTER = (29.0, 41.5)


@few
@given(st.floats(-180, 180))
def test_turning_is_counter_clockwise_as_displayed(degrees) -> None:
    pattern = spots(1, 10.0, shape=SHAPE, center=CENTER)
    expected = spots(1, 10.0 + degrees, shape=SHAPE, center=CENTER)
    result = turned(pattern, degrees, center=CENTER)
    near = ~beam_mask(SHAPE, center=CENTER, radius=27)
    assert np.abs(result - expected)[near].max() < 0.1 * expected.max()


def test_quarter_turns_are_exact() -> None:
    pattern = np.random.default_rng(0).random((9, 9))
    np.testing.assert_allclose(turned(pattern, 90, center=(4, 4)), np.rot90(pattern), atol=1e-6)
    np.testing.assert_allclose(turned(pattern, -180, center=(4, 4)), pattern[::-1, ::-1], atol=1e-6)
    np.testing.assert_allclose(turned(pattern, 0, center=(4, 4), mirror=True), pattern[::-1], atol=1e-6)


def test_mirror_undoes_a_turned_mirror_image() -> None:
    original = spots(2, 0.0, shape=(64, 64))
    member = turned(original[::-1], 33.0, center=middle((64, 64)))  # mirrored, then turned
    back = turned(member, -33.0, center=middle((64, 64)), mirror=True)
    near = ~beam_mask((64, 64), radius=28)
    assert np.corrcoef(back[near], original[near])[0, 1] > 0.99


def test_pixels_that_are_not_square() -> None:
    steps = (2.0, 1.0)
    pattern = spots(0, 0.0, shape=(31, 61), sigma=3.0, steps=steps)
    expected = spots(0, 40.0, shape=(31, 61), sigma=3.0, steps=steps)
    result = turned(pattern, 40.0, center=middle((31, 61)), steps=steps)
    v, u = np.indices((31, 61), dtype=float)
    near = np.hypot(2 * (v - 15), u - 30) < 25
    assert np.corrcoef(result[near], expected[near])[0, 1] > 0.98


def test_sum_fills_what_the_first_lacks_and_keeps_the_rest() -> None:
    used = beam_mask((64, 64))
    used[30:34, :32] = False  # a beam stop
    first, second = spots(0, 0.0), spots(0, 50.0)
    mean, known = aligned_sum(
        np.array([first, second]),
        used,
        [(0.0, False), (50.0, False)],
        weights=np.array([3.0, 1.0]),
        center=middle((64, 64)),
        steps=(1.0, 1.0),
    )
    stop = ~used & beam_mask((64, 64), radius=8) & ~beam_mask((64, 64), radius=28)
    assert known[stop].mean() > 0.9
    filled = known & stop
    assert np.corrcoef(mean[filled], first[filled])[0, 1] > 0.98
    assert not known[31, 31]
    assert mean[31, 31] == first[31, 31]


def test_single_member_is_itself() -> None:
    used, pattern = beam_mask((31, 26)), np.random.default_rng(0).random((31, 26))
    mean, known = aligned_sum(
        pattern[None], used, [(0.0, False)], weights=np.ones(1), center=middle((31, 26)), steps=(1.0, 1.0)
    )
    assert np.array_equal(known, used)
    np.testing.assert_allclose(mean, pattern)


def test_weights_are_a_mean() -> None:
    used = np.ones((8, 8), bool)
    mean, _ = aligned_sum(
        np.array([np.full((8, 8), 2.0), np.full((8, 8), 6.0)]),
        used,
        [(0.0, False), (0.0, False)],
        weights=np.array([3.0, 1.0]),
        center=(3.5, 3.5),
        steps=(1.0, 1.0),
    )
    assert mean == pytest.approx(np.full((8, 8), 3.0))


@few
@given(st.floats(1.0, 1.08), st.floats(0, 180))
def test_an_ellipse_is_made_round_again(ratio, angle) -> None:
    """The detector's pattern is the round one seen through a stretch along one axis."""
    center, turn = middle((64, 64)), np.radians(angle)
    v, u = np.indices((64, 64), dtype=float)
    up, right = center[0] - v, u - center[1]
    along = (right * np.cos(turn) + up * np.sin(turn)) / np.sqrt(ratio)
    across = (-right * np.sin(turn) + up * np.cos(turn)) * np.sqrt(ratio)
    x, y = along * np.cos(turn) - across * np.sin(turn), along * np.sin(turn) + across * np.cos(turn)
    places = [(12.0, 3.0), (-7.0, 15.0), (4.0, -18.0), (-16.0, -9.0)]
    seen, true = (
        sum(np.exp(-((a - p) ** 2 + (b - q) ** 2) / 8) for p, q in places) for a, b in ((x, y), (right, up))
    )
    used = np.ones((64, 64), bool)
    found, known = made_round(seen[None], used, (ratio, angle), center=center, steps=(1.0, 1.0))
    near = ~beam_mask((64, 64), radius=26) & known
    assert np.abs(found[0] - true)[near].max() < 0.09  # bilinear: an eighth of the curvature a side


@few
@given(st.floats(-9, 9), st.floats(-9, 9), st.floats(0.1, 5.0))
def test_maps_of_one_particle_are_moved_onto_each_other(down, right, height) -> None:
    y, x = np.indices((40, 44), dtype=float)
    first, second = (
        np.exp(-(((y - 20 - a) / 3) ** 2) - ((x - 22 - b) / 2) ** 2) for a, b in ((0, 0), (down, right))
    )
    mean, moves = shifted_mean(np.array([first, height * second]), np.array([1.0, 1.0]))
    np.testing.assert_allclose(moves[1], [-down, -right], atol=0.06)
    assert not moves[0].any()
    shape = first / first.sum()
    assert np.abs(mean / mean.sum() - shape).max() < 0.05 * shape.max()


def test_maps_that_leave_the_scan_and_empty_ones_are_no_trouble() -> None:
    maps = np.zeros((3, 10, 12))
    maps[0, 1:3, 1:3], maps[1, 8:, 10:] = 2.0, 1.0
    mean, moves = shifted_mean(maps, np.array([2.0, 1.0, 1.0]))
    np.testing.assert_allclose(moves, [[0, 0], [-7, -9], [0, 0]])
    assert mean[1, 1] > 0
    assert mean[8:, 10:].max() == 0
