"""Ring profiles: alike where the rings are, whatever falls off beneath."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from interpret_phantoms import few

from unmixel.interpret.profile import profile_similarity, reduced_profile

R = np.arange(6.0, 32.0)


def glass(ring=13.0, *, width=3.5, tail=0.6, fall=10.0):
    rings = np.exp(-(((R - ring) / width) ** 2)) + 0.35 * np.exp(-(((R - 1.75 * ring) / (1.6 * width)) ** 2))
    return rings + tail * np.exp(-R / fall)


def one(a, b):
    return profile_similarity(np.array([a, b]), R)[0, 1]


@few
@given(st.floats(0.3, 2.0), st.floats(8.0, 14.0), st.floats(1e-3, 1e6))
def test_background_and_scale_hardly_matter(tail, fall, scale) -> None:
    assert one(glass(), scale * glass(tail=tail, fall=fall)) > 0.75


def test_the_further_the_ring_the_less_alike() -> None:
    values = [one(glass(), glass(ring)) for ring in (13.0, 13.5, 14.5, 16.0, 18.0)]
    assert np.all(np.diff(values) < 0)
    assert values[1] > 0.9
    assert values[3] < 0.3


def test_featureless_profiles_are_alike_and_unlike_a_halo() -> None:
    tails = [10 * np.exp(-R / 6), np.exp(-R / 10), np.full(len(R), 3.0)]
    assert min(one(tails[0], tails[1]), one(tails[1], tails[2])) > 0.9
    assert max(one(tail, glass()) for tail in tails) < 0.3


@few
@given(
    st.lists(st.floats(0, 1e6), min_size=26, max_size=26),
    st.lists(st.floats(0, 1e6), min_size=26, max_size=26),
)
@example([1.0] * 26, [0.0] * 25 + [5e-324])
def test_any_profiles_give_a_similarity(a, b) -> None:
    values = profile_similarity(np.array([a, b]), R)
    assert np.all(np.isfinite(values))
    assert np.all((values >= 0) & (values <= 1))
    assert np.array_equal(values, values.T)
    assert np.all(np.diag(values) == 1)


def test_reduced_profile_of_a_pure_background_is_zero() -> None:
    profile, weight = reduced_profile(np.exp(2 - 0.1 * R - 0.002 * R**2), R)
    np.testing.assert_allclose(profile, 0, atol=1e-9)
    assert weight.sum() == 1 or abs(weight.sum() - 1) < 1e-12


def test_too_few_rings_are_featureless() -> None:
    assert np.all(reduced_profile(np.array([1.0, 5.0, 2.0]), np.array([1.0, 2.0, 3.0]))[0] == 0)
