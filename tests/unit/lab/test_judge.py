"""The judge: the truth scores best, lies are refused, and nothing is gained by leaving pixels out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unmixel.dataset.results import Convergence, Factors
from unmixel.lab.judge import Bench, stability
from unmixel.lab.runner import ladder
from unmixel.lab.wall import (
    Answer,
    FalseAnswerError,
    read_answer,
    read_scan,
    write_answer,
    write_scan,
)
from unmixel.testing.phantoms import glass


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench.of(*glass(scan=(12, 13), detector=(20, 22), precipitates=2, spot=1.4, dose=8000), seed=1)


def truth_as_answer(bench: Bench) -> Answer:
    """Return the truth as if it had been found, strongest component first."""
    truth = bench.truth
    assert truth is not None
    light = truth.maps.sum(axis=(1, 2))
    order = np.argsort(-light)
    k = len(order)
    factors = Factors(
        maps=truth.maps[order],
        patterns=truth.patterns[order],
        scan_axes=truth.scan_axes,
        pattern_axes=truth.pattern_axes,
        used_pixels=~truth.beam_pixels,
        fill="model",
        strengths=light[order] / light.sum(),
        convergence=Convergence((), 0.1, 3, converged=True, reason="known"),
        flags=((),) * k,
    )
    return Answer(factors, np.arange(k), np.array([truth.kinds[i] == "crystal" for i in order]), seconds=1.0)


def test_the_truth_is_perfect_and_noise_is_not(bench: Bench) -> None:
    best = truth_as_answer(bench)
    found = bench.judge(best)
    assert found["truth_error"] < 1e-12
    assert (found["found"], found["false_reports"]) == (2, 0)
    assert found["cosine"] == pytest.approx(1)
    assert 0.9 < found["chi_square"] < 1.1
    noise = np.random.default_rng(1).random(best.factors.maps.shape) * best.factors.maps.max()
    worse = bench.judge(replace(best, factors=replace(best.factors, maps=noise)))
    assert worse["truth_error"] > 0.01
    assert worse["chi_square"] > 2 * found["chi_square"]


def test_leaving_pixels_out_gains_nothing(bench: Bench) -> None:
    best = truth_as_answer(bench)
    used = np.asarray(best.factors.used_pixels)
    few = used & (np.random.default_rng(2).random(used.shape) < 0.7)
    blind = replace(
        best,
        factors=replace(best.factors, used_pixels=few, patterns=best.factors.patterns * few, fill="zero"),
    )
    assert bench.judge(blind, best)["truth_error"] > 0.01
    nothing = replace(blind, factors=replace(blind.factors, used_pixels=used & False))
    with pytest.raises(FalseAnswerError, match="leaves out 100% of the pixels"):
        bench.judge(nothing, best)


def test_without_truth_counts_are_set_aside_and_more_components_do_not_win(bench: Bench) -> None:
    split = Bench.of(bench.scan, None, seed=3)
    assert split.held is not None
    np.testing.assert_array_equal(split.scan.data + split.held, bench.scan.data)
    assert split.held.sum() == pytest.approx(0.2 * bench.scan.data.sum(), rel=0.02)
    best = truth_as_answer(bench)
    own = replace(best, factors=replace(best.factors, maps=0.8 * best.factors.maps))
    honest = split.judge(own)["held_out"]
    # the data themselves as the model: perfect on what was fitted, worse on what was not
    data = np.asarray(split.scan.data, float)
    flat = data.reshape(156, -1).T
    copied = replace(
        own.factors,
        maps=np.eye(156).reshape(156, 12, 13),
        patterns=flat.T.reshape(156, 20, 22),
        strengths=np.ones(156) / 156,
        flags=((),) * 156,
    )
    learnt = split.judge(Answer(copied))
    assert learnt["error"] < 1e-6
    assert learnt["held_out"] > 1.1 * honest


def test_floats_are_described_and_not_judged(bench: Bench) -> None:
    floats = replace(bench.scan, data=bench.scan.data.astype(np.float32))
    assert Bench.of(floats, None, seed=1).held is None


def test_scan_and_answer_go_over_the_wall_and_nothing_else(bench: Bench, tmp_path: Path) -> None:
    write_scan(tmp_path / "s.npz", bench.scan)
    scan = read_scan(tmp_path / "s.npz")
    np.testing.assert_array_equal(scan.data, bench.scan.data)
    assert (scan.scan_axes, scan.pattern_axes) == (bench.scan.scan_axes, bench.scan.pattern_axes)
    assert scan.instrument.convergence_mrad == bench.scan.instrument.convergence_mrad
    assert not scan.original_metadata
    assert b"demo" not in (tmp_path / "s.npz").read_bytes()
    assert b"phantom" not in (tmp_path / "s.npz").read_bytes()
    best = truth_as_answer(bench)
    write_answer(tmp_path / "a.npz", best)
    assert bench.judge(read_answer(tmp_path / "a.npz")) == bench.judge(best)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda f: {"maps": np.where(f.maps == f.maps.max(), np.nan, f.maps)},
            r"not numbers.*1 of 624 values",
        ),
        (lambda f: {"patterns": -f.patterns}, "negative patterns came out"),
        (lambda f: {"maps": f.maps[:, 1:]}, "maps of the wrong shape"),
        (lambda f: {"patterns": f.patterns[:1]}, "patterns of the wrong shape"),
    ],
)
def test_lies_are_refused_at_the_door(change, words: str, bench: Bench, tmp_path: Path) -> None:
    best = truth_as_answer(bench)
    write_answer(tmp_path / "a.npz", replace(best, factors=replace(best.factors, **change(best.factors))))
    with pytest.raises(FalseAnswerError, match=words):
        read_answer(tmp_path / "a.npz")


def test_damaged_answers_and_groups_that_do_not_fit_are_refused(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK no archive")
    with pytest.raises(FalseAnswerError, match="cannot be read"):
        read_answer(tmp_path / "a.npz")
    best = truth_as_answer(bench)
    wrong = [
        (np.zeros(2, int), np.ones(1, bool)),
        (np.arange(4) - 1, np.ones(3, bool)),
        (np.arange(4), np.ones(1, bool)),
    ]
    for labels, spots in wrong:
        write_answer(tmp_path / "b.npz", replace(best, labels=labels, crystalline=spots))
        with pytest.raises(FalseAnswerError, match="groups came out"):
            read_answer(tmp_path / "b.npz")


def test_stability_is_1_for_the_same_and_less_for_another(bench: Bench) -> None:
    best = truth_as_answer(bench)
    used = np.asarray(best.factors.used_pixels)
    other = replace(best, factors=replace(best.factors, maps=best.factors.maps[:, ::-1]))
    assert stability(best, best, used=used) == pytest.approx(1)
    assert stability(best, other, used=used) < 0.8


def test_the_ladder_has_rungs_that_differ() -> None:
    rungs = ladder({"factorize": {"components": 6, "constraints": [{"nonnegative": {}}, {"sparse": {}}]}})
    assert len({repr(one) for one in rungs}) == 5
