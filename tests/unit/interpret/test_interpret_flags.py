"""Planted faults are remarked on, sound components are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_phantoms import beam_mask, body_map, few, halo, make_factors, pattern_axes, places, spots

from unmixel.dataset.axes import Axis
from unmixel.dataset.results import Uncertainty
from unmixel.interpret.camera import along_line, at_rim, in_single_pixels
from unmixel.interpret.displaced import beyond_slopes
from unmixel.interpret.flags import flag_components, is_artefact

SHAPE = (61, 80)
USED = beam_mask(SHAPE)
ALL = np.ones(SHAPE, bool)
CENTER = (30.0, 39.5)
SOUND = [spots(kind, degrees, shape=SHAPE) for kind, degrees in ((0, 10.0), (1, 40.0), (2, 80.0), (0, 33.0))]
SPREAD = body_map((30, 40), [(15, 20, 12)], fwhm=2)


def remarks(patterns, maps=None, counts=3e4, **fields):
    maps = [SPREAD] * len(patterns) if maps is None else maps
    noisy = np.random.default_rng(0).poisson(
        counts * np.array([p * USED / (p * USED).sum() for p in patterns])
    )
    return flag_components(make_factors(noisy, maps=maps, used=USED, axes=pattern_axes(SHAPE), **fields))


def line(slope, offset, width=0.7):
    """Return a streak at an angle (in degrees, counter-clockwise from +u) and a distance from the centre."""
    up, right = places(SHAPE, CENTER)
    angle = np.radians(slope)
    return np.exp(-((up * np.cos(angle) - right * np.sin(angle) - offset) ** 2) / (2 * width**2))


def test_sound_components_have_no_remarks() -> None:
    strange = [spots(0, 10.0, shape=SHAPE, jitter=np.random.default_rng(1)) + 0.2 * halo(shape=SHAPE)]
    assert remarks(SOUND + strange + [halo(shape=SHAPE)]) == ((),) * 6


@pytest.mark.parametrize("slope", [0.0, 37.0, 90.0, 151.0])
@pytest.mark.parametrize("offset", [0.0, 11.0, -17.0])
@pytest.mark.parametrize("background", [0.0, 0.05])
def test_streaks_are_camera_artefacts(slope, offset, background) -> None:
    found = remarks([*SOUND, line(slope, offset) + background * halo(shape=SHAPE)])[-1]
    assert any("straight line" in word for word in found)
    assert is_artefact(found)


def test_rows_of_spots_are_no_streaks() -> None:
    up, right = places(SHAPE, CENTER)
    row = sum(np.exp(-(up**2 + (right - 7 * h) ** 2) / (2 * 1.3**2)) for h in range(-5, 6))
    assert not along_line(row, ALL)
    assert not along_line(halo(shape=SHAPE), ALL)
    assert not along_line(np.ones(SHAPE), ALL)
    assert not along_line(np.zeros(SHAPE), ALL)
    assert not along_line(np.random.default_rng(0).exponential(size=SHAPE), ALL)


def test_large_detectors_are_binned_for_streaks() -> None:
    pattern = np.random.default_rng(0).poisson(1.0, (200, 256)).astype(float)
    assert not along_line(pattern, np.ones(pattern.shape, bool))
    pattern[120] += 200
    assert along_line(pattern, np.ones(pattern.shape, bool))


def test_counts_at_the_rim() -> None:
    rim = np.full(SHAPE, 0.01)
    rim[0] = 3.0
    rim[:, -1] = 1.0
    assert at_rim(rim, ALL)
    assert "rim" in remarks([*SOUND, rim])[-1][0]
    assert not at_rim(np.ones(SHAPE), ALL)
    assert not at_rim(np.ones((9, 9)), np.ones((9, 9), bool))
    masked = ALL.copy()
    masked[:3] = masked[-3:] = False
    masked[:, :3] = masked[:, -3:] = False
    assert not at_rim(np.where(masked, 1.0, 0.0), masked)


def test_isolated_pixels_are_artefacts_sharp_bragg_pairs_are_not() -> None:
    pixels, pairs = np.full(SHAPE, 0.01), np.full(SHAPE, 0.01)
    for v, u in ((5, 9), (40, 60), (22, 71)):
        pixels[v, u] = 50.0
        pairs[v, u] = pairs[60 - v, 79 - u] = 50.0
    assert in_single_pixels(pixels, ALL, CENTER)
    assert not in_single_pixels(pairs, ALL, CENTER)
    assert "isolated" in remarks([*SOUND, pixels])[-1][0]
    assert not in_single_pixels(np.random.default_rng(0).poisson(0.05, SHAPE).astype(float), ALL, CENTER)
    assert not in_single_pixels(np.zeros(SHAPE), ALL, CENTER)


def test_a_ghost_is_wider_than_spots() -> None:
    up, right = places(SHAPE, CENTER)
    ghost = 1 / (1 + np.exp((np.hypot(up - 18, right - 6) - 8) / 0.7))
    found = remarks([*SOUND, ghost + 0.3 * halo(shape=SHAPE)])
    assert "wider" in found[-1][0]
    assert not any(map(is_artefact, found[:-1]))


def test_direct_beam_tail() -> None:
    up, right = places(SHAPE, CENTER)
    radius = np.hypot(up, right)
    found = remarks(
        [*SOUND, np.exp(-radius / 4), 1 / (1 + radius**2) ** 1.5, halo(shape=SHAPE), np.ones(SHAPE)]
    )
    assert [("direct-beam tail?" in words) for words in found] == [False] * 4 + [True, True, False, False]
    # a crystal over a strong tail is still a crystal
    mixed = SOUND[0] / SOUND[0].sum() + 0.8 * np.exp(-radius / 4) * USED / (np.exp(-radius / 4) * USED).sum()
    assert not any(map(is_artefact, remarks([*SOUND, mixed])))


def test_unpaired_pattern_among_paired_ones() -> None:
    _, right = places(SHAPE, CENTER)
    one_sided = spots(1, 40.0, shape=SHAPE) / (1 + np.exp(-(right - 5) / 2))
    found = remarks([*SOUND, one_sided])
    assert "not centrosymmetric, unlike the others" in found[-1]
    assert not is_artefact(found[-1])
    assert all("not centrosymmetric, unlike the others" not in words for words in found[:-1])


def test_maps() -> None:
    rng = np.random.default_rng(0)
    shape = (30, 40)
    edge = np.zeros(shape)
    edge[:, :2] = 5.0
    maps = {
        "sound": SPREAD,
        "matrix": rng.poisson(1e4 * (1 - 0.8 * SPREAD)).astype(float),
        "noise": rng.exponential(size=shape),
        "speckle": (rng.random(shape) < 0.1).astype(float),
        "edge": edge,
        "particle at the edge": body_map(shape, [(15, 1, 12)]),
        "empty": np.zeros(shape),
        "rounding": 1e-10 * body_map(shape, [(20, 20, 8)]),
    }
    patterns = [spots(i % 3, 10.0 * i, shape=SHAPE, jitter=rng) for i in range(len(maps))]
    strengths = [image.sum() for image in maps.values()]
    found = dict(zip(maps, remarks(patterns, list(maps.values()), strengths=strengths), strict=True))
    assert found["sound"] == found["particle at the edge"] == ()
    assert found["empty"] == found["rounding"] == ("no counts",)
    assert is_artefact(found["empty"])  # no particle is made of it
    assert found["matrix"] == ("map fills the scan",)
    assert "looks like noise" in found["noise"]
    assert found["speckle"] == ("looks like noise",)
    assert found["edge"] == ("edge of scan only",)


def test_a_displaced_matrix_is_no_precipitate() -> None:
    """Crescents are what a halo adds where a frame stands a fraction of a pixel off; crystals and other rings not."""
    glass, moved = (halo(shape=SHAPE, center=(30.0 + dv, 39.5 + du)) for dv, du in ((0, 0), (0.4, -0.3)))
    crescent = np.maximum(moved - 0.95 * glass, 0)
    patterns = [glass, crescent, *SOUND, halo(shape=SHAPE, ring=15.0)]
    found = remarks(patterns, [np.ones((30, 40)), *[SPREAD] * 6], counts=3e5)
    assert any(word.startswith("displaced matrix?") and "descan" in word for word in found[1])
    assert is_artefact(found[1])
    for words in (found[0], *found[2:]):
        assert not any("displaced" in word for word in words)
    # where nothing fills the scan nothing can be displaced
    assert not any("displaced" in word for words in remarks(patterns) for word in words)


@few
@given(
    seed=st.integers(0, 99),
    known=st.integers(0, 2),
    shape=st.sampled_from([(7, 9), (1, 12), (30,)]),
    scale=st.floats(1e-3, 1e3),
)
def test_what_is_left_of_patterns_whose_like_may_be_displaced(seed, known, shape, scale) -> None:
    rng = np.random.default_rng(seed)
    patterns, there = rng.random((3, *shape)), rng.random((known, *shape))
    weights = rng.random(shape) * (rng.random(shape) > 0.2)
    left = beyond_slopes(patterns, there, weights)
    assert np.all((left >= 0) & (left <= 1 + 1e-9))
    np.testing.assert_allclose(beyond_slopes(scale * patterns, there, weights), left, rtol=1e-6)
    np.testing.assert_allclose(beyond_slopes(patterns, scale * there, scale * weights), left, rtol=1e-6)
    if not known:
        assert np.all(left == 1)
    masked = np.where(weights > 0, there, 1e3 * rng.random(shape))
    assert np.all(np.isfinite(beyond_slopes(patterns, masked, weights)))


def test_near_duplicates_name_the_stronger_one() -> None:
    found = remarks([*SOUND, SOUND[1] * 1.01])
    (word,) = found[4]
    assert word.startswith("near-duplicate of component 1 (cosine 0.9")
    assert found[1] == ()


def test_two_parts_of_one_thing_are_a_split() -> None:
    y, x = np.indices((30, 40))
    left, right, apart = (1.0 * (np.abs(y - 15) < 9) * (np.abs(x - c) < 4) for c in (12, 19, 34))
    ramp = SOUND[1] + 0.15 * SOUND[0]
    patterns = [SOUND[0], SOUND[1], ramp]
    found = remarks(patterns, [SPREAD, 2 * left, right])
    assert found[2][0].startswith("split of component 1 (patterns alike, 0.9")
    assert found[0] == found[1] == ()
    # the same pattern elsewhere is another crystal, the same map is a near-duplicate or another structure
    for place in (apart, left):
        assert not any("split" in word for word in remarks(patterns, [SPREAD, 2 * left, place])[2])
    # unlike patterns side by side are two crystals
    assert remarks([SOUND[0], SOUND[1], SOUND[2]], [SPREAD, 2 * left, right])[2] == ()


def test_what_halves_of_the_counts_do_not_share_is_told() -> None:
    factors = make_factors(SOUND, maps=[SPREAD] * 4, used=USED, axes=pattern_axes(SHAPE))
    errors = Uncertainty(factors.maps, factors.patterns, 1.0, "", stability=np.array([0.95, 0.6, 0.49, 0.1]))
    found = flag_components(replace(factors, uncertainty=errors))
    assert found == ((), (), ("unstable (agreement 0.49)",), ("looks like noise (agreement 0.10)",))
    assert [is_artefact(words) for words in found] == [False, False, False, True]
    assert flag_components(replace(factors, uncertainty=replace(errors, stability=None))) == ((),) * 4


def test_line_scans_spectra_and_one_component() -> None:
    channel = np.arange(60.0)
    spectra = [np.exp(-(((channel - c) / 3) ** 2)) + 0.01 for c in (20, 20.1, 45)]
    lines = np.array([np.exp(-(((np.arange(29) - c) / 4) ** 2)) for c in (8, 20, 25)])
    factors = make_factors(spectra, maps=lines, axes=(Axis("energy", 60, unit="eV"),))
    found = flag_components(factors)
    assert found[1][0].startswith("near-duplicate of component 0")
    assert found[0] == found[2] == ()
    single = make_factors([SOUND[0]], maps=[SPREAD], used=USED, axes=pattern_axes(SHAPE))
    assert flag_components(single) == ((),)


def test_nothing_used_and_tiny_detectors_do_not_break() -> None:
    masked = make_factors(np.ones((2, 20, 20)), used=np.zeros((20, 20), bool))
    assert len(flag_components(masked)) == 2
    tiny = make_factors(np.random.default_rng(0).random((3, 4, 5)))
    assert len(flag_components(tiny)) == 3
