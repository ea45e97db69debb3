"""Averages over neighbours: every position once, sums that count as electrons, borders and gaps without bias."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_phantoms import few

from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import wrap
from unmixel.engines.walk import Found, Task
from unmixel.interpret.neighbourhood import Neighbourhoods


def scan_of(values):
    n = values.ndim - 2
    axes = tuple(Axis(f"a{i}", size) for i, size in enumerate(values.shape))
    return Scan(values, axes[:n], axes[n:])


@dataclass(frozen=True)
class Seen(Task):
    """Here: the patterns. Sums: how often each position was seen."""

    n_positions: int

    def __call__(self, engine, block, *along):
        return Found((block.values.T,), (np.bincount(along[0], minlength=self.n_positions),))


def whole(scan, sigma, budget=10**9):
    """Return the sums of all positions, and how often each was given."""
    found = Neighbourhoods(scan, sigma, budget).walk(Seen(scan.n_positions), (np.arange(scan.n_positions),))
    return found.here[0].T, found.sums[0]


@few
@given(
    shape=st.sampled_from([(7,), (5, 6), (3, 2, 4)]),
    sigma=st.sampled_from([0.0, 0.5, 1.3]),
    budget=st.sampled_from([200, 5_000, 10**9]),
)
def test_every_position_comes_once_whatever_the_budget(shape, sigma, budget) -> None:
    values = np.random.default_rng(0).poisson(3.0, (*shape, 4, 5)).astype(np.uint16)
    scan = scan_of(values)
    sums, seen = whole(scan, sigma, budget)
    assert np.all(seen == 1)
    np.testing.assert_allclose(sums, whole(scan, sigma)[0], rtol=1e-5, atol=1e-5)
    if sigma == 0:
        np.testing.assert_array_equal(sums, values.reshape(scan.n_positions, -1))
    lazy = replace(scan, data=wrap(values, chunks=(*[2] * len(shape), 4, 5)))
    np.testing.assert_allclose(whole(lazy, sigma, budget)[0], sums, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.6, 1.0, 2.0])
def test_the_noise_of_a_sum_is_that_of_counts(sigma) -> None:
    values = np.random.default_rng(1).poisson(4.0, (40, 40, 12, 12))
    sums, _ = whole(scan_of(values), sigma)
    for part in (slice(8, 32), slice(0, 1)):  # inside and at the border
        some = sums.reshape(40, 40, -1)[part, 8:32]
        assert some.var() / some.mean() == pytest.approx(1.0, abs=0.2)
    # a Gaussian of variance s^2 in two dimensions is worth 4 pi s^2 patterns
    if sigma >= 1:
        assert sums.reshape(40, 40, -1)[15:25, 15:25].mean() / 4 == pytest.approx(
            4 * np.pi * sigma**2, rel=0.06
        )


def test_positions_that_are_left_out_add_nothing() -> None:
    values = np.full((5, 6, 2, 3), 2.0)
    values[2, 3] = 1e6
    weights = np.ones((5, 6))
    weights[2, 3] = 0.0
    scan = replace(scan_of(values), position_weights=weights)
    sums, _ = whole(scan, 1.0)
    worth = whole(replace(scan, data=np.ones_like(values)), 1.0)[0]
    np.testing.assert_allclose(sums / worth, 2.0, rtol=1e-5)
