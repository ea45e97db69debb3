"""The noise edge of one crystal's place: laws, limits, and the pure estimation problem by Monte Carlo."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.physics.detection import Calibration, Edge, cells, participation

SIZES = st.floats(1.0, 500.0)


@pytest.mark.parametrize(("n", "m", "times"), [(40, 150, 1.2), (40, 150, 2.0), (90, 60, 1.5), (60, 60, 3.0)])
def test_cosines_are_those_of_simulated_noise(n: int, m: int, times: float) -> None:
    edge, rng = Edge(n, m), np.random.default_rng(n + m)
    u, v = np.ones(n) / math.sqrt(n), np.ones(m) / math.sqrt(m)
    strength = times * edge.lowest
    seen = []
    for _ in range(40):
        left, _, right = np.linalg.svd(
            strength * np.outer(u, v) + rng.standard_normal((n, m)), full_matrices=False
        )
        seen.append((abs(left[:, 0] @ u), abs(right[0] @ v)))
    # near the edge finite sizes blur the limit
    assert np.mean(seen, axis=0) == pytest.approx(edge.cosines(strength), abs=0.1 if times < 1.5 else 0.03)


@given(SIZES, SIZES, st.floats(0.05, 0.99))
@settings(max_examples=40, deadline=None)
def test_strength_for_a_cosine_gives_it_and_lies_above_the_edge(n: float, m: float, cosine: float) -> None:
    edge = Edge(n, m)
    strength = edge.strength_for(cosine)
    assert strength > edge.lowest
    assert min(edge.cosines(strength)) == pytest.approx(cosine, rel=1e-6)


@given(SIZES, SIZES, st.floats(1.0, 5.0))
@settings(max_examples=40, deadline=None)
def test_cosines_rise_with_strength_and_change_places_with_the_sides(
    n: float, m: float, times: float
) -> None:
    edge = Edge(n, m)
    weak, strong = edge.cosines(times * edge.lowest), edge.cosines(1.1 * times * edge.lowest)
    assert all(0 <= a <= b < 1 for a, b in zip(weak, strong, strict=True))
    assert Edge(m, n).cosines(times * edge.lowest) == pytest.approx(weak[::-1])
    assert edge.cosines(0.99 * edge.lowest) == (0.0, 0.0)
    assert edge.cosines(1e4 * edge.lowest) == pytest.approx((1.0, 1.0), abs=1e-4)


def test_noisier_spots_need_a_stronger_crystal() -> None:
    edge = Edge(5, 60)
    even, bright, dark = (edge.strength_for(0.8, unevenness=u) for u in (1.0, 2.0, 0.5))
    assert dark < even < bright


@given(st.floats(0.1, 10), st.floats(0.05, 1), st.floats(0, 0.5), st.floats(0.1, 5))
@settings(max_examples=40, deadline=None)
def test_probability_rises_from_nothing_to_all_but_the_lapse(
    excess: float, spread: float, lapse: float, times: float
) -> None:
    calibration, needed = Calibration(excess, spread, lapse, 0.1), np.array([3.0, 5.0])
    values = [
        calibration.probability(needed * t * excess, needed) for t in (0.0, 1e-6, times, 1.1 * times, 1e9)
    ]
    assert values == sorted(values)
    assert values[0] == values[1] == 0 or values[1] < 1e-6
    assert values[-1] == pytest.approx(1 - lapse)
    assert calibration.probability(needed * excess, needed) == pytest.approx((1 - lapse) / 2)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=20), st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_participation_has_no_scale(values: list[float], factor: float) -> None:
    image = np.array(values)
    assert participation(factor * image) == pytest.approx(participation(image))
    assert 1 - 1e-9 <= participation(image) <= image.size + 1e-9


def test_blurred_noise_has_as_many_values_as_its_variance_says() -> None:
    kernel = np.full((3, 3), 1 / 9)
    noise = np.random.default_rng(0).standard_normal((120, 120))
    from scipy.signal import convolve

    blurred = convolve(noise, kernel, mode="valid")
    assert cells(noise.size, kernel) / noise.size == pytest.approx(blurred.var(), rel=0.1)
    assert cells(2, kernel) == 1.0


@pytest.mark.parametrize(("n", "m"), [(0.5, 3), (3, 0), (math.nan, 3), (3, math.inf)])
def test_no_place_is_refused(n: float, m: float) -> None:
    with pytest.raises(InputError, match="noise edge"):
        Edge(n, m)


@pytest.mark.parametrize(("cosine", "uneven"), [(0.0, 1.0), (1.0, 1.0), (0.8, 0.0)])
def test_no_cosine_is_refused(cosine: float, uneven: float) -> None:
    with pytest.raises(InputError, match="cosine"):
        Edge(3, 3).strength_for(cosine, unevenness=uneven)
