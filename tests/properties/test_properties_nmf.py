"""What holds for every scan: shapes, dtypes, order of positions and pixels, scale."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel import NMF, Matrix, Resolution, Scan, Smooth, Sparse, SpotShape

shapes = st.tuples(
    st.lists(st.integers(1, 9), min_size=0, max_size=2).map(tuple),
    st.lists(st.integers(2, 9), min_size=1, max_size=2).map(tuple),
)
dtypes = st.sampled_from([np.uint8, np.uint16, np.uint32, np.int16, np.int64, np.float32, np.float64])
constraint_sets = st.sampled_from(
    [
        (),
        (Resolution(1.5),),
        (SpotShape(0.8),),
        (Sparse(1.0),),
        (Smooth(0.1),),
        (Resolution(1.5), Sparse(0.5)),
    ]
)


def counts(shape: tuple[int, ...], seed: int, dtype) -> np.ndarray:
    return np.random.default_rng(seed).poisson(3.0, shape).astype(dtype)


@settings(max_examples=30, deadline=None)
@given(shape=shapes, dtype=dtypes, k=st.integers(1, 5), constraints=constraint_sets, seed=st.integers(0, 99))
def test_any_scan_gives_finite_non_negative_factors(shape, dtype, k, constraints, seed) -> None:
    scan_shape, pattern_shape = shape
    scan = Scan.from_array(counts(scan_shape + pattern_shape, seed, dtype), n_pattern_axes=len(pattern_shape))
    factors = NMF(k, constraints=constraints, max_iter=3).factorize(scan)
    assert factors.maps.shape == (k, *scan_shape)
    assert factors.patterns.shape == (k, *pattern_shape)
    for values in (factors.maps, factors.patterns, factors.residual.chi2_map):
        assert np.all(np.isfinite(values))
        assert values.min() >= 0
    rounding = 1e-6 * float(np.sum(np.asarray(scan.data, np.float64) ** 2))
    fall = np.diff(factors.convergence.objective)
    assert fall.max(initial=-1) <= rounding + 1e-5 * abs(factors.convergence.objective[0])


@settings(max_examples=8, deadline=None)
@given(
    chunks=st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(1, 6), st.integers(1, 5)),
    budget=st.integers(20_000, 10**6),
)
def test_chunks_and_budget_do_not_matter(chunks, budget) -> None:
    data = counts((7, 9, 6, 5), 1, np.uint16)
    eager = NMF(2, max_iter=3, tol=0).factorize(Scan.from_array(data))
    lazy = Scan.from_array(da.from_array(data, chunks=chunks))
    factors = NMF(2, max_iter=3, tol=0, memory_budget=budget).factorize(lazy)
    np.testing.assert_allclose(factors.convergence.objective, eager.convergence.objective, rtol=1e-5)
    np.testing.assert_allclose(factors.maps, eager.maps, rtol=1e-2, atol=1e-2 * eager.maps.max())


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(0.01, 1e4), seed=st.integers(0, 9))
def test_scale_of_the_data_goes_into_the_maps(factor, seed) -> None:
    data = counts((6, 7, 12), seed, np.float64)
    one, scaled = (NMF(2, max_iter=5, tol=0).factorize(Scan.from_array(x)) for x in (data, factor * data))
    np.testing.assert_allclose(scaled.maps, factor * one.maps, rtol=1e-4, atol=1e-6 * factor)
    np.testing.assert_allclose(scaled.patterns, one.patterns, rtol=1e-4, atol=1e-7)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 9))
def test_weights_scale_the_objective_only(seed) -> None:
    X = counts((30, 20), seed, np.float64)
    matrix = Matrix.from_array(X)
    heavy = replace(matrix, pixel_weights=np.full(20, 4.0))
    one, two = (NMF(2, max_iter=5, tol=0).fit(m) for m in (matrix, heavy))
    np.testing.assert_allclose(two.reconstruction_err_, 2 * one.reconstruction_err_, rtol=1e-6)
    np.testing.assert_allclose(two.components_, one.components_, rtol=1e-4, atol=1e-7)
