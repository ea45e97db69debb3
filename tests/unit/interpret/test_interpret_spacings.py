"""Spacings are those of the crystal, and as uncertain as they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unmixel.dataset.calibration import Calibration
from unmixel.interpret.calibrate import calibrate
from unmixel.interpret.phases import identify
from unmixel.interpret.spacings import d_spacings
from unmixel.physics.crystal import Crystal
from unmixel.physics.families import families
from unmixel.testing.cameras import Camera
from unmixel.testing.crystals import groups_of, zirconium_alloys

ALUMINIUM = Crystal.face_centred("Al", 4.05)
D = 1 / families(ALUMINIUM, 2.0).g
AXES = ((0, 0, 1), (0, 1, 1), (1, 1, 2))
CAMERA = Camera(center=(48.6, 46.8), ratio=1.03, angle_deg=20.0)


def groups_seen(camera, electrons=200_000, seed=0, crystal=ALUMINIUM):
    groups = groups_of(list(camera.patterns(crystal, AXES, electrons=electrons, seed=seed)))
    return replace(groups, center=camera.center)


def pulls_of(rows, what):
    d, error = np.array([row.d for row in rows]), np.array([getattr(row, what) for row in rows])
    return (d - D[np.argmin(np.abs(D[None] - d[:, None]), axis=1)]) / error


def test_place_errors_are_the_size_of_what_is_off() -> None:
    rows = [
        row
        for seed in range(8)
        for row in d_spacings(groups_seen(CAMERA, seed=10 * seed), CAMERA.calibration)
    ]
    assert len(rows) > 100
    assert {row.kind for row in rows} <= {"pair", "spot"}
    assert 0.7 < np.sqrt(np.mean(np.square(pulls_of(rows, "place_error")))) < 1.3
    assert all(row.error == row.place_error for row in rows)


def test_errors_of_the_calibration_are_part_of_the_error() -> None:
    groups = groups_seen(CAMERA)
    fit = calibrate(groups, ALUMINIUM)
    rows = d_spacings(groups, fit).rows
    assert all(row.error > row.place_error for row in rows)
    assert np.abs(pulls_of(rows, "error")).max() < 4.5
    unknown = replace(fit, covariance=np.diag([0.0, 0.0, np.inf, 0.0, 0.0]))
    assert all(np.isinf(row.error) and np.isfinite(row.place_error) for row in d_spacings(groups, unknown))


def test_a_pair_needs_no_centre() -> None:
    groups = groups_seen(CAMERA)
    shifted = Calibration((49.6, 46.1), CAMERA.calibration.matrix)
    pairs = [row for row in d_spacings(groups, shifted) if row.kind == "pair"]
    assert len(pairs) >= 10
    assert np.abs(pulls_of(pairs, "error")).max() < 4.5


def test_rings_have_spacings_too() -> None:
    camera = Camera(center=(48.6, 46.8), scale=0.016, sigma=0.8)
    groups = groups_of([camera.powder(ALUMINIUM, electrons=2e6)], crystalline=[False])
    rows = d_spacings(groups, camera.calibration).rows
    assert len(rows) >= 3
    assert {row.kind for row in rows} == {"ring"}
    nearest = D[np.argmin(np.abs(D[None] - np.array([row.d for row in rows])[:, None]), axis=1)]
    np.testing.assert_allclose([row.d for row in rows], nearest, rtol=0.015)


def test_the_table_has_a_row_for_each_spacing() -> None:
    found = d_spacings(groups_seen(CAMERA))
    assert len(found.table()) == len(found) == sum(len(found.of(i)) for i in range(3))
    assert set(found.table()[0]) == {
        "group", "kind", "g", "d", "error", "place_error", "azimuth_deg", "significance",
    }  # fmt: skip
    assert len(d_spacings(groups_of([np.zeros((96, 96))]))) == 0


def test_an_ellipse_keeps_a_phase_from_being_named_until_it_is_known() -> None:
    candidates = zirconium_alloys()
    camera = Camera(center=(47.5, 47.5), ratio=1.08, angle_deg=50.0)
    groups = groups_seen(camera, crystal=candidates[0])
    fit = calibrate(groups, candidates[0])
    assert fit.trusted, fit.words
    before = identify(groups, candidates[:3]).answers
    after = identify(groups, candidates[:3], calibration=fit).answers
    # along [112] CuZr and CuZr2 have nearly the same spots
    assert [answer.phase for answer in before[:2]] == ["unknown", "unknown"]
    assert [answer.phase for answer in after[:2]] == ["CuZr", "CuZr"]
    assert all(answer.best.score > 0.95 for answer in after)
    same = identify(groups, candidates[:3], calibration=Calibration.from_steps((47.5, 47.5), (0.025, 0.025)))
    assert [a.best.score for a in same.answers] == [a.best.score for a in before]


CROP = Path(__file__).parents[3] / "examples" / "data" / "mgo_crop.hspy"
REAL = Path(__file__).parents[3] / ".." / "shared" / "data" / "mgo_sped" / "mgo_nanoparticles.zspy"
STEP = 0.03246


@pytest.mark.real
@pytest.mark.slow
def test_spacings_of_the_mgo_cubes() -> None:
    """Pairs of opposite spots in means of 25 positions, with the file's own scale: 200 and 220 to 1.5 %."""
    if not REAL.exists():
        pytest.skip("the MgO scan is not beside the repository")
    import unmixel

    scan = unmixel.open(REAL)
    blocks = np.asarray(scan.data[:, :]).reshape(21, 5, 21, 5, 144, 144).mean(axis=(1, 3))
    used = np.ones((144, 144), bool)
    used[22:50, 60:90] = False  # a ghost of the camera
    used[:3] = False
    groups = groups_of(list(blocks.reshape(-1, 144, 144)[::4]))
    groups = replace(groups, used_pixels=np.broadcast_to(used, groups.patterns.shape))
    where = Calibration.from_steps((71.7, 72.0), (STEP, STEP))
    pairs = [row for row in d_spacings(groups, where, spot_size=1.5) if row.kind == "pair"]
    for d in (4.217 / 2, 4.217 / 8**0.5):
        mine = [row for row in pairs if abs(row.d / d - 1) < 0.06]
        assert len(mine) >= 3
        assert np.median([row.d for row in mine]) == pytest.approx(d, rel=0.015)
