"""Rings of crystals are where their lattices put them."""

from __future__ import annotations

import numpy as np

from unmixel.physics.crystal import Crystal
from unmixel.physics.families import families
from unmixel.testing.crystals import zirconium_alloys

COPPER = Crystal.face_centred("Cu", 3.615)


def test_a_face_centred_crystal_has_indices_all_even_or_all_odd() -> None:
    found = families(COPPER, 1.6)
    squares = np.sum(found.hkl**2, axis=1)
    np.testing.assert_allclose(found.g, np.sqrt(squares) / 3.615)
    assert squares[:9].tolist() == [3, 4, 8, 11, 12, 16, 19, 20, 24]
    assert found.multiplicity[:9].tolist() == [8, 6, 12, 24, 8, 6, 24, 24, 24]


def test_rings_hold_all_reflections_and_their_intensity() -> None:
    for crystal in zirconium_alloys():
        every = crystal.reflections(1.2)
        found = families(crystal, 1.2)
        assert found.multiplicity.sum() == np.sum(~every.forbidden)
        np.testing.assert_allclose(found.intensity.sum(), every.intensity[~every.forbidden].sum())
        assert np.all(np.diff(found.g) > 0)


def test_weak_rings_are_left_out_and_a_short_reach_has_none() -> None:
    heusler = zirconium_alloys()[2]
    whole, strong = families(heusler, 1.2), families(heusler, 1.2, least=0.05)
    assert 0 < len(strong) < len(whole)
    assert set(strong.g) < set(whole.g)
    assert len(families(COPPER, 0.1)) == 0
