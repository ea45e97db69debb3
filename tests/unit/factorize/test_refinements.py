"""Refinements against planted regions, duplicates and noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.factorize.refinements.merge import Merge
from unmixel.factorize.refinements.prune import Prune
from unmixel.factorize.refinements.split import Split
from unmixel.testing.refinements import RefinementLaws


@pytest.fixture
def draft():
    return RefinementLaws(Split()).draft()


def test_regions_become_components(draft) -> None:
    after, told = Split(grow=1).refine(replace(draft, evidence=None))
    assert told == {"before": 4, "after": 5, "regions_dropped": 0}
    one, two = after.maps[1], after.maps[2]
    assert one[3, 3] == 8
    assert two[9, 11] == 6
    assert one[8:12, 10:14].max() == two[2:6, 2:6].max() == 0
    np.testing.assert_array_equal(after.patterns[1], after.patterns[2])


def test_small_regions_are_dropped(draft) -> None:
    after, told = Split(least=17).refine(replace(draft, evidence=None))  # of 16, 16, 20 and 20 positions
    assert told["regions_dropped"] == 2
    assert after.n_components == 3


def test_regions_that_electrons_set_aside_do_not_show_are_dropped(draft) -> None:
    seen = iter(
        [np.array([-5.0, 2.0, 0.9, 1.1, -1.0]), np.full(5, -1.0), np.array([-2.0, -3.0, -1.0, -4.0, -2.0])]
    )
    draft = replace(draft, evidence=lambda now: next(seen))
    after, told = Split().refine(draft)
    assert told == {"before": 4, "after": 3, "regions_dropped": 0, "judged": 4}
    whole, _ = Split().refine(replace(draft, evidence=None))
    np.testing.assert_array_equal(after.maps, whole.maps[[0, 1, 3]])  # the spared one is asked nothing
    assert Split().refine(draft)[0].n_components == 1  # but for the spared one nothing has to stay
    assert Split(shown=-9).refine(replace(draft, spared=0))[0].n_components == 5


def test_where_nothing_is_shown_the_clearest_region_stays(draft) -> None:
    found = np.array([-2.0, -3.0, -1.0, -4.0, -2.0, -9.0])
    draft = replace(draft, spared=0, evidence=lambda now: found[: now.n_components])
    after, told = Split().refine(draft)
    assert (after.n_components, told["after"]) == (1, 1)
    np.testing.assert_array_equal(after.maps[0], Split().refine(replace(draft, evidence=None))[0].maps[2])


def test_duplicates_are_joined(draft) -> None:
    after, told = Merge().refine(draft)
    assert told == {"before": 4, "after": 3}
    before = np.tensordot(draft.maps[2:], draft.patterns[2:], (0, 0))
    np.testing.assert_allclose(np.multiply.outer(after.maps[2], after.patterns[2]), before, rtol=1e-12)


def test_same_pattern_elsewhere_is_not_joined(draft) -> None:
    split, _ = Split().refine(draft)
    after, _ = Merge().refine(split)
    assert after.n_components == 4  # the matrix, two places of one pattern, the joined pair


def test_what_is_not_significant_is_left_out(draft) -> None:
    draft = replace(draft, spared=0, evidence=lambda _: np.array([30.0, 3.9, 20.0, 2.1]))
    after, told = Prune(4.0).refine(draft)
    assert told["significance"] == [30.0, 20.0]
    np.testing.assert_array_equal(after.maps, draft.maps[[0, 2]])


def test_what_is_small_beside_the_others_is_left_out(draft) -> None:
    draft = replace(draft, spared=0, evidence=lambda _: np.array([100.0, 200.0, 90.0, 10.0]))
    assert Prune(relative=0.12).refine(draft)[0].n_components == 3
    assert Prune(relative=0.0).refine(draft)[0].n_components == 4


def test_nothing_significant_leaves_the_strongest(draft) -> None:
    draft = replace(draft, spared=0, evidence=lambda _: np.array([1.0, 0.5, 2.0, -1.0]))
    after, told = Prune().refine(draft)
    assert told["significance"] == [2.0]
    np.testing.assert_array_equal(after.maps[0], draft.maps[2])


def test_without_counts_set_aside_nothing_is_pruned_and_this_is_told(draft) -> None:
    after, told = Prune().refine(replace(draft, evidence=None))
    assert after.n_components == 4
    assert "not counts" in told["not_done"]


@pytest.mark.parametrize(
    "make",
    [lambda: Split(level=1), lambda: Merge(cosine=0), lambda: Merge(relative=1), lambda: Prune(held_out=1)],
)
def test_settings_out_of_range_are_refused(make) -> None:
    with pytest.raises(InputError):
        make()


def test_electrons_set_aside_decide_what_is_joined(draft) -> None:
    class Never:
        def __call__(self, now):
            return np.full(now.n_components, 9.0)

        def apart(self, now, pairs):
            return np.full(len(pairs), 3.6)

    assert Merge(apart=3.5).refine(replace(draft, evidence=Never()))[0].n_components == 4
    assert Merge(apart=3.7).refine(replace(draft, evidence=Never()))[0].n_components == 3
    # what strong components leave of themselves is apart as well, but little beside them
    assert Merge(relative=0.3).refine(replace(draft, evidence=Never()))[0].n_components == 4
    assert Merge(relative=0.5).refine(replace(draft, evidence=Never()))[0].n_components == 3
    patterns = draft.z_patterns.copy()
    patterns[3] += 3 * patterns[1]  # mostly another thing
    unlike = replace(draft, z_patterns=patterns)
    assert Merge(relative=0.5).refine(replace(unlike, evidence=Never()))[0].n_components == 4
    # without them the cosine does
    assert Merge(apart=0).refine(replace(draft, evidence=None))[0].n_components == 3
