"""Symmetry around rings is measured, and counting noise alone has none."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.interpret.azimuthal import azimuthal_correlation
from unmixel.interpret.polar import polar_grid

CENTER = (32.3, 33.1)
SQUARE = (Axis("v", 65), Axis("u", 65))
OBLONG = (Axis("v", 65, scale=1.3, unit="mrad"), Axis("u", 80, scale=1.0, unit="mrad"))


def grid_of(axes, *, stop: bool):
    used = np.ones(tuple(axis.size for axis in axes), bool)
    if stop:  # a beam stop from the left
        used[30:35, :36] = False
    return polar_grid(axes, used, center=CENTER), used


def petals(axes, n, depth, level=1.0):
    v, u = (np.arange(axis.size) - c for axis, c in zip(axes, CENTER, strict=True))
    angle = np.arctan2(-v[:, None] * axes[0].scale, u[None, :] * axes[1].scale)
    return level * (1 + depth * np.cos(n * angle))


@pytest.mark.parametrize("n", [2, 4, 6, 10])
@pytest.mark.parametrize(("axes", "stop"), [(SQUARE, False), (OBLONG, True)])
def test_a_harmonic_has_half_its_squared_depth(n, axes, stop) -> None:
    grid, _ = grid_of(axes, stop=stop)
    found = azimuthal_correlation(petals(axes, n, 0.3), grid, gain=0)
    # the corners of the detector cut rings beyond
    far = (found.radii > 12) & (found.radii < 30)
    own = found.orders.index(n)
    # bilinear interpolation lowers fine harmonics; behind a stop the mean of a ring is off, and harmonics mix
    wanted = 0.045 * (1 - (n / found.radii[far]) ** 2 / 6)
    tolerance = 0.2 if stop else 0.01
    np.testing.assert_allclose(found.power[0, far, own], wanted, rtol=tolerance)
    others = np.delete(found.power[0, far], own, axis=1)
    assert np.abs(others).max() < (0.004 if stop else 0.0005)
    lag = np.argmin(np.abs(found.lag_deg - 360 / n))
    np.testing.assert_allclose(found.correlation[0, far, lag], wanted, rtol=tolerance)


@pytest.mark.parametrize("level", [0.3, 10.0])
@pytest.mark.parametrize(("axes", "stop"), [(SQUARE, False), (OBLONG, True)])
def test_noise_alone_gives_nothing_within_its_error(level, axes, stop) -> None:
    grid, used = grid_of(axes, stop=stop)
    noise = np.random.default_rng(0).poisson(level, (60, *used.shape))
    found = azimuthal_correlation(noise, grid)
    far = found.radii > 6
    share = np.sqrt(len(noise))
    off = (found.correlation.mean(axis=0) / found.error.mean(axis=0) * share)[far]
    assert 0.6 < np.sqrt(np.nanmean(off**2)) < 1.3
    assert abs(np.nanmean(off[:, 0])) < 0.5  # lag 0 is all self-term
    power = (found.power.mean(axis=0) / found.power_error.mean(axis=0) * share)[far]
    assert 0.6 < np.sqrt(np.mean(power**2)) < 1.3
    # without the correction lag 0 is far from nothing
    raw = azimuthal_correlation(noise, grid, gain=0).correlation.mean(axis=0)[far, 0]
    assert np.nanmin(raw / found.error.mean(axis=0)[far, 0] * share) > 8


def test_gain_of_scaled_counts() -> None:
    grid, used = grid_of(SQUARE, stop=False)
    noise = 7.0 * np.random.default_rng(1).poisson(2.0, (60, *used.shape))
    found = azimuthal_correlation(noise, grid, gain=7.0)
    far = found.radii > 6
    off = found.correlation.mean(axis=0)[far, 0] / found.error.mean(axis=0)[far, 0] * np.sqrt(60)
    assert abs(off.mean()) < 0.5


def test_signal_above_noise_is_unbiased() -> None:
    grid, _ = grid_of(SQUARE, stop=False)
    counts = np.random.default_rng(2).poisson(petals(SQUARE, 6, 0.3, 5.0), (80, 65, 65))
    found = azimuthal_correlation(counts, grid)
    far = found.radii > 8
    assert found.power[:, far, 2].mean() == pytest.approx(0.045, rel=0.04)
    assert np.abs(found.power[:, far].mean(axis=(0, 1))[[0, 1, 3, 4, 5]]).max() < 0.001


def test_lags_without_pairs_are_not_told_and_empty_rings_have_no_power() -> None:
    used = np.ones((65, 65), bool)
    used[:, :32] = False
    grid = polar_grid(SQUARE, used, center=(32, 32))
    found = azimuthal_correlation(np.ones((65, 65)), grid, gain=0)
    assert np.isnan(found.correlation[0, 8:, -1]).all()
    assert np.isnan(found.error[0, 8:, -1]).all()
    np.testing.assert_allclose(found.correlation[0, 8:, :40], 0.0, atol=1e-6)
    assert np.isnan(azimuthal_correlation(np.zeros((65, 65)), grid).power).all()


@pytest.mark.parametrize(
    "change", [{"patterns": np.ones((3, 4, 5))}, {"gain": -1.0}, {"orders": (0,)}, {"orders": (9999,)}]
)
def test_bad_input_is_refused(change) -> None:
    given_ = {"patterns": np.ones((65, 65)), "grid": grid_of(SQUARE, stop=False)[0]} | change
    with pytest.raises(InputError, match="azimuthal_correlation"):
        azimuthal_correlation(given_.pop("patterns"), given_.pop("grid"), **given_)
