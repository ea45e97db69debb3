"""Lazy arrays: lazy equals eager, lazy stays lazy, a memory map counts as lazy."""

from __future__ import annotations

import tracemalloc

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.engines import lazy
from unmixel.engines.lazy import (
    as_array,
    chunk_lengths,
    in_memory,
    is_lazy,
    map_frames,
    mapping_of,
    only_in_order,
    read,
    source_of,
    stored_lengths,
    sum_bins,
    viewed,
    wrap,
)


def counts(shape, seed=0):
    return np.random.default_rng(seed).poisson(3.0, shape).astype(np.uint16)


@pytest.fixture
def memory_map(tmp_path):
    data = counts((5, 7, 6, 4))
    np.save(tmp_path / "scan.npy", data)
    return np.load(tmp_path / "scan.npy", mmap_mode="r"), data


def never(*_args, **_kwargs):
    raise AssertionError("the data were computed")


def test_what_counts_as_lazy(memory_map):
    mapped, data = memory_map
    assert not is_lazy(data)
    assert is_lazy(wrap(data))
    assert in_memory(data)
    assert not in_memory(mapped)
    assert not in_memory(wrap(data))


@pytest.mark.parametrize("view", [np.asarray, lambda m: m[1:3], lambda m: np.asarray(m).reshape(35, 24)])
def test_a_view_of_a_memory_map_is_not_in_memory(memory_map, view):
    mapped, data = memory_map
    assert not in_memory(view(mapped))
    assert mapping_of(view(mapped)) is mapping_of(mapped)
    assert mapping_of(data) is None
    np.testing.assert_array_equal(read(view(mapped), (slice(1, 2),)), view(data)[1:2])
    assert in_memory(read(view(mapped), (slice(1, 2),)))


def test_blocks_come_from_the_source_until_something_is_done_to_it(memory_map):
    mapped, data = memory_map
    lazy_array = wrap(mapped, (2, 7, 6, 4))
    assert source_of(lazy_array).source is mapped
    for other in (data, mapped, lazy_array[1:], lazy_array + 1, lazy_array.rechunk((1, 7, 6, 4))):
        assert source_of(other) is None
        np.testing.assert_array_equal(read(other, (slice(0, 1),)), np.asarray(other[:1]))
    # a lock of the user's own has to be taken
    assert source_of(da.from_array(mapped, lock=True)) is None
    assert source_of(lazy_array.persist()) is None


def test_a_memory_map_is_not_loaded_by_wrapping_it(tmp_path):
    np.save(tmp_path / "scan.npy", np.zeros((400, 10_000), np.uint16))
    mapped = np.load(tmp_path / "scan.npy", mmap_mode="r")
    tracemalloc.start()
    wrapped = as_array(mapped, 1)
    part = np.asarray(wrapped[3:5])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert part.shape == (2, 10_000)
    assert peak < mapped.nbytes / 4


def test_what_is_stored_together():
    class Stored:
        shape, ndim, dtype, chunks = (5, 6, 4), 3, np.dtype("u2"), (2, 3, 4)

        def __getitem__(self, key):
            return counts(self.shape)[key]

    wrapped = wrap(Stored(), (5, 6, 4))
    assert stored_lengths(wrapped, 0) == (2, 2, 1)
    assert stored_lengths(wrapped, 1) == (3, 3)
    assert stored_lengths(wrap(counts((5, 6))), 0) == (1,) * 5
    assert stored_lengths(counts((5, 6)), 1) == (1,) * 6
    assert stored_lengths(da.ones((5, 6), chunks=(2, 6)), 0) == (2, 2, 1)
    assert stored_lengths(wrapped[1:], 0) == wrapped[1:].chunks[0]


@pytest.mark.parametrize("kind", [">u2", "<u2", ">f4"])
def test_values_come_in_the_byte_order_of_the_machine(kind, tmp_path):
    data = counts((5, 6, 4)).astype(kind)
    np.save(tmp_path / "scan.npy", data)
    for source in (data, np.load(tmp_path / "scan.npy", mmap_mode="r")):
        wrapped = wrap(source, (2, 6, 4))
        assert wrapped.dtype.isnative
        assert np.asarray(wrapped).dtype.isnative
        np.testing.assert_array_equal(np.asarray(wrapped), data)
        np.testing.assert_array_equal(read(wrapped, (slice(1, 4),)), data[1:4])
        assert read(wrapped, (slice(1, 4),)).dtype.isnative
    assert wrap(data).name == wrap(data.copy()).name


def test_a_source_in_order_is_known_through_what_is_done_to_it():
    class Stream:
        shape, ndim, dtype, in_order = (5, 6), 2, np.dtype(">u2"), True

        def __getitem__(self, key):
            return counts(self.shape)[key]

    assert only_in_order(wrap(Stream()))
    assert only_in_order(wrap(Stream())[1:] + 1)
    assert not only_in_order(wrap(counts((5, 6))))
    assert not only_in_order(counts((5, 6)))


def test_an_array_of_one_chunk_is_viewed_not_copied(memory_map):
    mapped, data = memory_map

    class Hidden:  # dask takes a copy of a numpy array
        shape, ndim, dtype = mapped.shape, mapped.ndim, mapped.dtype

        def __getitem__(self, key):
            return mapped[key]

        def __dask_tokenize__(self):
            return "hidden"

    one = da.from_array(Hidden(), chunks=-1)[:, :, ::-1]
    assert mapping_of(viewed(one)) is mapping_of(mapped)
    np.testing.assert_array_equal(viewed(one), data[:, :, ::-1])
    with pytest.raises(ValueError, match="to unpack"):
        viewed(one.rechunk((1, -1, -1, -1)))


def test_as_array_keeps_frames_whole(memory_map):
    mapped, data = memory_map
    with dask.config.set({"array.chunk-size": "200B"}):
        wrapped = as_array(mapped, 2)
    assert is_lazy(wrapped)
    assert wrapped.chunks[2:] == ((6,), (4,))
    assert len(wrapped.chunks[0]) > 1
    np.testing.assert_array_equal(np.asarray(wrapped), data)


def test_chunk_lengths():
    assert chunk_lengths(np.ones((5, 6)), 1) == (6,)
    assert chunk_lengths(da.ones((5, 6), chunks=(2, 6)), 0) == (2, 2, 1)


@settings(deadline=None, max_examples=30)
@given(
    scan=st.lists(st.integers(1, 6), max_size=3).map(tuple),
    pattern=st.lists(st.integers(1, 5), min_size=1, max_size=2).map(tuple),
    chunk=st.integers(1, 4),
)
def test_map_frames_lazy_equals_eager(scan, pattern, chunk):
    data = counts((*scan, *pattern), seed=chunk)
    shift = np.arange(max(1, int(np.prod(scan))) * 2, dtype=float).reshape(*scan, 2)

    def change(frames, values):
        assert frames.shape[0] == values.shape[0]
        column = values.sum(axis=1).reshape(-1, *([1] * len(pattern)))
        return (frames * 2.0 + column)[..., ::2]

    shape = (*pattern[:-1], len(range(0, pattern[-1], 2)))
    arguments = {"n_scan_axes": len(scan), "pattern_shape": shape, "dtype": np.float32, "per_position": shift}
    eager = map_frames(data, change, **arguments)
    late = map_frames(da.from_array(data, chunks=chunk), change, **arguments)
    assert is_lazy(late)
    assert eager.dtype == late.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(late), eager)
    flat = change(data.reshape(-1, *pattern), shift.reshape(-1, 2))
    np.testing.assert_array_equal(eager.reshape(-1, *shape), flat.astype(np.float32))


def test_map_frames_changes_the_number_of_pattern_axes():
    data = counts((3, 5, 6, 4))
    for given_data in (data, da.from_array(data, chunks=(2, 2, 3, 3))):
        sums = map_frames(given_data, lambda f: f.sum(2), n_scan_axes=2, pattern_shape=(6,), dtype=np.int64)
        np.testing.assert_array_equal(np.asarray(sums), data.sum(3))


def test_map_frames_computes_nothing_before_it_is_asked():
    data = da.from_array(counts((4, 5, 6, 4)), chunks=(2, 2, 6, 4))
    with dask.config.set(scheduler=never):
        late = map_frames(data, lambda f: f, n_scan_axes=2, pattern_shape=(6, 4), dtype=np.uint16)
    assert late.shape == (4, 5, 6, 4)


def test_map_frames_of_a_memory_map_stays_lazy(memory_map):
    mapped, data = memory_map
    late = map_frames(mapped, lambda f: f + 1, n_scan_axes=2, pattern_shape=(6, 4), dtype=np.uint16)
    assert is_lazy(late)
    np.testing.assert_array_equal(np.asarray(late), data + 1)


def test_map_frames_hands_out_runs_of_bounded_size(monkeypatch):
    data = counts((9, 3, 6, 4))
    monkeypatch.setattr(lazy, "RUN_BYTES", 2 * data[0].nbytes)
    seen = []

    def remember(frames):
        seen.append(frames.nbytes)
        return frames + 1

    out = map_frames(data, remember, n_scan_axes=2, pattern_shape=(6, 4), dtype=np.uint16)
    np.testing.assert_array_equal(out, data + 1)
    assert len(seen) == 5
    assert max(seen) == 2 * data[0].nbytes


def test_map_frames_leaves_its_input_alone():
    data = counts((3, 4, 5))
    before = data.copy()
    map_frames(data, lambda f: f * 0, n_scan_axes=2, pattern_shape=(5,), dtype=np.uint16)
    np.testing.assert_array_equal(data, before)


def test_map_frames_refuses_frames_of_another_size():
    with pytest.raises(ValueError, match="reshape"):
        map_frames(counts((3, 4, 5)), lambda f: f[:, :2], n_scan_axes=2, pattern_shape=(5,), dtype=np.uint16)


@settings(deadline=None, max_examples=40)
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple),
    factor=st.integers(1, 4),
    chunk=st.integers(1, 5),
)
def test_sum_bins_equals_a_loop(shape, factor, chunk):
    data = counts(shape, seed=factor).astype(np.uint8)
    factors = tuple(min(factor + i % 2, n) for i, n in enumerate(shape))
    expected = data.astype(np.int64)
    for axis, f in enumerate(factors):
        kept = np.take(expected, range(expected.shape[axis] // f * f), axis=axis)
        expected = np.add.reduceat(kept, range(0, kept.shape[axis], f), axis=axis)
    eager = sum_bins(data, factors, np.uint32)
    late = sum_bins(da.from_array(data, chunks=chunk), factors, np.uint32)
    assert eager.dtype == late.dtype == np.uint32
    np.testing.assert_array_equal(eager, expected)
    np.testing.assert_array_equal(np.asarray(late), expected)


def test_sum_bins_sums_in_the_wide_type():
    data = np.full((4, 6), 255, np.uint8)
    for given_data in (data, da.from_array(data, chunks=(3, 5))):
        np.testing.assert_array_equal(
            np.asarray(sum_bins(given_data, (2, 3), np.uint16)), np.full((2, 2), 6 * 255, np.uint16)
        )
