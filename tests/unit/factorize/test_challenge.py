"""Challenge: pieces go, components that electrons set aside miss come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.factorize.refinements.challenge import Challenge
from unmixel.testing.refinements import RefinementLaws


@pytest.fixture
def draft():
    """A matrix, which is spared, one component in two places, and another one with a weaker twin."""
    return RefinementLaws(Challenge()).draft()


def showing(draft, **scores):
    """Return the draft in whose counts set aside components show so strongly."""
    return replace(draft, evidence=lambda _: np.array([50.0, 20.0, 20.0, scores.get("twin", 0.0)]))


def test_what_shows_nothing_beyond_the_others_is_left_out(draft) -> None:
    after, told = Challenge().refine(showing(draft, twin=3.9))
    assert told == {"before": 4, "after": 3, "challenged": 1}
    np.testing.assert_array_equal(after.z_maps, draft.z_maps[:3])


def test_what_is_missed_comes_back_as_it_was(draft) -> None:
    after, told = Challenge().refine(showing(draft, twin=4.1))
    assert told == {"before": 4, "after": 4, "challenged": 1}
    np.testing.assert_array_equal(after.z_maps, draft.z_maps)
    assert Challenge(relative=0.3).refine(showing(draft, twin=4.1))[0].n_components == 3


def test_what_shares_no_place_is_not_challenged(draft) -> None:
    apart = draft.only([0, 1, 2])
    asked = []
    after, told = Challenge().refine(replace(apart, evidence=lambda now: asked.append(now)))
    assert told == {"before": 3, "after": 3, "challenged": 0}
    assert not asked
    np.testing.assert_array_equal(after.z_maps, apart.z_maps)


def test_doubtful_ones_take_nothing_from_each_other(draft) -> None:
    """Each is judged beside what is sure alone, in the same order as they came."""
    seen = []

    def evidence(now):
        seen.append(now)
        return np.array([50.0, 20.0, 20.0, 9.0, 9.0])

    thrice = replace(draft.only([0, 1, 2, 3, 3]), evidence=evidence)
    _, told = Challenge().refine(thrice)
    assert told["challenged"] == 2
    (now,) = seen
    np.testing.assert_array_equal(now.z_maps[:3], draft.z_maps[:3])
    assert 0 < now.z_maps[3:].max() < 1e-4
    np.testing.assert_array_equal(now.z_patterns, thrice.z_patterns)


def test_what_more_runs_found_is_the_stronger(draft) -> None:
    draft = showing(replace(draft, agreement=np.array([3, 3, 1, 3])))
    asked = []
    Challenge().refine(replace(draft, evidence=lambda now: asked.append(now) or np.full(4, 9.0)))
    faint = asked[0].z_maps.max(axis=(1, 2)) < 1e-3
    assert faint.tolist() == [False, False, True, False]


def test_without_counts_set_aside_nothing_is_done_and_this_is_told(draft) -> None:
    after, told = Challenge().refine(replace(draft, evidence=None))
    assert after.n_components == 4
    assert "not counts" in told["not_done"]


@pytest.mark.parametrize("wrong", [{"overlap": 0}, {"significance": -1}, {"relative": 1}, {"held_out": 0}])
def test_settings_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(InputError):
        Challenge(**wrong)
