"""Consensus of restarts against runs that are known: the same, other, one more, one less."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from unmixel import NMF, Resolution, Sparse, SpotShape
from unmixel.core.errors import InputError
from unmixel.factorize.refinements.consensus import Consensus
from unmixel.factorize.refinements.merge import Merge
from unmixel.factorize.refinements.prune import Prune
from unmixel.factorize.refinements.split import Split
from unmixel.testing import phantoms
from unmixel.testing.refinements import RefinementLaws


@pytest.fixture
def draft():
    """A matrix, which is spared, one pattern in two places, and another one; all of them clear."""
    whole = RefinementLaws(Split()).draft()
    apart = Merge().refine(Split().refine(whole)[0])[0]
    return replace(apart, evidence=lambda now: np.full(now.n_components, 9.0))


def begun_as(draft, *others):
    """Return the draft whose restarts give some of its components, in an order and at a scale of their own."""

    def again(start, share, number):
        components, scale = others[number - 1]
        problem = replace(draft.problem, n_components=len(components))
        sides = (replace(side, n_components=len(components)) for side in (problem.maps, problem.patterns))
        maps, patterns = sides
        other = replace(draft.only(components), problem=replace(problem, maps=maps, patterns=patterns))
        return replace(other, z_maps=other.z_maps * scale, z_patterns=other.z_patterns / scale)

    return replace(draft, course=SimpleNamespace(again=again))


def models(draft):
    """Return what each component explains, shape (k, n, m)."""
    k = draft.n_components
    return np.einsum("kn,km->knm", draft.maps.reshape(k, -1), draft.patterns.reshape(k, -1))


def test_runs_that_agree_change_nothing(draft) -> None:
    same = begun_as(draft, ([0, 3, 1, 2], 7.0), ([0, 2, 3, 1], 0.1))
    after, told = Consensus(restarts=(1, 1)).refine(same)
    np.testing.assert_allclose(models(after), models(draft), rtol=1e-12)
    assert (told["runs"], told["added"], told["agreement"]) == (3, 0, [3, 3, 3, 3])
    np.testing.assert_array_equal(after.agreement, told["agreement"])


def test_the_order_of_the_restarts_does_not_matter(draft) -> None:
    runs = ([0, 3, 1], 7.0), ([0, 2], 0.1), ([0, 1, 2], 2.0)
    results = [Consensus(restarts=(1, 1, 1)).refine(begun_as(draft, *order)) for order in (runs, runs[::-1])]
    np.testing.assert_allclose(models(results[0][0]), models(results[1][0]), rtol=1e-12)
    assert results[0][1] == results[1][1]


def test_what_is_the_same_is_averaged_at_equal_scale(draft) -> None:
    def again(start, share, number):
        brighter = draft.z_maps * np.array([1.0, 1.5, 1.0, 1.0])[:, None, None]
        return replace(draft, z_maps=50.0 * brighter, z_patterns=draft.z_patterns / 50.0)

    after, _ = Consensus(restarts=(1,)).refine(replace(draft, course=SimpleNamespace(again=again)))
    gain = models(after).sum(axis=(1, 2)) / models(draft).sum(axis=(1, 2))
    np.testing.assert_allclose(gain, [1.0, 1.25, 1.0, 1.0], rtol=1e-12)


def test_what_the_first_run_missed_is_added(draft) -> None:
    first = begun_as(draft, ([0, 2], 1.0)).course.again(None, 1, 1)
    first = replace(first, course=begun_as(draft, ([0, 1], 3.0), ([1, 3, 0], 1.0)).course)
    after, told = Consensus(restarts=(1, 1)).refine(first)
    assert (told["before"], told["after"], told["added"]) == (2, 4, 2)
    assert told["agreement"] == [3, 1, 2, 1]
    np.testing.assert_allclose(models(after), models(draft)[[0, 2, 1, 3]], rtol=1e-12)


def showing(draft, *scores):
    """Return the draft in whose counts set aside the components of each run, one after another, show so strongly."""
    calls = iter(scores)
    return replace(draft, evidence=lambda _: np.array(next(calls)))


def test_what_only_one_run_found_has_to_be_clear(draft) -> None:
    runs = begun_as(draft, ([0, 1, 2], 1.0)).course.again(None, 1, 1)
    runs = replace(runs, course=begun_as(draft, ([0, 2, 3], 1.0)).course)
    for mine, other, wanted in ((4.0, 4.0, [2, 1, 2, 1]), (3.9, 4.0, [2, 2, 1]), (3.9, 3.9, [2, 2])):
        told = Consensus().refine(showing(runs, [90.0, mine, 19.0], [90.0, 20.0, other]))[1]
        assert told["agreement"] == wanted
    told = Consensus(lone=0.0).refine(showing(runs, [90.0, 0.1, 19.0], [90.0, 20.0, 0.1]))[1]
    assert told["agreement"] == [2, 1, 2, 1]


def test_nothing_is_added_where_the_first_run_has_something(draft) -> None:
    def again(start, share, number):
        return replace(draft, z_patterns=draft.z_patterns[:, ::-1, ::-1])

    other = replace(draft, course=SimpleNamespace(again=again))
    told = Consensus(cosine=0.999).refine(other)[1]
    assert (told["added"], told["agreement"]) == (0, [1, 1, 1, 1])


def test_without_counts_set_aside_nothing_is_added_and_nothing_left_out(draft) -> None:
    runs = begun_as(draft, ([0, 1, 2], 1.0)).course.again(None, 1, 1)
    runs = replace(runs, evidence=None, course=begun_as(draft, ([0, 2, 3], 1.0)).course)
    after, told = Consensus().refine(runs)
    assert told["agreement"] == [2, 1, 2]
    assert told["added"] == 0
    assert after.n_components == 3


def test_another_matrix_is_no_particle(draft) -> None:
    other = begun_as(draft, ([0, 1, 2, 3], 1.0)).course.again(None, 1, 1)
    mirrored = other.z_patterns.copy()
    mirrored[0] = mirrored[0, ::-1, ::-1]
    runs = replace(draft, course=SimpleNamespace(again=lambda *_: replace(other, z_patterns=mirrored)))
    assert Consensus(cosine=0.999).refine(runs)[1]["agreement"] == [1, 2, 2, 2]


def test_agreement_goes_with_the_components(draft) -> None:
    draft = replace(draft, agreement=np.array([4, 3, 2, 1]))
    whole = replace(RefinementLaws(Split()).draft(evidence=False), agreement=draft.agreement)
    assert Split(grow=1).refine(whole)[0].agreement.tolist() == [4, 3, 3, 2, 1]
    assert Merge().refine(whole)[0].agreement.tolist() == [4, 3, 2]
    assert draft.only([2, 0]).agreement.tolist() == [2, 4]
    assert draft.of(list(draft.z_maps), list(draft.z_patterns)).agreement is None


def test_what_cannot_be_begun_again_is_told(draft) -> None:
    after, told = Consensus().refine(replace(draft, course=None))
    assert after.n_components == 4
    assert "not_done" in told


@pytest.mark.parametrize("start", ["given", "nowhere"])
def test_starts_that_cannot_be_made_are_refused(start) -> None:
    with pytest.raises(InputError):
        Consensus(start=start)


@pytest.mark.parametrize(
    "wrong",
    [{"restarts": ()}, {"restarts": (0,)}, {"lone": -1}, {"held_out": 1}, {"cosine": 2}, {"overlap": -1}],
)
def test_settings_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(InputError):
        Consensus(**wrong)


def test_a_fit_tells_in_how_many_runs_each_component_was_found() -> None:
    scan, truth = phantoms.glass(scan=(26, 29), detector=(40, 36), precipitates=2, dose=10_000, seed=3)
    used = phantoms.yardstick_pixels(truth)
    mean = np.asarray(scan.data, float).mean((0, 1))
    scan = replace(scan, pixel_weights=np.where(used, 1 / np.maximum(mean, 1e-3), 0.0))
    model = NMF(
        12,
        constraints=(
            Resolution(2.3548 * truth.probe_sigma),
            SpotShape(truth.spot_sigma),
            Sparse(2.0, spare=1),
        ),
        refine=(Split(), Merge(), Consensus(restarts=(1, 1)), Merge(0.75), Prune()),
    )
    states = []
    found = model.factorize(scan, on_sweep=states.append)
    agreement, told = found.settings["agreement"], found.settings["refinements"]
    assert [done["step"] for done in told] == ["split", "merge", "consensus", "merge", "prune"]
    assert told[2]["runs"] == 3
    assert len(agreement) == found.n_components == 3
    assert sorted(agreement) == sorted(told[-1]["agreement"])
    assert agreement == [3, 3, 3]
    again = model.factorize(scan, resume=states[-1])
    assert again.settings["agreement"] == agreement
