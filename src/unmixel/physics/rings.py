"""Rings about a point of a detector: the exact share of each pixel in each ring, and means over rings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RadialProfile:
    """Means of a pattern over rings.

    Parameters
    ----------
    frequency : ndarray, shape (r,)
        Mean distance from the centre of what is averaged in each ring, in `unit`.
    mean : ndarray, shape (r,)
    n_pixels : ndarray, shape (r,)
        Area of the used part of each ring, in pixels.
    standard_error : ndarray, shape (r,)
        Of each mean.
    sharing : ndarray, shape (r,), >= 1
        Neighbouring rings share pixels. Where rings are averaged or fitted as if they were independent, their
        variance is to be taken this many times.
    spread : ndarray, shape (r,)
        Standard deviation of the distances within each ring, in `unit`: what the profile adds to the width of a line.
    width : float
        Distance between the borders of a ring, in `unit`.
    unit : str
    """

    frequency: Float
    mean: Float
    n_pixels: Float
    standard_error: Float
    sharing: Float
    spread: Float
    width: float
    unit: str

    def __len__(self) -> int:
        """Return the number of rings."""
        return len(self.frequency)


@dataclass(frozen=True, eq=False)
class RingGrid:
    """Rings of one width about a centre, and the operator that sums patterns over them.

    Parameters
    ----------
    shares : scipy.sparse.csr_array, shape (r, n_pixels)
        Share of each pixel's area in each ring, 0 to 1; unused pixels have none.
    distance : ndarray, shape (n_pixels,)
        Of each pixel from the centre, in `unit`.
    width : float
        Of a ring, in `unit`.
    unit : str
    """

    shares: Any
    distance: Float
    width: float
    unit: str

    def __len__(self) -> int:
        """Return the number of rings."""
        return int(self.shares.shape[0])

    @property
    def n_pixels(self) -> Float:
        """Area of the used part of each ring, in pixels, shape (r,)."""
        return np.asarray(self.shares.sum(axis=1), np.float64)

    @property
    def n_alike(self) -> Float:
        """How many whole pixels would average as well as each ring does, shape (r,): ``(sum w)^2 / sum w^2``."""
        return np.asarray(self.n_pixels**2 / (self.shares**2).sum(axis=1), np.float64)

    def mean(self, patterns: NDArray[Any]) -> Float:
        """Return the means over rings of patterns, shape (..., n_pixels) to (..., r)."""
        flat = np.asarray(patterns).reshape(-1, self.shares.shape[1])
        means = (self.shares @ flat.T).T / self.n_pixels
        return np.asarray(means, np.float64).reshape(*np.shape(patterns)[:-1], len(self))

    def profile(self, pattern: NDArray[Any], variance: NDArray[Any] | None = None) -> RadialProfile:
        """Return the radial profile of a pattern.

        Parameters
        ----------
        pattern : ndarray, shape (n_pixels,)
        variance : ndarray, shape (n_pixels,), optional
            Of each pixel's noise. Where it is not given, it is that of the used pixels about the profile itself, ring
            by ring.
        """
        area, mean = self.n_pixels, self.mean(np.asarray(pattern, np.float64))
        frequency = self.mean(self.distance)
        spread = np.sqrt(np.maximum(self.mean(self.distance**2) - frequency**2, 0.0))
        if variance is None:
            rest = np.asarray(pattern, np.float64) - np.interp(self.distance, frequency, mean)
            alike = self.n_alike
            single = self.mean(rest**2) * alike / np.maximum(alike - 1, 0.5)
            own, joint = single / alike, single / area
        else:
            noise = np.asarray(variance, np.float64)
            own = (self.shares**2) @ noise / area**2
            joint = self.shares @ noise / area**2
        sharing = np.divide(joint, own, out=np.ones(len(area)), where=own > 0)
        return RadialProfile(
            frequency=frequency,
            mean=mean,
            n_pixels=area,
            standard_error=np.sqrt(own),
            sharing=np.maximum(sharing, 1.0),
            spread=spread,
            width=self.width,
            unit=self.unit,
        )


def ring_grid(
    used: NDArray[np.bool_],
    *,
    center: tuple[float, float],
    step: tuple[float, float] = (1.0, 1.0),
    width: float | None = None,
    unit: str = "px",
    coverage: float = 0.5,
) -> RingGrid:
    """Return the rings about a centre that the used part of a detector holds.

    The share of a pixel in a ring is its exact overlap: the part of a rectangle between two circles. So numbers of
    pixels grow smoothly with the radius, sums over all rings are sums over the pattern, and rings may be narrower
    than pixels.

    Parameters
    ----------
    used : ndarray of bool, shape (v, u)
        Pixels that were measured.
    center : (float, float)
        (v, u) in pixels; pixel centres are whole numbers.
    step : (float, float)
        Height and width of a pixel, in `unit`; not 0.
    width : float, optional
        Width of a ring in `unit`, > 0; half of the shorter side of a pixel where it is not given.
    unit : str
    coverage : float, 0 to 1
        Least share of a ring that must be on used pixels for the ring to count.

    Raises
    ------
    InputError
        When a number is out of range, or no ring is left.

    Examples
    --------
    >>> grid = ring_grid(np.ones((21, 21), bool), center=(10, 10), width=1.0)
    >>> grid.n_pixels[:3].round(3).tolist()  # pi, 3 pi, 5 pi
    [3.142, 9.425, 15.708]
    """
    from scipy import sparse

    seen = np.asarray(used, bool)
    width = min(abs(s) for s in step) / 2 if width is None else width
    good = seen.ndim == 2 and np.isfinite([*center, *step, width]).all() and width > 0 and all(step)
    if not good or not 0 <= coverage <= 1:
        raise InputError(
            "rings",
            expected="a mask of two axes, a finite centre, steps that are not 0, a width > 0, coverage of 0 to 1",
            got=f"shape {seen.shape}, centre {center}, steps {step}, width {width}, coverage {coverage}",
            hint="give the centre in pixels (v, u) and steps in the unit of the rings",
        )
    v, u = _offsets(seen.shape, center, step)
    pixels = np.flatnonzero(seen)
    area = abs(step[0] * step[1])
    rings, owners, parts = _shares(v.ravel()[pixels], u.ravel()[pixels], step, width)
    n_rings = int(rings.max(initial=-1)) + 1
    shares = sparse.csr_array((parts, (rings, pixels[owners])), shape=(n_rings, seen.size))
    whole = np.pi * width**2 * (2 * np.arange(n_rings) + 1) / area
    kept = np.asarray(shares.sum(axis=1)) >= np.maximum(coverage * whole * (1 - 1e-9), 1e-9)
    if not kept.any():
        raise InputError(
            "rings",
            expected=f"a ring of which {coverage:.0%} are on used pixels",
            got="none",
            hint="check the centre and the mask, or ask for less coverage",
        )
    return RingGrid(shares[np.flatnonzero(kept)], np.hypot(v, u).ravel(), float(width), unit)


def disc_shares(
    shape: tuple[int, ...], radius: float, *, center: tuple[float, float], step: tuple[float, float]
) -> Float:
    """Return the share of each pixel's area within a circle, 0 to 1, shape (v, u).

    Parameters
    ----------
    shape : (int, int)
    radius : float, >= 0
        In the unit of `step`.
    center : (float, float)
        (v, u) in pixels.
    step : (float, float)
        Height and width of a pixel.

    Examples
    --------
    >>> float(disc_shares((9, 9), 3.0, center=(4, 4), step=(1.0, 1.0)).sum().round(6))  # 9 pi
    28.274334
    """
    v, u = _offsets(shape, center, step)
    return _within(v, u, step, np.full(v.shape, float(radius))) / abs(step[0] * step[1])


def _offsets(
    shape: tuple[int, ...], center: tuple[float, float], step: tuple[float, float]
) -> tuple[Float, Float]:
    """Return how far each pixel's middle is from the centre along v and u, >= 0, both of shape (v, u)."""
    v, u = (np.abs((np.arange(n) - c) * s) for n, c, s in zip(shape, center, step, strict=True))
    grid = np.meshgrid(v, u, indexing="ij")
    return grid[0], grid[1]


def _shares(
    v: Float, u: Float, step: tuple[float, float], width: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], Float]:
    """Return number of ring, number of pixel and share, for all pairs that overlap."""
    half = [abs(s) / 2 for s in step]
    area = abs(step[0] * step[1])
    nearest = np.hypot(np.maximum(v - half[0], 0), np.maximum(u - half[1], 0))
    first = np.floor(nearest / width).astype(np.intp)
    last = np.floor(np.hypot(v + half[0], u + half[1]) / width).astype(np.intp)
    rings, owners, parts = [], [], []
    inside = np.zeros(len(v))
    for k in range(int(np.max(last - first, initial=-1)) + 1):
        here = np.flatnonzero(first + k <= last)
        ring = first[here] + k
        outer = _within(v[here], u[here], step, np.asarray((ring + 1) * width, np.float64))
        share = (outer - inside[here]) / area
        inside[here] = outer
        some = share > 1e-12
        rings.append(ring[some])
        owners.append(here[some])
        parts.append(share[some])
    if not rings:
        return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0)
    return np.concatenate(rings), np.concatenate(owners), np.concatenate(parts)


def _within(v: Float, u: Float, step: tuple[float, float], radius: Float) -> Float:
    """Return the area that circles about the origin share with rectangles about (v, u) of the size of a pixel."""
    half_v, half_u = (abs(s) / 2 for s in step)
    corners = [(1, half_v, half_u), (-1, -half_v, half_u), (-1, half_v, -half_u), (1, -half_v, -half_u)]
    total = sum(sign * _quarter(v + dv, u + du, radius) for sign, dv, du in corners)
    # nothing and everything are exact: counts of whole pixels stay whole
    total = np.where(np.hypot(v + half_v, u + half_u) <= radius, 4 * half_v * half_u, total)
    nearest = np.hypot(np.maximum(v - half_v, 0), np.maximum(u - half_u, 0))
    return np.where(nearest >= radius, 0.0, np.clip(total, 0.0, 4 * half_v * half_u))


def _quarter(a: Float, b: Float, radius: Float) -> Float:
    """Return the area of a disc within the rectangle from the origin to (a, b), negative where one side is."""
    sign = np.sign(a) * np.sign(b)
    a, b = np.minimum(np.abs(a), radius), np.minimum(np.abs(b), radius)
    cut = np.minimum(np.sqrt(np.maximum(radius**2 - b**2, 0.0)), a)
    return np.asarray(sign * (cut * b + _under(a, radius) - _under(cut, radius)))


def _under(t: Float, radius: Float) -> Float:
    """Return the area beneath a quarter circle from 0 to t."""
    ratio = np.divide(t, radius, out=np.zeros_like(t), where=radius > 0)
    return np.asarray(0.5 * (t * np.sqrt(np.maximum(radius**2 - t**2, 0)) + radius**2 * np.arcsin(ratio)))
