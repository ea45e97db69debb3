"""The verb of the loop: an idea is checked, run beside the current best, judged, and entered into the ledger."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmixel.core.errors import IdeaError, InputError, UnmixelError
from unmixel.lab.idea import Idea
from unmixel.lab.kinds import KINDS, Kind
from unmixel.lab.ledger import Ledger, fresh_id
from unmixel.lab.runner import Contest
from unmixel.lab.sandbox import Limits, perform, workshop
from unmixel.lab.source import idea_of
from unmixel.lab.statistics import by_case, compare
from unmixel.lab.suites import Suite, Suites
from unmixel.lab.table import cases, html, text
from unmixel.lab.trial import BASELINE, IDEA, Measured, Trial
from unmixel.lab.trial_folder import now
from unmixel.lab.verdict import Verdict

Tell = Callable[[str], None]

ENOUGH = 3
"""Failures of an idea in a row from the beginning, after which the rest is not tried."""

SHOWN = 4
"""Broken laws that are told; what follows usually comes of them."""


@dataclass(frozen=True)
class Tried:
    """An idea that was tried: shows itself as a table, in a notebook and in a terminal.

    Parameters
    ----------
    id : str
        Of its trial in the ledger.
    folder : Path
        Of the trial.
    kind, name, suite, baseline : str
    verdict : Verdict
    measured : tuple of Measured
    """

    id: str
    folder: Path
    kind: str
    name: str
    suite: str
    baseline: str
    verdict: Verdict
    measured: tuple[Measured, ...]

    @property
    def title(self) -> str:
        """What was compared, in words."""
        against = "the recipe that ships" if self.baseline == "shipped" else f"trial {self.baseline}"
        return f"{self.kind} '{self.name}' against {against}, suite '{self.suite}'"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is said below the table: the verdict, on which scans, and the trial."""
        first = self.verdict.comparisons[0].metric
        told = cases(by_case(self.measured, first), first)
        return (self.verdict.sentence, *([told] if told else []), f"Trial: {self.id}")

    def __str__(self) -> str:
        return "\n".join([self.title, "", text(self.verdict), "", *self.remarks])

    def _repr_html_(self) -> str:
        return html(self.verdict, title=self.title, below=self.remarks[1:])


def try_idea(
    idea: Any,
    *,
    suite: str = "quick",
    hypothesis: str = "",
    lab: str | Path | None = None,
    time_limit: float = 120.0,
    memory_limit: float = 4e9,
    tell: Tell | None = None,
) -> Tried:
    """Try an idea against the current best on every scan of a suite, and enter the trial into the ledger.

    The idea runs in processes of its own, which never see a truth; what it finds is judged here.

    Parameters
    ----------
    idea : path, class or object
        A Python file with one plug-in, or a plug-in that was written in a notebook cell or a script.
    suite : str
        ``"quick"``, ``"full"``, or one that you added.
    hypothesis : str
        What you expect; it is kept with the trial.
    lab : path, optional
        Folder of ledger and suites; UNMIXEL_LAB or ``./unmixel-lab`` where it is not given.
    time_limit : float, > 0
        Seconds that one run may take.
    memory_limit : float
        Bytes that one run may ask for, libraries included (they take about 1 GB).
    tell : callable(str), optional
        Hears how it goes.

    Returns
    -------
    Tried

    Raises
    ------
    IdeaError
        When the idea does not load, breaks a law of its kind, or fails on every scan: with your own line.
    InputError
        When there is no such file or suite.

    Examples
    --------
    >>> from unmixel import try_idea
    >>> try_idea("my_idea.py", hypothesis="maps are smoother than noise")  # doctest: +SKIP
    """
    tell = tell or (lambda words: None)
    given = Idea.read(idea) if isinstance(idea, (str, Path)) else idea_of(idea)
    place = Path(lab) if lab is not None else Ledger.here().folder
    ledger, wanted = Ledger(place), Suites(place).get(suite)
    limits = Limits(float(time_limit), int(memory_limit))
    best = _best(ledger, Suites(place), wanted)
    kind, name = checked(given, limits, carried=best.carried)
    tell(f"{kind.name} '{name}' keeps the laws of its kind; it {kind.enters}.")
    if kind.name == "identifier" and not any(case.candidates for case in wanted.cases):
        raise InputError(
            f"suite '{suite}'",
            expected="candidates among which groups are named",
            got="none",
            hint="unmixel suite add NAME SCAN --truth FILE --candidate CuZr",
        )
    contest = Contest(wanted, kind, name, given, best.recipe, best.carried, limits)
    trial = _entered(contest, best, hypothesis)
    folder = ledger.start(trial)
    return _run(contest, ledger, trial, folder, tell)


def checked(idea: Idea, limits: Limits, *, carried: tuple[Idea, ...] = ()) -> tuple[Kind, str]:
    """Return kind and name of an idea that keeps the laws of its kind.

    Raises
    ------
    IdeaError
        Tells every broken law in words, with the case that breaks it.
    """
    with workshop() as folder:
        outcome = perform(folder, "laws", (*carried, idea), limits=limits)
    if outcome.failed:
        raise IdeaError(_begun(idea, outcome.failed))
    told = outcome.told
    broken = list({one["why"]: one for one in reversed(told["broken"])}.values())[::-1]
    if broken:
        lines = [f"  {one['means']}: on {one['case']}, {one['why']}" for one in broken[:SHOWN]]
        more = f"\n  ... and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        raise IdeaError(
            f"{idea.file}: {told['class']} breaks {_counted(len(told['broken']), 'law')} of a {told['kind']}.\n"
            + "\n".join(lines)
            + more
        )
    return KINDS[told["kind"]], str(told["name"])


def _begun(idea: Idea, words: str) -> str:
    """Return words that begin with the idea's file."""
    return words if words.startswith(idea.file) else f"{idea.file}: {words}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class Best:
    """The recipe to beat."""

    id: str
    recipe: Mapping[str, Any]
    carried: tuple[Idea, ...] = ()


def _best(ledger: Ledger, suites: Suites, suite: Suite) -> Best:
    """Return the promoted recipe of the suite's line, or the suite's own."""
    for promotion in reversed(ledger.promotions()):
        if not (ledger.trials / promotion.id).is_dir():
            continue
        trial = ledger.get(promotion.id)
        if trial.suite in suites.names() and suites.get(trial.suite).line == suite.line:
            codes = {**trial.carried, **({trial.name: trial.code} if trial.code else {})}
            return Best(
                trial.id, trial.recipe, tuple(Idea(f"{name}.py", code) for name, code in codes.items())
            )
    from unmixel.pipeline.resolve import Request

    scan, _ = suite.cases[0].draw(suite.seeds[0])
    recipe, _ = Request.of(dict(suite.recipe) or None).recipe_for(scan)
    return Best("shipped", recipe.to_dict())


def _entered(contest: Contest, best: Best, hypothesis: str) -> Trial:
    """Return the trial as it begins."""
    import numpy
    import scipy

    import unmixel

    idea, suite = contest.idea, contest.suite
    return Trial(
        id=fresh_id(contest.name),
        kind="try",
        name=contest.name,
        created=now(),
        hypothesis=hypothesis,
        recipe=contest.recipe,
        baseline=best.id,
        code=idea.code,
        code_sha256=idea.sha256,
        carried={_name_of(one): one.code for one in best.carried},
        suite=suite.name,
        data=suite.data,
        seeds=suite.seeds,
        versions={
            "unmixel": unmixel.__version__,
            "python": ".".join(map(str, sys.version_info[:3])),
            "numpy": numpy.__version__,
            "scipy": scipy.__version__,
        },
    )


def _name_of(idea: Idea) -> str:
    return idea.file.removesuffix(".py")


def _run(contest: Contest, ledger: Ledger, trial: Trial, folder: Path, tell: Tell) -> Tried:
    """Run a contest, every measurement entered as it comes, and return what it comes to."""
    measured: list[Measured] = []
    running = contest.measured(folder)
    conclusion, failed = "interrupted", True
    try:
        for one in running:
            measured.append(one)
            ledger.add(trial.id, one)
            mine = [m for m in measured if m.variant == IDEA]
            if one.variant == IDEA:
                tell(
                    f"{len(mine)} of {contest.n_pairs}: {one.case}, seed {one.seed}. {one.failed}".rstrip(
                        ". "
                    )
                    + "."
                )
            if len(mine) >= ENOUGH and all(m.failed for m in mine):
                break
        _refuse_failures(contest, measured)
        verdict = compare(measured, _judged(contest))
        conclusion, failed = verdict.sentence, False
    except KeyboardInterrupt as stop:
        stop.add_note(f"What was measured is kept as trial {trial.id}; the same command begins a new one.")
        raise
    except Exception as error:
        conclusion = str(error) if isinstance(error, UnmixelError) else f"{type(error).__name__}: {error}"
        raise
    finally:
        running.close()  # type: ignore[attr-defined]
        ledger.finish(trial.id, state="failed" if failed else "finished", conclusion=conclusion)
    return Tried(
        trial.id,
        folder,
        contest.kind.name,
        contest.name,
        contest.suite.name,
        trial.baseline,
        verdict,
        tuple(measured),
    )


def _refuse_failures(contest: Contest, measured: Sequence[Measured]) -> None:
    """Raise what there is to say where nothing but failures came out."""
    best, mine = ([m for m in measured if m.variant == variant] for variant in (BASELINE, IDEA))
    if best and all(m.failed for m in best):
        raise InputError(
            f"suite '{contest.suite.name}'",
            expected="a recipe that runs on its scans",
            got=f"one that fails without the idea, too: {best[0].failed}",
            hint="mend the recipe of the suite",
        )
    if mine and all(m.failed for m in mine):
        raise IdeaError(_begun(contest.idea, mine[0].failed))


def _judged(contest: Contest) -> tuple[str, ...]:
    """Return the metrics that decide: those of the suite, or the one that judges a kind."""
    special = {
        "score": ("tells",),
        "identifier": ("phase_accuracy",),
        "clusterer": ("grouping", "false_reports"),
    }
    return special.get(contest.kind.name, contest.suite.judged)
