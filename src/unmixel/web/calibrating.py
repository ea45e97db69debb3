"""Screen 2: rings of a known phase over the mean pattern, by hand or fitted."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.calibration import Calibration, CalibrationFit
from unmixel.interpret.calibrate import WEAKEST, calibrate
from unmixel.interpret.calibration import axes_calibration
from unmixel.interpret.center import pattern_center
from unmixel.interpret.rotation import scan_rotation
from unmixel.physics.crystal import Crystal
from unmixel.physics.families import families
from unmixel.pipeline.naming import USUAL_VOLTAGE
from unmixel.prepare.detectors import center_of_mass
from unmixel.web.models import (
    CalibrateReply,
    CalibrateRequest,
    Fitted,
    ResidualPoint,
    RingLine,
)
from unmixel.web.run_view import known
from unmixel.web.scan_view import ScanView

MOST_RINGS, MOST_POINTS = 60, 4000
"""Rings and residuals that are drawn."""


def calibrated(view: ScanView, crystal: Crystal, request: CalibrateRequest) -> CalibrateReply:
    """Return a calibration from rings or spots of a phase in the mean or the largest pattern of what has been read.

    Parameters
    ----------
    view : ScanView
    crystal : Crystal
    request : CalibrateRequest

    Raises
    ------
    InputError
        When the scan holds no patterns, or neither its axes nor the request say what a pixel is worth.
    """
    _check_patterns(view)
    summaries = view.summaries(request.of)
    seen = np.asarray(summaries.pattern[request.of]), _used(view)
    start = _start(view, *seen, request)
    fit = _fitted(view, seen, crystal, start) if request.fit else None
    where = start if fit is None else fit.calibration
    return CalibrateReply(
        phase=crystal.name,
        trusted=fit is not None and fit.trusted,
        words="Not fitted: rings as the numbers say." if fit is None else fit.words,
        done=summaries.share(request.of),
        center_v=_number(where.center[0], None if fit is None else fit.center_error[0]),
        center_u=_number(where.center[1], None if fit is None else fit.center_error[1]),
        scale=_number(where.scale, None if fit is None else fit.scale_error),
        ellipse=_number(where.ellipse[0], None if fit is None else fit.ratio_error),
        ellipse_angle_deg=_number(where.ellipse[1], None if fit is None else fit.angle_error_deg),
        rotation=_rotation(view, where) if request.rotation else None,
        chi_square=None if fit is None else known(fit.chi_square),
        degrees_of_freedom=0 if fit is None else fit.degrees_of_freedom,
        rms_percent=None if fit is None else known(fit.rms_percent),
        rings=_rings(crystal, where, view.scan.pattern_shape),
        residuals=[] if fit is None else _residuals(fit),
    )


def fitted(
    view: ScanView, crystal: Crystal, request: CalibrateRequest
) -> tuple[CalibrationFit, NDArray[np.float64]]:
    """Return the fit to the whole scan that `calibrated` tells of, and the pattern that it rests on.

    Raises
    ------
    InputError
        As `calibrated`.
    """
    _check_patterns(view)
    view.read_all()
    seen = np.asarray(view.summaries(request.of).pattern[request.of]), _used(view)
    return _fitted(view, seen, crystal, _start(view, *seen, request)), seen[0]


def _check_patterns(view: ScanView) -> None:
    if len(view.scan.pattern_axes) != 2:
        raise InputError(
            "scan", expected="patterns with two axes", got="spectra", hint="spectra have no rings"
        )


def _used(view: ScanView) -> NDArray[np.bool_]:
    weights = view.scan.pixel_weights
    return np.ones(view.scan.pattern_shape, bool) if weights is None else np.asarray(weights > 0)


def _start(
    view: ScanView, pattern: NDArray[np.float64], used: NDArray[np.bool_], request: CalibrateRequest
) -> Calibration:
    """Return where to begin: what the request says, else what the axes say, else what the pattern shows."""
    center = request.center
    if center is None:
        found = pattern_center(view.scan.pattern_axes, pattern, used)
        center = (found.v, found.u)
    if request.step is not None:
        start = Calibration.from_steps(center, (request.step, request.step))
    else:
        start = axes_calibration(
            view.scan.pattern_axes, center, view.scan.instrument.voltage_kV or USUAL_VOLTAGE
        )
    size, angle = math.log(request.ellipse) / 2, math.radians(request.ellipse_angle_deg)
    # the ellipse of a calibration lies along the direction in which g grows slowest
    along, across = size * math.cos(2 * angle), size * math.sin(2 * angle)
    return start.stretched((along, across))


def _fitted(
    view: ScanView,
    seen: tuple[NDArray[np.float64], NDArray[np.bool_]],
    crystal: Crystal,
    start: Calibration,
) -> CalibrationFit:
    """Return the fit to spots or to rings, the trusted one, or the one that explains more."""
    pattern, used = seen
    voltage = view.scan.instrument.voltage_kV or USUAL_VOLTAGE
    fits = [
        calibrate(pattern, crystal, voltage_kV=voltage, start=start, crystalline=[spots], used=used)
        for spots in (True, False)
    ]
    return max(fits, key=lambda fit: (fit.trusted, int(fit.spots.used.sum()) > 0, fit.explained))


def _number(value: float, error: float | None) -> Fitted:
    return Fitted(value=float(value), error=known(error))


def _rotation(view: ScanView, where: Calibration) -> Fitted | None:
    """Return the rotation of detector against scan, which takes a pass over the data; None where it is not clear."""
    if len(view.scan.scan_axes) != 2:
        return None
    moved = center_of_mass(view.scan, unit="px", center=where.center, memory_budget=view.memory // 4)
    try:
        found = scan_rotation(moved.v, moved.u)
    except InputError:
        return None
    return _number(found.angle_deg, found.error_deg) if math.isfinite(found.error_deg) else None


def _rings(crystal: Crystal, where: Calibration, shape: tuple[int, ...]) -> list[RingLine]:
    corners = np.array([[v, u] for v in (0, shape[0] - 1) for u in (0, shape[1] - 1)], np.float64)
    reach = float(np.linalg.norm(where.g(corners), axis=1).max())
    found = families(crystal, reach, least=WEAKEST)
    angle = np.deg2rad(np.arange(0.0, 361.0, 5.0))
    circle = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    strongest = float(found.intensity.max()) if len(found) else 1.0
    rows = list(zip(found.hkl.tolist(), found.g.tolist(), found.intensity.tolist(), strict=True))[:MOST_RINGS]
    return [
        RingLine(
            hkl=(hkl[0], hkl[1], hkl[2]),
            radius=g,
            intensity=intensity / strongest,
            points=[(v, u) for v, u in where.place(g * circle).tolist()],
        )
        for hkl, g, intensity in rows
    ]


def _residuals(fit: CalibrationFit) -> list[ResidualPoint]:
    spots = fit.spots
    rows = zip(
        spots.place.tolist(), spots.hkl.tolist(), spots.measured.tolist(), spots.expected.tolist(),
        spots.percent.tolist(), spots.azimuth_deg.tolist(), spots.used.tolist(), strict=True,
    )  # fmt: skip
    return [
        ResidualPoint(
            v=v, u=u, hkl=(hkl[0], hkl[1], hkl[2]), measured=measured, expected=expected, percent=percent,
            azimuth_deg=azimuth, used=used,
        )
        for (v, u), hkl, measured, expected, percent, azimuth, used in list(rows)[:MOST_POINTS]
    ]  # fmt: skip
