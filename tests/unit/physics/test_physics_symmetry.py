"""Laue groups of all classes, misorientations under them, and colours that do not tell equal directions apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from unmixel.core.errors import InputError
from unmixel.physics.crystal import Crystal, Site
from unmixel.physics.inverse_pole import colours, corners, direction_colours, in_sector, miller
from unmixel.physics.symmetry import (
    LAUE_CLASSES,
    Symmetry,
    fundamental,
    mean_orientation,
    misorientation,
    symmetry,
)

CELLS = {
    "-1": ("P -1", (3.0, 4.0, 5.0), (80.0, 95.0, 110.0), 1),
    "2/m": ("P 1 21/c 1", (5.1, 5.2, 5.3), (90.0, 99.0, 90.0), 2),
    "mmm": ("P n m a", (5.4, 7.6, 5.3), (90.0, 90.0, 90.0), 4),
    "4/m": ("I 41/a", (5.2, 5.2, 11.4), (90.0, 90.0, 90.0), 4),
    "4/mmm": ("I 4/m m m", (3.22, 3.22, 11.18), (90.0, 90.0, 90.0), 8),
    "-3": ("R -3", (5.5, 5.5, 14.0), (90.0, 90.0, 120.0), 3),
    "-3m": ("R -3 m", (4.5, 4.5, 11.8), (90.0, 90.0, 120.0), 6),
    "6/m": ("P 63/m", (9.4, 9.4, 6.9), (90.0, 90.0, 120.0), 6),
    "6/mmm": ("P 63/m m c", (3.232, 3.232, 5.147), (90.0, 90.0, 120.0), 12),
    "m-3": ("P a -3", (5.4, 5.4, 5.4), (90.0, 90.0, 90.0), 12),
    "m-3m": ("F m -3 m", (3.6, 3.6, 3.6), (90.0, 90.0, 90.0), 24),
}
KINDS = {laue: symmetry(*cell[:3]) for laue, cell in CELLS.items()}
# settings that do not lie along the usual axes
ODD = {
    "unique axis c": symmetry("P 1 1 2/m", (5.0, 6.0, 7.0), (90.0, 90.0, 100.0)),
    "rhombohedral": symmetry("R -3 m", (4.7, 4.7, 4.7), (57.0, 57.0, 57.0)),
    "P -3 1 m": symmetry("P -3 1 m", (5.0, 5.0, 7.0), (90.0, 90.0, 120.0)),
}
EVERY = {**KINDS, **ODD}
REFLECTED = ("mmm", "4/mmm", "6/mmm", "m-3m")


def random_directions(n: int, seed: int = 0) -> np.ndarray:
    some = np.random.default_rng(seed).standard_normal((n, 3))
    return some / np.linalg.norm(some, axis=1, keepdims=True)


@pytest.mark.parametrize("laue", LAUE_CLASSES)
def test_every_class_has_its_rotations(laue: str) -> None:
    kind = KINDS[laue]
    assert kind.laue == laue
    assert len(kind.rotations) == CELLS[laue][3]
    np.testing.assert_array_equal(kind.rotations[0], np.eye(3))


@pytest.mark.parametrize("name", list(EVERY))
def test_rotations_form_a_group_that_keeps_the_lattice(name: str) -> None:
    kind = EVERY[name]
    turns = kind.rotations
    np.testing.assert_allclose(np.linalg.det(turns), 1)
    products = (turns[:, None] @ turns[None]).reshape(-1, 1, 3, 3)
    assert np.abs(products - turns[None]).max(axis=(2, 3)).min(axis=1).max() < 1e-9
    # what a rotation makes of the axes of the cell is a lattice vector again
    indices = np.einsum("nij,kj->nki", turns, kind.direct) @ np.linalg.inv(kind.direct)
    centred = indices * 6  # lattices may be centred, but point operators keep the cell's own vectors whole
    np.testing.assert_allclose(centred, np.round(centred), atol=1e-6)
    np.testing.assert_allclose(kind.standard @ kind.standard.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(kind.standard) == pytest.approx(1)


def test_symmetry_is_that_of_the_intensities() -> None:
    """Operators map reflections of zirconium onto reflections that are as strong: the frame is that of `Crystal`."""
    sites = (Site("Zr", (1 / 3, 2 / 3, 0.25)), Site("Zr", (2 / 3, 1 / 3, 0.75)))
    crystal = Crystal("Zr", (3.232, 3.232, 5.147), (90.0, 90.0, 120.0), sites, "P 63/m m c")
    found = crystal.reflections(0.6)
    for turn in Symmetry.of(crystal).rotations:
        hkl = found.g @ turn.T @ np.linalg.inv(crystal.reciprocal)
        np.testing.assert_allclose(hkl, np.round(hkl), atol=1e-6)
        np.testing.assert_allclose(
            crystal.intensity(np.round(hkl).astype(int)), found.intensity, rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize("name", list(EVERY))
def test_misorientation_is_blind_to_symmetry(name: str) -> None:
    kind = EVERY[name]
    rng = np.random.default_rng(1)
    one, other = (Rotation.random(20, random_state=seed).as_matrix() for seed in (1, 2))
    plain = misorientation(one, other, kind)
    pick = [kind.rotations[rng.integers(len(kind.rotations), size=20)] for _ in range(2)]
    same = misorientation(one @ pick[0], other @ pick[1], kind)
    np.testing.assert_allclose(same.angle_deg, plain.angle_deg, atol=1e-6)
    np.testing.assert_allclose(misorientation(other, one, kind).angle_deg, plain.angle_deg, atol=1e-6)
    assert misorientation(one, one @ pick[0], kind).angle_deg.max() < 1e-5
    np.testing.assert_allclose(np.linalg.norm(plain.axis, axis=1), 1)


def test_misorientation_is_the_rotation_that_was_made() -> None:
    """A turn about a crystal axis below the limit of the class: that angle, about that axis."""
    axis = np.array([1.0, 1.0, 1.0]) / 3**0.5
    first = Rotation.random(5, random_state=0).as_matrix()
    turn = Rotation.from_rotvec(np.deg2rad(40.0) * axis).as_matrix()
    found = misorientation(first, first @ turn.T, KINDS["m-3m"])
    np.testing.assert_allclose(found.angle_deg, 40.0)
    np.testing.assert_allclose(np.abs(found.axis), 3**-0.5, atol=1e-9)


@pytest.mark.parametrize(
    ("laue", "limit"), [("m-3m", 62.80), ("6/mmm", 93.84), ("4/mmm", 98.42), ("mmm", 120.0)]
)
def test_no_two_crystals_differ_by_more_than_the_limit_of_their_class(laue: str, limit: float) -> None:
    one, other = (Rotation.random(20_000, random_state=seed).as_matrix() for seed in (3, 4))
    largest = misorientation(one, other, KINDS[laue]).angle_deg.max()
    assert limit - 4 < largest <= limit + 0.01


def test_random_cubic_crystals_differ_as_mackenzie_says() -> None:
    """The mean misorientation of random cubic crystals is 40.7 degrees (Mackenzie 1958)."""
    one, other = (Rotation.random(20_000, random_state=seed).as_matrix() for seed in (5, 6))
    assert misorientation(one, other, KINDS["m-3m"]).angle_deg.mean() == pytest.approx(40.74, abs=0.2)


def test_misorientation_of_nothing_is_nan_and_shapes_are_kept() -> None:
    some = np.tile(np.eye(3), (2, 3, 1, 1))
    some[0, 1] = np.nan
    found = misorientation(some, np.eye(3), KINDS["m-3m"])
    assert found.angle_deg.shape == (2, 3)
    assert found.axis.shape == (2, 3, 3)
    assert np.isnan(found.angle_deg[0, 1])
    assert np.isnan(found.axis[0, 1]).all()
    assert (found.angle_deg[1] == 0).all()
    nothing = misorientation(np.full((2, 3, 3), np.nan), np.eye(3), KINDS["mmm"])
    assert np.isnan(nothing.angle_deg).all()


@pytest.mark.parametrize("name", list(EVERY))
def test_equal_orientations_have_one_place_in_the_fundamental_zone(name: str) -> None:
    kind = EVERY[name]
    some = Rotation.random(10, random_state=7).as_matrix()
    home = fundamental(some, kind)
    for turn in kind.rotations:
        np.testing.assert_allclose(fundamental(some @ turn, kind), home, atol=1e-9)
    np.testing.assert_allclose(fundamental(home, kind), home)
    assert misorientation(some, home, kind).angle_deg.max() < 1e-5
    angle = Rotation.from_matrix(home).magnitude()
    assert np.all(angle <= Rotation.from_matrix(some).magnitude() + 1e-9)


def test_mean_of_equal_orientations_is_theirs_and_scatter_averages_out() -> None:
    kind = KINDS["m-3m"]
    truth = Rotation.random(1, random_state=8).as_matrix()[0]
    rng = np.random.default_rng(0)
    noise = Rotation.from_rotvec(np.deg2rad(1.0) * rng.standard_normal((200, 3))).as_matrix()
    some = truth @ noise @ kind.rotations[rng.integers(24, size=200)]
    assert misorientation(mean_orientation(some, kind), truth, kind).angle_deg < 0.25


@pytest.mark.parametrize("name", list(EVERY))
def test_equal_directions_have_one_colour(name: str) -> None:
    kind = EVERY[name]
    named = np.array([place for place, _ in corners(kind)]) @ kind.standard
    # at the rim of -1 and -3 no key is single-valued
    some = np.concatenate([random_directions(200), named[:1] if kind.laue in ("-1", "-3") else named])
    wanted = direction_colours(some, kind)
    assert wanted.min() >= 0
    assert wanted.max() <= 1
    for turn in kind.rotations:
        for sign in (1, -1):
            np.testing.assert_allclose(direction_colours(sign * some @ turn.T, kind), wanted, atol=1e-6)


@pytest.mark.parametrize("name", list(EVERY))
def test_different_directions_have_different_colours(name: str) -> None:
    """Of directions more than 12 degrees apart under symmetry no two look the same."""
    kind = EVERY[name]
    some = random_directions(150, seed=2)
    shade = direction_colours(some, kind)
    near = np.abs(np.einsum("nki,mi->nmk", kind.equivalents(some), some)).max(axis=2)
    apart = np.rad2deg(np.arccos(np.clip(near, -1, 1))) > 12
    difference = np.abs(shade[:, None] - shade[None]).max(axis=2)
    assert difference[apart].min() > 0.02


@pytest.mark.parametrize("laue", [laue for laue in LAUE_CLASSES if laue not in ("-1", "-3")])
def test_colours_do_not_jump(laue: str) -> None:
    """Along great circles through everything, a step of 0.1 degrees changes a colour little."""
    kind = KINDS[laue]
    angle = np.deg2rad(np.arange(0, 360, 0.1))
    for start, side in pairwise(random_directions(6, seed=3)):
        side = np.cross(start, side)
        side /= np.linalg.norm(side)
        path = np.cos(angle)[:, None] * start + np.sin(angle)[:, None] * side
        assert np.abs(np.diff(direction_colours(path, kind), axis=0)).max() < 0.08


@pytest.mark.parametrize("name", list(EVERY))
def test_every_direction_has_one_place_in_the_sector_drawn(name: str) -> None:
    kind = EVERY[name]
    some = kind.equivalents(random_directions(100, seed=4)) @ kind.standard.T
    np.testing.assert_array_equal(in_sector(some, kind.laue).sum(axis=1), 1)


@pytest.mark.parametrize("laue", REFLECTED)
def test_corners_are_pure_colours(laue: str) -> None:
    kind = KINDS[laue]
    places = np.array([place for place, _ in corners(kind)]) @ kind.standard
    np.testing.assert_allclose(direction_colours(places, kind), np.eye(3), atol=1e-9)


def test_corners_have_names() -> None:
    wanted = {
        "m-3m": ["[001]", "[101]", "[111]"],
        "6/mmm": ["[0001]", "[2-1-10]", "[10-10]"],
        "4/mmm": ["[001]", "[100]", "[110]"],
        "mmm": ["[001]", "[100]", "[010]"],
        "-3m": ["[0001]", "[10-10]", "[11-20]", "[01-10]"],
        "m-3": ["[001]", "[101]", "[111]", "[011]"],
        "2/m": ["[010]", "[100]", "[-100]"],
        "4/m": ["[001]", "[100]", "[010]"],
    }
    for laue, names in wanted.items():
        assert [name for _, name in corners(KINDS[laue])] == names
    assert all(name for kind in KINDS.values() for _, name in corners(kind)[:1])
    assert miller(np.array([1.0, 0.37, 0.123]), KINDS["m-3m"]) == ""


def test_colours_follow_the_sample_direction() -> None:
    kind = KINDS["m-3m"]
    # [110] to the right, [001] up: x is green, y red
    rows = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(colours(rows, (1, 0, 0), kind), [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(colours(rows, (0, 2, 0), kind), [1, 0, 0], atol=1e-9)
    assert np.isnan(colours(np.full((3, 3), np.nan), (0, 0, 1), kind)).all()


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (("nonsense", (3.0, 3.0, 3.0), (90.0, 90.0, 90.0)), "Hermann-Mauguin"),
        (("F m -3 m", (3.0, 3.0, 3.1), (90.0, 90.0, 90.0)), "leaves as it is"),
        (("P 63/m m c", (3.0, 3.0, 5.0), (90.0, 90.0, 90.0)), "leaves as it is"),
    ],
)
def test_a_cell_that_contradicts_its_group_is_refused(given, word: str) -> None:
    with pytest.raises(InputError, match=word):
        symmetry(*given)
