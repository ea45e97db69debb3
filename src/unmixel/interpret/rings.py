"""Rings of a pattern: its radial profile, and where its rings are, how wide and how high, with standard errors."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.interpret.ring_fit import FWHM, Float, Peak, Ring, Samples, fit_rings
from unmixel.physics.rings import RadialProfile, ring_grid

Rings = tuple[Ring, ...]

NARROWEST, FINER = 1.5, 1.25
"""Least width at half maximum with which rings are looked for, in rings of the profile, and the ratio of two widths."""

WINDOW = 1.5
"""Half of the stretch on which a ring is looked for, in widths at half maximum."""

APART = 0.6
"""Least distance of two rings, in units of the larger width at half maximum."""

UNFIT = 3.0
"""Reduced chi-square from which on it is tried whether a ring is two."""


def radial_profile(
    pattern: NDArray[Any],
    *,
    center: tuple[float, float],
    step: tuple[float, float] = (1.0, 1.0),
    used: NDArray[np.bool_] | None = None,
    width: float | None = None,
    gain: float | None = None,
    unit: str = "1/angstrom",
    coverage: float = 0.5,
) -> RadialProfile:
    """Return the means of a pattern over rings about a centre, with their standard errors.

    Parameters
    ----------
    pattern : ndarray, shape (v, u)
    center : (float, float)
        (v, u) of the direct beam, in pixels.
    step : (float, float)
        Height and width of a pixel, in `unit`; pixels need not be square.
    used : ndarray of bool, shape (v, u), optional
        Pixels that were measured; all that are finite where it is not given.
    width : float, optional
        Width of a ring in `unit`; half of the shorter side of a pixel where it is not given, which keeps sharp lines
        apart that are three pixels from each other.
    gain : float, optional
        Variance over mean of each pixel, for standard errors by counting statistics: 1 for counts, ``1 / n`` for the
        mean of n patterns of counts. Where it is not given, they come from the spread of pixels about the profile,
        which holds for rings with spots too.
    unit : str
    coverage : float, 0 to 1
        Least share of a ring that must be on used pixels for the ring to count.

    Returns
    -------
    RadialProfile

    Raises
    ------
    InputError
        When shapes do not fit, a number is out of range or no ring is left.

    Notes
    -----
    ``mean = sum_p w_p I_p / sum_p w_p`` with w the exact share of a pixel's area in the ring, at the frequency
    ``sum_p w_p |k_p| / sum_p w_p``: what is linear in ``|k|`` is kept exactly. What is curved is lowered by half its
    second derivative times ``spread^2``, as by any average over a ring.

    Examples
    --------
    >>> v, u = np.indices((65, 65)) - 32.0
    >>> profile = radial_profile(np.exp(-np.hypot(v, u) / 20), center=(32, 32), step=(0.02, 0.02))
    >>> bool(np.abs(profile.mean - np.exp(-profile.frequency / 0.4))[2:].max() < 0.001)
    True
    """
    image = np.asarray(pattern, np.float64)
    seen = np.isfinite(image)
    mask = seen if used is None else np.asarray(used, bool)
    if image.ndim != 2 or mask.shape != image.shape or (gain is not None and not 0 < gain < np.inf):
        raise InputError(
            "radial_profile",
            expected="a pattern of two axes, a mask of its shape and a gain > 0",
            got=f"shapes {image.shape} and {mask.shape}, gain {gain}",
            hint="give one pattern at a time",
        )
    seen = seen & mask
    grid = ring_grid(seen, center=center, step=step, width=width, unit=unit, coverage=coverage)
    flat = np.where(seen, image, 0.0).ravel()
    return grid.profile(flat, None if gain is None else gain * np.maximum(flat, 0.0))


def find_rings(
    profile: RadialProfile, *, least: float = 5.0, share: float = 0.01, most: int = 20
) -> tuple[Ring, ...]:
    """Return the rings of a radial profile above a smooth background, by spatial frequency.

    Parameters
    ----------
    profile : RadialProfile
        Without the direct beam (mask it): its slope is background, its top would be a ring.
    least : float, > 0
        Least significance: height over its standard error.
    share : float, 0 to 1
        Least height, as a share of the highest.
    most : int
        Number of rings that are looked for.

    Returns
    -------
    tuple of Ring

    Raises
    ------
    InputError
        When a number is out of range.

    Notes
    -----
    A Gaussian on a straight line is fitted at every place with every width; the most significant is a ring. It is
    taken off, and so on, until nothing is left. All rings whose surroundings overlap are then fitted together, as
    Gaussians on a polynomial of second order (`unmixel.interpret.ring_fit`). A line that falls less steeply the
    farther out is no ring: its fitted height is negative.

    Examples
    --------
    >>> from unmixel.physics.halo import Halo
    >>> v, u = (np.indices((128, 128)) - 64) * 0.01
    >>> glass = np.random.default_rng(0).poisson(500 * Halo(0.40).intensity(np.hypot(v, u)))
    >>> rings = find_rings(radial_profile(glass, center=(64, 64), step=(0.01, 0.01), gain=1))
    >>> round(rings[0].position, 2), round(rings[0].fwhm, 2)  # 2.355 x 0.08 x 0.40
    (0.4, 0.08)
    """
    if not (least > 0 and 0 <= share <= 1 and most >= 1):
        raise InputError(
            "find_rings",
            expected="least > 0, share of 0 to 1 and most >= 1",
            got=f"{least}, {share} and {most}",
            hint="5 standard errors and 1 % of the highest are usual",
        )
    samples = Samples.of(profile)
    found = _search(samples, least, int(most))
    found = _split(
        samples, _fitted(samples, tuple(ring.peak(samples) for ring in found), least) or found, least
    )
    high = max((ring.height for ring in found), default=0.0)
    return tuple(r for r in found if r.significance >= least and r.height >= share * high)


def _search(samples: Samples, least: float, most: int) -> Rings:
    """Return rings found one after the other, the most significant first, each time fitted together."""
    filters = [_Filter(samples, width) for width in _widths(samples)]
    found: Rings = ()
    refused: list[Peak] = []
    while len(found) < most and len(refused) < most:
        place = _next(filters, found, refused, least)
        if place is None:
            break
        tried = _fitted(samples, (*(ring.peak(samples) for ring in found), place), least)
        if tried:
            found = tried
        else:
            refused.append(place)
    return found


def _split(samples: Samples, found: Rings, least: float) -> Rings:
    """Return rings, those replaced by two that one Gaussian does not fit and two do: lines close to each other."""
    for ring in found:
        if ring.misfit < UNFIT:
            continue
        peak = ring.peak(samples)
        halves = [
            replace(peak, position=peak.position + s * peak.width, width=0.7 * peak.width)
            for s in (-0.4, 0.4)
        ]
        others = [other.peak(samples) for other in found if other is not ring]
        tried = _fitted(samples, (*others, *halves), least)
        if tried and _misfit(tried, ring.position) < 0.5 * ring.misfit:
            return _split(samples, tried, least)
    return found


def _misfit(rings: Rings, position: float) -> float:
    """Return the misfit of the ring nearest to a position."""
    return min(rings, key=lambda ring: abs(ring.position - position)).misfit


def _fitted(samples: Samples, peaks: tuple[Peak, ...], least: float) -> Rings:
    """Return the rings that a joint fit of all peaks gives; none unless each of them can be one.

    That is: its height is significant by counting alone (others that are still to be found may disturb the fit), it
    is seen to half of its height on both sides, and stands apart from its neighbours.
    """
    rings = fit_rings(samples, tuple(sorted(peaks)))
    apart = all(b.position - a.position >= APART * max(a.fwhm, b.fwhm) for a, b in pairwise(rings))
    good = len(rings) == len(peaks) and apart and all(_possible(ring, samples, least) for ring in rings)
    return rings if good else ()


def _possible(ring: Ring, samples: Samples, least: float) -> bool:
    low, high = samples.place[0] * samples.width, samples.place[-1] * samples.width
    seen = low + ring.fwhm / 2 <= ring.position <= high - ring.fwhm / 2
    return bool(seen and ring.significance * max(1.0, ring.misfit) ** 0.5 >= least)


def _next(filters: list[_Filter], found: Rings, refused: list[Peak], least: float) -> Peak | None:
    """Return the most significant peak of what the rings found so far leave; None where nothing is."""
    samples = filters[0].samples
    peaks = [ring.peak(samples) for ring in found]
    rest = samples.value - sum((peak.curve(samples.place) for peak in peaks), np.zeros(len(samples)))
    best, top = None, least
    for one in filters:
        height, significance = one.heights(rest)
        cut = np.minimum(samples.place - samples.place[0], samples.place[-1] - samples.place) < one.width / 2
        significance[cut] = 0.0
        for peak in refused:
            alike = 0.6 < one.width / peak.width < 1.7
            significance[alike & (np.abs(samples.place - peak.position) < 0.5 * one.width)] = 0.0
        for peak in peaks:
            significance[np.abs(samples.place - peak.position) < APART * max(one.width, peak.width)] = 0.0
        i = int(np.argmax(significance))
        if significance[i] > top:
            top, best = float(significance[i]), Peak(float(samples.place[i]), one.width, float(height[i]))
    return best


def _widths(samples: Samples) -> list[float]:
    """Return the widths at half maximum that are tried, in rings."""
    longest = max(NARROWEST, float(np.ptp(samples.place)) / (2 * WINDOW))
    n = 1 + int(np.log(longest / NARROWEST) / np.log(FINER))
    return [NARROWEST * FINER**i for i in range(n)]


class _Filter:
    """Fits a Gaussian of one width on a line at every place of a profile, by least squares.

    Parameters
    ----------
    samples : Samples
    width : float
        At half maximum, in rings.
    """

    def __init__(self, samples: Samples, width: float) -> None:
        self.samples, self.width = samples, width
        reach = max(2, int(np.ceil(WINDOW * width)))
        t = np.arange(-reach, reach + 1.0)
        self.shapes = np.stack([np.exp(-0.5 * (t * FWHM / width) ** 2), np.ones_like(t), t / reach])
        self.at = samples.index - int(samples.index[0]) + reach
        self.weight = np.zeros(int(self.at[-1]) + 1 + reach)
        self.weight[self.at] = samples.error**-2.0
        self.reach = reach
        there = (self.weight > 0).astype(float)
        self.seen = self._sums(there, np.ones_like(t))
        before = self._sums(there, (t < 0).astype(float))
        self.open = (self.seen >= 5) & (before >= 2) & (self.seen - before >= 3)
        normal = np.array([[self._sums(self.weight, a * b) for a in self.shapes] for b in self.shapes])
        normal = normal.transpose(2, 0, 1)
        normal[~self.open] = np.eye(3)
        scale = np.sqrt(np.einsum("ijj->ij", normal))
        scale = scale[:, :, None] * scale[:, None, :]
        self.inverse = np.linalg.pinv(normal / scale, rcond=1e-10, hermitian=True) / scale

    def _sums(self, values: Float, kernel: Float) -> Float:
        return np.asarray(np.correlate(values, kernel, mode="valid")[self.at - self.reach])

    def heights(self, rest: Float) -> tuple[Float, Float]:
        """Return the height of the Gaussian at every place and its significance, both of shape (r,).

        Where the fit leaves more than the standard errors allow, these grow with it.
        """
        value = np.zeros(len(self.weight))
        value[self.at] = rest - rest.mean()
        right = np.array([self._sums(self.weight * value, shape) for shape in self.shapes]).T
        fitted = np.einsum("ijk,ik->ij", self.inverse, right)
        square = self._sums(self.weight * value**2, np.ones(2 * self.reach + 1))
        square = square - np.einsum("ij,ij->i", fitted, right)
        misfit = np.sqrt(np.maximum(square / np.maximum(self.seen - 3, 1), 1.0))
        error = np.sqrt(np.maximum(self.inverse[:, 0, 0], 1e-300)) * misfit
        return fitted[:, 0], np.where(self.open, fitted[:, 0] / error, 0.0)
