"""Chunks and tiles: every position once, within the budget, along the chunks of the source."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import wrap
from unmixel.io.compression import best_shuffle, block_bytes
from unmixel.io.layout import TILE_BYTES, TILES_AT_ONCE, laid_out, reads_per_chunk, whole_numbers


class Stored:
    """A source of any size that takes no memory."""

    def __init__(self, shape: tuple[int, ...], chunks: tuple[int, ...] | None, dtype: str = "u2") -> None:
        self.shape, self.chunks, self.dtype = shape, chunks, np.dtype(dtype)
        self.ndim = len(shape)

    def __getitem__(self, key):
        raise AssertionError("laying out reads nothing")

    def __dask_tokenize__(self) -> str:
        return f"{self.shape}{self.chunks}{self.dtype}"


def scan_of(shape: tuple[int, ...], chunks: tuple[int, ...] | None = None) -> Scan:
    return Scan.from_array(wrap(Stored(shape, chunks), shape), n_pattern_axes=2)


def layout_of(scan: Scan, budget: int = 10**9, dtype: str = "u2", **settings_):
    return laid_out(scan, np.zeros((1, *scan.pattern_shape), dtype), budget, shuffle="shuffle", **settings_)


sizes = st.integers(1, 40)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(sizes, sizes),
    st.tuples(sizes, sizes),
    st.tuples(sizes, sizes),
    st.integers(1, 300),
    st.booleans(),
)
def test_tiles_cover_the_scan_once_and_fit(scan_shape, pattern, chunks, frames, cut) -> None:
    budget = TILES_AT_ONCE * 2 * math.prod(pattern) * frames
    chunk = tuple(min(c, n) for c, n in zip(chunks, scan_shape, strict=True))
    scan = scan_of((*scan_shape, *pattern), (*chunk, *pattern))
    layout = layout_of(scan, budget, cut_patterns=cut)
    seen = np.zeros(scan_shape, int)
    for number, tile in enumerate(layout.tiles):
        seen[tile] += 1
        assert layout.place(number) == tuple(run.start // n for run, n in zip(tile, layout.tile, strict=True))
    assert np.all(seen == 1)
    assert math.prod(layout.tile) <= frames
    assert all(t % c == 0 for t, c in zip(layout.tile_shape, layout.chunk, strict=True))


def test_chunks_of_the_source_are_read_once_where_there_is_room() -> None:
    for chunks in ((15, 15), (1, 64), (32, 32), (3, 7), (5, 64), (64, 1)):
        scan = scan_of((64, 64, 96, 96), (*chunks, 96, 96))
        layout = layout_of(scan, cut_patterns=True)
        assert reads_per_chunk(scan, layout) == 1, (chunks, layout)


def test_several_reads_are_counted() -> None:
    scan = scan_of((40, 40, 64, 64), (40, 40, 64, 64))
    layout = layout_of(scan, TILES_AT_ONCE * 64 * 64 * 2 * 100)
    assert reads_per_chunk(scan, layout) == len(layout.tiles) > 1


def test_tiles_do_not_grow_with_the_budget_without_end() -> None:
    scan = scan_of((1000, 1000, 256, 256))
    layout = layout_of(scan, 10**12, cut_patterns=True)
    assert math.prod(layout.tile_shape) * 2 <= TILE_BYTES
    assert layout.chunk == (8, 8, 128, 128)


@pytest.mark.parametrize("dtype", ["datetime64[s]", "complex64", "S3"])
def test_what_is_no_plain_number_is_refused(dtype: str) -> None:
    with pytest.raises(InputError, match="cast"):
        layout_of(scan_of((4, 4, 8, 8)), dtype=dtype)


def test_a_pattern_must_fit() -> None:
    with pytest.raises(InputError, match="give more memory"):
        layout_of(scan_of((4, 4, 512, 512)), 1_000_000)


@pytest.mark.parametrize("value", [0.5, -0.0, np.nan, np.inf, 2.0**31, -(2.0**31) - 2**8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_only_whole_numbers_are_whole(value: float, dtype: type) -> None:
    values = np.array([1.0, 0.0, value], dtype)
    assert whole_numbers(values) is None
    fits = whole_numbers(np.array([-(2.0**31), 0.0, 16_777_216.0], dtype))
    assert fits is not None
    assert fits.tolist() == [-(2**31), 0, 2**24]


def test_the_shuffle_is_the_one_that_makes_the_sample_smallest() -> None:
    from numcodecs import Blosc

    rng = np.random.default_rng(0)
    samples = [
        rng.poisson(0.5, 200_000).astype(np.uint16),
        4 * rng.integers(0, 256, 200_000).astype(np.int32),
        np.repeat(rng.normal(size=1000), 200),
    ]
    numbers = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}
    for sample in samples:
        size = {name: len(Blosc("zstd", 1, n).encode(sample)) for name, n in numbers.items()}
        assert size[best_shuffle(sample)] == min(size.values())
    assert len({best_shuffle(sample) for sample in samples}) > 1


def test_blocks_do_not_spoil_shuffled_bits() -> None:
    """Measured trap: blosc leaves a block alone whose number of values is not a multiple of 8."""
    from numcodecs import Blosc

    values = np.random.default_rng(0).poisson(0.5, 321_594).astype(np.uint16)
    ours = len(Blosc("zstd", 1, 2, block_bytes(values.size, 2, "bitshuffle")).encode(values))
    whole = len(Blosc("zstd", 1, 2, values.nbytes).encode(values))
    assert ours < 0.95 * whole
