"""Clusterers: components that show the same thing, whatever their rotation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
from unmixel.dataset.results import Factors, Groups
from unmixel.interpret.align import aligned_sum, made_round
from unmixel.interpret.center import Center, pattern_center
from unmixel.interpret.contrast import azimuthal_contrast, smoothed
from unmixel.interpret.correlate import Pairs, all_pairs, correlate, spectra
from unmixel.interpret.drawing import Places, drawn, places_of, refined
from unmixel.interpret.polar import PolarGrid, pixel_steps, polar_grid
from unmixel.interpret.profile import profile_similarity
from unmixel.interpret.surrogate import chance_level
from unmixel.interpret.tree import GAP, GAP_PLACE, average_linkage, gap, grouped, one_crystal, strongest

Float = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]

DEFAULT_CUT = 0.5  # where there are no two patterns with spots to derive it from
MIRROR_GAIN = 0.02  # a mirror image must fit better by this much to be preferred
FEWEST_SPOTS, CLEAN = 3, 0.9  # of the median pattern: spots, and agreement of the halves of its pixels
SPOT_GAP = 0.15  # a weak spot more or less of ten moves a distance by up to a tenth
COMPARED = ("spots", "intensities")
LEAST_SHARED = 0.5  # patterns whose spots agree less are of two kinds, however rare that is by chance


@dataclass(frozen=True)
class RotationClusterer:
    """Group diffraction patterns that agree after a rotation.

    Patterns with spots are compared by the masked, normalised correlation of their rings at every rotation
    (ring means subtracted, weighted by radius), each spot drawn anew as a narrow one so that its place counts
    and not how strong tilt and thickness have made it; patterns with rings only by their radial profiles,
    because once the ring means are gone nothing but noise is left of them. A pattern with spots is never joined
    to one without.

    Parameters
    ----------
    cut : float or None
        Distance (1 - similarity) below which components share a group, in (0, 1]; None derives it from
        surrogates (patterns with the same rings and the same power along them, but random phases), and below
        that from the gap that parts similar phases, where the tree has one.
    significance : float
        Share of unrelated pairs with the very same rings that may be taken for one, in (0, 0.5).
    least_contrast : float
        Azimuthal contrast from which a pattern counts as spots, see `azimuthal_contrast`.
    compare : str
        ``"spots"`` (see `unmixel.interpret.drawing.drawn`), or ``"intensities"``: patterns as they are. Where the
        median pattern has fewer than 3 spots, or the two halves of its pixels agree by less than 0.9 (noise),
        intensities are compared whatever this says: places are not known then.
    power : float
        Exponent on intensities where they are compared, in (0, 1]: 0.5 makes Poisson noise even and weak spots
        count.
    smooth : float
        Gaussian sigma in detector pixels (their shorter side) before comparing, >= 0.
    mirror : bool
        Whether mirror images count as the same.
    center : (float, float) or None
        (v, u) in pixels; None takes coordinate 0 of the axes, or finds it.
    ellipse : (float, float) or None
        Long over short axis of what should be a circle on the detector, 1 to 1.5, and the angle of the long axis (see
        `made_round`): patterns are made round first, and the groups' patterns are round.

    References
    ----------
    Kimoto et al., Sci. Rep. 14, 2901 (2024); 15, 39143 (2025).
    """

    name: ClassVar[str] = "rotation"
    references: ClassVar = papers("kimoto2024", "kimoto2025")

    cut: float | None = None
    significance: float = 0.01
    least_contrast: float = 0.05
    compare: str = "spots"
    power: float = 0.5
    smooth: float = 1.0
    mirror: bool = False
    center: tuple[float, float] | None = None
    ellipse: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        _check_cut(self.cut)
        if self.ellipse is not None and not (len(self.ellipse) == 2 and 1 <= self.ellipse[0] <= 1.5):
            raise InputError(
                "ellipse",
                expected="long over short axis, 1 to 1.5, and an angle in degrees",
                got=f"{self.ellipse}",
                hint="take it from unmixel.calibrate(...).calibration.ellipse",
            )
        if not 0 < self.significance < 0.5 or not 0 < self.power <= 1 or self.smooth < 0:
            raise InputError(
                "RotationClusterer",
                expected="significance in (0, 0.5), power in (0, 1], smooth >= 0",
                got=f"significance {self.significance}, power {self.power}, smooth {self.smooth}",
                hint="the defaults 0.01, 0.5 and 1.0 serve most scans",
            )
        if self.compare not in COMPARED:
            raise InputError(
                "compare",
                expected="'spots' or 'intensities'",
                got=repr(self.compare),
                hint="'spots' serves most",
            )

    def group(self, factors: Factors, *, seed: int) -> Groups:
        """Return groups of components whose patterns agree after a rotation.

        Raises
        ------
        InputError
            When patterns do not have two axes.
        """
        if len(factors.pattern_axes) != 2:
            raise InputError(
                "patterns",
                expected="two axes (v, u)",
                got=f"{len(factors.pattern_axes)}",
                hint="use the clusterer 'spectrum' for spectra",
            )
        where = self._center(factors)
        if self.ellipse is not None:
            factors = _round(factors, self.ellipse, (where.v, where.u))
        used = np.asarray(factors.used_pixels, bool)
        grid = polar_grid(factors.pattern_axes, used, center=(where.v, where.u))
        if len(grid.radii) == 0:
            raise InputError(
                "used pixels",
                expected="at least one ring about the centre that is used by half",
                got="none",
                hint="mask less of the detector, or check the centre",
            )
        contrast = azimuthal_contrast(factors.patterns, used, grid)
        spots = contrast.spots(self.least_contrast)
        rings = grid.of(
            smoothed(factors.patterns, used, self.smooth, steps=pixel_steps(factors.pattern_axes))
        )
        clean = bool(spots.any() and np.median(contrast.agreement[spots]) >= CLEAN)
        compared = (
            self._compared(factors, spots, rings, grid) if clean else self._as_they_are(rings[spots], grid)
        )
        found = self._compare(rings, spots, grid, compared)
        cut, reason = self._cut(compared, seed, found.part(spots))
        words = (
            f"rotation: ring correlation of {compared.words} over "
            f"{len(compared.grid.radii)} rings x {compared.grid.n_angles} angles about (v, u) = "
            f"({where.v:.2f}, {where.u:.2f}) px [{where.reason}]; {int(spots.sum())} of {len(spots)} "
            "components have spots"
            + ("" if spots.all() else ", the others are compared by their ring profiles")
            + ("; mirror images count as the same" if self.mirror else "")
            + (f"; made round (axes 1 to {self.ellipse[0]:.4f})" if self.ellipse else "")
        )
        return _groups(factors, found, (cut, reason), (spots, (where.v, where.u), words))

    def _center(self, factors: Factors) -> Center:
        if self.center is not None:
            return Center(*self.center, "as given")
        mean = np.tensordot(factors.strengths, factors.patterns, axes=1)
        return pattern_center(factors.pattern_axes, mean, np.asarray(factors.used_pixels, bool))

    def _compared(
        self, factors: Factors, spots: Bool, rings: NDArray[np.float32], grid: PolarGrid
    ) -> _Compared:
        """Return what is correlated of the patterns with spots."""
        if self.compare == "spots":
            axes, used = factors.pattern_axes, np.asarray(factors.used_pixels, bool)
            places = places_of(factors.patterns[spots], used, grid.center, steps=pixel_steps(axes))
            n_spots = float(np.median([len(some) for some in places.spots]))
            narrow = polar_grid(axes, places.used, center=grid.center)
            if n_spots >= FEWEST_SPOTS and len(narrow.radii):
                words = f"spots (sigma {places.sigma:.1f} px, {n_spots:g} a pattern) drawn anew"
                return _Compared(narrow.anomaly(drawn(places, narrow)), narrow, words, SPOT_GAP, places)
        return self._as_they_are(rings[spots], grid)

    def _as_they_are(self, rings: NDArray[np.float32], grid: PolarGrid) -> _Compared:
        root = np.asarray(np.maximum(rings, 0.0) ** self.power, np.float32)
        words = f"intensity^{self.power:g} smoothed by {self.smooth:g} px"
        return _Compared(grid.anomaly(root), grid, words, GAP)

    def _compare(
        self, rings: NDArray[np.float32], spots: Bool, grid: PolarGrid, compared: _Compared
    ) -> _Comparison:
        k = len(rings)
        similarity, unturned = np.eye(k), np.eye(k)
        rotation, mirrored = np.zeros((k, k)), np.zeros((k, k), bool)
        crystals, halos = np.flatnonzero(spots), np.flatnonzero(~spots)
        if len(halos):
            alike = profile_similarity(grid.ring_mean(rings[halos]).astype(np.float64), grid.radii)
            similarity[np.ix_(halos, halos)] = unturned[np.ix_(halos, halos)] = alike
        if len(crystals):
            harmonics = spectra(compared.anomaly, compared.grid.used, compared.grid.radii)
            pairs, flipped = all_pairs(harmonics), np.zeros((len(crystals),) * 2, bool)
            if self.mirror:
                pairs, flipped = _with_mirror(pairs, correlate(harmonics, harmonics.mirrored()))
            here = np.ix_(crystals, crystals)
            similarity[here], unturned[here] = pairs.similarity, pairs.unturned
            rotation[here], mirrored[here] = pairs.rotation_deg, flipped
        number = np.where(spots, np.cumsum(spots) - 1, -1)
        return _Comparison(similarity, unturned, rotation, mirrored, number, compared.places)

    def _cut(self, compared: _Compared, seed: int, found: _Comparison) -> tuple[float, str]:
        """Return the cut and its reason, from the patterns with spots and their comparison."""
        if self.cut is not None:
            return float(self.cut), f"given: {self.cut:g}"
        if len(compared.anomaly) < 2:
            return (
                DEFAULT_CUT,
                f"default {DEFAULT_CUT:g}: fewer than two patterns have spots to derive it from",
            )
        level, n_pairs = chance_level(
            compared.anomaly, compared.grid, significance=self.significance, seed=seed, mirror=self.mirror
        )
        reason = (
            f"{100 * self.significance:g} % of {n_pairs} surrogates (same rings and same power along them, "
            f"random phases, best rotation) are more similar to their original than {level:.2f}; unrelated "
            "patterns with other rings are less similar still"
        )
        if compared.places is not None and level < LEAST_SHARED:
            level, reason = (
                LEAST_SHARED,
                f"{reason}; but {LEAST_SHARED:g} of the spots have to agree at least",
            )
        distance = 1.0 - found.similarity
        alike = one_crystal(distance, 1.0 - found.unturned)
        parted = gap(distance, 1.0 - level, one_crystal=alike, least=compared.least_gap)
        if parted is None:
            return 1.0 - level, reason
        cut = parted[0] + GAP_PLACE * (parted[1] - parted[0])
        return cut, (
            f"{reason}; below that the tree has a gap from {parted[0]:.2f} to {parted[1]:.2f} between "
            "crystals of one kind and the next kind, so it is cut inside the gap"
        )


@dataclass(frozen=True)
class SpectrumClusterer:
    """Group spectra (or patterns as they are, without turning) by their cosine.

    Parameters
    ----------
    cut : float
        Distance (1 - cosine over used channels) below which components share a group, in (0, 1].

    References
    ----------
    Shiga et al., Ultramicroscopy 170, 43 (2016) merge components from a cosine of 0.99.
    """

    name: ClassVar[str] = "spectrum"

    cut: float = 0.05

    def __post_init__(self) -> None:
        _check_cut(self.cut)

    def group(self, factors: Factors, *, seed: int) -> Groups:
        """Return groups of components whose spectra agree; nothing is random here, the seed is not used."""
        del seed
        used = np.asarray(factors.used_pixels, bool)
        flat = np.asarray(factors.patterns, np.float64)[:, used]
        norm = np.linalg.norm(flat, axis=1)
        unit = flat / np.where(norm > 0, norm, 1.0)[:, None]
        cosine = np.clip(unit @ unit.T, 0.0, 1.0)
        np.fill_diagonal(cosine, 1.0)
        k = len(flat)
        found = _Comparison(
            cosine, cosine, np.zeros((k, k)), np.zeros((k, k), bool), np.full(k, -1), places=None
        )
        words = f"spectrum: cosine over {int(used.sum())} used channels, no rotation"
        return _groups(factors, found, (self.cut, f"given: {self.cut:g}"), (np.zeros(k, bool), (), words))


@dataclass(frozen=True, eq=False)
class _Compared:
    """What is correlated of patterns with spots: rings less their means, and in words what stands on them."""

    anomaly: NDArray[np.float32]
    grid: PolarGrid
    words: str
    least_gap: float
    places: Places | None = None


@dataclass(frozen=True, eq=False)
class _Comparison:
    similarity: Float
    unturned: Float
    rotation: Float
    mirrored: Bool

    number: NDArray[np.int64]  # of each component among the patterns with spots, -1 for others
    places: Places | None

    def part(self, some: Bool) -> _Comparison:
        """Return the comparison of some of the components."""
        here = np.ix_(some, some)
        return _Comparison(
            self.similarity[here],
            self.unturned[here],
            self.rotation[here],
            self.mirrored[here],
            self.number[some],
            self.places,
        )

    def turn(self, head: int, member: int) -> float:
        """Return by how much a member is turned against its group's head: refined by the places of spots."""
        turn, pair = float(self.rotation[head, member]), (int(self.number[head]), int(self.number[member]))
        if self.places is None or head == member or min(pair) < 0:
            return turn
        return refined(self.places, pair, turn, mirrored=bool(self.mirrored[head, member]))


def _round(factors: Factors, ellipse: tuple[float, float], center: tuple[float, float]) -> Factors:
    steps, used = pixel_steps(factors.pattern_axes), np.asarray(factors.used_pixels, bool)
    patterns, known = made_round(factors.patterns, used, ellipse, center=center, steps=steps)
    return replace(factors, patterns=patterns, used_pixels=known)


def _check_cut(cut: float | None) -> None:
    if cut is not None and not 0 < cut <= 1:
        raise InputError(
            "cut",
            expected="a distance in (0, 1]",
            got=f"{cut}",
            hint="0.25 joins patterns of similarity 0.75",
        )


def _with_mirror(pairs: Pairs, flipped: Pairs) -> tuple[Pairs, Bool]:
    better = flipped.similarity > pairs.similarity + MIRROR_GAIN
    better |= better.T
    np.fill_diagonal(better, False)
    # the turned mirror image equals the mirror image turned the other way
    rotation = np.where(better, -flipped.rotation_deg, pairs.rotation_deg)
    similarity = np.where(better, (flipped.similarity + flipped.similarity.T) / 2, pairs.similarity)
    return Pairs(similarity, rotation, pairs.unturned), better


def _groups(
    factors: Factors, found: _Comparison, cut: tuple[float, str], about: tuple[Bool, tuple[float, ...], str]
) -> Groups:
    spots, center, method = about
    distance = np.clip(1.0 - found.similarity, 0.0, 1.0)
    tree = average_linkage(distance)
    strengths = np.asarray(factors.strengths, np.float64)
    labels = grouped(tree, cut[0], strengths=strengths)
    heads = strongest(labels, strengths)
    rotation = np.array([found.turn(int(heads[label]), k) for k, label in enumerate(labels)])
    mirrored = found.mirrored[heads[labels], np.arange(len(labels))]
    sums = [
        _sum(factors, head, np.flatnonzero(labels == group), (rotation, mirrored, center))
        for group, head in enumerate(heads)
    ]
    return Groups(
        labels=labels,
        distance=distance,
        rotation_deg=(rotation + 180.0) % 360.0 - 180.0,
        linkage=tree,
        cut=cut[0],
        cut_reason=cut[1],
        patterns=np.array([pattern for pattern, _ in sums]),
        maps=np.array([factors.maps[labels == group].sum(axis=0) for group in range(len(heads))]),
        center=center,
        crystalline=spots[heads],
        scan_axes=factors.scan_axes,
        pattern_axes=factors.pattern_axes,
        method=method,
        mirrored=mirrored,
        distance_unturned=np.clip(1.0 - found.unturned, 0.0, 1.0),
        used_pixels=np.array([known for _, known in sums]),
    )


def _sum(
    factors: Factors, head: int, members: NDArray[np.int64], turns: tuple[Float, Bool, tuple[float, ...]]
) -> tuple[Float, Bool]:
    rotation, mirrored, center = turns
    used = np.asarray(factors.used_pixels, bool)
    order = np.concatenate([[head], members[members != head]])
    # a group of components without counts still has a pattern: the plain mean
    weights = np.maximum(np.asarray(factors.strengths, np.float64)[order], 1e-12)
    if len(center) != 2:
        return np.average(factors.patterns[order], axis=0, weights=weights), used
    return aligned_sum(
        factors.patterns[order],
        used,
        [(float(rotation[k]), bool(mirrored[k])) for k in order],
        weights=weights,
        center=(center[0], center[1]),
        steps=pixel_steps(factors.pattern_axes),
    )
