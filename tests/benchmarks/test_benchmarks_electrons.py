"""The yardstick of the loss kl: its counts, its divergence, the time at which a target is passed."""

from __future__ import annotations

import electrons
import numpy as np
import pytest


def test_counts_are_those_that_were_asked_for_and_repeat() -> None:
    one, two = (electrons.draw(20, 30.0, 3, seed) for seed in (1, 1))
    assert one.shape == (400, 400)
    assert one.sum() == pytest.approx(30 * 400, rel=0.05)
    assert (one != two).nnz == 0
    assert (one != electrons.draw(20, 30.0, 3, 2)).nnz > 0


def test_divergence_is_that_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    X = electrons.draw(9, 40.0, 2)
    W, H = rng.random((81, 2)), rng.random((2, 81))
    x, m = X.toarray().astype(np.float64), W @ H
    wanted = np.sum(m - x + x * np.log(np.where(x > 0, x, m) / m))
    assert electrons.divergence(X, W, H) == pytest.approx(wanted, rel=1e-10)


def test_time_is_told_when_the_target_is_passed_and_not_before() -> None:
    X = electrons.draw(14, 60.0, 2)
    peer = electrons.theirs(X, 2)
    mine = electrons.ours(X, 2, peer["divergence"] * 1.01)
    assert 0 < mine["wall_s"] <= mine["whole_wall_s"]
    assert 0 < mine["sweeps"] <= mine["whole_sweeps"]
    never = electrons.ours(X, 2, 0.0)
    assert never["wall_s"] == float("inf")
    assert never["divergence"] <= peer["divergence"] * 1.01
