"""Where the rings of a known phase are in a radial profile, overlapping ones too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmixel.physics.families import Families

Float = NDArray[np.float64]

SCALES = np.exp(np.linspace(-0.06, 0.06, 61))
"""Factors on the scale that are tried."""

WIDTHS = (0.7, 1.0, 1.4, 2.0, 2.8)
"""Standard deviations of a ring across that are tried, in pixels."""

PIECES = 6
"""Pieces of the smooth background, a cubic spline."""

CLEAR, ALONE = 8.0, 0.3
"""Significance from which on a ring has a place of its own, and its largest error in widths: where rings overlap
altogether, neither has."""


def ring_places(
    radius: Float, profile: Float, error: Float, rings: Families, scale: float
) -> list[tuple[float, float]]:
    """Return centre and half width, in px, of the rings of a phase that a profile shows clearly.

    Parameters
    ----------
    radius : ndarray, shape (n,)
        In px, ascending.
    profile, error : ndarray, shape (n,)
        Mean over each ring of pixels and its standard error.
    rings : Families
    scale : float
        1/angstrom a pixel, wrong by up to 6 %.

    Notes
    -----
    The profile is fitted by Gaussians of one width at ``g / scale``, none negative, on a smooth background, for a grid
    of scales and widths; about the best of them each ring is then given a shift of its own, all by one least squares.
    """
    weight = 1 / np.maximum(error, 1e-3 * float(np.median(error)) + 1e-300)
    background = _background(radius)
    whole = rings.g / scale
    tried = [
        (_misfit(radius, profile, weight, whole / s, w, background), s, w) for s in SCALES for w in WIDTHS
    ]
    factor, width = _sharpened(radius, profile, weight, whole, min(tried)[1:], background)
    center = rings.g / (scale * factor)
    center = center[(center > radius[0] - width) & (center < radius[-1] + width)]
    lines = _lines(radius, center, width)
    height = _solved(radius, profile, weight, lines, background)
    shown = np.flatnonzero(height > 0)
    slope = (radius[:, None] - center[None, shown]) / width**2 * lines[:, shown] * height[shown]
    design = np.column_stack([background, lines[:, shown], slope]) * weight[:, None]
    size = np.maximum(np.linalg.norm(design, axis=0), 1e-300)
    inverse = np.linalg.pinv((design / size).T @ (design / size), rcond=1e-9, hermitian=True)
    found = inverse @ (design / size).T @ (profile * weight) / size
    spread = np.sqrt(np.maximum(np.diag(inverse), 0)) / size
    n, first = len(shown), background.shape[1]
    places = []
    for k, ring in enumerate(shown):
        shift, unsure = found[first + n + k], spread[first + n + k]
        clear = found[first + k] > CLEAR * spread[first + k] and unsure < ALONE * width and abs(shift) < width
        if clear and radius[0] + 2 * width < center[ring] < radius[-1] - 2 * width:
            places.append((float(center[ring] + shift), 1.18 * width))
    return places


def _sharpened(
    radius: Float, profile: Float, weight: Float, center: Float, begun: tuple[float, float], background: Float
) -> tuple[float, float]:
    """Return the factor on the scale and the width that fit best, from the best of the grid."""
    from scipy.optimize import minimize

    def misfit(logs: Float) -> float:
        factor, width = begun[0] * np.exp(logs[0]), begun[1] * np.exp(logs[1])
        return _misfit(radius, profile, weight, center / factor, float(np.clip(width, 0.4, 5.0)), background)

    start = np.array([[0.0, 0.0], [0.002, 0.0], [0.0, 0.2]])
    found = minimize(
        misfit, start[0], method="Nelder-Mead", options={"initial_simplex": start, "maxfev": 60}
    ).x
    return begun[0] * float(np.exp(found[0])), float(np.clip(begun[1] * np.exp(found[1]), 0.4, 5.0))


def _background(radius: Float) -> Float:
    from scipy.interpolate import BSpline

    ends = [radius[0]] * 3, [radius[-1]] * 3
    knots = np.r_[ends[0], np.linspace(radius[0], radius[-1], PIECES), ends[1]]
    return np.asarray(
        BSpline.design_matrix(np.clip(radius, radius[0], radius[-1] - 1e-9), knots, 3).toarray()
    )


def _lines(radius: Float, center: Float, width: float) -> Float:
    """Return Gaussians of height 1, shape (n, rings)."""
    return np.asarray(np.exp(-0.5 * ((radius[:, None] - center[None]) / width) ** 2))


def _solved(radius: Float, profile: Float, weight: Float, lines: Float, background: Float) -> Float:
    """Return heights of lines, none negative."""
    from scipy.optimize import nnls

    design = np.column_stack([lines, background, -background]) * weight[:, None]
    return np.asarray(nnls(design, profile * weight)[0][: lines.shape[1]])


def _misfit(
    radius: Float, profile: Float, weight: Float, center: Float, width: float, background: Float
) -> float:
    from scipy.optimize import nnls

    near = (center > radius[0] - 3 * width) & (center < radius[-1] + 3 * width)
    lines = _lines(radius, center[near], width)
    return float(
        nnls(np.column_stack([lines, background, -background]) * weight[:, None], profile * weight)[1]
    )
