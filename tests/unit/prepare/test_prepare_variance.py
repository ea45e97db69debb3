"""V(k) is that of the speckle and not of counting, in each of its definitions."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.prepare.variance import variance_profile

SHAPE, CENTER = (20, 20, 33, 30), (16.2, 14.7)
NAMES = ("variance_image", "rings", "ring_ensemble", "annular_mean")


def profile_of(level, seed: int = 0, **given_):
    data = np.random.default_rng(seed).poisson(np.broadcast_to(level, SHAPE))
    return variance_profile(Scan.from_array(data), **({"center": CENTER, "width": 2.0} | given_))


def pulls(found, wanted):
    """Return (found - wanted) / error of all rings but the innermost two."""
    return np.array([((getattr(found, n) - wanted[n]) / getattr(found, f"{n}_error"))[2:] for n in NAMES])


@pytest.mark.parametrize("level", [0.3, 5.0])
def test_counting_alone_gives_zero_within_its_error(level: float) -> None:
    off = np.array([pulls(profile_of(level, seed), dict.fromkeys(NAMES, 0.0)) for seed in range(12)])
    rms = np.sqrt(np.mean(off**2, axis=(0, 2)))
    assert np.all((rms > 0.75) & (rms < 1.3)), rms
    assert np.abs(off.mean(axis=(0, 2))).max() < 0.5
    raw = profile_of(level, gain=0.0)
    np.testing.assert_allclose(raw.variance_image[2:], 1 / level, rtol=0.12)


@pytest.mark.parametrize("level", [2.0, 20.0])
def test_speckle_of_known_variance(level: float) -> None:
    """Gamma of shape 4 in every pixel: V = 1/4 but for the mean over a ring, where it averages out."""
    speckle = level * np.random.default_rng(7).gamma(4.0, 0.25, SHAPE)
    found = profile_of(speckle)
    for name in NAMES[:3]:
        np.testing.assert_allclose(getattr(found, name)[2:], 0.25, atol=0.02)
    assert np.abs(found.annular_mean[2:]).max() < 0.01


def test_thickness_is_seen_by_some_definitions_and_not_by_rings() -> None:
    thickness = 10 * np.random.default_rng(8).gamma(25.0, 0.04, (20, 20, 1, 1))
    found = profile_of(thickness)
    expected = np.var(thickness) / np.mean(thickness) ** 2
    for name in ("variance_image", "ring_ensemble", "annular_mean"):
        np.testing.assert_allclose(getattr(found, name)[2:], expected, atol=0.006)
    assert np.abs(found.rings[2:]).max() < 0.004


def test_a_ring_of_speckle_stands_out_where_it_is() -> None:
    v, u = (np.arange(n) - c for n, c in zip(SHAPE[2:], CENTER, strict=True))
    on_ring = np.exp(-0.5 * ((np.hypot(v[:, None], u[None, :]) - 9) / 1.5) ** 2)
    speckle = np.random.default_rng(9).gamma(4.0, 0.25, SHAPE)
    found = profile_of(20 * (1 + on_ring * (speckle - 1)), width=1.0)
    assert found.frequency[np.nanargmax(found.variance_image)] == pytest.approx(9, abs=1)
    assert found.variance_image[-1] < 0.02


def test_scaled_counts_need_their_gain() -> None:
    data = 6.0 * np.random.default_rng(0).poisson(4.0, SHAPE)
    scan = Scan.from_array(data)
    with_gain = variance_profile(scan, center=CENTER, width=2.0, gain=6.0)
    assert np.abs(with_gain.variance_image[2:]).max() < 0.02
    assert variance_profile(scan, center=CENTER, width=2.0).variance_image[2:].min() > 0.15


def test_lazy_data_masks_and_weights() -> None:
    data = np.random.default_rng(0).poisson(4.0, SHAPE).astype(float)
    pixels, positions = np.ones(SHAPE[2:]), np.ones(SHAPE[:2])
    pixels[10:13, 8], positions[3] = 0, 0
    data[..., 10:13, 8] = np.nan
    held = Scan.from_array(data, pixel_weights=pixels, position_weights=positions)
    lazy = Scan.from_array(
        da.from_array(data, chunks=(7, 6, 33, 15)), pixel_weights=pixels, position_weights=positions
    )
    found, same = (
        variance_profile(scan, center=CENTER, memory_budget=budget)
        for scan, budget in ((held, 10**9), (lazy, 300_000))
    )
    assert found.n_positions == 380
    for name in NAMES:
        assert np.isfinite(getattr(found, name)[2:]).all()
        np.testing.assert_allclose(getattr(found, name), getattr(same, name), rtol=1e-6, atol=1e-9)


def test_rings_without_counts_have_no_variance() -> None:
    assert np.isnan(profile_of(0.0).variance_image).all()


@pytest.mark.parametrize(
    ("data", "given_"),
    [(np.ones((1, 1, 9, 9)), {}), (np.ones((3, 3, 9, 9)), {"gain": -1.0}), (np.ones((3, 3, 9)), {})],
)
def test_bad_input_is_refused(data, given_) -> None:
    with pytest.raises(InputError):
        variance_profile(Scan.from_array(data), center=(4, 4), **given_)
