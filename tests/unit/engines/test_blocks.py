"""Blocks: every position once, within the budget, chunk by chunk, kept without loss."""

from __future__ import annotations

import math

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.engines import blocks
from unmixel.engines.blocks import BlockReader, block_slices, free_memory, read_once


class Counted:
    """A source that notes what is read of it."""

    def __init__(self, data):
        self.data, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim
        self.asked = []

    def __getitem__(self, key):
        self.asked.append(key)
        return self.data[key]


def counts(shape, seed=0, dtype=np.uint16):
    return np.random.default_rng(seed).poisson(3.0, shape).astype(dtype)


def unfolded(data, n_scan_axes):
    return np.asarray(data).reshape(math.prod(data.shape[:n_scan_axes]), -1)


@settings(deadline=None, max_examples=60)
@given(
    scan=st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    pixels=st.integers(1, 5),
    chunk=st.integers(1, 6),
    budget=st.integers(1, 4000),
    late=st.booleans(),
)
def test_blocks_partition_the_scan_within_the_budget(scan, pixels, chunk, budget, late):
    shape = (*scan, pixels)
    data = da.zeros(shape, chunks=chunk, dtype=np.uint16) if late else np.zeros(shape, np.uint16)
    tiles = block_slices(data, len(scan), budget)
    visits = np.zeros(scan, int)
    per_position = pixels * (2 + 4)
    for tile in tiles:
        visits[tile] += 1
        assert visits[tile].size * per_position <= max(budget, per_position)
    assert (visits == 1).all()


def test_the_whole_scan_is_one_block_when_the_budget_allows():
    data = da.zeros((13, 29, 4), chunks=(5, 7, 4), dtype=np.uint16)
    assert block_slices(data, 2, 10**6) == [(slice(0, 13), slice(0, 29))]


def test_blocks_follow_the_chunks():
    data = da.zeros((12, 20, 4), chunks=(4, 5, 4), dtype=np.uint16)
    one_chunk = 4 * 5 * 4 * 6
    tiles = block_slices(data, 2, one_chunk)
    assert tiles == [(slice(y, y + 4), slice(x, x + 5)) for y in range(0, 12, 4) for x in range(0, 20, 5)]
    rows = block_slices(data, 2, 4 * one_chunk)
    assert rows == [(slice(y, y + 4), slice(0, 20)) for y in range(0, 12, 4)]


def test_each_chunk_is_read_once_a_pass():
    source = Counted(counts((12, 20, 4)))
    data = da.from_array(source, chunks=(4, 5, 4), asarray=True)
    source.asked.clear()
    got = np.concatenate([block.values for block in read_once(data, 2, 16 * 4 * 5 * 4 * 6)])
    assert len(got) == 240
    assert len(source.asked) == 12


@pytest.mark.parametrize("scan", [(), (6,), (3, 5), (2, 3, 4)])
@pytest.mark.parametrize("pattern", [(7,), (4, 3)])
def test_read_once_gives_every_position_its_values(scan, pattern):
    data = counts((*scan, *pattern))
    for given_data in (data, da.from_array(data, chunks=2)):
        got = np.zeros((max(1, math.prod(scan)), math.prod(pattern)), data.dtype)
        for block in read_once(given_data, len(scan), 16 * 100):
            assert block.values.dtype == data.dtype
            got[block.positions] = block.values
        np.testing.assert_array_equal(got, unfolded(data, len(scan)))


def test_reader_reads_the_source_once_and_keeps_it_compact():
    data = counts((4, 6, 10)).astype(np.float32)
    reader = BlockReader(da.from_array(data, chunks=(2, 3, 10)), 2)
    for _ in range(3):
        got = np.zeros((24, 10))
        for block in reader:
            got[block.positions] = block.values
        np.testing.assert_array_equal(got, data.reshape(24, 10))
    assert reader.loads == len(reader)
    assert "uint8" in reader.kept_as


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (np.array([0.0, 255.0]), "uint8"),
        (np.array([0.0, 256.0]), "uint16"),
        (np.array([0, 70_000]), "uint32"),
        (np.array([0, 2**33]), "int64"),
        (np.array([0.0, 0.5]), "float64"),
        (np.array([-1.0, 2.0]), "float64"),
        (np.array([-1, 2], np.int16), "int16"),
        (np.array([np.nan, 2.0]), "float64"),
        (np.array([np.inf, 2.0], np.float32), "float32"),
        (np.array([True, False]), "bool"),
    ],
)
def test_what_is_kept_is_exact(values, kept):
    reader = BlockReader(da.from_array(values.reshape(1, 2), chunks=-1), 1)
    list(reader)
    (block,) = reader
    assert block.values.dtype == kept
    np.testing.assert_array_equal(block.values, values.reshape(1, 2))


def test_reader_keeps_nothing_beyond_half_the_budget():
    data = np.random.default_rng(0).normal(size=(50, 100))
    reader = BlockReader(da.from_array(data, chunks=(10, 100)), 1, budget=data.nbytes)
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate([block.values for block in reader]), data)
    assert reader.loads == 2 * len(reader)
    assert "every pass" in reader.kept_as


def test_a_pass_that_is_broken_off_does_not_stop_the_keeping():
    data = counts((40, 10))
    reader = BlockReader(da.from_array(data, chunks=(4, 10)), 1, budget=16 * 4 * 10 * 6)
    first = next(iter(reader))
    assert len(first.values) < 40
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate([block.values for block in reader]), data)
    assert reader.loads == len(reader)
    assert "all blocks" in reader.kept_as


def test_reader_copies_nothing_that_is_in_memory():
    data = counts((5, 10))
    reader = BlockReader(data, 1)
    for _ in range(2):
        assert all(np.shares_memory(block.values, data) for block in reader)
    assert "given" in reader.kept_as


def test_reader_loads_a_memory_map_once(tmp_path):
    data = counts((5, 10))
    np.save(tmp_path / "scan.npy", data)
    reader = BlockReader(np.load(tmp_path / "scan.npy", mmap_mode="r"), 1)
    list(reader)
    (block,) = reader
    assert type(block.values.base) is not np.memmap
    np.testing.assert_array_equal(block.values, data)
    assert reader.loads == len(reader)


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csr_matrix])
def test_reader_takes_sparse_rows(kind):
    data = counts((30, 7)) * (counts((30, 7), seed=1) > 4)
    reader = BlockReader(kind(data), 1, budget=16 * 7 * 6 * 8)
    for _ in range(2):
        parts = list(reader)
        assert len(parts) > 1
        np.testing.assert_array_equal(np.concatenate([block.values for block in parts]), data)


def test_free_memory_is_a_number_of_bytes(monkeypatch):
    assert free_memory() > 1_000_000

    def broken(*_args):
        raise OSError

    monkeypatch.setattr(blocks, "open", broken, raising=False)
    assert free_memory() == 0
