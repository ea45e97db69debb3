"""A calibration turns pixels into spatial frequencies and back, and knows its ellipse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.dataset.axes import Axis
from unmixel.dataset.calibration import Calibration, CalibrationFit, SpotResiduals, ellipse_errors
from unmixel.dataset.scan import Scan

SQUARE = Calibration.from_steps((31.5, 30.0), (0.02, 0.02))


def stretch(ratio, angle_deg):
    half, double = np.log(ratio) / 2, 2 * np.deg2rad(angle_deg)
    return float(half * np.cos(double)), float(half * np.sin(double))


def fit_of(calibration, covariance=None):
    none = np.zeros(0)
    spots = SpotResiduals(
        none.astype(int), np.zeros((0, 2)), none, none, none, np.zeros((0, 3), int), none,
        none.astype(bool), none.astype(bool),
    )  # fmt: skip
    cov = np.diag([0.01, 0.04, 1e-6, 1e-6, 1e-6]) if covariance is None else covariance
    return CalibrationFit(calibration, cov, "Cu", spots, 0.0, 0, 0.0, 1.0, 0.0, True, "")


@settings(max_examples=25)
@given(st.floats(1.001, 1.3), st.floats(0, 180, exclude_max=True), st.floats(-0.2, 0.2))
def test_ratio_angle_and_scale_come_back(ratio: float, angle: float, log_scale: float) -> None:
    where = SQUARE.stretched(stretch(ratio, angle), log_scale=log_scale, shift=(1.0, -2.0))
    found, direction = where.ellipse
    assert found == pytest.approx(ratio, rel=1e-9)
    assert (direction - angle + 90) % 180 - 90 == pytest.approx(0, abs=1e-4)
    assert where.scale == pytest.approx(0.02 * np.exp(log_scale), rel=1e-12)
    assert where.center == (32.5, 28.0)


@settings(max_examples=25)
@given(st.floats(1, 1.3), st.floats(0, 180))
def test_places_and_frequencies_are_each_others_inverse_and_a_circle_is_longest_along_the_angle(
    ratio, angle
) -> None:
    where = SQUARE.stretched(stretch(ratio, angle))
    t = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    circle = 0.4 * np.column_stack([-np.sin(t), np.cos(t)])
    place = where.place(circle)
    np.testing.assert_allclose(where.g(place), circle, atol=1e-12)
    radius = np.linalg.norm(place - where.center, axis=1)
    assert radius.max() / radius.min() == pytest.approx(ratio, rel=1e-3)
    if ratio > 1.01:
        longest = np.rad2deg(t[np.argmax(radius)])
        assert (longest - angle + 90) % 180 - 90 == pytest.approx(0, abs=1.5)


def test_steps_keep_their_signs_and_the_reach_is_the_nearest_edge() -> None:
    where = Calibration.from_steps((10.0, 30.0), (-0.02, 0.03))
    assert where.step == (-0.02, 0.03)
    assert where.reach((64, 64)) == pytest.approx(min(10.5 * 0.02, 30.5 * 0.03))
    assert where.ellipse[0] == pytest.approx(1.5)
    tall = SQUARE.stretched(stretch(1.2, 30.0))
    t = np.linspace(0, 2 * np.pi, 720)
    reach = tall.reach((64, 64))
    edge = tall.place(reach * np.column_stack([np.sin(t), np.cos(t)]))
    assert edge.min() == pytest.approx(-0.5, abs=0.01) or edge.max() == pytest.approx(63.5, abs=0.01)
    assert -0.51 < edge.min() < edge.max() < 63.51


def test_errors_of_an_ellipse() -> None:
    where = SQUARE.stretched(stretch(1.02, 70.0))
    ratio, angle = ellipse_errors(where, 1e-6 * np.eye(2))
    assert ratio == pytest.approx(2 * 1e-3 * 1.02, rel=1e-3)
    assert angle == pytest.approx(np.rad2deg(1e-3 / 2 / (np.log(1.02) / 2)), rel=1e-2)
    assert ellipse_errors(SQUARE, 1e-6 * np.eye(2)) == (pytest.approx(2e-3), 90.0)
    assert ellipse_errors(where, np.diag([np.inf, 1.0]))[0] == np.inf


def test_a_fit_goes_onto_a_scan_and_is_written_down() -> None:
    scan = Scan.from_array(np.zeros((2, 3, 64, 64)), pattern_step=(0.7, "mrad"))
    fixed = fit_of(SQUARE.stretched(stretch(1.02, 0.0))).on(scan)
    assert {axis.unit for axis in fixed.pattern_axes} == {"1/angstrom"}
    v, u = fixed.pattern_axes
    assert v.scale / u.scale == pytest.approx(1.02)
    assert -v.offset / v.scale == pytest.approx(31.5)
    assert fixed.history[-1].name == "calibrate"
    assert "calibrated by Cu" in fixed.history[-1].effect
    assert scan.pattern_axes[0] == Axis("v", 64, scale=0.7, unit="mrad")
