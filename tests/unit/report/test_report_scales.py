"""Laws of scale bars, colour scales and borders."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unmixel.dataset.axes import Axis
from unmixel.report.borders import borders
from unmixel.report.scalebar import round_length, scale_bar
from unmixel.report.scales import linear_scale, log_scale, nice_ticks, ratio_scale, spread_scale, sqrt_scale

positive = st.floats(1e-9, 1e9)


@given(positive)
def test_round_lengths_are_one_two_five_and_as_long_as_allowed(longest):
    length = round_length(longest)
    assert length <= longest * (1 + 1e-6)
    assert length > 0.39 * longest
    digits = length / 10 ** math.floor(math.log10(length) + 1e-9)
    assert min(abs(digits - step) for step in (1, 2, 5, 10)) < 1e-6


@given(st.integers(1, 4000), st.floats(1e-4, 1e4), st.sampled_from(["nm", "1/angstrom", "mrad", "px", "eV"]))
def test_scale_bars_fit_their_picture(size, step, unit):
    bar = scale_bar(Axis("x", size, scale=step, unit=unit))
    assert 0 < bar.samples <= max(1.0, 0.37 * size) * (1 + 1e-6)  # as round_length allows
    number, name = bar.text.split(" ", 1)
    assert float(number) > 0
    assert name != "um"


def test_bars_of_uncalibrated_axes_are_whole_pixels():
    assert scale_bar(Axis("x", 26, scale=0.2)).text == "5 px"
    assert scale_bar(Axis("x", 1)).text == "1 px"
    assert scale_bar(Axis("x", 5000, scale=1.0, unit="nm")).text == "1 µm"


images = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=8),
    elements=st.floats(0, 1e12) | st.just(float("nan")),
)


@settings(max_examples=30)
@given(images)
def test_scales_are_usable_whatever_the_image(values):
    for make in (linear_scale, spread_scale, sqrt_scale, log_scale, ratio_scale):
        scale = make(values)
        assert math.isfinite(scale.low)
        assert math.isfinite(scale.high)
        assert scale.low < scale.high
        ticks = scale.ticks(1.0)
        places = [float(scale.norm()(tick)) for tick in ticks]
        assert all(-1e-6 <= place <= 1 + 1e-6 for place in places)
        assert all(b - a >= 0.159 for a, b in pairwise(places))
        assert len({scale.tick_text(tick) for tick in ticks}) == len(ticks)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_lie_in_range(low, width):
    ticks = nice_ticks(low, low + width)
    assert all(low - 1e-6 * width <= tick <= low + width * (1 + 1e-6) for tick in ticks)
    assert ticks == sorted(ticks)


def test_an_open_beam_does_not_hide_the_spots_and_clipping_is_said():
    pattern = np.full((64, 64), 1.0)
    pattern[30:33, 30:33] = 1e5
    scale = sqrt_scale(pattern)
    assert scale.high < 1e5
    assert "brightest clipped" in scale.label("share")
    used = pattern < 1e4
    assert sqrt_scale(pattern, used).high == 1.0
    assert sqrt_scale(pattern, used).clipped
    assert not sqrt_scale(np.ones((8, 8))).clipped


@settings(max_examples=30)
@given(images, st.floats(0.1, 100))
def test_ratios_are_symmetric_about_what_is_expected(values, expected):
    scale = ratio_scale(values, expected=expected)
    assert math.sqrt(scale.low * scale.high) == pytest.approx(expected)
    assert float(scale.norm()(expected)) == pytest.approx(0.5)


def test_small_contrast_keeps_its_digits():
    scale = spread_scale(np.array([1000.1, 1000.4]))
    assert [scale.tick_text(tick) for tick in scale.ticks(2.0)] == ["1.0001", "1.0002", "1.0003", "1.0004"]
    assert linear_scale(np.array([-3.0, 1.0])).tick_text(-2.0) == "−2"


def test_powers_of_ten_are_taken_out_of_the_ticks():
    scale = linear_scale(np.array([0.0, 43210.0]))
    assert scale.label("counts") == "10⁴ counts"
    assert scale.tick_text(20000.0) == "2"
    assert log_scale(np.array([1e-6, 1.0])).tick_text(1e-3) == "10⁻³"


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_borders_hold_every_edge_between_marked_and_other_pixels_once(mask):
    steps = [tuple(sorted((a, b))) for line in borders(mask) for a, b in pairwise(line)]
    expected = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    assert len(steps) == len(set(steps)) == expected
    assert all(abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1 for a, b in steps)


def test_a_region_inside_has_one_closed_border():
    mask = np.zeros((6, 7), bool)
    mask[2:4, 2:5] = True
    (line,) = borders(mask)
    assert line[0] == line[-1]
    assert len(line) == 11
