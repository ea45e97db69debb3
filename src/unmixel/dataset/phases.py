"""Which structure a pattern belongs to, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PhaseMatch:
    """How a candidate structure fits the spots of a pattern.

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
    measured : ndarray of int, shape (p,)
        Which of the pattern's spots were matched.
    hkl : ndarray of int, shape (p, 3)
        Their indices.
    doubled : ndarray of bool, shape (p,)
        Which of them only double diffraction explains.
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
    measured: NDArray[np.intp]
    hkl: NDArray[np.intp]
    doubled: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PhaseAnswer:
    """What one pattern was found to be.

    Parameters
    ----------
    matches : tuple of PhaseMatch
        The best of each candidate, best first.
    reason : str
        Why the first of them is the answer, or why nothing is, in one sentence.
    phase : str
        Name of the answer, ``"unknown"`` or ``"amorphous"``.
    n_spots : int
        Spots that the pattern has.
    """

    matches: tuple[PhaseMatch, ...]
    reason: str
    phase: str
    n_spots: int

    @property
    def best(self) -> PhaseMatch | None:
        """The best match of all candidates, whether it is good enough or not."""
        return self.matches[0] if self.matches else None

    @property
    def runner_up(self) -> PhaseMatch | None:
        """The best match of any other candidate."""
        return self.matches[1] if len(self.matches) > 1 else None

    @property
    def margin(self) -> float:
        """How much better the best candidate is than the next; NaN where there are not two."""
        return self.matches[0].score - self.matches[1].score if len(self.matches) > 1 else float("nan")


@dataclass(frozen=True, eq=False)
class Phases:
    """Answers for the patterns of all groups, in their order.

    Parameters
    ----------
    answers : tuple of PhaseAnswer
    candidates : tuple of str
    """

    answers: tuple[PhaseAnswer, ...]
    candidates: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.answers)

    def __iter__(self) -> Iterator[PhaseAnswer]:
        """Yield the answers."""
        return iter(self.answers)

    def table(self) -> list[dict[str, object]]:
        """Return a row for each group: phase, score, runner-up, margin, zone axis, rotation, scale, reason.

        Where a structure fits badly, its numbers stand there all the same: the phase says ``"unknown"``.
        """
        rows = []
        for number, answer in enumerate(self.answers):
            best, second = answer.best, answer.runner_up
            rows.append(
                {
                    "group": number,
                    "phase": answer.phase,
                    "score": None if best is None else round(best.score, 4),
                    "best": None if best is None else best.phase,
                    "runner_up": None if second is None else second.phase,
                    "margin": None if second is None else round(answer.margin, 4),
                    "zone_axis": None if best is None else " ".join(str(i) for i in best.zone_axis),
                    "rotation_deg": None if best is None else round(best.rotation_deg, 2),
                    "scale": None if best is None else round(best.scale, 4),
                    "n_spots": answer.n_spots,
                    "reason": answer.reason,
                }
            )
        return rows
