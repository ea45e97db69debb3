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
from unmixel.interpret.blur import BODIES, LEAST_RESOLVED, true_diameter
from unmixel.interpret.bodies import Fit, fit_body, likelier_body
from unmixel.interpret.flags import FILLS, is_artefact
from unmixel.interpret.regions import background, find_regions
from unmixel.interpret.shrinkage import shrinkage
from unmixel.interpret.sizes import edge_weights, estimate, mean_volume, weighted_mean, weighted_median

Float = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]

LEAST_PIXELS = 4
FEWEST_JUDGED, MOST_JUDGED = 3, 60  # particles by which the body is judged: the largest
EDGES = ("weighted", "plain")


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
        inside its outline), or ``"auto"``: whichever fits the maps of the particles better, see `likelier_body`.
    crystalline_only : bool
        Measure groups with spots only; False measures every group (of amorphous ones the summed map).
    edges : str
        ``"weighted"``: in mean and median each particle stands for those of its size that the border cuts, see
        `unmixel.interpret.sizes.edge_weights`; ``"plain"``: each counts once.
    thickness : float or None
        Of the specimen, in the unit of the scan axes, > 0; None leaves the volume fraction out.

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
    edges: str = "weighted"
    thickness: float | None = None

    def __post_init__(self) -> None:
        sizes = [size for size in (self.fwhm, self.least_area) if size is not None and size != "auto"]
        if self.body not in ("auto", *BODIES):
            raise InputError(
                "body",
                expected="'auto', 'disk' or 'sphere'",
                got=repr(self.body),
                hint="'auto' serves most scans",
            )
        if self.edges not in EDGES or (self.thickness is not None and not self.thickness > 0):
            raise InputError(
                "Measure",
                expected="edges 'weighted' or 'plain', thickness > 0 or none",
                got=f"edges {self.edges!r}, thickness {self.thickness}",
                hint="lengths are in the unit of the scan axes",
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
        density = sum(0.5 if p.on_border else 1.0 for p in table) / area
        whole = [(p, blob) for p, blob in zip(table, _ordered(blobs), strict=True) if not p.on_border]
        sizes = np.array([p.diameter for p, _ in whole], np.float64)
        weights = np.ones(len(whole))
        if self.edges == "weighted":
            weights = edge_weights([blob.region.mask for _, blob in whole])
        mean, median = (
            estimate(sizes, weights, statistic, seed=seed) for statistic in (weighted_mean, weighted_median)
        )
        if len(sizes) < 2:
            notes.append(f"{len(sizes)} whole particles: no confidence interval")
        fraction = math.nan
        if self.thickness is not None:
            areas = np.array([p.area for p, _ in whole], np.float64)
            volume = mean_volume(sizes, areas, weights, body=body, thickness=self.thickness)
            fraction = density * volume / self.thickness
            notes.append(
                f"volume fraction: number density times the mean volume of a {body} over a thickness of "
                f"{self.thickness:g} {unit}"
            )
        return Particles(
            table=table,
            labels=labels,
            unit=unit,
            number_density=density,
            area_fraction=float((labels > 0).any(axis=0).mean()) if len(labels) else 0.0,
            mean_diameter=mean.value,
            mean_interval=mean.interval,
            median_diameter=median.value,
            median_interval=median.interval,
            notes=tuple(notes),
            volume_fraction=fraction,
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
        whole = [blob for blob in _ordered(blobs) if not _on_border(blob.region.mask)]
        whole = sorted(whole, key=lambda blob: -int(blob.region.mask.sum()))[:MOST_JUDGED]
        if self._width is None:
            reason = "even thickness is assumed: without the probe's width soft edges tell nothing"
        elif len(whole) < FEWEST_JUDGED:
            reason = f"even thickness is assumed: fewer than {FEWEST_JUDGED} whole particles"
        else:
            misfits = np.array(
                [
                    [_fitted(blob, blobs, steps, (self._width, body)).misfit for body in BODIES]
                    for blob in whole
                ]
            )
            found = likelier_body(misfits)
            if found is not None:
                notes.append(f"body: {found[0]}; {found[1]}")
                return found[0]
            reason = "even thickness is assumed: both bodies fit alike"
        notes.append(f"body: disk; {reason}")
        return "disk"

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
                blobs += [
                    Blob(group, component, image, region, i == 0, float(lost[some].sum()))
                    for i, region in enumerate(found)
                ]
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
            "particles at the border count half in the number density and not at all in sizes; "
            + (
                "in mean and median the others are weighted for large ones being cut by the border more often"
                if self.edges == "weighted"
                else "sizes are not corrected for large ones being cut by the border more often"
            )
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


def _ordered(blobs: list[Blob]) -> list[Blob]:
    """Return regions as particles are numbered: by group, largest first."""
    return sorted(blobs, key=lambda blob: (blob.group, -int(blob.region.mask.sum())))


def _fitted(
    blob: Blob, blobs: list[Blob], steps: tuple[float, float], optics: tuple[float | None, str]
) -> Fit:
    """Return the body fitted to a region; pixels of the map's other regions are not looked at."""
    others = np.zeros(blob.region.mask.shape, bool)
    for other in blobs:
        if other is not blob and other.image is blob.image:
            others |= other.region.mask
    above = blob.image - background(blob.image).level
    return fit_body(
        above, blob.region.mask, others=others, steps=steps, fwhm=optics[0], body=optics[1], lost=blob.lost
    )


def _table(
    blobs: list[Blob], groups: Groups, axes: tuple[Axis, ...], optics: tuple[float | None, str]
) -> tuple[tuple[Particle, ...], NDArray[np.int64], int]:
    """Return particles (by group, largest first), their label images and how many are not resolved."""
    from skimage.measure import regionprops

    spacing = (abs(axes[0].scale), abs(axes[1].scale))
    labels = np.zeros((groups.n_groups, axes[0].size, axes[1].size), np.int64)
    shown = np.zeros(labels.shape)
    particles, unresolved = [], 0
    for number, blob in enumerate(_ordered(blobs), start=1):
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
            Particle(
                number,
                blob.group,
                blob.component,
                y,
                x,
                float(shape.area),
                diameter,
                border,
                fit_diameter=math.nan if border else _fitted(blob, blobs, spacing, optics).diameter,
                aspect_ratio=_aspect_ratio(mask, spacing),
            )
        )
        # where particles overlap, the one with more counts is shown
        front = mask & (weights > shown[blob.group])
        labels[blob.group][front], shown[blob.group][front] = number, weights[front]
    return tuple(particles), labels, unresolved


def _aspect_ratio(mask: Bool, spacing: tuple[float, float]) -> float:
    """Return the long over the short axis of the ellipse with a region's second moments; 1 is round.

    Each position is a rectangle of its own: without its moments a row of positions would have no width.
    """
    places = np.argwhere(mask) * np.asarray(spacing)
    moments = np.cov(places.T, bias=True) + np.diag(np.square(spacing)) / 12
    short, long = np.linalg.eigvalsh(moments)
    return float(math.sqrt(long / short))
