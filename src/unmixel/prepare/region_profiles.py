"""Spatially resolved diffractometry: mean pattern and radial profile of each region of a scan, in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.core.units import memory
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import DEFAULT_BUDGET
from unmixel.physics.rings import RadialProfile
from unmixel.prepare.geometry import Geometry, measured_pixels
from unmixel.prepare.passes import Parts, found_in, walked_by
from unmixel.prepare.statistics import used_positions


@dataclass(frozen=True, eq=False)
class RegionProfiles:
    """Mean pattern and radial profile of each region.

    Parameters
    ----------
    labels : ndarray of int, shape (k,)
        Their numbers in the map of regions, in order.
    n_positions : ndarray of int, shape (k,)
    patterns : ndarray, shape (k, v, u)
        Mean counts; unused pixels too.
    profiles : tuple of RadialProfile
        Standard errors by counting.
    center : (float, float)
        (v, u) of the direct beam, in pixels.
    """

    labels: NDArray[np.intp]
    n_positions: NDArray[np.intp]
    patterns: NDArray[np.float64]
    profiles: tuple[RadialProfile, ...]
    center: tuple[float, float]

    def __len__(self) -> int:
        """Return the number of regions."""
        return len(self.profiles)

    def __iter__(self) -> Iterator[RadialProfile]:
        """Yield the profiles."""
        return iter(self.profiles)


def region_profiles(  # noqa: PLR0913 - one keyword per documented setting
    scan: Scan,
    regions: NDArray[Any],
    *,
    unit: str | None = None,
    width: float | None = None,
    center: tuple[float, float] | None = None,
    voltage_kV: float | None = None,
    used: NDArray[np.bool_] | None = None,
    memory_budget: int = DEFAULT_BUDGET,
    engine: Any = None,
) -> RegionProfiles:
    """Return the mean pattern and the radial profile of each region of a scan.

    Parameters
    ----------
    scan : Scan
        Diffraction patterns; positions of weight 0 are left out.
    regions : ndarray of bool or int, shape scan_shape
        A mask (one region), or a map of labels: 0 is no region.
    unit : str, optional
        Of the profiles: ``1/angstrom``, ``1/nm``, ``mrad`` or ``px``; that of the pattern axes by default.
    width : float, optional
        Width of a ring in `unit`; half of the shorter side of a pixel where it is not given.
    center, voltage_kV, used, engine
        As in `unmixel.virtual_image`.
    memory_budget : int
        Bytes for blocks of data and for the sums of all regions.

    Returns
    -------
    RegionProfiles

    Raises
    ------
    InputError
        When the map does not fit the scan, a region has no used position, or its sums take more than half the budget.

    Notes
    -----
    Kimoto and Ishizuka, Ultramicroscopy 111, 1111 (2011). The standard errors are those of counting, with the gain
    that the step ``poisson_weights`` found (1 without it); what differs from position to position is not in them.

    Examples
    --------
    >>> scan = Scan.from_array(np.arange(4.0).reshape(2, 2, 1, 1) * np.ones((9, 9)))
    >>> found = region_profiles(scan, [[1, 1], [0, 2]], center=(4, 4))
    >>> found.n_positions.tolist(), [float(profile.mean[2].round(3)) for profile in found]
    ([2, 1], [0.5, 3.0])
    """
    labels, numbers = _numbered(scan, regions)
    needed = 8 * len(labels) * scan.n_pixels
    if needed > memory_budget // 2:
        raise InputError(
            "memory_budget",
            expected=f"at least {memory(2 * needed)} for {len(labels)} regions of {scan.n_pixels} pixels",
            got=memory(memory_budget),
            hint="give more, or fewer regions at a time",
        )
    seen = measured_pixels(scan, used)
    with walked_by(engine, memory_budget):
        geometry = Geometry.of(scan, unit=unit, center=center, voltage_kV=voltage_kV)
        rings = geometry.rings(seen, width)
        (found,) = found_in(Parts(), scan.data, len(scan.scan_axes), numbers).sums
    n = np.bincount(numbers[numbers >= 0], minlength=len(labels))
    sums = np.stack([found.rows[number] for number in range(len(labels))]) / n[:, None]
    profiles = tuple(
        rings.profile(pattern, scan.gain / many * np.maximum(pattern, 0.0))
        for pattern, many in zip(sums, n, strict=True)
    )
    return RegionProfiles(labels, n, sums.reshape(-1, *scan.pattern_shape), profiles, geometry.center)


def _numbered(scan: Scan, regions: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the labels in order and the number of each position's region, -1 for none, shape (n_positions,)."""
    given = np.asarray(regions)
    if given.shape != scan.scan_shape or given.dtype.kind not in "bui" or not (given > 0).any():
        raise InputError(
            "regions",
            expected=f"a mask or labels of shape {scan.scan_shape} with a region in it",
            got=f"{given.dtype} of shape {given.shape}",
            hint="labels are whole numbers, 0 where there is no region",
        )
    flat = given.astype(np.intp).ravel()
    labels = np.unique(flat[flat > 0])
    chosen = (flat > 0) & used_positions(scan)
    numbers = np.where(chosen, np.searchsorted(labels, flat), -1)
    empty = np.setdiff1d(np.arange(len(labels)), numbers)
    if empty.size:
        raise InputError(
            "regions",
            expected="positions in use in every region",
            got=f"none in region {labels[empty[0]]}",
            hint="leave it out of the map",
        )
    return labels, numbers
