"""Which of some candidate structures the radii of spots or rings belong to, whatever their directions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.phases import Float, RingMatch
from unmixel.physics.crystal import Crystal
from unmixel.physics.families import families

SHARES = np.linspace(0.025, 0.975, 20)
"""Shares of the spots that lie on rings: all as likely beforehand."""

BEND = 0.003
"""Share of a radius by which distortions of lenses move a spot."""

EVIDENCE = 3.0
"""Natural logarithm of the odds against chance from which radii or places give an answer: 20 to 1."""

NEAR = 2.5
"""Standard errors within which a spot lies on a ring."""


@dataclass(frozen=True)
class RingIdentifier:
    """Finds the candidate whose rings explain the radii of a pattern's spots.

    For patterns in which several crystals overlap, for crystals far off any zone axis, and for powders. Every radius
    is taken to lie on one of the candidate's rings or anywhere in the field of view::

        p(g) = f sum_j w_j N(g; s r_j, e) + (1 - f) 2 g / (reach^2 - inner^2)

    with ring radii r, scale s (normal about the expected one, half of the tolerance wide), place error e, and weights
    w ~ sum |F| / r over the reflections of a ring: how often a crystal of any direction has one of them near the Ewald
    sphere. Share f and scale are averaged over: what is left is the evidence of a candidate against chance (Bayes
    factor). A candidate with many rings explains any radius and gains little by it.

    Parameters
    ----------
    candidates : tuple of Crystal
    place_error : float, > 0
        Standard error of a spot's radius, in 1/angstrom; 0.3 % of the radius are added in quadrature.
    scale_tolerance : float, 0 to 0.2
        How wrong the calibration of the detector may be.
    scale : float
        Measured over true spatial frequency as far as it is known.

    References
    ----------
    Jeffreys, Theory of Probability, 3rd ed., Oxford (1961), appendix B: evidence of 3 is 20 to 1.

    Examples
    --------
    >>> copper, aluminium = Crystal.face_centred("Cu", 3.615), Crystal.face_centred("Al", 4.05)
    >>> radius = np.sqrt([3, 4, 8, 11, 12, 16]) / 3.615
    >>> found = RingIdentifier((copper, aluminium)).matches(radius, reach=1.2)
    >>> found[0].phase, found[0].evidence > 3, round(found[0].scale, 2)
    ('Cu', True, 1.0)
    """

    candidates: tuple[Crystal, ...]
    place_error: float = 0.01
    scale_tolerance: float = 0.02
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not (self.place_error > 0 and 0 <= self.scale_tolerance <= 0.2 and self.scale > 0):
            raise InputError(
                "RingIdentifier",
                expected="place_error > 0, scale_tolerance 0 to 0.2, scale > 0",
                got=f"{self.place_error}, {self.scale_tolerance}, {self.scale}",
                hint="a spot's place is known to about half a pixel",
            )

    def matches(self, *patterns: Float, reach: float, inner: float = 0.0) -> tuple[RingMatch, ...]:
        """Return how every candidate fits, the likeliest first.

        Parameters
        ----------
        patterns : ndarrays, shape (n,)
            Radii of the spots or rings of each pattern, in 1/angstrom. Several patterns are taken to be of one phase,
            on one scale, each with its own share of spots on rings. Radii outside the field of view do not count.
        reach, inner : float
            Spatial frequencies between which they would have been seen.

        Returns
        -------
        tuple of RingMatch
            Spots are numbered through all patterns.
        """
        every = np.concatenate([np.asarray(pattern, np.float64) for pattern in patterns])
        owner = np.repeat(np.arange(len(patterns)), [len(pattern) for pattern in patterns])
        seen = np.flatnonzero((every > inner) & (every <= reach))
        distinct = self._distinct(every[seen], owner[seen])
        n = int(distinct.max(initial=-1)) + 1
        radius = np.bincount(distinct, every[seen], minlength=n) / np.maximum(
            np.bincount(distinct, minlength=n), 1
        )
        of = np.zeros(n, np.intp)
        of[distinct] = owner[seen]
        fits = [self._fit(crystal, radius, of, (inner, reach)) for crystal in self.candidates]
        evidence = np.array([fit.evidence for fit in fits])
        # none of them has the evidence 0
        top = max(0.0, float(evidence.max(initial=0.0)))
        chances = np.exp(evidence - top)
        chances = chances / (chances.sum() + np.exp(-top))
        spots = np.full(len(every), -1, np.intp)
        spots[seen] = distinct
        order = np.argsort(-evidence, kind="stable")
        return tuple(fits[i].match(float(chances[i]), spots) for i in order)

    def _distinct(self, radius: Float, owner: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the number of the distinct radius that each spot has, shape (n,).

        Spots of one pattern at one radius are mostly images of each other (Friedel pairs, symmetry of the zone): they
        count once.
        """
        order = np.lexsort((radius, owner))
        gap = np.diff(radius[order]) > np.hypot(self.place_error, BEND * radius[order][1:])
        new = np.concatenate([[False], gap | (np.diff(owner[order]) != 0)])[: len(radius)]
        distinct = np.empty(len(radius), np.intp)
        distinct[order] = np.cumsum(new)
        return distinct

    def _fit(
        self, crystal: Crystal, radius: Float, owner: NDArray[np.intp], field: tuple[float, float]
    ) -> _Fit:
        inner, reach = field
        rings = ring_radii(crystal, reach / (self.scale * (1 - self.scale_tolerance)))
        error = np.hypot(self.place_error, BEND * radius)
        scales, prior = self._scales(reach)
        place = rings.radius * scales[:, None]
        weight = rings.weight * ((place > inner) & (place <= reach))
        total = weight.sum(axis=1, keepdims=True)
        weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
        distance = (radius[None, :, None] - place[:, None, :]) / error[None, :, None]
        peaks = np.exp(-0.5 * distance**2) / (error[None, :, None] * np.sqrt(2 * np.pi))
        gain = np.einsum("snq,sq->sn", peaks, weight) * (reach**2 - inner**2) / (2 * radius)
        spots = np.log1p(SHARES[:, None, None] * (gain - 1))
        log, shares = prior, np.zeros(len(scales))
        for number in np.unique(owner):
            own = spots[..., owner == number].sum(axis=-1)
            top = own.max(axis=0)
            likely = np.exp(own - top)
            log = log + top + np.log(likely.mean(axis=0))
            shares += SHARES @ likely / likely.sum(axis=0) * np.count_nonzero(owner == number)
        chance = np.exp(log - log.max())
        best = int(np.argmax(chance))
        return _Fit(
            crystal.name,
            float(log.max() + np.log(chance.sum())),
            float(shares @ chance / chance.sum()) / max(1, len(radius)),
            float(scales[best]),
            (place[best], weight[best], rings.hkl),
            (radius, error),
        )

    def _scales(self, reach: float) -> tuple[Float, Float]:
        """Return scales, fine enough for the outermost spot, and the logarithm of their probability beforehand."""
        half = max(1, int(np.ceil(2 * self.scale_tolerance * reach / self.place_error)))
        off = np.linspace(-1, 1, 2 * half + 1 if self.scale_tolerance > 0 else 1)
        prior = -0.5 * (2 * off) ** 2
        return self.scale * (1 + self.scale_tolerance * off), prior - np.log(np.exp(prior).sum())


@dataclass(frozen=True, eq=False)
class Rings:
    """Rings of a powder: radii in 1/angstrom, weights, one reflection of each."""

    radius: Float
    weight: Float
    hkl: NDArray[np.intp]


@lru_cache(maxsize=64)
def ring_radii(crystal: Crystal, reach: float) -> Rings:
    """Return the rings of a crystal's allowed reflections up to a spatial frequency of `reach`, in 1/angstrom.

    Examples
    --------
    >>> found = ring_radii(Crystal.face_centred("Cu", 3.615), 0.8)
    >>> (1 / found.radius).round(3).tolist(), found.hkl.tolist()
    ([2.087, 1.808, 1.278], [[1, 1, 1], [2, 0, 0], [2, 2, 0]])
    """
    found = families(crystal, reach)
    return Rings(found.g, np.sqrt(found.intensity * found.multiplicity) / found.g, found.hkl)


@dataclass(frozen=True, eq=False)
class _Fit:
    """One candidate's rings upon some radii."""

    phase: str
    evidence: float
    share: float
    scale: float
    rings: tuple[Float, Float, NDArray[np.intp]]
    spots: tuple[Float, Float]

    def match(self, probability: float, spots: NDArray[np.intp]) -> RingMatch:
        """Return the match; `spots` tells which of the distinct radii each spot has, -1 for none."""
        place, weight, hkl = self.rings
        radius, error = self.spots
        kept = np.flatnonzero(weight > 0)
        ring = np.full(len(spots), -1, np.intp)
        residual = float("nan")
        if len(kept) and len(radius):
            off = np.abs(radius[:, None] - place[kept])
            nearest = off.argmin(axis=1)
            least = off[np.arange(len(radius)), nearest]
            on = least <= NEAR * error
            ring = np.where(spots >= 0, np.where(on, nearest, -1)[spots], -1)
            residual = float(np.sqrt(np.mean(least[on] ** 2))) if on.any() else float("nan")
        return RingMatch(
            phase=self.phase,
            score=self.share if self.evidence > 0 else 0.0,
            evidence=self.evidence,
            probability=probability,
            scale=self.scale,
            residual=residual,
            radius=place[kept],
            hkl=hkl[kept],
            ring=ring,
        )
