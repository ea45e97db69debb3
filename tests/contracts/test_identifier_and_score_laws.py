"""The suites of identifiers and scores pass what is right and catch what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from unmixel.testing.identifiers import IdentifierLaws
from unmixel.testing.scores import ScoreLaws


@dataclass(frozen=True)
class FirstOne:
    """Names every group by the first candidate of all, by name or as they come."""

    how: str = "sorted"
    name = "first"

    def identify(self, groups, candidates, *, voltage_kV):
        if self.how == "writes":
            groups.patterns[...] *= 2
        names = [one.name for one in candidates]
        first = {"sorted": min(names), "given": names[0], "invented": "Unobtainium"}.get(self.how, min(names))
        return [first] * (groups.n_groups - (self.how == "few"))


@pytest.mark.parametrize(
    ("how", "law"),
    [
        ("given", "order_does_not_matter"),
        ("invented", "names_every_group"),
        ("few", "names_every_group"),
        ("writes", "input_is_untouched"),
    ],
)
def test_a_wrong_identifier_is_caught(how: str, law: str) -> None:
    from dataclasses import replace

    from unmixel.testing.identifiers import example_groups

    groups = replace(example_groups(), patterns=example_groups().patterns.copy())
    for each in IdentifierLaws.names():
        IdentifierLaws(FirstOne(), groups).check(each)
    with pytest.raises(AssertionError):
        IdentifierLaws(FirstOne(how), groups).check(law)


@dataclass(frozen=True)
class Residual:
    """Sum of squares, or that with one fault."""

    fault: str = ""
    name, better = "residual", "lower"

    def score(self, scan, factors):
        if self.fault == "writes":
            factors.maps[...] *= 2
        if self.fault == "nan":
            return float("nan")
        if self.fault == "first":
            return float(factors.maps[0].sum())
        if self.fault == "chance":
            return float(np.random.default_rng().random())
        model = np.tensordot(factors.maps, factors.patterns, (0, 0))
        return float(np.sum((scan.data - model) ** 2))


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        ("nan", "finite"),
        ("first", "order_does_not_matter"),
        ("chance", "repeats"),
        ("writes", "input_is_untouched"),
    ],
)
def test_a_wrong_score_is_caught(fault: str, law: str) -> None:
    for each in ScoreLaws.names():
        ScoreLaws(Residual()).check(each)
    with pytest.raises(AssertionError):
        ScoreLaws(Residual(fault)).check(law)
