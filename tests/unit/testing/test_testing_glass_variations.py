"""Keys that make the glass harder: what each does to the truth, and that nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.testing.metrics import pattern_cosine
from unmixel.testing.phantoms import glass, truth_of


def test_stacked_precipitates_lie_half_the_sum_of_their_radii_apart() -> None:
    plain = truth_of("demo:glass?seed=4")
    truth = truth_of("demo:glass?seed=4&stacked=0.5")
    crystals = truth.crystals
    moved = [i for i in crystals if not np.allclose(truth.centers[i], plain.centers[i])]
    assert len(moved) == 10
    hosts = [i for i in crystals if i not in moved]
    for rider in moved:
        distance = np.linalg.norm(truth.centers[hosts] - truth.centers[rider], axis=1)
        wanted = (truth.diameters[hosts] + truth.diameters[rider]) / 4
        assert np.min(np.abs(distance - wanted)) < 1e-9
        assert np.all(truth.centers[rider] >= 0)
        assert np.all(truth.centers[rider] <= 63)
    # all but the places stays
    assert np.array_equal(truth.patterns, plain.patterns)
    assert np.array_equal(truth.diameters[2:], plain.diameters[2:])
    assert np.allclose(truth.maps.sum(axis=0), 40_000)


def test_even_sizes_fill_their_range() -> None:
    truth = truth_of("demo:glass?diameter=8&spread=0.288675&sizes=even&precipitates=9")
    assert truth.diameters[truth.crystals] == pytest.approx(np.linspace(12, 4, 9), abs=1e-4)
    assert truth_of("demo:glass?sizes=even&precipitates=1").diameters[2] == pytest.approx(7)
    assert truth_of("demo:glass?sizes=even&precipitates=0").n_components == 2
    with pytest.raises(InputError, match="spread"):
        glass(sizes="even", spread=0.6)


@pytest.mark.parametrize("n", [2, 3])
def test_each_glass_has_a_region_and_a_ring_of_its_own(n: int) -> None:
    one = truth_of("demo:glass?scan=40x48&seed=3")
    truth = truth_of(f"demo:glass?scan=40x48&seed=3&matrices={n}")
    assert truth.kinds[: 2 + n] == ("beam", *["matrix"] * n, "crystal")
    glasses = truth.maps[1 : 1 + n]
    # the same glass in all, dealt out
    assert np.allclose(glasses.sum(axis=0), one.maps[1])
    assert np.array_equal(truth.maps[1 + n :], one.maps[2:])
    assert np.array_equal(truth.patterns[1], one.patterns[1])
    share = glasses / glasses.sum(axis=0)
    assert np.mean(share.max(axis=0) > 0.99) > 0.6
    assert share.mean(axis=(1, 2)) == pytest.approx([1 / n] * n, abs=0.02)
    radius = np.hypot(*np.indices((64, 64)) - 31.5)
    rings = [
        radius[(radius > 10) & (p > 0.995 * p[radius > 10].max())].mean() for p in truth.patterns[1 : 1 + n]
    ]
    assert np.array(rings[1:]) / rings[0] == pytest.approx([1.15, 0.87][: n - 1], rel=0.04)
    assert len(truth.crystals) == 20
    assert np.all(np.isnan(truth.diameters[: 1 + n]))


def test_dynamical_factors_differ_from_crystal_to_crystal_and_break_friedel_pairs() -> None:
    keys = "precipitates=6&lattices=1&detector=65x65&seed=2"
    plain = truth_of(f"demo:glass?{keys}")
    truth = truth_of(f"demo:glass?{keys}&dynamical=0.7")
    assert np.array_equal(truth.maps, plain.maps)
    assert np.allclose(truth.patterns.sum(axis=(1, 2)), 1)
    crystals = truth.patterns[2:]
    changed = np.diagonal(pattern_cosine(crystals, plain.patterns[2:]))
    assert np.all((changed > 0.5) & (changed < 0.98))

    def friedel(patterns: np.ndarray) -> np.ndarray:
        return np.diagonal(pattern_cosine(patterns, patterns[:, ::-1, ::-1]))

    assert friedel(plain.patterns[2:]).min() > 0.9999
    assert friedel(crystals).max() < 0.98
    # spots stay where they are: every pixel is as bright as before, to a factor that is drawn
    ratio = crystals / plain.patterns[2:]
    assert ratio.min() > 0.03
    assert ratio.max() < 20


def test_dynamical_factors_are_log_normal_of_mean_one() -> None:
    from unmixel.io.glass import GlassSpec, dynamical_factors

    spec = GlassSpec(dynamical=0.7)
    drawn = np.concatenate([dynamical_factors(spec, index, 400) for index in range(50)])
    assert np.log(drawn).std() == pytest.approx(0.7, rel=0.02)
    assert drawn.mean() == pytest.approx(1, rel=0.03)


@settings(max_examples=12, deadline=None)
@given(
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.integers(0, 6),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.3, 0.5]),
    st.sampled_from(["lognormal", "even"]),
    st.integers(0, 50),
)
def test_any_variation_gives_a_sound_phantom(
    scan_shape: tuple[int, int], n: int, matrices: int, stacked: float, sizes: str, seed: int
) -> None:
    scan, truth = glass(
        scan=scan_shape, detector=(14, 11), precipitates=n, dose=300.0, seed=seed,
        matrices=matrices, stacked=stacked, sizes=sizes, dynamical=0.5,
    )  # fmt: skip
    assert scan.data.shape == (*scan_shape, 14, 11)
    assert truth.n_components == 1 + matrices + n == len(truth.kinds) == len(truth.phases)
    assert np.allclose(truth.maps.sum(axis=0), 300)
    assert np.allclose(truth.patterns.sum(axis=(1, 2)), 1)
    assert np.all(truth.maps >= 0)


def test_even_tilts_stay_below_the_angle_and_the_rest_of_the_scene_as_it_is() -> None:
    from unmixel.io.glass_scene import balls_of
    from unmixel.io.glass_spec import GlassSpec

    def scene(**keys):
        return balls_of(GlassSpec(precipitates=200, scan=(200, 200), **keys), np.random.default_rng([1, 1]))

    normal, even, flat = scene(tilt=50.0), scene(tilt=50.0, tilts="even"), scene()
    reach = np.array([np.hypot(*ball.tilt_mrad) for ball in even])
    assert reach.max() <= 50
    # even over a disk: half of them lie beyond 1 / sqrt(2) of its radius
    assert np.median(reach) == pytest.approx(50 / np.sqrt(2), rel=0.08)
    for one, other, none in zip(normal, even, flat, strict=True):
        assert np.arctan2(*one.tilt_mrad) == pytest.approx(np.arctan2(*other.tilt_mrad))
        assert (one.y, one.x, one.rotation_deg) == (other.y, other.x, other.rotation_deg)
        assert (none.y, none.tilt_mrad) == (one.y, (0.0, 0.0))
