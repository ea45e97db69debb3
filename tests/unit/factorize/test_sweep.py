"""Many ranks and restarts on one sketch, with exact errors."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import scipy.sparse

import unmixel
from unmixel import NMF, Matrix, Resolution, SpotShape
from unmixel.core.errors import InputError
from unmixel.testing import metrics, phantoms


@pytest.fixture(scope="module")
def planted():
    return phantoms.planted_cube()


def test_every_rank_and_restart_with_its_exact_error(planted) -> None:
    scan, truth = planted
    weights = np.random.default_rng(0).uniform(0.5, 1.5, (40, 40))
    weights[3, 4] = 0
    weighted = replace(scan, pixel_weights=weights)
    trials = unmixel.sweep(weighted, [4, 2, 3], restarts=2)
    assert [(t.n_components, t.restart) for t in trials] == [(2, 0), (2, 1), (3, 0), (3, 1), (4, 0), (4, 1)]
    X = np.asarray(scan.data, float).reshape(1600, 1600)
    for trial in trials:
        rest = X - trial.maps.reshape(len(trial.maps), -1).T.astype(float) @ trial.patterns.reshape(
            len(trial.maps), -1
        )
        exact = np.sqrt(np.sum(rest**2 * weights.ravel()) / np.sum(X**2 * weights.ravel()))
        assert trial.relative_error == pytest.approx(exact, rel=1e-3)
        np.testing.assert_allclose(trial.patterns.sum(axis=(1, 2)), 1, rtol=1e-5)
    errors = [trial.relative_error for trial in trials.best()]
    assert errors == sorted(errors, reverse=True)
    best = trials.of(4)[0]
    matched = metrics.match(best.maps, best.patterns, truth.maps, truth.patterns, used_pixels=weights > 0)
    assert min(matched.pattern_cosine) > 0.99


def test_a_trial_can_be_polished(planted) -> None:
    scan, _ = planted
    trial = unmixel.sweep(scan, [4], restarts=1).best()[0]
    factors = NMF(4, start=trial.start, sketch_sweeps=0).factorize(scan)
    assert factors.convergence.relative_error <= trial.relative_error * (1 + 1e-6)


def test_the_data_are_read_four_times_whatever_the_number_of_trials(planted) -> None:
    scan, _ = planted
    reads = []

    class Counted:
        shape, dtype, ndim = scan.data.shape, scan.data.dtype, 4

        def __getitem__(self, index):
            reads.append(index)
            return np.asarray(scan.data)[index]

    lazy = replace(scan, data=da.from_array(Counted(), chunks=(40, 40, 40, 40), asarray=False))
    counts = []
    for restarts in (1, 3):
        reads.clear()
        unmixel.sweep(lazy, [2, 4], restarts, model=NMF(memory_budget=2_000_000))
        counts.append(len(reads))
    assert counts[0] == counts[1]
    assert counts[0] % 4 == 0


@pytest.mark.parametrize("wrap", [np.asarray, scipy.sparse.csr_matrix, da.from_array])
def test_any_form_of_data(wrap) -> None:
    X = np.random.default_rng(1).poisson(2.0, (60, 50))
    trials = unmixel.sweep(wrap(X), range(1, 4), restarts=2)
    dense = unmixel.sweep(X, range(1, 4), restarts=2)
    for one, two in zip(trials, dense, strict=True):
        assert one.relative_error == pytest.approx(two.relative_error, rel=1e-4)


def test_constraints_hold_in_a_sweep() -> None:
    scan, _ = phantoms.glass(scan=(13, 29), detector=(31, 26), precipitates=3, seed=4)
    model = NMF(constraints=[Resolution(1.9), SpotShape(1.2)])
    trials = unmixel.sweep(scan, [3, 4], restarts=2, model=model)
    assert all(trial.maps.min() >= 0 and np.isfinite(trial.relative_error) for trial in trials)
    again = unmixel.sweep(scan, [3, 4], restarts=2, model=model)
    assert [t.relative_error for t in trials] == [t.relative_error for t in again]


@pytest.mark.parametrize(("ranks", "restarts"), [([], 1), ([0, 2], 1), ([2], 0)])
def test_what_makes_no_sense_is_refused(ranks, restarts) -> None:
    with pytest.raises(InputError, match="sweep"):
        unmixel.sweep(Matrix.from_array(np.ones((20, 20))), ranks, restarts)
