"""Boundaries lie where orientations change, whatever equivalent of them stands there; grains lie between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.orientations import PhaseCell
from unmixel.interpret.grains import grain_boundaries
from unmixel.physics.orientation import friedel_twin
from unmixel.physics.symmetry import misorientation, symmetry
from unmixel.testing.crystals import bicrystal

CUBIC = symmetry("F m -3 m", (3.615,) * 3, (90.0,) * 3)
ZIRCONIUM = PhaseCell("Zr", (3.232, 3.232, 5.147), (90.0, 90.0, 120.0), "P 63/m m c", "6/mmm")


@pytest.mark.parametrize(
    ("angle", "between"), [(3.0, 3.0), (10.0, 10.0), (45.0, 45.0), (80.0, 10.0), (90.0, 0.0)]
)
def test_a_bicrystal_has_the_boundary_it_was_made_with(angle: float, between: float) -> None:
    found = grain_boundaries(bicrystal(angle, 8))
    assert found.right.shape == found.down.shape == found.labels.shape == (8, 8)
    np.testing.assert_allclose(found.right[:, 3], between, atol=1e-5)
    assert np.isnan(found.right[:, -1]).all()
    assert np.isnan(found.down[-1]).all()
    np.testing.assert_allclose(np.delete(found.right[:, :-1], 3, axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(found.down[:-1], 0, atol=1e-5)
    assert found.n_grains == (2 if between >= 5 else 1)
    assert not found.phase_right.any()
    assert [grain.n_positions for grain in found.table] == ([32, 32] if between >= 5 else [64])


def test_equivalent_orientations_make_no_boundary() -> None:
    """Every position has another of the 24 equivalents, and a little noise: still two grains, with their means."""
    plain, rng = bicrystal(30.0, 10), np.random.default_rng(0)
    noise = Rotation.from_rotvec(np.deg2rad(0.5) * rng.standard_normal((100, 3))).as_matrix()
    turns = CUBIC.rotations[rng.integers(24, size=100)]
    scattered = (plain.matrices.reshape(-1, 3, 3) @ noise @ turns).reshape(plain.matrices.shape)
    found = grain_boundaries(replace(plain, matrices=scattered, zone_axis=np.zeros((10, 10, 3), int)))
    assert found.n_grains == 2
    for grain in found.table:
        truth = plain.matrices[found.labels == grain.id][0]
        assert misorientation(grain.matrix, truth, CUBIC).angle_deg < 0.3
        assert grain.spread_deg == pytest.approx(0.5 * 3**0.5, rel=0.2)


def test_friedel_twins_make_no_boundary_where_the_zone_axis_is_known() -> None:
    plain = bicrystal(0.0, 6)
    axis = np.array([1, 1, 1])
    twinned = plain.matrices.copy()
    twinned[:, 3:] = friedel_twin(plain.matrices[:, 3:], np.broadcast_to(axis, (6, 3, 3)))
    along = replace(plain, matrices=twinned, zone_axis=np.broadcast_to(axis, (6, 6, 3)))
    one = grain_boundaries(along)
    assert one.n_grains == 1
    assert one.table[0].spread_deg < 1e-4
    blind = grain_boundaries(replace(along, zone_axis=np.zeros((6, 6, 3), int)))
    assert blind.n_grains == 2
    np.testing.assert_allclose(blind.right[:, 2], 60.0, atol=1e-5)  # the twin of a cubic crystal along 111


def test_positions_without_orientation_and_other_phases_part_grains() -> None:
    plain = bicrystal(0.0, 6)
    phase = plain.phase.copy()
    phase[:, 4:] = 1
    phase[2] = -1
    matrices = np.where((phase < 0)[..., None, None], np.nan, plain.matrices)
    mixed = replace(plain, phase=phase, matrices=matrices, phases=(*plain.phases, ZIRCONIUM))
    found = grain_boundaries(mixed)
    assert found.phase_right[0].tolist() == [False, False, False, True, False, False]
    assert not found.phase_right[2].any()
    assert not found.phase_down.any()
    assert np.isnan(found.right[:, 3]).all()
    assert np.isnan(found.down[1:3]).all()
    assert (found.labels[2] == 0).all()
    assert [(grain.phase, grain.n_positions) for grain in found.table] == [(0, 12), (0, 8), (1, 6), (1, 4)]
    assert [grain.id for grain in found.table] == [1, 2, 3, 4]
    for grain in found.table:
        assert (found.labels == grain.id).sum() == grain.n_positions


def test_area_is_in_the_unit_of_the_scan() -> None:
    plain = bicrystal(20.0, 4)
    fine = replace(plain, axes=(Axis("y", 4, scale=0.5, unit="nm"), Axis("x", 4, scale=-2.0, unit="nm")))
    found = grain_boundaries(fine)
    assert found.unit == "nm"
    assert [grain.area for grain in found.table] == [8.0, 8.0]


def test_a_larger_threshold_joins_grains() -> None:
    assert grain_boundaries(bicrystal(10.0), threshold_deg=15.0).n_grains == 1


def test_nothing_known_has_no_grains() -> None:
    plain = bicrystal(0.0, 3)
    nothing = replace(plain, phase=np.full((3, 3), -1), matrices=np.full((3, 3, 3, 3), np.nan))
    found = grain_boundaries(nothing)
    assert (found.n_grains, found.labels.max()) == (0, 0)
    single = replace(
        bicrystal(0.0, 2),
        phase=np.zeros((1, 1), int),
        matrices=np.eye(3)[None, None],
        zone_axis=np.zeros((1, 1, 3), int),
    )
    assert grain_boundaries(single).n_grains == 1


def test_what_is_no_map_is_refused() -> None:
    plain = bicrystal(0.0, 3)
    with pytest.raises(InputError, match="two axes"):
        grain_boundaries(replace(plain, axes=plain.axes[:1]))
    with pytest.raises(InputError, match="threshold"):
        grain_boundaries(plain, threshold_deg=0.0)
