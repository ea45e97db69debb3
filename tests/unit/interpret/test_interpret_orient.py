"""Orientations found in simulated patterns against the ones they were made with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from unmixel.core.errors import InputError
from unmixel.dataset.phases import PhaseAnswer, Phases
from unmixel.dataset.scan import Scan
from unmixel.interpret.cluster import RotationClusterer
from unmixel.interpret.identify import Identifier
from unmixel.interpret.matcher import PositionMatcher
from unmixel.interpret.orient import (
    group_orientations,
    orientation_map,
    orientation_of,
    position_orientations,
)
from unmixel.interpret.phases import identify
from unmixel.interpret.positions import match_positions
from unmixel.physics.kinematic import spot_pattern
from unmixel.physics.orientation import friedel_twin
from unmixel.physics.symmetry import Symmetry, misorientation, nearest_equivalents
from unmixel.testing.crystals import STEP, View, factors_of, groups_of, zirconium_alloys

CRYSTALS = {crystal.name: crystal for crystal in zirconium_alloys()}
COPPER, ZIRCONIUM = CRYSTALS["Cu"], CRYSTALS["Zr"]


def error_deg(found, truth, crystal, axis) -> tuple[float, float]:
    """Return the rotation about the beam and the whole one between two orientations, or the found one's twin."""
    kind = Symmetry.of(crystal)
    both = np.stack([found, friedel_twin(found, np.asarray(axis) @ crystal.direct)])
    best = both[int(np.argmin(misorientation(both, truth, kind).angle_deg))]
    vector = np.rad2deg(Rotation.from_matrix(nearest_equivalents(best, truth, kind) @ truth.T).as_rotvec())
    return abs(float(vector[2])), float(np.linalg.norm(vector))


@pytest.mark.parametrize("name", ["CuZr", "CuZr2", "ZrO2", "Zr", "ZrCu2Al"])
def test_orientation_of_random_views_is_the_true_one(name: str) -> None:
    """Eight views each with 40,000 electrons, tilts of 1 degree about each axis, calibrations wrong by up to 1.5 %."""
    crystal, rng = CRYSTALS[name], np.random.default_rng(3)
    axes = crystal.zone_axes(1)
    views, truths = [], []
    for seed in range(8):
        axis = axes[rng.integers(len(axes))]
        tilt = tuple(np.clip(rng.normal(0, 1.0, 2), -2, 2))
        view = View(rotation_deg=rng.uniform(-180, 180), tilt_deg=tilt, electrons=40_000, dynamical=0.2,
                    scale=rng.uniform(0.985, 1.015), seed=seed)  # fmt: skip
        views.append(view.pattern(crystal, axis))
        truths.append(view.orientation(crystal, axis))
    phases = identify(groups_of(views), [crystal], largest=1)
    found = [
        error_deg(orientation_of(answer.crystal, crystal), truth, crystal, answer.crystal.zone_axis)
        for answer, truth in zip(phases, truths, strict=True)
        if answer.crystal is not None and answer.phase == name
    ]
    assert len(found) >= 5
    plane, whole = np.median(found, axis=0)
    assert plane <= 0.2
    assert whole <= 0.4


def test_the_orientation_gives_back_the_matched_spots() -> None:
    """Places of the spots that were matched, and their intensities, from the orientation alone."""
    crystal, axis = CRYSTALS["ZrO2"], (0, 1, 1)
    seen = View(rotation_deg=21.0, tilt_deg=(0.8, -0.4), scale=1.01).spots(crystal, axis)
    match = Identifier((crystal,), largest=1).answer(seen.g, seen.intensity, reach=1.1).best
    made = spot_pattern(crystal, orientation_of(match, crystal), reach=1.2)
    spots = {
        tuple(hkl): (place, value)
        for hkl, place, value in zip(made.hkl.tolist(), made.g, made.intensity, strict=True)
    }
    places = np.array([spots[tuple(hkl)][0] for hkl in match.hkl[match.matched].tolist()])
    values = np.array([spots[tuple(hkl)][1] for hkl in match.hkl[match.matched].tolist()])
    assert np.linalg.norm(places * match.scale - seen.g[match.spot[match.matched]], axis=1).max() < 3e-3
    roots = np.sqrt(values), np.sqrt(seen.intensity[match.spot[match.matched]])
    cosine = roots[0] @ roots[1] / np.linalg.norm(roots[0]) / np.linalg.norm(roots[1])
    assert cosine > 0.995


def test_a_match_of_another_phase_is_refused() -> None:
    match = identify(groups_of([View().pattern(COPPER, (0, 1, 1))]), [COPPER], largest=1).answers[0].best
    with pytest.raises(InputError, match="structure of Cu"):
        orientation_of(match, ZIRCONIUM)


def patches(n: int, size: int = 4) -> np.ndarray:
    """Return n maps side by side, each on a square of its own."""
    maps = np.zeros((n, size, n * size))
    for k in range(n):
        maps[k, :, k * size : (k + 1) * size] = 100.0
    return maps


def test_members_of_a_group_are_turned() -> None:
    """One crystal at four rotations; the tilt is the same in the laboratory, so another one off each zone axis."""
    crystal, axis = CRYSTALS["ZrO2"], (0, 1, 1)
    view = View(tilt_deg=(0.7, 0.9))
    turns = (0.0, 25.0, 60.0, -35.0)
    views = [replace(view, rotation_deg=turn) for turn in turns]
    patterns = [some.pattern(crystal, axis) for some in views]
    factors = factors_of(groups_of(patterns), patches(4))
    groups = RotationClusterer(cut=0.6).group(factors, seed=0)
    assert groups.n_groups == 1
    phases = identify(groups, [crystal], largest=2)
    assert phases.answers[0].phase == crystal.name
    found = orientation_map(factors, groups, phases, [crystal])
    for k, some in enumerate(views):
        plane, whole = error_deg(
            found.matrices[1, 4 * k + 1],
            some.orientation(crystal, axis),
            crystal,
            found.zone_axis[1, 4 * k + 1],
        )
        assert plane < 1.0
        assert whole < 2.5  # the tilts of the members differ; the map has that of the group


def test_mirror_images_in_a_group_have_the_mirrored_orientation() -> None:
    """A pattern and its mirror image, made by flipping the picture: orientations differ by the mirror and inversion."""
    crystal = CRYSTALS["CuZr2"]
    view = View(rotation_deg=20.0, tilt_deg=(0.8, -0.5))
    pattern = view.pattern(crystal, (1, 1, 1))
    factors = factors_of(groups_of([pattern, pattern[::-1]]), patches(2))
    factors = replace(factors, strengths=np.array([0.6, 0.4]))
    groups = RotationClusterer(cut=0.6, mirror=True).group(factors, seed=0)
    assert groups.n_groups == 1
    assert groups.mirrored.tolist() == [False, True]
    phases = identify(groups, [crystal], largest=1)
    found = orientation_map(factors, groups, phases, [crystal])
    one, other = found.matrices[0, 1], found.matrices[0, 5]
    kind = Symmetry.of(crystal)
    wanted = np.diag([-1.0, 1.0, -1.0]) @ one
    both = np.stack([wanted, friedel_twin(wanted, found.zone_axis[0, 5] @ crystal.direct)])
    assert misorientation(both, other, kind).angle_deg.min() < 1.0
    # and it is where the flipped pattern's own identification puts it
    again = identify(groups_of([pattern[::-1]]), [crystal], largest=1).answers[0].best
    plane, whole = error_deg(orientation_of(again, crystal), other, crystal, again.zone_axis)
    assert plane < 0.5
    assert whole < 1.0


@pytest.fixture(scope="module")
def two_phases():
    patterns = [View(rotation_deg=10.0).pattern(COPPER, (0, 1, 1)), View().pattern(ZIRCONIUM, (0, 1, 0))]
    groups = groups_of([*patterns, np.ones((96, 96))], [True, True, False])
    return groups, identify(groups, [COPPER, ZIRCONIUM], largest=1)


def test_groups_have_the_orientation_of_their_answers(two_phases) -> None:
    _, phases = two_phases
    found = group_orientations(phases, [ZIRCONIUM, COPPER])
    assert found.phase.tolist() == [1, 0, -1]
    assert [cell.point_group for cell in found.phases] == ["6/mmm", "m-3m"]
    assert np.isnan(found.matrices[2]).all()
    assert found.confidence[2] == 0
    assert found.confidence[0] == phases.answers[0].best.score
    assert (found.zone_axis[:2] == [answer.best.zone_axis for answer in phases.answers[:2]]).all()


def test_positions_take_what_is_strongest_and_nothing_where_that_is_little(two_phases) -> None:
    groups, phases = two_phases
    maps = np.zeros((3, 2, 4))
    maps[0] = [[100, 60, 10, 0], [100, 50, 0, 0]]
    maps[1] = [[0, 40, 0, 100], [0, 45, 100, 25]]
    maps[2] = 500.0  # the glass takes no part
    found = orientation_map(factors_of(groups, maps), groups, phases, [COPPER, ZIRCONIUM])
    assert found.phase.tolist() == [
        [0, 0, -1, 1],
        [0, 0, 1, 1],
    ]  # 10 of 100 is below its share of the maximum
    np.testing.assert_allclose(found.confidence, [[1, 0.6, 0, 1], [1, 50 / 95, 1, 1]])
    strict = orientation_map(factors_of(groups, maps), groups, phases, [COPPER, ZIRCONIUM], least_share=0.7)
    assert strict.phase.tolist() == [[0, -1, -1, 1], [0, -1, 1, 1]]
    assert np.isnan(strict.matrices[0, 1]).all()
    assert (strict.zone_axis[0, 1] == 0).all()
    everything = orientation_map(
        factors_of(groups, maps), groups, phases, [COPPER, ZIRCONIUM], least_signal=0.0, least_share=0.0
    )
    assert everything.known.all()


def test_components_of_the_camera_take_no_part(two_phases) -> None:
    groups, phases = two_phases
    maps = np.ones((3, 2, 2)) * np.array([1.0, 5.0, 1.0])[:, None, None]
    factors = factors_of(groups, maps)
    assert (orientation_map(factors, groups, phases, [COPPER, ZIRCONIUM]).phase == 1).all()
    flagged = replace(factors, flags=((), ("camera artefact? (along a line)",), ()))
    found = orientation_map(flagged, groups, phases, [COPPER, ZIRCONIUM])
    assert (found.phase == 0).all()
    assert (found.confidence == 1).all()


def test_a_crystal_without_a_name_leaves_its_positions_without_orientation(two_phases) -> None:
    groups, phases = two_phases
    unknown = replace(phases.answers[1], phase="unknown", by="nothing")
    doubtful = Phases((phases.answers[0], unknown, phases.answers[2]), phases.candidates)
    found = orientation_map(factors_of(groups, np.concatenate([patches(2), patches(1, 4).repeat(2, 2)])),
                            groups, doubtful, [COPPER])  # fmt: skip
    assert set(found.phase[:, :4].ravel()) == {0}
    assert set(found.phase[:, 4:].ravel()) == {-1}


def test_parts_that_do_not_belong_together_are_refused(two_phases) -> None:
    groups, phases = two_phases
    factors = factors_of(groups, np.ones((3, 2, 2)))
    fewer = Phases(phases.answers[:1], phases.candidates)
    with pytest.raises(InputError, match="3 groups, 1 answers"):
        orientation_map(factors, groups, fewer, [COPPER])
    with pytest.raises(InputError, match="structure of Zr"):
        orientation_map(factors, groups, phases, [COPPER])
    with pytest.raises(InputError, match="between 0 and 1"):
        orientation_map(factors, groups, phases, [COPPER, ZIRCONIUM], least_share=2.0)
    empty = Phases((PhaseAnswer("amorphous", "no spots", "halo"),) * 3, ())
    assert not orientation_map(factors, groups, empty, []).known.any()


def test_every_position_has_the_orientation_of_its_own_pattern() -> None:
    """A crystal that turns by three degrees from column to column: matched position by position, without a fit."""
    crystal, axis = CRYSTALS["ZrO2"], (0, 1, 1)
    turns = 12.0 + 3.0 * np.arange(5)
    means = np.array([View(rotation_deg=turn).pattern(crystal, axis) for turn in turns])
    counts = np.random.default_rng(2).poisson(20_000 * np.stack([means] * 2)).astype(np.uint16)
    scan = Scan.from_array(counts, pattern_step=(STEP, "1/angstrom"))
    groups = groups_of([View(rotation_deg=12.0).pattern(crystal, axis)])
    phases = identify(groups, [crystal], largest=1)
    matches = match_positions(scan, groups, matcher=PositionMatcher(surrogates=300))
    found = position_orientations(matches, phases, [crystal])
    assert found.known.all()
    for column, turn in enumerate(turns):
        truth = View(rotation_deg=turn).orientation(crystal, axis)
        for row in range(2):
            plane, _ = error_deg(
                found.matrices[row, column], truth, crystal, phases.answers[0].crystal.zone_axis
            )
            assert plane < 0.5
    with pytest.raises(InputError, match="same groups"):
        position_orientations(matches, Phases(phases.answers * 2, ("ZrO2",)), [crystal])
