"""Least-squares fits of rings to a radial profile: Gaussians on a smooth background, neighbours together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.physics.rings import RadialProfile

Float = NDArray[np.float64]

FWHM = 2 * np.sqrt(2 * np.log(2))
"""Width at half maximum of a Gaussian over its standard deviation."""

REACH = 2.0
"""How far the fit goes to both sides of a ring, in widths at half maximum."""

BACKGROUND_ORDER = 2
LEAST_ERROR = 5e-4
"""Least standard error of a mean, as a share of it: what averaging over a ring does to curved profiles."""


@dataclass(frozen=True)
class Ring:
    """A ring of a pattern.

    Parameters
    ----------
    position, position_error : float
        Spatial frequency of its maximum and its standard error, in the unit of the profile.
    fwhm, fwhm_error : float
        Full width at half maximum, freed of what the profile's own rings add; 0 where nothing is left.
    height, height_error : float
        Of its maximum above the background, freed in the same way (up to a factor of 2: a line without width would be
        endlessly high).
    background : float
        Level beneath the maximum.
    misfit : float
        Reduced chi-square of the fit about the ring. Where it is above 1, the errors were taken that many times
        (its root).
    """

    position: float
    position_error: float
    fwhm: float
    fwhm_error: float
    height: float
    height_error: float
    background: float
    misfit: float

    @property
    def significance(self) -> float:
        """Height over its standard error."""
        return self.height / self.height_error if self.height_error > 0 else 0.0

    @property
    def spacing(self) -> float:
        """One over the position: the spacing of lattice planes where this is a ring of a powder."""
        return 1.0 / self.position

    def peak(self, samples: Samples) -> Peak:
        """Return the Gaussian that was fitted."""
        spread = samples.spread_at(self.position / samples.width) * samples.width
        width = float(np.hypot(self.fwhm, FWHM * spread))
        height = self.height / sharpening(self.fwhm, width)
        return Peak(self.position / samples.width, width / samples.width, height)


def sharpening(own: float, whole: float) -> float:
    """Return how much higher a ring is than in the profile: its area is the same, its width less."""
    return float(whole / max(own, 0.5 * whole))


@dataclass(frozen=True, order=True)
class Peak:
    """A Gaussian: place and width at half maximum in rings of the profile, height."""

    position: float
    width: float
    height: float

    def curve(self, place: Float) -> Float:
        """Return its values at places."""
        return np.asarray(self.height * np.exp(-0.5 * ((place - self.position) * FWHM / self.width) ** 2))


@dataclass(frozen=True, eq=False)
class Samples:
    """A radial profile in units of its rings.

    Parameters
    ----------
    index : ndarray of int, shape (r,)
        Numbers of the rings; some may be missing.
    place, value, error, spread : ndarray, shape (r,)
        Frequency in rings, mean, standard error as for independent rings, and what a ring adds to widths.
    width : float
        Of a ring, in the unit of the profile.
    """

    index: NDArray[np.intp]
    place: Float
    value: Float
    error: Float
    spread: Float
    width: float

    @classmethod
    def of(cls, profile: RadialProfile) -> Samples:
        """Return the samples of a profile."""
        place = profile.frequency / profile.width
        least = np.abs(profile.mean)
        least = np.maximum(LEAST_ERROR * least, 1e-9 * (float(least.max()) or 1.0))
        error = np.maximum(profile.standard_error * np.sqrt(profile.sharing), least)
        # a ring in which nothing was counted is known no better than one with a single count
        quiet = profile.standard_error <= 0
        if quiet.any() and not quiet.all():
            error[quiet] = error[~quiet].max()
        index = np.floor(place).astype(np.intp)
        return cls(index, place, profile.mean, error, profile.spread / profile.width, profile.width)

    def __len__(self) -> int:
        """Return the number of rings."""
        return len(self.place)

    def spread_at(self, place: float) -> float:
        """Return what the profile adds to the standard deviation of a ring at a place, in rings."""
        return float(np.interp(place, self.place, self.spread))


def fit_rings(samples: Samples, peaks: tuple[Peak, ...]) -> tuple[Ring, ...]:
    """Return rings fitted to a profile, from rough peaks in order; those that cannot be fitted are left out.

    Peaks whose surroundings overlap share a fit and its background; the others are taken off before. Done twice, the
    second time from what the first one found.
    """
    rings: list[Ring] = []
    for _ in range(2):
        rings = []
        for group in _groups(peaks):
            others = [peak for peak in peaks if peak not in group]
            rest = samples.value - sum((peak.curve(samples.place) for peak in others), np.zeros(len(samples)))
            rings += _fit(samples, rest, group)
        peaks = tuple(sorted(ring.peak(samples) for ring in rings))
    return tuple(sorted(rings, key=lambda ring: ring.position))


def _groups(peaks: tuple[Peak, ...]) -> list[tuple[Peak, ...]]:
    """Return chains of peaks that lie closer than the widths of both together."""
    groups: list[tuple[Peak, ...]] = []
    for peak in peaks:
        last = groups[-1][-1] if groups else None
        if last is not None and peak.position - last.position < 1.2 * (peak.width + last.width):
            groups[-1] = (*groups[-1], peak)
        else:
            groups.append((peak,))
    return groups


def _window(samples: Samples, group: tuple[Peak, ...]) -> NDArray[np.bool_]:
    low = min(peak.position - REACH * max(peak.width, 1.5) for peak in group)
    high = max(peak.position + REACH * max(peak.width, 1.5) for peak in group)
    return np.asarray((samples.place >= low) & (samples.place <= high))


def _fit(samples: Samples, rest: Float, group: tuple[Peak, ...]) -> list[Ring]:
    """Return the rings of a group, fitted to what the others leave of a profile; none where it has too few samples."""
    from scipy.optimize import least_squares

    inside = _window(samples, group)
    place, error = samples.place[inside], samples.error[inside]
    n = BACKGROUND_ORDER + 1
    if inside.sum() < 3 * len(group) + n:
        return []
    middle, half = (place[0] + place[-1]) / 2, max(float(np.ptp(place)) / 2, 1e-9)
    smooth = np.vander((place - middle) / half, n) / error[:, None]
    model = _Model(place, rest[inside] / error, error, smooth)
    # no ring wanders off to where another one is: within its own width, and of a similar one
    limits = [
        pair
        for peak in group
        for pair in (
            (peak.position - 0.7 * peak.width, peak.position + 0.7 * peak.width),
            (max(0.4 * peak.width, 0.4), max(2.5 * peak.width, 2.0)),
        )
    ]
    low, high = np.array(limits).T
    shape = np.array([[peak.position, max(peak.width, 0.5)] for peak in group]).ravel()
    solved = least_squares(model.residual, shape, jac=model.jacobian, bounds=(low, high))
    return _rings(samples, model, solved.x, (middle, half))


@dataclass(frozen=True, eq=False)
class _Model:
    """Gaussians of places and widths; heights and background follow by linear least squares (variable projection)."""

    place: Float
    scaled: Float
    error: Float
    smooth: Float

    def design(self, shape: Float) -> Float:
        """Return peaks of height 1 and background, over the errors, shape (n, peaks + background)."""
        peaks = [Peak(p, w, 1.0).curve(self.place) / self.error for p, w in shape.reshape(-1, 2)]
        return np.column_stack([*peaks, self.smooth])

    def linear(self, shape: Float) -> Float:
        """Return heights and coefficients of the background."""
        return np.asarray(np.linalg.lstsq(self.design(shape), self.scaled, rcond=None)[0])

    def residual(self, shape: Float) -> Float:
        """Return what the best heights and background leave, over the errors."""
        return np.asarray(self.design(shape) @ self.linear(shape) - self.scaled)

    def slopes(self, shape: Float, linear: Float) -> Float:
        """Return the derivatives of the model by each place and width, over the errors."""
        columns = []
        for (p, w), h in zip(shape.reshape(-1, 2), linear, strict=False):
            curve = Peak(p, w, h).curve(self.place) / self.error
            t = (self.place - p) * (FWHM / w) ** 2
            columns += [curve * t, curve * t * (self.place - p) / w]
        return np.column_stack(columns)

    def jacobian(self, shape: Float) -> Float:
        """Return the derivatives of the residual by each place and width (Kaufman's form)."""
        design = self.design(shape)
        slopes = self.slopes(shape, self.linear(shape))
        return np.asarray(slopes - design @ np.linalg.lstsq(design, slopes, rcond=None)[0])

    def covariance(self, shape: Float, linear: Float) -> Float:
        """Return the covariance of places and widths, heights and background, in this order."""
        whole = np.column_stack([self.slopes(shape, linear), self.design(shape)])
        size = np.linalg.norm(whole, axis=0)
        size[size == 0] = 1.0
        return np.asarray(
            np.linalg.pinv((whole / size).T @ (whole / size), hermitian=True) / np.outer(size, size)
        )


def _rings(samples: Samples, model: _Model, shape: Float, scale: tuple[float, float]) -> list[Ring]:
    """Return the rings of a fit with their standard errors."""
    n, linear = len(shape) // 2, model.linear(shape)
    free = max(1, len(model.scaled) - 3 * n - (BACKGROUND_ORDER + 1))
    misfit = float(np.sum(model.residual(shape) ** 2) / free)
    errors = np.sqrt(np.maximum(np.diag(model.covariance(shape, linear)), 0.0) * max(1.0, misfit))
    found = []
    for i, (place, width) in enumerate(shape.reshape(-1, 2)):
        own = np.sqrt(max(width**2 - (FWHM * samples.spread_at(place)) ** 2, 0.0))
        level = np.polyval(linear[n:], (place - scale[0]) / scale[1])
        found.append(
            Ring(
                position=float(place * samples.width),
                position_error=float(errors[2 * i] * samples.width),
                fwhm=float(own * samples.width),
                # where nothing is left of the width, its error is that of the whole
                fwhm_error=float(errors[2 * i + 1] * samples.width * width / max(own, 0.2 * width)),
                height=float(linear[i]) * sharpening(own, width),
                height_error=float(errors[2 * n + i]) * sharpening(own, width),
                background=float(level),
                misfit=misfit,
            )
        )
    return found
