from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.physics.kernels import (
    disk_kernel,
    disk_spot,
    gaussian_kernel,
    gaussian_spot,
    stretched_kernel,
)

WIDTH = st.floats(0, 4).filter(lambda s: s == 0 or s > 0.1)


@settings(max_examples=40, deadline=None)
@given(st.lists(WIDTH, min_size=1, max_size=3))
def test_gaussian_is_a_kernel(sigmas: list[float]) -> None:
    kernel = gaussian_kernel(sigmas)
    assert kernel.ndim == len(sigmas)
    assert all(n % 2 == 1 for n in kernel.shape)
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1)
    assert np.array_equal(kernel, np.flip(kernel))


@settings(max_examples=40, deadline=None)
@given(st.floats(0.8, 5), st.floats(0.8, 5))
def test_gaussian_has_the_spread_that_was_asked_for(a: float, b: float) -> None:
    kernel = gaussian_kernel((a, b))
    for axis, sigma in enumerate((a, b)):
        line = kernel.sum(axis=1 - axis)
        x = np.arange(line.size) - line.size // 2
        assert np.sqrt(np.sum(line * x**2)) == pytest.approx(sigma, rel=0.02)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 8))
def test_disk_is_a_kernel_of_its_area(radius: float) -> None:
    kernel = disk_kernel(radius)
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.sum() == pytest.approx(1)
    assert kernel.min() >= 0
    if radius > 2:
        assert 1 / kernel.max() == pytest.approx(np.pi * radius**2, rel=0.08)


def test_disk_spreads_like_half_its_radius() -> None:
    line = disk_kernel(4.4).sum(axis=1)
    x = np.arange(line.size) - line.size // 2
    assert np.sqrt(np.sum(line * x**2)) == pytest.approx(2.2, rel=0.05)


def test_spots_have_height_one() -> None:
    r = np.linspace(0, 10, 101)
    assert gaussian_spot(r, 2.0)[0] == 1
    assert gaussian_spot(np.array([2.0]), 2.0)[0] == pytest.approx(np.exp(-0.5))
    assert disk_spot(r, 4.0)[r < 3.5].min() == 1
    assert disk_spot(r, 4.0)[r > 4.5].max() == 0
    assert disk_spot(np.array([4.0]), 4.0)[0] == pytest.approx(0.5)


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_bad_widths_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="widths >= 0"):
        gaussian_kernel((1.0, bad))
    with pytest.raises(InputError, match="widths >= 0"):
        disk_kernel(bad)


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.4])
def test_a_stretched_kernel_is_as_wide_as_it_says(factor: float) -> None:
    v, u = np.indices((15, 17)) - np.array([7, 8]).reshape(2, 1, 1)
    kernel = np.exp(-(v**2 + u**2) / (2 * 2.0**2))
    image = stretched_kernel(kernel / kernel.sum(), factor)
    assert image.sum() == pytest.approx(1)
    assert all(n % 2 == 1 for n in image.shape)
    assert np.allclose(image, image[::-1, ::-1], atol=1e-3 * image.max())
    rows = image.sum(axis=1)
    offsets = np.arange(len(rows)) - len(rows) // 2
    assert np.sqrt(rows @ offsets**2) == pytest.approx(2.0 * factor, rel=0.04)
