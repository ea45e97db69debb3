"""Detectors with a known centre, scale and ellipse, and what crystals, powders and glasses look like on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.calibration import Calibration
from unmixel.dataset.distortion import NO_DISTORTION, Distortion
from unmixel.physics.crystal import Crystal
from unmixel.physics.families import families
from unmixel.physics.halo import Halo
from unmixel.testing.crystals import View

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A detector whose calibration is known: the truth that calibrations are compared with.

    Parameters
    ----------
    center : (float, float)
        (v, u) of the direct beam, in pixels.
    scale : float
        1/angstrom a pixel, geometric mean.
    ratio, angle_deg : float
        Long over short axis of what a circle is on the detector, and its direction, counter-clockwise as displayed.
    size : int
        Pixels along a side.
    sigma : float
        Standard deviation of a spot, and of a ring across, in pixels.
    distortion : Distortion
        Beyond the ellipse: what mends the pattern.

    Examples
    --------
    >>> round(Camera(ratio=1.02, angle_deg=30.0).calibration.ellipse[0], 6)
    1.02
    """

    center: tuple[float, float] = (47.5, 47.5)
    scale: float = 0.025
    ratio: float = 1.0
    angle_deg: float = 0.0
    size: int = 96
    sigma: float = 1.5
    distortion: Distortion = NO_DISTORTION

    @cached_property
    def calibration(self) -> Calibration:
        """What a pixel is truly worth."""
        half, double = np.log(self.ratio) / 2, 2 * np.deg2rad(self.angle_deg)
        square = Calibration.from_steps(self.center, (self.scale, self.scale))
        round_ = square.stretched((float(half * np.cos(double)), float(half * np.sin(double))))
        return replace(round_, distortion=self.distortion)

    @cached_property
    def length(self) -> Float:
        """Spatial frequency of each pixel, 1/angstrom, shape (size, size)."""
        place = np.argwhere(np.ones((self.size, self.size))).astype(np.float64)
        return np.asarray(np.linalg.norm(self.calibration.g(place), axis=1).reshape(self.size, self.size))

    def inside(self, place: Float) -> NDArray[np.bool_]:
        """Return which places (n, 2) are on the detector."""
        return np.asarray(np.all((place >= 0) & (place <= self.size - 1), axis=1))

    def places(self, crystal: Crystal, axis: tuple[int, int, int], view: View | None = None) -> Float:
        """Return the places (v, u) in px of the spots of a crystal that are on the detector, shape (n, 2)."""
        place = self.calibration.place((view or View()).spots(crystal, axis).g)
        return place[self.inside(place)]

    def pattern(self, crystal: Crystal, axis: tuple[int, int, int], view: View, *, electrons: float) -> Float:
        """Return a pattern without its direct beam, half of the electrons diffuse, with Poisson noise."""
        found = view.spots(crystal, axis)
        v, u = np.mgrid[: self.size, : self.size]
        image = np.zeros((self.size, self.size))
        for (pv, pu), height in zip(self.calibration.place(found.g), found.intensity, strict=True):
            image += height * np.exp(-((v - pv) ** 2 + (u - pu) ** 2) / (2 * self.sigma**2))
        diffuse = np.exp(-self.length / (20 * self.scale))
        mean = 0.5 * image / max(float(image.sum()), 1e-300) + 0.5 * diffuse / diffuse.sum()
        return self._counted(mean, electrons, view.seed)

    def patterns(
        self, crystal: Crystal, axes: Sequence[tuple[int, int, int]], *, electrons: float, seed: int = 0
    ) -> Float:
        """Return patterns along some zone axes, each turned by some angle, shape (n, size, size)."""
        turns = np.random.default_rng([seed, 7]).uniform(0, 360, len(axes))
        return np.array(
            [
                self.pattern(
                    crystal, axis, View(rotation_deg=float(turn), seed=seed + i), electrons=electrons
                )
                for i, (axis, turn) in enumerate(zip(axes, turns, strict=True))
            ]
        )

    def powder(self, crystal: Crystal, *, electrons: float, seed: int = 0) -> Float:
        """Return the rings of a powder, half of the electrons diffuse, with Poisson noise."""
        rings = families(crystal, float(self.length.max()))
        width = self.sigma * self.scale
        # a ring's electrons are spread over its length
        image = sum(
            strength / g * np.exp(-0.5 * ((self.length - g) / width) ** 2)
            for g, strength in zip(rings.g, rings.intensity, strict=True)
        )
        diffuse = np.exp(-self.length / (20 * self.scale))
        mean = 0.5 * np.asarray(image) / np.sum(image) + 0.5 * diffuse / diffuse.sum()
        return self._counted(mean, electrons, seed)

    def glass(self, *, electrons: float, seed: int = 0, first_maximum: float = 0.4) -> Float:
        """Return the halo of a metallic glass, with Poisson noise."""
        image = Halo(first_maximum).intensity(self.length)
        return self._counted(image / image.sum(), electrons, seed)

    @staticmethod
    def _counted(mean: Float, electrons: float, seed: int) -> Float:
        if not electrons:
            return mean
        return np.random.default_rng(seed).poisson(electrons * mean).astype(np.float64)
