"""Mixed components: shares and rotations of what was mixed come back, and what no group explains is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from interpret_phantoms import beam_mask, halo, make_factors, middle, pattern_axes, scan_axes, spots

from unmixel.core.errors import InputError
from unmixel.dataset.results import Groups
from unmixel.interpret.cluster import RotationClusterer
from unmixel.interpret.memberships import memberships
from unmixel.testing.clusterers import diffraction_factors

SHAPE = (56, 50)
USED = beam_mask(SHAPE)


def shape_of(kind, degrees=0.0, share=0.4):
    rings = halo(shape=SHAPE) * USED
    if kind < 0:
        return rings / rings.sum()
    lattice = spots(kind, degrees, shape=SHAPE) * USED
    return share * lattice / lattice.sum() + (1 - share) * rings / rings.sum()


def groups_of(patterns, crystalline):
    n = len(patterns)
    return Groups(
        labels=np.arange(n),
        distance=1.0 - np.eye(n),
        rotation_deg=np.zeros(n),
        linkage=np.zeros((n - 1, 4)),
        cut=0.5,
        cut_reason="made up",
        patterns=np.array(patterns),
        maps=np.ones((n, 2, 2)),
        center=middle(SHAPE),
        crystalline=np.asarray(crystalline),
        scan_axes=scan_axes((2, 2)),
        pattern_axes=pattern_axes(SHAPE),
        used_pixels=np.repeat(USED[None], n, axis=0),
    )


GROUPS = groups_of([shape_of(0), shape_of(1), shape_of(-1)], [True, True, False])


def mixed(share, electrons, n=6, seed=0):
    """Return factors that mix both lattices in so many rotations, and these rotations."""
    rng = np.random.default_rng(seed)
    one, two = rng.uniform(0, 90, n), rng.uniform(0, 60, n)
    patterns = [share * shape_of(0, a) + (1 - share) * shape_of(1, b) for a, b in zip(one, two, strict=True)]
    if electrons:
        patterns = [rng.poisson(electrons * pattern) / electrons for pattern in patterns]
    return make_factors(patterns, used=USED, axes=pattern_axes(SHAPE)), one, two


# measured: at most 0.01 off without noise, 0.03 with 40,000 counts
@pytest.mark.parametrize(("electrons", "most"), [(0, 0.02), (1_000_000, 0.02), (40_000, 0.05)])
@pytest.mark.parametrize("share", [0.7, 0.5, 0.9])
def test_shares_and_rotations_of_a_mixture_come_back(share, electrons, most) -> None:
    factors, one, two = mixed(share, electrons)
    found = memberships(factors, GROUPS)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0)
    assert found.weights.min() >= 0
    np.testing.assert_allclose(found.weights[:, 0], share, atol=most)
    np.testing.assert_allclose(found.weights[:, 1], 1 - share, atol=most)
    np.testing.assert_allclose(found.weights[:, 2], 0.0, atol=most)
    if share < 0.9:
        for group, true, period in ((0, one, 90.0), (1, two, 60.0)):
            error = (found.rotation_deg[:, group] - true + period / 2) % period - period / 2
            assert np.abs(error).max() < 1.0


def test_a_halo_is_told_from_crystals_in_it() -> None:
    bare = groups_of([shape_of(0, share=1.0), shape_of(1, share=1.0), shape_of(-1)], [True, True, False])
    pattern = 0.5 * shape_of(0, 20.0, 1.0) + 0.2 * shape_of(1, 11.0, 1.0) + 0.3 * shape_of(-1)
    found = memberships(make_factors([pattern], used=USED, axes=pattern_axes(SHAPE)), bare)
    np.testing.assert_allclose(found.weights[0], [0.5, 0.2, 0.3, 0.0], atol=0.03)


def test_what_no_group_explains_is_said() -> None:
    strange = [shape_of(2, 33.0, share) for share in (0.1, 0.4, 0.8)]
    found = memberships(make_factors(strange, used=USED, axes=pattern_axes(SHAPE)), GROUPS)
    assert np.all(np.diff(found.unexplained) > 0.1)
    assert found.unexplained[2] > 0.5
    known = memberships(make_factors([shape_of(0, 5.0)], used=USED, axes=pattern_axes(SHAPE)), GROUPS)
    assert known.unexplained[0] < 0.02


def test_members_of_a_group_belong_to_it_in_their_rotation() -> None:
    factors = diffraction_factors()
    groups = RotationClusterer().group(factors, seed=0)
    found = memberships(factors, groups)
    assert found.weights[:, :-1].argmax(axis=1).tolist() == groups.labels.tolist()
    assert found.weights[np.arange(8), groups.labels].min() > 0.9
    own = found.rotation_deg[np.arange(6), groups.labels[:6]]
    period = np.array([90.0, 60.0, 180.0] * 2)
    assert np.abs((own - groups.rotation_deg[:6] + period / 2) % period - period / 2).max() < 0.5
    assert np.all(found.rotation_deg[:, ~groups.crystalline] == 0)


def test_scale_does_not_matter_and_input_is_left_alone() -> None:
    factors, _, _ = mixed(0.7, 100_000, n=2)
    before = factors.patterns.copy()
    one, other = (
        memberships(factors, GROUPS),
        memberships(replace(factors, patterns=factors.patterns * 50), GROUPS),
    )
    np.testing.assert_allclose(one.weights, other.weights, atol=1e-6)
    np.testing.assert_array_equal(factors.patterns, before)


def test_an_empty_component_is_not_explained() -> None:
    factors = make_factors([np.zeros(SHAPE), shape_of(0)], used=USED, axes=pattern_axes(SHAPE))
    assert memberships(factors, GROUPS).weights[0].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_what_does_not_fit_is_refused() -> None:
    factors, _, _ = mixed(0.7, 0, n=1)
    with pytest.raises(InputError, match="memberships"):
        memberships(factors, replace(GROUPS, center=()))
    with pytest.raises(InputError, match="memberships"):
        memberships(replace(factors, patterns=np.ones((1, 9, 9))), GROUPS)
    with pytest.raises(InputError, match="used pixels"):
        memberships(replace(factors, used_pixels=np.zeros(SHAPE, bool)), GROUPS)
