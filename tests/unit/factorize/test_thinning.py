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
from unmixel.factorize.thinning import FEW, divisible, thinned


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


@pytest.mark.parametrize("share", [0.03, 0.2, 0.5, 0.97])
@pytest.mark.parametrize("n", [1, 2, 7, FEW, FEW + 1, 4 * FEW])
def test_electrons_go_by_chance_whether_drawn_or_looked_up(n: int, share: float) -> None:
    times = 40_000
    check = values(thinned(Matrix.from_array(np.full((4, times // 4), n, np.uint16)), share=share, seed=2)[1])
    wanted = n * share * (1 - share)
    assert check.mean() == pytest.approx(n * share, abs=5 * np.sqrt(wanted / times))
    # variance of the sample variance of a binomial number: (2 + (1 - 6 s (1 - s)) / wanted) wanted^2 / times
    scatter = np.sqrt(max(2 + (1 - 6 * share * (1 - share)) / wanted, 0.1) / times)
    assert check.var() == pytest.approx(wanted, rel=5 * scatter)
    assert 0 <= check.min() <= check.max() <= n


def test_a_position_draws_the_same_wherever_it_is_read() -> None:
    counts = np.random.default_rng(3).poisson(2.0, (5, 9)).astype(np.uint16)
    whole = values(thinned(Matrix.from_array(counts), share=0.3, seed=4)[1])
    counts[1:] = 40  # what other positions hold has no influence
    np.testing.assert_array_equal(
        values(thinned(Matrix.from_array(counts), share=0.3, seed=4)[1])[0], whole[0]
    )
    assert (whole != values(thinned(Matrix.from_array(counts), share=0.3, seed=5)[1])).any()


# --- electrons that count as more, or less, than one


@settings(max_examples=30, deadline=None)
@given(
    gain=st.floats(0.05, 60).filter(lambda g: g != 1), share=st.floats(0.05, 0.95), seed=st.integers(0, 99),
    form=st.sampled_from([np.asarray, scipy.sparse.csr_matrix]), dtype=st.sampled_from(["uint16", "float64"]),
)  # fmt: skip
def test_parts_of_any_numbers_make_the_whole_and_are_never_negative(gain, share, seed, form, dtype) -> None:
    rng = np.random.default_rng(seed)
    data = (rng.gamma(0.5, 9.0, (11, 13)) * (rng.random((11, 13)) < 0.7)).astype(dtype)
    parts = thinned(Matrix.from_array(form(data), gain=gain), share=share, seed=seed)
    fit, check = map(values, parts)
    assert fit.min() >= 0
    assert check.min() >= 0
    np.testing.assert_allclose(fit.astype(float) + check, data, rtol=1e-6, atol=1e-6)
    assert fit.dtype == check.dtype == (np.float32 if dtype == "float64" or gain % 1 else np.uint16)
    assert all(part.gain == gain for part in parts)


@settings(max_examples=20, deadline=None)
@given(
    gain=st.integers(2, 300), share=st.floats(0.05, 0.95), seed=st.integers(0, 99),
    form=st.sampled_from([np.asarray, scipy.sparse.csr_matrix]),
)  # fmt: skip
def test_whole_electrons_stay_whole(gain, share, seed, form) -> None:
    counts = (gain * np.random.default_rng(seed).poisson(2.0, (12, 7))).astype(np.int32)
    fit, check = map(
        values, thinned(Matrix.from_array(form(counts), gain=float(gain)), share=share, seed=seed)
    )
    np.testing.assert_array_equal(fit + check, counts)
    for part in (fit, check):
        assert part.dtype == np.int32
        assert part.min() >= 0
        assert not np.any(part % gain)


@settings(max_examples=15, deadline=None)
@given(x=st.floats(0.01, 40), gain=st.floats(0.1, 20).filter(lambda g: g != 1), share=st.floats(0.1, 0.9))
def test_what_is_drawn_has_the_mean_and_the_variance_of_electrons(x, gain, share) -> None:
    n = 40_000
    check = values(thinned(Matrix.from_array(np.full((40, n // 40), x), gain=gain), share=share)[1])
    variance = share * (1 - share) * x * min(gain, x)
    assert check.mean() == pytest.approx(share * x, abs=5 * np.sqrt(variance / n))
    # of few large electrons the fourth moment is at most x^2 times the second
    assert check.var() == pytest.approx(variance, abs=5 * x * np.sqrt(variance / n) + 1e-3 * variance)


COUNTED = {
    "three counts per electron": (3.0, lambda rng, n: 3 * rng.poisson(2.0, n)),
    "the same as floats, the gain measured": (2.96, lambda rng, n: 3.0 * rng.poisson(2.0, n)),
    "averages of four": (0.25, lambda rng, n: rng.poisson(6.0, n) / 4),
    "sums of a camera's pulses": (5.0, lambda rng, n: np.rint(rng.gamma(40.0, 5.0, n)).astype(np.uint16)),
    "numbers without a step": (2.5, lambda rng, n: rng.gamma(16.0, 2.5, n)),
}


@pytest.mark.parametrize("kind", COUNTED)
def test_parts_of_electrons_of_any_gain_are_not_correlated(kind) -> None:
    gain, draw = COUNTED[kind]
    x = draw(np.random.default_rng(5), (500, 800))
    fit, check = (values(part).astype(float) for part in thinned(Matrix.from_array(x, gain=gain), share=0.25))
    own = np.var(x) / np.mean(x)
    assert own == pytest.approx(gain, rel=0.03)
    # what is left: by how much the variance of these very numbers is not that of their gain
    expected = 0.25 * 0.75 * (np.var(x) - gain * np.mean(x) + np.mean(x * np.maximum(gain - x, 0)))
    noise = np.sqrt(fit.var() * check.var() / x.size)
    assert np.cov(fit.ravel(), check.ravel())[0, 1] == pytest.approx(expected, abs=4 * noise + 0.25)
    assert abs(np.corrcoef(fit.ravel(), check.ravel())[0, 1]) < 0.01
    for part, share in ((fit, 0.75), (check, 0.25)):
        assert part.mean() == pytest.approx(share * x.mean(), rel=0.005)
        assert part.var() / part.mean() == pytest.approx(gain, rel=0.03)


def test_electrons_smaller_than_their_gain_are_correlated_as_the_docstring_says() -> None:
    x = np.random.default_rng(6).gamma(0.4, 3.0, (500, 800))
    fit, check = (values(part).astype(float) for part in thinned(Matrix.from_array(x, gain=3.0), share=0.2))
    expected = 0.2 * 0.8 * np.mean(x * np.maximum(3.0 - x, 0))
    assert np.cov(fit.ravel(), check.ravel())[0, 1] == pytest.approx(expected, rel=0.15)


def test_what_is_taken_for_counts_without_a_look() -> None:
    assert divisible(Matrix.from_array(np.ones((2, 3), np.int16)))
    assert not divisible(Matrix.from_array(np.ones((2, 3))))
    assert divisible(Matrix.from_array(np.ones((2, 3)), gain=2.5))


@pytest.mark.parametrize("gain", [1.0, 2.0, 2.5])
def test_the_draw_does_not_depend_on_how_it_is_read(gain: float) -> None:
    counts = np.random.default_rng(2).poisson(5.0, (6, 7, 5, 4)).astype(np.uint8)
    whole = Matrix.from_array(counts.reshape(42, 20), scan_shape=(6, 7), pattern_shape=(5, 4), gain=gain)
    memory = replace(whole, data=counts)
    lazy = replace(whole, data=da.from_array(counts, chunks=(2, 3, 5, 2)))
    one, two, flat = (values(thinned(matrix, seed=3)[1]) for matrix in (memory, lazy, whole))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one.reshape(42, 20), flat)
    assert np.any(one != values(thinned(memory, seed=4)[1]))


@pytest.mark.parametrize(
    ("data", "gain"),
    [(np.full((4, 3), 0.5), 1.0), (np.full((4, 3), -1), 1.0), (np.full((4, 3), -1), 2.0),
     (np.full((4, 3), np.nan), 2.0), (np.full((4, 3), np.inf), 0.5)],
)  # fmt: skip
def test_what_is_not_counts_is_refused(data, gain) -> None:
    with pytest.raises(InputError, match="thinned"):
        values(thinned(Matrix.from_array(data, gain=gain))[0])


def test_share_is_checked() -> None:
    with pytest.raises(InputError, match="share"):
        thinned(Matrix.from_array(np.ones((2, 2))), share=1.0)
