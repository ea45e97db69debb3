"""One axis: coordinates survive cropping and binning."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis

axes = st.builds(
    Axis,
    st.just("x"),
    st.integers(1, 60),
    scale=st.floats(0.01, 10) | st.floats(-10, -0.01),
    offset=st.floats(-100, 100),
    unit=st.just("nm"),
)


@settings(deadline=None)
@given(axes, st.data())
def test_cropping_keeps_coordinates(axis: Axis, data) -> None:
    start = data.draw(st.integers(0, axis.size - 1))
    stop = data.draw(st.integers(start + 1, axis.size))
    assert np.allclose(axis.cropped(start, stop).values, axis.values[start:stop])


@settings(deadline=None)
@given(axes, st.integers(1, 5))
def test_a_bin_sits_at_the_mean_of_its_samples(axis: Axis, factor: int) -> None:
    if axis.size < factor:
        return
    n = axis.size // factor
    means = axis.values[: n * factor].reshape(n, factor).mean(axis=1)
    binned = axis.binned(factor)
    assert binned.size == n
    assert np.allclose(binned.values, means)


@pytest.mark.parametrize(
    "wrong",
    [{"size": 0}, {"scale": 0.0}, {"scale": math.nan}, {"scale": math.inf}, {"offset": math.nan}],
)
def test_impossible_axes_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="axis x"):
        Axis(**{"name": "x", "size": 3, **wrong})


def test_only_units_calibrate() -> None:
    assert Axis("x", 3, unit="nm").calibrated
    assert not Axis("x", 3).calibrated


def test_an_axis_reads_well() -> None:
    assert str(Axis("v", 144, scale=0.03246, unit="1/angstrom")) == "v: 144 x 0.03246 Å⁻¹"
