"""Bin: the counts of every bin, no overflow, bins with anything left out are left out."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.prepare.binning import Bin, binned_weights, sum_dtype


@settings(deadline=None, max_examples=30)
@given(
    shape=st.tuples(*[st.integers(2, 9)] * 4),
    scan=st.integers(1, 2),
    pattern=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    dtype=st.sampled_from([np.uint8, np.uint16, np.int16, np.float32]),
)
def test_every_count_in_a_full_bin_is_kept(shape, scan, pattern, dtype):
    top = np.iinfo(dtype).max if np.dtype(dtype).kind in "ui" else 1000
    data = np.random.default_rng(0).integers(0, top, shape, endpoint=True).astype(dtype)
    step = Bin(scan=scan, pattern=pattern)
    eager = step.apply(Scan.from_array(data))
    late = step.apply(Scan.from_array(da.from_array(data, chunks=3)))
    factors = (scan, scan, *pattern)
    kept = data[tuple(slice(0, n // f * f) for n, f in zip(shape, factors, strict=True))]
    assert int(eager.data.sum(dtype=np.float64)) == int(kept.sum(dtype=np.float64))
    np.testing.assert_array_equal(np.asarray(late.data), eager.data)
    block = kept[:scan, :scan, : pattern[0], : pattern[1]]
    assert float(eager.data[0, 0, 0, 0]) == float(block.sum(dtype=np.float64))


@pytest.mark.parametrize(
    ("dtype", "n", "wanted"),
    [
        (bool, 4, np.uint8),
        (np.uint8, 1, np.uint8),
        (np.uint8, 257, np.uint16),
        (np.uint8, 258, np.uint32),
        (np.uint16, 65_537, np.uint32),
        (np.uint16, 65_538, np.uint64),
        (np.int8, 4, np.int16),
        (np.int16, 4, np.int32),
        (np.uint64, 4, np.uint64),
        (np.int64, 4, np.int64),
        (np.float16, 4, np.float32),
        (np.float64, 4, np.float64),
    ],
)
def test_sums_never_overflow(dtype, n, wanted):
    assert sum_dtype(dtype, n) == wanted
    if np.dtype(dtype).kind in "ui" and np.dtype(dtype).itemsize < 8:
        limits, room = np.iinfo(dtype), np.iinfo(wanted)
        assert room.max >= limits.max * n
        assert room.min <= limits.min * n


def test_axes_sit_at_the_centre_of_their_bins_and_the_remainder_is_told():
    scan = Scan.from_array(np.ones((4, 5, 7, 6)), scan_step=(2.0, "nm"))
    binned = Bin(scan=[1, 2], pattern=[3, 1]).apply(scan)
    assert binned.data.shape == (4, 2, 2, 6)
    assert binned.scan_axes[1].values.tolist() == [1.0, 5.0]
    assert binned.pattern_axes[0].values.tolist() == [1.0, 4.0]
    record = binned.history[-1]
    assert record.values["left_out"] == {"x": 1, "v": 1}
    assert "the last 1" in record.effect


def test_a_bin_with_anything_left_out_is_left_out():
    weights = np.ones((6, 6))
    weights[0, 0] = weights[5, 3] = 0
    scan = Scan.from_array(np.ones((2, 2, 6, 6)), pixel_weights=weights, extras={"beam": np.ones((3, 3))})
    binned = Bin(pattern=2).apply(scan)
    np.testing.assert_array_equal(binned.pixel_weights, [[0, 1, 1], [1, 1, 1], [1, 0, 1]])
    assert "2 bins" in binned.history[-1].effect
    assert "beam" not in binned.extras
    assert "beam" in Bin(scan=2).apply(scan).extras


def test_precision_weights_add_their_variances():
    variances = np.array([[1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_allclose(1 / binned_weights(1 / variances, (1, 2)), [[3.0, 7.0]])
    assert binned_weights(None, (2,)) is None


def test_position_weights_follow():
    weights = np.ones((4, 4))
    weights[0, 0] = 0
    binned = Bin(scan=2).apply(Scan.from_array(np.ones((4, 4, 3)), position_weights=weights))
    np.testing.assert_array_equal(binned.position_weights, [[0, 1], [1, 1]])


@pytest.mark.parametrize("factor", [0, -1, 1.5, "2", True, [], [2, 0], None])
def test_bad_factors_are_refused(factor):
    with pytest.raises(InputError, match="whole number"):
        Bin(pattern=factor)


@pytest.mark.parametrize("settings", [{"pattern": [2, 2, 2]}, {"pattern": 7}, {"scan": [1, 9]}])
def test_factors_that_do_not_fit_are_refused(settings):
    with pytest.raises(InputError, match="bin: "):
        Bin(**settings).apply(Scan.from_array(np.ones((4, 5, 7, 6))))
