"""What similarity chance alone reaches: surrogates with the same rings and the same power, but no spots.

A surrogate keeps the power of every harmonic on every ring and takes its phases at random, alike on
neighbouring rings within the width of a feature. So it has the ring profile, the strength and fineness of the
azimuthal structure and its symmetry under inversion, but spots of one ring no longer stand where those of
another do: any similarity to another pattern is chance, with the upward bias that the best of all rotations
always has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.interpret.correlate import partners, spectra
from unmixel.interpret.polar import PolarGrid

Float = NDArray[np.float32]

MOST_PATTERNS = 32
ENOUGH_PAIRS = 300
ENERGY_KEPT = 0.999


def feature_width(anomaly: Float) -> float:
    """Return the width of features across rings, in rings: twice the lag where their correlation is half.

    Parameters
    ----------
    anomaly : ndarray, shape (k, r, t)
        Ring means subtracted.
    """
    n_rings = anomaly.shape[1]
    lags = min(n_rings, 24)
    power = np.array(
        [
            np.vdot(anomaly[:, : n_rings - lag], anomaly[:, lag:]) / max(n_rings - lag, 1)
            for lag in range(lags)
        ]
    )
    if power[0] <= 0:
        return 1.0
    below = np.flatnonzero(power < 0.5 * power[0])
    if not below.size:
        return float(2 * lags)
    lag = int(below[0])
    drop = (power[lag - 1] - 0.5 * power[0]) / (power[lag - 1] - power[lag])
    return float(2 * (lag - 1 + drop))


@dataclass(frozen=True, eq=False)
class Surrogates:
    """What surrogates of some patterns keep: the power of their harmonics.

    Parameters
    ----------
    amplitude : ndarray, shape (k, r, m)
        Amplitude of the harmonics 0..m-1, which hold 99.9 % of the energy.
    width : float
        Width of features across rings, in rings.
    used : ndarray of bool, shape (r, t)
    """

    amplitude: Float
    width: float
    used: NDArray[np.bool_]

    @classmethod
    def of(cls, anomaly: Float, used: NDArray[np.bool_]) -> Surrogates:
        """Return the surrogates of ring anomalies, shape (k, r, t)."""
        from scipy import fft

        amplitude = np.abs(fft.rfft(anomaly, axis=2))
        energy = np.cumsum(np.sum(amplitude**2, axis=(0, 1), dtype=np.float64))
        kept = int(np.searchsorted(energy, ENERGY_KEPT * energy[-1])) + 1
        return cls(amplitude[:, :, :kept], feature_width(anomaly), used)

    def draw(self, rng: np.random.Generator) -> Float:
        """Return one surrogate of each pattern, shape (k, r, t)."""
        from scipy import fft, ndimage

        noise = rng.standard_normal((2, *self.amplitude.shape), dtype=np.float32)
        sigma = self.width / math.sqrt(8 * math.log(2))
        noise = ndimage.gaussian_filter1d(noise, sigma, axis=2, mode="nearest", truncate=3.0)
        phase = noise[0] + 1j * noise[1]
        phase *= self.amplitude / np.maximum(np.abs(phase), 1e-12)
        return np.asarray(fft.irfft(phase, n=self.used.shape[1], axis=2) * self.used, np.float32)


def chance_level(
    anomaly: Float,
    grid: PolarGrid,
    *,
    significance: float,
    seed: int,
    mirror: bool = False,
    weights: NDArray[np.floating[Any]] | None = None,
) -> tuple[float, int]:
    """Return the similarity that a share `significance` of surrogates exceeds, and how many were compared.

    Each surrogate is compared with its own original: the hardest case, two unrelated patterns with the very
    same rings. Patterns with other rings are less alike.

    Parameters
    ----------
    anomaly : ndarray, shape (k, r, t), k >= 1
        Of more than 32 patterns, 32 drawn by chance stand for all.
    grid : PolarGrid
    significance : float
        In (0, 1).
    seed : int
    mirror : bool
        Whether the mirror image of the surrogate may fit instead.
    weights : ndarray, shape (r,), optional
        Weight of each ring; its radius where it is not given.
    """
    weights = grid.radii if weights is None else weights
    rng = np.random.default_rng(seed)
    # sorted by energy, so that the order of the components does not matter
    order = np.argsort(np.einsum("krt,krt->k", anomaly, anomaly), kind="stable")
    some = anomaly[order[rng.permutation(len(anomaly))[:MOST_PATTERNS]]]
    real, source = spectra(some, grid.used, weights), Surrogates.of(some, grid.used)
    values: list[NDArray[np.floating[Any]]] = []
    while sum(len(part) for part in values) < ENOUGH_PAIRS:
        fake = spectra(source.draw(rng), grid.used, weights)
        best = partners(real, fake)
        values.append(np.maximum(best, partners(real, fake.mirrored())) if mirror else best)
    found = np.concatenate(values)
    return float(np.clip(np.quantile(found, 1.0 - significance), 0.0, 1.0)), len(found)
