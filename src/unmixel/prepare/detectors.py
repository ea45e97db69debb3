"""Virtual detectors: discs and rings on the detector, and the images and centres of mass that they record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import DEFAULT_BUDGET
from unmixel.engines.walk import Found
from unmixel.prepare.geometry import Geometry, measured_pixels
from unmixel.prepare.passes import Look, batches, found_in, walked_by

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]


@runtime_checkable
class Detector(Protocol):
    """A virtual detector: what share of each pixel it counts, in a unit of its own."""

    @property
    def unit(self) -> str:
        """Unit of its sizes: ``px``, ``1/angstrom``, ``1/nm`` or ``mrad``."""
        ...

    def shares(self, geometry: Geometry) -> Image:
        """Return the share of each pixel that counts, 0 to 1, shape (v, u); the geometry has the detector's unit."""
        ...


@dataclass(frozen=True)
class Disk:
    """A disk: bright field about the direct beam, dark field about a spot.

    Parameters
    ----------
    radius : float, > 0
    unit : str
        ``px`` (shorter side of a pixel), ``1/angstrom``, ``1/nm`` or ``mrad``.
    at : (float, float)
        Its middle (v, u) from the direct beam, in `unit`.

    Raises
    ------
    InputError
        When a number is out of range.

    Examples
    --------
    >>> Disk(5.0, "mrad")
    Disk(radius=5.0, unit='mrad', at=(0.0, 0.0))
    """

    radius: float
    unit: str = "mrad"
    at: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not 0 < self.radius < math.inf or len(self.at) != 2 or not np.isfinite(self.at).all():
            raise InputError(
                "Disk",
                expected="a radius > 0 and a place (v, u)",
                got=f"{self.radius} and {self.at}",
                hint="Disk(5, 'mrad') is a bright field of 5 mrad",
            )

    def shares(self, geometry: Geometry) -> Image:
        """Return the share of each pixel within the disk."""
        return geometry.disc(self.radius, self.at)


@dataclass(frozen=True)
class Annulus:
    """A ring about the direct beam: annular bright or dark field by angle range.

    Parameters
    ----------
    inner, outer : float, 0 <= inner < outer
    unit : str
        ``px`` (shorter side of a pixel), ``1/angstrom``, ``1/nm`` or ``mrad``.

    Raises
    ------
    InputError
        When the range is empty.

    Examples
    --------
    >>> Annulus(12, 15, "1/nm").outer
    15
    """

    inner: float
    outer: float
    unit: str = "mrad"

    def __post_init__(self) -> None:
        if not 0 <= self.inner < self.outer < math.inf:
            raise InputError(
                "Annulus",
                expected="0 <= inner < outer",
                got=f"{self.inner} and {self.outer}",
                hint="Annulus(12, 15, '1/nm') is an annular dark field",
            )

    def shares(self, geometry: Geometry) -> Image:
        """Return the share of each pixel between the two circles."""
        return np.asarray(geometry.disc(self.outer) - geometry.disc(self.inner))


@dataclass(frozen=True, eq=False)
class CenterOfMass:
    """Where the intensity of each pattern has its centre, from the mean over the scan.

    Parameters
    ----------
    v, u : ndarray, shape scan_shape
        Along rows (down as displayed) and columns (right), in `unit`; NaN where a pattern holds no counts.
    mean : (float, float)
        What was taken off: mean over the used positions, from the direct beam.
    unit : str
    """

    v: Image
    u: Image
    mean: tuple[float, float]
    unit: str


def virtual_image(
    scan: Scan,
    detectors: Detector | Sequence[Detector],
    *,
    center: tuple[float, float] | None = None,
    voltage_kV: float | None = None,
    used: Mask | None = None,
    memory_budget: int = DEFAULT_BUDGET,
    engine: Any = None,
) -> Image:
    """Return what virtual detectors record at each position: any number of them in one pass.

    Parameters
    ----------
    scan : Scan
        Diffraction patterns. Counts are read as they are.
    detectors : Disk, Annulus or another Detector, or a sequence of them
    center : (float, float), optional
        (v, u) of the direct beam, in pixels. Where it is not given: what the step ``center`` set, else the direct
        beam in the mean pattern (one pass more).
    voltage_kV : float, optional
        Needed where detectors are in mrad and the axes in 1/angstrom, or the other way; the instrument's by default.
    used : ndarray of bool, shape pattern_shape, optional
        Pixels that count; those with a weight above 0 by default.
    memory_budget : int
        Bytes for blocks of data; of each worker, where the engine has any.
    engine : Engine or its name, optional
        Goes through data that are in a file: with ``"dask"`` or a `DaskEngine` workers read them, and none of them
        here. This process where it is not given.

    Returns
    -------
    ndarray of float64, shape scan_shape, or (k, *scan_shape) for a sequence of k detectors
        Sums of counts. A pixel that the border of a detector cuts counts with its share, so that adjacent rings add
        up.

    Raises
    ------
    InputError
        When a detector covers no used pixel, or units cannot be converted.

    Examples
    --------
    >>> scan = Scan.from_array(np.ones((2, 3, 9, 9), np.uint16))
    >>> virtual_image(scan, [Disk(2, "px"), Annulus(2, 3, "px")], center=(4, 4))[:, 0, 0].round(3).tolist()
    [12.566, 15.708]
    """
    several = [detectors] if isinstance(detectors, Detector) else list(detectors)
    with walked_by(engine, memory_budget):
        masks = detector_masks(scan, several, center=center, voltage_kV=voltage_kV, used=used)
        images = weighted_sums(scan, masks).reshape(len(several), *scan.scan_shape)
    return images[0] if isinstance(detectors, Detector) else images


def detector_masks(
    scan: Scan,
    detectors: Sequence[Detector],
    *,
    center: tuple[float, float] | None = None,
    voltage_kV: float | None = None,
    used: Mask | None = None,
) -> Image:
    """Return what share of each pixel detectors count, shape (n_pixels, k): frames times it are their images.

    Parameters are those of `virtual_image`.
    """
    seen = measured_pixels(scan, used)
    origin = Geometry.of(scan, unit="px", center=center).center
    masks = np.zeros((scan.n_pixels, len(detectors)))
    for number, detector in enumerate(detectors):
        geometry = Geometry.of(scan, unit=detector.unit, center=origin, voltage_kV=voltage_kV)
        masks[:, number] = _covered(detector, detector.shares(geometry) * seen).ravel()
    return masks


def moment_masks(share: Image, geometry: Geometry) -> Image:
    """Return masks for the sum and the first moments along v and u, shape (n_pixels, 3), of a share of each pixel."""
    v, u = geometry.coordinates()
    return np.stack([share, share * v, share * u], axis=-1).reshape(-1, 3)


def center_of_mass(
    scan: Scan,
    *,
    detector: Detector | None = None,
    unit: str | None = None,
    center: tuple[float, float] | None = None,
    voltage_kV: float | None = None,
    used: Mask | None = None,
    memory_budget: int = DEFAULT_BUDGET,
    engine: Any = None,
) -> CenterOfMass:
    """Return how far the centre of mass of each pattern lies from its mean over the scan.

    Parameters
    ----------
    scan : Scan
        Diffraction patterns.
    detector : Disk, Annulus or another Detector, optional
        The part of the detector that is looked at; all of it where it is not given.
    unit : str, optional
        Unit of the result; that of the pattern axes by default.
    center, voltage_kV, used, memory_budget, engine
        As in `virtual_image`.

    Returns
    -------
    CenterOfMass

    Raises
    ------
    InputError
        When the detector covers no used pixel, or units cannot be converted.

    Notes
    -----
    ``v = sum_p w_p I_p v_p / sum_p w_p I_p``, less its mean over positions with a weight above 0; the same for u.
    Convention of differential phase contrast: the maps are the change of the beam's momentum along the detector's
    own axes, v down and u right as displayed. Electrons are pushed against the electric field, so the projected field
    points along ``(-v, -u)``. Scan and detector may be turned against each other: no rotation is taken off.

    Examples
    --------
    >>> data = np.zeros((1, 2, 9, 9))
    >>> data[0, 0, 4, 4] = data[0, 1, 4, 6] = 1
    >>> center_of_mass(Scan.from_array(data), center=(4, 4)).u.tolist()
    [[-1.0, 1.0]]
    """
    seen = measured_pixels(scan, used)
    with walked_by(engine, memory_budget):
        geometry = Geometry.of(scan, unit=unit, center=center, voltage_kV=voltage_kV)
        share = seen.astype(np.float64)
        if detector is not None:
            own = Geometry.of(scan, unit=detector.unit, center=geometry.center, voltage_kV=voltage_kV)
            share = _covered(detector, detector.shares(own) * seen)
        total, *moments = weighted_sums(scan, moment_masks(share, geometry))
    with np.errstate(invalid="ignore", divide="ignore"):
        maps = [np.where(total > 0, moment / total, np.nan).reshape(scan.scan_shape) for moment in moments]
    counts = (total > 0).reshape(scan.scan_shape)
    if scan.position_weights is not None:
        counts = counts & (scan.position_weights > 0)
    mean = [float(image[counts].mean()) if counts.any() else 0.0 for image in maps]
    return CenterOfMass(maps[0] - mean[0], maps[1] - mean[1], (mean[0], mean[1]), geometry.unit)


def _covered(detector: Detector, shares: Image) -> Image:
    """Return the shares, refusing a detector that counts nothing."""
    if not shares.any():
        raise InputError(
            "detector",
            expected="one that covers a used pixel",
            got=repr(detector),
            hint="check its unit; masked pixels do not count unless you give used=",
        )
    return shares


def weighted_sums(scan: Scan, masks: Image) -> Image:
    """Return the sums of each pattern over masks, shape (n_pixels, k): shape (k, n_positions), from one pass."""
    columns = np.flatnonzero(masks.any(axis=1))
    return np.asarray(found_in(_Weighted(columns, masks[columns]), scan.data, len(scan.scan_axes)).here[0])


@dataclass(frozen=True, eq=False)
class _Weighted(Look):
    """Here: the weighted sums of each pattern, shape (k, b), float64.

    Parameters
    ----------
    columns : ndarray of int, shape (c,)
        Numbers of the pixels that count.
    shares : ndarray, shape (c, k)
        How much of each counts.
    """

    columns: NDArray[np.intp]
    shares: Image

    def on_host(self, values: NDArray[Any], *along: NDArray[Any]) -> Found:
        """Return the sums of a block."""
        whole = len(self.columns) == values.shape[1]
        sums = np.empty((self.shares.shape[1], len(values)))
        for part in batches(values):
            rows = values[part] if whole else values[part][:, self.columns]
            sums[:, part] = (np.asarray(rows, np.float64) @ self.shares).T
        return Found((sums,))
