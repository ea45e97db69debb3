"""Patterns on rings: the polar transform about a pattern's centre, with masked pixels left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]

ANGLES_PER_RADIUS = 8  # samples around a ring per pixel of its radius; fewer alias (science, section 5)
FEWEST_ANGLES = 360
LEAST_WEIGHT = 0.5  # share of a sample's interpolation weight that must fall on used pixels
LEAST_RING = 0.5  # share of a ring that must be used for the ring to count


def pixel_steps(axes: tuple[Axis, ...]) -> tuple[float, float]:
    """Return the height and width of a detector pixel in units of its shorter side.

    Parameters
    ----------
    axes : tuple of Axis
        ``(v, u)``; axes of different units count as square pixels.

    Examples
    --------
    >>> pixel_steps((Axis("v", 4, scale=0.2, unit="mrad"), Axis("u", 8, scale=0.1, unit="mrad")))
    (2.0, 1.0)
    """
    v, u = axes
    if v.unit != u.unit:
        return 1.0, 1.0
    shorter = min(abs(v.scale), abs(u.scale))
    return abs(v.scale) / shorter, abs(u.scale) / shorter


@dataclass(frozen=True, eq=False)
class PolarGrid:
    """Rings about a centre, and the interpolation that reads patterns on them.

    Angles run counter-clockwise as displayed (v down, u right) from the direction of +u; radii are in units
    of the shorter pixel side, one ring per unit.

    Parameters
    ----------
    center : (float, float)
        (v, u) in pixels.
    radii : ndarray, shape (r,)
        Radii of the rings that count: at least half of each is on used pixels.
    n_angles : int
        Samples around each ring: 8 per unit of the largest radius, at least 360.
    used : ndarray of bool, shape (r, n_angles)
        False where a sample falls (by more than half) on masked pixels or off the detector.
    operator : scipy.sparse.csr_array, shape (r * n_angles, n_pixels)
        Bilinear interpolation from used pixels; the rows of unused samples are empty.
    """

    center: tuple[float, float]
    radii: Float
    n_angles: int
    used: Bool
    operator: Any

    @property
    def step_deg(self) -> float:
        """Angle between neighbouring samples, in degrees."""
        return 360.0 / self.n_angles

    def of(self, patterns: NDArray[Any]) -> Float:
        """Return patterns on the rings, shape (k, r, n_angles), 0 at unused samples.

        Parameters
        ----------
        patterns : ndarray, shape (k, v, u)
        """
        flat = np.asarray(patterns, np.float32).reshape(len(patterns), -1)
        rings = np.asarray(self.operator @ flat.T).T
        return np.ascontiguousarray(rings).reshape(len(flat), len(self.radii), self.n_angles)

    def ring_mean(self, rings: Float) -> Float:
        """Return the mean of each ring over its used samples, shape (k, r)."""
        count = self.used.sum(axis=1, dtype=np.float32)
        return np.asarray(rings.sum(axis=2) / np.maximum(count, 1.0), np.float32)

    def anomaly(self, rings: Float) -> Float:
        """Return rings less their mean, 0 at unused samples: what depends on the angle."""
        return np.asarray((rings - self.ring_mean(rings)[:, :, None]) * self.used, np.float32)


def polar_grid(axes: tuple[Axis, ...], used_pixels: Bool, *, center: tuple[float, float]) -> PolarGrid:
    """Return the rings about `center` that the used part of a detector holds.

    A ring counts when at least half of it is on used pixels: so the direct beam, the rim and, on a detector
    that is not square, the corners drop out, while a ring that a beam stop crosses stays.

    Parameters
    ----------
    axes : tuple of Axis
        ``(v, u)``; pixels need not be square.
    used_pixels : ndarray of bool, shape (v, u)
    center : (float, float)
        (v, u) in pixels.

    Examples
    --------
    >>> axes = (Axis("v", 31), Axis("u", 26))
    >>> grid = polar_grid(axes, np.ones((31, 26), bool), center=(15.0, 12.5))
    >>> grid.n_angles, bool(grid.used[:12].all())
    (360, True)
    """
    height, width = pixel_steps(axes)
    shape = (axes[0].size, axes[1].size)
    corners = [(v, u) for v in (0, shape[0] - 1) for u in (0, shape[1] - 1)]
    reach = max(np.hypot((v - center[0]) * height, (u - center[1]) * width) for v, u in corners)
    radii = np.arange(1, max(int(reach), 1) + 1, dtype=np.float64)
    # Which rings count is found on a coarse set of angles: the fine set depends on the largest that does.
    _, coarse = _interpolation(radii, FEWEST_ANGLES, shape, used_pixels, (center, (height, width)))
    kept = radii[coarse.mean(axis=1) >= LEAST_RING]
    n_angles = max(FEWEST_ANGLES, ANGLES_PER_RADIUS * int(kept.max(initial=1)))
    operator, used = _interpolation(kept, n_angles, shape, used_pixels, (center, (height, width)))
    return PolarGrid(center, kept.astype(np.float32), n_angles, used, operator)


def _interpolation(
    radii: NDArray[np.float64],
    n_angles: int,
    shape: tuple[int, int],
    used_pixels: Bool,
    place: tuple[tuple[float, float], tuple[float, float]],
) -> tuple[Any, Bool]:
    """Return the bilinear operator (rows sum to 1 over used pixels) and which samples are used."""
    from scipy import sparse

    (center, steps), n_samples = place, len(radii) * n_angles
    angle = np.arange(n_angles) * (2 * np.pi / n_angles)
    v = (center[0] - radii[:, None] * np.sin(angle) / steps[0]).ravel()
    u = (center[1] + radii[:, None] * np.cos(angle) / steps[1]).ravel()
    v0, u0 = np.floor(v).astype(np.int64), np.floor(u).astype(np.int64)
    rows, columns, weights = [], [], []
    for dv in (0, 1):
        for du in (0, 1):
            weight = np.abs(1 - dv - (v - v0)) * np.abs(1 - du - (u - u0))
            inside = (v0 + dv >= 0) & (v0 + dv < shape[0]) & (u0 + du >= 0) & (u0 + du < shape[1])
            sample = np.flatnonzero(inside & (weight > 0))
            pixel = (v0[sample] + dv) * shape[1] + u0[sample] + du
            usable = np.asarray(used_pixels, bool).ravel()[pixel]
            rows.append(sample[usable])
            columns.append(pixel[usable])
            weights.append(weight[sample[usable]])
    row, value = np.concatenate(rows), np.concatenate(weights)
    total = np.bincount(row, value, minlength=n_samples)
    used = total >= LEAST_WEIGHT
    keep = used[row]
    matrix = sparse.csr_array(
        ((value[keep] / total[row[keep]]).astype(np.float32), (row[keep], np.concatenate(columns)[keep])),
        shape=(n_samples, shape[0] * shape[1]),
    )
    return matrix, used.reshape(len(radii), n_angles)
