"""What chance reaches, dose by dose: patterns with the same rings and counts, but without angular order.

A surrogate of a dose has the mean ring profile of the positions of about that dose and Poisson counts. It is compared
with all groups at all rotations as a position is, so that the upward bias of the best of many is in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.interpret.comparison import Comparison
from unmixel.interpret.doses import Doses

Float = NDArray[np.floating[Any]]

TAIL = 0.2  # share of the surrogates, the most similar ones, that the tail is fitted to
SURE = 2.0  # standard deviations of its noise that a pattern's energy must exceed to be more than noise


@dataclass(frozen=True, eq=False)
class Tail:
    """Similarities of surrogates of one dose.

    The maximum of a smooth random curve of standard deviation s exceeds a high level t with a probability in
    proportion to ``exp(-t^2 / (2 s^2))`` (Rice), so beyond a quantile q the law is ``TAIL exp(-rate (t^2 - q^2))``.

    Parameters
    ----------
    electrons : float
        The dose.
    found : ndarray, shape (n,)
        Similarities, ascending.
    start, rate : float
        q and rate of the tail.
    energy, scatter : float
        Mean and standard deviation of the surrogates' energy: what counting noise alone has.
    """

    electrons: float
    found: Float
    start: float
    rate: float
    energy: float
    scatter: float

    @classmethod
    def of(cls, electrons: float, found: Float, energy: Float) -> Tail:
        """Return the tail of some similarities, its rate the most likely one."""
        found = np.sort(np.asarray(found, np.float64))
        start = float(np.quantile(found, 1 - TAIL))
        beyond = found[found > start]
        excess = float(np.mean(beyond**2 - start**2)) if beyond.size else 0.0
        rate = 1.0 / max(excess, 1e-12)
        return cls(electrons, found, start, rate, float(np.mean(energy)), float(np.std(energy)))

    def log_p(self, similarity: Float) -> Float:
        """Return the logarithm of the probability that chance is as similar, of the same shape."""
        above = len(self.found) - np.searchsorted(self.found, similarity, side="left")
        body = np.maximum(np.log(np.maximum(above, 1) / len(self.found)), np.log(TAIL))
        tail = np.log(TAIL) - self.rate * (np.square(similarity) - self.start**2)
        return np.asarray(np.where(np.asarray(similarity) > self.start, tail, body))

    def level(self, probability: float) -> float:
        """Return the similarity that chance exceeds with a probability."""
        if probability >= TAIL:
            return float(np.quantile(self.found, 1 - probability))
        return float(np.sqrt(self.start**2 + np.log(TAIL / probability) / self.rate))


@dataclass(frozen=True, eq=False)
class Chance:
    """What chance reaches at any dose: between those that were tried, linear in their logarithm.

    Parameters
    ----------
    tails : tuple of Tail
        By ascending dose.
    """

    tails: tuple[Tail, ...]

    @property
    def n_surrogates(self) -> int:
        """Number of surrogates of all doses."""
        return sum(len(tail.found) for tail in self.tails)

    def p_value(self, similarity: Float, electrons: Float) -> Float:
        """Return the probability that a pattern of such a dose without order is as similar, shape (n,)."""
        return np.asarray(np.exp(self._between([tail.log_p(similarity) for tail in self.tails], electrons)))

    def level(self, probability: float, electrons: Float) -> Float:
        """Return the similarity that chance exceeds with a probability at these doses, shape (n,)."""
        return self._between([tail.level(probability) for tail in self.tails], electrons)

    def structure(self, energy: Float, electrons: Float) -> Float:
        """Return which share of patterns' energy is surely more than counting noise, shape (n,), in [0, 1]."""
        noise = self._between([tail.energy + SURE * tail.scatter for tail in self.tails], electrons)
        return np.asarray(np.clip(1.0 - noise / np.maximum(energy, 1e-300), 0.0, 1.0))

    def _between(self, rows: list[Any], electrons: Float) -> Float:
        doses = np.log([tail.electrons for tail in self.tails])
        place = np.interp(np.log(np.maximum(electrons, 1e-12)), doses, np.arange(len(doses)))
        return np.asarray(
            sum(np.maximum(0.0, 1.0 - np.abs(place - i)) * row for i, row in enumerate(rows)), np.float64
        )


def chance_of(comparison: Comparison, doses: Doses, *, surrogates: int, seed: int) -> Chance:
    """Return what chance reaches in a comparison, at each class of doses.

    Parameters
    ----------
    comparison : Comparison
    doses : Doses
    surrogates : int
        Of all classes together.
    seed : int
        Of the surrogates' counts.
    """
    rng = np.random.default_rng(seed)
    each = math.ceil(surrogates / len(doses.classes))
    tails = []
    for electrons, mean in doses.classes:
        expected = comparison.reading.isotropic(mean)
        parts = []
        for done in range(0, each, comparison.batch):
            shape = (min(comparison.batch, each - done), expected.size)
            parts.append(comparison.matches(rng.poisson(expected, shape).astype(np.float32)))
        similarity = np.concatenate([part.similarity.max(axis=1) for part in parts])
        tails.append(Tail.of(electrons, similarity, np.concatenate([part.energy for part in parts])))
    return Chance(tuple(tails))
