"""Where the centre comes from: axes, inversion, middle."""

from __future__ import annotations

import numpy as np
import pytest
from interpret_phantoms import beam_mask, halo, pattern_axes, spots

from unmixel.dataset.axes import Axis
from unmixel.interpret.center import pattern_center

PLAIN = (Axis("v", 61), Axis("u", 80))


def test_axes_with_an_origin_decide() -> None:
    center = pattern_center(pattern_axes((31, 26), (12.25, 14.5)), np.ones((31, 26)), np.ones((31, 26), bool))
    assert (center.v, center.u) == pytest.approx((12.25, 14.5))
    assert "axes" in center.reason


@pytest.mark.parametrize("origin", [-100.0, 5.0])
def test_an_origin_off_the_detector_does_not_count(origin) -> None:
    axes = (Axis("v", 31, offset=origin), Axis("u", 26, offset=origin))
    center = pattern_center(axes, np.ones((31, 26)), np.ones((31, 26), bool))
    assert (center.v, center.u) == (15.0, 12.5)
    assert "middle" in center.reason


@pytest.mark.parametrize("place", [(30.0, 39.5), (27.3, 43.1), (33.75, 36.2)])
@pytest.mark.parametrize("stop", [False, True])
def test_inversion_finds_the_centre_of_symmetric_patterns(place, stop) -> None:
    shape = (61, 80)
    pattern = halo(shape=shape, center=place) + spots(0, 20, shape=shape, center=place)
    used = beam_mask(shape, center=place)
    if stop:
        used[28:32, :40] = False
    noisy = np.random.default_rng(0).poisson(200 * pattern)
    center = pattern_center(PLAIN, noisy * used, used)
    assert (center.v, center.u) == pytest.approx(place, abs=0.2)
    assert "inversion" in center.reason


def test_without_symmetry_the_middle_is_assumed_and_said() -> None:
    pattern = np.random.default_rng(0).random((61, 80))
    center = pattern_center(PLAIN, pattern, np.ones((61, 80), bool))
    assert (center.v, center.u) == (30.0, 39.5)
    assert "assumed" in center.reason


def test_nothing_used() -> None:
    assert pattern_center(PLAIN, np.zeros((61, 80)), np.zeros((61, 80), bool)).v == 30.0
