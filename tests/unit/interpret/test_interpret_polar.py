"""The polar transform: values, masks, rings that count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_phantoms import beam_mask, few, middle, pattern_axes, places

from unmixel.dataset.axes import Axis
from unmixel.interpret.polar import pixel_steps, polar_grid


def grid_of(shape, used=None, center=None):
    used = np.ones(shape, bool) if used is None else used
    return polar_grid(pattern_axes(shape), used, center=center or middle(shape))


def test_linear_pattern_is_read_exactly() -> None:
    shape, center = (31, 26), (14.3, 12.9)
    up, right = places(shape, center)
    grid = grid_of(shape, center=center)
    rings = grid.of((100 + 3 * up + 2 * right)[None])[0]
    angle = np.radians(np.arange(grid.n_angles) * grid.step_deg)
    expected = 100 + grid.radii[:, None] * (3 * np.sin(angle) + 2 * np.cos(angle))
    inside = grid.radii <= 11
    np.testing.assert_allclose(rings[inside], expected[inside], rtol=1e-5)


def test_angles_run_counter_clockwise_as_displayed() -> None:
    pattern = np.zeros((21, 21))
    pattern[2, 10] = 1.0  # straight up
    grid = grid_of((21, 21))
    ring, sample = np.unravel_index(grid.of(pattern[None])[0].argmax(), grid.used.shape)
    assert grid.radii[ring] == 8
    assert sample * grid.step_deg == pytest.approx(90, abs=1)


@few
@given(
    st.tuples(st.integers(9, 40), st.integers(9, 40)),
    st.tuples(st.floats(0.35, 0.65), st.floats(0.35, 0.65)),
    st.floats(0.1, 1e6),
)
def test_constant_pattern_stays_constant_whatever_the_mask(shape, place, level) -> None:
    center = (place[0] * shape[0], place[1] * shape[1])
    used = beam_mask(shape, center=center, radius=2.0)
    used[shape[0] // 2, : shape[1] // 3] = False
    grid = grid_of(shape, used, center)
    rings = grid.of(np.where(used, level, -1e9)[None])[0]
    np.testing.assert_allclose(rings[grid.used], level, rtol=1e-5)
    assert np.all(rings[~grid.used] == 0)
    assert np.all(grid.used.mean(axis=1) >= 0.49)


def test_masked_beam_and_rim_drop_out_a_beam_stop_stays() -> None:
    shape = (64, 64)
    used = beam_mask(shape, radius=6) & ~beam_mask(shape, radius=28)
    used[30:34, :32] = False
    grid = grid_of(shape, used)
    assert grid.radii[0] == 7
    assert grid.radii[-1] in (27, 28)
    left = grid.n_angles // 2
    assert not grid.used[:, left].any()
    assert grid.used[:, left // 2].all()


def test_detector_that_is_not_square_keeps_half_rings() -> None:
    grid = grid_of((21, 61))
    assert 10 < grid.radii[-1] < 20
    assert grid.used[grid.radii <= 10].all()


def test_eight_samples_per_radius_and_never_fewer_than_one_per_degree() -> None:
    assert grid_of((21, 21)).n_angles == 360
    large = grid_of((201, 201))
    assert large.n_angles == 8 * large.radii[-1]


def test_pixels_that_are_not_square_are_rings_in_physical_space() -> None:
    axes = (Axis("v", 31, scale=0.2, unit="mrad"), Axis("u", 61, scale=-0.1, unit="mrad"))
    assert pixel_steps(axes) == (2.0, 1.0)
    up, right = places((31, 61), (15.0, 30.0))
    pattern = 100 - np.hypot(2 * up, right)
    grid = polar_grid(axes, np.ones((31, 61), bool), center=(15.0, 30.0))
    rings = grid.of(pattern[None])[0]
    near = (grid.radii > 4) & (grid.radii < 28)
    np.testing.assert_allclose(rings[near], 100 - np.tile(grid.radii[near, None], grid.n_angles), atol=0.2)


def test_anomaly_has_no_ring_mean() -> None:
    used = beam_mask((40, 40))
    used[:20, :19] = False
    grid = grid_of((40, 40), used)
    rings = grid.of(np.random.default_rng(0).random((3, 40, 40)))
    anomaly = grid.anomaly(rings)
    np.testing.assert_allclose(anomaly.sum(axis=2), 0, atol=1e-3)
    assert np.all(anomaly[:, ~grid.used] == 0)


def test_nothing_used_gives_no_rings() -> None:
    grid = grid_of((20, 20), np.zeros((20, 20), bool))
    assert len(grid.radii) == 0
    assert grid.of(np.ones((2, 20, 20))).shape == (2, 0, 360)
