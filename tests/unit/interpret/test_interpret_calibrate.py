"""A calibration is what it should be, says how well it is known, and says when it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.calibration import Calibration
from unmixel.interpret.assign import assign
from unmixel.interpret.calibrate import calibrate, judged_fit
from unmixel.interpret.marks import Marks
from unmixel.physics.crystal import Crystal
from unmixel.physics.families import families
from unmixel.testing.cameras import Camera
from unmixel.testing.crystals import View, groups_of, zirconium_alloys

ALUMINIUM = Crystal.face_centred("Al", 4.05)
CAMERA = Camera(center=(48.6, 46.8), ratio=1.03, angle_deg=20.0)
START = Calibration.from_steps((47.5, 47.5), (0.026, 0.026))
AXES = ((0, 0, 1), (0, 1, 1), (1, 1, 2))


def marks_of(crystal, *, camera=CAMERA, noise=0.0, seed=0, axes=AXES, inner=0.0, outer=9.0):
    """Return spots at their true places, scattered by noise, in px."""
    random, places, numbers = np.random.default_rng(seed), [], []
    for number, axis in enumerate(axes):
        place = camera.places(crystal, axis, View(rotation_deg=float(random.uniform(0, 360))))
        g = np.linalg.norm(camera.calibration.g(place), axis=1)
        place = place[(g > inner) & (g < outer)]
        places.append(place + noise * random.standard_normal(place.shape))
        numbers += [number] * len(place)
    n = len(numbers)
    return Marks(
        np.array(numbers), np.concatenate(places), np.full(n, noise or 0.05), np.ones(n), np.full(n, -1)
    )


def fitted(marks, crystal, start=START):
    rings = families(crystal, 2.0)
    return judged_fit(marks, rings, assign(marks, rings, start), crystal.name)


def apart(fit, camera=CAMERA):
    """Return by how much each number is off, and its standard error."""
    angle = (fit.angle_deg - camera.angle_deg + 90) % 180 - 90
    off = [
        *np.subtract(fit.center, camera.center),
        fit.scale - camera.scale,
        fit.ratio - camera.ratio,
        angle,
    ]
    return np.array(off), np.array([*fit.center_error, fit.scale_error, fit.ratio_error, fit.angle_error_deg])


@pytest.mark.parametrize("crystal", [ALUMINIUM, *zirconium_alloys()], ids=lambda crystal: crystal.name)
def test_exact_places_give_exact_numbers(crystal) -> None:
    fit = fitted(marks_of(crystal), crystal)
    assert fit.trusted, fit.words
    off, _ = apart(fit)
    np.testing.assert_allclose(off, 0, atol=1e-6)
    assert fit.rms_px < 1e-6


def test_errors_are_the_size_of_what_is_off() -> None:
    pulls = []
    for seed in range(50):
        off, error = apart(fitted(marks_of(ALUMINIUM, noise=0.05, seed=seed), ALUMINIUM))
        pulls.append(off / error)
    rms = np.sqrt(np.mean(np.square(pulls), axis=0))
    assert np.all((rms > 0.8) & (rms < 1.3)), rms


def test_what_places_scatter_beyond_their_errors_is_found_and_goes_into_the_errors() -> None:
    pulls, scatters = [], []
    for seed in range(30):
        marks = marks_of(ALUMINIUM, noise=0.1, seed=seed)
        fit = fitted(replace(marks, error=np.full(len(marks), 0.02)), ALUMINIUM)
        off, error = apart(fit)
        pulls.append(off / error)
        scatters.append(fit.scatter)
    assert np.mean(scatters) == pytest.approx(0.1, abs=0.03)
    rms = np.sqrt(np.mean(np.square(pulls), axis=0))
    assert np.all((rms > 0.7) & (rms < 1.4)), rms


@settings(max_examples=8, deadline=None)
@given(
    st.floats(-0.05, 0.05),
    st.floats(1.0, 1.05),
    st.floats(0, 180),
    st.floats(-1.4, 1.4),
    st.floats(-1.4, 1.4),
)
def test_starts_may_be_wrong(scale, ratio, angle, v, u) -> None:
    camera = Camera(center=(47.5 + v, 47.5 + u), scale=0.025 * (1 + scale), ratio=ratio, angle_deg=angle)
    start = Calibration.from_steps((47.5, 47.5), (0.025, 0.025))
    fit = fitted(marks_of(ALUMINIUM, camera=camera, noise=0.03), ALUMINIUM, start)
    off, error = apart(fit, camera)
    assert fit.trusted, fit.words
    assert np.all(np.abs(off[:3]) < 5 * error[:3])
    assert abs(off[3]) < 5 * error[3] + 2e-3  # next to a circle a ratio is never below 1


@pytest.mark.parametrize("factor", [0.88, 1.12])
def test_a_start_that_is_too_wrong_is_not_trusted_and_no_scale_leaves_the_tolerance(factor: float) -> None:
    start = Calibration.from_steps((47.5, 47.5), (0.025 * factor,) * 2)
    fit = fitted(marks_of(ALUMINIUM, noise=0.05), ALUMINIUM, start)
    assert abs(np.log(fit.scale / start.scale)) < 0.057
    assert not fit.trusted


def test_turning_the_detector_turns_the_ellipse_and_its_step_scales_the_scale() -> None:
    marks = marks_of(ALUMINIUM, noise=0.05)
    first = fitted(marks, ALUMINIUM)
    middle = np.array([47.5, 47.5])
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])  # (v, u) -> (-u, v): a quarter clockwise
    turned = fitted(replace(marks, place=(marks.place - middle) @ turn.T + middle), ALUMINIUM)
    assert (turned.angle_deg - first.angle_deg) % 180 == pytest.approx(90, abs=1e-3)
    assert turned.ratio == pytest.approx(first.ratio, abs=1e-6)
    doubled = fitted(
        replace(marks, place=2 * marks.place, error=2 * marks.error),
        ALUMINIUM,
        Calibration.from_steps((95.0, 95.0), (0.013, 0.013)),
    )
    assert doubled.scale == pytest.approx(first.scale / 2, rel=1e-3)


@pytest.mark.parametrize("noise", [0.05, 0.1])
def test_another_phase_is_refused_in_words(noise: float) -> None:
    copper = zirconium_alloys()[5]
    zirconium = zirconium_alloys()[4]
    marks = marks_of(zirconium, noise=noise)
    right, wrong = fitted(marks, zirconium), fitted(marks, copper)
    assert right.trusted
    assert not wrong.trusted
    assert wrong.words.startswith("Not to be trusted")
    assert wrong.rms_px > 3 * right.rms_px


def test_one_direction_leaves_scale_and_ellipse_undetermined() -> None:
    marks = marks_of(ALUMINIUM, axes=[(0, 0, 1)])
    one = marks.at(np.abs(CAMERA.calibration.g(marks.place) @ [0.6, 0.8]) > 10)
    assert not len(one)
    angle = np.arctan2(*(CAMERA.calibration.g(marks.place).T))
    along = marks.at(np.abs(np.sin(angle - angle[0])) < 1e-6)
    fit = fitted(along, ALUMINIUM)
    assert len(along) >= 4
    assert np.isinf(fit.ratio_error)
    assert np.isinf(fit.scale_error) or np.isinf(max(fit.center_error))
    assert "not determined" in fit.words
    assert not fit.trusted


def test_a_ring_that_two_families_share_leaves_the_scale_undetermined() -> None:
    zirconium = zirconium_alloys()[4]  # 002 and 101 are 4.6 % apart
    marks = marks_of(zirconium, axes=[(0, 1, 0), (1, 0, 0)])
    g = np.linalg.norm(CAMERA.calibration.g(marks.place), axis=1)
    ring = marks.at(np.abs(g - 2 / 5.147) < 1e-4)
    assert len(ring) == 4
    assert np.isinf(fitted(ring, zirconium).scale_error)


def test_one_ring_says_that_nothing_checks_it() -> None:
    marks = marks_of(ALUMINIUM, inner=0.47, outer=0.52)
    fit = fitted(marks, ALUMINIUM)
    assert "all of them on one ring" in fit.words
    assert not fit.trusted


def test_images_of_spots() -> None:
    pulls = []
    for seed in range(6):
        images = CAMERA.patterns(ALUMINIUM, AXES, electrons=200_000, seed=10 * seed)
        fit = calibrate(images, ALUMINIUM, start=START)
        off, error = apart(fit)
        pulls.append(off / error)
        assert fit.trusted, fit.words
    assert 0.5 < np.sqrt(np.mean(np.square(pulls))) < 1.4


def test_rings_of_a_powder() -> None:
    camera = replace(CAMERA, sigma=1.2)
    fit = calibrate(camera.powder(ALUMINIUM, electrons=2e6), ALUMINIUM, start=START, crystalline=[False])
    off, error = apart(fit, camera)
    assert fit.trusted, fit.words
    assert np.all(np.abs(off) < 5 * error), (off, error)
    assert fit.scale_error / fit.scale < 4e-3
    assert fit.ratio_error < 3e-3


def test_groups_are_read_with_their_axes() -> None:
    view = View(electrons=200_000)
    groups = groups_of([view.pattern(ALUMINIUM, axis) for axis in AXES])
    wrong = replace(groups, pattern_axes=tuple(replace(axis, scale=0.0258) for axis in groups.pattern_axes))
    fit = calibrate(wrong, ALUMINIUM)
    assert fit.trusted
    assert fit.scale == pytest.approx(0.025, rel=1e-3)
    assert "turned along" not in fit.words
    fixed = fit.on(wrong)
    assert fixed.pattern_axes[0].unit == "1/angstrom"
    assert fixed.pattern_axes[1].scale == pytest.approx(0.025, rel=1e-2)
    assert fixed.center == fit.center
    members = replace(groups, rotation_deg=np.array([0.0, 40.0, 0.0]))
    assert "turned along" in calibrate(members, ALUMINIUM).words


@pytest.mark.parametrize("image", [np.zeros((2, 40, 40)), np.full((40, 40), 3.0)])
def test_empty_patterns_say_that_nothing_is_known(image) -> None:
    fit = calibrate(image, ALUMINIUM, start=Calibration.from_steps((20.0, 20.0), (0.02, 0.02)))
    assert not fit.trusted
    assert np.isinf(fit.scale_error)
    assert fit.scale == pytest.approx(0.02)
    assert fit.families() == []


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="no start"):
        calibrate(np.ones((2, 8, 8)), ALUMINIUM)
    with pytest.raises(InputError, match="mask"):
        calibrate(np.ones((2, 8, 8)), ALUMINIUM, start=START, crystalline=[True])
    groups = groups_of([np.ones((96, 96))])
    bare = replace(groups, pattern_axes=(Axis("v", 96), Axis("u", 96)))
    with pytest.raises(InputError, match="1/angstrom"):
        calibrate(bare, ALUMINIUM)


REAL = Path(__file__).parents[3] / ".." / "shared" / "data" / "mgo_sped" / "mgo_nanoparticles.zspy"
CIF = Path(__file__).parents[3] / "examples" / "data" / "MgO.cif"


@pytest.mark.real
@pytest.mark.slow
def test_the_mgo_scan_is_refused_rather_than_forced() -> None:
    """Most of its spots are where rings are crowded, and no ellipse explains the others. The fit has to say so."""
    if not REAL.exists():
        pytest.skip("the MgO scan is not beside the repository")
    import unmixel

    scan = unmixel.open(REAL)
    blocks = np.asarray(scan.data[:, :]).reshape(21, 5, 21, 5, 144, 144).mean(axis=(1, 3))
    used = np.ones((144, 144), bool)
    used[22:50, 60:90] = False
    used[:3] = False
    start = Calibration.from_steps((71.7, 72.0), (0.03246, 0.03246))
    fit = calibrate(blocks.reshape(-1, 144, 144)[::16], CIF, start=start, used=used)
    assert not fit.trusted
    assert fit.words.startswith("Not to be trusted")
