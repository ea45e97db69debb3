"""Counts split in two: nothing lost, independent, the same however they are read."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.factorize.thinning import thinned


def values(matrix: Matrix) -> np.ndarray:
    data = matrix.data
    return data.toarray() if hasattr(data, "toarray") else np.asarray(data.compute())


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(1, 20), m=st.integers(1, 15), share=st.floats(0.05, 0.95), seed=st.integers(0, 9),
    form=st.sampled_from([np.asarray, scipy.sparse.csr_matrix]),
)  # fmt: skip
def test_both_parts_are_the_whole(n, m, share, seed, form) -> None:
    counts = np.random.default_rng(seed).poisson(3.0, (n, m)).astype(np.uint16)
    fit, check = thinned(Matrix.from_array(form(counts)), share=share, seed=seed)
    np.testing.assert_array_equal(values(fit) + values(check), counts)
    assert values(check).min() >= 0
    assert values(fit).dtype == counts.dtype


def test_parts_are_independent_poisson_counts() -> None:
    counts = np.random.default_rng(1).poisson(20.0, (400, 300))
    fit, check = (values(part).astype(float) for part in thinned(Matrix.from_array(counts), share=0.25))
    for part, mean in ((fit, 15.0), (check, 5.0)):
        assert part.mean() == pytest.approx(mean, rel=0.005)
        assert part.var() == pytest.approx(mean, rel=0.02)
    assert abs(np.corrcoef(fit.ravel(), check.ravel())[0, 1]) < 4 / np.sqrt(counts.size)


def test_the_draw_does_not_depend_on_how_it_is_read() -> None:
    counts = np.random.default_rng(2).poisson(5.0, (6, 7, 5, 4)).astype(np.uint8)
    whole = Matrix.from_array(counts.reshape(42, 20), scan_shape=(6, 7), pattern_shape=(5, 4))
    memory = replace(whole, data=counts)
    lazy = replace(whole, data=da.from_array(counts, chunks=(2, 3, 5, 2)))
    one, two, flat = (values(thinned(matrix, seed=3)[1]) for matrix in (memory, lazy, whole))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one.reshape(42, 20), flat)
    assert np.any(one != values(thinned(memory, seed=4)[1]))


@pytest.mark.parametrize("data", [np.full((4, 3), 0.5), np.full((4, 3), -1)])
def test_what_is_not_counts_is_refused(data) -> None:
    with pytest.raises(InputError, match="thinned"):
        values(thinned(Matrix.from_array(data))[0])


def test_share_is_checked() -> None:
    with pytest.raises(InputError, match="share"):
        thinned(Matrix.from_array(np.ones((2, 2))), share=1.0)
