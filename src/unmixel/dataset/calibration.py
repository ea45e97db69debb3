"""What a pixel of a pattern is worth: centre and matrix, as axes say it or as it was fitted, with errors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis
from unmixel.dataset.distortion import N_COEFFICIENTS, NO_DISTORTION, Distortion
from unmixel.dataset.record import StepRecord
from unmixel.dataset.results import Groups
from unmixel.dataset.scan import Scan

Float = NDArray[np.float64]
Pair = tuple[float, float]
Target = TypeVar("Target", Scan, Groups)

PARAMETERS = ("center_v", "center_u", "log_scale", "stretch_along", "stretch_across")
"""Order of the fitted numbers in the covariance of a `CalibrationFit`."""


@dataclass(frozen=True)
class Calibration:
    """What a pixel of a pattern is worth: ``g = matrix (place - center)``, and what a distortion adds to it.

    Parameters
    ----------
    center : (float, float)
        (v, u) of the direct beam, in pixels.
    matrix : ((float, float), (float, float))
        1/angstrom a pixel; rows are (v, u) of the spatial frequency, columns (v, u) of the detector. Diagonal
        where the axes alone say it.
    distortion : Distortion
        Beyond the ellipse, in the turned and scaled frame of g; none unless somebody measured one.

    Examples
    --------
    >>> where = Calibration.from_steps((10.0, 20.0), (0.02, 0.02))
    >>> where.g(np.array([[10.0, 45.0]])).tolist(), where.scale, where.ellipse
    ([[0.0, 0.5]], 0.02, (1.0, 0.0))
    """

    center: Pair
    matrix: tuple[Pair, Pair]
    distortion: Distortion = NO_DISTORTION

    @classmethod
    def from_steps(cls, center: Pair, step: Pair) -> Calibration:
        """Return the calibration of axes with a centre in pixels and steps in 1/angstrom a pixel."""
        return cls(center, ((step[0], 0.0), (0.0, step[1])))

    @property
    def step(self) -> Pair:
        """1/angstrom a pixel along v and along u, negative where an axis runs backwards."""
        v, u = np.hypot(*np.asarray(self.matrix))
        return float(np.copysign(v, self.matrix[0][0])), float(np.copysign(u, self.matrix[1][1]))

    @property
    def scale(self) -> float:
        """1/angstrom a pixel, the geometric mean of all directions."""
        return float(np.sqrt(abs(np.linalg.det(np.asarray(self.matrix)))))

    @property
    def ellipse(self) -> Pair:
        """Long over short axis of what a circle in 1/angstrom is on the detector, and where the long axis lies.

        The angle is in degrees, 0 to 180, counter-clockwise as displayed from +u; 0 for a circle.
        """
        metric = np.asarray(self.matrix).T @ np.asarray(self.matrix)
        values, vectors = np.linalg.eigh(metric)
        ratio = float(np.sqrt(values[1] / values[0]))
        if ratio - 1 < 1e-12:
            return 1.0, 0.0
        v, u = vectors[:, 0]  # where g grows slowest, a circle reaches farthest
        return ratio, float(np.rad2deg(np.arctan2(-v, u)) % 180)

    def g(self, place: Float) -> Float:
        """Return pixel coordinates (n, 2) as spatial frequencies (v, u), in 1/angstrom."""
        return self.distortion.undone(self.affine(place))

    def affine(self, place: Float) -> Float:
        """Return what centre and matrix alone make of pixel coordinates (n, 2), in 1/angstrom."""
        return np.asarray((place - np.asarray(self.center)) @ np.asarray(self.matrix).T)

    def place(self, g: Float) -> Float:
        """Return spatial frequencies (n, 2) as pixel coordinates (v, u): the inverse of `g`."""
        seen = self.distortion.applied(np.asarray(g))
        return np.asarray(seen @ np.linalg.inv(np.asarray(self.matrix)).T + np.asarray(self.center))

    def reach(self, shape: tuple[int, ...]) -> float:
        """Return the spatial frequency up to which every direction is on the detector."""
        (a, b), (c, d) = self.matrix
        steps = np.abs(self.step)
        # where the axes are askew in 1/angstrom, lines of one row are closer together than a step along v
        askew = abs(a * d - b * c) / float(steps[0] * steps[1])
        room = [
            min(middle + 0.5, n - 0.5 - middle) * float(step) * askew
            for n, middle, step in zip(shape, self.center, steps, strict=True)
        ]
        return max(0.0, *room) if min(room) <= 0 else min(room)

    def stretched(self, stretch: Pair, *, log_scale: float = 0.0, shift: Pair = (0.0, 0.0)) -> Calibration:
        """Return the calibration with another centre, scale and ellipse.

        ``matrix -> exp(log_scale + H) matrix`` with ``H = [[a, b], [b, -a]]``, (a, b) the `stretch`, and
        ``center -> center + shift``. H has no trace: it changes no area, and nothing is turned. On square pixels a
        circle becomes an ellipse with ``(a, b) = log(ratio) / 2 (cos 2 angle, sin 2 angle)``.
        """
        along, across = stretch
        size = float(np.hypot(along, across))
        tall = np.array([[along, across], [across, -along]])
        # the exponential of a symmetric matrix without trace
        grown = np.cosh(size) * np.eye(2) + (np.sinh(size) / size if size > 0 else 1.0) * tall
        (a, b), (c, d) = (np.exp(log_scale) * grown @ np.asarray(self.matrix)).tolist()
        center = (self.center[0] + shift[0], self.center[1] + shift[1])
        return replace(self, center=center, matrix=((a, b), (c, d)))


@dataclass(frozen=True, eq=False)
class SpotResiduals:
    """Where the spots of known patterns are, and where a phase's should be.

    Parameters
    ----------
    pattern : ndarray of int, shape (n,)
        Number of the pattern (group) of each spot.
    place : ndarray, shape (n, 2)
        (v, u) in pixels.
    place_error : ndarray, shape (n,)
        Standard error of the place along one direction, in pixels.
    measured, expected : ndarray, shape (n,)
        Spatial frequency under the fit, and that of the nearest family, in 1/angstrom.
    hkl : ndarray of int, shape (n, 3)
        The nearest family.
    azimuth_deg : ndarray, shape (n,)
        Counter-clockwise as displayed from +u.
    used : ndarray of bool, shape (n,)
        Which spots the fit rests on.
    ambiguous : ndarray of bool, shape (n,)
        Which were left out because two families are too close together to choose; the others left out lie where the
        phase has nothing.
    """

    pattern: NDArray[np.intp]
    place: Float
    place_error: Float
    measured: Float
    expected: Float
    hkl: NDArray[np.intp]
    azimuth_deg: Float
    used: NDArray[np.bool_]
    ambiguous: NDArray[np.bool_]

    @property
    def percent(self) -> Float:
        """Measured less expected spatial frequency, in percent of the expected one, shape (n,)."""
        return np.asarray(100 * (self.measured / self.expected - 1))


@dataclass(frozen=True, eq=False)
class CalibrationFit:
    """A calibration from spots or rings of a known phase, and how well each number of it is known.

    Standard errors are infinite where the data do not determine a number; it is then what the start was.

    Parameters
    ----------
    calibration : Calibration
    covariance : ndarray, shape (5 + c, 5 + c)
        Of `PARAMETERS` and of c coefficients of the distortion: centre in px, logarithm of the scale, stretches along
        the axes and across. An undetermined number has an infinite variance and no covariance.
    phase : str
    spots : SpotResiduals
    chi_square : float
        Sum of squared residuals of the used spots in units of their place errors.
    degrees_of_freedom : int
        Used spots less the numbers that were determined.
    scatter : float
        What the places scatter beyond their errors, standard deviation in px; 0 where the errors explain it all.
    explained, chance : float, 0 to 1
        Share of the spots that lie where the phase has some (without ambiguous ones), and the share that spots at
        random radii would reach.
    trusted : bool
    words : str
        Why it is to be trusted, or why not, and what the data do not determine.
    coefficients : tuple of int
        Which of the eight coefficients of a `Distortion` were fitted.
    rms_plain_px : float
        Root mean square residual in px without them; NaN where none was fitted.
    """

    calibration: Calibration
    covariance: Float
    phase: str
    spots: SpotResiduals
    chi_square: float
    degrees_of_freedom: int
    scatter: float
    explained: float
    chance: float
    trusted: bool
    words: str
    coefficients: tuple[int, ...] = ()
    rms_plain_px: float = float("nan")

    @property
    def distortion_errors(self) -> Float:
        """Standard errors of the eight coefficients of the distortion, 0 where one was not fitted."""
        errors = np.zeros(N_COEFFICIENTS)
        errors[list(self.coefficients)] = np.sqrt(np.diag(self.covariance)[5:])
        return errors

    @property
    def center(self) -> Pair:
        """(v, u) of the direct beam, in pixels."""
        return self.calibration.center

    @property
    def center_error(self) -> Pair:
        """Standard errors of the centre, in pixels."""
        v, u = np.sqrt(np.diag(self.covariance)[:2])
        return float(v), float(u)

    @property
    def scale(self) -> float:
        """1/angstrom a pixel, the geometric mean of all directions."""
        return self.calibration.scale

    @property
    def scale_error(self) -> float:
        """Standard error of the scale."""
        return float(self.scale * np.sqrt(self.covariance[2, 2]))

    @property
    def ratio(self) -> float:
        """Long over short axis of what a circle in 1/angstrom is on the detector, >= 1."""
        return self.calibration.ellipse[0]

    @property
    def angle_deg(self) -> float:
        """Direction of the long axis, 0 to 180, counter-clockwise as displayed from +u."""
        return self.calibration.ellipse[1]

    @property
    def ratio_error(self) -> float:
        """Standard error of the ratio."""
        return ellipse_errors(self.calibration, self.covariance[3:5, 3:5])[0]

    @property
    def angle_error_deg(self) -> float:
        """Standard error of the angle, at most 90: an ellipse that is not sure to be one has no direction."""
        return ellipse_errors(self.calibration, self.covariance[3:5, 3:5])[1]

    @property
    def rms_px(self) -> float:
        """Root mean square residual of the used spots, in pixels; NaN without any."""
        spots = self.spots
        rest = (spots.measured - spots.expected)[spots.used] / self.scale
        return float(np.sqrt(np.mean(rest**2))) if rest.size else float("nan")

    @property
    def rms_percent(self) -> float:
        """Root mean square residual of the used spots, in percent; NaN without any."""
        percent = self.spots.percent[self.spots.used]
        return float(np.sqrt(np.mean(percent**2))) if percent.size else float("nan")

    def families(self) -> list[dict[str, object]]:
        """Return a row for each family of used spots: hkl, spots, d expected and measured, its error, deviation.

        The measured d is that of the mean measured spatial frequency, weighted by the errors of the places; the
        error is that of this mean, without that of the scale that all of them share.
        """
        spots, rows = self.spots, []
        variance = spots.place_error**2 + self.scatter**2
        for g in np.unique(spots.expected[spots.used]):
            mine = spots.used & (spots.expected == g)
            weight = 1 / variance[mine]
            mean = float(np.average(spots.measured[mine], weights=weight))
            error = self.scale / float(np.sqrt(weight.sum()))
            rows.append(
                {
                    "hkl": " ".join(str(i) for i in spots.hkl[mine][0]),
                    "n_spots": int(mine.sum()),
                    "d_expected": round(1 / float(g), 5),
                    "d_measured": round(1 / mean, 5),
                    "d_error": round(error / mean**2, 5),
                    "deviation_percent": round(100 * (float(g) / mean - 1), 3),
                }
            )
        return rows

    def on(self, target: Target) -> Target:
        """Return a scan or groups with this calibration on their pattern axes; a scan keeps the fit itself, too.

        Axes have a step each and no angle between them: what an ellipse is along v and u goes into their steps,
        what it is across stays out, and so does a distortion. Hand the fit itself to `identify` and `d_spacings`,
        which use all of it.
        """
        axes = tuple(
            replace(axis, scale=step, offset=-place * step, unit="1/angstrom")
            for axis, step, place in zip(target.pattern_axes, self.calibration.step, self.center, strict=True)
        )
        changes: dict[str, Any] = {"pattern_axes": axes}
        if isinstance(target, Scan):
            changes["history"] = (*target.history, self._record(target.pattern_axes))
            changes["calibration"] = self
        else:
            changes["center"] = self.center
        return replace(target, **changes)

    def _record(self, before: tuple[Axis, ...]) -> StepRecord:
        (v, u), (sv, su) = self.center, self.calibration.step
        (ev, eu), spots = self.center_error, self.spots.used
        values = {
            "phase": self.phase,
            "center_v_px": v, "center_u_px": u, "scale": self.scale, "ratio": self.ratio, "angle_deg": self.angle_deg,
            "center_v_error_px": ev, "center_u_error_px": eu, "scale_error": self.scale_error,
            "ratio_error": self.ratio_error, "angle_error_deg": self.angle_error_deg,
            "matrix": [list(row) for row in self.calibration.matrix],
            "n_spots": int(spots.sum()), "rms_px": self.rms_px, "trusted": self.trusted, "words": self.words,
            "distortion": self.calibration.distortion.words(),
        }  # fmt: skip
        was = " and ".join(f"{axis.scale:.6g} {axis.unit}" for axis in before)
        effect = (
            f"pattern axes calibrated by {self.phase}: steps {sv:.6g} and {su:.6g} 1/angstrom (before: {was}), "
            f"origin at row {v:.2f}, column {u:.2f} px."
        )
        return StepRecord("calibrate", effect=effect, values=values)


def ellipse_errors(calibration: Calibration, covariance: Float) -> Pair:
    """Return the standard errors of an ellipse's ratio and angle in degrees (at most 90).

    Parameters
    ----------
    calibration : Calibration
    covariance : ndarray, shape (2, 2)
        Of the two stretches of `Calibration.stretched`, about 0.
    """
    if not np.isfinite(covariance).all():
        return float("inf"), 90.0
    ratio, _ = calibration.ellipse
    small, slopes = 1e-5, []
    for step in ((small, 0.0), (0.0, small)):
        ends = [calibration.stretched((sign * step[0], sign * step[1])).ellipse for sign in (1, -1)]
        turned = (ends[0][1] - ends[1][1] + 90) % 180 - 90
        slopes.append(((np.log(ends[0][0]) - np.log(ends[1][0])) / (2 * small), turned / (2 * small)))
    radial, angular = np.array(slopes).T
    if ratio - 1 < 10 * small:  # next to a circle the ratio goes up whatever the stretch
        return float(ratio * 2 * np.sqrt(np.trace(covariance) / 2)), 90.0
    errors = [float(np.sqrt(slope @ covariance @ slope)) for slope in (radial, angular)]
    return ratio * errors[0], min(errors[1], 90.0)
