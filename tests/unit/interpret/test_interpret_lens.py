"""One calibration for many patterns: known distortions come back, none is found where there is none."""

from functools import lru_cache

import numpy as np
import pytest

from unmixel.dataset.distortion import Distortion
from unmixel.dataset.lens import Lens
from unmixel.interpret.indexing import orientations, points
from unmixel.interpret.lens import fit_lens, held_lens
from unmixel.interpret.marks import Marks
from unmixel.physics.crystal import Crystal
from unmixel.physics.kinematic import spot_pattern
from unmixel.physics.symmetry import Symmetry, misorientation
from unmixel.testing.cameras import Camera
from unmixel.testing.crystals import View

ALUMINIUM = Crystal.face_centred("Al", 4.05)
VIEWS = (((0, 0, 1), 10.0), ((1, 1, 2), 40.0))
START = Camera(scale=0.0253).calibration
DISTORTIONS = {
    "perspective": Distortion(perspective=(0.04, -0.01)),
    "decentering": Distortion(decentering=(0.0, 0.02)),
    "threefold": Distortion(threefold=(0.0, 0.03)),
    "barrel": Distortion(barrel=0.04),
    "spiral": Distortion(spiral=-0.04),
}


def marks_of(camera, crystal=ALUMINIUM, *, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    parts = []
    for number, (axis, turn) in enumerate(VIEWS):
        place = camera.places(crystal, axis, View(rotation_deg=turn + 7 * seed))
        parts.append((np.full(len(place), number), place + noise * rng.standard_normal(place.shape)))
    number, place = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    n = len(place)
    return Marks(number, place, np.full(n, noise), np.full(n, 50.0), np.full(n, -1))


@lru_cache
def fitted(name, seed=0):
    camera = Camera(center=(48.0, 47.3), ratio=1.02, angle_deg=25.0, distortion=DISTORTIONS[name])
    return fit_lens(marks_of(camera, seed=seed), points(ALUMINIUM, 1.6), START, lens=Lens(), reach=1.5)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_a_known_term_comes_back_within_its_error_and_no_other_is_claimed(name):
    fit, truth = fitted(name), DISTORTIONS[name]
    assert fit.where.distortion.terms == (name,)
    error = np.zeros(8)
    error[list(fit.coefficients)] = np.sqrt(np.diag(fit.covariance)[5:])
    off = fit.where.distortion.coefficients - truth.coefficients
    assert np.all(np.abs(off) <= 4 * error)
    assert error.max() < 0.25 * np.abs(truth.coefficients).max()  # and the error says something
    assert abs(fit.where.scale / 0.025 - 1) < 4 * np.sqrt(fit.covariance[2, 2]) + 1e-4
    assert fit.plain.rms_px > 2 * fit.rms_px


def test_no_term_is_claimed_where_there_is_none():
    found = []
    for seed in range(5):
        camera = Camera(center=(48.0, 47.3), ratio=1.02, angle_deg=25.0)
        marks = marks_of(camera, seed=seed)
        fit = fit_lens(marks, points(ALUMINIUM, 1.6), START, lens=Lens(), reach=1.5)
        found.append(fit.where.distortion.terms)
    assert found.count(()) == 5


def test_ellipse_scale_and_centre_come_back_without_any_term():
    camera = Camera(center=(48.3, 47.1), ratio=1.05, angle_deg=60.0)
    fit = fit_lens(marks_of(camera), points(ALUMINIUM, 1.6), START, lens=Lens(terms=()), reach=1.5)
    ratio, angle = fit.where.ellipse
    assert ratio == pytest.approx(1.05, abs=0.002)
    assert angle == pytest.approx(60.0, abs=2)
    np.testing.assert_allclose(fit.where.center, (48.3, 47.1), atol=0.1)
    assert fit.coefficients == ()
    assert fit.plain is None
    assert fit.explained == 1.0


def test_another_lattice_is_worse_by_far_and_earns_no_terms():
    copper = Crystal.face_centred("Cu", 3.615)
    marks = marks_of(Camera())
    right = held_lens(marks, points(ALUMINIUM, 1.6), Camera().calibration)
    wrong = fit_lens(marks, points(copper, 1.7), START, lens=Lens(), reach=1.5)
    assert right.log_odds > 40
    assert wrong is None or (wrong.log_odds < right.log_odds - 20 and wrong.coefficients == ())


def test_spots_anywhere_are_no_crystal():
    rng = np.random.default_rng(3)
    place = rng.uniform(5, 90, (24, 2))
    marks = Marks(np.repeat([0, 1], 12), place, np.full(24, 0.1), np.full(24, 9.0), np.full(24, -1))
    fit = fit_lens(marks, points(ALUMINIUM, 1.7), START, lens=Lens(), reach=1.6)
    assert fit is None or (fit.log_odds < 5 and fit.explained < 0.6)


@pytest.mark.parametrize("axis", [(0, 0, 1), (0, 1, 3), (1, 2, 3)])
def test_an_orientation_is_found_from_places(axis):
    truth = View(rotation_deg=33.0).orientation(ALUMINIUM, axis)
    seen = spot_pattern(ALUMINIUM, truth, reach=1.5)
    found = orientations(seen.g, points(ALUMINIUM, 1.6))[0]
    turned = np.diag([-1.0, -1.0, 1.0])  # half a turn about the beam looks alike
    symmetry = Symmetry.of(ALUMINIUM)
    apart = [float(misorientation(found, other, symmetry).angle_deg) for other in (truth, turned @ truth)]
    assert min(apart) < 3.0


def test_two_spots_of_no_lattice_have_no_orientation():
    assert orientations(np.array([[0.1, 0.0], [0.0, 0.11]]), points(ALUMINIUM, 1.0)).shape == (0, 3, 3)
