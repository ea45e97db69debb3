"""Simulated scans of a planned sample, factorised by the shipped recipe and judged against their truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from unmixel.core.errors import InputError
from unmixel.dataset.planning import Confirmation, Sample, Setup
from unmixel.dataset.scan import Scan
from unmixel.dataset.truth import Truth
from unmixel.io.counting import Counting
from unmixel.io.glass import GlassSpec
from unmixel.lab.planning_forecast import Forecast
from unmixel.lab.planning_scene import scene
from unmixel.pipeline import stages
from unmixel.pipeline.resolve import Request, settle, shipped
from unmixel.testing import metrics

COVERED = 0.15
"""Share of a simulated scan that precipitates cover."""

LEAST_SIDE, MOST = 40, 12
"""Positions along a side at least, and precipitates in one scan at most."""

SURPLUS = 2
"""Components to begin with, per precipitate; at least `BEGIN`."""

BEGIN = 24


@dataclass(frozen=True)
class Simulated:
    """What one simulated scan came to.

    Parameters
    ----------
    seed : int
    cosine, pearson : tuple of float
        Of each precipitate: pattern cosine and map Pearson with what was found of it.
    """

    seed: int
    cosine: tuple[float, ...]
    pearson: tuple[float, ...]

    @property
    def found(self) -> int:
        """Precipitates of which both reach 0.8."""
        return sum(min(pair) >= metrics.FOUND_AT for pair in zip(self.cosine, self.pearson, strict=True))


def layout(sample: Sample, setup: Setup) -> tuple[int, int]:
    """Return the side of a simulated scan in positions, and how many precipitates are put into it."""
    area = math.pi / 4 * (sample.diameter_nm / setup.step_nm) ** 2
    fit = COVERED * LEAST_SIDE**2 / area
    n = max(4, min(MOST, int(fit)))
    return max(LEAST_SIDE, math.ceil(math.sqrt(n * area / COVERED))), n


def draw(sample: Sample, setup: Setup, *, dose: float, seed: int) -> tuple[Scan, Truth]:
    """Return a simulated scan in memory, and its truth.

    Parameters
    ----------
    sample : Sample
    setup : Setup
    dose : float
        Electrons per pattern.
    seed : int
    """
    side, n = layout(sample, setup)
    truth = scene(sample, setup, scan=(side, side), precipitates=n, dose=dose, seed=seed)
    data = Counting(truth, seed=seed, gain=setup.gain)[:]
    # the microscope as it is known: what the recipe takes the probe's width from
    instrument = GlassSpec(blur=truth.probe_sigma, step=setup.step_nm).instrument
    return Scan(data, truth.scan_axes, truth.pattern_axes, instrument=instrument), truth


def simulate(sample: Sample, setup: Setup, *, dose: float, seed: int) -> Simulated:
    """Return how well each precipitate of a simulated scan is found by the recipe for a glass.

    Parameters
    ----------
    sample : Sample
    setup : Setup
    dose : float
        Electrons per pattern, the direct beam included.
    seed : int
        Of the scene, its orientations and its counts.
    """
    scan, truth = draw(sample, setup, dose=dose, seed=seed)
    components = max(BEGIN, SURPLUS * len(truth.crystals))
    recipe, _ = Request.of(shipped("glass"), (f"factorize.components={components}",)).recipe_for(scan)
    settled, _ = settle(recipe, scan)
    prepared = stages.prepare(scan, settled, _silent)
    factors = stages.factorize(
        prepared, settled, on_sweep=_silent, on_sketch=_silent, resume=None, sketch=None, note=_silent
    )
    used = ~truth.beam_pixels & np.asarray(factors.used_pixels, bool)
    matched = metrics.match(factors.maps, factors.patterns, truth.maps, truth.patterns, used_pixels=used)
    chosen = truth.crystals
    return Simulated(
        seed,
        tuple(matched.pattern_cosine[chosen].tolist()),
        tuple(matched.map_pearson[chosen].tolist()),
    )


def _silent(told: object) -> None:
    """Say nothing."""


def wilson(found: int, n: int, *, deviations: float = 1.96) -> tuple[float, float]:
    """Return the interval of a share that `found` of `n` speak for.

    References
    ----------
    Wilson, J. Am. Stat. Assoc. 22, 209 (1927).

    Examples
    --------
    >>> [round(end, 3) for end in wilson(9, 10)]
    [0.596, 0.982]
    """
    if n < 1:
        raise InputError("share", expected="at least one trial", got=f"{n}")
    square, share = deviations**2, found / n
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = deviations / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def confirm(
    sample: Sample, setup: Setup, expected: Forecast, *, dose: float, scans: int, seed: int = 1
) -> Confirmation:
    """Simulate scans at a dose and return how many precipitates are found, beside the prediction.

    Parameters
    ----------
    sample : Sample
    setup : Setup
    expected : Forecast
        Of the same sample.
    dose : float
    scans : int, >= 1
    seed : int
        Of the first scan; the others follow.
    """
    if scans < 1:
        raise InputError("scans to confirm", expected="a number >= 1", got=f"{scans}")
    done = [simulate(sample, setup, dose=dose, seed=seed + place) for place in range(scans)]
    found, n = sum(one.found for one in done), sum(len(one.cosine) for one in done)
    return Confirmation(scans, n, found, expected.probability(dose), *expected.band(dose), *wilson(found, n))
