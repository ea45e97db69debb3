"""Blocks: every position once, within the budget, chunk by chunk, kept without loss."""

from __future__ import annotations

import gc
import math
import os
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.engines import blocks
from unmixel.engines.blocks import BlockReader, block_slices, free_memory, read_once
from unmixel.engines.lazy import wrap
from unmixel.engines.numpy_engine import NumpyEngine


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
    allowed=st.integers(1, 700),
    late=st.booleans(),
)
def test_blocks_partition_the_scan_as_they_are_allowed(scan, pixels, chunk, allowed, late):
    shape = (*scan, pixels)
    data = da.zeros(shape, chunks=chunk, dtype=np.uint16) if late else np.zeros(shape, np.uint16)
    tiles = block_slices(data, len(scan), allowed)
    visits = np.zeros(scan, int)
    for tile in tiles:
        visits[tile] += 1
        assert visits[tile].size <= allowed
    assert (visits == 1).all()


def test_the_whole_scan_is_one_block_where_it_may_be():
    data = da.zeros((13, 29, 4), chunks=(5, 7, 4), dtype=np.uint16)
    assert block_slices(data, 2, 1000) == [(slice(0, 13), slice(0, 29))]


def test_blocks_follow_the_chunks():
    data = da.zeros((12, 20, 4), chunks=(4, 5, 4), dtype=np.uint16)
    one_chunk = 4 * 5
    tiles = block_slices(data, 2, one_chunk)
    assert tiles == [(slice(y, y + 4), slice(x, x + 5)) for y in range(0, 12, 4) for x in range(0, 20, 5)]
    rows = block_slices(data, 2, 4 * one_chunk)
    assert rows == [(slice(y, y + 4), slice(0, 20)) for y in range(0, 12, 4)]


class Chunked(Counted):
    """A source that is stored by chunks, and notes how often each of them was read."""

    def __init__(self, data, chunks):
        super().__init__(data)
        self.chunks = chunks
        grid = [math.ceil(n / c) for n, c in zip(data.shape, chunks, strict=True)]
        self.visits, self.lock = np.zeros(grid, int), threading.Lock()

    def __getitem__(self, key):
        key = (*key, *[slice(None)] * (self.ndim - len(key)))
        ends = [part.indices(n) for part, n in zip(key, self.shape, strict=True)]
        with self.lock:
            self.visits[
                tuple(slice(a // c, -(-b // c)) for (a, b, _), c in zip(ends, self.chunks, strict=True))
            ] += 1
        return super().__getitem__(key)


LAYOUTS = {
    "whole frames": (1, 29, 31, 26),
    "rows": (3, 29, 31, 26),
    "tiles of positions": (5, 7, 31, 26),
    "single positions": (1, 1, 31, 26),
    "parts of the detector": (4, 6, 8, 13),
    "columns of the scan": (13, 2, 31, 26),
    "all positions, parts of the detector": (13, 29, 10, 10),
    "one": (13, 29, 31, 26),
}


@pytest.mark.parametrize("how", ["wrapped", "dask", "computed"])
@pytest.mark.parametrize("chunks", LAYOUTS.values(), ids=LAYOUTS)
def test_each_chunk_is_read_once_a_pass(chunks, how):
    values = counts((13, 29, 31, 26))
    source = Chunked(values, chunks)
    if how == "wrapped":
        data = wrap(source, (6, 10, 31, 26))
    else:
        data = da.from_array(source, chunks=chunks, asarray=True, meta=np.empty((0,) * 4, np.uint16))
        data = data + np.uint16(1) if how == "computed" else data
    source.visits[...] = 0
    # a sixth of the budget holds the whole scan, half of it does not: nothing is kept
    reader = BlockReader(data, 2, 6 * values.nbytes)
    reader._too_big = True
    assert len(reader) > 3
    for n_pass in (1, 2):
        got = np.zeros((13 * 29, 31 * 26), np.uint16)
        for block in NumpyEngine(2).each(reader.load, range(len(reader))):
            got[block.positions] = block.values
        np.testing.assert_array_equal(got, unfolded(values, 2) + (how == "computed"))
        assert (source.visits == n_pass).all()
    assert reader.kept_as == "nothing: every pass reads the source"


def test_a_chunk_beyond_the_budget_is_read_in_parts_and_said_so():
    values = counts((12, 20, 40))
    source = Chunked(values, (6, 20, 8))
    reader = BlockReader(wrap(source, (6, 20, 40)), 2, 6 * 3 * 20 * 40 * 2)
    reader._too_big = True
    np.testing.assert_array_equal(np.concatenate([block.values for block in reader]), unfolded(values, 2))
    assert source.visits.max() == 2
    assert "2 times over" in reader.kept_as


@pytest.mark.parametrize("chunks", [None, (1, 1, 31, 26), (13, 29, 31, 26)])
def test_memory_stays_within_the_budget(chunks):
    """Alive at once: blocks that two threads work on, one that waits, those read ahead, and what they are cut from."""
    values = counts((13, 29, 31, 26))
    source = Counted(values) if chunks is None else Chunked(values, chunks)
    budget = 6 * values.nbytes if chunks == values.shape else values.nbytes
    reader = BlockReader(wrap(source, values.shape), 2, budget)
    reader._too_big = True
    working_copies = 3 * max(piece.rows[0].stop for piece in reader._source.pieces) * 31 * 26 * 4
    pieces = 5 * max(len(piece.positions) for piece in reader._source.pieces) * 31 * 26 * 2
    assert working_copies + min(pieces, 2 * values.nbytes) <= budget


def test_slow_reading_overlaps_computing():
    class Slow(Counted):
        def __getitem__(self, key):
            time.sleep(0.01)
            return super().__getitem__(key)

    reader = BlockReader(wrap(Slow(counts((40, 10))), (1, 10)), 1, 16 * 60)
    assert len(reader) == 40

    def work(i):
        reader.load(i)
        time.sleep(0.02)

    began = time.perf_counter()
    list(NumpyEngine(1).each(work, range(40)))
    # 0.8 s of computing and 0.4 s of reading
    assert time.perf_counter() - began < 1.05


def test_a_source_in_order_is_read_in_order_by_any_number_of_threads():
    class Stream(Counted):
        in_order = True

    source = Stream(counts((40, 10)))
    for data in (wrap(source, (1, 10)), wrap(source, (1, 10)) + 1):
        source.asked.clear()
        reader = BlockReader(data, 1, 16 * 60)
        reader._too_big = True
        list(NumpyEngine(4).each(reader.load, range(len(reader))))
        starts = [key[0].start for key in source.asked]
        assert starts == sorted(starts)
        assert len(starts) == 40


def test_an_error_of_the_source_arrives_and_the_next_pass_reads_on():
    class Shaky(Counted):
        broken = True

        def __getitem__(self, key):
            if self.broken and key[0].start == 7:
                raise OSError("the disk is away")
            return super().__getitem__(key)

    source = Shaky(counts((12, 10)))
    reader = BlockReader(wrap(source, (1, 10)), 1, 16 * 60)
    with pytest.raises(OSError, match="away"):
        list(NumpyEngine(2).each(reader.load, range(len(reader))))
    source.broken = False
    np.testing.assert_array_equal(np.concatenate([block.values for block in reader]), source.data)


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


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says what is resident")
@pytest.mark.parametrize("mode", ["r", "r+", "c"])
@pytest.mark.parametrize("view", [lambda m: m, lambda m: np.asarray(m)[1:].reshape(-1, m.shape[1])])
def test_a_memory_map_does_not_become_resident(tmp_path, mode, view):
    def resident():
        told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(told["RssFile"].split()[0]) * 1024

    np.save(tmp_path / "scan.npy", np.arange(400 * 100_000, dtype=np.uint16).reshape(400, 100_000))
    mapped = view(np.load(tmp_path / "scan.npy", mmap_mode=mode))
    before = resident()
    reader = BlockReader(mapped, 1, budget=20_000_000)
    total = sum(int(block.values.sum()) for block in reader)
    grown = resident() - before
    assert total == int(mapped.sum(dtype=np.int64))
    if mode != "c":  # what was written to a private map is nowhere else
        assert grown < 8_000_000 < mapped.nbytes


def test_what_was_written_to_a_map_is_read(tmp_path):
    data = counts((50, 100))
    np.save(tmp_path / "scan.npy", data)
    for mode in ("c", "r+"):
        mapped = np.load(tmp_path / "scan.npy", mmap_mode=mode)
        mapped[3] = 77
        for _ in range(2):
            blocks = list(read_once(mapped, 1, 16 * 600))
            np.testing.assert_array_equal(np.concatenate([block.values for block in blocks]), mapped)
        assert mapped[3, 0] == 77


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_reads_and_computes_with_threads_of_its_own():
    code = """
import os, signal, numpy as np
from unmixel.engines.blocks import BlockReader
from unmixel.engines.lazy import wrap
from unmixel.engines.numpy_engine import NumpyEngine
def total():
    reader = BlockReader(wrap(np.ones((40, 10)), (1, 10)), 1, 16 * 60)
    return sum(NumpyEngine(2).each(lambda i: int(reader.load(i).values.sum()), range(len(reader))))
assert total() == 400
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(0 if total() == 400 else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_a_source_is_let_go_with_its_reader():
    """Nothing but the reader holds the file: it is closed without waiting for the garbage collector."""
    source = np.zeros((6, 5, 4)).view(type("Watched", (np.ndarray,), {}))
    lazy = da.from_array(source, chunks=(2, 5, 4))
    gone = weakref.ref(lazy)
    reader = BlockReader(lazy, 2, 16 * 60)
    gc.disable()
    try:
        assert sum(block.positions.size for block in reader) == 30
        del reader, lazy
        assert gone() is None
    finally:
        gc.enable()
