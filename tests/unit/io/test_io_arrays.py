"""Lazy arrays over files: nothing is copied, chunks hold whole frames and stay few and bounded."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.engines.lazy import is_lazy, wrap
from unmixel.io.arrays import Mapped, Viewed, lazy, native, regrouped, whole_frames

sizes = st.integers(1, 3000)


@settings(deadline=None)
@given(
    sizes,
    sizes,
    st.integers(1, 600),
    st.integers(1, 600),
    st.integers(1, 64),
    st.integers(1, 64),
    st.booleans(),
)
def test_chunks_hold_whole_frames_and_are_bounded(y, x, v, u, cy, cx, raw: bool) -> None:
    shape = (y, x, v, u)
    own = None if raw else (min(cy, y), min(cx, x), v, u)
    chunks = whole_frames(shape, 2, 2, own)
    assert chunks[2:] == (v, u)
    assert all(1 <= c <= size for c, size in zip(chunks, shape, strict=True))
    size = math.prod(chunks) * 2
    smallest = math.prod((own or (1, 1, v, u))[:2]) * v * u * 2
    assert size <= max(256_000_000, smallest)
    if not raw:
        assert all(c % o == 0 or c == n for c, o, n in zip(chunks[:2], own[:2], shape[:2], strict=True))
    assert math.prod(math.ceil(n / c) for n, c in zip(shape, chunks, strict=True)) < 500_000


def test_a_terabyte_of_single_frames_becomes_thousands_of_chunks() -> None:
    chunks = whole_frames((2000, 2000, 512, 512), 1, 2, (1, 1, 512, 512))
    assert 2000 * 2000 / math.prod(chunks[:2]) <= 8000


def test_files_stored_by_tiles_of_the_detector_are_left_as_they_are() -> None:
    own = (256, 256, 8, 8)
    assert whole_frames((256, 256, 256, 256), 2, 2, own) == own


@pytest.fixture
def raw(tmp_path: Path) -> tuple[Path, np.ndarray]:
    values = np.arange(5 * 7 * 3 * 4, dtype=">u2").reshape(5, 7, 3, 4)
    (tmp_path / "raw.bin").write_bytes(b"head" + values.tobytes())
    return tmp_path / "raw.bin", values


def test_a_mapped_array_reads_what_is_there(raw: tuple[Path, np.ndarray]) -> None:
    path, values = raw
    mapped = Mapped(str(path), values.dtype, values.shape, 4)
    assert mapped.ndim == 4
    assert mapped.stop == path.stat().st_size
    assert np.array_equal(mapped[1:3, :, 2], values[1:3, :, 2])
    assert not isinstance(mapped[0], np.memmap)
    data = lazy(mapped, 2)
    assert is_lazy(data)
    assert data.dtype.isnative
    assert np.array_equal(np.asarray(data), values)


def test_a_mapped_array_in_column_order(tmp_path: Path) -> None:
    values = np.asfortranarray(np.arange(24).reshape(2, 3, 4))
    np.save(tmp_path / "f.npy", values)
    offset = (tmp_path / "f.npy").stat().st_size - values.nbytes
    mapped = Mapped(str(tmp_path / "f.npy"), values.dtype, values.shape, offset, "F")
    assert np.array_equal(mapped[:, 1:], values[:, 1:])


def test_a_changed_file_is_another_array(raw: tuple[Path, np.ndarray]) -> None:
    import os

    path, values = raw
    mapped = Mapped(str(path), values.dtype, values.shape, 4)
    before = lazy(mapped, 2).name
    os.utime(path, ns=(1, 1))
    assert lazy(mapped, 2).name != before


def test_one_chunk_is_read_slice_by_slice() -> None:
    values = np.arange(40 * 6).reshape(40, 2, 3)
    viewed = Viewed(wrap(values, (40, 2, 3)))
    assert viewed.ndim == 3
    assert np.array_equal(viewed[5:7], values[5:7])
    assert np.array_equal(np.asarray(lazy(viewed, 2)), values)


class Counting:
    """An array that counts how much of it is read."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.ndim, self.dtype = shape, len(shape), np.dtype("u1")
        self.read = 0

    def __getitem__(self, key):
        block = np.zeros(self.shape, self.dtype)[key]
        self.read += block.size
        return block


def test_library_chunks_are_taken_together() -> None:
    source = Counting((40, 50, 8, 8))
    fine = wrap(source, (1, 1, 8, 8))
    assert fine.npartitions == 2000
    coarse = regrouped(fine, 2)
    assert coarse.npartitions == 1
    np.asarray(coarse[3:5, 4])
    assert source.read == 2 * 64


def test_what_a_library_computes_is_left_alone() -> None:
    computed = wrap(np.zeros((6, 4, 4)), (1, 4, 4)) + 1
    assert regrouped(computed, 2) is computed


def test_memory_stays_memory() -> None:
    values = np.zeros((3, 4))
    assert regrouped(values, 2) is values
    assert native(values) is values
    assert native(values.astype(">f8")).dtype.isnative
