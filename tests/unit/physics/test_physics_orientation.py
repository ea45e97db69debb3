"""Orientations give back the spots they came from; Euler angles, twins and mirrors keep their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from unmixel.core.errors import InputError
from unmixel.physics.kinematic import excitation, frame, spot_pattern, zero_layer
from unmixel.physics.orientation import (
    MIRROR,
    bunge_deg,
    friedel_twin,
    from_bunge_deg,
    orientation,
    turned,
)
from unmixel.physics.wavelength import wavelength
from unmixel.testing.crystals import View, zirconium_alloys

CRYSTALS = {crystal.name: crystal for crystal in zirconium_alloys()}
REFLECTIONS = {name: CRYSTALS[name].reflections(1.0) for name in ("CuZr", "Zr", "CuZr2")}
ANGLES = st.floats(-180, 180)
AXES = st.sampled_from([(0, 0, 1), (1, 1, 0), (1, 1, 1), (1, 2, 3), (-1, 0, 2)])


def random_orientations(n: int, seed: int = 0) -> np.ndarray:
    return Rotation.random(n, random_state=seed).as_matrix()


def spots(crystal, matrix):
    found = spot_pattern(crystal, matrix, reach=1.0, least=0.0)
    return {
        tuple(h): (v, u, i) for h, (v, u), i in zip(found.hkl.tolist(), found.g, found.intensity, strict=True)
    }


@settings(max_examples=15, deadline=None)
@given(AXES, ANGLES, st.tuples(st.floats(-3, 3), st.floats(-3, 3)), st.sampled_from(["CuZr", "Zr", "CuZr2"]))
def test_reflections_of_the_zone_lie_where_they_were_and_are_as_excited(axis, rotation, tilt, name) -> None:
    """Excitation errors are those of `excitation` exactly; places differ by g tilt^2 / 2 at most."""
    crystal, reflections = CRYSTALS[name], REFLECTIONS[name]
    matrix = orientation(crystal, axis, rotation_deg=rotation, tilt_deg=tilt)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    zone = zero_layer(crystal, axis, reflections)
    turned_g = (zone.hkl @ crystal.reciprocal) @ matrix.T
    length2 = np.sum(zone.g**2, axis=1)
    error = -turned_g[:, 2] - wavelength(300.0) * length2 / 2
    wanted = np.deg2rad(tilt) @ zone.g.T - wavelength(300.0) * length2 / 2
    np.testing.assert_allclose(error, wanted, atol=1e-12)
    np.testing.assert_allclose(
        np.sinc(70.0 * error) ** 2,
        excitation(zone.g, np.array(tilt), voltage_kV=300.0, thickness=70.0),
        atol=1e-9,
    )
    z = (zone.g[:, 1] - 1j * zone.g[:, 0]) * np.exp(1j * np.deg2rad(rotation))
    found = turned_g[:, 0] + 1j * turned_g[:, 1]
    assert np.all(np.abs(found - z) <= np.sqrt(length2) * np.sum(np.deg2rad(tilt) ** 2) * 0.51 + 1e-9)


@pytest.mark.parametrize("axis", [(0, 0, 1), (1, 1, 1), (1, 2, 3)])
def test_orientation_is_that_of_the_view(axis) -> None:
    """`View` turns step by step: about what lies to the right, up, and then in the plane."""
    for name in ("CuZr", "Zr"):
        crystal = CRYSTALS[name]
        for tilt in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
            truth = View(rotation_deg=37.0, tilt_deg=tilt).orientation(crystal, axis)
            # a view turns the frame about what lies to the right by the negative of its tilt, and so on
            found = orientation(crystal, axis, rotation_deg=37.0, tilt_deg=(-tilt[0], -tilt[1]))
            # the sine of the tilt is taken for the tilt: 1e-6 at one degree
            np.testing.assert_allclose(found, truth, atol=2e-6)


def test_without_tilt_it_is_the_frame() -> None:
    crystal = CRYSTALS["ZrO2"]
    np.testing.assert_allclose(orientation(crystal, (1, 1, 2)), frame(crystal, (1, 1, 2)), atol=1e-12)


@given(st.tuples(st.floats(0, 359), st.floats(0.01, 179.9), st.floats(0, 359)))
@settings(max_examples=40, deadline=None)
def test_euler_angles_come_back(angles) -> None:
    back = bunge_deg(from_bunge_deg(list(angles)))
    difference = (back - angles + 180) % 360 - 180
    np.testing.assert_allclose(difference, 0, atol=1e-6)


def test_euler_angles_are_those_of_bunge() -> None:
    """g = Z(phi2) X(Phi) Z(phi1) as Bunge (1982) writes it out."""
    p1, p, p2 = np.deg2rad([25.0, 40.0, 70.0])
    c1, s1, c, s, c2, s2 = np.cos(p1), np.sin(p1), np.cos(p), np.sin(p), np.cos(p2), np.sin(p2)
    g = np.array(
        [
            [c1 * c2 - s1 * s2 * c, s1 * c2 + c1 * s2 * c, s2 * s],
            [-c1 * s2 - s1 * c2 * c, -s1 * s2 + c1 * c2 * c, c2 * s],
            [s1 * s, -c1 * s, c],
        ]
    )
    np.testing.assert_allclose(from_bunge_deg([25.0, 40.0, 70.0]).T, g, atol=1e-12)


@pytest.mark.parametrize(
    ("angles", "wanted"),
    [
        ((30.0, 0.0, 40.0), (70.0, 0.0, 0.0)),
        ((30.0, 180.0, 40.0), (350.0, 180.0, 0.0)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_degenerate_euler_angles_put_all_into_the_first(angles, wanted) -> None:
    np.testing.assert_allclose(bunge_deg(from_bunge_deg(list(angles))), wanted, atol=1e-6)


def test_shapes_are_kept_and_nan_stays() -> None:
    some = random_orientations(6).reshape(2, 3, 3, 3)
    some[1, 2] = np.nan
    found = bunge_deg(some)
    assert found.shape == (2, 3, 3)
    assert np.isnan(found[1, 2]).all()
    assert np.isfinite(found[0]).all()
    assert turned(some, np.zeros((2, 3))).shape == some.shape


def test_turning_is_counter_clockwise_as_displayed() -> None:
    crystal = CRYSTALS["CuZr"]
    before = orientation(crystal, (0, 0, 1), tilt_deg=(1.0, 0.5))
    one, two = spots(crystal, before), spots(crystal, turned(before, 25.0))
    assert one.keys() == two.keys()
    for hkl, (v, u, strength) in one.items():
        assert (two[hkl][1] - 1j * two[hkl][0]) == pytest.approx((u - 1j * v) * np.exp(1j * np.deg2rad(25)))
        assert two[hkl][2] == pytest.approx(strength)


def test_mirror_mirrors_the_pattern_with_its_intensities() -> None:
    crystal = CRYSTALS["CuZr2"]
    matrix = orientation(crystal, (1, 0, 0), rotation_deg=20.0, tilt_deg=(1.5, -1.0))
    one, two = spots(crystal, matrix), spots(crystal, MIRROR @ matrix)
    for hkl, (v, u, strength) in one.items():
        other = two[tuple(-i for i in hkl)]
        np.testing.assert_allclose(other, (-v, u, strength), atol=1e-9)


def test_twins_have_the_same_zero_layer_pattern() -> None:
    crystal = CRYSTALS["CuZr"]
    axis = (1, 1, 1)
    matrix = orientation(crystal, axis, rotation_deg=20.0, tilt_deg=(1.5, -1.0))
    twin = friedel_twin(matrix, np.array(axis) @ crystal.direct)
    one, two = spots(crystal, matrix), spots(crystal, twin)
    for hkl, spot in one.items():
        if np.dot(hkl, axis) == 0:
            np.testing.assert_allclose(two[tuple(-i for i in hkl)], spot, atol=1e-9)
    np.testing.assert_allclose(friedel_twin(twin, np.array(axis) @ crystal.direct), matrix, atol=1e-9)
    np.testing.assert_array_equal(friedel_twin(matrix, np.zeros(3)), matrix)


@pytest.mark.parametrize("bad", [{"tilt_deg": (60.0, 0.0)}, {"rotation_deg": np.nan}, {"axis": (0, 0, 0)}])
def test_what_is_no_orientation_is_refused(bad) -> None:
    with pytest.raises(InputError, match="zone axis"):
        orientation(CRYSTALS["Cu"], **({"axis": (0, 0, 1)} | bad))
