"""The calibration of a detector from patterns of a known phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.calibration import Calibration, CalibrationFit, SpotResiduals
from unmixel.dataset.lens import Lens
from unmixel.dataset.results import Groups
from unmixel.interpret.assign import WIDE, Assignment, assign, look
from unmixel.interpret.calibration import axes_calibration
from unmixel.interpret.marks import Marks, joined, ring_marks, spot_marks
from unmixel.interpret.places import calibration_of, indexable, lens_of
from unmixel.physics.crystal import Crystal
from unmixel.physics.families import Families, families

NAMES = (
    "the centre along v",
    "the centre along u",
    "the scale",
    "the ellipse along the axes",
    "the ellipse across",
)

WEAKEST = 0.005
"""Share of the strongest ring's reflections below which no spot is taken for one of a ring (MgO: 311, 331, 511)."""

FEWEST = 6
"""Spots on rings of the phase below which nothing is trusted."""

LEAST_EXPLAINED = 0.75
"""Share of the spots that the phase must explain."""

BY_CHANCE, TIGHT, TOGETHER = 1e-3, 1.5, 4
"""Probability below which chance must bring so many radii onto rings of the phase, and how close: the mean of the spots
of a radius, in standard deviations of that mean; more than four spots count as four, since not all is noise."""

AS_GOOD = 0.15
"""Mean log likelihood by which another scale must be worse to be out of the question."""


def calibrate(
    patterns: Groups | NDArray[Any],
    crystal: Crystal | str | Path,
    *,
    voltage_kV: float = 300.0,
    start: Calibration | Lens | None = None,
    crystalline: Sequence[bool] | None = None,
    used: NDArray[np.bool_] | None = None,
    spot_size: float | None = None,
    reach: float = np.inf,
) -> CalibrationFit:
    """Return centre, scale, ellipse and, if wanted, distortion of a detector from a known phase, with errors.

    Parameters
    ----------
    patterns : Groups, or ndarray, shape (n, v, u) or (v, u)
        Patterns of one detector that were not turned against each other; all of them share the calibration.
    crystal : Crystal, or CIF file
        The phase that they are patterns of.
    voltage_kV : float
        For axes in mrad.
    start : Calibration or Lens, optional
        Rough calibration, that of the groups' axes where it is not given: scale wrong by up to 5 %, ellipse by up to
        5 %, centre by up to 2 px. Arrays need one. With a `Lens` distortions beyond the ellipse are measured, too:
        places of spots are then fitted in two dimensions, the crystal of each pattern in the orientation that fits,
        instead of their radii; patterns of rings take no part.
    crystalline : sequence of bool, optional
        Which patterns have spots; others have rings. As groups say; arrays have spots where it is not given. Ring
        patterns take part only where no pattern has spots: a halo among crystals is not of their phase.
    used : ndarray of bool, shape of the patterns or of one of them, optional
        Pixels that were measured; as groups say.
    spot_size : float, optional
        Standard deviation of a spot, in pixels; measured on each pattern where it is not given.
    reach : float
        Spatial frequency in 1/angstrom up to which spots take part. Far out rings are crowded and lenses distort.

    Returns
    -------
    CalibrationFit

    Raises
    ------
    InputError
        When there is no start, a file is not a structure, or the shapes do not fit.

    Notes
    -----
    Least squares over all spots of all patterns: ``|M (p_i - c)| = 1 / d_hkl(i)``, weighted by the errors of the
    places and what they scatter beyond. Each spot goes to the nearest ring of the phase, unless two are too close to
    choose or none is near (`interpret.assign`). Radii know nothing of a rotation in the plane: M is
    turned as the start is.
    A phase of the same kind whose lattice differs by less than 5 % fits as well, with another scale: this no pattern
    can tell.

    Examples
    --------
    >>> from unmixel.testing.cameras import Camera
    >>> aluminium = Crystal.face_centred("Al", 4.05)
    >>> camera = Camera(center=(48.6, 46.8), ratio=1.03, angle_deg=20.0)
    >>> seen = camera.patterns(aluminium, [(0, 0, 1), (0, 1, 1), (1, 1, 2)], electrons=200_000)
    >>> fit = calibrate(seen, aluminium, start=Calibration.from_steps((47.5, 47.5), (0.026, 0.026)))
    >>> fit.trusted, abs(fit.ratio - 1.03) < 4 * fit.ratio_error < 0.02
    (True, True)
    """
    structure = crystal if isinstance(crystal, Crystal) else Crystal.from_cif(crystal)
    lens, start = (start, _plain(start.start)) if isinstance(start, Lens) else (None, start)
    images, seen, spotty, begun = _read(patterns, voltage_kV, start, crystalline, used)
    corners = np.array([[v, u] for v in (0, images.shape[1]) for u in (0, images.shape[2])], float)
    largest = float(np.linalg.norm(begun.g(corners), axis=1).max())
    rings = families(structure, 1.15 * min(reach, largest), least=WEAKEST)
    notes = _turned(patterns) if isinstance(patterns, Groups) else []
    if lens is not None:
        return _by_places((images, seen, spotty, begun), structure, lens, (spot_size, reach), notes)
    where, fit = begun, None
    # spots are found about a centre: once about the start, once about what follows from it
    for _ in range(2):
        spots = _spots(images, seen, spotty, where, spot_size) if spotty.any() else None
        marks = _rings(images, seen, where, rings) if spots is None else spots
        marks = marks.at(np.linalg.norm(where.g(marks.place), axis=1) <= reach)
        if len(marks) < 2 or len(rings) == 0:
            break
        ways = assign(marks, rings, where, trusted=begun)
        if not ways:
            break
        fit = judged_fit(marks, rings, ways, structure.name, notes)
        where = ways[0].where
    return fit if fit is not None else _nothing(begun, structure.name, notes)


def _plain(start: Calibration | CalibrationFit | None) -> Calibration | None:
    return start.calibration if isinstance(start, CalibrationFit) else start


def _read(
    patterns: Groups | NDArray[Any],
    voltage_kV: float,
    start: Calibration | None,
    crystalline: Sequence[bool] | None,
    used: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Calibration]:
    """Return patterns (n, v, u), their used pixels, which have spots, and the start."""
    words: Sequence[bool] | NDArray[Any] | None = crystalline
    if isinstance(patterns, Groups):
        start = start or axes_calibration(patterns.pattern_axes, patterns.center, voltage_kV)
        used = patterns.used_pixels if used is None else used
        words = patterns.crystalline if words is None else words
        patterns = patterns.patterns
    images = np.asarray(patterns, np.float64)
    images = images[None] if images.ndim == 2 else images
    if start is None or images.ndim != 3 or not len(images):
        raise InputError(
            "calibrate",
            expected="groups, or patterns of shape (n, v, u) with a rough calibration",
            got=f"shape {images.shape}{'' if start else ' and no start'}",
            hint="start=Calibration.from_steps((64, 64), (0.01, 0.01)): centre in px, 1/angstrom a pixel",
        )
    spotty = np.ones(len(images), bool) if words is None else np.asarray(words, bool)
    seen = np.ones(images.shape[1:], bool) if used is None else np.asarray(used, bool)
    if spotty.shape != (len(images),) or seen.shape not in (images.shape, images.shape[1:]):
        raise InputError(
            "calibrate",
            expected=f"a word on each of {len(images)} patterns and a mask of their shape",
            got=f"{spotty.shape} and {seen.shape}",
            hint="leave out crystalline and used",
        )
    return images, np.broadcast_to(seen, images.shape), spotty, start


def _turned(groups: Groups) -> list[str]:
    """Return a remark where groups are means of patterns that were turned: their ellipses were turned along."""
    if not np.any(np.abs(np.asarray(groups.rotation_deg)) > 1):
        return []
    return [
        "Groups here are means of patterns turned onto each other, and the detector's ellipse was turned along: "
        "take ellipse and its error from patterns as measured (result.factors.patterns)."
    ]


def _spots(
    images: NDArray[np.float64],
    seen: NDArray[np.bool_],
    spotty: NDArray[np.bool_],
    where: Calibration,
    spot_size: float | None,
) -> Marks:
    """Return the spots of all patterns that have some."""
    return joined(
        [
            spot_marks(int(i), images[i], where, used=seen[i], spot_size=spot_size)
            for i in np.flatnonzero(spotty)
            if images[i].any()
        ]
    )


def _by_places(
    read: tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Calibration],
    crystal: Crystal,
    lens: Lens,
    limits: tuple[float | None, float],
    notes: list[str],
) -> CalibrationFit:
    """Return the fit of the places of spots; `limits` are the size of a spot and the reach."""
    images, seen, spotty, begun = read
    marks = _spots(images, seen, spotty, begun, limits[0])
    marks = marks.at(np.linalg.norm(begun.g(marks.place), axis=1) <= limits[1])
    marks = indexable(marks, images.shape[1:], limits[0] or 2.0)
    fit = lens_of(marks, crystal, begun, lens)
    return _nothing(begun, crystal.name, notes) if fit is None else calibration_of(fit, marks, crystal, notes)


def _rings(
    images: NDArray[np.float64], seen: NDArray[np.bool_], where: Calibration, rings: Families
) -> Marks:
    """Return pieces of the rings of all patterns."""
    return joined(
        [
            ring_marks(i, image, where, used=seen[i], rings=rings)
            for i, image in enumerate(images)
            if np.ptp(image) > 0
        ]
    )


def judged_fit(
    marks: Marks, rings: Families, ways: list[Assignment], phase: str, notes: Sequence[str] = ()
) -> CalibrationFit:
    """Return the best way as a fit, with what speaks for and against it."""
    best, covariance = ways[0], ways[0].last.covariance.copy()
    g = best.where.g(marks.place)
    residuals = SpotResiduals(
        pattern=marks.pattern,
        place=marks.place,
        place_error=marks.error,
        measured=best.measured,
        expected=rings.g[best.ring],
        hkl=rings.hkl[best.ring],
        azimuth_deg=np.rad2deg(np.arctan2(-g[:, 0], g[:, 1])) % 360,
        used=best.used,
        ambiguous=best.ambiguous,
    )
    if np.any(marks.ring >= 0):
        covariance[2, 2] += _between_rings(marks, best, rings)
    rivals = [way for way in ways[1:] if best.likelihood - way.likelihood < AS_GOOD and way.used.sum() >= 2]
    if rivals:
        covariance[2, :] = covariance[:, 2] = 0.0
        covariance[2, 2] = np.inf
    used = best.used
    rest = (residuals.measured - residuals.expected)[used] / best.where.scale
    judged = used | ~best.ambiguous
    explained = float(used.sum() / max(judged.sum(), 1))
    chance = _chance(best, rings, marks)
    # the pieces of a ring share its error: they say one thing only
    together = 1 if np.any(marks.ring >= 0) else TOGETHER
    luck = _luck(residuals, best, _chance(best, rings, marks, wide=TIGHT), together)
    found = CalibrationFit(
        calibration=best.where,
        covariance=covariance,
        phase=phase,
        spots=residuals,
        chi_square=float(np.sum((rest / marks.error[used]) ** 2)),
        degrees_of_freedom=max(0, int(used.sum()) - int(np.isfinite(np.diag(covariance)).sum())),
        scatter=best.scatter,
        explained=explained,
        chance=chance,
        trusted=False,
        words="",
    )
    return _judged(found, luck, rivals, notes)


def _between_rings(marks: Marks, best: Assignment, rings: Families) -> float:
    """Return the variance of the logarithm of the scale that follows from how far whole rings are off.

    The pieces of a ring share what the profile beneath it did to its radius.
    """
    off = best.measured / rings.g[best.ring] - 1
    alike = 1000 * marks.pattern + marks.ring
    means = np.array([off[best.used & (alike == one)].mean() for one in np.unique(alike[best.used])])
    if len(means) < 2:
        return float("inf")
    return float(np.sum(means**2) / (len(means) - 1) / len(means))


def _chance(best: Assignment, rings: Families, marks: Marks, *, wide: float = WIDE) -> float:
    """Return the share of spots at even radii that would lie on rings of the phase, without ambiguous ones."""
    low, high = float(best.measured.min()), float(best.measured.max())
    g = np.linspace(low, high, 1000)
    n = len(g)
    fake = Marks(
        np.zeros(n, np.intp),
        best.where.place(np.column_stack([np.zeros(n), g])),
        np.resize(marks.error, n),
        np.ones(n),
        np.full(n, -1, np.intp),
    )
    state = look(fake, rings, best.where, gate=0.0, scatter=best.scatter, wide=wide)
    return float(state.used.sum() / max((state.used | ~state.ambiguous).sum(), 1))


def _judged(
    fit: CalibrationFit, luck: float, rivals: list[Assignment], notes: Sequence[str]
) -> CalibrationFit:
    """Return the fit with a word on whether to trust it."""
    spots = fit.spots
    n_used, n_judged = int(spots.used.sum()), int((spots.used | ~spots.ambiguous).sum())
    n_rings = len(np.unique(spots.expected[spots.used]))
    faults = []
    if n_used < FEWEST:
        lie = "1 spot lies" if n_used == 1 else f"{n_used or 'no'} spots lie"
        faults.append(f"{'only ' if n_used else ''}{lie} on rings of {fit.phase} ({FEWEST} are needed)")
    if fit.explained < LEAST_EXPLAINED or luck > BY_CHANCE:
        faults.append(
            f"{fit.phase} explains {fit.explained:.0%} of {n_judged} spots, where chance reaches {fit.chance:.0%}: "
            "another phase, several phases, too few rings, or a start that is further off than 5 %"
        )
    told = [f"{n_used} of {len(spots.used)} spots lie on {n_rings} rings of {fit.phase}"]
    if n_used:
        told[0] += f", rms {fit.rms_px:.2f} px ({fit.rms_percent:.2f} %)"
    if n_used and n_rings == 1:
        told.append("all of them on one ring: nothing checks that it is this one")
    if rivals:
        others = ", ".join(f"{way.where.scale:.5g}" for way in rivals)
        told.append(f"the scale is not determined: {others} 1/angstrom a pixel fits about as well")
    unknown = [
        name
        for name, variance in zip(NAMES, np.diag(fit.covariance), strict=True)
        if not np.isfinite(variance) and not (rivals and name == "the scale")
    ]
    if len(unknown) == len(NAMES):
        told.append("centre, scale and ellipse are not determined and stay as they were")
    else:
        told += [f"{name} is not determined and stays as it was" for name in unknown]
    head = f"Not to be trusted: {'; '.join(faults)}. " if faults else ""
    words = head + "; ".join(told) + ". " + " ".join(notes)
    return replace(fit, trusted=not faults, words=words.strip())


def _luck(spots: SpotResiduals, best: Assignment, chance: float, together: int) -> float:
    """Return the probability that chance explains as many radii; spots of one radius say the same thing."""
    from scipy.stats import binom

    error = np.hypot(spots.place_error, best.scatter) * best.where.scale
    off = (spots.measured - spots.expected) / error
    order = np.argsort(spots.measured)
    label = np.zeros(len(order), np.intp)
    label[order] = np.cumsum(np.diff(spots.measured[order], prepend=-1.0) > 2 * np.median(error))
    right, odds = [], []
    for one in np.unique(label[~spots.ambiguous]):
        mine = off[(label == one) & ~spots.ambiguous]
        sharper = np.sqrt(min(len(mine), together))
        right.append(abs(float(mine.mean())) <= TIGHT / sharper)
        odds.append(chance / sharper)
    # the scale was chosen so that one of them fits
    return float(binom.sf(sum(right) - 2, max(len(right) - 1, 0), float(np.mean(odds)) if odds else 0.0))


def _nothing(begun: Calibration, phase: str, notes: list[str]) -> CalibrationFit:
    """Return the start, with nothing known of it."""
    none = np.zeros(0)
    spots = SpotResiduals(
        none.astype(np.intp), np.zeros((0, 2)), none, none, none, np.zeros((0, 3), np.intp), none,
        none.astype(bool), none.astype(bool),
    )  # fmt: skip
    words = f"Not to be trusted: fewer than two spots, so that nothing is known of {phase}."
    return CalibrationFit(
        begun,
        np.diag(np.full(5, np.inf)),
        phase,
        spots,
        0.0,
        0,
        0.0,
        0.0,
        0.0,
        False,
        " ".join([words, *notes]),
    )
