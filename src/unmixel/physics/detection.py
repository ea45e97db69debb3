"""Can a crystal be told from noise? The edge of the noise in a place that is no larger than the crystal itself.

Whitened counts of one crystal are ``s u v^T`` plus noise of variance 1: u its map, v its pattern, both of norm 1. Where
neither is known, both must be found in the noise of n independent positions and m independent pixels, and cannot be
below ``s^4 = n m`` (Baik, Ben Arous & Peche). Of a whole scan n m is far too large: a crystal is in one place, no map
is sharper than the probe and no pattern finer than the direct beam, so n and m count resolved cells of that place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError

Float = NDArray[np.float64]


def participation(values: NDArray[np.floating]) -> float:
    """Return how many samples take part in an image: ``(sum x)^2 / sum x^2``, 0 for an empty one.

    Examples
    --------
    >>> participation(np.array([1.0, 1.0, 0.0, 0.0]))
    2.0
    """
    square = float(np.sum(np.square(values)))
    return float(np.sum(values)) ** 2 / square if square > 0 else 0.0


def cells(n_samples: float, kernel: NDArray[np.floating]) -> float:
    """Return how many independent values noise has in so many samples after a blur by `kernel`, at least 1.

    White noise of variance 1 keeps the variance ``sum k^2`` of a kernel of unit sum.

    Examples
    --------
    >>> cells(100, np.full((2, 2), 0.25))
    25.0
    """
    return max(1.0, n_samples * float(np.sum(np.square(kernel))))


@dataclass(frozen=True)
class Edge:
    """What noise of variance 1 hides in a place of n independent positions and m independent pixels.

    Parameters
    ----------
    positions, pixels : float, >= 1
        n and m.

    Raises
    ------
    InputError
        When one is below 1 or not finite.

    References
    ----------
    Benaych-Georges & Nadakuditi, J. Multivariate Anal. 111, 120 (2012), section 3.1.

    Examples
    --------
    >>> edge = Edge(16.0, 81.0)
    >>> edge.lowest, edge.cosines(6.0)
    (6.0, (0.0, 0.0))
    """

    positions: float
    pixels: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) and value >= 1 for value in (self.positions, self.pixels)):
            raise InputError(
                "noise edge",
                expected="at least one position and one pixel",
                got=f"{self.positions} and {self.pixels}",
                hint="look at the size of the particle, the probe and the detector",
            )

    @property
    def lowest(self) -> float:
        """Strength below which nothing is seen, ``(n m)^(1/4)``."""
        return float((self.positions * self.pixels) ** 0.25)

    def cosines(self, strength: float) -> tuple[float, float]:
        """Return the cosines of the leading singular vectors with the true map and pattern.

        ``(s^4 - n m) / (s^2 (s^2 + n))`` is the square of the map's, the same with m below of the pattern's.

        Parameters
        ----------
        strength : float, >= 0
            s, the singular value that the component has without noise.
        """
        square = strength**2
        above = square**2 - self.positions * self.pixels
        if above <= 0:
            return 0.0, 0.0
        return tuple(math.sqrt(above / (square * (square + size))) for size in (self.positions, self.pixels))  # type: ignore[return-value]

    def strength_for(self, cosine: float, *, unevenness: float = 1.0) -> float:
        """Return the strength at which map and pattern both reach a cosine with their truth.

        Parameters
        ----------
        cosine : float, in (0, 1)
        unevenness : float, > 0
            Squared noise over signal of the pattern as counted, over that of the whitened one: where spots lie on a
            bright ring, their counts are noisier than the average.
        """
        if not 0 < cosine < 1 or not unevenness > 0:
            raise InputError(
                "cosine",
                expected="a cosine between 0 and 1 and an unevenness > 0",
                got=f"{cosine}, {unevenness}",
            )
        whitened = 1 / (1 + (1 / cosine**2 - 1) / unevenness)
        return max(self._root(cosine**2, self.positions), self._root(whitened, self.pixels))

    def _root(self, square: float, size: float) -> float:
        """Return s where ``(1 - c^2) s^4 - c^2 size s^2 - n m = 0``."""
        first, rest = square * size, 1 - square
        root = math.sqrt(first**2 + 4 * rest * self.positions * self.pixels)
        return math.sqrt((first + root) / (2 * rest))


@dataclass(frozen=True)
class Calibration:
    """How a real factorisation stands to the edge: fitted to simulated scans once, judged on others.

    Parameters
    ----------
    excess : float, > 0
        Strength at which half of the crystals are found, over the strength that `Edge` asks for.
    spread : float, > 0
        Standard deviation of its logarithm: luck of the counts, of neighbours, of the fit.
    lapse : float, 0 to 1
        Share of the crystals that no dose finds: those that lie upon others of nearly the same pattern.
    error : float, >= 0
        Stated error of ln(strength). Doses scale with the square of the strength.
    lapse_error : float, >= 0
        Stated error of `lapse`.
    """

    excess: float
    spread: float
    lapse: float
    error: float
    lapse_error: float = 0.0

    def off(self, by: float) -> Calibration:
        """Return the calibration that is wrong by so many stated errors: below 0, crystals are harder to find."""
        lapse = min(max(self.lapse - by * self.lapse_error, 0.0), 1.0)
        return replace(self, excess=self.excess * math.exp(-by * self.error), lapse=lapse)

    @property
    def dose_factor(self) -> float:
        """By how much the dose for a probability may be off, up or down."""
        return math.exp(2 * self.error)

    def probability(self, strengths: Float, needed: Float) -> float:
        """Return the share of crystals that is found.

        ``(1 - lapse) mean Phi(ln(s / (excess s_edge)) / spread)``

        Parameters
        ----------
        strengths : ndarray, shape (n,), >= 0
            Of crystals as likely as each other.
        needed : ndarray, shape (n,), > 0
            What `Edge.strength_for` asks of each.
        """
        from scipy.special import ndtr

        ratio = np.maximum(np.asarray(strengths) / (self.excess * np.asarray(needed)), 1e-300)
        return float((1 - self.lapse) * np.mean(ndtr(np.log(ratio) / self.spread)))
