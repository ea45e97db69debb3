"""What paired measurements say: effect, interval, and one of three words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Word = Literal["better", "worse", "no evidence"]


@dataclass(frozen=True)
class Comparison:
    """One metric of an idea beside the baseline, over paired measurements.

    Parameters
    ----------
    metric, unit : str
    better : str
        ``"higher"``, ``"lower"``, or ``"neither"`` for what is only told.
    baseline, idea : float
        Medians over the pairs.
    effect, low, high : float
        Mean paired difference (idea - baseline) and its interval.
    standardised : float
        Mean difference over its standard deviation; NaN where all differences are equal.
    p_value : float
        Two-sided, against no difference, after correction for the number of metrics that are judged.
    n_pairs : int
    word : str
        ``"better"``, ``"worse"`` or ``"no evidence"``.
    """

    metric: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    baseline: float
    idea: float
    effect: float
    low: float
    high: float
    standardised: float
    p_value: float
    n_pairs: int
    word: Word


@dataclass(frozen=True)
class Verdict:
    """All metrics of one trial, and what they come to.

    Parameters
    ----------
    comparisons : tuple of Comparison
    word : str
        Of the metric that the suite names first, unless another guarded one is worse.
    sentence : str
        The same in words with figures.
    """

    comparisons: tuple[Comparison, ...]
    word: Word
    sentence: str
