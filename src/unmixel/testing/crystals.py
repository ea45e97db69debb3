"""Patterns of single crystals with known phase, zone axis, rotation and tilt, for whoever identifies them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis
from unmixel.dataset.orientations import Orientations, PhaseCell
from unmixel.dataset.results import Convergence, Factors, Groups
from unmixel.physics.cells import built_in
from unmixel.physics.crystal import Crystal
from unmixel.physics.kinematic import SpotPattern, frame, spot_pattern
from unmixel.physics.orientation import turned

SIZE, STEP, SIGMA = 96, 0.025, 1.5
"""Pixels along a side, 1/angstrom a pixel, standard deviation of a spot in pixels."""


def zirconium_alloys() -> list[Crystal]:
    """Return six structures of the Zr-Cu-Al-O system."""
    cells = built_in()
    return [cells[name] for name in ("CuZr", "CuZr2", "ZrCu2Al", "ZrO2", "Zr", "Cu")]


@dataclass(frozen=True)
class View:
    """How a crystal is looked at: patterns of 96 x 96 pixels, 0.025 1/angstrom each, direct beam left out.

    Parameters
    ----------
    rotation_deg : float
        In-plane, counter-clockwise as displayed.
    tilt_deg : (float, float)
        Off the zone axis, about what lies to the right and what lies up.
    scale : float
        Factor on all spatial frequencies: a calibration that is wrong by so much.
    electrons : float
        Mean number in the pattern, Poisson; 0 leaves it without noise.
    dynamical : float
        Standard deviation of the logarithm of each intensity.
    diffuse : float
        Share of the electrons in a smooth background that falls off.
    thickness : float
        In angstrom.
    seed : int

    Examples
    --------
    >>> View().pattern(Crystal.face_centred("Cu", 3.615), (0, 0, 1)).shape
    (96, 96)
    """

    rotation_deg: float = 0.0
    tilt_deg: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    electrons: float = 0.0
    dynamical: float = 0.0
    diffuse: float = 0.5
    thickness: float = 70.0
    seed: int = 0

    def orientation(self, crystal: Crystal, axis: tuple[int, int, int]) -> NDArray[np.float64]:
        """Return the orientation, shape (3, 3); see `unmixel.physics.orientation`."""
        about_right, about_up = np.deg2rad(self.tilt_deg)
        rows = frame(crystal, axis)
        turns = ((about_right, (1, 2)), (about_up, (2, 0)), (-np.deg2rad(self.rotation_deg), (0, 1)))
        for angle, (i, j) in turns:
            turn = np.eye(3)
            turn[i, i] = turn[j, j] = np.cos(angle)
            turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
            rows = turn.T @ rows
        return rows

    def spots(self, crystal: Crystal, axis: tuple[int, int, int]) -> SpotPattern:
        """Return the spots, as the detector's calibration believes them to be."""
        turned = self.orientation(crystal, axis)
        found = spot_pattern(crystal, turned, reach=1.2, thickness=self.thickness)
        noise = np.random.default_rng([self.seed, 1]).standard_normal(len(found.intensity))
        return replace(
            found, g=found.g * self.scale, intensity=found.intensity * np.exp(self.dynamical * noise)
        )

    def pattern(self, crystal: Crystal, axis: tuple[int, int, int]) -> NDArray[np.float64]:
        """Return the pattern, shape (96, 96)."""
        found = self.spots(crystal, axis)
        y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
        image = np.zeros((SIZE, SIZE))
        for (v, u), height in zip(found.g / STEP, found.intensity, strict=True):
            image += height * np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * SIGMA**2))
        background = np.exp(-np.hypot(y, x) / 20)
        image *= (1 - self.diffuse) / max(float(image.sum()), 1e-300)
        image += self.diffuse * background / background.sum()
        if self.electrons:
            image = np.random.default_rng(self.seed).poisson(self.electrons * image).astype(np.float64)
        return np.asarray(image)


def groups_of(patterns: Sequence[NDArray[Any]], crystalline: Sequence[bool] | None = None) -> Groups:
    """Return groups that have these patterns, calibrated as a `View` makes them."""
    n = len(patterns)
    return Groups(
        labels=np.arange(n),
        distance=1.0 - np.eye(n),
        rotation_deg=np.zeros(n),
        linkage=np.zeros((max(0, n - 1), 4)),
        cut=0.5,
        cut_reason="every pattern is a group",
        patterns=np.array(patterns),
        maps=np.ones((n, 2, 2)),
        center=((SIZE - 1) / 2, (SIZE - 1) / 2),
        crystalline=np.ones(n, bool) if crystalline is None else np.asarray(crystalline),
        scan_axes=(Axis("y", 2), Axis("x", 2)),
        pattern_axes=tuple(Axis(name, SIZE, scale=STEP, unit="1/angstrom") for name in ("v", "u")),
    )


def factors_of(groups: Groups, maps: NDArray[Any] | None = None) -> Factors:
    """Return factors with one component for each label of some groups, every one with the pattern of its group.

    Parameters
    ----------
    groups : Groups
    maps : ndarray, shape (k, y, x), optional
        Those of the groups where they are not given; then there is one component a group.
    """
    maps = np.asarray(groups.maps if maps is None else maps, np.float64)
    axes = tuple(replace(a, size=n) for a, n in zip(groups.scan_axes, maps.shape[1:], strict=True))
    return Factors(
        maps=maps,
        patterns=groups.patterns[groups.labels],
        scan_axes=axes,
        pattern_axes=groups.pattern_axes,
        used_pixels=np.ones(groups.patterns.shape[1:], bool),
        fill="zero",
        strengths=np.full(len(maps), 1 / len(maps)),
        convergence=Convergence((0.0,), 0.0, 0, converged=True, reason="made, not fitted"),
    )


def bicrystal(angle_deg: float, size: int = 6) -> Orientations:
    """Return a scan of copper along [001] whose right half is turned about the beam."""
    columns = np.where(np.arange(size) < size // 2, 0.0, angle_deg)
    return Orientations(
        phase=np.zeros((size, size), np.intp),
        matrices=turned(np.eye(3), np.broadcast_to(columns, (size, size))),
        confidence=np.ones((size, size)),
        axes=(Axis("y", size, unit="nm"), Axis("x", size, unit="nm")),
        phases=(PhaseCell("Cu", (3.615,) * 3, (90.0,) * 3, "F m -3 m", "m-3m"),),
        zone_axis=np.broadcast_to(np.array([0, 0, 1], np.intp), (size, size, 3)),
    )
