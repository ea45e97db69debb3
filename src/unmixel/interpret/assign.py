"""Which ring of a known phase each mark belongs to, and the centre, scale and ellipse that make all of them fit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.calibration import Calibration
from unmixel.interpret.determined import Step, step
from unmixel.interpret.ellipse import slopes
from unmixel.interpret.marks import Marks
from unmixel.physics.families import Families

Float = NDArray[np.float64]

CENTER, SCALE, STRETCH = 3.0, 0.055, 0.03
"""How wrong the start may be: px, logarithm of the scale, half the logarithm of the ratio."""

TOLERANCE = np.array([CENTER, CENTER, SCALE, STRETCH, STRETCH])

TRIED = 8
"""Starts of the search that are refined."""

GATES = (0.012, 0.008, 0.005, 0.0)
"""How far a mark may lie from its ring while fits get better: share of its radius, on top of its error."""

WIDE = 3.0
"""The same in standard deviations; twice as far another ring must be."""

SCATTERS = (0.0, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.28, 0.4)
"""What places may scatter beyond their errors, in px."""

ELSEWHERE = 0.3
"""Share of marks that may lie anywhere, when starts are compared."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """Marks upon the rings of a phase.

    Parameters
    ----------
    where : Calibration
    measured : ndarray, shape (n,)
        Spatial frequencies of the marks, 1/angstrom.
    ring : ndarray of int, shape (n,)
        Nearest ring of each.
    used, ambiguous : ndarray of bool, shape (n,)
    scatter : float
        Beyond the errors of the places, in px.
    likelihood : float
        Mean logarithm of the density of marks, to compare fits.
    last : Step
        Of the fit: its covariance.
    """

    where: Calibration
    measured: Float
    ring: NDArray[np.intp]
    used: NDArray[np.bool_]
    ambiguous: NDArray[np.bool_]
    scatter: float
    likelihood: float
    last: Step


def assign(
    marks: Marks, rings: Families, start: Calibration, *, trusted: Calibration | None = None
) -> list[Assignment]:
    """Return how marks fit the rings of a phase, best first: different ways to do so, no two of one scale.

    A grid of scales and ellipses about the start is searched with the centre of most pairs of opposite spots; the
    likeliest are refined by least squares. In each round only marks take part that lie within a gate of a ring which
    no other ring is near (within two gates); gates narrow from round to round, so that well separated rings lead the
    way to crowded ones.

    Parameters
    ----------
    marks : Marks
    rings : Families
    start : Calibration
    trusted : Calibration, optional
        From whose scale no fit may differ by more than 5.5 %; the start where it is not given.
    """
    scale = (trusted or start).scale
    start = start.stretched((0.0, 0.0), shift=_center_shift(marks, start))
    found = [_refined(marks, rings, where, start, scale) for where in _starts(marks, rings, start)]
    best: list[Assignment] = []
    found = [one for one in found if abs(np.log(one.where.scale / scale)) <= 1.01 * SCALE]
    for one in sorted(found, key=lambda fit: -fit.likelihood):
        if all(abs(np.log(one.where.scale / other.where.scale)) > 0.01 for other in best):
            best.append(one)
    return best


def _center_shift(marks: Marks, start: Calibration) -> tuple[float, float]:
    """Return how far the centre of most pairs of opposite spots is from the start, in px; pairs may be a pixel off."""
    middles = []
    for number in np.unique(marks.pattern):
        place = marks.place[(marks.pattern == number) & (marks.ring < 0)]
        i, j = np.triu_indices(len(place), 1)
        middles.append((place[i] + place[j]) / 2 - np.asarray(start.center))
    middle = np.concatenate(middles) if middles else np.zeros((0, 2))
    middle = middle[np.hypot(*middle.T) <= CENTER]
    if not len(middle):
        return 0.0, 0.0
    apart = np.linalg.norm(middle[:, None] - middle[None], axis=2)
    crowd = np.exp(-2 * apart**2).sum(axis=1)
    near = np.exp(-2 * apart[int(np.argmax(crowd))] ** 2)
    v, u = near @ middle / near.sum()
    return float(v), float(u)


def _starts(marks: Marks, rings: Families, start: Calibration) -> list[Calibration]:
    """Return the likeliest points of a grid of scales and ellipses, none next to another."""
    tall = np.linspace(-STRETCH, STRETCH, 7)
    wide = np.linspace(-SCALE, SCALE, 25)
    points = [
        (float(scale), (float(a), float(b)))
        for scale, a, b in product(wide, tall, tall)
        if np.hypot(a, b) <= 1.01 * STRETCH
    ]
    error = np.hypot(marks.error, 0.3 + 0.005 * np.linalg.norm(marks.place - start.center, axis=1))
    tried = [start.stretched(stretch, log_scale=scale) for scale, stretch in points]
    g = np.array([np.linalg.norm(where.g(marks.place), axis=1) for where in tried])
    scores = _likelihood(g, error * np.array([[where.scale] for where in tried]), rings)
    chosen: list[int] = []
    for place in np.argsort(-scores, kind="stable"):
        if all(_apart(points[place], points[other]) for other in chosen):
            chosen.append(int(place))
        if len(chosen) == TRIED:
            break
    return [tried[i] for i in chosen]


def _apart(one: tuple[float, tuple[float, float]], other: tuple[float, tuple[float, float]]) -> bool:
    """Return whether two points of the grid are not neighbours."""
    scale = abs(one[0] - other[0]) > 1.1 * 2 * SCALE / 24
    return scale or float(np.hypot(*np.subtract(one[1], other[1]))) > 1.5 * STRETCH / 3


def _likelihood(g: Float, error: Float, rings: Families) -> Float:
    """Return the mean log density of marks (last axis) at g: on their ring, each alike, or, now and then, anywhere."""
    width = max(float(rings.g[-1]), 1e-300)
    distance = (g - rings.g[nearest(g, rings)]) / error
    on = np.exp(-0.5 * distance**2) / (np.sqrt(2 * np.pi) * error * len(rings))
    return np.asarray(np.mean(np.log((1 - ELSEWHERE) * on + ELSEWHERE / width), axis=-1))


def _refined(
    marks: Marks, rings: Families, where: Calibration, start: Calibration, scale: float
) -> Assignment:
    """Return the fit that a start leads to."""
    last, begun, scatter = Step.unknown(5), where, 0.0
    for gate in GATES:
        for _ in range(12):
            state = look(marks, rings, where, gate=gate, scatter=scatter)
            if state.used.sum() < 2:
                break
            last = _step(marks, rings, state, scatter)
            where = _within((begun.center, scale), where, last.change)
            if np.all(np.abs(last.change) < (1e-4 if gate > 0 else 1e-9) * TOLERANCE):
                break
        scatter, score = _scatter(marks, rings, where)
    # what the marks do not determine goes back to what it was
    where = _moved(where, last.free @ _difference(start, where))
    state = look(marks, rings, where, gate=0.0, scatter=scatter)
    last = _step(marks, rings, state, scatter) if state.used.sum() >= 2 else Step.unknown(5)
    return Assignment(where, state.measured, state.ring, state.used, state.ambiguous, scatter, score, last)


def _within(trusted: tuple[tuple[float, float], float], where: Calibration, change: Float) -> Calibration:
    """Return the calibration one step on, no further than from centre and scale that are about right."""
    moved = _moved(where, np.clip(change, -TOLERANCE / 2, TOLERANCE / 2))
    far = np.hypot(*np.subtract(moved.center, trusted[0])) > 2 * CENTER
    return where if far or abs(np.log(moved.scale / trusted[1])) > SCALE else moved


def _moved(where: Calibration, change: Float) -> Calibration:
    """Return the calibration with its numbers changed."""
    v, u, scale, along, across = change.tolist()
    return where.stretched((along, across), log_scale=scale, shift=(v, u))


def _difference(one: Calibration, other: Calibration) -> Float:
    """Return by which numbers one calibration differs from another, whose ellipse is nearly the same."""
    grown = np.asarray(one.matrix) @ np.linalg.inv(np.asarray(other.matrix))
    grown /= np.sqrt(abs(np.linalg.det(grown)))
    v, u = np.subtract(one.center, other.center)
    log_scale = np.log(one.scale / other.scale)
    return np.array([v, u, log_scale, (grown[0, 0] - grown[1, 1]) / 2, (grown[0, 1] + grown[1, 0]) / 2])


@dataclass(frozen=True, eq=False)
class Look:
    """Which marks lie on which rings under a calibration; fields as in `Assignment`."""

    where: Calibration
    measured: Float
    ring: NDArray[np.intp]
    used: NDArray[np.bool_]
    ambiguous: NDArray[np.bool_]


def look(
    marks: Marks, rings: Families, where: Calibration, *, gate: float, scatter: float, wide: float = WIDE
) -> Look:
    """Return which marks lie within a gate of a ring that no other ring is near.

    Parameters
    ----------
    marks : Marks
    rings : Families
    where : Calibration
    gate : float
        Share of its radius that a mark may be off, beside `wide`.
    scatter : float
        In px, beyond the errors of the places.
    wide : float
        Standard deviations within which a mark is on its ring.
    """
    measured = np.linalg.norm(where.g(marks.place), axis=1)
    ring = nearest(measured, rings)
    error, more = np.hypot(marks.error, scatter) * where.scale, gate * measured
    bounds = np.r_[-np.inf, rings.g, np.inf]
    alone = np.minimum(rings.g[ring] - bounds[ring], bounds[ring + 2] - rings.g[ring])
    ambiguous = alone < 2 * (WIDE * error + more)
    used = (np.abs(measured - rings.g[ring]) <= wide * error + more) & ~ambiguous
    return Look(where, measured, ring, used, ambiguous)


def nearest(g: Float, rings: Families) -> NDArray[np.intp]:
    """Return the ring nearest to each spatial frequency."""
    return np.searchsorted((rings.g[1:] + rings.g[:-1]) / 2, g)


def _step(marks: Marks, rings: Families, state: Look, scatter: float) -> Step:
    """Return the step of Gauss-Newton."""
    used, scale = state.used, state.where.scale
    length, slope = slopes(marks.place[used], state.where)
    jacobian = np.insert(slope, 2, length, axis=1)
    rest = rings.g[state.ring[used]] - length
    weight = 1 / ((marks.error[used] ** 2 + scatter**2) * scale**2)
    lever = jacobian * weight[:, None]
    return step(lever.T @ jacobian, lever.T @ rest, TOLERANCE)


def _scatter(marks: Marks, rings: Families, where: Calibration) -> tuple[float, float]:
    """Return the likeliest scatter beyond the errors of places, and its likelihood.

    Marks that lie anywhere do not raise it, as they would a mean square.
    """
    measured = np.linalg.norm(where.g(marks.place), axis=1)
    error = np.hypot(marks.error[None], np.array(SCATTERS)[:, None]) * where.scale
    scores = _likelihood(np.broadcast_to(measured, error.shape), error, rings)
    best = int(np.argmax(scores))
    return SCATTERS[best], float(scores[best])
