"""Names for groups: spots are found in each pattern and compared with candidate structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.phases import PhaseAnswer, Phases
from unmixel.dataset.results import Groups
from unmixel.interpret.identify import Identifier
from unmixel.interpret.peaks import find_spots, radii, ring_levels, spot_sigma
from unmixel.interpret.profile import reduced_profile
from unmixel.physics.crystal import Crystal
from unmixel.physics.wavelength import wavelength


@dataclass(frozen=True)
class Calibration:
    """What a pixel of a pattern is worth.

    Parameters
    ----------
    center : (float, float)
        (v, u) of the direct beam, in pixels.
    step : (float, float)
        1/angstrom a pixel, along v and u.
    """

    center: tuple[float, float]
    step: tuple[float, float]

    @classmethod
    def of(cls, axes: tuple[Axis, ...], center: tuple[float, ...], voltage_kV: float) -> Calibration:
        """Return the calibration of pattern axes in 1/angstrom, or in mrad of electrons of some voltage."""
        units = {axis.unit for axis in axes}
        factor = {"1/angstrom": 1.0, "mrad": 1e-3 / wavelength(voltage_kV)}
        if len(axes) != 2 or len(center) != 2 or len(units) != 1 or not units <= set(factor):
            raise InputError(
                "identify",
                expected="patterns of two axes in 1/angstrom or mrad, with a known centre",
                got=f"{len(axes)} axes in {', '.join(sorted(units)) or 'no unit'}",
                hint="calibrate the scan first: Scan.from_array(..., pattern_scale=0.01, pattern_unit='1/angstrom')",
            )
        scale = factor[units.pop()]
        return cls((float(center[0]), float(center[1])), (axes[0].scale * scale, axes[1].scale * scale))

    def g(self, place: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return pixel coordinates (n, 2) as spatial frequencies (v, u), in 1/angstrom."""
        return np.asarray((place - np.asarray(self.center)) * np.asarray(self.step))

    def reach(self, shape: tuple[int, ...]) -> float:
        """Return the spatial frequency up to which every direction is on the detector."""
        room = [
            min(c + 0.5, n - 0.5 - c) * abs(step)
            for n, c, step in zip(shape, self.center, self.step, strict=True)
        ]
        return max(0.0, *room) if min(room) <= 0 else min(room)


def identify(
    groups: Groups,
    candidates: Sequence[str | Path | Crystal],
    *,
    voltage_kV: float = 300.0,
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
    where = Calibration.of(groups.pattern_axes, groups.center, voltage_kV)
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
