"""Laws of the one-pass sketch: order and parts do not matter, exact where the data are, honest where they are not."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel import NMF
from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Grid, Matrix
from unmixel.engines.blocks import read_once
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.closing import finished as factors
from unmixel.factorize.mixing import ByScores, BySigns
from unmixel.factorize.solve import solve
from unmixel.factorize.stream import StreamSketch

MIXINGS = [ByScores(), BySigns()]
SCANS = [(13, 29), (41,), (3, 4, 5)]
DETECTORS = [(31, 26), (97,)]


def grids(scan, detector=(31, 26)) -> tuple[Grid, Grid]:
    return tuple(Grid(tuple(shape), (1.0,) * len(shape)) for shape in (scan, detector))


def low_rank(n: int, m: int, rank: int = 4, seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.gamma(0.5, size=(n, rank)) @ rng.gamma(0.5, size=(rank, m)) * 100


def counts(scan=(13, 29), detector=(31, 26), *, rank: int = 4, seed: int = 0):
    sides = grids(scan, detector)
    expected = low_rank(sides[0].size, sides[1].size, rank, seed) / 20
    return np.random.default_rng(seed).poisson(expected).astype(np.uint16), expected


def fed(stream: StreamSketch, X, parts=None) -> StreamSketch:
    for part in parts or [np.arange(len(X))]:
        stream.update(part, X[part])
    return stream


def dense(low):
    return (low.left * low.values) @ low.right


def finished(stream: StreamSketch, **settings):
    return stream.finish(NumpyEngine(), **settings)


@pytest.mark.parametrize("mixing", MIXINGS)
@settings(max_examples=25, deadline=None)
@given(
    scan=st.sampled_from(SCANS),
    detector=st.sampled_from(DETECTORS),
    n_parts=st.integers(1, 9),
    seed=st.integers(0, 1000),
    kind=st.sampled_from(["uint8", "int32", "uint16", "float32", "float64"]),
)
def test_any_partition_in_any_order_gives_the_same(mixing, scan, detector, n_parts, seed, kind) -> None:
    X = counts(scan, detector, seed=seed)[0].astype(kind)
    rng = np.random.default_rng(seed)
    parts = np.array_split(rng.permutation(len(X)), n_parts)
    weights = {"position_weights": rng.random(len(X)), "pixel_weights": rng.random(X.shape[1])}
    begin = StreamSketch.begin(
        grids(scan, detector), width=9, mixing=mixing, seed=seed, dtype="float64", **weights
    )
    whole, split = fed(begin.fresh(), X), fed(begin.fresh(), X, parts)
    for name in ("scores", "mixtures", "norm2"):
        a, b = getattr(whole, name), getattr(split, name)
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-12 * np.max(np.abs(a)))
    np.testing.assert_allclose(dense(finished(split)), dense(finished(whole)), atol=1e-8 * X.max())
    assert np.all(split.seen == 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mixing", MIXINGS)
def test_merging_is_updating_with_both(mixing, dtype: str) -> None:
    X, _ = counts()
    halves = np.arange(0, 200), np.arange(200, len(X))
    begin = StreamSketch.begin(grids((13, 29)), width=12, mixing=mixing, dtype=dtype)
    both = fed(begin.fresh(), X, halves)
    first, second = (fed(begin.fresh(), X, [half]) for half in halves)
    untouched = second.scores.copy()
    first.merge(second)
    near = {"float32": 1e-5, "float64": 1e-12}[dtype]
    for name in ("scores", "mixtures"):
        a, b = getattr(both, name), getattr(first, name)
        np.testing.assert_allclose(b, a, atol=near * np.max(np.abs(a)))
    assert first.norm2 == pytest.approx(both.norm2, rel=1e-12)
    assert np.all(first.seen == 1)
    assert np.array_equal(second.scores, untouched)
    assert np.array_equal(second.seen > 0, np.arange(len(X)) >= 200)


def test_signs_are_linear_in_the_data() -> None:
    X, _ = counts()
    rng = np.random.default_rng(1)
    part = rng.binomial(X, 0.3)
    begin = StreamSketch.begin(grids((13, 29)), width=10, mixing=BySigns(), dtype="float64")
    whole, sums = fed(begin.fresh(), X), fed(fed(begin.fresh(), part), X - part)
    tripled = fed(begin.fresh(), 3 * X)
    for name in ("scores", "mixtures"):
        a = getattr(whole, name)
        np.testing.assert_allclose(getattr(sums, name), a, atol=1e-10 * np.abs(a).max())
        np.testing.assert_allclose(getattr(tripled, name), 3 * a, atol=1e-10 * np.abs(a).max())
    assert np.all(sums.seen == 2)
    assert finished(sums).norm2 == pytest.approx(finished(whole).norm2, rel=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize(("scan", "detector"), [((13, 29), (31, 26)), ((41,), (97,)), ((13, 29), (7,))])
def test_data_of_low_rank_come_back_whole(mixing, dtype: str, scan, detector) -> None:
    sides = grids(scan, detector)
    X = low_rank(sides[0].size, sides[1].size).astype(dtype)
    rng = np.random.default_rng(2)
    weights = {
        "position_weights": rng.uniform(0.1, 3, len(X)),
        "pixel_weights": rng.uniform(0.1, 3, X.shape[1]),
    }
    stream = fed(StreamSketch.begin(sides, width=7, mixing=mixing, dtype=dtype, **weights), X)
    low = finished(stream)
    A = X * np.sqrt(np.outer(weights["position_weights"], weights["pixel_weights"]))
    assert np.linalg.norm(dense(low) - A) < 1e-5 * np.linalg.norm(A)
    np.testing.assert_allclose(low.values[:4], np.linalg.svd(A, compute_uv=False)[:4], rtol=1e-4)
    assert low.norm2 == pytest.approx(np.sum(A**2, dtype=np.float64), rel=1e-5)
    rows = rng.random((3, len(X))).astype(dtype)
    np.testing.assert_allclose(low.with_maps(rows), rows @ X, rtol=1e-3)


def test_scores_give_the_exact_projection() -> None:
    X, _ = counts()
    stream = fed(StreamSketch.begin(grids((13, 29)), width=12, dtype="float64"), X)
    low = finished(stream)
    basis = np.linalg.qr(X @ stream.test)[0]
    np.testing.assert_allclose(dense(low), basis @ (basis.T @ X), atol=1e-8 * X.max())
    np.testing.assert_allclose(low.left.T @ low.left, np.eye(12), atol=1e-8)
    np.testing.assert_allclose(low.right @ low.right.T, np.eye(12), atol=1e-8)
    assert np.all(np.diff(low.values) <= 0)
    assert low.norm2 == pytest.approx(np.sum(X.astype(float) ** 2), rel=1e-12)
    np.testing.assert_allclose(
        dense(finished(stream, width=5)), (low.left[:, :5] * low.values[:5]) @ low.right[:5], atol=1e-8
    )


@pytest.mark.parametrize("mixing", MIXINGS)
def test_full_width_is_the_data(mixing) -> None:
    X, _ = counts((13,), (9,))
    stream = StreamSketch.begin(grids((13,), (9,)), width=100, mixing=mixing, dtype="float64")
    assert stream.width == 9
    np.testing.assert_allclose(dense(finished(fed(stream, X))), X, atol=1e-7)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_what_has_no_weight_does_not_enter(mixing) -> None:
    X, _ = counts()
    rng = np.random.default_rng(3)
    rows, columns = rng.random(len(X)) > 0.2, rng.random(X.shape[1]) > 0.2
    begin = StreamSketch.begin(
        grids((13, 29)), width=10, mixing=mixing, position_weights=rows, pixel_weights=columns
    )
    spoilt = X.copy()
    spoilt[~rows] = 60_000
    spoilt[:, ~columns] = 50_000
    clean, other = (finished(fed(begin.fresh(), values)) for values in (X, spoilt))
    np.testing.assert_allclose(dense(other), dense(clean), atol=1e-3)
    assert other.norm2 == pytest.approx(clean.norm2, rel=1e-6)
    assert not dense(other)[~rows].any()
    np.testing.assert_allclose(dense(other)[:, ~columns], 0, atol=1e-9)
    assert dense(clean)[rows][:, columns].any()


@pytest.mark.parametrize("mixing", MIXINGS)
def test_half_a_scan_is_the_scan_with_the_rest_left_out(mixing) -> None:
    X, expected = counts()
    half = np.arange(150)
    mixing_of = {"width": 12, "mixing": mixing, "dtype": "float64"}
    weights = 1 / expected.mean(axis=0)
    stream = StreamSketch.begin(grids((13, 29)), pixel_weights=weights, **mixing_of)
    low = finished(fed(stream, X, [half]))
    left_out = StreamSketch.begin(
        grids((13, 29)), pixel_weights=weights, position_weights=np.arange(len(X)) < 150, **mixing_of
    )
    np.testing.assert_allclose(dense(low), dense(finished(fed(left_out, X))), atol=1e-8)
    assert not low.left[150:].any()
    assert np.array_equal(low.root_positions > 0, stream.seen > 0)
    noise = np.sqrt(np.mean(expected[half] * weights))
    # positions not seen do not dilute it (that would give 0.7); signal that a single pass misses adds to it
    assert 0.95 * noise < low.noise < 1.2 * noise
    later = finished(fed(stream, X, [np.arange(150, len(X))]))
    assert later.left[150:].any()


@pytest.mark.parametrize("mixing", MIXINGS)
def test_nothing_seen_yet_is_a_sketch_of_zeros(mixing) -> None:
    stream = StreamSketch.begin(grids((13, 29)), width=5, mixing=mixing)
    assert not dense(finished(stream)).any()
    stream.update([], np.empty((0, 31 * 26)))
    assert not stream.seen.any()
    stream.update([3], np.zeros((1, 31, 26)))
    assert finished(stream).norm2 == 0


@pytest.mark.parametrize("mixing", MIXINGS)
def test_noise_of_whitened_counts_is_one(mixing) -> None:
    rng = np.random.default_rng(3)
    expected = rng.uniform(2, 9, 400)
    X = rng.poisson(np.outer(np.ones(500), expected))
    stream = StreamSketch.begin(grids((20, 25), (400,)), width=10, mixing=mixing, pixel_weights=1 / expected)
    assert finished(fed(stream, X)).noise == pytest.approx(1, abs=0.05)


def errors(**begin) -> float:
    """Return the squared error of rank 4 over that of the best of rank 4."""
    X, _ = counts((20, 30), (30, 20))
    low = finished(fed(StreamSketch.begin(grids((20, 30), (30, 20)), **begin), X))
    tail = np.linalg.svd(X.astype(float), compute_uv=False)[4:]
    rest = X - (low.left[:, :4] * low.values[:4]) @ low.right[:4]
    return float(np.linalg.norm(rest) / np.linalg.norm(tail))


def test_loss_of_a_single_pass_on_counts_is_as_documented() -> None:
    aim = counts((20, 30), (30, 20))[0][:100]
    plain, aimed = errors(width=18), errors(width=18, aim=aim)
    signs, many = errors(width=18, mixing=BySigns()), errors(width=18, mixing=BySigns(fold=12))
    assert 1 < aimed < plain < signs
    assert many < signs
    assert plain < 1.2
    assert aimed < 1.005
    assert signs < 1.3


def test_signs_gain_from_keeping_fewer_directions() -> None:
    X, expected = counts((20, 30), (30, 20))
    stream = fed(StreamSketch.begin(grids((20, 30), (30, 20)), width=40, mixing=BySigns()), X)
    wide, narrow = finished(stream), finished(stream, width=8)
    assert len(narrow.values) == 8
    cut = (wide.left[:, :8] * wide.values[:8]) @ wide.right[:8]
    assert np.linalg.norm(dense(narrow) - expected) < 0.9 * np.linalg.norm(cut - expected)


@pytest.mark.parametrize("seen", [600, 300])
def test_components_can_be_solved_for_while_the_scan_runs(seen: int) -> None:
    X, expected = counts((20, 30), (30, 20))
    stream = StreamSketch.begin(grids((20, 30), (30, 20)), width=18, aim=X[:100])
    low = finished(fed(stream, X, [np.arange(seen)]))
    problem, sweep = solve(low, NMF(4).plan_for(Matrix.from_array(X)))
    maps, patterns = factors(problem, sweep)
    assert maps.min() >= 0
    assert patterns.min() >= 0
    model = maps[:, :seen].T @ patterns
    best = np.linalg.norm(X[:seen] - expected[:seen])
    assert np.linalg.norm(X[:seen] - model) < 1.01 * best
    assert np.linalg.norm(maps[:, seen:]) <= 1e-3 * np.linalg.norm(maps)


@pytest.mark.parametrize("n_aim", [1, 60, 900])
def test_random_test_patterns_catch_what_the_aim_does_not_show(n_aim: int) -> None:
    X = low_rank(377, 806)
    aim = X[:1].repeat(n_aim, axis=0)
    stream = fed(StreamSketch.begin(grids((13, 29)), width=10, aim=aim, dtype="float64"), X)
    assert np.linalg.norm(dense(finished(stream)) - X) < 1e-5 * np.linalg.norm(X)
    # the one direction shown leads the test patterns
    assert abs(stream.test[:, 0] @ X[0]) == pytest.approx(np.linalg.norm(X[0]))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6), width=st.integers(1, 40), fold=st.integers(2, 6), per_frame=st.integers(1, 9)
)
def test_signs_depend_on_seed_and_position_alone(seed, width, fold, per_frame) -> None:
    mixing = BySigns(fold, per_frame)
    positions = np.array([5, 999_999, 0, 123_456, 7])
    empty = np.empty((5, width))
    drawn = mixing.coefficients(positions, empty, seed).toarray()
    alone = [mixing.coefficients(positions[i : i + 1], empty[:1], seed).toarray()[0] for i in range(5)]
    assert np.array_equal(drawn, alone)
    used = min(per_frame, fold * width)
    assert np.all(np.count_nonzero(drawn, axis=1) == used)
    np.testing.assert_allclose(drawn[drawn != 0] ** 2, fold * width / used)


def test_signs_are_balanced_and_spread_over_all_mixtures() -> None:
    drawn = BySigns(4, 8).coefficients(np.arange(20_000), np.empty((20_000, 7)), seed=1)
    signs = np.sign(drawn.data)
    per_mixture = np.bincount(drawn.indices, minlength=28)
    assert abs(signs.mean()) < 4 / np.sqrt(signs.size)
    # binomial: a group of 3 or 4 mixtures shares 20 000 frames
    assert np.all(per_mixture > 20_000 / 4 * 0.95)
    assert np.all(per_mixture < 20_000 / 3 * 1.05)
    overlap = (drawn.T @ drawn).toarray() / 20_000
    np.testing.assert_allclose(overlap, np.diag(np.diag(overlap)), atol=0.1)


def test_memory_grows_with_sides_not_with_data() -> None:
    n, m, width = 600, 800, 10
    for mixing, mixtures in ((ByScores(), width), (BySigns(4), 4 * width)):
        stream = StreamSketch.begin(grids((20, 30), (40, 20)), width=width, mixing=mixing)
        before = stream.nbytes
        stream.update(np.arange(n), np.ones((n, m), np.uint8))
        assert stream.nbytes == before
        assert before == 4 * ((n + m) * width + mixtures * m) + 8 * (2 * n + m)


@pytest.mark.parametrize("kind", ["uint16", "float32", "float64"])
def test_input_is_not_modified(kind: str) -> None:
    X = counts()[0].astype(kind)
    kept, positions = X.copy(), np.arange(len(X))[::-1]
    weights = np.linspace(0, 2, len(X))
    for array in (X, positions, weights):
        array.flags.writeable = False
    StreamSketch.begin(grids((13, 29)), width=5, position_weights=weights).update(positions, X)
    assert np.array_equal(X, kept)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_finishing_changes_nothing_and_a_stored_stream_goes_on(mixing) -> None:
    X, _ = counts()
    begin = StreamSketch.begin(grids((13, 29)), width=8, mixing=mixing)
    straight = fed(begin.fresh(), X, [np.arange(100), np.arange(100, len(X))])
    stopped = fed(begin.fresh(), X, [np.arange(100)])
    finished(stopped)
    resumed = fed(pickle.loads(pickle.dumps(stopped)), X, [np.arange(100, len(X))])
    assert np.array_equal(resumed.scores, straight.scores)
    assert np.array_equal(resumed.mixtures, straight.mixtures)


def test_blocks_of_a_folded_scan_can_be_fed() -> None:
    X, _ = counts()
    stream = StreamSketch.begin(grids((13, 29)), width=8, dtype="float64")
    other = fed(stream.fresh(), X)
    blocks = 0
    for block in read_once(X.reshape(13, 29, 31, 26), 2, budget=10**6):
        stream.update(block.positions, block.values)
        blocks += 1
    assert blocks > 3
    np.testing.assert_allclose(dense(finished(stream)), dense(finished(other)), atol=1e-8)


def test_another_engine_serves_the_same_products() -> None:
    pytest.importorskip("torch")
    from unmixel.engines.torch_engine import TorchEngine

    X, _ = counts()
    stream = fed(StreamSketch.begin(grids((13, 29)), width=8), X)
    here, there = (stream.finish(engine, "float32") for engine in (NumpyEngine(), TorchEngine("cpu")))
    rows = np.random.default_rng(0).random((3, len(X))).astype(np.float32)
    found = there.engine.to_host(there.with_maps(there.engine.asarray(rows, "float32")))
    np.testing.assert_allclose(found, here.with_maps(rows), rtol=1e-3, atol=1e-2)


FRAME = np.ones((1, 31 * 26))


@pytest.mark.parametrize(
    ("positions", "values", "says"),
    [
        ([0], np.ones((1, 5)), "806 pixels"),
        ([0, 1], FRAME, "positions, values"),
        ([0.5], FRAME, "whole numbers"),
        ([377], FRAME, "0 to 376"),
        ([-1], FRAME, "0 to 376"),
        ([2, 2], np.vstack([FRAME, FRAME]), "each once"),
        ([[0]], FRAME, "flat indices"),
        (0, FRAME[0], "flat indices"),
        ([0], FRAME * np.nan, "finite counts"),
        ([0], FRAME * np.inf, "finite counts"),
        ([0], -FRAME, "background"),
        ([0], -FRAME.astype(np.int16), "background"),
        ([0], FRAME * 1j, "finite counts"),
        ([7], FRAME, "BySigns"),
    ],
)
def test_frames_that_do_not_fit_are_refused_and_change_nothing(positions, values, says: str) -> None:
    stream = StreamSketch.begin(grids((13, 29)), width=5)
    stream.update([7], FRAME)
    before = pickle.dumps(stream)
    with pytest.raises(InputError, match=says):
        stream.update(positions, values)
    assert pickle.dumps(stream) == before


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"width": 0}, "width"),
        ({"dtype": "float16"}, "float32"),
        ({"position_weights": np.ones(5)}, "position_weights"),
        ({"position_weights": np.zeros(377)}, "not all zero"),
        ({"pixel_weights": -np.ones(806)}, "pixel_weights"),
        ({"pixel_weights": np.full(806, np.nan)}, "finite"),
        ({"aim": np.ones(806)}, "aim"),
        ({"aim": np.ones((2, 5))}, "same detector"),
        ({"aim": np.full((2, 806), np.inf)}, "finite"),
    ],
)
def test_a_sketch_that_cannot_be_begun_says_why(changed, says: str) -> None:
    with pytest.raises(InputError, match=says):
        StreamSketch.begin(grids((13, 29)), **{"width": 5, **changed})


def test_signs_have_sensible_numbers() -> None:
    for wrong in ({"fold": 1}, {"per_frame": 0}):
        with pytest.raises(InputError, match="fold"):
            BySigns(**wrong)


@pytest.mark.parametrize(
    "changed",
    [
        {"width": 6},
        {"seed": 1},
        {"mixing": BySigns()},
        {"dtype": "float64"},
        {"pixel_weights": np.arange(806)},
        {"position_weights": np.arange(377)},
        {"aim": np.eye(4, 806)},
    ],
)
def test_unlike_sketches_are_not_merged(changed) -> None:
    settings = {"width": 5}
    first, second = (StreamSketch.begin(grids((13, 29)), **{**settings, **c}) for c in ({}, changed))
    with pytest.raises(InputError, match="fresh"):
        first.merge(second)
    with pytest.raises(InputError, match="fresh"):
        first.merge(StreamSketch.begin(grids((13, 30)), **settings))


def test_positions_seen_by_both_are_not_merged_unless_signs_mix_them() -> None:
    for mixing in MIXINGS:
        begin = StreamSketch.begin(grids((13, 29)), width=5, mixing=mixing)
        first, second = begin.fresh(), begin.fresh()
        first.update([1, 2], np.ones((2, 806)))
        second.update([2, 3], np.ones((2, 806)))
        if mixing.whole_frames:
            with pytest.raises(InputError, match="each position once"):
                first.merge(second)
        else:
            first.merge(second)
            assert first.seen[:5].tolist() == [0, 1, 2, 1, 0]


def test_masks_are_summed_beside_the_scores_and_change_nothing_else() -> None:
    rng = np.random.default_rng(2)
    X, masks = rng.poisson(3.0, (12, 20)).astype(np.uint16), rng.random((20, 3))
    weights = rng.random(20) + 0.1
    plain = StreamSketch.begin((Grid((12,), (1.0,)), Grid((20,), (1.0,))), width=4, pixel_weights=weights)
    masked = plain.with_masks(masks)
    order = rng.permutation(12)
    sums = [masked.update(part, X[part]) for part in np.array_split(order, 3)]
    assert [plain.update(part, X[part]).shape for part in np.array_split(order, 3)] == [(4, 0)] * 3
    assert np.allclose(np.concatenate(sums), X[order] @ masks, rtol=1e-5)
    whole = masked.fresh()
    whole.merge(masked)
    assert np.allclose(whole.scores, plain.scores, rtol=1e-5, atol=1e-4)
    assert np.allclose(whole.mixtures, plain.mixtures, rtol=1e-5, atol=1e-3)
    assert np.isclose(whole.norm2, np.sum(X.astype(float) ** 2 * weights), rtol=1e-5)
    with pytest.raises(InputError, match="fresh"):
        plain.fresh().merge(masked)
