"""Marks of known radius in patterns: Bragg spots, and pieces of rings, each with the error of its place."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from unmixel.dataset.calibration import Calibration
from unmixel.dataset.results import Groups
from unmixel.interpret.ellipse import fit_ellipse
from unmixel.interpret.peaks import MAD, find_spots, radii, spot_sigma
from unmixel.interpret.refine import refine_spots
from unmixel.interpret.ring_places import ring_places
from unmixel.physics.families import Families

Float = NDArray[np.float64]

FLOOR = 0.01
"""Least error of a place in pixels: spots are not quite Gaussian, pixels not quite alike."""

SECTORS = 24
"""Pieces that a ring is cut into."""

RING_LEAST = 8.0
"""Significance from which on a maximum of the profile is a ring."""


@dataclass(frozen=True, eq=False)
class Marks:
    """Marks of one or several patterns.

    Parameters
    ----------
    pattern : ndarray of int, shape (n,)
        Number of the pattern.
    place : ndarray, shape (n, 2)
        (v, u) in pixels.
    error : ndarray, shape (n,)
        Standard error of the place along the radius, in pixels.
    significance : ndarray, shape (n,)
    ring : ndarray of int, shape (n,)
        Which ring of its pattern a piece belongs to; -1 for spots.
    """

    pattern: NDArray[np.intp]
    place: Float
    error: Float
    significance: Float
    ring: NDArray[np.intp]

    def __len__(self) -> int:
        """Return the number of marks."""
        return len(self.place)

    def at(self, chosen: NDArray[Any]) -> Marks:
        """Return some of the marks."""
        return Marks(*(getattr(self, field.name)[chosen] for field in fields(self)))


def joined(parts: list[Marks]) -> Marks:
    """Return the marks of several patterns as one."""
    empty = Marks(np.zeros(0, np.intp), np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0, np.intp))
    return Marks(
        *(np.concatenate([getattr(part, f.name) for part in (empty, *parts)]) for f in fields(Marks))
    )


def used_of(groups: Groups, number: int) -> NDArray[np.bool_]:
    """Return the pixels at which a group's pattern is known."""
    if groups.used_pixels is None:
        return np.ones(groups.patterns.shape[1:], bool)
    return np.asarray(groups.used_pixels[number], bool)


def spot_marks(
    number: int,
    pattern: NDArray[Any],
    where: Calibration,
    *,
    used: NDArray[np.bool_],
    spot_size: float | None = None,
) -> Marks:
    """Return the spots of a pattern outside its direct beam.

    Parameters
    ----------
    number : int
        That the marks carry.
    pattern : ndarray, shape (v, u)
    where : Calibration
        Only its centre counts.
    used : ndarray of bool, shape (v, u)
    spot_size : float, optional
        Standard deviation of a spot in pixels; measured where it is not given.
    """
    sigma = spot_size or spot_sigma(pattern, where.center, used, inner=beam_radius(used, where.center, 1.5))
    inner = beam_radius(used, where.center, sigma)
    spots = find_spots(pattern, where.center, sigma=sigma, used=used, inner=inner)
    spots = refine_spots(pattern, spots, where.center, sigma=sigma, used=used)
    n = len(spots)
    return Marks(
        np.full(n, number, np.intp),
        spots.place,
        np.maximum(spots.place_error, FLOOR),
        spots.significance,
        np.full(n, -1, np.intp),
    )


def beam_radius(used: NDArray[np.bool_], center: tuple[float, float], sigma: float) -> float:
    """Return the radius in pixels from which on spots are seen: outside a masked beam, or outside the beam itself.

    What else is masked, a ghost or a dead pixel beside the beam, hides nothing but itself.
    """
    radius = radii(used.shape, center)
    holes, _ = scipy.ndimage.label(~used)
    middle = np.unique(holes[radius <= max(2.0, sigma)])
    hole = np.isin(holes, middle[middle > 0]) & (radius < 0.25 * min(used.shape))
    return float(radius[hole].max() + 0.5 * sigma) if hole.any() else 4 * sigma


def ring_marks(
    number: int,
    pattern: NDArray[Any],
    where: Calibration,
    *,
    used: NDArray[np.bool_],
    rings: Families | None = None,
) -> Marks:
    """Return pieces of the rings of a pattern: where each ring is in each of 24 sectors.

    Centre and ellipse are first made such that the rings are circles (`fit_ellipse`). Rings of a known phase are where
    its lines fit the profile, overlapping ones too; of an unknown one they are the profile's maxima. In each sector
    the profile of the whole ring is moved along the radius until it fits.

    Parameters
    ----------
    number : int
        That the marks carry.
    pattern : ndarray, shape (v, u)
    where : Calibration
        Its centre counts, and its scale where there is a phase.
    used : ndarray of bool, shape (v, u)
    rings : Families, optional
        Of the phase.
    """
    image = np.asarray(pattern, np.float64)
    edges = Calibration.from_steps(where.center, (1.0, 1.0))
    inner, outer = beam_radius(used, where.center, 1.5), edges.reach(image.shape)
    if outer - inner < 8:
        return joined([])
    round_ = fit_ellipse(image, where.center, inner=inner, outer=outer, used=used).calibration
    seen = used & np.isfinite(image)
    place = np.argwhere(seen).astype(np.float64)
    g = round_.g(place)
    seen_rings = _Rings(image[seen], np.linalg.norm(g, axis=1), np.arctan2(-g[:, 0], g[:, 1]), (inner, outer))
    if rings is None:
        found = seen_rings.found()
    else:
        found = ring_places(seen_rings.grid, *seen_rings.profile(), rings, where.scale)
    parts = [_pieces(number, index, ring, seen_rings, round_) for index, ring in enumerate(found)]
    return joined(parts)


@dataclass(frozen=True, eq=False)
class _Rings:
    """Pixels of a pattern by radius and angle, about a centre that makes its rings circles."""

    values: Float
    radius: Float
    angle: Float
    field: tuple[float, float]

    @property
    def grid(self) -> Float:
        """Radii of the profile, half a pixel apart."""
        return np.arange(self.field[0], self.field[1], 0.5)

    def profile(self) -> tuple[Float, Float]:
        """Return the mean of each radius, over triangles a pixel wide, and its standard error."""
        place = (self.radius - self.field[0]) / 0.5
        low = np.floor(place).astype(int)
        n = len(self.grid)
        sums = np.zeros((3, n))
        for index, share in ((low, 1 - (place - low)), (low + 1, place - low)):
            inside = (index >= 0) & (index < n)
            for row, weight in enumerate((share, share * self.values, share * self.values**2)):
                np.add.at(sums[row], index[inside], weight[inside])
        count = np.maximum(sums[0], 1e-9)
        mean = sums[1] / count
        return mean, np.sqrt(np.maximum(sums[2] / count - mean**2, 1e-300) / np.maximum(count, 1.0))

    def found(self) -> list[tuple[float, float]]:
        """Return centre and half width in pixels of each ring that stands out."""
        mean, error = self.profile()
        smooth = scipy.ndimage.gaussian_filter1d(mean, 1.0)
        peaks = np.flatnonzero((smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:])) + 1
        rings = []
        for peak in peaks:
            left, right = _foot(smooth[: peak + 1][::-1]), _foot(smooth[peak:])
            own = smooth[peak - left : peak + right + 1]
            own = own - np.linspace(own[0], own[-1], len(own))
            top = int(np.argmax(own))
            if own[top] < RING_LEAST * error[peak] / 2 or not 0 < top < len(own) - 1:
                continue
            half = max(0.25 * (own > own[top] / 2).sum(), 0.75)
            center = float(self.grid[peak - left + top]) + 0.5 * _vertex(own[top - 1 : top + 2])
            rings.append((center, float(half)))
        return rings


def _foot(values: Float) -> int:
    """Return how many steps a curve falls from its first value."""
    rising = np.flatnonzero(np.diff(values) > 0)
    return int(rising[0]) if rising.size else len(values) - 1


def _vertex(three: Float) -> float:
    """Return where a parabola through three values peaks, from the middle one, in steps."""
    bend = three[0] - 2 * three[1] + three[2]
    return float(np.clip(0.5 * (three[0] - three[2]) / bend, -1, 1)) if bend < 0 else 0.0


def _pieces(number: int, index: int, ring: tuple[float, float], rings: _Rings, where: Calibration) -> Marks:
    """Return where a ring is in each sector: its own shape moved, plus a line, by least squares."""
    center, half = ring
    near = np.abs(rings.radius - center) <= 2.5 * half
    radius, angle, values = rings.radius[near], rings.angle[near], rings.values[near]
    mean, _ = rings.profile()
    smooth = scipy.ndimage.gaussian_filter1d(mean, 1.0)
    slope = np.interp(radius, rings.grid, np.gradient(smooth, 0.5))
    level = np.maximum(np.interp(radius, rings.grid, smooth), 1e-300)
    sector = np.floor((angle + np.pi) / (2 * np.pi) * SECTORS).astype(int) % SECTORS
    rest = (values - level) / np.sqrt(level)
    noise = MAD * float(np.median(np.abs(rest))) if len(rest) else 0.0
    rows = []
    for piece in range(SECTORS):
        mine = (sector == piece) & (np.abs(rest) <= 5 * max(noise, 1e-12))
        if mine.sum() < 8:
            continue
        design = np.column_stack([-slope[mine], level[mine], radius[mine] - center])
        design /= np.sqrt(level[mine])[:, None]
        normal = design.T @ design
        if np.linalg.cond(normal) > 1e10:
            continue
        inverse = np.linalg.inv(normal)
        moved = float((inverse @ design.T @ rest[mine])[0])
        error = noise * float(np.sqrt(inverse[0, 0]))
        middle = float(np.mean(angle[mine]))
        if abs(moved) < half and error < half:
            g = (center + moved) * np.array([-np.sin(middle), np.cos(middle)])
            rows.append((where.place(g), error))
    n = len(rows)
    errors = np.maximum(np.array([row[1] for row in rows]), FLOOR)
    return Marks(
        np.full(n, number, np.intp),
        np.array([row[0] for row in rows]).reshape(-1, 2),
        errors,
        half / errors,
        np.full(n, index, np.intp),
    )
