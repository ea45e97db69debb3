"""Rings are found where they are, with errors that hold, and none where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.interpret.peaks import find_spots
from unmixel.interpret.ring_fit import FWHM
from unmixel.interpret.rings import find_rings, radial_profile
from unmixel.io.open import open as open_scan
from unmixel.physics.halo import Halo
from unmixel.prepare.origin import find_spot, symmetry_center
from unmixel.prepare.statistics import pattern_statistics

ROOT = Path(__file__).parents[3]
CROP = ROOT / "examples" / "data" / "mgo_crop.hspy"
SCAN = ROOT / ".." / "shared" / "data" / "mgo_sped" / "mgo_nanoparticles.zspy"
MGO = 4.21  # angstrom
INDICES = {"111": 3, "200": 4, "220": 8, "311": 11}


def frequencies(shape=(128, 128), center=(63.4, 64.2), step=(0.01, 0.01)):
    v, u = ((np.arange(n) - c) * s for n, c, s in zip(shape, center, step, strict=True))
    return np.hypot(v[:, None], u[None, :])


def profile_of(image, center=(63.4, 64.2), step=(0.01, 0.01), **given_):
    return radial_profile(image, center=center, step=step, **given_)


def test_errors_of_a_fitted_ring_hold_over_fifty_patterns() -> None:
    shape, center = (96, 96), (47.4, 48.2)
    g = frequencies(shape, center)
    level = 20 * np.exp(-g / 0.3) + 8 * np.exp(-0.5 * ((g - 0.3) / 0.03) ** 2)
    pulls = []
    for seed in range(50):
        rings = find_rings(profile_of(np.random.default_rng(seed).poisson(level), center=center, gain=1))
        assert len(rings) == 1
        ring = rings[0]
        pulls.append(
            [
                (ring.position - 0.3) / ring.position_error,
                (ring.fwhm - 0.03 * FWHM) / ring.fwhm_error,
                (ring.height - 8.0) / ring.height_error,
            ]
        )
    rms = np.sqrt(np.mean(np.square(pulls), axis=0))
    assert np.all((rms > 0.8) & (rms < 1.3)), rms
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.5


@pytest.mark.parametrize("dose", [20, 2000])
@pytest.mark.parametrize("step", [(0.01, 0.01), (0.015, 0.009)])
def test_a_glass_gives_its_first_maximum_and_width(dose, step) -> None:
    g = frequencies(step=step)
    glass = np.random.default_rng(1).poisson(dose * Halo(0.25).intensity(g))
    rings = find_rings(profile_of(glass, step=step, gain=1))
    first = max(rings, key=lambda ring: ring.height)
    assert first.position == pytest.approx(0.25, rel=0.002)
    assert first.fwhm == pytest.approx(0.08 * 0.25 * FWHM, rel=0.04)
    assert first.height == pytest.approx(dose, rel=0.03)
    second = [ring for ring in rings if abs(ring.position - 1.7 * 0.25) < 0.01]
    assert len(second) == 1


def test_the_glass_phantom_gives_the_halo_it_was_made_with() -> None:
    scan = open_scan("demo:glass?scan=12x12&detector=96x96&dose=40000&precipitates=0&spot=0.6&seed=3")
    step = abs(scan.pattern_axes[0].scale)
    center = tuple(-axis.offset / axis.scale for axis in scan.pattern_axes)
    image = np.asarray(scan.data).sum(axis=(0, 1))
    used = frequencies(image.shape, center, (step, step)) > 0.2
    rings = find_rings(radial_profile(image, center=center, step=(step, step), used=used, gain=1))
    first = max(rings, key=lambda ring: ring.height)
    assert first.position == pytest.approx(0.40, rel=0.003)
    spot = 0.6 * step
    assert first.fwhm == pytest.approx(FWHM * np.hypot(0.08 * 0.40, spot), rel=0.03)


@pytest.mark.parametrize("sigma", [0.4, 0.7])  # px
def test_sharp_powder_rings_are_found(sigma: float) -> None:
    truth = {0.2: 30, 0.231: 50, 0.327: 30, 0.383: 20, 0.45: 10}
    g = frequencies()
    level = 20 * np.exp(-g / 0.3) + sum(
        h * np.exp(-0.5 * ((g - p) / (0.01 * sigma)) ** 2) for p, h in truth.items()
    )
    rings = find_rings(profile_of(np.random.default_rng(0).poisson(level), gain=1))
    assert len(rings) == len(truth)
    for ring, (position, height) in zip(rings, truth.items(), strict=True):
        assert ring.position == pytest.approx(position, abs=0.0006)
        assert ring.fwhm == pytest.approx(0.01 * sigma * FWHM, rel=0.25)
        assert ring.height == pytest.approx(height, rel=0.15)


def test_mgo_powder_on_a_real_detector_gives_its_first_rings() -> None:
    """Geometry of the MgO scan, lines as wide as its spots allow to keep apart."""
    step = 0.03246
    g = frequencies((144, 144), (71.5, 72.4), (step, step))
    level = 2 + 30 * np.exp(-g / 0.4)
    for squared, height in zip(INDICES.values(), (5, 40, 25, 6), strict=True):
        level += height * np.exp(-0.5 * ((g - np.sqrt(squared) / MGO) / 0.018) ** 2)
    image = np.random.default_rng(0).poisson(20 * level)
    used = g > 0.2
    rings = find_rings(radial_profile(image, center=(71.5, 72.4), step=(step, step), used=used, gain=1))
    assert len(rings) == 4
    for ring, squared in zip(rings, INDICES.values(), strict=True):
        assert 1 / ring.spacing == pytest.approx(np.sqrt(squared) / MGO, rel=0.01)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), level=st.floats(1, 300), decay=st.floats(0.1, 2))
def test_a_background_alone_has_no_rings(seed: int, level: float, decay: float) -> None:
    background = 1 + level * np.exp(-frequencies() / decay)
    assert not find_rings(profile_of(np.random.default_rng(seed).poisson(background), gain=1))


def test_a_ring_cut_by_the_rim_is_not_measured() -> None:
    g = frequencies()
    level = 5 + 50 * np.exp(-0.5 * ((g - g.max() * 0.72) / 0.1) ** 2)
    for ring in find_rings(profile_of(level, gain=1)):
        assert ring.position + ring.fwhm / 2 < profile_of(level).frequency[-1]


def test_masked_pixels_and_units() -> None:
    g = frequencies()
    image = 5 + 50 * np.exp(-0.5 * ((g - 0.3) / 0.02) ** 2)
    used = np.ones(g.shape, bool)
    used[60:68, :70] = False
    wild = np.where(used, image, 1e9)
    profile = profile_of(wild, used=used, unit="mrad")
    (ring,) = find_rings(profile)
    assert profile.unit == "mrad"
    assert ring.position == pytest.approx(0.3, rel=1e-3)
    (same,) = find_rings(profile_of(np.where(used, image, np.nan)))
    assert same == ring


@pytest.mark.parametrize("flat", [np.zeros((20, 20)), np.full((20, 20), 3.0)])
def test_flat_patterns_have_no_rings(flat) -> None:
    assert find_rings(radial_profile(flat, center=(10, 10), unit="px")) == ()


@pytest.mark.parametrize(
    "change",
    [{"pattern": np.ones(9)}, {"used": np.ones((3, 4), bool)}, {"gain": 0.0}, {"gain": np.inf}],
)
def test_bad_input_of_profiles_is_refused(change) -> None:
    given_ = {"pattern": np.ones((9, 9)), "center": (4, 4)} | change
    with pytest.raises(InputError, match="radial_profile"):
        radial_profile(given_.pop("pattern"), **given_)


@pytest.mark.parametrize("change", [{"least": 0}, {"share": 2}, {"most": 0}])
def test_bad_input_of_rings_is_refused(change) -> None:
    with pytest.raises(InputError, match="find_rings"):
        find_rings(radial_profile(np.ones((9, 9)), center=(4, 4)), **change)


def test_the_inner_spots_of_the_mgo_crop_lie_on_the_ring_220() -> None:
    """The crop holds a few cubes and no powder: its profile has no rings, so its spots are looked at one by one."""
    scan = open_scan(CROP)
    image = pattern_statistics(scan).maximum
    center = symmetry_center(image, np.ones(image.shape, bool))
    spots = find_spots(image, center, sigma=1.0, inner=4)
    g = np.hypot(*(spots.place - center).T) * scan.pattern_axes[0].scale
    inner = g[g < 0.8]
    assert len(inner) == 2
    assert inner.mean() == pytest.approx(np.sqrt(8) / MGO, rel=0.015)
    step = abs(scan.pattern_axes[0].scale)
    used = frequencies(image.shape, center, (step, step)) > 0.3
    assert find_rings(radial_profile(image, center=center, step=(step, step), used=used)) == ()


@pytest.mark.real
def test_the_brightest_pattern_of_the_mgo_scan_has_its_ring_220() -> None:
    """Of the rings 111, 200, 220 and 311 this is the one that the few cubes of the scan show as a ring."""
    if not SCAN.exists():
        pytest.skip("the MgO scan is not beside the repository")
    scan = open_scan(SCAN)
    found = pattern_statistics(scan)
    center, step = find_spot(found.mean).center, abs(scan.pattern_axes[0].scale)
    used = frequencies(found.mean.shape, center, (step, step)) > 0.3
    rings = find_rings(radial_profile(found.maximum, center=center, step=(step, step), used=used))
    wanted = {"220": np.sqrt(8) / MGO, "331": np.sqrt(19) / MGO}
    for position in wanted.values():
        ring = min(rings, key=lambda ring, wanted=position: abs(ring.position - wanted))
        assert ring.position == pytest.approx(position, rel=0.015)
        assert abs(ring.position - position) < 3 * ring.position_error
