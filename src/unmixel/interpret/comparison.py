"""Patterns of few counts against those of groups, on rings whose counting noise is even."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.results import Groups
from unmixel.interpret.contrast import smoothed
from unmixel.interpret.correlate import Spectra, correlate, spectra
from unmixel.interpret.doses import Doses
from unmixel.interpret.matcher import PositionMatcher
from unmixel.interpret.polar import PolarGrid, pixel_steps, polar_grid

Float = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]
Rings = NDArray[np.float32]

LEAST_NOISE = 1e-3  # of the noisiest ring: a ring next to nothing falls on does not weigh more
MIRROR_GAIN = 0.02  # a mirror image must fit better by this much to be preferred, as in the clusterer
BATCH_BYTES = 48_000_000  # of working copies: larger ones leave the cache
SAME_SHAPE = 1e-3  # singular values below this share of the largest add nothing to a background
WEAK = (0.25, 0.5, 1.0)  # parts of a dose at which a background is known: the root bends its shape


def even(electrons: Any) -> Rings:
    """Return counts such that their Poisson noise is more even: as they are where few, a root where many.

    ``x / sqrt(1 + x)``, negative values as 0. Of less than one electron per pixel the plain sum tells most; of many
    the root keeps the strongest spot from outvoting all others.

    Examples
    --------
    >>> even([-1.0, 0.01, 99.0]).astype(float).round(3).tolist()
    [0.0, 0.01, 9.9]
    """
    x = np.maximum(np.asarray(electrons, np.float32), np.float32(0))
    return np.asarray(x / np.sqrt(np.float32(1) + x), np.float32)


@dataclass(frozen=True, eq=False)
class Reading:
    """How counts are read on rings.

    Parameters
    ----------
    grid : PolarGrid
    used : ndarray of bool, shape pattern_shape
    steps : (float, float)
        Height and width of a pixel in units of its shorter side.
    smooth : float
        Sigma in that unit.
    weights : ndarray, shape (r,)
        Of the rings: radius over the variance of counting noise, so that noise counts alike everywhere.
    background : ndarray, shape (q, r * t)
        Orthonormal directions, in weighted rings, that are taken out of every pattern.
    """

    grid: PolarGrid
    used: Bool
    steps: tuple[float, float]
    smooth: float
    weights: Float
    background: Rings

    def anomaly(self, electrons: Float) -> Rings:
        """Return what depends on the angle in patterns, shape (b, n_pixels): evened, smoothed, background out.

        Shape (b, r, t).
        """
        # masked pixels may hold anything, NaN too
        frames = even(np.where(self.used.ravel(), electrons, 0.0)).reshape(-1, *self.used.shape)
        rings = self.grid.anomaly(self.grid.of(smoothed(frames, self.used, self.smooth, steps=self.steps)))
        if not len(self.background):
            return rings
        root = np.sqrt(self.weights).astype(np.float32)[:, None]
        flat = (rings * root).reshape(len(rings), -1)
        flat -= (flat @ self.background.T) @ self.background
        return np.asarray(flat.reshape(rings.shape) / root, np.float32)

    def spectra(self, electrons: Float) -> Spectra:
        """Return the harmonics of patterns, shape (b, n_pixels)."""
        return spectra(self.anomaly(electrons), self.grid.used, self.weights)

    def isotropic(self, pattern: Float) -> NDArray[np.float64]:
        """Return a pattern, shape (n_pixels,), with even rings: at every used pixel the mean of its ring."""
        level = self.grid.ring_mean(self.grid.of(pattern.reshape(1, *self.used.shape)))[0]
        v, u = (
            (np.arange(n) - c) * step
            for n, c, step in zip(self.used.shape, self.grid.center, self.steps, strict=True)
        )
        radius = np.hypot(v[:, None], u[None, :])
        return np.asarray(np.where(self.used, np.interp(radius, self.grid.radii, level), 0.0).ravel())


@dataclass(frozen=True, eq=False)
class Similarities:
    """How similar b patterns are to each of s group patterns.

    Parameters
    ----------
    similarity : ndarray, shape (b, s), in [0, 1]
    rotation_deg : ndarray, shape (b, s), in [-180, 180)
    mirrored : ndarray of bool, shape (b, s)
    energy : ndarray, shape (b,)
        Weighted sum of squares of what depends on the angle, noise included.
    """

    similarity: Float
    rotation_deg: Float
    mirrored: Bool
    energy: Float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Group patterns on rings, ready for others.

    Parameters
    ----------
    reading : Reading
    rings : ndarray, shape (s, r, t)
        What depends on the angle in the groups' patterns.
    templates : Spectra
    mirror : bool
        Whether mirror images count as the same.
    batch : int
        Number of patterns that are compared at once.
    """

    reading: Reading
    rings: Rings
    templates: Spectra
    mirror: bool
    batch: int

    def matches(self, electrons: NDArray[np.float32]) -> Similarities:
        """Return how similar patterns, shape (b, n_pixels), are to each group's, at the best rotation."""
        parts = [
            self._batch(electrons[start : start + self.batch])
            for start in range(0, len(electrons), self.batch)
        ]
        return Similarities(
            *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Similarities))
        )

    def _batch(self, electrons: NDArray[np.float32]) -> Similarities:
        patterns = self.reading.spectra(electrons)
        pairs = correlate(self.templates, patterns)
        similarity, rotation, flipped = pairs.similarity, pairs.rotation_deg, np.zeros((1, 1), bool)
        if self.mirror:
            mirrored = correlate(self.templates.mirrored(), patterns)
            flipped = mirrored.similarity > similarity + MIRROR_GAIN
            similarity = np.where(flipped, mirrored.similarity, similarity)
            rotation = np.where(flipped, mirrored.rotation_deg, rotation)
        return Similarities(
            np.clip(similarity.T, 0.0, 1.0),
            rotation.T,
            np.broadcast_to(flipped, similarity.shape).T,
            patterns.total,
        )

    def self_similarity(self) -> Float:
        """Return how similar each group's pattern is to itself after a turn, shape (s, t), 1 without one."""
        from scipy import fft

        power = np.abs(self.templates.values) ** 2
        curve = fft.irfft(power.sum(axis=2), n=self.reading.grid.n_angles, axis=0).T
        return np.asarray(curve / np.maximum(curve[:, :1], 1e-30))


def comparison_of(
    groups: Groups,
    roles: tuple[NDArray[np.intp], tuple[int, ...]],
    used: Bool,
    doses: Doses,
    *,
    matcher: PositionMatcher,
    budget: int,
) -> Comparison:
    """Return some groups' patterns, ready for patterns of these doses.

    Parameters
    ----------
    groups : Groups
    roles : (ndarray of int of shape (s,), tuple of int)
        Groups to compare with, and groups to take out as background.
    used : ndarray of bool, shape pattern_shape
    doses : Doses
    matcher : PositionMatcher
        Its `smooth` and `mirror`.
    budget : int
        Bytes of memory for working copies.

    Raises
    ------
    InputError
        When no ring about the centre is used by half.
    """
    some, background = roles
    grid = polar_grid(groups.pattern_axes, used, center=(groups.center[0], groups.center[1]))
    if len(grid.radii) == 0:
        raise InputError(
            "used pixels",
            expected="at least one ring about the centre that is used by half",
            got="none",
            hint="mask less of the detector, or check the centre",
        )
    level = grid.ring_mean(grid.of(doses.expected.reshape(1, *used.shape)))[0].astype(np.float64)
    # the variance of `even` counts, from its slope
    noise = level * (1 + level / 2) ** 2 / (1 + level) ** 3
    weights = grid.radii / np.maximum(noise, LEAST_NOISE * noise.max())
    none = np.zeros((0, grid.used.size), np.float32)
    plain = Reading(grid, used, pixel_steps(groups.pattern_axes), matcher.smooth, weights, none)
    patterns = np.where(used, np.maximum(groups.patterns, 0.0), 0.0).reshape(groups.n_groups, -1)
    share = patterns / np.maximum(patterns.sum(axis=1, keepdims=True), 1e-300)
    reading = _without(plain, share[list(background)], doses)
    rings = reading.anomaly(doses.typical * share[some])
    templates = spectra(rings, grid.used, weights)
    cost = 16 * used.size + 40 * grid.used.size
    batch = max(1, min(BATCH_BYTES, budget // 4) // cost)
    return Comparison(reading, rings, templates, matcher.mirror, batch)


def _without(reading: Reading, shares: Float, doses: Doses) -> Reading:
    """Return the reading that takes patterns out, whatever their strength, at the doses that occur."""
    if not len(shares):
        return reading
    counts = [part * dose * share for share in shares for dose, _ in doses.classes for part in WEAK]
    rings = reading.anomaly(np.array(counts)) * np.sqrt(reading.weights).astype(np.float32)[:, None]
    _, strength, directions = np.linalg.svd(rings.reshape(len(counts), -1), full_matrices=False)
    kept = strength > SAME_SHAPE * strength[0]
    return Reading(
        reading.grid, reading.used, reading.steps, reading.smooth, reading.weights, directions[kept]
    )
