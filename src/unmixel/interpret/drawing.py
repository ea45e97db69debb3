"""Patterns drawn anew from their spots, alike in width and nearly in height, so that places count.

Tilt and thickness change how strong the spots of a crystal are, by orders of magnitude, but hardly where they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.interpret.peaks import Spots, find_spots, spot_sigma
from unmixel.interpret.polar import PolarGrid

LEAST, SHARE = 2.0, 0.003  # a spot's least significance, and its least amplitude as a share of the strongest
MEASURED = 16  # patterns from which the width of spots is measured
NARROWEST, NARROWED = (
    0.6,
    0.25,
)  # width of a drawn spot: at least so many pixels, and this share of the real one
POWER = 0.25  # exponent on amplitudes
REACH = 4.0  # standard deviations to which a spot is drawn
FLOOR = 0.1  # standard error of a place that no significance makes smaller, in pixels
ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Places:
    """Where the spots of some patterns are.

    Parameters
    ----------
    spots : tuple of Spots
        One entry per pattern.
    sigma : float
        Standard deviation of a spot, in pixels of the shorter side.
    used : ndarray of bool, shape (v, u)
        Where a spot's place is known: pixels farther than half of `sigma`, and than 1, from any that is not used.
    center : (float, float)
        (v, u) in pixels.
    steps : (float, float)
        Height and width of a pixel in units of its shorter side.
    """

    spots: tuple[Spots, ...]
    sigma: float
    used: NDArray[np.bool_]
    center: tuple[float, float]
    steps: tuple[float, float]

    def of(self, number: int) -> NDArray[np.float64]:
        """Return the spots of a pattern as (right, up) from the centre, in pixels of the shorter side, shape (n, 2)."""
        v, u = self.spots[number].place.T
        return np.stack([(u - self.center[1]) * self.steps[1], (self.center[0] - v) * self.steps[0]], axis=1)


def places_of(
    patterns: NDArray[Any],
    used: NDArray[np.bool_],
    center: tuple[float, float],
    *,
    steps: tuple[float, float],
) -> Places:
    """Return the spots of patterns, each where it is for sure.

    Spots within half their width of a pixel that is not used, or of the rim, are left out: where they really are is
    not known, and turned a little, another crystal's would not be seen. The width is the median over the first 16
    patterns.

    Parameters
    ----------
    patterns : ndarray, shape (k, v, u), k >= 1
    used : ndarray of bool, shape (v, u)
    center : (float, float)
        (v, u) in pixels.
    steps : (float, float)
        Height and width of a pixel in units of its shorter side.
    """
    from scipy.ndimage import distance_transform_edt

    engine = NumpyEngine()
    widths = engine.each(lambda one: spot_sigma(one, center, used, steps=steps), patterns[:MEASURED])
    sigma = float(np.median(list(widths)))
    inner = distance_transform_edt(np.pad(used, 1), sampling=steps)[1:-1, 1:-1] > max(1.0, sigma / 2)

    def seen(pattern: NDArray[Any]) -> Spots:
        spots = find_spots(pattern, center, sigma=sigma, used=used, least=LEAST, share=SHARE, steps=steps)
        v, u = np.clip(np.round(spots.place), 0, np.array(used.shape) - 1).astype(np.intp).T
        kept = inner[v, u]
        return Spots(
            spots.place[kept], spots.amplitude[kept], spots.significance[kept], spots.place_error[kept]
        )

    found = engine.each(seen, patterns)
    return Places(tuple(found), sigma, inner, center, steps)


def drawn(places: Places, grid: PolarGrid) -> NDArray[np.float32]:
    """Return patterns of narrow spots on rings, shape (k, r, n_angles).

    Each spot is a Gaussian, a quarter as wide as it was (at least 0.6 px), as high as the fourth root of its
    amplitude over the strongest one's: a spot that tilt has left a hundredth of still has a third of its height.

    Parameters
    ----------
    places : Places
    grid : PolarGrid
        About the same centre.

    Examples
    --------
    >>> from unmixel.dataset.axes import Axis
    >>> from unmixel.interpret.polar import polar_grid
    >>> used, center = np.ones((41, 41), bool), (20.0, 20.0)
    >>> at, strength, sure = np.array([[20.0, 32.0], [10.0, 20.0]]), np.array([16.0, 1.0]), np.array([9.0, 9.0])
    >>> one = Spots(at, strength, sure, 0.1 * sure)
    >>> rings = drawn(
    ...     Places((one,), 2.0, used, center, (1.0, 1.0)),
    ...     polar_grid((Axis("v", 41), Axis("u", 41)), used, center=center),
    ... )[0]
    >>> rings[11, 0].round(2).item(), rings[9, 90].round(2).item()  # 12 px to the right, and 10 px up
    (1.0, 0.5)
    """
    width = max(NARROWEST, NARROWED * places.sigma)
    step = 2 * np.pi / grid.n_angles
    rings = np.zeros((len(places.spots), len(grid.radii), grid.n_angles), np.float32)
    for number, image in enumerate(rings):
        amplitude = places.spots[number].amplitude
        heights = (amplitude / amplitude.max(initial=1e-300)) ** POWER
        for (right, up), height in zip(places.of(number), heights, strict=True):
            across = grid.radii - np.hypot(up, right)
            near = np.flatnonzero(np.abs(across) <= REACH * width)
            if not near.size:
                continue
            turn = np.arctan2(up, right) / step
            half = min(REACH * width / (grid.radii[near[0]] * step), grid.n_angles / 2 - 1)
            samples = np.arange(math.ceil(turn - half), math.floor(turn + half) + 1)
            arc = grid.radii[near][:, None] * ((samples - turn) * step)
            spot = height * np.exp(-(across[near][:, None] ** 2 + arc**2) / (2 * width**2))
            image[near[:, None], samples % grid.n_angles] += spot
    return np.asarray(rings * grid.used, np.float32)


def refined(places: Places, pair: tuple[int, int], turn_deg: float, *, mirrored: bool = False) -> float:
    """Return by how much one pattern is turned against another, by least squares over the spots they share.

    Spots within `sigma` of each other once turned are pairs; each counts by the standard error of its place across
    the radius, which is `sigma` over its significance.

    Parameters
    ----------
    places : Places
    pair : (int, int)
        Numbers of two patterns.
    turn_deg : float
        Rotation to begin with: the second pattern is the first, turned counter-clockwise by it.
    mirrored : bool
        Whether the first is to be mirrored (up to down) before it is turned.
    """
    first, second = (places.of(number) for number in pair)
    errors = [places.sigma / places.spots[number].significance for number in pair]
    if not len(first) or not len(second):
        return turn_deg
    if mirrored:
        first = first * np.array([1.0, -1.0])
    for _ in range(ROUNDS):
        cosine, sine = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
        turned = first @ np.array([[cosine, sine], [-sine, cosine]])
        apart = np.hypot(*(turned[:, None] - second[None]).transpose(2, 0, 1))
        nearest = apart.argmin(axis=1)
        one = np.flatnonzero(apart[np.arange(len(first)), nearest] <= places.sigma)
        if not one.size:
            return turn_deg
        other = nearest[one]
        weight = 1.0 / (errors[0][one] ** 2 + errors[1][other] ** 2 + FLOOR**2)
        p, q = turned[one], second[other]
        off = weight @ (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]) / (weight @ np.sum(p * q, axis=1))
        turn_deg += float(np.rad2deg(off))
    return turn_deg
