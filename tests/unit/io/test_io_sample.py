"""The sample: few, small, spread over the scan, and bounded whatever the scan."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import wrap
from unmixel.io.sample import take


class Source:
    """Frames whose every pixel holds the frame's flat index; remembers what was read."""

    def __init__(self, scan_shape: tuple[int, ...], pattern_shape: tuple[int, ...]) -> None:
        self.shape = (*scan_shape, *pattern_shape)
        self.ndim, self.dtype = len(self.shape), np.dtype("u4")
        self.n_scan, self.values = len(scan_shape), 0

    def __getitem__(self, key):
        index = np.arange(int(np.prod(self.shape[: self.n_scan]))).reshape(self.shape[: self.n_scan])
        part = index[key[: self.n_scan]]
        block = np.broadcast_to(part.reshape(*part.shape, 1, 1), (*part.shape, *self.shape[self.n_scan :]))
        self.values += block.size
        return np.array(block, self.dtype)


def scan_of(scan_shape: tuple[int, ...], pattern_shape=(5, 4), chunks=None) -> tuple[Scan, Source]:
    source = Source(scan_shape, pattern_shape)
    data = wrap(source, (*(chunks or scan_shape), *pattern_shape))
    axes = tuple(Axis(f"s{i}", n) for i, n in enumerate(scan_shape))
    return Scan(data, axes, (Axis("v", pattern_shape[0]), Axis("u", pattern_shape[1]))), source


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=3), st.integers(1, 9), st.integers(20, 5000))
def test_any_scan_gives_a_bounded_sample(shape: list[int], chunk: int, budget: int) -> None:
    scan, _ = scan_of(tuple(shape), chunks=tuple(min(chunk, n) for n in shape))
    sample = take(scan, budget=budget)
    assert 1 <= sample.n_frames <= max(1, budget // 80, 1)
    assert sample.frames.shape == (sample.n_frames, 5, 4)
    assert sample.frames.max() < scan.n_positions


def test_neighbours_in_a_tile_are_neighbours_in_the_scan() -> None:
    scan, _ = scan_of((40, 60), chunks=(10, 15))
    sample = take(scan)
    assert len(sample.tiles) == 3
    for tile in sample.tiles:
        flat = tile[:, :, 0, 0].astype(int)
        assert np.all(np.diff(flat, axis=1) == 1)
        assert np.all(np.diff(flat, axis=0) == 60)
    assert sample.frames.max() - sample.frames.min() > 0.4 * scan.n_positions


def test_each_tile_reads_one_chunk_only() -> None:
    scan, source = scan_of((400, 600), chunks=(10, 15))
    take(scan)
    assert source.values <= 3 * 10 * 15 * 20


def test_a_file_in_one_piece_is_read_once() -> None:
    scan, _ = scan_of((40, 60))
    assert len(take(scan).tiles) == 1


def test_memory_is_sampled_everywhere() -> None:
    scan = Scan.from_array(np.zeros((40, 60, 5, 4)))
    assert len(take(scan).tiles) == 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3,), (2, 3, 4)])
def test_small_scans(shape: tuple[int, ...]) -> None:
    scan, _ = scan_of(shape)
    assert 1 <= take(scan).n_frames <= scan.n_positions


def test_a_single_pattern() -> None:
    scan = Scan.from_array(np.arange(20).reshape(5, 4), n_pattern_axes=2)
    sample = take(scan)
    assert sample.frames.shape == (1, 5, 4)
    assert np.array_equal(sample.frames[0], scan.data)


def test_a_spectrum_image() -> None:
    scan = Scan.from_array(np.zeros((13, 29, 40)))
    assert take(scan).frames.shape[1:] == (40,)
