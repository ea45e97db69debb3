"""What a contest keeps: results of the first seed, written by the judge, and looked at by comparisons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmixel.dataset.results import Convergence, Factors
from unmixel.lab.compare import Contestant, page_of
from unmixel.lab.fence import Fence
from unmixel.lab.idea import Idea
from unmixel.lab.judge import Bench, stability
from unmixel.lab.kinds import KINDS
from unmixel.lab.ledger import Ledger, fresh_id
from unmixel.lab.runner import KEPT, Contest, Ring, Run
from unmixel.lab.suites import Case, Suite
from unmixel.lab.trial import BASELINE, IDEA, Measured, Trial
from unmixel.lab.wall import Answer, read_answer

SCAN = "demo:glass?scan=12x13&detector=20x22&precipitates=2&spot=1.4&dose=8000"
NAME = "thick / thin"  # a name is the user's, and need not be one of a file
SUITE = Suite("two", "", (Case("plain", SCAN), Case(NAME, SCAN + "&stacked=0.5")), (3, 4), ("truth_error",))


def nearly(bench: Bench, variant: str) -> Answer:
    """Return the truth, which the baseline sees in a fog."""
    truth = bench.truth
    assert truth is not None
    k = truth.n_components
    factors = Factors(
        maps=truth.maps + (0.1 * truth.maps.mean() if variant == BASELINE else 0.0),
        patterns=truth.patterns,
        scan_axes=truth.scan_axes,
        pattern_axes=truth.pattern_axes,
        used_pixels=~truth.beam_pixels,
        fill="model",
        strengths=np.full(k, 1 / k),
        convergence=Convergence((3.0, 2.0), 0.1, 2, converged=True, reason="known"),
        flags=((),) * k,
    )
    return Answer(factors)


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let runs answer at once, but for those that are to fail."""

    def spoil(*failing: str) -> None:
        def run(self: Contest, variant: str, case: Case, seed: int, bench: Bench, folder: Path) -> Run:
            return Run(failed="no") if variant in failing else Run(answers=(nearly(bench, variant),))

        monkeypatch.setattr(Contest, "run", run)

    spoil()
    return spoil


def measured(folder: Path | None, kind: str = "constraint") -> list[Measured]:
    contest = Contest(SUITE, KINDS[kind], "mine", Idea("mine.py", ""), {})
    return list(contest.measured(folder))


@pytest.mark.usefixtures("answered")
def test_the_first_seed_of_every_case_is_kept_of_both(tmp_path: Path) -> None:
    found = measured(tmp_path)
    assert {(one.case, one.variant) for one in found if one.result} == {
        (case.name, variant) for case in SUITE.cases for variant in (BASELINE, IDEA)
    }
    assert {one.seed for one in found if one.result} == {3}
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.npz")} == {
        one.result for one in found if one.result
    }
    for one in found:
        if one.result:
            bench = Bench.of(*next(case for case in SUITE.cases if case.name == one.case).draw(3), seed=3)
            was, factors = nearly(bench, one.variant).factors, read_answer(tmp_path / one.result).factors
            for name in ("maps", "patterns", "used_pixels"):
                assert np.array_equal(getattr(factors, name), getattr(was, name))
            assert factors.convergence == was.convergence


def test_what_failed_is_not_kept(tmp_path: Path, answered: Callable[..., None]) -> None:
    answered(IDEA)
    assert {one.variant for one in measured(tmp_path) if one.result} == {BASELINE}


@pytest.mark.usefixtures("answered")
def test_nothing_is_kept_without_a_folder() -> None:
    assert not [one for one in measured(None) if one.result]


def test_what_is_kept_is_out_of_the_reach_of_ideas(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    fence = Fence.around(tmp_path / "own")
    place = tmp_path / "trial" / KEPT / "idea-plain-3.npz"
    events: list[tuple[str, tuple[Any, ...]]] = [
        ("open", (place, "wb", 0)),
        ("open", (place, "rb", 0)),
        ("os.rename", (str(tmp_path / "own" / "answer-0.npz"), str(place), -1, -1)),
        ("os.link", (str(tmp_path / "own" / "answer-0.npz"), str(place), -1, -1)),
        ("os.remove", (str(place), -1)),
    ]
    for event, arguments in events:
        with pytest.raises(PermissionError):
            fence(event, arguments)


@pytest.mark.usefixtures("answered")
def test_two_trials_are_compared_by_what_they_kept(tmp_path: Path) -> None:
    ledger, names = Ledger(tmp_path / "lab"), []
    for name in ("one", "other"):
        trial = Trial(
            fresh_id(name), "try", name, "2026-11-30T10:00:00+00:00", data=SUITE.data, suite=SUITE.name
        )
        folder = ledger.start(trial)
        for one in measured(folder):
            ledger.add(trial.id, one)
        ledger.finish(trial.id, state="finished", conclusion="")
        names.append(trial.id)
    page = page_of([Contestant.of(name, ledger) for name in names])
    assert page.shown is not None
    (partners,) = page.shown.partners
    assert partners.pattern_cosine == pytest.approx(1)
    assert partners.map_pearson == pytest.approx(1)
    assert [one.objective for one in page.sides] == [(3.0, 2.0)] * 2


def test_a_scan_without_truth_is_told_of_as_its_seeds_end() -> None:
    """Each waits for the next seed only, and what failed waits for nothing but is told in its turn."""
    bench = Bench.of(*SUITE.cases[0].draw(3), seed=3)
    clear, foggy = (nearly(bench, variant) for variant in (IDEA, BASELINE))
    ring, told = Ring.of((5, 1, 3)), []
    found = {1: (foggy, clear), 3: (clear, clear), 5: (foggy, None)}
    for seed, wanted in ((1, []), (5, [5]), (3, [1, 3])):
        first, second = found[seed]
        answers = {BASELINE: (first,), IDEA: (second,) if second else ()}
        both = [Measured("mine", seed, BASELINE), Measured("mine", seed, IDEA, failed="" if second else "no")]
        got = list(ring.add(seed, answers, both))
        assert [one.seed for one in got[::2]] == wanted
        told += got
    values = {(one.seed, one.variant): one.metrics.get("stability") for one in told}
    used = np.asarray(clear.factors.used_pixels)
    assert values[1, IDEA] == stability(clear, clear, used=used)
    assert values[1, BASELINE] == stability(foggy, clear, used=used) != 1
    assert values[5, IDEA] is None  # it failed
    assert values[3, IDEA] is None  # there is nothing to agree with
    alone = list(Ring.of((2,)).add(2, {BASELINE: (foggy,), IDEA: (clear,)}, [Measured("mine", 2, IDEA)]))
    assert [one.metrics for one in alone] == [{}]
