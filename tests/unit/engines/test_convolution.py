"""Convolution against scipy, with exact adjoint, for both ways of computing it."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.engines.convolution import Convolution, separable_terms
from unmixel.engines.numpy_engine import NumpyEngine


def expected(images: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    kernel = kernel / kernel.sum()
    window = tuple(slice(k // 2, k // 2 + n) for k, n in zip(kernel.shape, images.shape[1:], strict=True))

    def same(image):
        return scipy.signal.convolve(image, kernel, mode="full", method="direct")[window]

    return np.stack([same(image) / same(np.ones_like(image)) for image in images])


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 17), st.integers(1, 17)),
    half=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    separable=st.booleans(),
    seed=st.integers(0, 99),
)
def test_against_scipy(shape, half, separable, seed) -> None:
    rng = np.random.default_rng(seed)
    size = tuple(2 * h + 1 for h in half)
    kernel = np.outer(rng.random(size[0]), rng.random(size[1])) if separable else rng.random(size)
    kernel[half] += 0.1
    z, f = rng.random((2, *shape)), rng.random((2, *shape))
    blur = Convolution(kernel, shape, NumpyEngine(), "float64")
    forward = blur.forward(z)
    np.testing.assert_allclose(forward, expected(z, kernel), atol=1e-10)
    np.testing.assert_allclose(np.sum(forward * f), np.sum(z * blur.adjoint(f)), rtol=1e-9)


def test_long_lines_use_the_fourier_transform() -> None:
    kernel = np.array([1.0, 2.0, 1.0])
    z = np.random.default_rng(0).random((2, 700))
    np.testing.assert_allclose(
        Convolution(kernel, (700,), NumpyEngine(), "float64").forward(z), expected(z, kernel), atol=1e-10
    )


def test_terms_of_a_gaussian_and_of_a_disk() -> None:
    y, x = np.mgrid[-4:5, -4:5]
    assert len(separable_terms(np.exp(-(x**2 + y**2) / 8))) == 1
    disk = (np.hypot(x, y) <= 4).astype(float)
    terms = separable_terms(disk)
    np.testing.assert_allclose(sum(np.outer(a, b) for a, b in terms), disk, atol=1e-12)


@pytest.mark.parametrize(
    "kernel", [np.ones((2, 3)), -np.ones((3, 3)), np.zeros((3, 3)), np.ones(3), np.full((3, 3), np.nan)]
)
def test_bad_kernels_are_refused(kernel) -> None:
    with pytest.raises(InputError, match="kernel"):
        Convolution(kernel, (5, 5), NumpyEngine(), "float64")
