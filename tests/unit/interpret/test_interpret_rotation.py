"""The rotation between scan and detector is found from shifts of the beam, with an error that is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.interpret.rotation import scan_rotation


def phase(size=56, seed=0):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    places = random.uniform(5, size - 5, (20, 2))
    return sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / 2 / random.uniform(2, 5) ** 2) for a, b in places)


SLOPE_Y, SLOPE_X = np.gradient(phase())


def turned(angle_deg):
    t = np.deg2rad(angle_deg)
    return SLOPE_Y * np.cos(t) - SLOPE_X * np.sin(t), SLOPE_Y * np.sin(t) + SLOPE_X * np.cos(t)


def apart(found, angle):
    return (found.angle_deg - angle + 90) % 180 - 90


@settings(max_examples=10, deadline=None)
@given(st.floats(-90, 90))
def test_without_noise_the_angle_is_exact_up_to_half_a_turn(angle: float) -> None:
    found = scan_rotation(*turned(angle))
    assert abs(apart(found, angle)) < 0.1
    assert found.curl_share < 0.01
    assert not found.mirrored
    opposite = scan_rotation(*turned(angle + 180))
    assert abs((found.angle_deg - opposite.angle_deg + 90) % 180 - 90) < 1e-6


@pytest.mark.parametrize(("noise", "smoothing"), [(0.02, 1.5), (0.1, 1.5), (0.1, 2.5)])
def test_errors_are_the_size_of_what_is_off(noise: float, smoothing: float) -> None:
    pulls = []
    for seed in range(50):
        random = np.random.default_rng(seed)
        v, u = (part + noise * random.standard_normal(part.shape) for part in turned(33.0))
        found = scan_rotation(v, u, smoothing=smoothing)
        pulls.append(apart(found, 33.0) / found.error_deg)
    assert 0.8 < np.sqrt(np.mean(np.square(pulls))) < 1.3


def test_a_beam_that_wanders_evenly_changes_nothing() -> None:
    y, x = np.mgrid[:56, :56]
    v, u = turned(-48.0)
    plain, wandering = scan_rotation(v, u), scan_rotation(v + 0.05 * y - 0.3 * x, u + 0.2 * y + 7)
    assert wandering.angle_deg == pytest.approx(plain.angle_deg, abs=1e-6)


def test_a_reversed_axis_is_called_out() -> None:
    v, u = turned(20.0)
    found = scan_rotation(-v, u)
    assert found.mirrored
    assert "runs backwards" in found.words


def test_noise_alone_has_no_angle() -> None:
    random = np.random.default_rng(0)
    found = scan_rotation(*random.standard_normal((2, 56, 56)))
    assert found.error_deg > 8
    assert found.curl_share > 0.4
    assert np.isinf(scan_rotation(np.ones((30, 30)), np.ones((30, 30))).error_deg)


@pytest.mark.parametrize(
    ("v", "u", "smoothing"),
    [
        (np.ones(9), np.ones(9), 1.0),
        (np.ones((30, 30)), np.ones((30, 31)), 1.0),
        (np.ones((10, 30)), np.ones((10, 30)), 1.5),
        (np.full((30, 30), np.nan), np.ones((30, 30)), 1.5),
        (np.ones((30, 30)), np.ones((30, 30)), 0.0),
    ],
)
def test_bad_input_is_refused(v, u, smoothing) -> None:
    with pytest.raises(InputError, match="scan_rotation"):
        scan_rotation(v, u, smoothing=smoothing)
