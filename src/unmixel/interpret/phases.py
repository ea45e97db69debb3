"""Names for groups: spots are found in each pattern and compared with candidate structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.calibration import Calibration, CalibrationFit
from unmixel.dataset.lens import Lens
from unmixel.dataset.phases import (
    BY_HALO,
    BY_NOTHING,
    BY_PLACES,
    BY_RINGS,
    BY_SPOTS,
    HaloRing,
    PhaseAnswer,
    Phases,
    RingMatch,
)
from unmixel.dataset.results import Groups
from unmixel.interpret.calibration import chosen_calibration
from unmixel.interpret.identify import Identifier
from unmixel.interpret.marks import beam_radius, used_of
from unmixel.interpret.peaks import MAD, find_spots, radii, spot_sigma
from unmixel.interpret.places import PlaceIdentifier
from unmixel.interpret.powder import EVIDENCE, RingIdentifier
from unmixel.interpret.rings import find_rings, radial_profile
from unmixel.physics.cells import structures
from unmixel.physics.crystal import Crystal

REACH = 1.25
"""Spatial frequency up to which rings are told apart, 1/angstrom: spacings down to 0.8 angstrom."""

SHARP, FEWEST_RINGS = 0.1, 3
"""Width over position up to which a ring may be of crystals (a glass has about 0.2), and how many it takes."""


FEWEST_FOR_SCALE = 3
"""Groups that must agree about the scale of the detector before all are held to it."""


def identify(
    groups: Groups,
    candidates: Sequence[str | Path | Crystal],
    *,
    voltage_kV: float = 300.0,
    calibration: Calibration | CalibrationFit | Lens | None = None,
    spot_size: float | None = None,
    scale_tolerance: float = 0.02,
    largest: int = 3,
    least: float = 0.9,
) -> Phases:
    """Return which candidate structure each group of patterns belongs to, with runner-up and margin.

    Places of spots are compared with those of one crystal of each candidate. Where none fits (several crystals overlap,
    or the crystal is far off any zone axis) the radii alone are compared with rings: that tells the phase, not the
    orientation. Where three groups or more agree about the scale of the detector, all are held to it.

    Parameters
    ----------
    groups : Groups
        Its pattern axes must be calibrated, in 1/angstrom or mrad.
    candidates : sequence of CIF files, folders of them, names of built-in cells, or Crystal
    voltage_kV : float
    calibration : Calibration, CalibrationFit or Lens, optional
        What a pixel is worth, as `calibrate` found it: centre, scale, ellipse, distortion; that of the axes where it is
        not given. A `Lens` says how wrong it may be: one calibration is then fitted for all groups to each candidate,
        and candidates are compared by places of spots in any orientation, too.
    spot_size : float, optional
        Standard deviation of a spot, in pixels; measured on each pattern where it is not given.
    scale_tolerance : float
        How wrong the calibration of the detector may be.
    largest : int
        Largest index of a zone axis that is tried.
    least : float, 0 to 1
        Score below which no crystal is the answer.

    Returns
    -------
    Phases
        An answer for each group. Groups without spots are "amorphous".

    Raises
    ------
    InputError
        When patterns are not calibrated, a file is not a structure, or two candidates share a name.

    Examples
    --------
    >>> from unmixel.testing.crystals import View, groups_of
    >>> pattern = View().pattern(Crystal.face_centred("Cu", 3.615), (0, 1, 1))
    >>> identify(groups_of([pattern]), ["Cu", "Al"]).answers[0].phase
    'Cu'
    """
    lens = calibration if isinstance(calibration, Lens) else None
    given = calibration.start if isinstance(calibration, Lens) else calibration
    crystals = tuple(structures(candidates))
    places = PlaceIdentifier.of(
        groups, crystals, chosen_calibration(given, groups, voltage_kV), lens, spot_size
    )
    where = places.where
    step = float(np.mean(np.abs(where.step)))
    seen = [_spots(groups, number, where, spot_size) for number in range(groups.n_groups)]
    identifier = Identifier(
        crystals,
        voltage_kV=voltage_kV,
        tolerance=step,
        scale_tolerance=scale_tolerance,
        largest=largest,
        least=least,
    )
    answers = [
        _halo(groups, number, where) if spots is None else spots.answer(identifier)
        for number, spots in enumerate(seen)
    ]
    identifier, notes = _held_to_scale(identifier, answers)
    rings = RingIdentifier(
        crystals,
        place_error=0.5 * step,
        scale_tolerance=identifier.scale_tolerance,
        scale=identifier.scale,
    )
    for number, spots in enumerate(seen):
        if spots is None:
            answers[number] = _powder(answers[number], step, where.reach(groups.patterns.shape[1:]), rings)
            continue
        if notes:
            answers[number] = spots.answer(identifier)
        if answers[number].by != BY_SPOTS:
            answers[number] = places.answer(number, answers[number])
        if answers[number].by not in (BY_SPOTS, BY_PLACES):
            answers[number] = _by_rings(answers[number], spots, rings)
    notes += _together(answers, seen, rings)
    names = tuple(crystal.name for crystal in crystals)
    return Phases(tuple(answers), names, where, places.notes + notes)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Spots of one pattern in 1/angstrom: places, strengths, size, and between which radii they were looked for."""

    g: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    size: float
    inner: float
    reach: float

    @property
    def radius(self) -> NDArray[np.float64]:
        """Distances from the direct beam."""
        return np.asarray(np.linalg.norm(self.g, axis=1))

    @property
    def told_apart(self) -> NDArray[np.bool_]:
        """Which spots lie where rings can be told apart."""
        return np.asarray((self.radius > self.inner) & (self.radius <= min(self.reach, REACH)))

    def answer(self, identifier: Identifier) -> PhaseAnswer:
        """Return which crystal they belong to; a spot is found where it is to within its size."""
        own = replace(identifier, tolerance=max(identifier.tolerance, self.size))
        return own.answer(self.g, self.amplitude, reach=self.reach, inner=self.inner)


def _spots(groups: Groups, number: int, where: Calibration, size: float | None) -> _Seen | None:
    """Return the spots of a group's pattern, None where it has rings only."""
    if not groups.crystalline[number]:
        return None
    pattern, used = groups.patterns[number], used_of(groups, number)
    sigma = size or spot_sigma(pattern, where.center, used, inner=beam_radius(used, where.center, 1.5))
    inner = beam_radius(used, where.center, sigma)
    spots = find_spots(pattern, where.center, sigma=sigma, used=used, inner=inner)
    step = float(np.mean(np.abs(where.step)))
    return _Seen(where.g(spots.place), spots.amplitude, sigma * step, inner * step, where.reach(used.shape))


def _held_to_scale(
    identifier: Identifier, answers: Sequence[PhaseAnswer]
) -> tuple[Identifier, tuple[str, ...]]:
    """Return an identifier for the scale on which clear answers agree, and a sentence that says so.

    The detector has one scale: a candidate that needs another one is none.
    """
    found = np.array([answer.crystal.scale for answer in answers if answer.crystal is not None])
    if len(found) < FEWEST_FOR_SCALE:
        return identifier, ()
    middle = float(np.median(found))
    spread = MAD * float(np.median(np.abs(found - middle)))
    tolerance = max(3 * spread, 0.005)
    if tolerance >= identifier.scale_tolerance:
        return identifier, ()
    note = (
        f"{len(found)} groups agree that spatial frequencies are {middle:.4f} times what the calibration says "
        f"(spread {spread:.4f}); all groups were held to it within {tolerance:.2%}"
    )
    return replace(identifier, scale=middle, scale_tolerance=tolerance), (note,)


def _by_rings(answer: PhaseAnswer, spots: _Seen, identifier: RingIdentifier) -> PhaseAnswer:
    """Return an answer from the radii of spots whose places gave none; the answer as it is where they tell nothing."""
    n = int(np.count_nonzero(spots.told_apart))
    if not n:
        return answer
    matches = identifier.matches(spots.radius, reach=min(spots.reach, REACH), inner=spots.inner)
    clear = matches[0].evidence >= EVIDENCE
    return replace(
        answer,
        phase=matches[0].phase if clear else "unknown",
        by=BY_RINGS if clear else BY_NOTHING,
        reason=f"no single crystal fits ({answer.reason}); {_odds(matches, n)}",
        rings=matches,
    )


def _odds(matches: tuple[RingMatch, ...], n: int) -> str:
    """Return in words what the radii of n spots say."""
    first = matches[0]
    odds = f"{np.exp(min(abs(first.evidence), 20.0)):.3g} to 1 {'for' if first.evidence > 0 else 'against'}"
    spots = "the radius of 1 spot is" if n == 1 else f"the radii of {n} spots are"
    told = f"{spots} {odds} {first.phase} (probability {first.probability:.0%}"
    return told + (f"; next is {matches[1].phase} with {matches[1].probability:.0%})" if matches[1:] else ")")


def _together(
    answers: Sequence[PhaseAnswer], seen: Sequence[_Seen | None], identifier: RingIdentifier
) -> tuple[str, ...]:
    """Return what the groups without a single crystal say together, if they are of one phase."""
    some = [
        spots
        for answer, spots in zip(answers, seen, strict=True)
        if spots is not None and answer.by not in (BY_SPOTS, BY_PLACES) and spots.told_apart.any()
    ]
    if len(some) < 2:
        return ()
    inner, reach = max(spots.inner for spots in some), min(REACH, *(spots.reach for spots in some))
    matches = identifier.matches(*(spots.radius for spots in some), reach=reach, inner=inner)
    n = sum(int(np.count_nonzero(spots.told_apart)) for spots in some)
    return (f"if the {len(some)} groups that fit no single crystal are of one phase: {_odds(matches, n)}",)


def _halo(groups: Groups, number: int, where: Calibration) -> PhaseAnswer:
    """Return what can be said of a pattern without spots: its rings, how wide they are."""
    used = used_of(groups, number)
    seen = used & (radii(used.shape, where.center) >= beam_radius(used, where.center, 1.0))
    if not seen.any() or not np.any(groups.patterns[number]):
        return PhaseAnswer("amorphous", "no spots, and too few rings to say more", BY_HALO)
    step = (abs(where.step[0]), abs(where.step[1]))
    profile = radial_profile(groups.patterns[number], center=where.center, step=step, used=seen)
    found = tuple(
        HaloRing(ring.position, ring.position_error, ring.fwhm, ring.fwhm_error, ring.height)
        for ring in find_rings(profile)
    )
    if not found:
        return PhaseAnswer("amorphous", "no spots, and no ring stands out", BY_HALO)
    top = max(found, key=lambda ring: ring.height)
    told = (
        f"no spots; the strongest ring is at {top.position:.4f} ± {top.position_error:.4f} 1/angstrom, "
        f"{top.fwhm:.3f} ± {top.fwhm_error:.3f} wide at half maximum"
    )
    return PhaseAnswer("amorphous", told, BY_HALO, halo=found)


def _powder(answer: PhaseAnswer, step: float, reach: float, identifier: RingIdentifier) -> PhaseAnswer:
    """Return the answer for rings without spots, if they are sharp and many enough to be those of crystals."""
    sharp = [ring for ring in answer.halo if ring.fwhm <= SHARP * ring.position and ring.position <= REACH]
    if len(sharp) < FEWEST_RINGS:
        return answer
    radius = np.array([ring.position for ring in sharp])
    error = float(np.hypot(max(ring.position_error for ring in sharp), 0.1 * step))
    own = replace(identifier, place_error=error)
    # what lies within the innermost ring may be hidden by the beam
    matches = own.matches(radius, reach=min(reach, REACH), inner=0.9 * float(radius.min()))
    clear = matches[0].evidence >= EVIDENCE
    return replace(
        answer,
        phase=matches[0].phase if clear else "unknown",
        by=BY_RINGS if clear else BY_NOTHING,
        reason=f"{len(sharp)} sharp rings: {_odds(matches, len(sharp))}",
        rings=matches,
    )
