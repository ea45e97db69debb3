"""The likelihood of counts: agrees with scikit-learn, costs what the electrons cost, finds what was planted."""

from __future__ import annotations

import tracemalloc

import dask.array as da
import numpy as np
import pytest
import scipy.sparse
from sklearn import decomposition
from sklearn.utils.estimator_checks import parametrize_with_checks

from unmixel import NMF, Sparse, sweep
from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import BlockReader
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.fit import fit
from unmixel.factorize.losses.counts import counts_of
from unmixel.factorize.losses.kullback_leibler import PRIOR_COUNTS, KullbackLeibler
from unmixel.factorize.losses.sparse_counts import SparseRows
from unmixel.factorize.losses.turns import Stay
from unmixel.factorize.residual import residual
from unmixel.factorize.start import GivenStart
from unmixel.prepare.weights import PoissonWeights
from unmixel.testing.losses import divergence


def planted(n: int, m: int, k: int, counts: float, seed: int = 0):
    """Draw sparse counts of a planted model without ever making it dense; also its maps (n, k) and patterns (k, m)."""
    rng = np.random.default_rng(seed)
    maps = rng.dirichlet(np.full(k, 0.3), n) * counts
    patterns = rng.dirichlet(np.full(m, 0.1), k)
    rows, columns = [], []
    for j in range(k):
        drawn = rng.poisson(maps[:, j])
        rows.append(np.repeat(np.arange(n), drawn))
        columns.append(np.searchsorted(np.cumsum(patterns[j])[:-1], rng.random(drawn.sum())))
    ones = np.ones(sum(map(len, rows)), np.float32)
    places = np.concatenate(rows), np.concatenate(columns)
    return scipy.sparse.coo_matrix((ones, places), shape=(n, m)).tocsr(), maps, patterns


def dense_divergence(X, W, H) -> float:
    X = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    return float(divergence(X.astype(np.float64), np.maximum(W @ H, 1e-12)).sum())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sparse", [True, False])
def test_no_worse_than_scikit_learn_from_the_same_start(sparse: bool, seed: int) -> None:
    X, _, _ = planted(70, 60, 4, 80, seed)
    rng = np.random.default_rng(seed)
    W, H = rng.uniform(0.1, 1, (70, 4)), rng.uniform(0.1, 1, (4, 60))
    peer = decomposition.NMF(
        4, init="custom", solver="mu", beta_loss="kullback-leibler", max_iter=3000, tol=1e-9
    )
    theirs = peer.fit_transform(X.toarray().astype(np.float64), W=W.copy(), H=H.copy())
    given = X.astype(np.float64) if sparse else X.toarray().astype(np.float64)
    model = NMF(4, loss="kl", start=GivenStart(W.T, H), max_iter=2000, tol=1e-8, sketch_sweeps=0)
    ours = model.fit_transform(given)
    wanted = dense_divergence(X, theirs, peer.components_)
    found = dense_divergence(X, ours, model.components_)
    assert found <= wanted * (1 + 1e-3)
    # the objective is the divergence itself; the maps settle after the last sweep
    assert found <= model.convergence_.objective[-1] * (1 + 1e-9)
    np.testing.assert_allclose(found, model.convergence_.objective[-1], rtol=1e-4)


@parametrize_with_checks([NMF(2, loss="kl")])
def test_scikit_learn_checks(estimator, check) -> None:
    check(estimator)


def test_transform_gives_back_the_maps_of_the_fit() -> None:
    X, _, _ = planted(90, 40, 3, 60)
    model = NMF(3, loss="kl")
    maps = model.fit_transform(X)
    np.testing.assert_allclose(model.transform(X), maps, rtol=1e-3, atol=1e-3 * maps.max())
    np.testing.assert_allclose(model.transform(X[7]), maps[7:8], rtol=1e-3, atol=1e-3 * maps.max())


def test_expected_counts_have_the_sums_of_the_data() -> None:
    X, _, _ = planted(90, 40, 3, 60)
    model = NMF(3, loss="kl", tol=1e-7)
    expected = model.inverse_transform(model.fit_transform(X))
    np.testing.assert_allclose(expected.sum(axis=1), X.sum(axis=1).A1, rtol=1e-4)
    np.testing.assert_allclose(expected.sum(axis=0), X.sum(axis=0).A1, rtol=0.05, atol=0.5)


def test_finds_what_was_planted_better_than_least_squares_without_weights() -> None:
    X, _, truth = planted(1500, 400, 5, 25, seed=3)

    def likeness(loss: str) -> float:
        found = NMF(5, loss=loss, random_state=1).fit(X).components_
        unit = [f / np.linalg.norm(f, axis=1, keepdims=True) for f in (truth, found)]
        return float((unit[0] @ unit[1].T).max(axis=1).min())

    assert likeness("kl") > 0.97
    assert likeness("kl") > likeness("frobenius")


def test_weights_are_one_over_the_variance_of_rank_one() -> None:
    X = np.random.default_rng(0).poisson(4.0, (40, 30)).astype(np.uint8)
    for data in (X, scipy.sparse.csr_matrix(X), da.from_array(X, chunks=(7, 30))):
        weighed = KullbackLeibler().weigh(Matrix.from_array(data), engine=NumpyEngine(), budget=10**6)
        rows, columns = X.sum(axis=1) + PRIOR_COUNTS, X.sum(axis=0) + PRIOR_COUNTS
        found = np.outer(weighed.position_weights, weighed.pixel_weights)
        np.testing.assert_allclose(found, rows.mean() * 40 / np.outer(rows, columns), rtol=1e-5)


class TestCounts:
    def held(self, matrix, reader=None, budget: int = 10**8):
        if reader is None and not hasattr(matrix.data, "tocsr"):
            reader = BlockReader(matrix.data, matrix.n_scan_axes, budget)
        weights = np.ones(matrix.n_positions, np.float32)
        return counts_of(
            matrix, NumpyEngine(), weights=weights, dtype="float32", reader=reader, budget=budget
        )

    def test_dense_data_with_few_electrons_are_held_as_electrons(self) -> None:
        X, _, _ = planted(200, 300, 3, 20)
        blocks = self.held(Matrix.from_array(X.toarray().astype(np.uint16))).blocks
        assert isinstance(blocks, SparseRows)
        assert len(blocks.counts) == X.nnz

    def test_not_where_most_pixels_count_or_the_budget_is_small(self) -> None:
        X = planted(200, 300, 3, 20)[0]
        for table, budget in ((X.toarray() + 1, 10**8), (X.toarray(), 12 * X.nnz)):
            assert isinstance(self.held(Matrix.from_array(table), budget=budget).blocks, BlockReader)

    def test_blocks_in_any_order_hold_the_same_electrons(self) -> None:
        X, _, _ = planted(16 * 20, 300, 3, 20)
        cube = X.toarray().astype(np.uint8).reshape(16, 20, 300)
        matrix = Matrix.from_array(X, scan_shape=(16, 20))
        lazy = da.from_array(cube, chunks=(5, 7, 300))
        tiled = Matrix(lazy, matrix.scan_grid, matrix.pattern_grid, np.ones(320), np.ones(300))
        reader = BlockReader(lazy, 2, 40_000 * 16)
        assert len(reader) > 4
        one, two = self.held(tiled, reader).blocks, self.held(Matrix.from_array(X)).blocks
        assert isinstance(one, SparseRows)
        np.testing.assert_array_equal(one.pixels, two.pixels)
        np.testing.assert_array_equal(one.order, two.order)

    def test_eight_bytes_an_electron(self) -> None:
        X, _, _ = planted(500, 300, 3, 20)
        blocks = self.held(Matrix.from_array(X)).blocks
        assert blocks.counts.nbytes + blocks.pixels.nbytes == 8 * X.nnz

    def test_an_entry_given_twice_is_its_sum_and_the_data_stay(self) -> None:
        twice = scipy.sparse.csr_matrix(
            (np.ones(3, np.float32), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 3)
        )
        held = self.held(Matrix.from_array(twice))
        assert sorted(held.blocks.counts.tolist()) == [1.0, 2.0]
        assert twice.nnz == 3
        maps, patterns = np.ones((1, 2), np.float32), np.ones((1, 3), np.float32)
        held.through(maps, patterns, Stay(np.float32(1e-6)))
        assert held.constant == pytest.approx(2 * np.log(2) - 3)

    @pytest.mark.parametrize("plain", [True, False])
    def test_entries_and_blocks_tell_the_same(self, plain: bool) -> None:
        X, W, H = planted(150, 90, 3, 20)
        rng = np.random.default_rng(4)
        weights = (
            rng.permuted(np.arange(150) / 75),
            np.where(rng.random(90) > 0.2, 1.0 if plain else rng.uniform(0.5, 2, 90), 0),
        )
        maps, patterns = W.T.astype(np.float64), H.astype(np.float64)
        told = []
        for data in (X, X.toarray()):
            base = Matrix.from_array(data)
            matrix = Matrix(data, base.scan_grid, base.pattern_grid, *weights)
            reader = None if data is X else BlockReader(data, 1, 30_000)
            along = np.ones(150)
            held = counts_of(
                matrix, NumpyEngine(2), weights=along, dtype="float64", reader=reader, budget=30_000
            )
            _, spread, before, after = held.through(maps, patterns, Stay(np.float64(1e-9)))
            told.append((spread, before, after, held.constant))
        for one, two in zip(*told, strict=True):
            np.testing.assert_allclose(two, one, rtol=1e-9)


def test_memory_grows_with_the_electrons_not_the_pixels() -> None:
    n = m = 6_400  # dense at one byte an entry: 41 MB
    peaks, electrons = [], []
    for counts in (8, 40):
        X, _, _ = planted(n, m, 4, counts)
        tracemalloc.start()
        model = NMF(4, loss="kl", max_iter=5).fit(X)
        peaks.append(tracemalloc.get_traced_memory()[1])
        electrons.append(X.nnz)
        tracemalloc.stop()
        assert model.residual_.chi2_map.shape == (n,)
    assert peaks[0] < n * m / 3
    assert (peaks[1] - peaks[0]) / (electrons[1] - electrons[0]) < 80


def test_residual_of_sparse_data_is_that_of_dense_data() -> None:
    X, W, H = planted(300, 200, 3, 30)
    engine, maps, patterns = NumpyEngine(), W.T.astype(np.float32), H.astype(np.float32)
    rng = np.random.default_rng(1)
    weights = {
        "position_weights": rng.integers(0, 2, 300) * 0.7,
        "pixel_weights": rng.integers(0, 3, 200) * 1.0,
    }
    found = []
    for data in (X, X.toarray()):
        base = Matrix.from_array(data)
        matrix = Matrix(data, base.scan_grid, base.pattern_grid, **weights)
        found.append(residual(matrix, maps, patterns, BlockReader(data, 1), engine))
    (one, *sums, _), (two, *wanted, _) = found
    np.testing.assert_allclose(sums, wanted, rtol=1e-5)
    assert one.floor == two.floor
    for name in ("chi2_map", "chi2_pattern"):
        gap = getattr(one, name) - getattr(two, name)
        assert np.all(gap > -1e-4)
        assert np.all(gap < one.floor / 4 + 1e-4 * getattr(two, name).max())


def test_interrupted_fit_goes_on_as_if_nothing_happened() -> None:
    X, _, _ = planted(200, 150, 3, 30)
    states = []
    model = NMF(3, loss="kl", max_iter=12, tol=0)
    matrix = model.matrix_of(X)
    whole = fit(matrix, model.plan_for(matrix), on_sweep=states.append)
    resumed = fit(matrix, model.plan_for(matrix), resume=states[4])
    np.testing.assert_allclose(resumed.convergence.objective, whole.convergence.objective, rtol=1e-7)
    np.testing.assert_allclose(resumed.patterns, whole.patterns, atol=1e-4 * whole.patterns.max())


def test_objective_never_rises_and_repeats_to_the_last_bit() -> None:
    X, _, _ = planted(400, 300, 4, 15)
    one, two = (NMF(4, loss="kl", max_iter=40, tol=0).fit(X) for _ in range(2))
    objective = np.array(one.convergence_.objective)
    assert np.all(np.diff(objective) <= 1e-7 * objective[0])
    np.testing.assert_array_equal(one.components_, two.components_)
    assert one.convergence_.objective == two.convergence_.objective


def test_threads_do_not_change_the_result() -> None:
    X, _, _ = planted(3000, 700, 4, 120)
    one, two = (NMF(4, loss="kl", max_iter=4, engine=NumpyEngine(n)).fit(X) for n in (1, 3))
    np.testing.assert_array_equal(one.components_, two.components_)


@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_matrix])
def test_empty_positions_and_pixels_stay_empty(form) -> None:
    X, _, _ = planted(60, 50, 2, 20)
    table = X.toarray()
    table[[3, 9]] = 0
    table[:, [0, 20]] = 0
    model = NMF(2, loss="kl", tol=1e-8)
    maps = model.fit_transform(form(table))
    assert np.all(maps[[3, 9]] == 0)
    assert np.all(model.components_[:, [0, 20]] == 0)
    assert np.isfinite(model.convergence_.objective).all()
    nothing = NMF(2, loss="kl")
    assert nothing.fit_transform(form(0 * table)).max() == 0
    assert nothing.convergence_.objective[-1] == 0


def test_penalty_weighs_alike_on_the_sketch_and_on_the_counts() -> None:
    X, _, _ = planted(900, 200, 3, 60)
    shares = []
    for weight in (0.0, 2.0, 8.0):
        maps = NMF(3, loss="kl", constraints=[Sparse(weight)], tol=1e-6).fit_transform(X)
        shares.append(float(np.mean(maps < 1e-3 * maps.max())))
    assert shares[0] < shares[1] < shares[2]


def test_says_what_it_cannot_do() -> None:
    class Ball:
        kind, degree, name, side = "proximal", 0, "ball", "maps"

        def bind(self, context):
            return self

        def prox(self, z, step):
            return z

        def value(self, z):
            return z[(slice(None), *(0,) * (z.ndim - 1))] * 0

        def violation(self, z):
            return 0.0

    with pytest.raises(InputError, match=r"Ball on maps.*frobenius"):
        NMF(2, loss="kl", constraints=[Ball()]).fit(np.ones((9, 8)))
    with pytest.raises(ValueError, match=r"finite|NaN"):
        NMF(2, loss="kl").fit(da.from_array(np.full((9, 8), np.nan)))
    with pytest.raises(InputError, match="negative"):
        NMF(2, loss="kl").fit(da.from_array(np.full((9, 8), -1.0)))


def test_noise_is_not_counted_twice() -> None:
    scan = Scan.from_array(np.random.default_rng(0).poisson(3.0, (6, 20, 5, 4)))
    weighted = PoissonWeights().apply(scan)
    NMF(2, loss="kl").factorize(scan)
    NMF(2).factorize(weighted)
    with pytest.raises(InputError, match="poisson_weights"):
        NMF(2, loss="kl").factorize(weighted)


def test_a_trial_of_a_sweep_leads_to_the_exact_loss() -> None:
    X, _, _ = planted(300, 200, 3, 40)
    trials = sweep(X, [2, 3], restarts=2, model=NMF(loss="kl"))
    assert len(trials) == 4
    trial = trials.of(3)[0]
    model = NMF(3, loss="kl", start=trial.start, sketch_sweeps=0).fit(X)
    begin, *_, end = model.convergence_.objective
    assert end < begin
