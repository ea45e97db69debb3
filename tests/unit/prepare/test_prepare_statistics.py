"""One pass gives what numpy gives, whatever the blocks, the dtype and the positions left out."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.prepare import passes, statistics
from unmixel.prepare.statistics import finite_statistics, pattern_statistics


def same_as_numpy(found, frames):
    shape = found.mean.shape
    values = frames.astype(np.float64)
    np.testing.assert_allclose(found.mean, values.mean(0).reshape(shape), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.variance, values.var(0).reshape(shape), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(found.minimum, values.min(0).reshape(shape))
    np.testing.assert_array_equal(found.maximum, values.max(0).reshape(shape))
    np.testing.assert_array_equal(found.at_maximum, (values == values.max(0)).sum(0).reshape(shape))
    positive = values[values > 0]
    assert found.smallest_positive == (positive.min() if positive.size else np.inf)


@settings(deadline=None, max_examples=30)
@given(
    scan=st.lists(st.integers(1, 6), max_size=2).map(tuple),
    pattern=st.lists(st.integers(1, 5), min_size=1, max_size=2).map(tuple),
    dtype=st.sampled_from([bool, np.uint8, np.uint16, np.int32, np.float32, np.float64]),
    chunk=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_statistics_equal_numpy(scan, pattern, dtype, chunk, seed):
    data = (np.random.default_rng(seed).poisson(1.5, (*scan, *pattern)) % 7).astype(dtype)
    frames = data.reshape(max(1, int(np.prod(scan))), -1)
    for given_data in (data, da.from_array(data, chunks=chunk)):
        found = pattern_statistics(Scan.from_array(given_data, n_pattern_axes=len(pattern)))
        same_as_numpy(found, frames)
        assert found.n_positions == len(frames)
        np.testing.assert_array_equal(found.sums, frames.sum(1, dtype=float).reshape(scan))


def test_many_small_batches_make_no_difference(monkeypatch):
    data = np.random.default_rng(0).poisson(3.0, (13, 29, 6, 5)).astype(np.uint16)
    monkeypatch.setattr(passes, "BATCH_BYTES", 1)
    same_as_numpy(pattern_statistics(Scan.from_array(data)), data.reshape(-1, 30))


def test_an_engine_finds_the_same(monkeypatch):
    data = np.random.default_rng(0).poisson(3.0, (13, 29, 6, 5)).astype(np.uint16)
    data[:, :14] *= 7  # blocks of other means
    monkeypatch.setattr(passes, "BATCH_BYTES", 2_000)
    with passes.walked_by(NumpyEngine(2)):
        found = pattern_statistics(Scan.from_array(da.from_array(data, chunks=(2, 14, 6, 5)) + 0))
    same_as_numpy(found, data.reshape(-1, 30))
    np.testing.assert_array_equal(found.sums, data.sum((2, 3)))


@settings(deadline=None, max_examples=20)
@given(
    sizes=st.lists(st.integers(0, 4), min_size=2, max_size=4).filter(any),
    scale=st.sampled_from([1, 50]),
    seed=st.integers(0, 99),
)
def test_sums_of_parts_are_sums_of_the_whole(sizes, scale, seed):
    rng = np.random.default_rng(seed)
    parts = [rng.poisson(scale * (i + 1), (size, 3)) for i, size in enumerate(sizes)]
    whole, total = statistics._Sums(3), statistics._Sums(3)
    whole.add(np.concatenate(parts))
    for part in parts:
        one = statistics._Sums(3)
        if len(part):
            one.add(part)
        total = total + one
    assert (total.n, total.least) == (whole.n, whole.least)
    np.testing.assert_array_equal(total.first + total.n * total.shift, whole.first + whole.n * whole.shift)
    for name in ("low", "high", "at_high"):
        np.testing.assert_array_equal(getattr(total, name), getattr(whole, name))
    variances = [s.second / s.n - (s.first / s.n) ** 2 for s in (total, whole)]
    np.testing.assert_allclose(*variances, rtol=1e-10, atol=1e-10)


def test_variance_of_large_values_does_not_cancel():
    data = 1e9 + np.random.default_rng(0).normal(size=(500, 3))
    found = pattern_statistics(Scan.from_array(data))
    np.testing.assert_allclose(found.variance, data.var(0), rtol=1e-6)


def test_positions_of_weight_zero_do_not_count():
    data = np.random.default_rng(0).poisson(3.0, (6, 7, 5)).astype(float)
    weights = (np.random.default_rng(1).random((6, 7)) > 0.5).astype(float)
    found = pattern_statistics(Scan.from_array(data, position_weights=weights))
    same_as_numpy(found, data[weights > 0])
    assert found.sums.shape == (6, 7)
    with pytest.raises(InputError, match="position_weights"):
        pattern_statistics(Scan.from_array(data, position_weights=np.zeros((6, 7))))


def test_lazy_statistics_are_remembered_for_the_same_data_and_positions_only():
    data = da.from_array(np.random.default_rng(0).random((4, 5, 6)), chunks=2)
    first = pattern_statistics(Scan.from_array(data))
    assert pattern_statistics(Scan.from_array(data)) is first
    weights = np.ones((4, 5))
    weights[0] = 0
    assert pattern_statistics(Scan.from_array(data, position_weights=weights)).n_positions == 15
    assert pattern_statistics(Scan.from_array(data + 1)).mean[0] == pytest.approx(first.mean[0] + 1)
    for shift in range(6):
        pattern_statistics(Scan.from_array(data + shift + 2))
    assert len(statistics._memory) <= 4


def test_in_memory_statistics_see_a_changed_array():
    data = np.ones((4, 5, 6))
    scan = Scan.from_array(data)
    assert pattern_statistics(scan).mean[0] == 1
    data[...] = 2
    assert pattern_statistics(scan).mean[0] == 2


def test_not_a_number_is_told():
    data = np.ones((4, 5, 6), np.float32)
    data[1, 2, 3], data[0, 0, 4] = np.nan, np.inf
    scan = Scan.from_array(data)
    np.testing.assert_array_equal(pattern_statistics(scan).finite, [True, True, True, False, False, True])
    with pytest.raises(InputError, match="2 of 6 pixels"):
        finite_statistics(scan)
    weights = np.array([1.0, 1, 1, 0, 0, 1])
    assert finite_statistics(Scan.from_array(data, pixel_weights=weights)).mean[0] == 1


def test_saturated_pixels():
    rng = np.random.default_rng(0)
    data = np.minimum(rng.poisson([5.0, 50.0, 250.0, 400.0], (20, 30, 4)), 255).astype(np.uint8)
    np.testing.assert_array_equal(pattern_statistics(Scan.from_array(data)).saturated, [0, 0, 1, 1])


def test_small_counts_are_not_taken_for_saturated():
    data = np.random.default_rng(0).poisson(0.2, (20, 30, 4)).astype(np.uint8)
    assert not pattern_statistics(Scan.from_array(np.minimum(data, 1))).saturated.any()


def test_standard_error():
    data = np.random.default_rng(0).normal(size=(400, 3))
    found = pattern_statistics(Scan.from_array(data))
    np.testing.assert_allclose(found.standard_error, data.std(0) / 20)
