"""Which structure a pattern belongs to, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.calibration import Calibration

Float = NDArray[np.float64]

BY_SPOTS, BY_PLACES, BY_RINGS, BY_HALO, BY_NOTHING = "spots", "places", "rings", "halo", "nothing"
"""What an answer rests on: places and intensities of spots, their places alone, radii alone, a halo, or too little."""


@dataclass(frozen=True, eq=False)
class PhaseMatch:
    """How one crystal of a candidate structure fits the spots of a pattern.

    Parameters
    ----------
    phase : str
        Name of the candidate.
    score : float, 0 to 1
        Cosine between the measured and the expected root intensities of all spots in reach: 1 where every spot is
        where it should be and as strong as it should be, less for each that is not explained or not seen.
    explained, seen : float, 0 to 1
        Share of the measured root intensity at expected places; share of the expected one at measured places.
    zone_axis : (int, int, int)
        Direction [uvw] against the electrons.
    rotation_deg : float
        In-plane rotation of the expected pattern, counter-clockwise as displayed.
    tilt_deg : (float, float)
        How far the crystal is tilted off the zone axis, towards v and u of the expected pattern before its rotation.
    scale : float
        Measured over expected spatial frequency.
    residual : float
        Root mean square distance of matched spots, in 1/angstrom.
    g : ndarray, shape (q, 2)
        (v, u) on the detector, in 1/angstrom, of every spot that should be seen.
    root : ndarray, shape (q,)
        Their root intensities, the strongest 1.
    hkl : ndarray of int, shape (q, 3)
    doubled : ndarray of bool, shape (q,)
        Which of them only double diffraction explains.
    spot : ndarray of int, shape (q,)
        The pattern's spot that was found there, -1 where there is none.
    """

    phase: str
    score: float
    explained: float
    seen: float
    zone_axis: tuple[int, int, int]
    rotation_deg: float
    tilt_deg: tuple[float, float]
    scale: float
    residual: float
    g: Float
    root: Float
    hkl: NDArray[np.intp]
    doubled: NDArray[np.bool_]
    spot: NDArray[np.intp]

    @property
    def matched(self) -> NDArray[np.bool_]:
        """Which of the expected spots were found, shape (q,)."""
        return np.asarray(self.spot >= 0)


@dataclass(frozen=True, eq=False)
class PlaceMatch:
    """How a crystal of a candidate structure, in any orientation, fits the places of a pattern's spots.

    Parameters
    ----------
    phase : str
    score : float, 0 to 1
        Share of the spots that lie on its reflections.
    evidence : float
        Natural logarithm of how much likelier the places are with this crystal than by chance, all its orientations
        and what the calibration may be wrong by taken into account.
    probability : float, 0 to 1
        Among all candidates and none of them, each as likely beforehand.
    orientation : ndarray, shape (3, 3)
        Rows: what lies to the right, up, and against the electrons, in the crystal's frame.
    scale : float
        Measured over expected spatial frequency, of the calibration that was given.
    residual : float
        Root mean square distance of these spots from the reflections, in 1/angstrom.
    g : ndarray, shape (q, 2)
        (v, u) on the detector, in 1/angstrom, of reflections that were found or that lie near the Ewald sphere.
    root : ndarray, shape (q,)
        Their root intensities, of the strongest of the structure.
    hkl : ndarray of int, shape (q, 3)
    spot : ndarray of int, shape (q,)
        The pattern's spot that was found there, -1 where there is none.
    """

    phase: str
    score: float
    evidence: float
    probability: float
    orientation: Float
    scale: float
    residual: float
    g: Float
    root: Float
    hkl: NDArray[np.intp]
    spot: NDArray[np.intp]

    @property
    def matched(self) -> NDArray[np.bool_]:
        """Which of the expected spots were found, shape (q,)."""
        return np.asarray(self.spot >= 0)

    @property
    def doubled(self) -> NDArray[np.bool_]:
        """Which of them only double diffraction explains: none, such reflections take no part; shape (q,)."""
        return np.zeros(len(self.spot), bool)


@dataclass(frozen=True, eq=False)
class RingMatch:
    """How the rings of a candidate structure fit the radii of a pattern's spots, whatever their directions.

    Parameters
    ----------
    phase : str
    score : float, 0 to 1
        Share of the spots that lie on its rings, beyond what chance puts there.
    evidence : float
        Natural logarithm of how much likelier the radii are with these rings than without any.
    probability : float, 0 to 1
        Among all candidates and none of them, each as likely beforehand.
    scale : float
        Measured over expected spatial frequency.
    residual : float
        Root mean square distance of spots from their rings, in 1/angstrom.
    radius : ndarray, shape (q,)
        Of the rings in reach, as they lie on the detector, 1/angstrom.
    hkl : ndarray of int, shape (q, 3)
        One reflection of each ring.
    ring : ndarray of int, shape (n,)
        Ring of each of the pattern's spots, -1 where it lies on none.
    """

    phase: str
    score: float
    evidence: float
    probability: float
    scale: float
    residual: float
    radius: Float
    hkl: NDArray[np.intp]
    ring: NDArray[np.intp]


@dataclass(frozen=True)
class HaloRing:
    """A ring of a pattern without spots, in 1/angstrom.

    Parameters
    ----------
    position, position_error : float
        Spatial frequency of its maximum and the standard error.
    fwhm, fwhm_error : float
        Full width at half maximum and the standard error.
    height : float
        Above its surroundings, in the pattern's own unit.
    """

    position: float
    position_error: float
    fwhm: float
    fwhm_error: float
    height: float


@dataclass(frozen=True, eq=False)
class PhaseAnswer:
    """What one pattern was found to be.

    Parameters
    ----------
    phase : str
        Name of the answer, ``"unknown"`` or ``"amorphous"``.
    reason : str
        Why it is the answer, in one sentence.
    by : str
        What the answer rests on: ``"spots"``, ``"places"``, ``"rings"``, ``"halo"`` or ``"nothing"``.
    matches : tuple of PhaseMatch
        The best of each candidate, best first.
    rings : tuple of RingMatch
        Where places alone gave no answer: every candidate, the likeliest first.
    g : ndarray, shape (n, 2)
        (v, u) of all spots of the pattern, in 1/angstrom.
    intensity : ndarray, shape (n,)
        Of the spots, in the pattern's own unit.
    places : tuple of PlaceMatch
        Where places were looked at without intensities: every candidate that fits, the likeliest first.
    halo : tuple of HaloRing
        Rings of a pattern without spots, the innermost first.
    """

    phase: str
    reason: str
    by: str = BY_NOTHING
    matches: tuple[PhaseMatch, ...] = ()
    rings: tuple[RingMatch, ...] = ()
    g: Float = field(default_factory=lambda: np.zeros((0, 2)))
    intensity: Float = field(default_factory=lambda: np.zeros(0))
    halo: tuple[HaloRing, ...] = ()
    places: tuple[PlaceMatch, ...] = ()

    @property
    def strongest_ring(self) -> HaloRing | None:
        """The highest ring of a pattern without spots."""
        return max(self.halo, key=lambda ring: ring.height, default=None)

    @property
    def n_spots(self) -> int:
        """Number of spots of the pattern."""
        return len(self.intensity)

    @property
    def ranked(self) -> tuple[PhaseMatch | PlaceMatch | RingMatch, ...]:
        """Matches that the answer rests on, best first: by places, else by rings where there was none by spots."""
        return self.places if self.by == BY_PLACES else self.rings or self.matches

    @property
    def best(self) -> PhaseMatch | PlaceMatch | RingMatch | None:
        """The best match of all candidates, whether it is good enough or not."""
        return self.ranked[0] if self.ranked else None

    @property
    def runner_up(self) -> PhaseMatch | PlaceMatch | RingMatch | None:
        """The best match of any other candidate."""
        return self.ranked[1] if len(self.ranked) > 1 else None

    @property
    def margin(self) -> float:
        """How much better the best candidate is than the next; NaN where there are not two.

        Difference of scores of spots; of probabilities where the answer rests on places or rings.
        """
        if len(self.ranked) < 2:
            return float("nan")
        first, second = (_standing(match) for match in self.ranked[:2])
        return first - second

    @property
    def crystal(self) -> PhaseMatch | None:
        """The match of the crystal that the pattern shows; None where its orientation is not known."""
        return self.matches[0] if self.by == BY_SPOTS else None


def _standing(match: PhaseMatch | PlaceMatch | RingMatch) -> float:
    return match.score if isinstance(match, PhaseMatch) else match.probability


_BARE = Calibration.from_steps((0.0, 0.0), (1.0, 1.0))


@dataclass(frozen=True, eq=False)
class Phases:
    """Answers for the patterns of all groups, in their order.

    Parameters
    ----------
    answers : tuple of PhaseAnswer
    candidates : tuple of str
    calibration : Calibration
        What a pixel of the patterns was taken to be worth.
    notes : tuple of str
        What was done, and what to bear in mind, in sentences.
    """

    answers: tuple[PhaseAnswer, ...]
    candidates: tuple[str, ...]
    calibration: Calibration = _BARE
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.answers)

    def __iter__(self) -> Iterator[PhaseAnswer]:
        """Yield the answers."""
        return iter(self.answers)

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each group: phase, score, runner-up, margin, zone axis, rotation, scale, reason.

        Where a structure fits badly, its numbers stand there all the same: the phase says ``"unknown"``.
        """
        return [_row(number, answer) for number, answer in enumerate(self.answers)]


def _row(number: int, answer: PhaseAnswer) -> dict[str, Any]:
    best, second = answer.best, answer.runner_up
    crystal = best if isinstance(best, PhaseMatch) else None
    ring = answer.strongest_ring
    return {
        "group": number,
        "phase": answer.phase,
        "by": answer.by,
        "score": None if best is None else round(best.score, 4),
        "best": None if best is None else best.phase,
        "runner_up": None if second is None else second.phase,
        "margin": None if second is None else round(answer.margin, 4),
        "zone_axis": None if crystal is None else " ".join(str(i) for i in crystal.zone_axis),
        "rotation_deg": None if crystal is None else round(crystal.rotation_deg, 2),
        "scale": None if best is None else round(best.scale, 4),
        "n_spots": answer.n_spots,
        "ring_1_per_angstrom": None if ring is None else round(ring.position, 5),
        "ring_fwhm_1_per_angstrom": None if ring is None else round(ring.fwhm, 5),
        "reason": answer.reason,
    }
