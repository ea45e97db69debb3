"""Paired statistics: effect and interval by Student, chance by sign flips, several metrics by Holm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unmixel.lab.metrics import COSTS, METRICS
from unmixel.lab.trial import BASELINE, IDEA, Measured
from unmixel.lab.verdict import Comparison, Verdict, Word

Float = NDArray[np.float64]

LEVEL = 0.02
"""Chance of calling a difference where there is none, over all metrics that are judged.

An idea that changes nothing is told "no evidence" in more than 97 of 100 trials, and 24 pairs show an effect of one
standard deviation with a chance of 0.95 (docs/decisions/0026-try.md).
"""

CONFIDENCE = 0.95
"""Of the intervals, each for itself."""

EXACT = 14
"""Pairs up to which every pattern of signs is tried; beyond, `FLIPS` of them by chance."""

FLIPS = 20_000


def sign_flip(differences: Sequence[float] | Float, *, seed: int = 0) -> float:
    """Return the two-sided p-value of paired differences against no effect, by flipping their signs.

    If idea and baseline are alike, each difference could as well have the other sign. The p-value is the share of sign
    patterns, the observed one among them, whose mean is at least as far from 0 (Fisher 1935, section 21).

    Parameters
    ----------
    differences : sequence of float, length n
    seed : int
        Of the patterns that are drawn where n is larger than `EXACT`.

    Examples
    --------
    >>> sign_flip([1.0, 2.0, 3.0, 4.0, 5.0])
    0.0625
    >>> sign_flip([0.0, 0.0])
    1.0
    """
    d = np.asarray(differences, np.float64)
    d = d[d != 0]  # ties say nothing and change no sum
    if not d.size:
        return 1.0
    seen = abs(float(d.sum()))
    slack = 1e-12 * float(np.abs(d).sum())
    if d.size <= EXACT:
        signs = 1 - 2 * ((np.arange(2**d.size)[:, None] >> np.arange(d.size)) & 1)
        return float(np.mean(np.abs(signs @ d) >= seen - slack))
    sums = np.abs(_signs(d.size, seed) @ d)
    return float((np.count_nonzero(sums >= seen - slack) + 1) / (FLIPS + 1))


@lru_cache(maxsize=4)
def _signs(size: int, seed: int) -> Float:
    """Return patterns of signs by chance, shape (FLIPS, size)."""
    return np.asarray(1.0 - 2.0 * np.random.default_rng(seed).integers(0, 2, (FLIPS, size)), np.float64)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, step by step from the smallest (Holm 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return corrected


def interval(differences: Sequence[float] | Float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of the mean difference by Student's t; a point where all are equal, infinite for one.

    Examples
    --------
    >>> [round(end, 3) for end in interval([1.0, 2.0, 3.0])]
    [-0.484, 4.484]
    """
    from scipy.stats import t

    d = np.asarray(differences, np.float64)
    if d.size < 2:
        return float("-inf"), float("inf")
    mean, error = float(d.mean()), float(d.std(ddof=1) / np.sqrt(d.size))
    half = float(t.ppf(0.5 + confidence / 2, d.size - 1)) * error
    return mean - half, mean + half


def pairs(measured: Sequence[Measured]) -> list[tuple[Measured, Measured]]:
    """Return (baseline, idea) over equal case and seed; what failed or stands alone is left out."""
    good = {(m.case, m.seed, m.variant): m for m in measured if not m.failed}
    keys = sorted({(case, seed) for case, seed, _ in good})
    return [
        (good[(*key, BASELINE)], good[(*key, IDEA)])
        for key in keys
        if (*key, BASELINE) in good and (*key, IDEA) in good
    ]


def value(measured: Measured, metric: str) -> float:
    """Return a metric of a measurement, costs among them; NaN where it is not there."""
    if metric == "seconds":
        return measured.seconds
    if metric == "peak_MB":
        return measured.peak_bytes / 1e6 if measured.peak_bytes else float("nan")
    found = measured.metrics.get(metric)
    return float("nan") if found is None else float(found)


def compare(measured: Sequence[Measured], judged: Sequence[str]) -> Verdict:
    """Return what paired measurements say.

    Parameters
    ----------
    measured : sequence of Measured
    judged : sequence of str
        Metrics that decide, the first before the others; p-values are corrected for their number. What else is
        known is told: other metrics corrected for their own number, and so are time and memory.
    """
    both = pairs(measured)
    known = {name for pair in both for one in pair for name in one.metrics}
    told = [name for name in METRICS if name in known and name not in judged]
    families = ([*judged], told, [*COSTS])
    rows: list[Comparison] = []
    for family in families:
        raw = [row for name in family if (row := _compared(name, both)) is not None]
        corrected = dict(zip([row.metric for row in raw], holm([row.p_value for row in raw]), strict=True))
        rows += [_worded(replace(row, p_value=corrected[row.metric])) for row in raw]
    return _verdict(tuple(rows), list(judged), len(both), measured)


@dataclass(frozen=True)
class CaseEffect:
    """What one metric did on one scan of a suite.

    Parameters
    ----------
    case : str
    effect : float
        Mean paired difference, idea - baseline.
    n_better, n_pairs : int
        Pairs in which the idea was better, and all.
    """

    case: str
    effect: float
    n_better: int
    n_pairs: int


def by_case(measured: Sequence[Measured], metric: str) -> tuple[CaseEffect, ...]:
    """Return the effect on each scan of a suite by itself: on which data an idea helps.

    Nothing is tested here: with a few pairs each, and several scans, chance finds a difference somewhere.
    """
    sign = -1.0 if METRICS[metric].better == "lower" else 1.0
    found: dict[str, list[float]] = {}
    for one, other in pairs(measured):
        difference = value(other, metric) - value(one, metric)
        if np.isfinite(difference):
            found.setdefault(one.case, []).append(difference)
    return tuple(
        CaseEffect(case, float(np.mean(d)), sum(sign * x > 0 for x in d), len(d)) for case, d in found.items()
    )


def _compared(name: str, both: Sequence[tuple[Measured, Measured]]) -> Comparison | None:
    """Return one metric over the pairs in which both have it, its p-value uncorrected."""
    values = np.array([[value(one, name) for one in pair] for pair in both], np.float64).reshape(-1, 2)
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        return None
    d = values[:, 1] - values[:, 0]
    low, high = interval(d)
    spread = float(d.std(ddof=1)) if len(d) > 1 else 0.0
    metric = METRICS[name]
    return Comparison(
        metric=name,
        unit=metric.unit,
        better=metric.better,
        baseline=float(np.median(values[:, 0])),
        idea=float(np.median(values[:, 1])),
        effect=float(d.mean()),
        low=low,
        high=high,
        standardised=float(d.mean()) / spread if spread > 0 else float("nan"),
        p_value=sign_flip(d),
        n_pairs=len(d),
        word="no evidence",
    )


def _worded(row: Comparison) -> Comparison:
    if row.p_value > LEVEL or row.better == "neither":
        return row
    word: Word = "better" if (row.effect > 0) == (row.better == "higher") else "worse"
    return replace(row, word=word)


def _verdict(
    rows: tuple[Comparison, ...], judged: Sequence[str], n_pairs: int, measured: Sequence[Measured]
) -> Verdict:
    by_name: Mapping[str, Comparison] = {row.metric: row for row in rows}
    deciding = [by_name[name] for name in judged if name in by_name]
    failed = [m for m in measured if m.failed and m.variant == IDEA]
    if not deciding:
        why = f": {failed[0].failed}" if failed else ""
        return Verdict(rows, "no evidence", f"No evidence: nothing could be measured{why}.")
    first = deciding[0]
    worse = [row for row in deciding if row.word == "worse"]
    lead = (worse or [first])[0]
    word: Word = "worse" if worse else first.word
    sentence = f"{_capital(word)}: {_figures(lead)}"
    rest = [row for row in deciding if row is not lead and row.word != "no evidence"]
    if rest:
        sentence += "; " + "; ".join(f"{row.word} in {_figures(row)}" for row in rest)
    if word == "no evidence" and (least := min(1.0, len(deciding) * 2.0 ** (1 - first.n_pairs))) > LEVEL:
        # even where all pairs agree: one of 2^n patterns of signs and its mirror image, times Holm's factor
        sentence += f". So few pairs cannot say anything else: their p is at least {least:.2g}"
    if failed:
        sentence += f". The idea failed on {len(failed)} of {len(failed) + n_pairs} scans: {failed[0].failed}"
    return Verdict(rows, word, f"{sentence.rstrip('.')}.")


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _figures(row: Comparison) -> str:
    unit = f" {row.unit}" if row.unit else ""
    return (
        f"{row.metric} {row.effect:+.3g}{unit} [{row.low:.3g}, {row.high:.3g}] over {row.n_pairs} pairs, "
        f"p = {row.p_value:.2g}"
    )
