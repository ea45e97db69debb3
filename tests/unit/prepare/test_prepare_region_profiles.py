"""Regions give what their positions would give alone."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Instrument, Scan
from unmixel.physics.halo import Halo
from unmixel.prepare.region_profiles import region_profiles

CENTER = (23.4, 22.8)


def two_glasses(seed: int = 0):
    """A scan of two glasses, left and right, and the map of their regions."""
    v, u = (np.arange(n) - c for n, c in zip((48, 46), CENTER, strict=True))
    g = 0.02 * np.hypot(v[:, None], u[None, :])
    left, right = (30 * Halo(place).intensity(g) for place in (0.25, 0.29))
    labels = np.zeros((9, 11), int)
    labels[:, :4], labels[:, 7:] = 3, 8
    level = np.where((np.arange(11) < 6)[None, :, None, None], left, right)
    data = np.random.default_rng(seed).poisson(np.broadcast_to(level, (9, 11, 48, 46)))
    scan = Scan.from_array(
        data.astype(np.uint16), pattern_step=(0.02, "1/angstrom"), instrument=Instrument(voltage_kV=300.0)
    )
    return scan, labels


def test_each_region_has_its_own_mean_and_profile() -> None:
    scan, labels = two_glasses()
    found = region_profiles(scan, labels, center=CENTER)
    assert found.labels.tolist() == [3, 8]
    assert found.n_positions.tolist() == [36, 36]
    for number, label in enumerate((3, 8)):
        expected = scan.data[labels == label].mean(axis=0)
        np.testing.assert_allclose(found.patterns[number], expected, rtol=1e-12)
    tops = [profile.frequency[5:][np.argmax(profile.mean[5:])] for profile in found]
    np.testing.assert_allclose(tops, [0.25, 0.29], atol=0.012)
    assert len(found) == 2
    assert {profile.unit for profile in found} == {"1/angstrom"}


def test_standard_errors_are_those_of_counting() -> None:
    found = [
        region_profiles(two_glasses(seed)[0], two_glasses()[1], center=CENTER).profiles[0]
        for seed in range(25)
    ]
    spread = np.std([profile.mean for profile in found], axis=0, ddof=1)
    told = np.mean([profile.standard_error for profile in found], axis=0)
    assert 0.85 < np.sqrt(np.mean((spread / told) ** 2)) < 1.15


def test_a_mask_is_one_region_and_units_are_converted() -> None:
    scan, labels = two_glasses()
    found = region_profiles(scan, labels == 3, unit="1/nm", center=CENTER)
    plain = region_profiles(scan, labels, center=CENTER).profiles[0]
    assert found.labels.tolist() == [1]
    np.testing.assert_allclose(found.profiles[0].frequency, 10 * plain.frequency)
    np.testing.assert_allclose(found.profiles[0].mean, plain.mean)


def test_positions_and_pixels_of_weight_zero_are_left_out() -> None:
    scan, labels = two_glasses()
    weights, pixels = np.ones((9, 11)), np.ones((48, 46))
    weights[0], pixels[:, 5] = 0, 0
    data = scan.data.astype(float)
    data[..., 5] = np.nan
    held = Scan(data, scan.scan_axes, scan.pattern_axes, pixel_weights=pixels, position_weights=weights)
    found = region_profiles(held, labels, center=CENTER)
    assert found.n_positions.tolist() == [32, 32]
    assert np.isfinite(found.profiles[0].mean).all()
    np.testing.assert_allclose(found.patterns[0][:, 6:], data[1:][labels[1:] == 3].mean(axis=0)[:, 6:])


def test_lazy_data_give_the_same_within_a_small_budget() -> None:
    scan, labels = two_glasses()
    lazy = Scan(da.from_array(scan.data, chunks=(2, 3, 48, 23)), scan.scan_axes, scan.pattern_axes)
    found = region_profiles(lazy, labels, center=CENTER, memory_budget=200_000)
    np.testing.assert_allclose(
        found.patterns, region_profiles(scan, labels, center=CENTER).patterns, rtol=1e-12
    )


@pytest.mark.parametrize(
    ("regions", "given_", "what"),
    [
        (np.ones((3, 3), int), {}, "regions"),
        (np.zeros((9, 11), int), {}, "regions"),
        (np.ones((9, 11)), {}, "regions"),
        (np.arange(99).reshape(9, 11), {"memory_budget": 10_000}, "memory_budget"),
    ],
)
def test_bad_input_is_refused(regions, given_, what) -> None:
    with pytest.raises(InputError, match=what):
        region_profiles(two_glasses()[0], regions, center=CENTER, **given_)


def test_a_region_without_used_positions_is_refused() -> None:
    scan, labels = two_glasses()
    weights = (labels != 8).astype(float)
    held = Scan(scan.data, scan.scan_axes, scan.pattern_axes, position_weights=weights)
    with pytest.raises(InputError, match="none in region 8"):
        region_profiles(held, labels, center=CENTER)
