"""Measure particles: regions of maps with their place, size and statistics."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.results import Factors, Groups, Particle, Particles
from unmixel.interpret.blobs import Blob, doubles_words, split_crystals, without_doubles
from unmixel.interpret.blur import BODIES, LEAST_RESOLVED, likely_body, true_diameter
from unmixel.interpret.flags import FILLS, is_artefact
from unmixel.interpret.regions import find_regions
from unmixel.interpret.shrinkage import shrinkage

Float = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]

LEAST_PIXELS = 4
N_RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Measure:
    """Find particles in the maps of groups and measure them.

    Crystals are sought in the map of each component, not in the sum of a group: two crystals of one phase
    that touch have different rotations, so they are different components, and the sum would merge them.
    Components of one group whose patterns agree without turning and whose maps lie over each other (one crystal
    that was split among components) are summed first. Components flagged as artefacts, or as filling the scan,
    are left out.

    Parameters
    ----------
    fwhm : float, "auto" or None
        Full width at half maximum of the probe, in the unit of the scan axes, >= 0; ``"auto"`` takes the one
        that the constraint `Resolution` used, where it did; None corrects nothing.
    least_contrast : float
        A region is at least this share of its map's height, in (0, 1); weaker ones count as leakage.
    least_area : float or None
        Smallest area, in the square of that unit; None takes 4 positions or half of the area the probe itself
        covers at half maximum, whichever is larger.
    body : str
        What a particle's thickness looks like: ``"disk"`` (even), ``"sphere"`` (its half-height contour lies
        inside its outline), or ``"auto"``: judged from the edges of all particles, see `likely_body`.
    crystalline_only : bool
        Measure groups with spots only; False measures every group (of amorphous ones the summed map).

    Examples
    --------
    >>> Measure(fwhm=2.0).least_contrast
    0.25
    """

    name: ClassVar[str] = "particles"

    fwhm: float | str | None = "auto"
    least_contrast: float = 0.25
    least_area: float | None = None
    body: str = "auto"
    crystalline_only: bool = True

    def __post_init__(self) -> None:
        sizes = [size for size in (self.fwhm, self.least_area) if size is not None and size != "auto"]
        if self.body not in ("auto", *BODIES):
            raise InputError(
                "body",
                expected="'auto', 'disk' or 'sphere'",
                got=repr(self.body),
                hint="'auto' serves most scans",
            )
        if not 0 < self.least_contrast < 1 or not all(map(_is_length, sizes)):
            raise InputError(
                "Measure",
                expected="least_contrast in (0, 1), fwhm (or 'auto') and least_area >= 0",
                got=f"least_contrast {self.least_contrast}, fwhm {self.fwhm}, least_area {self.least_area}",
                hint="lengths are in the unit of the scan axes",
            )

    def measure(self, factors: Factors, groups: Groups, *, seed: int) -> Particles:
        """Return the particles of a scan.

        Parameters
        ----------
        factors : Factors
        groups : Groups
            Of the same components.
        seed : int
            Starts the bootstrap of the confidence intervals.

        Raises
        ------
        InputError
            When the scan does not have two axes of one unit.
        """
        steps, unit = _scan_steps(factors.scan_axes)
        if self.fwhm == "auto":
            return replace(self, fwhm=_probe(factors)).measure(factors, groups, seed=seed)
        notes: list[str] = []
        blobs = self._blobs(factors, groups, steps, notes)
        body = self._body(blobs, steps, notes)
        table, labels, unresolved = _table(blobs, groups, factors.scan_axes, (self._width, body))
        notes += self._words(unit, steps, unresolved)
        area = math.prod(axis.size for axis in factors.scan_axes) * steps[0] * steps[1]
        sizes = np.array([p.diameter for p in table if not p.on_border], np.float64)
        mean, mean_interval = _statistic(sizes, np.mean, seed)
        median, median_interval = _statistic(sizes, np.median, seed)
        if len(sizes) < 2:
            notes.append(f"{len(sizes)} whole particles: no confidence interval")
        return Particles(
            table=table,
            labels=labels,
            unit=unit,
            number_density=sum(0.5 if p.on_border else 1.0 for p in table) / area,
            area_fraction=float((labels > 0).any(axis=0).mean()) if len(labels) else 0.0,
            mean_diameter=mean,
            mean_interval=mean_interval,
            median_diameter=median,
            median_interval=median_interval,
            notes=tuple(notes),
        )

    @property
    def _width(self) -> float | None:
        return None if self.fwhm is None or isinstance(self.fwhm, str) else float(self.fwhm)

    def _least_pixels(self, steps: tuple[float, float]) -> float:
        pixel = steps[0] * steps[1]
        if self.least_area is not None:
            return self.least_area / pixel
        return max(LEAST_PIXELS, 0.5 * math.pi / 4 * (self._width or 0.0) ** 2 / pixel)

    def _body(self, blobs: list[Blob], steps: tuple[float, float], notes: list[str]) -> str:
        if self.body != "auto":
            notes.append(f"body: {self.body}, as given")
            return self.body
        whole = [blob.region for blob in blobs if not _on_border(blob.region.mask)]
        pixel = steps[0] * steps[1]
        half = np.array([math.sqrt(4 * pixel * region.mask.sum() / math.pi) for region in whole])
        inner = np.array([math.sqrt(4 * pixel * region.inner / math.pi) for region in whole])
        body, reason = likely_body(half, inner, fwhm=self._width)
        notes.append(f"body: {body}; {reason}")
        return body

    def _blobs(
        self, factors: Factors, groups: Groups, steps: tuple[float, float], notes: list[str]
    ) -> list[Blob]:
        """Return all regions: of components in groups with spots, of summed maps in the others."""
        flags = factors.flags or ((),) * factors.n_components
        doubtful = {k for k, words in enumerate(flags) if is_artefact(words) or FILLS in words}
        wanted = _wanted(groups, crystalline_only=self.crystalline_only)
        limits = {"least_contrast": self.least_contrast, "least_pixels": self._least_pixels(steps)}
        blobs: list[Blob] = []
        lost = shrinkage(factors)
        for group in wanted:
            members = [int(k) for k in np.flatnonzero(groups.labels == group) if int(k) not in doubtful]
            if groups.crystalline[group]:
                sets = split_crystals(members, np.asarray(factors.maps), groups)
                sources = [(max(some, key=lambda k: factors.strengths[k]), some) for some in sets]
            else:
                sources = [(-1, members)]
            for component, some in sources:
                image = np.asarray(factors.maps[some].sum(axis=0), np.float64)
                found = find_regions(image, **limits, lost=float(lost[some].sum()))
                blobs += [Blob(group, component, image, region, i == 0) for i, region in enumerate(found)]
        real, echoes, twins = without_doubles(blobs, groups)
        notes += doubles_words(echoes, twins)
        skipped = sorted(k for k in doubtful if groups.labels[k] in wanted)
        if skipped:
            listed = ", ".join(map(str, skipped))
            notes.append(f"components {listed} are not measured: flagged as artefact or as filling the scan")
        left = sorted(set(range(groups.n_groups)) - set(wanted))
        if left:
            notes.append(f"groups without spots are not measured: {', '.join(map(str, left))}")
        return real

    def _words(self, unit: str, steps: tuple[float, float], unresolved: int) -> list[str]:
        least = self._least_pixels(steps) * steps[0] * steps[1]
        words = [
            "threshold: half of each region's own plateau above the background; regions start at 4 times the "
            f"background's noise and {self.least_contrast:g} of the map's height",
            f"smallest area: {least:.3g} {unit}^2",
        ]
        if self._width:
            words.append(
                f"diameters are corrected for a Gaussian probe of FWHM {self._width:.3g} {unit}; areas are "
                "those of the contour at half height"
            )
        else:
            words.append("no correction for the probe's blur: its width is not given")
        if unresolved:
            words.append(
                f"{unresolved} particles are not wider than the probe; their diameter is at most "
                f"{LEAST_RESOLVED:g} FWHM and given as that"
            )
        if unit == "px":
            words.append("the scan is not calibrated: lengths are in scan positions")
        words.append(
            "particles at the border count half in the number density and not at all in sizes; sizes are not "
            "corrected for large ones being cut by the border more often"
        )
        return words


def _is_length(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _probe(factors: Factors) -> float | None:
    """Return the probe's FWHM that the factorisation used, in the unit of the scan axes."""
    for constraint in factors.settings.get("constraints", ()):
        width, unit = constraint.get("fwhm"), constraint.get("unit", factors.scan_axes[0].unit)
        if constraint.get("name") == "resolution" and _is_length(width) and unit == factors.scan_axes[0].unit:
            return float(width)
    return None


def _scan_steps(axes: tuple[Axis, ...]) -> tuple[tuple[float, float], str]:
    if len(axes) != 2 or axes[0].unit != axes[1].unit:
        raise InputError(
            "scan axes",
            expected="two, of one unit: a particle has an area",
            got=", ".join(f"{axis.name} in {axis.unit}" for axis in axes) or "none",
            hint="particles of line scans cannot be measured; leave this step out",
        )
    return (abs(axes[0].scale), abs(axes[1].scale)), axes[0].unit


def _wanted(groups: Groups, *, crystalline_only: bool) -> list[int]:
    """Return the groups to measure; spectra have no spots, so all of them are."""
    if not crystalline_only or len(groups.pattern_axes) != 2:
        return list(range(groups.n_groups))
    return [int(group) for group in np.flatnonzero(groups.crystalline)]


def _on_border(mask: Bool) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def _table(
    blobs: list[Blob], groups: Groups, axes: tuple[Axis, ...], optics: tuple[float | None, str]
) -> tuple[tuple[Particle, ...], NDArray[np.int64], int]:
    """Return particles (by group, largest first), their label images and how many are not resolved."""
    from skimage.measure import regionprops

    spacing = (abs(axes[0].scale), abs(axes[1].scale))
    labels = np.zeros((groups.n_groups, axes[0].size, axes[1].size), np.int64)
    shown = np.zeros(labels.shape)
    particles, unresolved = [], 0
    ordered = sorted(blobs, key=lambda blob: (blob.group, -int(blob.region.mask.sum())))
    for number, blob in enumerate(ordered, start=1):
        mask = blob.region.mask
        weights = np.where(mask, np.maximum(blob.image, 0.0), 0.0)
        shape = regionprops(mask.astype(np.uint8), intensity_image=weights, spacing=spacing)[0]
        y, x = (
            axis.offset + math.copysign(float(place), axis.scale)
            for axis, place in zip(axes, shape.centroid_weighted, strict=True)
        )
        diameter, resolved = true_diameter(
            2 * math.sqrt(shape.area / math.pi), fwhm=optics[0], body=optics[1]
        )
        unresolved += not resolved
        border = _on_border(mask)
        particles.append(
            Particle(number, blob.group, blob.component, y, x, float(shape.area), diameter, border)
        )
        # where particles overlap, the one with more counts is shown
        front = mask & (weights > shown[blob.group])
        labels[blob.group][front], shown[blob.group][front] = number, weights[front]
    return tuple(particles), labels, unresolved


def _statistic(sizes: Float, function: Any, seed: int) -> tuple[float, tuple[float, float]]:
    """Return a statistic and its 95 % percentile bootstrap interval; NaN where there are too few."""
    if len(sizes) == 0:
        return math.nan, (math.nan, math.nan)
    if len(sizes) == 1:
        return float(sizes[0]), (math.nan, math.nan)
    rng = np.random.default_rng(seed)
    drawn = function(sizes[rng.integers(len(sizes), size=(N_RESAMPLES, len(sizes)))], axis=1)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(function(sizes)), (float(low), float(high))
