"""What stages find: factors, groups, particles. Frozen and without algorithms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import EMPTY

Array = NDArray[Any]


@dataclass(frozen=True)
class Convergence:
    """How a factorisation came to its end.

    Parameters
    ----------
    objective : tuple of float
        Value of the full objective after each sweep, first value at the start; never rises.
    relative_error : float
        Exact weighted ``||X - W H|| / ||X||`` at the end.
    n_sweeps : int
    converged : bool
        Whether the stop rule was met before the limit of sweeps.
    reason : str
        The stop rule in words.
    """

    objective: tuple[float, ...]
    relative_error: float
    n_sweeps: int
    converged: bool
    reason: str


@dataclass(frozen=True)
class Residual:
    """Where the model does and does not explain the data.

    Parameters
    ----------
    chi2_map : ndarray, shape scan_shape
        Mean over used pixels of (x - model)^2 / max(model, floor): 1 for counts that are Poisson and explained.
    chi2_pattern : ndarray, shape pattern_shape
        The same, mean over used positions; 0 at masked pixels.
    chi2 : float
        Mean over everything used.
    floor : float
        Smallest variance assumed, in the data's unit.
    """

    chi2_map: Array
    chi2_pattern: Array
    chi2: float
    floor: float


@dataclass(frozen=True)
class Uncertainty:
    """How far maps and patterns can be trusted: standard errors of every value, agreement of every component.

    Parameters
    ----------
    maps : ndarray, shape (k, *scan_shape)
        Standard error of the maps, in counts, the patterns taken as known; NaN at positions that were left out,
        infinite where nothing tells a component from others.
    patterns : ndarray, shape (k, *pattern_shape)
        Standard error of the patterns, the maps taken as known; NaN at masked pixels.
    gain : float
        Variance over mean of the noise that was assumed.
    method : str
        What was done, in words.
    stability : ndarray, shape (k,), in [0, 1], or None
        Pattern cosine times map correlation between two fits that should agree (to independent halves of the
        counts, or from different starts); 0 where a component was not found again.
    scatter : ndarray, shape (k,), or None
        Scatter of the maps between the halves over the standard error: 1 where the errors are right, more where
        something beside counting noise moves the component; NaN where it cannot be told.
    """

    maps: Array
    patterns: Array
    gain: float
    method: str
    stability: Array | None = None
    scatter: Array | None = None


def error_share(errors: Array, values: Array) -> float:
    """Return the typical standard error of a map or a pattern as a share of its typical value (roots of mean squares).

    Only values count that are known and above 0; infinite where one is not determined, NaN where there is none.

    Examples
    --------
    >>> error_share(np.array([1.0, 1.0, 9.0]), np.array([4.0, 4.0, 0.0]))
    0.25
    """
    there = (np.asarray(values) > 0) & ~np.isnan(errors)
    if not there.any():
        return float("nan")
    size = np.sqrt(np.mean(np.square(values[there], dtype=np.float64)))
    return float(np.sqrt(np.mean(np.square(errors[there], dtype=np.float64))) / size)


@dataclass(frozen=True)
class Leftovers:
    """What the model leaves of the data, measured against the noise of counts.

    Parameters
    ----------
    z_map : ndarray, shape scan_shape
        Chi-square of each position minus what noise leaves, in standard deviations; NaN where left out.
    z_pattern : ndarray, shape pattern_shape
        The same for each pixel.
    gain : float
        Variance over mean of the noise that was assumed.
    threshold : float
        Significance from which a place counts as a peak.
    places : ndarray of int, shape (p, number of scan axes)
        Where localised structures are left, in samples along each scan axis, most significant first.
    significance : ndarray, shape (p,)
        Standard deviations above what noise leaves at such a place.
    counts : ndarray, shape (p,)
        Counts of each structure in the region around its place.
    maps : ndarray, shape (p, *scan_shape), >= 0
        In counts, 0 beyond the region.
    patterns : ndarray, shape (p, *pattern_shape), >= 0
        Mean residual pattern of the region where it is positive; sums to 1 over used pixels.
    """

    z_map: Array
    z_pattern: Array
    gain: float
    threshold: float
    places: Array
    significance: Array
    counts: Array
    maps: Array
    patterns: Array

    @property
    def n_peaks(self) -> int:
        """Number of localised structures."""
        return len(self.places)


@dataclass(frozen=True)
class Factors:
    """Maps and patterns: ``X ~ sum_k maps[k] (x) patterns[k]``.

    Parameters
    ----------
    maps : ndarray, shape (k, *scan_shape), >= 0
        In counts: the sum over pixels of component k at each position (patterns sum to 1 over used pixels).
    patterns : ndarray, shape (k, *pattern_shape), >= 0
    scan_axes, pattern_axes : tuple of Axis
    used_pixels : ndarray of bool, shape pattern_shape
        False where the pixel was masked; patterns there are filled as `fill` says.
    fill : str
        What stands at masked pixels: ``"model"`` (extended by the constraint, e.g. SpotShape) or ``"zero"``.
    strengths : ndarray, shape (k,)
        Share of all fitted counts that each component carries; components are sorted by it, descending.
    flags : tuple of tuple of str
        Per component, remarks in words such as ``"camera artefact?"``.
    convergence : Convergence
    residual : Residual or None
    settings : mapping
        Estimator, solver and constraints with all parameters, JSON-safe.
    uncertainty : Uncertainty or None
    leftovers : Leftovers or None
        What the residual holds, place by place.
    """

    maps: Array
    patterns: Array
    scan_axes: tuple[Axis, ...]
    pattern_axes: tuple[Axis, ...]
    used_pixels: Array
    fill: str
    strengths: Array
    convergence: Convergence
    flags: tuple[tuple[str, ...], ...] = ()
    residual: Residual | None = None
    settings: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    uncertainty: Uncertainty | None = None
    leftovers: Leftovers | None = None

    @property
    def n_components(self) -> int:
        """Number of components."""
        return int(self.maps.shape[0])


@dataclass(frozen=True)
class Groups:
    """Components grouped by what they look like, whatever their rotation.

    Parameters
    ----------
    labels : ndarray of int, shape (k,)
        Group of each component, 0-based; groups are sorted by strength, descending.
    distance : ndarray, shape (k, k)
        1 - similarity, in [0, 1]; diagonal 0, symmetric.
    rotation_deg : ndarray, shape (k,)
        Rotation of each member relative to its group's strongest member (0 there), in [-180, 180): the member's
        pattern is the strongest one's, turned by it counter-clockwise as displayed (v down, u right).
    linkage : ndarray, shape (k - 1, 4)
        Average linkage as scipy writes it.
    cut : float
        Distance below which components share a group.
    cut_reason : str
    patterns : ndarray, shape (g, *pattern_shape)
        Members turned back onto the strongest one, mean weighted by strength.
    maps : ndarray, shape (g, *scan_shape)
        Sum of the members' maps.
    center : tuple of float
        (v, u) pixel coordinates about which patterns were turned; () for spectra.
    crystalline : ndarray of bool, shape (g,)
        Whether the group's pattern has spots (azimuthal contrast) rather than rings only.
    scan_axes, pattern_axes : tuple of Axis
    method : str
        Name of the clusterer and its settings in words.
    mirrored : ndarray of bool, shape (k,), or None
        Whether a member is the mirror image (v to -v about the centre) of the strongest one, before its rotation.
    distance_unturned : ndarray, shape (k, k), or None
        1 - similarity without turning: small for components of one and the same crystal.
    used_pixels : ndarray of bool, shape (g, *pattern_shape), or None
        Where a group's pattern is known from at least one of its turned members; elsewhere the strongest
        member's own value stands.
    membership : ndarray, shape (k, g + 1), in [0, 1], or None
        Share of each component's counts that each group's pattern explains, the last column what none does; rows of
        sum 1. A mixture of two kinds has parts of both, `labels` says where it was put.
    shifted_maps : ndarray, shape (g, y, x), or None
        Members' maps moved onto the strongest one and averaged by strength: what a particle of the group looks like.
    shifts : ndarray, shape (k, 2), or None
        (y, x) in positions by which each map was moved for that.
    """

    labels: Array
    distance: Array
    rotation_deg: Array
    linkage: Array
    cut: float
    cut_reason: str
    patterns: Array
    maps: Array
    center: tuple[float, ...]
    crystalline: Array
    scan_axes: tuple[Axis, ...]
    pattern_axes: tuple[Axis, ...]
    method: str = ""
    mirrored: Array | None = None
    distance_unturned: Array | None = None
    used_pixels: Array | None = None
    membership: Array | None = None
    shifted_maps: Array | None = None
    shifts: Array | None = None

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return int(self.patterns.shape[0])


@dataclass(frozen=True)
class Particle:
    """One connected region of a map.

    Parameters
    ----------
    id : int
        Running number, from 1.
    group : int
        Group whose map it was found in.
    component : int
        Component whose map it was found in (-1 when found in the sum of a group).
    y, x : float
        Centre of mass, in the unit of the scan axes.
    area : float
        In the square of that unit.
    diameter : float
        Equivalent-circle diameter 2 sqrt(area / pi), corrected for the probe's blur where it is known.
    on_border : bool
        Cut by the edge of the scan.
    fit_diameter : float
        Diameter of the body under the probe that fits the map best, in the unit of the scan axes; NaN where there is
        no such fit (particles at the border, results of earlier versions).
    aspect_ratio : float
        Long over short axis of the ellipse with the region's second moments, >= 1; NaN where it is not known.
    """

    id: int
    group: int
    component: int
    y: float
    x: float
    area: float
    diameter: float
    on_border: bool
    fit_diameter: float = float("nan")
    aspect_ratio: float = float("nan")


@dataclass(frozen=True)
class Particles:
    """All particles of a scan and their statistics (border particles are left out of sizes).

    Parameters
    ----------
    table : tuple of Particle
    labels : ndarray of int, shape (g, *scan_shape)
        0 or the id of the particle, per group.
    unit : str
        Unit of lengths (``nm`` or ``px``).
    number_density : float
        Particles per square unit.
    area_fraction : float
        Share of the scanned area that particles cover.
    mean_diameter, median_diameter : float
        NaN where there is no whole particle.
    mean_interval, median_interval : tuple of float
        95 % confidence intervals.
    notes : tuple of str
        What was assumed (threshold, smallest area, blur correction, ...).
    volume_fraction : float
        Share of the specimen's volume that particles fill; NaN where its thickness is not given.
    """

    table: tuple[Particle, ...]
    labels: Array
    unit: str
    number_density: float
    area_fraction: float
    mean_diameter: float
    mean_interval: tuple[float, float]
    median_diameter: float
    median_interval: tuple[float, float]
    notes: tuple[str, ...] = ()
    volume_fraction: float = float("nan")

    @property
    def diameters(self) -> NDArray[np.float64]:
        """Diameters of the particles that the border does not cut."""
        return np.array([p.diameter for p in self.table if not p.on_border], dtype=np.float64)
