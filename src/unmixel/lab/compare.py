"""Trials and runs against each other: what differs in recipe, numbers, components and code, ready for a page."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unmixel.core.errors import InputError, UnmixelError
from unmixel.dataset.results import Factors
from unmixel.io.atomic import replacing
from unmixel.lab import statistics
from unmixel.lab.entered import RUN, measured_of, trial_of
from unmixel.lab.index import counted
from unmixel.lab.ledger import Ledger
from unmixel.lab.metrics import METRICS
from unmixel.lab.trial import BASELINE, IDEA, Measured, Trial
from unmixel.lab.verdict import Comparison
from unmixel.lab.wall import FalseAnswerError, read_answer
from unmixel.pipeline.kept import load
from unmixel.pipeline.yamlfile import value_text
from unmixel.report.comparison import ComparisonPage, Contrast, Partners, Row, Shown, Side, write_comparison
from unmixel.testing.metrics import match

_LETTERS = "ABCDEFGH"
_UNPAIRED = "they share no data and seed, so nothing can be said of their numbers"
_UNJUDGED = "what they share describes results and does not judge them"

Key = tuple[str, int]


@dataclass(frozen=True)
class Contestant:
    """A trial and the folder from which the places of its results are told.

    Parameters
    ----------
    trial : Trial
    folder : Path
    name : str
        What it is called: its id, or the folder as it was given.
    """

    trial: Trial
    folder: Path
    name: str

    @classmethod
    def of(cls, what: str | Path, ledger: Ledger) -> Contestant:
        """Return the trial that an id, a run folder or a bundle stands for.

        Raises
        ------
        InputError
            When it is neither.
        """
        path = Path(what)
        if path.is_file() or (path / "record.json").is_file():
            result = load(path)
            trial = replace(trial_of(result), state="finished", measured=(measured_of(result, place="."),))
            return cls(trial, path, str(what))
        return cls(ledger.get(str(what)), ledger.place(str(what)), ledger.place(str(what)).name)

    @property
    def by_key(self) -> dict[Key, Measured]:
        """What was measured with its idea, by case and seed."""
        return {(one.case, one.seed): one for one in counted(self.trial)}

    def factors(self, key: Key) -> Factors | None:
        """Return what it found on one scan; None where that was not kept or cannot be read."""
        one = self.by_key.get(key)
        if one is None or not one.result:
            return None
        place = self.folder if one.result == "." else self.folder / one.result
        try:
            return read_answer(place).factors if place.suffix == ".npz" else load(place).factors
        except (UnmixelError, OSError, FalseAnswerError):
            return None


def compare(*what: str | Path, out: str | Path, ledger: Ledger | None = None) -> Path:
    """Write a page that shows trials or runs side by side, the first as the reference, and return its path.

    Statistics are over pairs: equal case, equal data, equal seed. Components are matched by pattern and map (Hungarian
    method) on the first scan of which all sides kept a result.

    Parameters
    ----------
    *what : str or path
        Two to eight ids of trials, run folders or bundles.
    out : path
        HTML file; overwritten when it is there.
    ledger : Ledger, optional
        The one of the current folder by default.

    Raises
    ------
    InputError
        When there are fewer than two, or one is neither a trial nor a run.

    Examples
    --------
    >>> compare("3f2a", "mgo.run", out="comparison.html")  # doctest: +SKIP
    PosixPath('comparison.html')
    """
    if not 2 <= len(what) <= len(_LETTERS):
        raise InputError(
            "compare",
            expected=f"two to {len(_LETTERS)} trials or runs",
            got=f"{len(what)}",
            hint="unmixel compare A B",
        )
    sides = [Contestant.of(one, ledger or Ledger.here()) for one in what]
    target = Path(out)
    with replacing(target) as draft:
        write_comparison(page_of(sides), draft)
    return target


def page_of(sides: Sequence[Contestant]) -> ComparisonPage:
    """Return all that the page shows."""
    keys, remarks = _shared(sides)
    looked_at = _looked_at(sides, keys)
    shown, strange = _shown(looked_at)
    return ComparisonPage(
        sides=tuple(
            _side(_LETTERS[i], side, looked_at[i][1] if looked_at else None) for i, side in enumerate(sides)
        ),
        recipe=tuple(recipe_differences([side.trial.recipe for side in sides])),
        contrasts=tuple(
            _contrast(sides[0], other, letter) for other, letter in zip(sides[1:], _LETTERS[1:], strict=False)
        ),
        values=_values(sides, keys),
        shown=shown,
        code=_code(sides),
        remarks=(*remarks, *strange, *_versions(sides)),
    )


def _shared(sides: Sequence[Contestant]) -> tuple[list[Key], list[str]]:
    """Return case and seed of what all sides measured on the same data, and what stands against it."""
    keys = [key for key in sides[0].by_key if all(key in side.by_key for side in sides)]
    hashes = {
        case: {side.trial.data.get(case, "") for side in sides} for case in dict.fromkeys(c for c, _ in keys)
    }
    other = [case for case, found in hashes.items() if len(found) > 1]
    remarks = [
        f"the data called '{case}' are not the same in all of them: they are left out" for case in other
    ]
    return [key for key in keys if key[0] not in other], remarks


def _versions(sides: Sequence[Contestant]) -> Iterator[str]:
    for package in ("unmixel", "numpy"):
        found = [side.trial.versions.get(package, "") for side in sides]
        if len(set(found) - {""}) > 1:
            yield f"they ran with different versions of {package}: {', '.join(found)}"


def _side(letter: str, side: Contestant, factors: Factors | None) -> Side:
    trial = side.trial
    n_failed = sum(bool(one.failed) for one in trial.measured)
    facts = {
        "kind": trial.kind,
        "name": trial.name,
        "state": trial.state,
        "begun": trial.created[:16].replace("T", " "),
        "suite": trial.suite,
        "compared with": trial.baseline,
        "seeds": ", ".join(map(str, trial.seeds)),
        "measurements": f"{len(trial.measured)}" + (f", {n_failed} of them failed" if n_failed else ""),
    }
    return Side(
        letter,
        side.name,
        {key: value for key, value in facts.items() if value},
        trial.hypothesis,
        trial.conclusion,
        () if factors is None else tuple(factors.convergence.objective),
    )


def recipe_differences(recipes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield where recipes differ: dotted key, and the value of each as YAML; empty where one has no such key.

    Examples
    --------
    >>> sparse = [{"factorize": {"constraints": [{"sparse": {"weight": w}}]}} for w in (1, 2)]
    >>> list(recipe_differences(sparse))
    [('factorize.constraints.sparse.weight', ('1', '2'))]
    """
    each = [dict(flat(recipe)) for recipe in recipes]
    for key in dict.fromkeys(key for one in each for key in one):
        values = tuple(one.get(key, "") for one in each)
        if len(set(values)) > 1:
            yield key, values


def flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted keys and values, as YAML, of a recipe; entries of a list of plug-ins are known by their names."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from flat(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple)) and value and all(isinstance(one, Mapping) for one in value):
        seen: dict[str, int] = {}
        for one in value:
            for name, item in one.items():
                seen[name] = seen.get(name, 0) + 1
                again = f"[{seen[name]}]" if seen[name] > 1 else ""
                yield from flat(item, f"{key}.{name}{again}")
    else:
        yield key, value_text(list(value) if isinstance(value, tuple) else value)


def _contrast(first: Contestant, second: Contestant, letter: str) -> Contrast:
    """Return the statistics of a side against the first."""
    both = paired(first, second)
    known = {name for one in both for name in one.metrics}
    judged = [name for name, metric in METRICS.items() if name in known and metric.better != "neither"]
    verdict = statistics.compare(both, judged)
    sentence = verdict.sentence if judged else _UNJUDGED if both else _UNPAIRED
    return Contrast("A", letter, sentence, tuple(_row(one) for one in verdict.comparisons))


def _values(sides: Sequence[Contestant], keys: Sequence[Key]) -> dict[str, list[tuple[float, ...]]]:
    """Return the values of each metric on what all sides share, one tuple for each case and seed."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for key in keys:
        each = [side.by_key[key].metrics for side in sides]
        for metric in each[0]:
            if all(metric in one for one in each):
                found.setdefault(metric, []).append(tuple(float(one[metric]) for one in each))
    return found


def paired(first: Contestant, second: Contestant) -> tuple[Measured, ...]:
    """Return what two sides measured on the same data as the baseline and the idea of one trial."""
    keys, _ = _shared((first, second))
    return tuple(
        replace(side.by_key[key], variant=variant)
        for side, variant in ((first, BASELINE), (second, IDEA))
        for key in keys
    )


def _row(one: Comparison) -> Row:
    unit = f" {one.unit}" if one.unit else ""
    return Row(
        one.metric,
        f"{one.baseline:.4g}{unit}",
        f"{one.idea:.4g}{unit}",
        f"{one.effect:+.3g}{unit}",
        f"{one.low:+.3g} to {one.high:+.3g}" if math.isfinite(one.low) else "one pair has none",
        f"{one.p_value:.2g}",
        one.n_pairs,
        "describes" if one.better == "neither" else one.word,
    )


def _looked_at(sides: Sequence[Contestant], keys: Sequence[Key]) -> list[tuple[Key, Factors]]:
    """Return case, seed and result of each side for the first scan of which all kept one; empty where there is none.

    Runs of the same data may be looked at side by side when their seeds differ, too: that is another start.
    """
    choices = [[key] * len(sides) for key in keys]
    if not choices and all(side.trial.kind == RUN for side in sides):
        own = [next(iter(side.by_key), ("", 0)) for side in sides]
        data = {side.trial.data.get(case, case) for side, (case, _) in zip(sides, own, strict=True)}
        choices = [own] if len(data) == 1 else []
    for each in choices:
        found = [side.factors(key) for side, key in zip(sides, each, strict=True)]
        kept = [(key, factors) for key, factors in zip(each, found, strict=True) if factors is not None]
        if len(kept) == len(sides):
            return kept
    return []


def _shown(looked_at: Sequence[tuple[Key, Factors]]) -> tuple[Shown | None, list[str]]:
    """Return components of all sides on one scan, matched with those of the first, and why there are none."""
    if not looked_at:
        return None, []
    (case, _), first = looked_at[0]
    partners = []
    for (_, other), letter in zip(looked_at[1:], _LETTERS[1:], strict=False):
        if (other.maps.shape[1:], other.patterns.shape[1:]) != (
            first.maps.shape[1:],
            first.patterns.shape[1:],
        ):
            return None, [
                f"components of A and {letter} lie on different grids and cannot be laid over each other"
            ]
        used = first.used_pixels & other.used_pixels
        found = match(other.maps, other.patterns, first.maps, first.patterns, used_pixels=used)
        partners.append(Partners(letter, found.component, found.pattern_cosine, found.map_pearson, other))
    seeds = list(dict.fromkeys(seed for (_, seed), _ in looked_at))
    words = f"{case}, seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    return Shown(words, first, tuple(partners)), []


def _code(sides: Sequence[Contestant]) -> tuple[str, ...]:
    """Return how the code of each side differs from that of the first."""
    first, *others = sides
    lines: list[str] = []
    for other, letter in zip(others, _LETTERS[1:], strict=False):
        ours, theirs = (side.trial.code.splitlines() for side in (first, other))
        lines += difflib.unified_diff(
            ours, theirs, f"A {first.trial.name}", f"{letter} {other.trial.name}", lineterm=""
        )
    return tuple(lines)
