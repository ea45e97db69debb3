"""What a sample shows at which dose: the strengths of its crystals, and the edge of the noise where each lies."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unmixel.dataset.planning import Curve, Sample, Setup
from unmixel.io.glass import GlassSpec, glass_truth
from unmixel.lab.planning_scene import Lattice, crystal_patterns, lattices, scene, spec_of
from unmixel.physics.detection import Calibration, Edge, Float, cells, participation
from unmixel.physics.kernels import disk_kernel, gaussian_kernel

SHIPPED = Calibration(excess=1.68, spread=0.334, lapse=0.015, error=0.15, lapse_error=0.04)
"""The recipe for a glass beside the theory: see docs/decisions/0028."""

JUDGED_SPOTS = (45.0, 90.0)
"""Spots that fit on the detector: 63 did where the calibration was held (docs/decisions/0028)."""

FOUND = 0.8
"""Cosine of the pattern and correlation of the map that a found precipitate reaches with its truth."""

DRAWS = 120
"""Crystals of random orientation whose mean is the probability."""

BATCH = 12
"""Of them that are drawn at a time."""

FLOOR = 0.01
"""Least mean counts of a pixel, as a share of the average: such pixels weigh no more."""

DOSES = (1e1, 1e7)
"""Electrons per pattern between which a dose is looked for."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """How strongly crystals of one size stand out, at one electron per pattern.

    Parameters
    ----------
    strengths : ndarray, shape (n,)
        Singular values of whitened crystals, as likely as each other, at a dose of 1; they grow with its root.
    needed : ndarray, shape (n,)
        Strength at which map and pattern reach `FOUND`.
    edge : Edge
        Of one crystal's place.
    calibration : Calibration
    """

    strengths: Float
    needed: Float
    edge: Edge
    calibration: Calibration = SHIPPED

    def probability(self, dose: float, *, off: float = 0.0) -> float:
        """Return the probability that a precipitate is found.

        Parameters
        ----------
        dose : float
            Electrons per pattern, the direct beam included.
        off : float
            How wrong the calibration is, -1 to 1 in units of its stated error.
        """
        return self.calibration.off(off).probability(math.sqrt(dose) * self.strengths, self.needed)

    @property
    def judged(self) -> bool:
        """Whether the detector is like the one that the calibration was held against."""
        return JUDGED_SPOTS[0] <= self.edge.pixels <= JUDGED_SPOTS[1]

    def band(self, dose: float) -> tuple[float, float]:
        """Return the least and the greatest probability within the stated error; of other detectors, the least is 0."""
        least = self.probability(dose, off=-1.0) if self.judged else 0.0
        return least, self.probability(dose, off=1.0)

    @property
    def most(self) -> float:
        """Probability at the highest dose that is looked at."""
        return self.probability(DOSES[1])

    def dose_for(self, probability: float) -> float | None:
        """Return the dose at which a probability is reached; None where none up to `DOSES` does."""
        from scipy.optimize import brentq

        def missing(log_dose: float) -> float:
            return self.probability(math.exp(log_dose)) - probability

        low, high = (math.log(dose) for dose in DOSES)
        if missing(high) < 0:
            return None
        return DOSES[0] if missing(low) >= 0 else math.exp(brentq(missing, low, high, xtol=1e-6))

    def curve(self, diameter_nm: float, doses: Float) -> Curve:
        """Return the probability and its stated error at some doses."""
        every = [(self.probability(dose), *self.band(dose)) for dose in doses]
        middle, low, high = np.array(every).T
        return Curve(diameter_nm, np.asarray(doses, np.float64), middle, low, high)


@dataclass(frozen=True, eq=False)
class Ground:
    """What crystals have to stand out from.

    Parameters
    ----------
    mean : ndarray, shape detector
        Electrons per pixel of a pattern without a crystal, at a dose of 1.
    used : ndarray of bool, shape detector
        Pixels that are fitted.
    """

    mean: Float
    used: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

    @property
    def weights(self) -> Float:
        """1 / mean electrons of the used pixels, flat."""
        mean = self.mean[self.used]
        return np.asarray(1 / np.maximum(mean, FLOOR * mean.mean()))

    def whiten(self, patterns: Float) -> tuple[Float, Float]:
        """Return the norms of whitened patterns, and how much noisier each is as counted than as whitened.

        The second is ``mean(m) |h / sqrt(m)|^2 / |h|^2`` for a ground m: above 1 where spots lie on a bright ring.
        """
        flat, weights = patterns[:, self.used], self.weights
        white, plain = np.sum(flat**2 * weights, axis=1), np.sum(flat**2, axis=1)
        uneven = np.mean(1 / weights) * white / np.maximum(plain, 1e-300)
        return np.sqrt(white), np.maximum(uneven, 1e-3)


def kernels(spec: GlassSpec) -> tuple[Float, Float]:
    """Return the probe over positions and a spot over pixels, each of sum 1."""
    probe = gaussian_kernel((spec.blur, spec.blur))
    if spec.spots == "disk":
        return probe, disk_kernel(2 * spec.spot)
    return probe, gaussian_kernel((spec.spot, spec.spot))


def ground_of(spec: GlassSpec) -> Ground:
    """Return the mean pattern of a foil without crystals, and the pixels outside the direct beam."""
    truth = glass_truth(replace(spec, scan=(1, 1), precipitates=0, thickness=0.0, dose=1.0))
    return Ground(truth.expected.reshape(spec.detector), ~truth.beam_pixels)


def forecast(
    sample: Sample,
    setup: Setup,
    *,
    ground: Ground | None = None,
    calibration: Calibration = SHIPPED,
    seed: int = 0,
) -> Forecast:
    """Return how strongly the crystals of a sample stand out.

    A crystal is ``w h^T``: w its map, the path through a ball over the foil, blurred by the probe; h its pattern.
    Whitened by the mean, its strength is ``|w| |h / sqrt(mean)|``.

    Parameters
    ----------
    sample : Sample
    setup : Setup
    ground : Ground, optional
        Measured; that of the phantom where it is not given.
    calibration : Calibration
    seed : int
        Of the orientations.

    Examples
    --------
    >>> small, large = (forecast(Sample(diameter_nm=d), Setup()).dose_for(0.5) for d in (4.0, 8.0))
    >>> large < small / 8
    True
    """
    side = math.ceil(sample.diameter_nm / setup.step_nm + 8 * setup.probe_nm / setup.step_nm) + 4
    spec = spec_of(sample, setup, scan=(side, side), precipitates=1, thickness=0.0, dose=1.0, seed=seed)
    (crystal,) = glass_truth(replace(spec, detector=(4, 4))).maps[2:]
    ground = ground or ground_of(spec)
    probe, spot = kernels(spec)
    edge = Edge(cells(participation(crystal), probe), cells(float(ground.weights.size), spot))
    white, uneven = _whitened(replace(spec, diffuse=0.0), lattices(sample, setup), ground, seed)
    strengths = (1 - spec.diffuse) * float(np.linalg.norm(crystal)) * white
    needed = np.array([edge.strength_for(FOUND, unevenness=float(value)) for value in uneven])
    return Forecast(strengths, needed, edge, calibration)


def _whitened(spec: GlassSpec, of: list[Lattice], ground: Ground, seed: int) -> tuple[Float, Float]:
    """Return the norms of whitened patterns that scatter as `of` do, and how much noisier their counts are than these.

    Diffuse scattering, which tells no crystal from another, is left out by the specification.
    """
    random = np.random.default_rng([seed, 7])
    norms, uneven = [], []
    for _ in range(DRAWS // BATCH):
        patterns, yields = crystal_patterns(spec, of, BATCH, random)
        white, noisier = ground.whiten(patterns)
        norms.append(yields * white)
        uneven.append(noisier)
    return np.concatenate(norms), np.concatenate(uneven)


def unjudged(expected: Forecast) -> tuple[str, ...]:
    """Return in a sentence that a detector is unlike the one of the calibration; nothing where it is not."""
    if expected.judged:
        return ()
    return (
        f"{expected.edge.pixels:.0f} spots would fit on the detector; the prediction was held against simulated "
        "scans where 63 did. So nothing is promised here: use --confirm.",
    )


def margins(sample: Sample, setup: Setup, *, calibration: Calibration = SHIPPED, **keys: Any) -> Float:
    """Return the strength of each crystal of one simulated scan over the one at which half of such crystals are found.

    Parameters
    ----------
    sample : Sample
    setup : Setup
    calibration : Calibration
    **keys
        As for `unmixel.lab.planning_scene.spec_of`; ``seed`` and ``dose`` above all.
    """
    truth = scene(replace(sample, diffuse=0.0), setup, **keys)
    spec = spec_of(sample, setup, **keys)
    ground = ground_of(spec)
    chosen = truth.crystals
    white, uneven = ground.whiten(truth.patterns[chosen])
    maps = truth.maps[chosen]
    strengths = (1 - spec.diffuse) * np.linalg.norm(maps.reshape(len(chosen), -1), axis=1) * white
    needed = []
    for image, noisier in zip(maps, uneven, strict=True):
        positions = cells(max(participation(image), 1.0), kernels(spec)[0])
        edge = Edge(positions, cells(float(ground.weights.size), kernels(spec)[1]))
        needed.append(edge.strength_for(FOUND, unevenness=float(noisier)))
    return np.asarray(strengths / math.sqrt(spec.dose) / (calibration.excess * np.array(needed)))
