"""Distortions: what is undone can be put back, and every term does what its name says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.calibration import Calibration
from unmixel.dataset.distortion import TERMS, Distortion, basis, coefficients_of
from unmixel.dataset.lens import Lens

SMALL = st.lists(st.floats(-0.02, 0.02), min_size=8, max_size=8)
PLACES = np.random.default_rng(0).uniform(-1.4, 1.4, (20, 2))


@settings(max_examples=25)
@given(SMALL)
def test_what_is_applied_is_undone(values):
    lens = Distortion.of(np.array(values))
    np.testing.assert_allclose(lens.undone(lens.applied(PLACES)), PLACES, atol=1e-9)


@settings(max_examples=25)
@given(SMALL)
def test_the_slope_is_the_derivative(values):
    lens, h = Distortion.of(np.array(values)), 1e-6
    slope = [(lens.undone(PLACES + h * e) - lens.undone(PLACES - h * e)) / (2 * h) for e in np.eye(2)]
    np.testing.assert_allclose(lens.slope(PLACES), np.stack(slope, axis=-1), atol=1e-8)


def test_coefficients_go_there_and_back_and_terms_are_those_that_are_not_zero():
    values = np.array([0.1, 0.2, 0.0, 0.0, 0.0, 0.3, 0.0, 0.4])
    lens = Distortion.of(values)
    np.testing.assert_array_equal(lens.coefficients, values)
    assert lens.terms == ("perspective", "threefold", "spiral")
    assert bool(lens)
    assert not Distortion()
    assert Distortion().words() == "none"
    assert "spiral +0.4000 angstrom^2" in lens.words()
    assert coefficients_of(TERMS) == tuple(range(8))


def test_terms_of_second_order_are_even_and_those_of_third_are_odd():
    there, back = basis(PLACES), basis(-PLACES)
    np.testing.assert_allclose(there[..., :6], back[..., :6])
    np.testing.assert_allclose(there[..., 6:], -back[..., 6:])


def test_barrel_and_perspective_move_along_the_radius_and_spiral_across():
    added = basis(PLACES)
    cross = PLACES[:, 0, None] * added[:, 1] - PLACES[:, 1, None] * added[:, 0]
    along = np.einsum("ni,nic->nc", PLACES, added)
    np.testing.assert_allclose(cross[:, [0, 1, 6]], 0, atol=1e-12)
    np.testing.assert_allclose(along[:, 7], 0, atol=1e-12)


def test_each_term_turns_with_the_pattern_as_its_harmonic_says():
    turn = np.deg2rad(30)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    before, after = basis(PLACES), basis(PLACES @ rotation.T)
    for name, part in TERMS.items():
        seen = np.einsum("ij,njc->nic", rotation, before[..., part])
        if name in ("barrel", "spiral"):
            np.testing.assert_allclose(after[..., part], seen, atol=1e-12)
        else:
            angle = {"perspective": turn, "decentering": turn, "threefold": 3 * turn}[name]
            back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            np.testing.assert_allclose(np.einsum("nic,cd->nid", after[..., part], back), seen, atol=1e-12)


def test_a_calibration_with_a_distortion_takes_places_there_and_back():
    where = Calibration((10.0, 12.0), ((0.02, 0.001), (0.0, 0.021)), Distortion(barrel=0.05))
    place = np.random.default_rng(1).uniform(0, 60, (9, 2))
    np.testing.assert_allclose(where.place(where.g(place)), place, atol=1e-7)
    assert where.stretched((0.01, 0.0)).distortion == where.distortion
    assert not np.allclose(where.g(place), where.affine(place))


@pytest.mark.parametrize(
    "values", [{"terms": ("cushion",)}, {"terms": "barrel"}, {"stretch": 0.0}, {"center": -1.0}]
)
def test_a_lens_says_what_it_takes(values):
    with pytest.raises(InputError, match="Lens"):
        Lens(**values)
