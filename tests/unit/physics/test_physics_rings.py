"""Shares of pixels in rings are exact areas, so that nothing is lost, counted twice or aliased."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.physics.rings import disc_shares, ring_grid


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    center=st.tuples(st.floats(-3, 14), st.floats(-3, 14)),
    step=st.tuples(st.floats(0.2, 3), st.floats(0.2, 3)),
    width=st.floats(0.3, 4),
)
def test_every_pixel_is_shared_out_whole(shape, center, step, width) -> None:
    grid = ring_grid(np.ones(shape, bool), center=center, step=step, width=width, coverage=0.0)
    shares = grid.shares.toarray()
    assert shares.min() >= 0
    assert shares.max() <= 1 + 1e-9
    np.testing.assert_allclose(shares.sum(axis=0), 1.0, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    center=st.tuples(st.floats(0, 8), st.floats(0, 8)),
    step=st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)),
    radius=st.floats(0.1, 9),
)
def test_shares_of_a_disc_are_areas(center, step, radius) -> None:
    fine = (np.arange(64) + 0.5) / 64 - 0.5
    v = (np.arange(9)[:, None] + fine - center[0]).ravel() * step[0]
    u = (np.arange(9)[:, None] + fine - center[1]).ravel() * step[1]
    inside = np.hypot(v[:, None], u[None, :]) <= radius
    counted = inside.reshape(9, 64, 9, 64).mean(axis=(1, 3))
    np.testing.assert_allclose(disc_shares((9, 9), radius, center=center, step=step), counted, atol=0.01)


def test_whole_rings_have_the_area_of_rings() -> None:
    grid = ring_grid(np.ones((41, 41), bool), center=(19.7, 20.4), step=(2.0, 1.0), width=0.75)
    inside = np.arange(len(grid)) < 20  # up to 15 units; the detector reaches 20
    wanted = np.pi * 0.75**2 * (2 * np.arange(len(grid)) + 1) / 2.0
    np.testing.assert_allclose(grid.n_pixels[inside], wanted[inside], rtol=1e-9)


def test_a_linear_profile_is_kept_exactly() -> None:
    grid = ring_grid(np.ones((33, 29), bool), center=(15.3, 14.8), step=(0.03, 0.02))
    found = grid.profile(5.0 - 2.0 * grid.distance)
    np.testing.assert_allclose(found.mean, 5.0 - 2.0 * found.frequency, rtol=1e-12)


@pytest.mark.parametrize("center", [(50.0, 50.0), (49.3, 50.7)])
@pytest.mark.parametrize("step", [(1.0, 1.0), (1.6, 1.0)])
@pytest.mark.parametrize("width", [0.5, 1.0])
def test_a_smooth_halo_is_met_to_half_a_percent(center, step, width) -> None:
    def halo(r, bend=False):
        t = (r - 30) / 6
        peak = np.exp(-0.5 * t**2)
        diffuse = 0.3 * np.exp(-r / 30)
        return peak * (t**2 - 1) / 36 + diffuse / 900 if bend else peak + diffuse

    grid = ring_grid(np.ones((101, 101), bool), center=center, step=step, width=width)
    found = grid.profile(halo(grid.distance))
    beyond = (found.frequency > 4) & (found.frequency < 48)
    r = found.frequency[beyond]
    error = found.mean[beyond] - halo(r)
    assert np.abs(error).max() < 0.005
    # what is left is the curvature within a ring and nothing that comes and goes from ring to ring
    explained = 0.5 * found.spread[beyond] ** 2 * halo(r, bend=True)
    assert np.abs(error - explained).max() < 0.0006


def test_masked_pixels_do_not_count() -> None:
    used = np.ones((31, 31), bool)
    used[:, 12] = False
    grid = ring_grid(used, center=(15, 15))
    pattern = np.where(used, 7.0, np.nan).ravel()
    np.testing.assert_allclose(grid.mean(pattern), 7.0)
    full = ring_grid(np.ones((31, 31), bool), center=(15, 15))
    assert grid.n_pixels.sum() < full.n_pixels.sum()


@pytest.mark.parametrize("counting", [True, False])
@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_standard_errors_are_those_of_repeated_patterns(counting: bool, width: float) -> None:
    grid = ring_grid(np.ones((41, 41), bool), center=(20.2, 19.6), width=width)
    level = 9 * np.exp(-grid.distance / 15)
    random = np.random.default_rng(0)
    found = []
    for _ in range(200):
        counts = random.poisson(level).astype(float)
        found.append(grid.profile(counts, counts if counting else None))
    far = slice(int(4 / width), None)  # few pixels know their own spread badly
    spread = np.std([profile.mean for profile in found], axis=0)[far]
    told = np.sqrt(np.mean([profile.standard_error**2 for profile in found], axis=0))[far]
    assert 0.93 < np.sqrt(np.mean((spread / told) ** 2)) < 1.07
    # and those of an average over many rings once the sharing of pixels is taken into account
    many = slice(int(5 / width), int(15 / width))
    average = np.std([profile.mean[many].mean() for profile in found])
    joint = np.mean([np.sqrt((p.standard_error[many] ** 2 * p.sharing[many]).sum()) for p in found])
    assert average == pytest.approx(joint / (many.stop - many.start), rel=0.15)


@pytest.mark.parametrize(
    "change",
    [{"center": (np.nan, 1)}, {"step": (0.0, 1.0)}, {"width": 0.0}, {"coverage": 2.0}, {"used": np.ones(4, bool)},
     {"used": np.zeros((4, 4), bool)}, {"center": (400.0, 1.0)}],
)  # fmt: skip
def test_bad_input_is_refused(change) -> None:
    given_ = {"used": np.ones((9, 9), bool), "center": (4, 4)} | change
    with pytest.raises(InputError, match="rings"):
        ring_grid(given_.pop("used"), **given_)
