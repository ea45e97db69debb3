"""The ellipse that a ring is on the detector, without knowing what it is the ring of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.calibration import Calibration, Pair, ellipse_errors
from unmixel.interpret.determined import Step, step
from unmixel.interpret.peaks import MAD, radii

Float = NDArray[np.float64]

TOLERANCE = np.array([3.0, 3.0, 0.05, 0.05])
"""How wrong the start may be: centre in pixels, stretches (half the logarithm of the ratio)."""

BLURS = (3.0, 1.5, 0.0)
"""Standard deviations in pixels to which patterns are blurred one after the other: narrow rings pull from afar."""

KNOT = 1.0
"""Pixels between knots of the profile."""

OUTLIER = 4.0
"""Standard deviations beyond which a pixel is a spot, not ring."""


@dataclass(frozen=True, eq=False)
class EllipseFit:
    """What a ring's circle is on the detector.

    Parameters
    ----------
    calibration : Calibration
        Matrix of determinant 1: it undoes the ellipse and leaves areas as they are, in px.
    covariance : ndarray, shape (4, 4)
        Of the centre in px and of the stretches along the axes and across; infinite where the pattern does not say.
    words : str
    """

    calibration: Calibration
    covariance: Float
    words: str

    @property
    def center(self) -> Pair:
        """(v, u) in pixels."""
        return self.calibration.center

    @property
    def center_error(self) -> Pair:
        """Standard errors of the centre, in pixels."""
        v, u = np.sqrt(np.diag(self.covariance)[:2])
        return float(v), float(u)

    @property
    def ratio(self) -> float:
        """Long over short axis, >= 1."""
        return self.calibration.ellipse[0]

    @property
    def angle_deg(self) -> float:
        """Direction of the long axis, 0 to 180, counter-clockwise as displayed from +u."""
        return self.calibration.ellipse[1]

    @property
    def ratio_error(self) -> float:
        """Standard error of the ratio."""
        return ellipse_errors(self.calibration, self.covariance[2:, 2:])[0]

    @property
    def angle_error_deg(self) -> float:
        """Standard error of the angle, at most 90."""
        return ellipse_errors(self.calibration, self.covariance[2:, 2:])[1]

    def scaled(self, scale: float) -> Calibration:
        """Return the calibration with this centre and ellipse and a scale in 1/angstrom a pixel."""
        return self.calibration.stretched((0.0, 0.0), log_scale=float(np.log(scale)))


def fit_ellipse(
    pattern: NDArray[Any],
    center: Pair,
    *,
    inner: float,
    outer: float,
    used: NDArray[np.bool_] | None = None,
) -> EllipseFit:
    """Return centre and ellipse that make the rings of a pattern circles: those of a glass, or of a powder.

    Parameters
    ----------
    pattern : ndarray, shape (v, u), >= 0
    center : (float, float)
        (v, u) in pixels, wrong by at most about 3.
    inner, outer : float
        Radii in pixels between which rings are looked at.
    used : ndarray of bool, shape (v, u), optional
        Pixels that were measured.

    Returns
    -------
    EllipseFit
        ``ratio`` with its standard error, ``angle_deg``, ``center``.

    Raises
    ------
    InputError
        When the pattern has no ring between the radii that is on the detector.

    Notes
    -----
    Minimises ``sum_p w (I(p) - P(|M (p - c)|))^2`` over centre c, the two stretches of M and the profile P, a cubic
    spline, by Gauss-Newton; w are the inverses of the smooth level (counting noise), and pixels that stand out by four
    standard deviations (spots) are left out. Errors are scaled by what is left. Circles of any radius are asked for:
    no phase and no scale are needed, and none is found.

    Examples
    --------
    >>> v, u = np.mgrid[:64, :64] - 31.5
    >>> ring = np.exp(-((np.hypot(v / 1.01, u * 1.01) - 18) ** 2) / 18) + 0.1
    >>> found = fit_ellipse(100 * ring, (31.0, 32.0), inner=10, outer=26)
    >>> round(found.ratio, 3), round(found.angle_deg), [round(c, 2) for c in found.center]
    (1.02, 90, [31.5, 31.5])
    """
    image = np.asarray(pattern, np.float64)
    seen = np.ones(image.shape, bool) if used is None else np.asarray(used, bool)
    if image.ndim != 2 or seen.shape != image.shape or not 0 <= inner < outer - 6:
        raise InputError(
            "fit_ellipse",
            expected="a pattern of two axes and radii at least 6 px apart",
            got=f"shape {image.shape}, radii {inner} to {outer}",
            hint="give the radii within which the ring lies, with some background on either side",
        )
    seen = seen & np.isfinite(image)
    ring = seen & (radii(image.shape, center) >= inner) & (radii(image.shape, center) <= outer)
    if ring.sum() < 100 or not np.ptp(image[ring]) > 0:
        raise InputError(
            "fit_ellipse",
            expected="a ring between the radii",
            got=f"{int(ring.sum())} pixels that were measured, all of one level",
            hint="look at the radii and at the mask",
        )
    place = np.argwhere(ring).astype(np.float64)
    where, found = Calibration.from_steps(center, (1.0, 1.0)), None
    for blur in BLURS:
        values = _blurred(image, seen, blur)[ring]
        for _ in range(12):
            found = _step(values, place, where, (inner, outer))
            v, u, along, across = np.clip(found.change, -TOLERANCE, TOLERANCE).tolist()
            where = where.stretched((along, across), shift=(v, u))
            if np.all(np.abs(found.change) < 1e-6):
                break
    assert found is not None  # nosec B101
    return EllipseFit(where, found.covariance, _words(where, found))


def _blurred(image: Float, seen: NDArray[np.bool_], blur: float) -> Float:
    if blur == 0:
        return image
    weight = scipy.ndimage.gaussian_filter(seen.astype(float), blur)
    smooth = scipy.ndimage.gaussian_filter(np.where(seen, image, 0.0), blur)
    return np.asarray(smooth / np.maximum(weight, 1e-3))


def _step(values: Float, place: Float, where: Calibration, field: Pair) -> Step:
    """Return the step of Gauss-Newton towards rounder rings."""
    from scipy.interpolate import BSpline

    g, slope = slopes(place, where)
    n = max(4, round((field[1] - field[0]) / KNOT))
    knots = np.r_[[field[0]] * 3, np.linspace(field[0], field[1], n), [field[1]] * 3]
    inside = np.clip(g, field[0], field[1] - 1e-9)
    basis = BSpline.design_matrix(inside, knots, 3).toarray()
    weight = np.ones(len(values))
    for _ in range(3):
        profile = _solved(basis, values, weight)
        level = np.maximum(basis @ profile, 1e-3 * max(float(values.max()), 1e-300))
        rest = (values - basis @ profile) / np.sqrt(level)
        noise = max(MAD * float(np.median(np.abs(rest))), 1e-9 * float(np.abs(rest).max(initial=0.0)), 1e-300)
        weight = (np.abs(rest) <= OUTLIER * noise) / level
    curve = BSpline(knots, profile, 3)
    # beyond the field the profile is not known
    bend = np.where((g > field[0]) & (g < field[1]), curve.derivative()(inside), 0.0)
    jacobian = bend[:, None] * slope
    # what the profile can take up by itself says nothing of the ellipse
    jacobian -= basis @ _solved(basis, jacobian, weight)
    rest = values - basis @ profile
    variance = float(np.sum(weight * rest**2)) / max(float((weight > 0).sum()) - len(profile) - 4, 1.0)
    variance = max(variance, 1e-12 * float(np.sum(weight * values**2)) / max(float((weight > 0).sum()), 1.0))
    lever = jacobian * (weight / max(variance, 1e-300))[:, None]
    return step(lever.T @ jacobian, lever.T @ rest, TOLERANCE)


def _solved(basis: Float, values: Float, weight: Float) -> Float:
    """Return coefficients of a weighted fit; a splash of smoothness where a knot has no pixel."""
    weighted = basis * weight[:, None]
    normal = weighted.T @ basis
    ridge = 1e-9 * max(float(np.trace(normal)) / len(normal), 1e-300)
    return np.asarray(np.linalg.solve(normal + ridge * np.eye(len(normal)), weighted.T @ values))


def slopes(place: Float, where: Calibration) -> tuple[Float, Float]:
    """Return radii |g| of places, and their slopes by centre (v, u) and stretches, shape (n, 4)."""
    g, y, matrix = where.g(place), where.affine(place), np.asarray(where.matrix)
    length = np.maximum(np.linalg.norm(g, axis=1), 1e-300)
    # what a change of y does to |g|, through a distortion if there is one
    lever = np.einsum("ni,nij->nj", g / length[:, None], where.distortion.slope(y))
    to_center = -lever @ matrix
    along = lever[:, 0] * y[:, 0] - lever[:, 1] * y[:, 1]
    across = lever[:, 0] * y[:, 1] + lever[:, 1] * y[:, 0]
    return length, np.column_stack([to_center, along, across])


def _words(where: Calibration, found: Step) -> str:
    """Return the fit in a sentence."""
    ratio, angle = where.ellipse
    errors = ellipse_errors(where, found.covariance[2:, 2:])
    if not np.isfinite(errors[0]):
        return "the rings do not say whether they are circles"
    if ratio - 1 < 2.5 * errors[0]:
        return f"the rings are circles within {2.5 * errors[0]:.2%}"
    return f"the rings are {ratio - 1:.2%} ({errors[0]:.2%}) longer along {angle:.0f} degrees than across"
