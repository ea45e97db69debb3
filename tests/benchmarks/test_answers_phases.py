"""The benchmark of phases, small: shares that can be wrong, and the same again from the same seed."""

from __future__ import annotations

import answers_once
import numpy as np
import pytest
from answers_phases import cases, phases


def test_patterns_are_drawn_again_from_their_seed() -> None:
    first, again = list(cases(3, 2, 0.0)), list(cases(3, 2, 0.0))
    assert [case.axis for case in first] == [case.axis for case in again]
    np.testing.assert_array_equal(first[1].pattern, again[1].pattern)


def test_shares_of_a_few_patterns() -> None:
    found = phases(2, 5, 0.0)
    assert found["drawn"] == 5
    assert 1 <= found["patterns"] <= 5
    assert all(0 <= found[key] <= 1 for key in ("first", "right", "wrong", "absent_unknown"))
    assert found["first"] >= 0.5
    assert found["right"] + found["wrong"] <= 1


def test_the_benchmark_of_the_answers_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_once, "PATTERNS", 3)
    assert answers_once.main(["phases", "0", "5"])["drawn"] == 3
