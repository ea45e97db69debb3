"""Searches find what is there, do not find what is not, and survive being killed."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmixel.core.errors import InputError, RecipeError
from unmixel.lab.ledger import Ledger
from unmixel.lab.searching import HELD_OUT_FROM, Search, searched
from unmixel.lab.space import Choice, Range, dimension, space, with_values
from unmixel.lab.suites import Suite, Suites
from unmixel.lab.trial import BASELINE, IDEA, Measured

WEIGHT = "factorize.constraints.sparse.weight"


def recipe() -> dict[str, Any]:
    return {"factorize": {"components": 8, "constraints": [{"nonnegative": {}}, {"sparse": {"weight": 2.0}}]}}


def small_suite(n_seeds: int = 3) -> Suite:
    quick = Suites(Path("nowhere")).get("quick")
    return Suite("small", "", quick.cases[:2], tuple(range(1, 1 + n_seeds)), ("truth_error",))


def weight_of(given: Mapping[str, Any]) -> float:
    return float(given["factorize"]["constraints"][1]["sparse"]["weight"])


class Bench:
    """Stands for runs: noise that is the same for one scan, seed and setting, and, if planted, a valley at 0.1."""

    def __init__(self, *, planted: bool, breaks_above: float = np.inf, ends_after: int = 10**9) -> None:
        self.planted, self.breaks_above, self.ends_after, self.jobs = planted, breaks_above, ends_after, 0

    def __call__(
        self, given: Mapping[str, Any], jobs: Sequence[tuple[str, int]], variant: str, folder: Path
    ) -> Iterator[Measured]:
        for case, seed in jobs:
            self.jobs += 1
            if self.jobs > self.ends_after:
                raise KeyboardInterrupt
            weight = weight_of(given)
            if weight > self.breaks_above:
                yield Measured(case, seed, variant, failed="nothing was left")
                continue
            scan = np.random.default_rng([zlib.crc32(case.encode()), seed]).normal()
            noise = np.random.default_rng([zlib.crc32(case.encode()), seed, int(1e6 * weight)]).normal()
            valley = np.log10(weight / 0.1) ** 2 if self.planted else 0.0
            yield Measured(case, seed, variant, {"truth_error": 5 + scan + 0.3 * noise + valley}, seconds=1.0)


def search(n_settings: int = 12, *, n_seeds: int = 3, seed: int = 0) -> Search:
    given = recipe()
    return Search(
        "sparse", given, space([f"{WEIGHT}=1e-3..10"], given), small_suite(n_seeds), n_settings, seed
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.b=1e-3..1e0", Range("a.b", 1e-3, 1.0)),
        ("a=2..40", Range("a", 2, 40)),
        ("a = 0 .. 0.5", Range("a", 0.0, 0.5)),
        ("a=-2..2.5", Range("a", -2.0, 2.5)),
        ("a=hals|admm", Choice("a", ("hals", "admm"))),
        ("a=true|1|auto", Choice("a", (True, 1, "auto"))),
    ],
)
def test_what_is_searched(text: str, found: Range | Choice) -> None:
    assert dimension(text) == found


def test_scales() -> None:
    assert dimension("a=1e-3..1").logarithmic
    assert dimension("a=1..1000").logarithmic
    assert not dimension("a=0..1000").logarithmic
    assert not dimension("a=2..40").logarithmic
    assert dimension("a=2..40").whole
    assert not dimension("a=2..40.5").whole


@pytest.mark.parametrize(
    "text", ["a", "a=", "a=3", "=1..2", "a=2..1", "a=x..y", "a=1|1", "a=..", "a=true..2", "a=1.."]
)
def test_what_cannot_be_searched(text: str) -> None:
    with pytest.raises(InputError, match=r"low\.\.high"):
        dimension(text)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["factorize.componets=2..4"], "Did you mean 'components'"),
        (["factorise.components=2..4"], "Did you mean 'factorize'"),
        (["factorize.constraints.sparse.wieght=1e-2..1"], "weight"),
        (["factorize.constraints.spars.weight=1e-2..1"], "Did you mean 'sparse'"),
        (["factorize.components=0..4"], r"tried: factorize.components=0"),
        (["factorize.solver=hals|hasl"], "Did you mean 'hals'"),
        ([], "at least one"),
        (["factorize.components=2..4", "factorize.components=3..5"], "each key once"),
    ],
)
def test_wrong_keys_are_told_in_words(texts: list[str], told: str) -> None:
    with pytest.raises((InputError, RecipeError), match=told):
        space(texts, recipe())


def test_values_are_set_in_the_recipe() -> None:
    assert weight_of(with_values(recipe(), {WEIGHT: 0.25})) == 0.25


def test_held_out_seeds_are_never_those_of_a_suite_and_never_used_twice() -> None:
    one = search()
    first, second = one.held_out(0), one.held_out(1)
    assert not set(first) & set(second)
    assert {seed for _, seed in first} & set(one.suite.seeds) == set()
    assert min(seed for _, seed in first) == HELD_OUT_FROM
    assert len(first) == sum(map(len, one.rounds))


def test_the_extra_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"unmixel\[tune\]"):
        searched(search(), Bench(planted=True), ledger=Ledger(tmp_path))
    assert not Ledger(tmp_path).find()


def optuna_is_there() -> None:
    pytest.importorskip("optuna", reason="optuna is an extra: pip install 'unmixel[tune]'")


def test_a_planted_optimum_is_found_and_everything_is_recorded(tmp_path: Path) -> None:
    optuna_is_there()
    ledger, heard = Ledger(tmp_path), []
    done = searched(search(12, n_seeds=6), Bench(planted=True), ledger=ledger, tell=heard.append)
    assert 0.01 < done.values[WEIGHT] < 1
    assert done.verdict.word == "better"
    assert done.n_tried == 12
    assert done.n_pruned > 0
    trial = ledger.get(done.id)
    assert (trial.kind, trial.state) == ("tune", "finished")
    assert weight_of(trial.recipe) == done.values[WEIGHT]
    assert "better" in trial.conclusion.lower()
    assert {one.variant for one in trial.measured} == {
        BASELINE,
        IDEA,
        *(f"search-{n:03d}" for n in range(12)),
    }
    held_out = {one.seed for one in trial.measured if one.variant == IDEA}
    assert held_out == set(trial.seeds)
    assert not held_out & {one.seed for one in trial.measured if one.variant.startswith("search")}
    assert any("given up" in text for text in heard)
    assert ledger.promote(done.id).id == done.id


@pytest.mark.slow
def test_tuning_on_pure_noise_reports_no_evidence(tmp_path: Path) -> None:
    """What is picked by luck promises a gain in every search; on new seeds nearly none is called better."""
    optuna_is_there()
    called, promised = 0, []
    for seed in range(40):
        ledger = Ledger(tmp_path / str(seed))
        done = searched(search(8, n_seeds=6, seed=seed), Shifted(seed), ledger=ledger)
        called += done.verdict.word != "no evidence"
        promised.append(done.promised)
    assert np.median(promised) > 0  # in the search itself, noise looks like a gain
    assert np.mean(np.array(promised) > 0) > 0.8
    assert called <= 3  # of 40 at a level of 0.02: more than 3 come by chance in 1 of 100 tests


class Shifted(Bench):
    """Pure noise, other noise for each repetition."""

    def __init__(self, repetition: int) -> None:
        super().__init__(planted=False)
        self.repetition = repetition

    def __call__(self, given, jobs, variant, folder):
        moved = [(case, seed + 100_000 * self.repetition) for case, seed in jobs]
        for (case, seed), one in zip(jobs, super().__call__(given, moved, variant, folder), strict=True):
            yield Measured(case, seed, one.variant, one.metrics, one.seconds)


def test_noise_once(tmp_path: Path) -> None:
    optuna_is_there()
    done = searched(search(6), Shifted(1), ledger=Ledger(tmp_path))
    assert done.promised > 0
    assert done.verdict.word == "no evidence"


def test_settings_that_fail_are_told_and_not_chosen(tmp_path: Path) -> None:
    optuna_is_there()
    done = searched(search(10), Bench(planted=True, breaks_above=2.5), ledger=Ledger(tmp_path))
    assert done.n_failed > 0
    assert done.values[WEIGHT] <= 2.5


def test_a_baseline_that_fails_ends_the_search_with_the_reason(tmp_path: Path) -> None:
    optuna_is_there()
    ledger = Ledger(tmp_path)
    with pytest.raises(InputError, match="nothing was left"):
        searched(search(), Bench(planted=True, breaks_above=1.0), ledger=ledger)
    (one,) = ledger.find()
    assert one.state == "failed"
    assert "nothing was left" in one.conclusion


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_tune import Bench, search
from unmixel.lab.ledger import Ledger
from unmixel.lab.searching import searched
class Dies(Bench):
    def __call__(self, *given):
        for one in super().__call__(*given):
            if self.jobs > int(sys.argv[3]):
                os.kill(os.getpid(), 9)
            yield one
searched(search(10), Dies(planted=True), ledger=Ledger(Path(sys.argv[1])))
"""


@pytest.mark.parametrize(
    "after", [pytest.param(3, marks=pytest.mark.slow), 31, pytest.param(60, marks=pytest.mark.slow)]
)
def test_a_killed_search_goes_on_where_it_was(tmp_path: Path, after: int) -> None:
    """Killed while the baseline, a setting, or the final number is measured."""
    optuna_is_there()
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent), str(after)],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert died.returncode == -9, died.stderr
    ledger, bench, heard = Ledger(tmp_path), Bench(planted=True), []
    (killed,) = ledger.find("state=killed")
    n_before = len(ledger.get(killed.id).measured)
    done = searched(search(10), bench, ledger=ledger, tell=heard.append)
    assert heard[0] == f"Going on with {killed.id}."
    assert done.id == killed.id
    assert done.n_tried == 10
    assert len(ledger.find()) == 1
    trial = ledger.get(done.id)
    assert len(trial.measured) == n_before + bench.jobs
    pairs = [(one.case, one.seed) for one in trial.measured if one.variant == IDEA]
    assert len(pairs) == len(set(pairs)) == 6
