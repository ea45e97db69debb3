"""How far components belong to groups."""

from __future__ import annotations

import numpy as np
import pytest
from interpret_phantoms import beam_mask, halo, make_factors, spots

from unmixel.interpret.cluster import RotationClusterer
from unmixel.interpret.membership import memberships

USED = beam_mask((64, 64))


def grouped(patterns):
    return RotationClusterer().group(make_factors(patterns, used=USED), seed=0)


def test_memberships_sum_to_one_and_pure_ones_belong_to_one() -> None:
    groups = grouped([spots(k, angle) for k in (0, 1, 2) for angle in (5.0, 40.0)] + [halo()])
    assert groups.membership.shape == (7, groups.n_groups)
    np.testing.assert_allclose(groups.membership.sum(axis=1), 1.0)
    assert groups.membership.min() >= 0
    np.testing.assert_array_equal(groups.membership.argmax(axis=1), groups.labels)
    assert np.median(groups.membership.max(axis=1)) > 0.9


@pytest.mark.parametrize(("one", "other"), [(0, 1), (0, 2), (1, 2)])
def test_a_mixture_has_parts_of_what_it_is_made_of(one, other) -> None:
    third = ({0, 1, 2} - {one, other}).pop()
    pure = [spots(k, angle) for k in (one, other, third) for angle in (5.0, 25.0, 40.0)]
    parts = [spots(one, 70.0), spots(other, 61.0)]
    mixed = sum(part / part.sum() for part in parts)
    groups = grouped([*pure, mixed])
    shares = groups.membership[-1]
    made_of, foreign = groups.labels[[0, 3]], groups.labels[6]
    assert shares[made_of].sum() > 0.25
    assert shares[foreign] < shares[made_of].max()


def test_what_explains_a_mixture_is_taken_off_part_by_part() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 5, 360))
    mixed = np.roll(one, 77, axis=1) + 0.8 * np.roll(other, 200, axis=1)
    found = memberships(np.stack([one, other, mixed]), np.arange(3), np.arange(3))[2]
    energies = np.array([np.vdot(one, one), 0.64 * np.vdot(other, other)]) / np.vdot(mixed, mixed)
    assert found[:2] == pytest.approx(energies, abs=0.05)


def test_rings_belong_to_their_group_alone() -> None:
    groups = grouped([halo(), halo(ring=19.0)])
    np.testing.assert_array_equal(groups.membership, np.eye(2))
