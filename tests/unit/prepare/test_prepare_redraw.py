"""Counts moved by fractions of a pixel: Poisson stays Poisson, every frame is blurred alike, nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.prepare.redraw import Redraw, chances, reached


def moves(shift, n: int):
    return np.column_stack([np.tile(np.asarray(shift, float), (n, 1)), np.arange(n)])


@given(part=st.floats(-0.5, 0.5))
def test_the_mean_is_the_shift_and_the_blur_is_the_same_for_all(part: float) -> None:
    p, way = chances(np.array(part)), np.array([-1, 0, 1])
    assert p.min() >= 0
    assert p.sum() == pytest.approx(1)
    assert p @ way == pytest.approx(part)
    assert p @ (way - part) ** 2 == pytest.approx(0.25)


@settings(deadline=None, max_examples=25)
@given(
    shift=st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
    dtype=st.sampled_from(["uint8", "int32", "float32"]),
    most=st.integers(1, 60),
)
def test_no_electron_is_lost_inside(shift, dtype: str, most: int) -> None:
    frames = np.zeros((3, 13, 11), dtype)
    frames[:, 4:9, 4:7] = np.random.default_rng(most).integers(0, most, (3, 5, 3))
    before = frames.copy()
    after = Redraw()(frames, moves(shift, 3))
    assert after.dtype == frames.dtype
    np.testing.assert_array_equal(after.sum((1, 2)), frames.sum((1, 2)))
    np.testing.assert_array_equal(frames, before)
    np.testing.assert_array_equal(Redraw()(frames[1:2], moves(shift, 3)[1:2])[0], after[1])


@pytest.mark.parametrize(("unit", "dtype"), [(1, "uint16"), (3, "uint16"), (0.25, "float64")])
@pytest.mark.parametrize("mean", [1.3, 60.0])
def test_poisson_stays_poisson(unit: float, dtype: str, mean: float) -> None:
    """Variance over mean is what an electron counts, neighbours are uncorrelated: few and many electrons alike."""
    rng, n = np.random.default_rng(3), 1500
    frames = (unit * rng.poisson(mean * np.linspace(0.5, 1.5, 8), (n, 7, 8))).astype(dtype)
    after = Redraw(unit)(frames, moves((0.3, -0.4), n))[:, 2:-2, 2:-2] / unit
    expected = mean * np.linspace(0.5, 1.5, 8)
    slope = expected[1] - expected[0]
    np.testing.assert_allclose(after.mean((0, 1)), expected[2:-2] + 0.4 * slope, rtol=0.03)
    centred = after - after.mean(axis=0)
    variance = (centred**2).mean(axis=0)
    np.testing.assert_allclose(variance / after.mean(axis=0), 1, atol=0.2)
    for one, other in ((centred[:, 1:], centred[:, :-1]), (centred[..., 1:], centred[..., :-1])):
        assert abs(np.mean(one * other)) < 0.04 * variance.mean()


def test_electrons_of_several_counts_stay_whole() -> None:
    frames = 3 * np.random.default_rng(0).poisson(2.0, (5, 9, 9))
    assert np.all(Redraw(3)(frames, moves((0.5, 0.2), 5)) % 3 == 0)


def test_what_is_no_whole_electron_goes_as_one_piece() -> None:
    frames = np.zeros((1, 9, 9))
    frames[0, 4, 4] = 2.5
    after = Redraw()(frames, moves((0.1, 0.1), 1))[0]
    assert after.sum() == 2.5
    assert set(np.unique(after)) <= {0, 0.5, 1, 1.5, 2, 2.5}
    frames[0, 4, 4], frames[0, 4, 5] = -0.5, np.nan
    after = Redraw()(frames, moves((0, 0), 1))[0]
    assert np.isnan(after).sum() == 1
    assert np.nansum(after) in (0, -0.5)  # where nothing is known, nothing can be added


def test_full_pixels_do_not_run_over() -> None:
    frames = np.full((1, 9, 9), 255, np.uint8)
    after = Redraw()(frames, moves((0.5, 0.5), 1))[0, 2:-2, 2:-2]
    assert after.min() > 150  # none came round to 0


def test_reached_holds_whatever_was_reached() -> None:
    frames = np.zeros((1, 15, 15), np.uint16)
    frames[0, 7, 7] = 60_000
    after = Redraw()(frames, moves((1.4, -2.2), 1))[0]
    seen = {(int(v) - 7, int(u) - 7) for v, u in np.argwhere(after)}
    assert seen == {tuple(map(int, shift)) for shift in reached(np.array([[1.4, -2.2]]))}
