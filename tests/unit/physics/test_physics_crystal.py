"""Structures and their reflections against what crystallography says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.physics.crystal import Crystal, Site
from unmixel.physics.kinematic import frame, spot_pattern
from unmixel.testing.crystals import View, zirconium_alloys

CIF = Path(__file__).parents[4] / "shared" / "data" / "cif"
RIGHT = (90.0, 90.0, 90.0)
COPPER = Crystal.face_centred("Cu", 3.615)
DIAMOND = Crystal(
    "Si",
    (5.4307,) * 3,
    RIGHT,
    tuple(
        Site("Si", ((x + s) % 1, (y + s) % 1, (z + s) % 1))
        for s in (0.0, 0.25)
        for x, y, z in ((0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5))
    ),
    "F d -3 m",
)


def test_axes_of_both_lattices_are_dual() -> None:
    skew = Crystal("skew", (3.0, 4.0, 5.0), (80.0, 95.0, 110.0), (Site("O", (0, 0, 0)),))
    np.testing.assert_allclose(skew.direct @ skew.reciprocal.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(skew.direct, axis=1), skew.lengths)
    a, b, c = skew.direct / np.linalg.norm(skew.direct, axis=1)[:, None]
    np.testing.assert_allclose(np.rad2deg(np.arccos([b @ c, a @ c, a @ b])), skew.angles_deg)


def test_face_centring_extinguishes_mixed_indices() -> None:
    found = COPPER.reflections(1.2)
    parity = found.hkl % 2
    mixed = parity.min(axis=1) != parity.max(axis=1)
    np.testing.assert_array_equal(found.forbidden, mixed)


def test_diamond_glide_extinguishes_200() -> None:
    found = DIAMOND.reflections(0.65)
    forbidden = {tuple(sorted(map(abs, hkl))) for hkl in found.hkl[found.forbidden].tolist()}
    allowed = {tuple(sorted(map(abs, hkl))) for hkl in found.hkl[~found.forbidden].tolist()}
    assert (0, 0, 2) in forbidden
    assert {(1, 1, 1), (0, 2, 2), (1, 1, 3)} <= allowed


def test_intensity_is_that_of_a_single_atom_squared() -> None:
    """One atom: f^2 with the Debye-Waller factor; four on a face-centred lattice: sixteen times as much."""
    one = Crystal("one", (3.615,) * 3, RIGHT, (Site("Cu", (0, 0, 0)),))
    hkl = np.array([[1, 1, 1], [2, 0, 0]])
    np.testing.assert_allclose(COPPER.intensity(hkl), 16 * one.intensity(hkl))
    half = Crystal("half", (3.615,) * 3, RIGHT, (Site("Cu", (0, 0, 0), occupancy=0.5),))
    np.testing.assert_allclose(half.intensity(hkl), one.intensity(hkl) / 4)
    still = Crystal("still", (3.615,) * 3, RIGHT, (Site("Cu", (0, 0, 0), b_factor=0.0),))
    g2 = np.sum((hkl @ one.reciprocal) ** 2, axis=1)
    np.testing.assert_allclose(one.intensity(hkl), still.intensity(hkl) * np.exp(-0.5 * g2 / 2))


@pytest.mark.parametrize(("crystal", "count"), [(COPPER, 13), (zirconium_alloys()[4], 29)])
def test_directions_that_symmetry_makes_equal_are_listed_once(crystal: Crystal, count: int) -> None:
    axes = crystal.zone_axes(3)
    assert len(axes) == count
    assert len(set(axes)) == count
    assert (0, 0, 1) in axes or (1, 0, 0) in axes


def test_without_symmetry_only_opposites_are_equal() -> None:
    plain = Crystal("plain", (3.0, 4.0, 5.0), (80.0, 95.0, 110.0), (Site("O", (0, 0, 0)),))
    assert len(plain.zone_axes(1)) == 13  # half of 26


@pytest.mark.parametrize("axis", [(0, 0, 1), (1, 1, 0), (1, 2, 3), (-1, 0, 2)])
def test_frame_is_right_handed_and_looks_along_the_axis(axis: tuple[int, int, int]) -> None:
    for crystal in (COPPER, zirconium_alloys()[4]):
        found = frame(crystal, axis)
        np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(found) == pytest.approx(1)
        beam = np.asarray(axis) @ crystal.direct
        np.testing.assert_allclose(found[2], beam / np.linalg.norm(beam))


def test_zero_layer_of_a_zone_axis_is_seen() -> None:
    found = spot_pattern(COPPER, frame(COPPER, (1, 1, 0)), reach=0.9)
    zone = found.hkl @ [1, 1, 0] == 0
    assert zone.all()
    assert {(1, -1, 1), (0, 0, 2), (2, -2, 0)} <= {tuple(hkl) for hkl in found.hkl.tolist()}
    length = np.linalg.norm(found.g, axis=1)
    np.testing.assert_allclose(length, np.linalg.norm(found.hkl @ COPPER.reciprocal, axis=1), rtol=1e-9)
    assert found.intensity.max() == 1


def test_tilt_makes_opposite_spots_unequal_and_thickness_sharpens_that() -> None:
    def asymmetry(thickness: float) -> float:
        found = View(tilt_deg=(1.0, 0.0), thickness=thickness).spots(COPPER, (0, 0, 1))
        pairs = {tuple(hkl): value for hkl, value in zip(found.hkl.tolist(), found.intensity, strict=True)}
        return max(abs(value - pairs.get(tuple(-i for i in hkl), 0.0)) for hkl, value in pairs.items())

    assert asymmetry(20.0) < asymmetry(100.0)
    assert View().spots(COPPER, (0, 0, 1)).g.shape == View(rotation_deg=20).spots(COPPER, (0, 0, 1)).g.shape


def test_rotation_is_counter_clockwise_as_displayed() -> None:
    before, after = (View(rotation_deg=angle).spots(COPPER, (0, 0, 1)) for angle in (0.0, 30.0))
    z0, z1 = (
        {tuple(h): u - 1j * v for h, (v, u) in zip(p.hkl.tolist(), p.g, strict=True)} for p in (before, after)
    )
    for hkl, place in z0.items():
        assert z1[hkl] == pytest.approx(place * np.exp(1j * np.pi / 6))


def test_double_diffraction_is_flagged() -> None:
    found = spot_pattern(DIAMOND, frame(DIAMOND, (1, 1, 0)), reach=0.6)
    names = {tuple(hkl): bool(flag) for hkl, flag in zip(found.hkl.tolist(), found.doubled, strict=True)}
    assert names[(0, 0, 2)]
    assert not names[(1, -1, 1)]
    # along [001] no two allowed spots add up to 200
    alone = spot_pattern(DIAMOND, frame(DIAMOND, (0, 0, 1)), reach=0.6)
    assert (2, 0, 0) not in {tuple(hkl) for hkl in alone.hkl.tolist()}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"lengths": (0.0, 1.0, 1.0)}, "volume"),
        ({"sites": ()}, "0 atoms"),
        ({"angles_deg": (10.0, 90.0, 10.0)}, "volume"),
    ],
)
def test_what_is_no_crystal_is_refused(change: dict, word: str) -> None:
    given = {"lengths": (3.0, 3.0, 3.0), "angles_deg": RIGHT, "sites": (Site("O", (0, 0, 0)),)} | change
    with pytest.raises(InputError, match=word):
        Crystal("x", **given)


def test_an_unknown_element_is_named() -> None:
    with pytest.raises(InputError, match="Qq"):
        Crystal("x", (3.0,) * 3, RIGHT, (Site("Qq", (0, 0, 0)),)).reflections(0.5)


def test_cif_is_read(tmp_path: Path) -> None:
    text = """data_NaCl
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
Na1 Na 0 0 0 0.02
Cl1 Cl 0.5 0.5 0.5 0.02
"""
    (tmp_path / "salt.cif").write_text(text)
    salt = Crystal.from_cif(tmp_path / "salt.cif")
    assert (salt.name, salt.space_group, len(salt.sites)) == ("salt", "F m -3 m", 8)
    assert salt.sites[0].b_factor == pytest.approx(8 * np.pi**2 * 0.02)
    assert Crystal.from_cif(tmp_path / "salt.cif", "NaCl").name == "NaCl"


@pytest.mark.parametrize("text", ["", "no cif at all", "data_x\n_cell_length_a 5\n"])
def test_a_file_without_structure_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.cif").write_text(text)
    with pytest.raises(InputError, match=r"x\.cif"):
        Crystal.from_cif(tmp_path / "x.cif")
    with pytest.raises(InputError, match="absent"):
        Crystal.from_cif(tmp_path / "absent.cif")


@pytest.mark.skipif(not CIF.exists(), reason="../shared/data/cif is not there")
@pytest.mark.parametrize(
    ("name", "spacing"),
    [("MgO", 4.217 / 3**0.5), ("Cu", 2.087), ("Zr", 2.799), ("Si", 3.135), ("Fe", 2.027)],
)
def test_first_spacing_of_real_structures(name: str, spacing: float) -> None:
    found = Crystal.from_cif(CIF / f"{name}.cif").reflections(0.8)
    largest = 1 / np.linalg.norm(found.g[~found.forbidden], axis=1).min()
    assert largest == pytest.approx(spacing, abs=2e-3)
