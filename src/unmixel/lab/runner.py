"""Pairs: the current best and the same with the idea in it, on the same scan with the same seed, in turn first."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from unmixel.lab.idea import Idea
from unmixel.lab.judge import Bench, stability
from unmixel.lab.kinds import Kind, with_idea
from unmixel.lab.sandbox import Limits, Outcome, end_all, perform, workshop
from unmixel.lab.suites import Case, Suite
from unmixel.lab.trial import BASELINE, IDEA, Measured
from unmixel.lab.wall import Answer, FalseAnswerError, answer_file, read_answer, write_answer, write_scan

Hear = Callable[[Measured], None]
Answers = Mapping[str, tuple[Answer, ...]]
"""What both variants found on one scan with one seed."""

WORKERS = 2
"""Processes at a time, one thread each."""

KEPT = "kept"
"""Folder in that of a trial: results that are kept to be looked at."""


@dataclass(frozen=True)
class Contest:
    """Two recipes to be compared, and the ideas that they name.

    Parameters
    ----------
    suite : Suite
    kind : Kind
        Of the idea that is tried.
    name : str
        Under which it is registered.
    idea : Idea
    baseline : mapping
        The whole recipe to beat.
    carried : tuple of Idea
        Promoted ideas that the baseline names.
    limits : Limits
    """

    suite: Suite
    kind: Kind
    name: str
    idea: Idea
    baseline: Mapping[str, Any]
    carried: tuple[Idea, ...] = ()
    limits: Limits = field(default_factory=Limits)

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe with the idea in it."""
        return with_idea(self.baseline, self.kind, self.name, self.idea.parameters)

    @property
    def n_pairs(self) -> int:
        """Number of scans on which both are run."""
        return len(self.suite.cases) * len(self.suite.seeds)

    def measured(self, folder: Path | None = None) -> Iterator[Measured]:
        """Run everything and yield measurements as they come; closing it ends what still runs.

        Parameters
        ----------
        folder : Path, optional
            Of the trial: there the results of the first seed are kept. A score leaves none, as it changes no result.
        """
        jobs = [(case, seed) for case in self.suite.cases for seed in self.suite.seeds]
        pool = ThreadPoolExecutor(WORKERS)
        rings = {case.name: Ring.of(self.suite.seeds) for case in self.suite.cases}
        running = {
            pool.submit(self._pair, case, seed, number, folder if seed == self.suite.seeds[0] else None): (
                case.name,
                seed,
            )
            for number, (case, seed) in enumerate(jobs)
        }
        try:
            for done in as_completed(running):
                answers, both = done.result()
                case, seed = running[done]
                yield from rings[case].add(seed, answers, both) if answers else both
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(one.done() for one in running):  # a pair that was cut short begins its second run
                end_all()
                time.sleep(0.05)

    def _pair(self, case: Case, seed: int, number: int, keep: Path | None) -> tuple[Answers, list[Measured]]:
        """Return both measurements of one scan and seed and, without a truth, what is to agree with other seeds.

        The idea goes first every other time.
        """
        bench = Bench.of(*case.draw(seed), seed=seed)
        order = (BASELINE, IDEA) if number % 2 == 0 else (IDEA, BASELINE)
        with workshop() as folder:
            write_scan(folder / "drawn.npz", bench.scan)
            runs = {variant: self.run(variant, case, seed, bench, folder) for variant in order}
            if self.kind.name == "score":
                return {}, _score_pair(bench, runs[IDEA], case.name, seed)
        pair = Pair(bench, runs[BASELINE], runs[IDEA])
        both = [pair.measured(variant, case.name, seed) for variant in (BASELINE, IDEA)]
        if keep is not None:
            both = [kept(one, runs[one.variant], keep) for one in both]
        return {} if bench.truth is not None else {name: run.answers for name, run in runs.items()}, both

    def run(self, variant: str, case: Case, seed: int, bench: Bench, folder: Path) -> Run:
        """Do one run in a process of its own; for a score, one process runs better and worse recipes."""
        tried = variant == IDEA
        if self.kind.name == "score":
            if not tried:
                return Run()
            recipes = ladder(self.baseline)
        else:
            recipes = [self.recipe if tried else dict(self.baseline)]
        place = folder / variant
        place.mkdir()
        outcome = perform(
            place,
            "run",
            (*self.carried, *([self.idea] if tried else [])),
            limits=self.limits,
            scan=folder / "drawn.npz",
            recipes=[_seeded(recipe, seed) for recipe in recipes],
            tried=tried,
            candidates=list(case.candidates) if self.kind.name == "identifier" else [],
            voltage_kV=bench.scan.instrument.voltage_kV,
        )
        if outcome.failed:
            return Run(outcome, failed=outcome.failed)
        try:
            answers = tuple(read_answer(answer_file(place, i)) for i in range(len(recipes)))
            for answer in answers:
                _fits(answer, bench)
        except (FalseAnswerError, KeyError, TypeError, ValueError) as error:
            return Run(outcome, failed=str(error))
        return Run(outcome, answers)


@dataclass(frozen=True, eq=False)
class Run:
    """How one process ended, and what it found."""

    outcome: Outcome = field(default_factory=Outcome)
    answers: tuple[Answer, ...] = ()
    failed: str = ""


def kept(one: Measured, run: Run, folder: Path) -> Measured:
    """Write the result of a measurement into the folder of its trial, and return the measurement with its place.

    What is written is what the judge has read and checked, not the file that the idea's process left.
    """
    if one.failed or not run.answers:
        return one
    place = f"{KEPT}/{one.variant}-{quote(one.case, safe='')}-{one.seed}.npz"
    (folder / KEPT).mkdir(exist_ok=True)
    write_answer(folder / place, run.answers[0])
    return replace(one, result=place)


@dataclass(frozen=True, eq=False)
class Pair:
    """Both runs on one scan with one seed."""

    bench: Bench
    baseline: Run
    idea: Run

    def run(self, variant: str) -> Run:
        """Return one of both."""
        return self.idea if variant == IDEA else self.baseline

    def measured(self, variant: str, case: str, seed: int) -> Measured:
        """Return the measurement of one of both, judged."""
        run = self.run(variant)
        told = Measured(case, seed, variant, peak_bytes=run.outcome.peak_bytes)
        if run.failed:
            return replace(told, failed=run.failed)
        beside = self.baseline.answers[0] if self.baseline.answers else None
        try:
            found = self.bench.judge(run.answers[0], beside)
        except (FalseAnswerError, ValueError) as error:
            return replace(told, failed=str(error))
        return replace(told, metrics=_finite(found), seconds=min(run.answers[0].seconds, run.outcome.seconds))


def _finite(found: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def _fits(answer: Answer, bench: Bench) -> None:
    """Refuse factors of another grid than that of the scan."""
    factors, scan = answer.factors, bench.scan
    shapes = factors.maps.shape[1:], factors.patterns.shape[1:]
    if shapes != (scan.scan_shape, scan.pattern_shape):
        raise FalseAnswerError(
            f"maps of {shapes[0]} and patterns of {shapes[1]} came out of a scan of {scan.scan_shape} | "
            f"{scan.pattern_shape}"
        )


def _seeded(recipe: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return {**recipe, "factorize": {**recipe.get("factorize", {}), "seed": seed}}


@dataclass(frozen=True, eq=False)
class Ring:
    """Measurements of one scan without truth, each of which waits for what the next seed finds, to agree with it.

    Parameters
    ----------
    following : mapping of int to int
        The next seed of each; the first comes after the last.
    """

    following: Mapping[int, int]
    _answers: dict[int, Answers] = field(default_factory=dict, init=False)
    _waiting: dict[int, list[Measured]] = field(default_factory=dict, init=False)

    @classmethod
    def of(cls, seeds: Sequence[int]) -> Ring:
        """Return the ring of some seeds, in their order.

        Examples
        --------
        >>> Ring.of((3, 1, 2)).following
        {1: 2, 2: 3, 3: 1}
        """
        ordered = sorted(set(seeds))
        return cls(dict(pairwise([*ordered, ordered[0]])))

    def add(self, seed: int, answers: Answers, both: list[Measured]) -> Iterator[Measured]:
        """Take in what a seed found, and yield, with their stability, the measurements that wait no longer."""
        self._answers[seed], self._waiting[seed] = answers, both
        for ready in [one for one in self._waiting if self.following[one] in self._answers]:
            for one in self._waiting.pop(ready):
                yield self._with_stability(one)

    def _with_stability(self, one: Measured) -> Measured:
        mine, its = (self._answers[seed][one.variant] for seed in (one.seed, self.following[one.seed]))
        if one.failed or not its or len(self.following) == 1:
            return one
        used = np.asarray(mine[0].factors.used_pixels, bool)
        agreement = {"stability": stability(mine[0], its[0], used=used)}
        return replace(one, metrics={**one.metrics, **_finite(agreement)})


def ladder(recipe: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the recipe, and worse ones: without its constraints, with half and with twice the components, cut short.

    Examples
    --------
    >>> [one["factorize"]["components"] for one in ladder({"factorize": {"components": 6}})]
    [6, 6, 3, 12, 6]
    """
    how = dict(recipe.get("factorize", {}))
    count = int(how.get("components", 12))
    rungs: list[dict[str, Any]] = [
        {},
        {"constraints": [{"nonnegative": {}}], "refine": []},
        {"components": max(1, count // 2), "refine": []},
        {"components": 2 * count, "refine": []},
        {"max_iter": 1, "sketch_sweeps": 1, "refine": []},
    ]
    return [{**recipe, "factorize": {**how, **rung}} for rung in rungs]


def _score_pair(bench: Bench, run: Run, case: str, seed: int) -> list[Measured]:
    """Return how well the fit's error, as the baseline, and the score tell better from worse results."""
    if bench.truth is None:
        failed = "a score is tried on scans with truth only"
        return [Measured(case, seed, variant, failed=failed) for variant in (BASELINE, IDEA)]
    if run.failed:
        return [Measured(case, seed, IDEA, failed=run.failed)]
    from scipy.stats import spearmanr

    judged = [bench.judge(answer, run.answers[0]) for answer in run.answers]
    truth = [-one["truth_error"] for one in judged]
    told = {
        BASELINE: [-one["error"] for one in judged],
        IDEA: [answer.score for answer in run.answers],
    }
    found = []
    for variant, values in told.items():
        with np.errstate(all="ignore"), contextlib.suppress(ValueError):
            flat = len({round(v, 12) for v in values}) < 2
            rank = 0.0 if flat else float(spearmanr(values, truth).statistic)
            found.append(
                Measured(case, seed, variant, metrics={"tells": rank}, peak_bytes=run.outcome.peak_bytes)
            )
    return found


def run_all(contest: Contest, hear: Hear) -> Sequence[Measured]:
    """Return all measurements of a contest; `hear` is told each as it comes."""
    found = []
    for one in contest.measured():
        hear(one)
        found.append(one)
    return tuple(sorted(found, key=lambda m: (m.case, m.seed, m.variant)))
