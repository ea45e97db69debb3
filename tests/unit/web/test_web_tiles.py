"""The store against the whole cube: images, statistics, budgets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import ReadError
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import wrap
from unmixel.web import tiles
from unmixel.web.bins import Bins, bins_for
from unmixel.web.drawers import InMemory, Scratch
from unmixel.web.tiles import TileStore

SHAPE = (5, 7, 19, 21)
DRAWERS = {"memory": InMemory, "scratch": Scratch, "file": lambda: None}


def cube(kind: str) -> np.ndarray:
    counts = np.random.default_rng(3).poisson(40, SHAPE)
    counts[2, 3, 4, 5] = 60_000  # one tile needs a wider type than the others
    return {"counts": counts.astype(np.uint16), "whole floats": counts.astype(np.float32)}.get(
        kind, (counts * 0.37 - 5).astype(np.float32)
    )


def filled(data: np.ndarray, where: str) -> TileStore:
    store = TileStore(Scan.from_array(wrap(data, (2, 3, 19, 21))), budget=300_000)
    store.drawer = DRAWERS[where]()
    store.fill()
    assert store.done == 1
    return store


@pytest.mark.parametrize("kind", ["counts", "whole floats", "floats"])
@pytest.mark.parametrize("where", DRAWERS)
def test_exact_image_is_the_sum_over_the_cube(kind: str, where: str) -> None:
    data = cube(kind)
    store = filled(data, where)
    rng = np.random.default_rng(1)
    masks = [
        rng.random(SHAPE[2:]) < 0.3,
        rng.random(SHAPE[2:]),
        np.ones(SHAPE[2:]),
        np.pad([[1.0]], ((8, 10), (9, 11))),
    ]
    for mask in masks:
        image = store.image(np.asarray(mask, np.float64))
        assert image.exact
        assert image.done == 1
        whole = np.tensordot(data.astype(np.float64), mask, axes=2)
        np.testing.assert_allclose(
            image.values, whole, rtol=3e-7, atol=1e-7 * np.abs(data).sum(axis=(2, 3)).max()
        )


@pytest.mark.parametrize("kind", ["counts", "floats"])
def test_statistics_are_those_of_the_cube(kind: str) -> None:
    data = cube(kind).astype(np.float64)
    found = filled(cube(kind), "memory").summaries()
    for images, axes in ((found.pattern, (0, 1)), (found.map, (2, 3))):
        for name, reduce in {"sum": np.sum, "mean": np.mean, "max": np.max, "variance": np.var}.items():
            np.testing.assert_allclose(images[name], reduce(data, axis=axes), rtol=1e-6, err_msg=name)


def test_quick_image_says_that_it_is_not_exact_and_keeps_the_sum_of_even_patterns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tiles, "CHEAP", 0)
    even = np.full(SHAPE, 7, np.uint16)
    store = filled(even, "scratch")
    mask = np.hypot(*np.meshgrid(np.arange(19) - 9.2, np.arange(21) - 9.9, indexing="ij")) < 6.3
    quick, exact = (store.image(mask.astype(float), exact=exact) for exact in (False, True))
    assert (quick.exact, exact.exact) == (False, True)
    np.testing.assert_allclose(quick.values, exact.values, rtol=1e-6)
    bins = np.zeros(SHAPE[2:])
    bins[:8, 8:16] = 1  # one whole bin: nothing is cut
    assert store.image(bins, exact=False).exact


@pytest.mark.parametrize("where", ["memory", "scratch"])
def test_image_of_a_scan_that_is_being_read_is_right_where_it_is(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cube("counts")
    store = TileStore(Scan.from_array(wrap(data, (2, 3, 19, 21))), budget=60_000)
    store.drawer = DRAWERS[where]()
    assert len(list(store._runs())) > 1
    corner = np.pad([[1.0]], ((3, 15), (2, 18)))  # cuts a bin
    seen = []

    def look() -> None:
        for mask in (np.ones(SHAPE[2:]), corner):
            image = store.image(mask)
            there = np.isfinite(image.values)
            assert there.sum() == store.summed
            assert image.done == pytest.approx(store.summed / 35)
            if image.exact:
                truth = np.tensordot(data.astype(np.float64), mask, axes=2)
                np.testing.assert_allclose(image.values[there], truth[there], rtol=3e-7)
        seen.append((store.summed, store.filled, image.exact))
        found = store.summaries()
        sums = found.map["sum"]
        assert np.isfinite(sums).sum() == store.summed
        if store.filled:  # the variance over what was measured so far, in the order in which it was read
            part = data.reshape(35, *SHAPE[2:])[store._positions[: store.filled]].astype(np.float64)
            np.testing.assert_allclose(found.pattern["variance"], part.var(axis=0), rtol=1e-6)

    monkeypatch.setattr(store._news, "notify_all", look)
    store.fill()
    assert (store.done, seen[-1]) == (1, (35, 35, True))
    whole_at = next(index for index, (summed, _, _) in enumerate(seen) if summed == 35)
    assert (whole_at < len(seen) - 1) == (
        where == "scratch"
    )  # every image is whole before the tiles are there
    assert all(exact == (summed == filled) for summed, filled, exact in seen)


def test_budget_chooses_where_tiles_lie_and_how_fine_bins_are() -> None:
    large = Scan.from_array(wrap(np.zeros((40, 40, 32, 32), np.uint16)))  # 3.3 MB
    assert TileStore(large, budget=20_000_000).drawer.where == "memory"
    assert TileStore(large, budget=2_000_000).drawer.where == "scratch"
    assert TileStore(large, budget=2_000_000, scratch=False).drawer is None
    assert TileStore(large, budget=200_000).bins.side > TileStore(large, budget=2_000_000).bins.side


def test_reader_that_fails_is_told_to_whoever_asks() -> None:
    class Broken:
        shape, dtype, ndim = SHAPE, np.dtype(np.uint16), 4

        def __getitem__(self, key: object) -> np.ndarray:
            raise OSError("the disk is gone")

    store = TileStore(Scan.from_array(wrap(Broken(), SHAPE)), budget=10**6)
    store.begin()
    store.wait((0, 0), 20.0)
    with pytest.raises(ReadError, match="the disk is gone"):
        store.image(np.ones(SHAPE[2:]))


@settings(max_examples=10, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.integers(0, 2**31),
    st.booleans(),
)
def test_cover_gives_back_the_detector(
    shape: tuple[int, int], side: tuple[int, int], seed: int, whole: bool
) -> None:
    bins = Bins(shape, side)
    rng = np.random.default_rng(seed)
    shares = (rng.random(shape) < 0.6).astype(float) if whole else np.round(rng.random(shape), 1)
    cover = bins.cover(shares, exact=True)
    drawn = np.zeros(shape)
    for number, place in enumerate(bins.places):
        drawn[place] = cover.whole[number]
    for cut in cover.cut:
        part = drawn[bins.places[cut.bin]].ravel()
        part[cut.rows] += cut.weights
        drawn[bins.places[cut.bin]] = part.reshape(drawn[bins.places[cut.bin]].shape)
    np.testing.assert_allclose(drawn, shares, atol=1e-15)
    if whole:  # never more than half of the pixels of the bins that are cut
        assert all(2 * len(cut.rows) <= math.prod(side) for cut in cover.cut)
    quick = bins.cover(shares, exact=False)
    sizes = [shares[place].size for place in bins.places]
    assert quick.cut == ()
    assert np.dot(quick.whole, sizes) == pytest.approx(shares.sum())


def test_bins_fit_their_room() -> None:
    for shape in ((256, 256), (2048,), (31, 500)):
        for room in (10**5, 10**7):
            bins = bins_for(shape, 10_000, room)
            assert len(bins) * 40_000 <= room or len(bins) == 1
