"""The verdict does not call a difference where there is none, and finds one of a standard deviation."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.lab.statistics import LEVEL, compare, holm, interval, pairs, sign_flip
from unmixel.lab.trial import Measured

JUDGED = ("truth_error", "found", "false_reports")
numbers = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=10)


def measured(differences: np.ndarray, *, rng: np.random.Generator) -> list[Measured]:
    """Return pairs whose metrics differ as given, shape (n, 3); counts are whole numbers."""
    found = []
    for seed, change in enumerate(differences):
        base = rng.normal(5, 1, 3)
        for variant, values in (("baseline", base), ("idea", base + change)):
            metrics = {
                "truth_error": values[0],
                "found": round(values[1]),
                "false_reports": max(0, round(values[2])),
            }
            found.append(Measured("case", seed, variant, metrics=metrics, seconds=1.0, peak_bytes=1))
    return found


def words(repetitions: int, effect: float, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    shift = np.array([-effect, 0.0, 0.0])
    return [
        compare(measured(rng.normal(size=(24, 3)) + shift, rng=rng), JUDGED).word for _ in range(repetitions)
    ]


def test_an_idea_that_changes_nothing_gives_no_evidence_in_95_of_100() -> None:
    found = words(40, 0.0, seed=1)
    assert found.count("no evidence") >= 38


def test_an_improvement_of_one_standard_deviation_is_found_in_90_of_100() -> None:
    found = words(40, 1.0, seed=2)
    assert found.count("better") >= 36


@pytest.mark.slow
@pytest.mark.parametrize("spread", ["normal", "heavy", "skewed"])
def test_rates_hold_in_the_long_run_and_for_other_laws(spread: str) -> None:
    rng = np.random.default_rng(3)
    draw = {
        "normal": lambda: rng.normal(size=(24, 3)),
        "heavy": lambda: rng.standard_t(3, (24, 3)) / math.sqrt(3),
        "skewed": lambda: rng.choice([-1, 1], (24, 3)) * rng.exponential(1 / math.sqrt(2), (24, 3)),
    }[spread]
    null = [compare(measured(draw(), rng=rng), JUDGED).word for _ in range(300)]
    shift = np.array([-1.0, 0, 0])
    planted = [compare(measured(draw() + shift, rng=rng), JUDGED).word for _ in range(300)]
    assert null.count("no evidence") / 300 >= 0.95
    assert planted.count("better") / 300 >= 0.90


@given(numbers)
@settings(max_examples=30)
def test_flipped_signs_are_counted_one_by_one(d: list[float]) -> None:
    kept = [x for x in d if x != 0]
    seen, slack = abs(sum(kept)), 1e-9 * sum(map(abs, kept))
    every = [
        abs(sum(s * x for s, x in zip(signs, kept, strict=True)))
        for signs in product((1, -1), repeat=len(kept))
    ]
    low = sum(one >= seen + slack for one in every) / len(every)
    high = sum(one >= seen - slack for one in every) / len(every)
    assert low <= sign_flip(d) <= high or not kept
    assert math.isclose(sign_flip(d), sign_flip([-x for x in d]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@settings(max_examples=30)
def test_holm_keeps_order_and_never_lowers(p: list[float]) -> None:
    found = holm(p)
    assert all(one >= raw for one, raw in zip(found, p, strict=True))
    assert found[int(np.argmin(p))] == min(1.0, len(p) * min(p))
    order = np.argsort(p, kind="stable")
    assert np.all(np.diff(np.array(found)[order]) >= 0)


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    inside = [low <= 0 <= high for low, high in (interval(rng.normal(size=12)) for _ in range(1000))]
    assert 0.93 <= np.mean(inside) <= 0.97
    assert interval([1.0]) == (-math.inf, math.inf)


def test_one_metric_that_gets_worse_outweighs_a_better_one() -> None:
    rng = np.random.default_rng(5)
    d = rng.normal(0, 0.3, (24, 3)) + np.array([-2.0, -2.0, 0.0])
    verdict = compare(measured(d, rng=rng), JUDGED)
    by_name = {row.metric: row for row in verdict.comparisons}
    assert (by_name["truth_error"].word, by_name["found"].word) == ("better", "worse")
    assert verdict.word == "worse"
    assert "Worse: found" in verdict.sentence
    assert "better in truth_error" in verdict.sentence


def test_equal_results_are_no_evidence_and_have_no_standardised_effect() -> None:
    verdict = compare(measured(np.zeros((24, 3)), rng=np.random.default_rng(6)), JUDGED)
    assert verdict.word == "no evidence"
    assert all(row.p_value == 1 and row.effect == 0 for row in verdict.comparisons)
    assert all(math.isnan(row.standardised) for row in verdict.comparisons)


def test_what_failed_or_stands_alone_is_no_pair_and_is_told() -> None:
    good = measured(np.zeros((2, 3)), rng=np.random.default_rng(7))
    alone = Measured("case", 7, "idea", metrics={"found": 1.0})
    failed = Measured("case", 1, "idea", failed="it crashed")
    kept = [one for one in good if (one.seed, one.variant) != (1, "idea")]
    assert [pair[0].seed for pair in pairs([*kept, alone, failed])] == [0]
    assert "The idea failed on 1 of 2 scans: it crashed" in compare([*kept, failed], JUDGED).sentence
    assert "nothing could be measured: it crashed" in compare([failed], JUDGED).sentence


def test_it_is_told_when_no_number_of_such_pairs_could_say_more() -> None:
    rng = np.random.default_rng(8)
    for n_pairs, few in ((3, True), (7, False)):
        rows = measured(np.tile([-1.0, 0.0, 0.0], (n_pairs, 1)), rng=rng)
        verdict = compare(rows, ("truth_error",))
        least = 2.0 ** (1 - n_pairs)
        assert verdict.comparisons[0].p_value == pytest.approx(
            least
        )  # all agree, and this is all that they can say
        assert (verdict.word == "no evidence") == few == (least > LEVEL)
        assert (f"their p is at least {least:.2g}" in verdict.sentence) == few


def test_what_only_describes_is_never_better_or_worse() -> None:
    rows = []
    for seed in range(24):
        rows += [
            Measured("c", seed, "baseline", metrics={"truth_error": 1.0, "sweeps": 5.0}),
            Measured("c", seed, "idea", metrics={"truth_error": 1.0, "sweeps": 50.0}),
        ]
    (row,) = [one for one in compare(rows, ("truth_error",)).comparisons if one.metric == "sweeps"]
    assert row.p_value <= LEVEL
    assert row.word == "no evidence"
