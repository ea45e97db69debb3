"""Overview images equal plain sums over the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import wrap
from unmixel.pipeline.overview import RINGS, overview

DATA = np.random.default_rng(3).poisson(5.0, (13, 29, 31, 26)).astype(np.uint16)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("budget", [500_000, 10**9])
def test_means_are_means(lazy: bool, budget: int) -> None:
    scan = Scan.from_array(wrap(DATA, (5, 7, 31, 26)) if lazy else DATA)
    images = overview(scan, budget)
    np.testing.assert_allclose(images["mean_pattern"], DATA.mean(axis=(0, 1)))
    np.testing.assert_allclose(images["mean_map"], DATA.mean(axis=(2, 3)))
    assert set(images) == {"mean_pattern", "mean_map", *RINGS}
    assert all(images[name].shape == (13, 29) for name in RINGS)


def test_rings_lie_about_the_origin_and_do_not_overlap() -> None:
    axes = (Axis("v", 31, 0.1, -1.0, "1/angstrom"), Axis("u", 26, 0.1, -1.2, "1/angstrom"))
    spot = np.zeros((2, 3, 31, 26))
    spot[0, 0, 10, 12] = 7.0  # v = 0, u = 0
    scan = Scan(spot, (Axis("y", 2), Axis("x", 3)), axes)
    images = overview(scan, 10**6)
    assert images["virtual_inner"][0, 0] == 7.0
    assert sum(images[name].sum() for name in RINGS) == 7.0
    everything = overview(Scan(np.ones((1, 1, 31, 26)), (Axis("y", 1), Axis("x", 1)), axes), 10**6)
    radius = 10.0  # the nearest edge is 10 px from the origin
    assert sum(everything[name][0, 0] for name in RINGS) == pytest.approx(np.pi * radius**2, rel=0.05)


@pytest.mark.parametrize(
    ("shape", "n_pattern"), [((7, 9), 1), ((7, 5, 9), 1), ((9,), 1), ((6, 5), 2), ((3, 6, 5), 2)]
)
def test_other_shapes(shape: Any, n_pattern: int) -> None:
    data = np.random.default_rng(0).random(shape)
    scan = Scan.from_array(data, n_pattern_axes=n_pattern)
    images = overview(scan, 10**6)
    scan_axes = tuple(range(data.ndim - n_pattern))
    np.testing.assert_allclose(images["mean_pattern"], data.mean(axis=scan_axes) if scan_axes else data)
    assert images["mean_map"].shape == scan.scan_shape
    assert ("virtual_inner" in images) == (n_pattern == 2)
