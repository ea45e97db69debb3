"""Components that show more than one structure: how much of each the rotated patterns of the groups explain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.positions import Memberships
from unmixel.dataset.results import Factors, Groups
from unmixel.interpret.align import LEAST_COVER, turned
from unmixel.interpret.contrast import smoothed
from unmixel.interpret.correlate import Spectra, correlate, spectra
from unmixel.interpret.polar import PolarGrid, pixel_steps, polar_grid

Float = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]

ROUNDS = 4  # of finding each rotation in what the other groups leave
SMOOTH = 1.0  # px; of patterns before they are compared, and of the residual before it counts as unexplained
LEAST_LEVEL = 1e-3  # of the highest mean: a pixel next to nothing falls on does not weigh more


def memberships(factors: Factors, groups: Groups) -> Memberships:
    """Return how much of each component's pattern the rotated patterns of the groups explain.

    A component is the sum of group patterns, each at a rotation of its own, with weights >= 0 by least squares over
    all groups at once; pixels are weighted by one over the mean pattern, as counts ask for::

        min sum_p (H_kp - sum_g c_g G_gp(theta_g))^2 / mean_p,    c >= 0

    Every rotation is the best one in what the other groups leave, found anew until all have settled. Groups without
    spots explain with their rings. What the sum does not reach of the pattern, smoothed by a pixel so that noise does
    not count, is unexplained: it shares the rest with the weights in proportion to c. Mirror images are not tried.

    Parameters
    ----------
    factors : Factors
        Diffraction patterns, shape (k, v, u).
    groups : Groups
        Of the same detector; usually those of these factors.

    Returns
    -------
    Memberships
        Weights of shape (k, g + 1); rows sum to 1, the last column is the unexplained share.

    Raises
    ------
    InputError
        When patterns do not have two axes or do not share a detector.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from unmixel.interpret.cluster import RotationClusterer
    >>> from unmixel.testing.clusterers import diffraction_factors
    >>> factors = diffraction_factors()
    >>> groups = RotationClusterer().group(factors, seed=0)
    >>> mixed = factors.patterns.copy()
    >>> mixed[0] = 0.7 * factors.patterns[0] + 0.3 * factors.patterns[1]
    >>> memberships(replace(factors, patterns=mixed), groups).weights[0, :2].round(1).tolist()
    [0.7, 0.3]
    """
    if len(groups.center) != 2 or factors.patterns.shape[1:] != groups.patterns.shape[1:]:
        raise InputError(
            "memberships",
            expected=f"patterns of two axes on the groups' detector, {groups.patterns.shape[1:]}",
            got=f"{factors.patterns.shape[1:]}",
            hint="spectra have no rotation: compare them as they are",
        )
    used = np.asarray(factors.used_pixels, bool)
    if groups.used_pixels is not None:
        used = used & np.asarray(groups.used_pixels, bool).all(axis=0)
    mixer = _mixer(factors, groups, used)
    rows = [mixer.explained(_shares(pattern[None], used)[0]) for pattern in factors.patterns]
    words = (
        f"memberships: non-negative least squares over {groups.n_groups} group patterns, "
        f"{int(np.sum(groups.crystalline))} of them at their best rotation among the others ({ROUNDS} rounds)"
    )
    return Memberships(np.array([row for row, _ in rows]), np.array([turn for _, turn in rows]), words)


def _shares(patterns: Float, used: Bool) -> Float:
    """Return patterns that sum to 1 over used pixels, 0 elsewhere."""
    clean = np.where(used, np.maximum(patterns, 0.0), 0.0).astype(np.float64)
    return np.asarray(clean / np.maximum(clean.sum(axis=(1, 2), keepdims=True), 1e-300))


@dataclass(frozen=True, eq=False)
class _Mixer:
    """Group patterns, ready to be turned and summed."""

    patterns: Float
    crystalline: Bool
    used: Bool
    noise: Float
    grid: PolarGrid
    weights: Float
    steps: tuple[float, float]
    templates: Spectra

    def explained(self, pattern: Float) -> tuple[Float, Float]:
        """Return the shares of all groups and of nothing, and the rotations."""
        g = len(self.patterns)
        rotation, images = np.zeros(g), self.patterns.copy()
        known = np.repeat(self.used[None], g, axis=0)
        for group in map(int, np.flatnonzero(self.crystalline)):
            self._turn(group, pattern, (rotation, images, known))
        amount = self._amounts(pattern, images, known)
        for _ in range(ROUNDS):
            for group in map(int, np.flatnonzero(self.crystalline & (amount > 0))):
                rest = pattern - np.tensordot(np.delete(amount, group), np.delete(images, group, 0), axes=1)
                self._turn(group, rest, (rotation, images, known))
                amount = self._amounts(pattern, images, known)
        there = np.asarray(known.all(axis=0))
        left = np.where(there, pattern - np.tensordot(amount, images, axes=1), 0.0)[None]
        short = np.maximum(smoothed(left, there, SMOOTH, steps=self.steps), 0.0).sum(dtype=np.float64)
        share = min(float(short) / max(float(pattern[there].sum()), 1e-300), 1.0)
        total = float(amount.sum())
        if total <= 0:
            return np.append(amount, 1.0), rotation
        return np.append(amount / total * (1.0 - share), share), rotation

    def _turn(self, group: int, target: Float, state: tuple[Float, Float, NDArray[np.bool_]]) -> None:
        """Turn a group's pattern to where it fits a target best."""
        rotation, images, known = state
        degrees = float(
            correlate(self.templates[group : group + 1], self.spectra(target[None])).rotation_deg[0, 0]
        )
        turn = partial(turned, degrees=degrees, center=self.grid.center, steps=self.steps)
        seen = turn(self.used.astype(np.float64))
        rotation[group], known[group] = degrees, self.used & (seen >= LEAST_COVER)
        images[group] = turn(self.patterns[group]) / np.maximum(seen, LEAST_COVER) * known[group]

    def spectra(self, patterns: Float) -> Spectra:
        """Return the harmonics of patterns, shape (n, v, u)."""
        rings = self.grid.of(smoothed(patterns, self.used, SMOOTH, steps=self.steps))
        return spectra(self.grid.anomaly(rings), self.grid.used, self.weights)

    def _amounts(self, pattern: Float, images: Float, known: NDArray[np.bool_]) -> Float:
        from scipy.optimize import nnls

        there = np.asarray(known.all(axis=0))
        design = (images / self.noise)[:, there].T
        return np.asarray(nnls(design, (pattern / self.noise)[there])[0], np.float64)


def _mixer(factors: Factors, groups: Groups, used: Bool) -> _Mixer:
    grid = polar_grid(groups.pattern_axes, used, center=(groups.center[0], groups.center[1]))
    if len(grid.radii) == 0:
        raise InputError(
            "used pixels",
            expected="at least one ring about the centre that is used by half",
            got="none",
            hint="mask less of the detector, or check the centre",
        )
    mean = np.average(_shares(factors.patterns, used), axis=0, weights=np.maximum(factors.strengths, 1e-12))
    steps = pixel_steps(groups.pattern_axes)
    level = grid.ring_mean(grid.of(mean[None]))[0].astype(np.float64)
    weights = grid.radii / np.maximum(level, LEAST_LEVEL * level.max())
    spread = smoothed(mean[None], used, SMOOTH, steps=steps)[0].astype(np.float64)
    noise = np.sqrt(np.maximum(spread, LEAST_LEVEL * spread.max()))
    patterns = _shares(groups.patterns, used)
    rings = grid.anomaly(grid.of(smoothed(patterns, used, SMOOTH, steps=steps)))
    templates = spectra(rings, grid.used, weights)
    crystalline = np.asarray(groups.crystalline, bool)
    return _Mixer(patterns, crystalline, used, noise, grid, weights, steps, templates)
