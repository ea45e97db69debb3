"""The benchmark of recommended numbers of components: what it counts as right, and that it says when it is not."""

from __future__ import annotations

import how_many
import pytest


@pytest.mark.parametrize(
    ("recommended", "above", "right", "good"),
    [(4, 4, 4, True), (19, 30, 21, True), (18, 30, 21, False), (23, 23, 21, True), (21, 20, 21, False)],
)
def test_near_enough_and_never_above_the_edge(recommended: int, above: int, right: int, good: bool) -> None:
    answer = how_many.Answer(recommended, above, right, 3.5, 9.0)
    assert answer.good is good


@pytest.mark.slow
def test_a_small_phantom_is_asked_and_judged(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--case", "tiny", "--crystals", "2", "--doses", "100000", "--seeds", "3", "--ranks", "2", "6"]
    status = how_many.main(words)
    told = capsys.readouterr().out
    assert "| 2 | 100,000 | 3 | 3 | 3 |" in told
    assert "1 of 1 within 10% and not above the noise edge" in told
    assert status == 0
