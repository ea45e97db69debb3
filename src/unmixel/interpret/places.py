"""What places of spots say once all crystals of a phase were fitted together: a calibration, and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.calibration import Calibration, CalibrationFit, SpotResiduals
from unmixel.dataset.distortion import TERMS
from unmixel.dataset.lens import Lens, LensFit
from unmixel.dataset.phases import BY_PLACES, PhaseAnswer, PlaceMatch
from unmixel.dataset.results import Groups
from unmixel.interpret.indexing import points
from unmixel.interpret.lens import LEAST_EXPLAINED, fit_lens, held_lens
from unmixel.interpret.marks import Marks, joined, spot_marks, used_of
from unmixel.interpret.powder import EVIDENCE
from unmixel.physics.crystal import Crystal

Float = NDArray[np.float64]

FEWEST = 6
"""Spots that a pattern must have to be indexed."""

TRUSTED = 10.0
"""Logarithm of the odds against chance from which on a calibration by places is trusted."""

BEHIND = 40.0
"""By how much the log odds of a candidate may be below those of the best one before its calibration is out of the
question. Phases of one lattice differ by a scale, and their fits by up to 30 (the search, not the evidence): which
calibration is right, only what is known of the scale beforehand can then say."""

PATTERNS, SPOTS = 3, 30
"""Patterns that a structure must explain under one calibration, and spots in all of them: a few spots of one net lie on
some net of almost any structure."""

CERTAIN = 0.9
"""Probability from which on places of spots give an answer: phases of one kind of lattice fit alike."""

SHOWN = (0.02, 0.1)
"""Which reflections are shown though they were not found: distance from the plane at right angles to the beam, in
1/angstrom and as a share of the length, and least share of the strongest root intensity."""


def indexable(marks: Marks, shape: tuple[int, ...], size: float) -> Marks:
    """Return the marks that may be indexed: clear of the rim, of patterns that have enough of them.

    Parameters
    ----------
    marks : Marks
    shape : (int, int)
        Of the patterns.
    size : float
        Of a spot, in px: nearer to the rim only part of it is seen.
    """
    inside = np.all((marks.place > size) & (marks.place < np.asarray(shape) - 1 - size), axis=1)
    kept = marks.at(inside)
    number, count = np.unique(kept.pattern, return_counts=True)
    return kept.at(np.isin(kept.pattern, number[count >= FEWEST]))


def lens_of(marks: Marks, crystal: Crystal, start: Calibration, lens: Lens) -> LensFit | None:
    """Return the calibration under which a crystal lies on the spots of patterns, None where it lies on none."""
    if not len(marks):
        return None
    reach = _reach(marks, start, lens)
    of = points(crystal, reach)
    return fit_lens(marks, of, start, lens=lens, reach=reach) if len(of.g) else None


def _reach(marks: Marks, start: Calibration, lens: Lens) -> float:
    """Return the spatial frequency up to which reflections may lie on spots."""
    return (1.05 + 2 * lens.log_scale) * float(np.linalg.norm(start.g(marks.place), axis=1).max())


def calibration_of(fit: LensFit, marks: Marks, crystal: Crystal, notes: Sequence[str]) -> CalibrationFit:
    """Return the fit of a known phase as a calibration, with residuals along the radius.

    Parameters
    ----------
    fit : LensFit
    marks : Marks
        Those that it was made from.
    crystal : Crystal
    notes : sequence of str
        That are added to its words.
    """
    of = points(crystal, fit.reach)
    point = np.concatenate([one.point for one in fit.lying])
    g = fit.where.g(marks.place)
    spots = SpotResiduals(
        pattern=marks.pattern,
        place=marks.place,
        place_error=marks.error,
        measured=np.linalg.norm(g, axis=1),
        expected=of.length[point],
        hkl=of.hkl[point],
        azimuth_deg=np.rad2deg(np.arctan2(-g[:, 0], g[:, 1])) % 360,
        used=np.concatenate([one.explained for one in fit.lying]),
        ambiguous=np.zeros(len(g), bool),
    )
    off = np.concatenate([one.distance for one in fit.lying])[spots.used]
    chance = float(np.exp(-max(fit.log_odds, 0.0)))
    n_used, n = int(spots.used.sum()), len(g)
    trusted = fit.log_odds > TRUSTED and fit.explained >= LEAST_EXPLAINED
    return CalibrationFit(
        calibration=fit.where,
        covariance=fit.covariance,
        phase=crystal.name,
        spots=spots,
        chi_square=float(np.sum((off / marks.error[spots.used]) ** 2)),
        degrees_of_freedom=max(0, 2 * n_used - len(fit.covariance) - 3 * len(fit.lying)),
        scatter=fit.scatter,
        explained=fit.explained,
        chance=chance,
        trusted=trusted,
        words=" ".join([_words(fit, crystal.name, (n_used, n), trusted), *notes]),
        coefficients=fit.coefficients,
        rms_plain_px=float("nan") if fit.plain is None else fit.plain.rms_px,
    )


def lens_words(fit: LensFit) -> str:
    """Return in words which terms of a distortion were found, and what they gain."""
    if fit.plain is None:
        return f"no term of a distortion beyond the ellipse is significant (rms {fit.rms_px:.2f} px)"
    errors = np.zeros(8)
    errors[list(fit.coefficients)] = np.sqrt(np.diag(fit.covariance)[5:])
    parts = []
    for name in fit.where.distortion.terms:
        values, error = fit.where.distortion.coefficients[TERMS[name]], errors[TERMS[name]]
        unit = "angstrom" if len(values) == 2 else "angstrom^2"
        told = ", ".join(f"{v:+.4f} ± {e:.4f}" for v, e in zip(values, error, strict=True))
        parts.append(f"{name} {told} {unit}")
    return (
        f"distortion beyond the ellipse: {'; '.join(parts)} (rms {fit.plain.rms_px:.2f} px without it, "
        f"{fit.rms_px:.2f} px with it)"
    )


def _words(fit: LensFit, phase: str, counts: tuple[int, int], trusted: bool) -> str:
    indexed = sum(one.log_odds > 0 for one in fit.lying)
    told = (
        f"{counts[0]} of {counts[1]} spots lie on reflections of {phase} in {indexed} of {len(fit.lying)} patterns "
        f"that were indexed, rms {fit.rms_px:.2f} px; {lens_words(fit)}."
    )
    if trusted:
        return told
    return f"Not to be trusted: {phase} explains {fit.explained:.0%} of the spots. {told}"


def match_of(
    fit: LensFit, which: int, crystal: Crystal, start: Calibration, *, on: Calibration, probability: float
) -> PlaceMatch:
    """Return how a crystal lies on the spots of one pattern; no spot of the answer is assigned yet.

    Parameters
    ----------
    fit : LensFit
    which : int
        Place of the pattern in the fit.
    crystal : Crystal
    start : Calibration
        What the patterns were taken to be worth before.
    on : Calibration
        In whose spatial frequencies the expected spots are given.
    probability : float
    """
    one = fit.lying[which]
    of = points(crystal, float(fit.reach))
    there = of.g @ one.orientation.T
    found = np.unique(one.point[one.explained])
    shown = (np.abs(there[:, 2]) < SHOWN[0] * (1 + of.length)) & (of.root > SHOWN[1] * of.root.max())
    shown[found] = True
    near = one.distance[one.explained]
    return PlaceMatch(
        phase=crystal.name,
        score=float(np.mean(one.explained)),
        evidence=one.log_odds,
        probability=probability,
        orientation=one.orientation,
        scale=start.scale / fit.where.scale,
        residual=float(np.sqrt(np.mean(near**2))) * fit.where.scale if near.size else float("nan"),
        g=on.g(fit.where.place(np.column_stack([-there[shown, 1], there[shown, 0]]))),
        root=of.root[shown] / of.root.max(),
        hkl=of.hkl[shown],
        spot=np.full(int(shown.sum()), -1, np.intp),
    )


def _shares(odds: Float) -> Float:
    """Return probabilities of candidates (last axis) among all of them and none, each as likely beforehand."""
    top = np.maximum(odds.max(axis=-1, keepdims=True), 0.0)
    share = np.exp(odds - top)
    return np.asarray(share / (share.sum(axis=-1, keepdims=True) + np.exp(-top)))


@dataclass(frozen=True, eq=False)
class PlaceIdentifier:
    """What one calibration for all groups makes of each candidate; nothing where nobody asked for it.

    Parameters
    ----------
    crystals : tuple of Crystal
    start : Calibration
        What a pixel is worth as far as it is known.
    marks : Marks
        Spots of those groups that have enough of them.
    fits : tuple of LensFit or None
        One for each candidate, under the calibration that fits it best; () where nothing is to be measured.
    held : dict of int to tuple of LensFit
        For those candidates whose calibration may be the right one, how every candidate lies under it. Probabilities
        are averaged over them, weighted by how probable each is beforehand.
    """

    crystals: tuple[Crystal, ...]
    start: Calibration
    marks: Marks
    fits: tuple[LensFit | None, ...] = ()
    held: Mapping[int, tuple[LensFit, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        groups: Groups,
        crystals: tuple[Crystal, ...],
        where: Calibration,
        lens: Lens | None,
        size: float | None,
    ) -> PlaceIdentifier:
        """Return the fits of all candidates."""
        if lens is None:
            return cls(crystals, where, joined([]))
        shape = groups.patterns.shape[1:]
        marks = joined(
            [
                spot_marks(n, groups.patterns[n], where, used=used_of(groups, n), spot_size=size)
                for n in np.flatnonzero(groups.crystalline).tolist()
            ]
        )
        marks = indexable(marks, shape, size or 2.0)
        plain = [lens_of(marks, one, where, replace(lens, terms=())) for one in crystals]
        best = max((fit.log_odds for fit in plain if fit is not None), default=0.0)
        fits = tuple(
            fit if fit is None or fit.log_odds < best - BEHIND else lens_of(marks, one, where, lens)
            for fit, one in zip(plain, crystals, strict=True)
        )
        odds = np.array([-np.inf if fit is None else fit.log_odds for fit in fits])
        likely = np.flatnonzero((odds >= EVIDENCE) & (odds > odds.max() - BEHIND))
        reach = _reach(marks, where, lens) if len(marks) else 0.0
        held = {}
        for number in likely.tolist():
            fit = fits[number]
            assert fit is not None  # nosec B101
            held[number] = tuple(
                fit if other == number else held_lens(marks, points(one, reach), fit.where)
                for other, one in enumerate(crystals)
            )
        return cls(crystals, where, marks, fits, held)

    @property
    def best(self) -> int | None:
        """Number of the candidate that explains most, None where none does."""
        odds = [-np.inf if fit is None else fit.log_odds for fit in self.fits]
        best = int(np.argmax(odds)) if odds else 0
        return best if odds and odds[best] >= EVIDENCE else None

    @property
    def where(self) -> Calibration:
        """The calibration of the best candidate, as it was where there is none."""
        fit = None if self.best is None else self.fits[self.best]
        return self.start if fit is None else fit.where

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done, in sentences."""
        if not self.fits:
            return ()
        if self.best is None:
            return ("no candidate lies on the spots under one calibration: it was left as it is",)
        fit, name = self.fits[self.best], self.crystals[self.best].name
        assert fit is not None  # nosec B101
        ratio, angle = fit.where.ellipse
        others = sorted(
            ((one.log_odds - fit.log_odds, crystal.name) for one, crystal in zip(self.fits, self.crystals, strict=True)
             if one is not None and one is not fit),
            reverse=True,
        )  # fmt: skip
        next_ = f"; next is {others[0][1]}, e^{-others[0][0]:.0f} times less likely" if others else ""
        rivals = [self.crystals[number].name for number in self.held if number != self.best]
        alike = f"; {', '.join(rivals)} would fit about as well on another scale" if rivals else ""
        return (
            f"the calibration was fitted to {name}, which lies on {fit.explained:.0%} of the spots of all "
            f"groups{next_}: {fit.where.scale:.5f} 1/angstrom a pixel ({self.start.scale:.5f} before), ellipse "
            f"{ratio:.4f} along {angle:.0f} degrees; {lens_words(fit)}{alike}",
        )

    def answer(self, number: int, answer: PhaseAnswer) -> PhaseAnswer:
        """Return the answer of a group by places of its spots; as it is where they give none."""
        which = np.flatnonzero(np.unique(self.marks.pattern) == number)
        if not self.fits or not len(which):
            return answer
        if self.best is None:
            return answer
        odds = np.array([[fit.lying[which[0]].log_odds for fit in fits] for fits in self.held.values()])
        known = np.array([fits[number].penalty for number, fits in self.held.items()])
        weight = np.exp(known - known.max())
        chances = weight @ _shares(odds) / weight.sum()
        found = tuple(
            match_of(fit, int(which[0]), crystal, self.start, on=self.where, probability=float(chance))
            for fit, crystal, chance in zip(self.held[self.best], self.crystals, chances, strict=True)
        )
        found = tuple(
            replace(one, spot=_spot_there(one.g, answer.g, self.where.scale))
            for one in sorted(found, key=lambda one: (-one.probability, -one.evidence))
        )
        first = found[0]
        fit = next(
            one for one, c in zip(self.held[self.best], self.crystals, strict=True) if c.name == first.phase
        )
        some = [
            one for one in fit.lying if one.log_odds >= EVIDENCE and np.mean(one.explained) >= LEAST_EXPLAINED
        ]
        enough = len(some) >= PATTERNS and sum(int(one.explained.sum()) for one in some) >= SPOTS
        clear = (
            enough
            and first.evidence >= EVIDENCE
            and first.probability >= CERTAIN
            and first.score >= LEAST_EXPLAINED
        )
        told = (
            f"places of {first.score:.0%} of the spots fit {first.phase} in one orientation, e^{first.evidence:.0f} "
            f"to 1 against chance (probability {first.probability:.0%}"
        )
        if found[1:]:
            told += f"; next is {found[1].phase} with {found[1].probability:.0%}"
        answer = replace(answer, places=found)
        if not clear:
            return replace(answer, reason=f"{answer.reason}; {told})")
        return replace(answer, phase=first.phase, by=BY_PLACES, reason=f"{told})")


def _spot_there(expected: Float, seen: Float, step: float) -> NDArray[np.intp]:
    """Return the spot within a pixel of each expected one, -1 where there is none."""
    if not len(seen):
        return np.full(len(expected), -1, np.intp)
    off = np.linalg.norm(expected[:, None] - seen[None], axis=2)
    return np.where(off.min(axis=1) <= step, off.argmin(axis=1), -1).astype(np.intp)
