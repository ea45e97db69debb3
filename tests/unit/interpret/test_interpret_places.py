"""Names and calibrations by places: distorted phantoms are named once the lens is measured, and not before."""

from functools import lru_cache

import h5py
import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.calibration import Calibration
from unmixel.dataset.distortion import Distortion
from unmixel.dataset.lens import Lens
from unmixel.dataset.phases import BY_PLACES
from unmixel.interpret.calibrate import calibrate
from unmixel.interpret.phases import identify
from unmixel.interpret.spacings import d_spacings
from unmixel.io.phases import read_phases, write_phases
from unmixel.physics.crystal import Crystal
from unmixel.pipeline.naming import Naming
from unmixel.report.phases import answer_words, candidate_rows
from unmixel.testing.cameras import Camera
from unmixel.testing.crystals import groups_of

ALUMINIUM, COPPER = Crystal.face_centred("Al", 4.05), Crystal.face_centred("Cu", 3.615)
BENT = Distortion(perspective=(0.05, -0.02))
CAMERA = Camera(center=(48.0, 47.3), ratio=1.04, angle_deg=20.0, distortion=BENT)
LENS = Lens(terms=("perspective", "barrel"))
START = Lens(terms=LENS.terms, start=Calibration.from_steps((47.5, 47.5), (0.025, 0.025)))


@lru_cache
def patterns():
    return CAMERA.patterns(ALUMINIUM, [(0, 0, 1), (1, 1, 2), (0, 1, 1)], electrons=300_000, seed=5)


@lru_cache
def named():
    # as where dynamical scattering makes intensities of no use: places have to do
    return identify(groups_of(list(patterns())), [COPPER, ALUMINIUM], calibration=LENS, least=1.0)


@lru_cache
def fit():
    return calibrate(patterns(), ALUMINIUM, start=START)


def test_distorted_patterns_are_named_once_the_lens_is_measured_and_it_is_told():
    before = identify(groups_of(list(patterns())), [COPPER, ALUMINIUM])
    assert any(answer.phase != "Al" for answer in before)
    phases = named()
    assert [answer.phase for answer in phases] == ["Al"] * 3
    assert all(answer.by == BY_PLACES for answer in phases)
    assert phases.calibration.distortion.terms == ("perspective",)
    assert "fitted to Al" in phases.notes[0]
    assert "perspective" in phases.notes[0]


def test_an_answer_by_places_says_how_likely_it_is_and_where_its_spots_are():
    for answer in named():
        first, second = answer.places
        assert first.probability > 0.9 > second.probability
        assert answer.margin == pytest.approx(first.probability - second.probability)
        assert answer.best is first
        assert first.score > 0.8
        found = first.matched
        off = np.linalg.norm(first.g[found] - answer.g[first.spot[found]], axis=1)
        assert off.max() < 0.025
        assert not first.doubled.any()
        assert "by places" in answer_words(answer)
        assert candidate_rows(answer)[0]["direction"].startswith("by places")


def test_answers_by_places_and_the_distortion_are_read_back(tmp_path):
    with h5py.File(tmp_path / "phases.h5", "w") as file:
        write_phases(file, named())
        back = read_phases(file["phases"])
    assert back.calibration == named().calibration
    for one, other in zip(back, named(), strict=True):
        assert (one.phase, one.by, len(one.places)) == (other.phase, other.by, len(other.places))
        for a, b in zip(one.places, other.places, strict=True):
            np.testing.assert_array_equal(a.orientation, b.orientation)
            np.testing.assert_array_equal(a.spot, b.spot)
            assert a.probability == b.probability


def test_a_single_pattern_is_not_named_by_places_alone():
    one = identify(groups_of([patterns()[0]]), [ALUMINIUM], calibration=LENS, least=1.0).answers[0]
    assert one.places[0].score > 0.8
    assert one.by != BY_PLACES


def test_without_a_lens_nothing_changes():
    groups = groups_of([Camera().pattern(COPPER, (0, 1, 1), _view(), electrons=200_000)])
    phases = identify(groups, [COPPER, ALUMINIUM])
    assert phases.calibration.distortion == Distortion()
    assert all(not answer.places for answer in phases)
    assert phases.notes == ()


def _view():
    from unmixel.testing.crystals import View

    return View(rotation_deg=20.0)


def test_a_known_phase_gives_the_distortion_with_residuals_before_and_after():
    found = fit()
    assert found.trusted
    assert found.calibration.distortion.terms == ("perspective",)
    off = found.calibration.distortion.coefficients - BENT.coefficients
    assert np.all(np.abs(off) <= 4 * found.distortion_errors + 1e-12)
    assert found.rms_plain_px > 2 * found.rms_px
    assert abs(found.scale - 0.025) < 4 * found.scale_error + 1e-5
    assert found.covariance.shape == (7, 7)
    assert "perspective" in found.words
    assert "px without it" in found.words


def test_spacings_use_the_distortion_and_their_errors_hold():
    groups = groups_of(list(patterns()))
    rows = [row for row in d_spacings(groups, fit()) if row.d > 0.9]
    allowed = 4.05 / np.sqrt([3, 4, 8, 11, 12, 16, 19, 20])
    off = np.array([np.abs(row.d - allowed).min() for row in rows])
    error = np.array([row.error for row in rows])
    assert len(rows) >= 6
    assert np.all(off < 5 * error)
    assert np.median(error / [row.d for row in rows]) < 0.005
    plain = d_spacings(groups, Camera(ratio=1.04, angle_deg=20.0).calibration)
    worse = [np.abs(row.d - allowed).min() / row.d for row in plain if row.d > 0.9]
    # opposite spots undo terms of even order by themselves, single spots do not
    assert np.max(off / [row.d for row in rows]) < 0.8 * np.max(worse)


def test_patterns_without_spots_give_nothing():
    empty = calibrate(np.ones((2, 96, 96)), ALUMINIUM, start=START)
    assert not empty.trusted
    phases = identify(groups_of([np.ones((96, 96))]), [ALUMINIUM], calibration=LENS)
    assert phases.answers[0].phase == "unknown"
    assert "left as it is" in phases.notes[0]


def test_a_recipe_asks_for_it_and_says_what_is_wrong():
    assert Naming(("Cu",)).lens is None
    assert Naming(("Cu",), distortion={}).lens == Lens()
    assert Naming(("Cu",), distortion={"terms": ["barrel"], "stretch": 0.01}).lens == Lens(
        terms=("barrel",), stretch=0.01
    )
    with pytest.raises(InputError, match="parameters among"):
        Naming(("Cu",), distortion={"term": ["barrel"]})
    with pytest.raises(InputError, match="terms among"):
        Naming(("Cu",), distortion={"terms": ["cushion"]})
