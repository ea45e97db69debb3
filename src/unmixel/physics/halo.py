"""The rings of an amorphous metal and the smooth background under every pattern."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError

_RINGS = ((1.0, 0.08, 1.0), (1.70, 0.10, 0.22), (1.98, 0.11, 0.10), (2.9, 0.20, 0.04))
# centre and width in units of the first maximum, height: first ring, second ring with its shoulder, third
# (ratios 1.7 and 2.0 are those of dense random packing of metallic glasses)


@dataclass(frozen=True)
class Halo:
    """Azimuthally even scattering of a glass.

    Parameters
    ----------
    first_maximum : float
        Place of the first ring in 1/angstrom, > 0 (0.40 for Zr-Cu-Al).
    background : float
        Height of the smooth background at the first ring, in units of that ring's height, >= 0.

    Raises
    ------
    InputError
        When a number is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.linspace(0.2, 0.6, 401)
    >>> float(g[Halo(0.40).intensity(g).argmax()].round(2))
    0.4
    """

    first_maximum: float = 0.40
    background: float = 0.15

    def __post_init__(self) -> None:
        good = self.first_maximum > 0 and self.background >= 0
        if not (good and math.isfinite(self.first_maximum + self.background)):
            raise InputError(
                "halo",
                expected="a first maximum > 0 in 1/angstrom and a background >= 0",
                got=f"{self.first_maximum} and {self.background}",
                hint="0.40 1/angstrom is right for Zr-Cu-Al glass",
            )

    def intensity(self, g: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the intensity at spatial frequencies `g` (1/angstrom, any shape); height about 1."""
        x = np.abs(np.asarray(g, np.float64)) / self.first_maximum
        rings = sum(h * np.exp(-0.5 * ((x - c) / w) ** 2) for c, w, h in _RINGS)
        return np.asarray(rings + self.background * self.diffuse(g))

    def diffuse(self, g: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return smooth thermal and inelastic scattering at `g`, 1 at the first maximum."""
        x = np.abs(np.asarray(g, np.float64)) / self.first_maximum
        return np.asarray(np.exp(1.0 - x))
