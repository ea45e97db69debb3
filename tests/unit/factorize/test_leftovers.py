"""What the model leaves: nothing but noise where it is right, a missing crystal where one is missing."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.scan import Scan
from unmixel.factorize.leftovers import leftovers, promoted
from unmixel.factorize.model import NMF
from unmixel.factorize.places import CellGrid, threshold_for
from unmixel.factorize.start import GivenStart
from unmixel.prepare.masks import MaskImage
from unmixel.prepare.weights import PoissonWeights
from unmixel.testing.phantoms import glass

SCAN, PATTERN = (24, 27), (30, 31)


def two(dose: float = 3000.0) -> tuple[np.ndarray, np.ndarray]:
    """Return a matrix that is everywhere and a disk of 5 px, with random patterns."""
    patterns = np.random.default_rng(0).gamma(0.5, 1, (2, *PATTERN))
    patterns /= patterns.sum(axis=(1, 2), keepdims=True)
    y, x = np.indices(SCAN)
    return np.stack([np.full(SCAN, dose), 0.6 * dose * (np.hypot(y - 9, x - 11) < 5)]), patterns


def drawn(maps: np.ndarray, patterns: np.ndarray, seed: int, gain: int = 1) -> Scan:
    mean = np.tensordot(maps, patterns, axes=(0, 0))
    return Scan.from_array(gain * np.random.default_rng(seed).poisson(mean / gain))


@pytest.mark.parametrize("dose", [60, 3000])
@pytest.mark.parametrize("gain", [1, 3])
def test_a_right_model_leaves_noise_only(dose, gain):
    maps, patterns = two(dose)
    for seed in range(3):
        scan = PoissonWeights(gain=float(gain)).apply(drawn(maps, patterns, seed, gain))
        factors = NMF(2, start=GivenStart(maps, patterns), max_iter=50).factorize(scan)
        left = leftovers(factors, Matrix.from_scan(scan))
        assert left.gain == gain
        assert left.n_peaks == 0
        assert abs(np.mean(left.z_map)) < 0.5
        assert 0.3 < np.std(left.z_map) < 1.2
        assert np.abs(left.z_map).max() < 5
        assert 0.3 < np.nanstd(left.z_pattern) < 1.3


def test_deviations_are_those_of_the_formula():
    maps, patterns = two(30_000)
    scan = drawn(maps, patterns, 0)
    matrix = Matrix.from_scan(scan)
    factors = NMF(2, start=GivenStart(maps, patterns), max_iter=3).factorize(scan)
    left = leftovers(factors, matrix)
    model = np.tensordot(factors.maps, factors.patterns, axes=(0, 0))
    floor = np.sqrt(2 / min(matrix.n_positions, matrix.n_pixels))
    against = np.maximum(model, floor)
    terms, mean = (scan.data - model) ** 2 / against, model / against
    variance = (model + 2 * model**2) / against**2
    for axes, found, fitted in (((2, 3), left.z_map, 2 / 930), ((0, 1), left.z_pattern, 2 / 648)):
        spread = np.sqrt(np.maximum(variance.sum(axes), floor**-2))
        wanted = (terms.sum(axes) - mean.sum(axes) * (1 - fitted)) / spread
        # components that are absent somewhere change what was fitted there a little
        np.testing.assert_allclose(found, wanted, atol=0.1)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_missing_crystal_is_found_where_it_is(lazy):
    maps, patterns = two()
    scan = drawn(maps, patterns, 0)
    if lazy:
        scan = Scan.from_array(da.from_array(scan.data, chunks=(7, 9, -1, -1)))
    scan = PoissonWeights().apply(scan)
    left = leftovers(NMF(1).factorize(scan), Matrix.from_scan(scan))
    assert left.n_peaks >= 1
    assert np.hypot(left.places[0, 0] - 9, left.places[0, 1] - 11) < 5
    assert left.significance[0] > left.threshold == threshold_for(24 * 27)
    # the crystal beyond what the matrix component has taken of it
    beyond = np.maximum(patterns[1] - patterns[0], 0)
    cosine = np.sum(left.patterns[0] * beyond)
    assert cosine / np.linalg.norm(left.patterns[0]) / np.linalg.norm(beyond) > 0.9
    inside = maps[1] > 0
    assert left.maps[0][inside].sum() > 0.7 * left.maps[0].sum()
    assert left.maps[0].sum() == pytest.approx(left.counts[0], rel=1e-5)
    assert left.patterns[0].sum() == pytest.approx(1, rel=1e-5)
    assert left.z_map[inside].mean() > 3 > left.z_map[~inside].mean()


def test_promoted_structures_become_components():
    maps, patterns = two()
    scan = PoissonWeights().apply(drawn(maps, patterns, 1))
    one = NMF(1).factorize(scan)
    left = leftovers(one, Matrix.from_scan(scan), peaks=1)
    start = promoted(one, left, 5)
    assert start.maps.shape == (2, *SCAN)
    np.testing.assert_array_equal(start.maps[:1], one.maps)
    both = NMF(2, start=start, sketch_sweeps=0).factorize(scan)
    flat = both.patterns.reshape(2, -1) @ patterns.reshape(2, -1).T
    cosine = flat / np.outer(*(np.linalg.norm(p.reshape(2, -1), axis=1) for p in (both.patterns, patterns)))
    assert cosine.max(axis=0).min() > 0.95
    assert leftovers(both, Matrix.from_scan(scan)).n_peaks == 0
    assert promoted(one, left, 0).maps.shape == (1, *SCAN)


def test_crystals_in_a_glass_are_found_and_nothing_else():
    scan, truth = glass(scan=(36, 40), detector=(48, 44), dose=10_000, seed=3, precipitates=5)
    scan = PoissonWeights().apply(MaskImage(~truth.beam_pixels).apply(scan))
    left = leftovers(NMF(1, max_iter=30).factorize(scan), Matrix.from_scan(scan), peaks=20)
    crystals = truth.maps[2:]
    at = [[place[tuple(p)] > 0.3 * place.max() for place in crystals] for p in left.places]
    assert np.any(at, axis=1).all()
    assert np.any(at, axis=0).sum() >= 3
    assert left.patterns[:, truth.beam_pixels].max() == 0
    assert np.isnan(left.z_pattern[truth.beam_pixels]).all()


def test_what_was_left_out_is_not_judged():
    maps, patterns = two()
    positions = np.ones(SCAN)
    positions[5:14, 6:16] = 0
    scan = drawn(maps, patterns, 0)
    scan = Scan.from_array(scan.data, position_weights=positions)
    left = leftovers(NMF(1).factorize(scan), Matrix.from_scan(scan))
    np.testing.assert_array_equal(np.isnan(left.z_map), positions == 0)
    assert left.maps[:, positions == 0].sum() == 0


def test_a_wrong_gain_or_a_pattern_that_is_wrong_everywhere_makes_no_places():
    maps, patterns = two(30_000)
    rng = np.random.default_rng(0)
    for gain, wrong in ((4, patterns[:1]), (1, patterns[:1] * rng.uniform(0.8, 1.2, PATTERN))):
        scan = drawn(maps[:1], patterns[:1], 0, gain=gain)
        factors = NMF(1, max_iter=3).factorize(scan)
        left = leftovers(replace(factors, patterns=wrong.astype(np.float32)), Matrix.from_scan(scan))
        assert left.n_peaks == 0
        assert np.median(left.z_map) > 5


@settings(max_examples=12, deadline=None)
@given(
    scan=st.lists(st.integers(1, 5), min_size=0, max_size=3).map(tuple),
    pattern=st.lists(st.integers(1, 7), min_size=1, max_size=2).map(tuple),
    budget=st.sampled_from([20_000, 10**9]),
)
def test_any_shape(scan, pattern, budget):
    counts = np.random.default_rng(0).poisson(2.0, (*scan, *pattern))
    counts.flat[0] = 1
    given_scan = Scan.from_array(counts, n_pattern_axes=len(pattern))
    factors = NMF(1, max_iter=2).factorize(given_scan)
    left = leftovers(factors, Matrix.from_scan(given_scan), budget=budget)
    assert left.z_map.shape == scan
    assert left.z_pattern.shape == pattern
    assert left.maps.shape == (left.n_peaks, *scan)
    assert left.patterns.shape == (left.n_peaks, *pattern)


def test_cells_hold_every_pixel_once_and_keep_to_the_budget():
    rng = np.random.default_rng(0)
    matrix = Matrix.from_array(rng.random((6, 37 * 41)), scan_shape=(2, 3), pattern_shape=(37, 41))
    cells = CellGrid.of(matrix, budget=10_000)
    sums = cells.sums(matrix.data)
    assert sums.shape == (6, len(cells))
    assert len(cells) <= max(16, 10_000 // (2 * 24 * 6))
    np.testing.assert_allclose(sums.sum(axis=1), matrix.data.sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(cells.sums(np.eye(37 * 41)).sum(axis=1), 1)


def test_wrong_requests_are_refused():
    scan = Scan.from_array(np.random.default_rng(0).poisson(5.0, (4, 5, 6)))
    factors = NMF(1).factorize(scan)
    matrix = Matrix.from_scan(scan)
    with pytest.raises(InputError, match="leftovers"):
        leftovers(factors, matrix, peaks=-1)
    with pytest.raises(InputError, match="matrix that the factors were fitted to"):
        leftovers(factors, Matrix.from_scan(Scan.from_array(scan.data[:3])))
