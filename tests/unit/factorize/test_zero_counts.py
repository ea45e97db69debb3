"""No counts at all, pixels left out, other units: what a fit does there is exact, whatever the loss."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.dataset.matrix import Matrix
from unmixel.dataset.scan import Scan
from unmixel.factorize.leftovers import leftovers
from unmixel.factorize.model import NMF
from unmixel.factorize.start import GivenStart
from unmixel.factorize.uncertainty import standard_errors
from unmixel.prepare.masks import MaskImage
from unmixel.prepare.weights import PoissonWeights

SCAN, PATTERN = (10, 13), (7, 9)
rng = np.random.default_rng(0)
PATTERNS = rng.gamma(0.7, 1, (3, *PATTERN))
PATTERNS /= PATTERNS.sum(axis=(1, 2), keepdims=True)
MAPS = rng.gamma(0.8, 200, (3, *SCAN))
COUNTS = rng.poisson(np.tensordot(MAPS, PATTERNS, axes=(0, 0)))
LOSSES = ["frobenius", "kl"]


def weighted(scan: Scan, loss: str, **settings) -> Scan:
    return PoissonWeights(**settings).apply(scan) if loss == "frobenius" else scan


def fitted(scan: Scan, loss: str, start=(MAPS, PATTERNS), **settings):
    return NMF(3, loss=loss, start=GivenStart(*start), max_iter=150, tol=1e-8, **settings).factorize(scan)


# the loss kl lowers its objective by itself; the solver serves the sketch only
@pytest.mark.parametrize(
    ("loss", "solver"),
    [("frobenius", "admm"), ("frobenius", "hals"), ("frobenius", "gradient"), ("kl", "auto")],
)
def test_a_position_without_counts_has_maps_of_zero(loss, solver):
    counts = COUNTS.copy()
    counts[4, 5] = 0
    for positions in (False, True):
        scan = weighted(Scan.from_array(counts), loss, positions=positions)
        found = fitted(scan, loss, solver=solver)
        assert found.maps[:, 4, 5].max() <= 1e-6 * found.maps.max()
        for values in (found.maps, found.patterns, found.residual.chi2_map, found.residual.chi2_pattern):
            assert np.isfinite(values).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_position_without_counts_changes_nothing_else(loss):
    counts = COUNTS.reshape(-1, *PATTERN).copy()
    counts[57] = 0
    maps = MAPS.reshape(3, -1)
    weights = 1 / np.maximum(counts.mean(0), 1e-2) if loss == "frobenius" else None

    def line(data):
        return Scan.from_array(data, n_pattern_axes=2, pixel_weights=weights)

    whole = fitted(line(counts), loss, (maps, PATTERNS))
    without = fitted(line(np.delete(counts, 57, axis=0)), loss, (np.delete(maps, 57, axis=1), PATTERNS))
    np.testing.assert_allclose(whole.patterns, without.patterns, atol=2e-3 * whole.patterns.max())


@pytest.mark.parametrize("loss", LOSSES)
def test_a_pixel_without_counts_is_zero_in_every_pattern_and_changes_nothing_else(loss):
    counts = COUNTS.copy()
    counts[..., 2, 3] = 0
    scan = weighted(Scan.from_array(counts), loss)
    whole = fitted(scan, loss)
    # under kl a pattern is driven to zero step by step, under weights the pixel is left out
    assert whole.patterns[:, 2, 3].max() <= (0 if loss == "frobenius" else 1e-9)
    use = np.ones(PATTERN, bool)
    use[2, 3] = False
    without = fitted(weighted(MaskImage(use).apply(Scan.from_array(counts)), loss), loss)
    np.testing.assert_allclose(whole.patterns[:, use], without.patterns[:, use], atol=2e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_what_a_masked_pixel_holds_does_not_matter(loss):
    use = rng.random(PATTERN) > 0.2
    wild = np.where(use, COUNTS, 10_000 * (1 + np.arange(COUNTS.size).reshape(COUNTS.shape) % 3))
    first, second = (
        fitted(weighted(MaskImage(use).apply(Scan.from_array(data)), loss), loss) for data in (COUNTS, wild)
    )
    np.testing.assert_array_equal(first.maps, second.maps)
    np.testing.assert_array_equal(first.patterns, second.patterns)
    assert first.patterns[:, ~use].max() == 0
    assert first.residual.chi2 == pytest.approx(second.residual.chi2)
    assert first.residual.chi2_pattern[~use].max() == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_what_a_position_that_is_left_out_holds_does_not_matter(loss):
    kept = np.ones(SCAN)
    kept[3, 2:6] = 0
    wild = np.where(kept[..., None, None] > 0, COUNTS, 5_000)
    weights = 1 / COUNTS.mean(axis=(0, 1)) if loss == "frobenius" else None
    first, second = (
        fitted(Scan.from_array(data, position_weights=kept, pixel_weights=weights), loss)
        for data in (COUNTS, wild)
    )
    np.testing.assert_array_equal(first.patterns, second.patterns)
    np.testing.assert_array_equal(first.maps[:, kept > 0], second.maps[:, kept > 0])


def test_another_unit_changes_maps_by_its_gain_and_nothing_else():
    single = weighted(Scan.from_array(COUNTS), "frobenius", gain=1.0)
    one = fitted(single, "frobenius")
    scan = weighted(Scan.from_array(COUNTS * 7), "frobenius", gain=7.0)
    seven = fitted(scan, "frobenius", (7 * MAPS, PATTERNS))
    np.testing.assert_allclose(seven.maps, 7 * one.maps, rtol=2e-3, atol=1)
    np.testing.assert_allclose(seven.patterns, one.patterns, atol=1e-4)
    data = Matrix.from_scan(scan)
    plain = Matrix.from_scan(single)
    np.testing.assert_allclose(
        standard_errors(seven, data).maps, 7 * standard_errors(one, plain).maps, rtol=0.02
    )
    np.testing.assert_allclose(leftovers(seven, data).z_map, leftovers(one, plain).z_map, atol=0.05)


def test_nothing_but_zeros_is_fitted_without_a_warning():
    found = NMF(2).factorize(Scan.from_array(np.zeros((4, 5, 6), np.uint8)))
    assert found.maps.max() == 0
    assert np.isfinite(found.patterns).all()
