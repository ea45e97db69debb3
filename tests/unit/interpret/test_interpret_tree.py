"""Linkage, cut, order of groups, and the gap that parts similar phases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_phantoms import few

from unmixel.interpret.tree import average_linkage, gap, grouped, one_crystal, strongest


@few
@given(st.integers(1, 12), st.integers(0, 10_000), st.floats(0.05, 0.95))
def test_groups_are_sorted_and_complete(k, seed, cut) -> None:
    rng = np.random.default_rng(seed)
    distance = rng.random((k, k))
    distance = (distance + distance.T) / 2 * (1 - np.eye(k))
    strengths = rng.random(k)
    labels = grouped(average_linkage(distance), cut, strengths=strengths)
    total = np.bincount(labels, weights=strengths)
    assert sorted(set(labels.tolist())) == list(range(len(total)))
    assert np.all(np.diff(total) <= 0)
    heads = strongest(labels, strengths)
    assert np.array_equal(labels[heads], np.arange(len(total)))


def test_a_branch_at_the_cut_is_parted() -> None:
    distance = np.array([[0, 0.3], [0.3, 0]])
    tree = average_linkage(distance)
    assert grouped(tree, 0.3, strengths=np.ones(2)).tolist() == [0, 1]
    assert grouped(tree, 0.31, strengths=np.ones(2)).tolist() == [0, 0]


def family(sizes, within, between, scatter=0.01):
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(len(sizes)), sizes)
    distance = np.where(label[:, None] == label[None, :], within, between)
    distance = distance + scatter * rng.random(distance.shape)
    return (distance + distance.T) / 2 * (1 - np.eye(len(label)))


def test_gap_parts_similar_phases() -> None:
    distance = family((4, 5), 0.01, 0.16)
    low, high = gap(distance, 0.3, one_crystal=np.zeros((9, 9), bool))
    assert low < 0.03
    assert high == pytest.approx(0.165, abs=0.01)


@pytest.mark.parametrize(
    ("sizes", "within", "between", "limit"),
    [
        ((4, 5), 0.01, 0.16, 0.1),  # parted by the limit already
        ((4, 5), 0.08, 0.16, 0.3),  # upper end not three times the lower one
        ((4, 5), 0.01, 0.04, 0.3),  # narrow
        ((2, 1, 1, 1, 1), 0.01, 0.16, 0.3),  # most patterns have no partner below
        ((1, 1), 0.0, 0.16, 0.3),
    ],
)
def test_no_gap(sizes, within, between, limit) -> None:
    n = sum(sizes)
    assert gap(family(sizes, within, between), limit, one_crystal=np.zeros((n, n), bool)) is None


def test_parts_of_one_crystal_make_no_gap() -> None:
    label = np.repeat(np.arange(4), 2)
    parts = label[:, None] == label[None, :]
    distance = family((2, 2, 2, 2), 0.01, 0.16)
    assert gap(distance, 0.3, one_crystal=parts) is None
    assert gap(distance, 0.3, one_crystal=np.zeros((8, 8), bool)) is not None


def test_one_crystal_needs_no_turning() -> None:
    distance = np.array([[0, 0.1, 0.1], [0.1, 0, 0.9], [0.1, 0.9, 0]])
    unturned = np.array([[0, 0.15, 0.8], [0.15, 0, 1.0], [0.8, 1.0, 0]])
    assert one_crystal(distance, unturned).tolist() == [
        [True, True, False],
        [True, True, False],
        [False, False, True],
    ]
