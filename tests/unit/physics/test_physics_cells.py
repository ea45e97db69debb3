"""Built-in cells hold up against their own symmetry; candidates are found by name, file, folder and composition."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.physics.cells import built_in, crystals_in, structures
from unmixel.physics.crystal import Crystal

CIF = """data_{name}
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {a}
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
{atoms}
"""


@pytest.mark.parametrize("name", sorted(built_in()))
def test_symmetry_leaves_the_intensities_as_they_are(name: str) -> None:
    """Every operation of the space group turns a reflection into one of the same intensity and length."""
    crystal = built_in()[name]
    group = gemmi.find_spacegroup_by_name(crystal.space_group)
    assert group is not None
    rng = np.random.default_rng(0)
    hkl = rng.integers(-4, 5, (12, 3))
    want = crystal.intensity(hkl)
    length = np.linalg.norm(hkl @ crystal.reciprocal, axis=1)
    for operation in group.operations().sym_ops:
        turned = hkl @ (np.array(operation.rot) // operation.DEN)
        np.testing.assert_allclose(crystal.intensity(turned), want, rtol=1e-6, atol=1e-6 * want.max())
        np.testing.assert_allclose(np.linalg.norm(turned @ crystal.reciprocal, axis=1), length, rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "density"),
    [("Cu", 8.96), ("Al", 2.70), ("MgO", 3.58), ("Si", 2.33), ("Fe", 7.87), ("Zr", 6.51), ("TiO2", 4.25),
     ("ZrO2", 6.2), ("NaCl", 2.17), ("W", 19.3), ("Mg", 1.74), ("C", 3.51)],
)  # fmt: skip
def test_densities_are_those_of_the_handbook(name: str, density: float) -> None:
    crystal = built_in()[name]
    mass = sum(gemmi.Element(site.element).weight for site in crystal.sites) * 1.66054
    assert mass / abs(np.linalg.det(crystal.direct)) == pytest.approx(density, rel=0.02)


def written(folder: Path, name: str, a: float, *elements: str) -> Path:
    places = ["0 0 0", "0.5 0.5 0.5"]
    atoms = "\n".join(f"{e} {e} {p}" for e, p in zip(elements, places, strict=False))
    path = folder / f"{name}.cif"
    path.write_text(CIF.format(name=name, a=a, atoms=atoms))
    return path


def test_candidates_by_name_file_folder_and_composition(tmp_path: Path) -> None:
    written(tmp_path, "periclase", 4.21, "Mg", "O")
    copper = written(tmp_path, "copper", 3.615, "Cu")
    given = [str(copper), "Au", Crystal.face_centred("Ni", 3.52), tmp_path]
    assert [c.name for c in structures(given)] == ["copper", "Au", "Ni", "copper", "periclase"]
    assert [c.name for c in crystals_in(tmp_path, ["O", "Mg", "Si"])] == ["periclase"]
    assert crystals_in(tmp_path)[1].elements == {"Mg", "O"}
    with pytest.raises(InputError, match="Xe"):
        crystals_in(tmp_path, ["Xe"])


def test_what_is_neither_file_nor_cell_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'MgO'"):
        list(structures(["MgO2"]))
    with pytest.raises(InputError, match="built in are"):
        list(structures(["/no/such/file.cif"]))
