"""What chance reaches: probabilities that agree with the law they were drawn from, and with their own levels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_phantoms import few

from unmixel.dataset.scan import Scan
from unmixel.interpret.chance import TAIL, Chance, Tail
from unmixel.interpret.doses import doses_of
from unmixel.interpret.neighbourhood import Neighbourhoods


def rayleigh(n=4000, *, seed=0, scale=0.1):
    """Return values t with P(T > t) = exp(-t^2 / (2 scale^2)): the law of the tail, exactly."""
    return scale * np.sqrt(-2 * np.log(np.random.default_rng(seed).random(n)))


def test_the_tail_is_the_law_that_it_was_drawn_from() -> None:
    tail = Tail.of(100.0, rayleigh(), np.ones(4000))
    for p in (0.2, 0.05, 0.01, 1e-4, 1e-8):
        true = 0.1 * np.sqrt(-2 * np.log(p))
        assert float(tail.log_p(np.array(true))) == pytest.approx(np.log(p), rel=0.08, abs=0.1)
        assert tail.level(p) == pytest.approx(true, rel=0.04)


@few
@given(st.integers(0, 50), st.floats(1e-6, 0.9))
def test_probability_and_level_are_inverse_and_fall(seed, p) -> None:
    tail = Tail.of(100.0, rayleigh(600, seed=seed), np.ones(600))
    back = float(np.exp(tail.log_p(np.array(tail.level(p)))))
    assert back == pytest.approx(p, rel=1e-6) if p < TAIL else back == pytest.approx(p, abs=0.01)
    values = tail.log_p(np.linspace(0, 1, 200))
    assert np.all(np.diff(values) <= 1e-12)
    assert values[0] == 0.0


def test_between_doses_levels_are_interpolated_and_beyond_them_kept() -> None:
    tails = tuple(Tail.of(d, rayleigh(scale=s), np.full(4000, d)) for d, s in ((100.0, 0.1), (10_000.0, 0.2)))
    chance = Chance(tails)
    low, high = (tail.level(0.01) for tail in tails)
    found = chance.level(0.01, np.array([1.0, 100.0, 1_000.0, 10_000.0, 1e9]))
    np.testing.assert_allclose(found, [low, low, (low + high) / 2, high, high])
    assert chance.n_surrogates == 8000
    p = chance.p_value(np.array([low, high]), np.array([100.0, 10_000.0]))
    np.testing.assert_allclose(p, 0.01)
    assert chance.structure(np.array([50.0, 200.0]), np.array([100.0, 100.0])).tolist() == [0.0, 0.5]


def test_doses_are_those_of_used_pixels_and_classes_have_their_patterns() -> None:
    rng = np.random.default_rng(0)
    dose = np.repeat([10.0, 1_000.0], 50)
    values = rng.poisson(dose[:, None] * np.array([0.2, 0.8, 5.0])).astype(np.float32)
    used, counted = np.array([True, True, False]), np.ones(100, bool)
    counted[3] = False
    scan = Scan.from_array(values, n_pattern_axes=1)
    found = doses_of(Neighbourhoods(scan, 0.0, 60 * 16 * 18), used, counted)
    np.testing.assert_array_equal(found.electrons, np.where(counted, values[:, :2].sum(axis=1), 0))
    assert 2 <= len(found.classes) <= 6
    for electrons, mean in found.classes:
        assert mean.sum() == pytest.approx(electrons)
        assert mean[2] == 0
    weak, strong = found.classes[0], found.classes[-1]
    assert weak[0] < 20
    assert strong[0] > 900
    assert strong[1][1] / strong[1][0] == pytest.approx(4.0, rel=0.2)
    np.testing.assert_allclose(found.expected[:2], values[counted][:, :2].mean(axis=0), rtol=1e-5)
