"""Names for groups: spots are found in each pattern and compared with candidate structures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.calibration import Calibration, CalibrationFit
from unmixel.dataset.phases import PhaseAnswer, Phases
from unmixel.dataset.results import Groups
from unmixel.interpret.calibration import chosen_calibration
from unmixel.interpret.identify import Identifier
from unmixel.interpret.peaks import find_spots, radii, ring_levels, spot_sigma
from unmixel.interpret.profile import reduced_profile
from unmixel.physics.crystal import Crystal


def identify(
    groups: Groups,
    candidates: Sequence[str | Path | Crystal],
    *,
    voltage_kV: float = 300.0,
    calibration: Calibration | CalibrationFit | None = None,
    spot_size: float | None = None,
    scale_tolerance: float = 0.02,
    largest: int = 3,
    least: float = 0.9,
) -> Phases:
    """Return which candidate structure each group of patterns belongs to, with runner-up and margin.

    Parameters
    ----------
    groups : Groups
        Its pattern axes must be calibrated, in 1/angstrom or mrad.
    candidates : sequence of CIF files or Crystal
    voltage_kV : float
    calibration : Calibration or CalibrationFit, optional
        What a pixel is worth, as `calibrate` found it: centre, scale and ellipse; that of the axes where it is not
        given.
    spot_size : float, optional
        Standard deviation of a spot, in pixels; measured on each pattern where it is not given.
    scale_tolerance : float
        How wrong the calibration of the detector may be.
    largest : int
        Largest index of a zone axis that is tried.
    least : float, 0 to 1
        Score below which the answer is "unknown".

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
    >>> copper, aluminium = (Crystal.face_centred(e, a) for e, a in (("Cu", 3.615), ("Al", 4.05)))
    >>> phases = identify(groups_of([View().pattern(copper, (0, 1, 1))]), [copper, aluminium])
    >>> phases.answers[0].phase
    'Cu'
    """
    where = chosen_calibration(calibration, groups, voltage_kV)
    crystals = tuple(c if isinstance(c, Crystal) else Crystal.from_cif(c) for c in candidates)
    shape, answers = groups.patterns.shape[1:], []
    step = float(np.mean(np.abs(where.step)))
    for number, pattern in enumerate(groups.patterns):
        used = np.ones(shape, bool) if groups.used_pixels is None else np.asarray(groups.used_pixels[number])
        if not groups.crystalline[number]:
            answers.append(_rings(pattern, used, where, step))
            continue
        sigma = spot_size or spot_sigma(pattern, where.center, used, inner=_inner(used, where.center, 1.5))
        inner = _inner(used, where.center, sigma)
        spots = find_spots(pattern, where.center, sigma=sigma, used=used, inner=inner)
        identifier = Identifier(
            crystals,
            voltage_kV=voltage_kV,
            tolerance=max(1.0, sigma) * step,
            scale_tolerance=scale_tolerance,
            largest=largest,
            least=least,
        )
        reach = where.reach(shape)
        answers.append(
            identifier.answer(where.g(spots.place), spots.amplitude, reach=reach, inner=inner * step)
        )
    return Phases(tuple(answers), tuple(crystal.name for crystal in crystals))


def _inner(used: NDArray[np.bool_], center: tuple[float, float], sigma: float) -> float:
    """Return the radius in pixels from which on spots are seen: outside a masked beam, or outside the beam itself."""
    radius = radii(used.shape, center)
    masked = radius[~used & (radius < 0.25 * min(used.shape))]
    return float(masked.max() + 0.5 * sigma) if masked.size else 4 * sigma


def _rings(pattern: NDArray[Any], used: NDArray[np.bool_], where: Calibration, step: float) -> PhaseAnswer:
    """Return what can be said of a pattern without spots: where its strongest ring is."""
    image = np.where(used, np.asarray(pattern, np.float64), 0.0)
    radius = radii(image.shape, where.center)
    inner, outer = _inner(used, where.center, 1.0), where.reach(image.shape) / step
    rings = np.arange(np.ceil(inner), np.floor(outer) + 1)
    if len(rings) < 4 or not image.any():
        return PhaseAnswer((), "no spots, and too few rings to say more", "amorphous", 0)
    levels = ring_levels(image, radius, used)
    number = np.round(radius).astype(int)
    profile = np.array([np.mean(levels[number == int(ring)]) for ring in rings])
    reduced, _ = reduced_profile(profile, rings)
    first = float(rings[int(np.argmax(reduced))]) * step
    return PhaseAnswer((), f"no spots; the strongest ring is at {first:.3f} 1/angstrom", "amorphous", 0)
