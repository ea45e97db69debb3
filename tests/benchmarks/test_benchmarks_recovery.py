"""The recovery benchmark: its cases, what its recipes may know, how it judges, and that it goes on where it stood."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recovery
import recovery_once
import recovery_recipes
from recovery_cases import CASES, DOSES, SEEDS, USUAL

from unmixel.factorize.descent import StopRule
from unmixel.testing.metrics import dip_fraction
from unmixel.testing.phantoms import glass, truth_of

TINY = CASES["tiny"]


def test_the_base_case_is_the_yardstick() -> None:
    wanted = dict(truth_of("demo:glass?dose=10000&seed=2").settings)
    assert dict(truth_of(CASES["base"].address(1e4, 2)).settings) == wanted
    assert CASES["wide"].address(1e4, 2) == CASES["base"].address(1e4, 2), "one oracle serves both"
    assert (len(DOSES), len(SEEDS)) == (5, 8)
    assert not [name for name in USUAL if "tiny" in name]


def test_its_help_says_what_the_cases_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        recovery.parse(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert all(f"{name}: {case.meaning.split()[0]}" in told for name, case in CASES.items())


@pytest.mark.parametrize("name", CASES)
def test_every_case_is_a_phantom_with_as_many_precipitates_as_it_says(name: str) -> None:
    case = CASES[name]
    truth = truth_of(case.address(3e3, 1))
    assert len(truth.crystals) == int(case.keys.get("precipitates", 20))
    assert bool(np.any(truth.descan)) == case.descan


def test_sizes_go_from_4_to_12_px() -> None:
    truth = truth_of(CASES["sizes"].address(3e3, 1))
    sizes = truth.diameters[truth.crystals]
    assert (sizes.min(), sizes.max()) == pytest.approx((4, 12), abs=1e-3)


def test_recipes_get_what_a_microscope_gives_and_kernels_as_wrong_as_asked() -> None:
    phantom = recovery_once.Phantom.of(CASES["tiny-all"], 4e4, 1)
    task = phantom.task()
    assert [step.name for step in task.scan.history] == ["descan"]
    recipe = recovery_recipes.settled(task, recovery_recipes.GLASS)
    right = {c.name: c.parameters for c in recipe.factorize.constraints}["resolution"]["fwhm"]
    wrong = recovery_recipes.with_kernels(recipe, task.case)
    assert {c.name: c.parameters for c in wrong.factorize.constraints}["resolution"]["fwhm"] == pytest.approx(
        1.4 * right
    )
    assert [c.name for c in wrong.factorize.constraints] == [c.name for c in recipe.factorize.constraints]
    honest = replace(task, case=replace(task.case, spot=1.0))
    beams = [recovery_recipes.prepared(t, recipe).extras["beam"] for t in (task, honest)]
    widths = [np.sqrt(b.sum(axis=1) @ (np.arange(len(b)) - len(b) // 2) ** 2) for b in beams]
    assert widths[0] / widths[1] == pytest.approx(0.6, rel=0.1)


def test_descan_known_to_the_oracle_is_taken_out_and_gain_divided() -> None:
    case = replace(CASES["tiny-all"], keys={**CASES["tiny-all"].keys, "descan": "6"})
    phantom = recovery_once.Phantom.of(case, 3e5, 1)
    electrons, used = phantom.centred()
    truth = phantom.truth
    expected = truth.expected.reshape(electrons.shape)
    v, u = np.indices(used.shape)

    def path(data: np.ndarray) -> np.ndarray:
        light = data * truth.beam_pixels
        return np.stack([(light * g).sum(axis=(2, 3)) / light.sum(axis=(2, 3)) for g in (v, u)])

    still, wandering = path(electrons) - path(expected), path(np.asarray(phantom.scan.data)) - path(expected)
    assert still.std() < 0.5 * wandering.std()
    assert electrons.sum() == pytest.approx(expected.sum(), rel=0.05)
    assert not used[truth.beam_pixels].any()
    assert not used[0].all(), "rows that some frame moves in from outside are left out"


def test_noise_of_a_pattern_is_what_repeated_counts_show() -> None:
    rng = np.random.default_rng(0)
    maps, pattern = rng.uniform(20, 60, (1, 9, 8)), rng.dirichlet(np.full(30, 10.0)).reshape(5, 6)
    mean = np.tensordot(maps, pattern[None], axes=(0, 0))
    w = maps.ravel()
    estimates = [
        np.tensordot(w, 2.0 * rng.poisson(mean).reshape(72, 5, 6), axes=1) / (2 * w @ w) for _ in range(400)
    ]
    noise = recovery_once.pattern_noise(2.0 * rng.poisson(mean), 2 * maps, gain=2.0)[0]
    assert noise == pytest.approx(np.std(estimates, axis=0), rel=0.35)
    assert noise.mean() == pytest.approx(np.std(estimates, axis=0).mean(), rel=0.05)


def _perfect(phantom: Any) -> Any:
    """Return the truth as if a recipe had found it: beam masked, in counts."""
    from unmixel.dataset.results import Convergence, Factors

    truth = phantom.truth
    maps, patterns = truth.maps[1:] * phantom.gain, truth.patterns[1:]
    k = len(maps)
    return Factors(
        maps=maps,
        patterns=patterns,
        scan_axes=truth.scan_axes,
        pattern_axes=truth.pattern_axes,
        used_pixels=~truth.beam_pixels,
        fill="model",
        strengths=maps.sum(axis=(1, 2)) / maps.sum(),
        convergence=Convergence((), 0.0, 1, True, "given"),
        flags=((),) * k,
    )


FEW = {"scan": "40x44", "precipitates": "6"}


@pytest.mark.parametrize("name", ["base", "gain", "matrices"])
def test_the_truth_is_judged_perfect(name: str) -> None:
    case = replace(CASES[name], keys={**CASES[name].keys, **FEW})
    phantom = recovery_once.Phantom.of(case, 4e4, 1)
    said = recovery_once.judge(phantom, phantom.task(), _perfect(phantom))
    assert (said["found"], said["false"], said["reported"]) == (6, 0, 6), "matrices are no precipitates"
    assert said["grouping"] == 1
    assert said["cosine"] == pytest.approx(1)
    assert said["truth_error"] < 1e-4, "nothing but the direct beam's tail"
    assert said["out_of_band"] < 0.01
    assert said["dips"] < 0.02


def test_what_is_invented_is_false() -> None:
    phantom = recovery_once.Phantom.of(replace(CASES["base"], keys=FEW), 4e4, 1)
    factors = _perfect(phantom)
    twice = [*range(factors.n_components), 5, 6]
    doubled = replace(
        factors,
        maps=factors.maps[twice],
        patterns=factors.patterns[twice],
        strengths=factors.strengths[twice],
        flags=((),) * len(twice),
    )
    said = recovery_once.judge(phantom, phantom.task(), doubled)
    assert (said["found"], said["false"]) == (6, 2)


@pytest.mark.parametrize("recipe", ["sklearn", "plain", "physics", "shipped"])
def test_every_recipe_gives_a_record(recipe: str) -> None:
    said = recovery_once.measure(TINY, 1.6e5, 1, recipe)
    json.dumps(said, allow_nan=False)
    assert said["found"] <= 3
    assert 0 <= said["false"] <= said["reported"] <= said["components"]
    if recipe == "physics":
        assert said["found"] == 3
        assert said["out_of_band"] < 0.01


@pytest.mark.slow
def test_twice_the_sweeps_is_another_run() -> None:
    recipes = "shipped", "twice", "doubled"
    once, twice, endless = (recovery_once.measure(TINY, 1.6e5, 1, recipe) for recipe in recipes)
    assert twice["relative_error"] != once["relative_error"]
    assert endless["sweeps"] > once["sweeps"]


def test_a_patient_rule_is_met_after_as_many_sweeps_again() -> None:
    falls = [1.0, 0.5, 0.4, *[0.4] * 20]
    rules = StopRule(tol=1e-3), recovery_recipes.patient()(tol=1e-3)
    usual, patient = (next(n for n in range(len(falls)) if rule.met(falls[: n + 1])) for rule in rules)
    assert patient == 2 * usual


def _asked(tmp_path: Path, *words: str) -> argparse.Namespace:
    usual = ["--cases", "base", "--doses", "3000", "--seeds", "1", "2", "--recipes", "plain"]
    return recovery.parse([*usual, "--out", str(tmp_path / "book.json"), *words])


def _answering(monkeypatch: pytest.MonkeyPatch, *, fail: str = "") -> list[list[str]]:
    """Put a stand-in where processes are started; return what it was called with."""
    from child import ChildFailedError, Cost

    calls: list[list[str]] = []

    def run(words: list[str]) -> tuple[str, Cost]:
        calls.append(words[2:])
        if words[-1] == fail:
            raise ChildFailedError("it broke")
        record = {"physics": 19, "plain": 0, "precipitates": 20} if words[-1] == "oracle" else {
            "found": 10 + int(words[-2]), "false": 2, "truth_error": 0.1, "grouping": None, "out_of_band": 0.0,
            "dips": 0.0, "cosine": 0.8, "wall_s": 1.0,
        }  # fmt: skip
        return json.dumps(record), Cost(1.0, 1.0, 100.0)

    monkeypatch.setattr(recovery, "run", run)
    return calls


def test_nothing_is_measured_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    calls = _answering(monkeypatch)
    words = ["--cases", "base", "wide", "--doses", "3000", "--seeds", "1", "2", "--recipes", "plain"]
    words += ["--out", str(tmp_path / "book.json")]
    assert recovery.main(words) == 0
    assert [call[-1] for call in calls].count("oracle") == 2, "base and wide share their phantoms"
    assert len(calls) == 2 + 4
    calls.clear()
    assert recovery.main([*words, "--recipes", "plain", "physics"]) == 0
    assert {call[-1] for call in calls} == {"physics"}
    calls.clear()
    assert recovery.main([*words, "--redo", "plain"]) == 0
    assert [call[-1] for call in calls] == ["plain"] * 4
    calls.clear()
    capsys.readouterr()
    assert recovery.main([*words, "--only-show"]) == 0
    assert not calls
    shown = capsys.readouterr().out
    # found 11 and 12 of 19; the plain oracle finds nothing
    assert "11.5 [11, 12]" in shown
    assert "0.61 [0.58, 0.63]" in shown
    assert "inf [inf, inf]" in shown


def test_a_failure_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _asked(tmp_path)
    _answering(monkeypatch, fail="plain")
    book = recovery.Book(asked.out)
    recovery.measure(book, asked)
    assert len(book.failed) == 2
    assert not recovery.rows(book, asked)
    calls = _answering(monkeypatch)
    book = recovery.Book(asked.out)
    recovery.measure(book, asked)
    assert [call[-1] for call in calls] == ["plain", "plain"]
    assert [row["found"] for row in recovery.rows(book, asked)] == [[11, 12]]


def test_ratios_and_spreads_say_what_is_not_known() -> None:
    assert recovery.ratio(3, 4) == 0.75
    assert math.isnan(recovery.ratio(0, 0))
    assert recovery.spread([math.nan, 1.0], "{:.1f}") == "1.0"
    assert recovery.spread([1.0, math.inf], "{:.1f}").endswith("inf]")


def test_dips_are_judged_at_the_width_of_a_spot() -> None:
    _, truth = glass(scan=(6, 5), detector=(40, 40), precipitates=2, dose=1e4)
    used = ~truth.beam_pixels
    holed = truth.patterns[2:].copy()
    holed[:, 30, 30] = 0
    width = 2.3548 * truth.spot_sigma
    noise = 0.2 * truth.patterns[2:, 30, 30].min()
    assert np.all(dip_fraction(holed, width=width, noise=noise, used_pixels=used) > 0)
