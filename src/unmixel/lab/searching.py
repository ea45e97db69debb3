"""A search from its first setting to the verdict on seeds that it never saw, whatever interrupts it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmixel import __version__
from unmixel.core.errors import InputError
from unmixel.io.nexus import jsonable
from unmixel.lab.ledger import Ledger, fresh_id
from unmixel.lab.metrics import METRICS
from unmixel.lab.search import Memory, Study, Tried
from unmixel.lab.space import Dimension, with_values
from unmixel.lab.statistics import compare
from unmixel.lab.suites import Suite
from unmixel.lab.trial import BASELINE, IDEA, Measured, Trial
from unmixel.lab.trial_folder import now
from unmixel.lab.verdict import Verdict
from unmixel.pipeline.yamlfile import value_text

TUNE = "tune"
"""Kind of such trials."""

HELD_OUT_FROM = 10_000
"""The first seed that is kept for final numbers; those of suites are far below."""

Job = tuple[str, int]
Measure = Callable[[Mapping[str, Any], Sequence[Job], str, Path], Iterable[Measured]]
"""Measures a whole recipe on cases with seeds, under the name of a variant; the folder is that of the trial."""


@dataclass(frozen=True)
class Search:
    """What is searched, and on what.

    Parameters
    ----------
    name : str
        Of the recipe.
    recipe : mapping
        The whole recipe as it is: the baseline.
    space : tuple of Dimension
    suite : Suite
        Its first metric is made as good as it gets.
    n_settings : int
        Settings to try.
    seed : int
        Of the choice of settings.
    """

    name: str
    recipe: Mapping[str, Any]
    space: tuple[Dimension, ...]
    suite: Suite
    n_settings: int = 30
    seed: int = 0

    @property
    def identity(self) -> str:
        """Hash of what makes two searches one: not how many settings are tried."""
        parts = [
            self.recipe,
            [one.words for one in self.space],
            self.suite.name,
            self.suite.data,
            self.suite.seeds,
        ]
        return hashlib.sha256(json.dumps(jsonable(parts), sort_keys=True).encode()).hexdigest()

    @property
    def rounds(self) -> tuple[tuple[Job, ...], ...]:
        """All cases with one seed, seed by seed: after each round a hopeless setting may be given up."""
        return tuple(tuple((case.name, seed) for case in self.suite.cases) for seed in self.suite.seeds)

    def held_out(self, number: int) -> tuple[Job, ...]:
        """Return cases and seeds for the final number: no search of this suite in the ledger has seen them.

        Parameters
        ----------
        number : int
            Searches of this suite before this one.
        """
        first = HELD_OUT_FROM + number * len(self.suite.seeds)
        return tuple(
            (case.name, seed)
            for seed in range(first, first + len(self.suite.seeds))
            for case in self.suite.cases
        )


@dataclass(frozen=True)
class Tuned:
    """What a search came to.

    Parameters
    ----------
    id : str
        Of its trial.
    values : mapping of str to value
        The best setting of the search.
    promised : float
        Mean gain of that setting in the search: too good, because it was picked for it.
    verdict : Verdict
        Of that setting against the baseline on seeds that the search never saw.
    n_tried, n_pruned, n_failed : int
    """

    id: str
    values: Mapping[str, Any]
    promised: float
    verdict: Verdict
    n_tried: int
    n_pruned: int
    n_failed: int


def searched(
    search: Search, measure: Measure, *, ledger: Ledger, tell: Callable[[str], None] = lambda text: None
) -> Tuned:
    """Search, then measure the best setting and the baseline on held-out seeds; every measurement is in the ledger.

    The same call goes on with a search that was interrupted or killed.

    Parameters
    ----------
    search : Search
    measure : callable
        See `Measure`.
    ledger : Ledger
    tell : callable(str)
        Hears of every setting.

    Raises
    ------
    MissingExtraError
        When optuna is not installed.
    InputError
        When the baseline, or every setting, gives no value of the suite's first metric; says why.
    """
    study = Study(search.space, search.seed)
    name = _entered(search, ledger, tell)
    try:
        return _Going(search, measure, ledger, name, tell).to_the_end(study)
    except InputError as error:
        ledger.finish(name, state="failed", conclusion=str(error))
        raise


def _entered(search: Search, ledger: Ledger, tell: Callable[[str], None]) -> str:
    """Return the id of the trial: of an interrupted one of the same identity, or of a new one."""
    for one in ledger.find(f"kind={TUNE} state=killed"):
        if ledger.get(one.id).versions.get("search") == search.identity:
            ledger.resume(one.id)
            tell(f"Going on with {one.id}.")
            return one.id
    earlier = len(ledger.find(f"kind={TUNE} suite={search.suite.name}"))
    jobs = search.held_out(earlier)
    trial = Trial(
        fresh_id(search.name),
        TUNE,
        search.name,
        now(),
        hypothesis="; ".join(one.words for one in search.space),
        recipe=search.recipe,
        baseline="the recipe as it was given",
        suite=search.suite.name,
        data=search.suite.data,
        seeds=tuple(dict.fromkeys(seed for _, seed in jobs)),
        versions={"unmixel": __version__, "search": search.identity},
    )
    ledger.start(trial)
    return trial.id


@dataclass(frozen=True)
class _Going:
    """A search under way."""

    search: Search
    measure: Measure
    ledger: Ledger
    id: str
    tell: Callable[[str], None]

    @property
    def metric(self) -> str:
        return self.search.suite.judged[0]

    @property
    def folder(self) -> Path:
        return self.ledger.place(self.id)

    def to_the_end(self, study: Study) -> Tuned:
        """Try settings until there are enough, choose one, and measure it on held-out seeds."""
        memory = Memory(self.folder)
        best = memory.chosen()
        if best is None:
            best = self._searched(study, memory)
            memory.choose(best.number)
        jobs = self._held_out()
        recipe = with_values(self.search.recipe, best.values)
        self.tell(
            f"Best: {_text(best.values)}. Measuring it and the baseline on seeds that the search never saw."
        )
        both = [*self._values(self.search.recipe, jobs, BASELINE), *self._values(recipe, jobs, IDEA)]
        verdict = compare(both, self.search.suite.judged)
        tried = memory.tried()
        self.ledger.finish(
            self.id,
            state="finished",
            conclusion=f"{_text(best.values)}. On held-out seeds: {verdict.sentence}",
            recipe=recipe,
        )
        counts = [sum(one.state == state for one in tried) for state in ("pruned", "failed")]
        return Tuned(self.id, best.values, best.scores[-1], verdict, len(tried), *counts)

    def _held_out(self) -> tuple[Job, ...]:
        """Return cases and seeds for the final number, as they were settled when the search began."""
        seeds = self.ledger.get(self.id).seeds
        return tuple((case.name, seed) for seed in seeds for case in self.search.suite.cases)

    def _searched(self, study: Study, memory: Memory) -> Tried:
        """Try settings until there are enough and return the best."""
        baseline = self._baseline()
        for one in memory.tried():
            study.tell(one)
        for number in range(len(memory.tried()), self.search.n_settings):
            values = study.ask()
            tried = self._tried(number, values, baseline, study)
            study.tell(tried)
            memory.add(tried)
            self.tell(f"{number + 1}/{self.search.n_settings}  {_text(values)}: {self._told(tried)}")
        finished = [one for one in memory.tried() if one.state == "finished"]
        if not finished:
            why = next((one.why for one in memory.tried() if one.why), "none was tried")
            raise InputError(
                "search", expected=f"a setting that gives a value of {self.metric}", got=f"none: {why}"
            )
        return max(finished, key=lambda one: one.scores[-1])

    def _told(self, tried: Tried) -> str:
        if tried.state == "failed":
            return f"failed, {tried.why}"
        gain = f"{self.metric} {tried.scores[-1]:+.4g} better"
        rounds = f" after {len(tried.scores)} of {len(self.search.rounds)} rounds, given up"
        return gain + (rounds if tried.state == "pruned" else "")

    def _baseline(self) -> dict[Job, float]:
        """Return the metric of the recipe as it is on everything that the search may look at."""
        jobs = [job for jobs in self.search.rounds for job in jobs]
        measured = self._values(self.search.recipe, jobs, BASELINE)
        values = {
            (one.case, one.seed): one.metrics[self.metric] for one in measured if self.metric in one.metrics
        }
        missing = [job for job in jobs if job not in values]
        if missing:
            why = next((one.failed for one in measured if one.failed), f"no {self.metric} could be formed")
            raise InputError(
                f"recipe '{self.search.name}'",
                expected=f"{self.metric} on every scan of the suite",
                got=f"none on '{missing[0][0]}' with seed {missing[0][1]}: {why}",
                hint="mend the recipe before it is tuned",
            )
        return values

    def _values(self, recipe: Mapping[str, Any], jobs: Sequence[Job], variant: str) -> list[Measured]:
        """Return what is measured of a recipe; what an earlier process has measured is not measured again."""
        known = {
            (one.case, one.seed): one for one in self.ledger.get(self.id).measured if one.variant == variant
        }
        new = [job for job in jobs if job not in known]
        for one in self.measure(recipe, new, variant, self.folder) if new else ():
            self.ledger.add(self.id, one)
            known[one.case, one.seed] = one
        return [known[job] for job in jobs if job in known]

    def _tried(
        self, number: int, values: Mapping[str, Any], baseline: Mapping[Job, float], study: Study
    ) -> Tried:
        """Measure one setting round by round until it is hopeless or done."""
        recipe = with_values(self.search.recipe, values)
        sign = 1.0 if METRICS[self.metric].better == "higher" else -1.0
        gains: list[float] = []
        scores: list[float] = []
        for jobs in self.search.rounds:
            for one in self.measure(recipe, jobs, f"search-{number:03d}", self.folder):
                self.ledger.add(self.id, one)
                if self.metric not in one.metrics:
                    why = one.failed or f"no {self.metric} could be formed"
                    return Tried(
                        number, values, "failed", tuple(scores), f"{one.case}, seed {one.seed}: {why}"
                    )
                gains.append(sign * (one.metrics[self.metric] - baseline[one.case, one.seed]))
            scores.append(sum(gains) / len(gains))
            if len(scores) < len(self.search.rounds) and study.hopeless(scores):
                return Tried(number, values, "pruned", tuple(scores))
        return Tried(number, values, "finished", tuple(scores))


def _text(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value_text(value)}" for key, value in values.items())
