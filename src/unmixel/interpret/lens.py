"""One calibration for many patterns of a phase: how the crystals lie, and what the detector does to all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.calibration import Calibration
from unmixel.dataset.distortion import Distortion, basis, coefficients_of
from unmixel.dataset.lens import NEAR, Lens, LensFit, Lying
from unmixel.interpret.indexing import LAYER, Points, orientations
from unmixel.interpret.marks import Marks
from unmixel.interpret.powder import SHARES

Float = NDArray[np.float64]

GATES = (0.045, 0.035, 0.025, 0.02, 0.02)
"""Distance in 1/angstrom within which a spot counts, while a fit gets better."""

TILT = 0.02
"""How far an orientation may tilt from what two spots made it, in radians."""

SURE = 5.0
"""Logarithm of the odds against chance from which on a pattern takes part in the calibration."""

FINISHED = 3
"""Orientations of a pattern that are fitted to the end."""

ROUNDS = 4
"""How often patterns are indexed anew, at most, while a calibration gets better."""

STILL = Lens((), None, 1e-6, 1e-9, 1e-9, 1e-9)
"""Leaves nothing of a calibration to fit."""

LEAST_EXPLAINED = 0.6
"""Share of the spots that a crystal must explain."""

SCATTERS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)
"""What places may scatter beyond their errors, in px."""

MARGIN = 4.0
"""What a term must gain in twice the log likelihood beyond ``n ln N`` (BIC): of several terms one is tried for each."""


def fit_lens(marks: Marks, of: Points, start: Calibration, *, lens: Lens, reach: float) -> LensFit | None:
    """Return the calibration and the orientations that put a crystal's reflections onto the spots of patterns.

    Each pattern is indexed by itself, the clearest first; its calibration helps to index the others, and all of them
    are then fitted together: places of spots, in two dimensions, by least squares about the start. A term of a
    distortion is added where it gains more than chance would by BIC and is three standard errors from 0, the one that
    gains most first.

    Parameters
    ----------
    marks : Marks
        Spots of all patterns.
    of : Points
        Of the crystal.
    start : Calibration
    lens : Lens
        How far the calibration may be from the start, and which terms of a distortion may be added to it.
    reach : float
        Spatial frequency of the rim, 1/angstrom.

    Returns
    -------
    LensFit, or None where no pattern can be indexed
    """
    patterns = [marks.at(marks.pattern == number) for number in np.unique(marks.pattern)]
    work = _Work(patterns, of, start, lens, reach)
    first = [work.alone(i) for i in range(len(patterns))]
    known = [one for one in first if one is not None]
    if not known:
        return None
    fit = plain = work.settled(max(known, key=lambda one: one.log_odds))
    chosen: tuple[str, ...] = ()
    # a crystal that leaves most spots over is not this one: its terms would bend the others into place
    while plain.explained >= LEAST_EXPLAINED and (
        rest := [name for name in lens.terms if name not in chosen]
    ):
        tried = [(work.with_terms(fit, (*chosen, name)), name) for name in rest]
        best, name = max(tried, key=lambda one: work.gain(fit, one[0]))
        best = work.settled(best)
        if work.gain(fit, best) <= 0 or not best.significant(name):
            break
        fit, chosen = best, (*chosen, name)
    return replace(fit, plain=plain if chosen else None)


def held_lens(marks: Marks, of: Points, where: Calibration) -> LensFit:
    """Return how a crystal lies on the spots of patterns under a calibration that stays as it is.

    Parameters
    ----------
    marks : Marks
    of : Points
    where : Calibration
    """
    patterns = [marks.at(marks.pattern == number) for number in np.unique(marks.pattern)]
    reach = float(of.length.max(initial=0.0))
    work = _Work(patterns, of, where, Lens(()), reach)
    return work.every(LensFit(where, np.zeros((5, 5)), (), (), SCATTERS[2], 0.0, reach))


class _Work:
    """Patterns, a crystal and a start, and the steps of `fit_lens`."""

    def __init__(
        self, patterns: list[Marks], of: Points, start: Calibration, lens: Lens, reach: float
    ) -> None:
        self.patterns, self.of, self.start, self.lens, self.reach = patterns, of, start, lens, reach

    def alone(self, i: int) -> LensFit | None:
        """Return the best fit of one pattern with a calibration of its own."""
        found = orientations(self.start.g(self.patterns[i].place), self.of)
        begun = LensFit(self.start, np.zeros((5, 5)), (), (), 0.0, 0.0, self.reach)
        return self._likeliest(begun, i, list(found)) if len(found) else None

    def _likeliest(self, fit: LensFit, i: int, tried: list[Float]) -> LensFit:
        """Return the best fit of one pattern from several orientations; only those that begin well are finished."""
        begun = [self.together(fit, [(i, one)], GATES[:2]) for one in tried]
        begun = sorted(begun, key=lambda one: -one.lying[0].log_odds)[:FINISHED]
        done = [self.together(one, [(i, one.lying[0].orientation)]) for one in begun]
        return max(done, key=lambda one: one.log_odds)

    def settled(self, fit: LensFit) -> LensFit:
        """Return the fit after all patterns were indexed anew under it and fitted together, as long as that helps."""
        best = self.every(fit)
        for _ in range(ROUNDS):
            sure = [one for one in best.lying if one.log_odds > SURE]
            sure = sure or [max(best.lying, key=lambda one: one.log_odds)]
            fit = self.every(self.together(best, [(one.pattern, one.orientation) for one in sure]))
            if fit.log_odds <= best.log_odds + 0.1:
                break
            best = fit
        return best

    def every(self, fit: LensFit) -> LensFit:
        """Return the fit with all patterns indexed under its calibration."""
        return replace(fit, lying=tuple(self.best(fit, i) for i in range(len(self.patterns))))

    def best(self, fit: LensFit, i: int) -> Lying:
        """Return how a pattern's crystal lies under a calibration that stays as it is."""
        tried = list(orientations(fit.where.g(self.patterns[i].place), self.of, most=8))
        tried += [one.orientation for one in fit.lying if one.pattern == i]
        # without any orientation, one that explains nothing
        tried = tried or [np.eye(3)]
        work = _Work(self.patterns, self.of, fit.where, STILL, self.reach)
        held = replace(fit, coefficients=(), lying=())
        return work._likeliest(held, i, tried).lying[0]

    def with_terms(self, fit: LensFit, names: Sequence[str]) -> LensFit:
        """Return the fit with more terms of a distortion."""
        more = replace(fit, coefficients=coefficients_of(names))
        sure = [one for one in fit.lying if one.log_odds > SURE] or [fit.lying[0]]
        few = self.together(more, [(one.pattern, one.orientation) for one in sure])
        kept = [one for one in fit.lying if all(one.pattern != other.pattern for other in few.lying)]
        return replace(few, lying=tuple(sorted((*few.lying, *kept), key=lambda one: one.pattern)))

    def gain(self, less: LensFit, more: LensFit) -> float:
        """Return by how much more terms are better than what they must be to count."""
        n = 2 * sum(int(one.explained.sum()) for one in less.lying)
        added = len(more.coefficients) - len(less.coefficients)
        return float(2 * (more.log_odds - less.log_odds) - added * np.log(max(n, 2)) - MARGIN)

    def together(
        self, fit: LensFit, lying: Sequence[tuple[int, Float]], gates: Sequence[float] = GATES
    ) -> LensFit:
        """Return the fit of one calibration to some patterns at once, from orientations that are about right."""
        fit = replace(fit, scatter=fit.scatter or SCATTERS[2])
        turned = [one for _, one in lying]
        own = [self.patterns[i] for i, _ in lying]
        k = 5 + len(fit.coefficients)
        variance = self.lens.variances(self.start.scale, self.reach, fit.coefficients)
        where = fit.where
        covariance: Float = np.eye(k + 3 * len(own))
        for gate in gates:
            for _ in range(2):
                rows = [
                    self._rows(m, where, r, fit.coefficients, gate, fit.scatter)
                    for m, r in zip(own, turned, strict=True)
                ]
                normal, gradient = _assembled(rows, 1 / variance, self._off(where, fit.coefficients))
                covariance = np.asarray(np.linalg.inv(normal), np.float64)
                step = covariance @ gradient
                where = self._moved(where, step[:k], fit.coefficients)
                turned = [_turned(r, step[k + 3 * j : k + 3 * j + 3]) for j, r in enumerate(turned)]
        # one crystal under a calibration that others made says nothing new of how places scatter
        scatter = fit.scatter if self.lens is STILL else self._scatter(where, own, turned)
        off = self._off(where, fit.coefficients)
        spread = [covariance[k + 3 * j : k + 3 * j + 3, k + 3 * j : k + 3 * j + 3] for j in range(len(own))]
        found = tuple(
            self.lying(i, where, r, c, scatter) for (i, _), r, c in zip(lying, turned, spread, strict=True)
        )
        shared = covariance[:k, :k] / np.outer(*[np.r_[[where.scale] * 2, np.ones(k - 2)]] * 2)
        penalty = -0.5 * float(np.sum(off**2 / variance))
        return LensFit(where, shared, fit.coefficients, found, scatter, penalty, self.reach)

    def _off(self, where: Calibration, coefficients: Sequence[int]) -> Float:
        """Return how far a calibration is from the start, in the numbers that are fitted."""
        grown = np.asarray(where.matrix) @ np.linalg.inv(np.asarray(self.start.matrix))
        size = np.sqrt(abs(np.linalg.det(grown)))
        along, across = (grown[0, 0] - grown[1, 1]) / (2 * size), (grown[0, 1] + grown[1, 0]) / (2 * size)
        shift = np.subtract(where.center, self.start.center) * self.start.scale
        bent = where.distortion.coefficients - self.start.distortion.coefficients
        return np.concatenate([shift, [np.log(size), along, across], bent[list(coefficients)]])

    def _moved(self, where: Calibration, step: Float, coefficients: Sequence[int]) -> Calibration:
        """Return the calibration one step on."""
        shift = step[:2] / where.scale
        moved = where.stretched(
            (float(step[3]), float(step[4])),
            log_scale=float(step[2]),
            shift=(float(shift[0]), float(shift[1])),
        )
        bent = where.distortion.coefficients
        bent[list(coefficients)] += step[5:]
        return replace(moved, distortion=Distortion.of(bent))

    def _near(self, marks: Marks, where: Calibration, turned: Float) -> tuple[Float, NDArray[np.intp], Float]:
        """Return the spots in 1/angstrom, the nearest reflection of each, and where those lie (right, up, beam)."""
        y = where.g(marks.place)
        there = self.of.g @ turned.T
        lit = np.flatnonzero(np.abs(there[:, 2]) < LAYER[0] + LAYER[1] * self.of.length)
        if not len(lit):
            return y, np.zeros(len(y), np.intp), np.full((len(y), 3), np.inf)
        off = np.linalg.norm(y[:, None] - _seen(there[lit])[None], axis=2)
        point = lit[off.argmin(axis=1)]
        return y, point, there[point]

    def _rows(
        self,
        marks: Marks,
        where: Calibration,
        turned: Float,
        coefficients: Sequence[int],
        gate: float,
        scatter: float,
    ) -> tuple[Float, Float, Float, Float]:
        """Return residuals (n, 2), slopes by the calibration (n, 2, k) and by rotations (n, 2, 3), and weights (n,)."""
        y, point, there = self._near(marks, where, turned)
        del point
        seen, raw = _seen(there), where.affine(marks.place)
        rest = np.where(np.isfinite(seen), seen - y, 1e3)
        slope = where.distortion.slope(raw)
        affine = np.zeros((len(y), 2, 5))
        affine[:, :, 0:2] = -np.eye(2)
        affine[:, :, 2] = raw
        affine[:, :, 3] = raw * [1, -1]
        affine[:, :, 4] = raw[:, ::-1]
        shared = np.concatenate([slope @ affine, basis(raw)[:, :, list(coefficients)]], axis=2)
        there = np.where(np.isfinite(there), there, 0.0)
        right, up, beam = there.T
        own = np.zeros((len(y), 2, 3))
        own[:, 0] = np.column_stack([beam, np.zeros(len(y)), -right])
        own[:, 1] = np.column_stack([np.zeros(len(y)), beam, -up])
        error = np.hypot(marks.error, scatter) * where.scale
        off = np.linalg.norm(rest, axis=1)
        weight = (off < gate + NEAR * error) / error**2 / (1 + (off / (NEAR * error)) ** 2)
        return rest, shared, own, weight

    def _scatter(self, where: Calibration, own: list[Marks], turned: list[Float]) -> float:
        """Return the likeliest scatter of places beyond their errors."""
        gains = [
            sum(self._gain(m, where, r, s)[0] for m, r in zip(own, turned, strict=True)) for s in SCATTERS
        ]
        return SCATTERS[int(np.argmax(gains))]

    def _gain(self, marks: Marks, where: Calibration, turned: Float, scatter: float) -> tuple[float, Float]:
        """Return the log likelihood of places with this crystal over that by chance, and the gain of each spot."""
        y = where.g(marks.place)
        there = self.of.g @ turned.T
        seen = _seen(there)
        extent = float(np.abs(y).max()) + 2 * where.scale
        lit = (np.abs(there[:, 2]) < LAYER[0] + LAYER[1] * self.of.length) & np.all(
            np.abs(seen) <= extent, axis=1
        )
        if not lit.any():
            return 0.0, np.zeros(len(y))
        weight = self.of.root[lit] / self.of.root[lit].sum()
        error = (np.hypot(marks.error, scatter) * where.scale)[:, None]
        distance = np.sum((y[:, None] - seen[lit]) ** 2, axis=2)
        density = np.exp(-0.5 * distance / error**2) / (2 * np.pi * error**2) @ weight
        gain = density * (2 * extent) ** 2
        spots = np.log1p(SHARES[:, None] * (gain - 1)).sum(axis=1)
        top = float(spots.max())
        return top + float(np.log(np.exp(spots - top).mean())), gain

    def lying(self, i: int, where: Calibration, turned: Float, spread: Float, scatter: float) -> Lying:
        """Return how a pattern's crystal lies, with the odds averaged over all orientations that it might have."""
        marks = self.patterns[i]
        gain, _ = self._gain(marks, where, turned, scatter)
        y, point, there = self._near(marks, where, turned)
        error = np.hypot(marks.error, scatter) * where.scale
        distance = np.linalg.norm(y - _seen(there), axis=1)
        every = 8 * np.pi**2 / self.of.n_rotations
        room = (2 * np.pi) ** 1.5 * np.sqrt(max(float(np.linalg.det(spread)), 1e-300))
        odds = gain + float(np.log(min(room / every, 1.0)))
        return Lying(i, turned, point, distance / error, distance / where.scale, odds)


def _seen(there: Float) -> Float:
    """Return (v, u) of places (right, up, against the electrons)."""
    return np.column_stack([-there[:, 1], there[:, 0]])


def _turned(orientation: Float, step: Float) -> Float:
    """Return an orientation after a small rotation, in radians about right, up and beam."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_rotvec(step).as_matrix() @ orientation)


def _assembled(
    rows: list[tuple[Float, Float, Float, Float]], information: Float, off: Float
) -> tuple[Float, Float]:
    """Return normal matrix and gradient: what patterns share first, then three rotations of each."""
    k, n = len(information), len(information) + 3 * len(rows)
    normal, gradient = np.zeros((n, n)), np.zeros(n)
    normal[:k, :k] += np.diag(information)
    gradient[:k] -= information * off
    for number, (rest, shared, own, weight) in enumerate(rows):
        place = np.r_[np.arange(k), k + 3 * number + np.arange(3)]
        # where q is a reflection's place: y + shared step = q + own step
        slope = np.concatenate([shared, -own], axis=2)
        lever = slope * weight[:, None, None]
        normal[np.ix_(place, place)] += np.einsum("nia,nib->ab", lever, slope)
        gradient[place] += np.einsum("nia,ni->a", lever, rest)
        normal[place[k:], place[k:]] += [1 / TILT**2, 1 / TILT**2, 1e-6]
    return normal, gradient
