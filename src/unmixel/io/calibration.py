"""A fitted calibration in a result bundle."""

from __future__ import annotations

from typing import Any

import numpy as np

from unmixel.dataset.calibration import PARAMETERS, Calibration, CalibrationFit, SpotResiduals
from unmixel.dataset.distortion import Distortion
from unmixel.io.nexus import make, put

_NUMBERS = ("chi_square", "scatter", "explained", "chance", "rms_plain_px")
_WORDS = ("phase", "words")
_SPOTS = {
    "pattern": None, "place": "px", "place_error": "px", "measured": "1/angstrom", "expected": "1/angstrom",
    "hkl": None, "azimuth_deg": "degree", "used": None, "ambiguous": None,
}  # fmt: skip


def put_calibration(group: Any, calibration: Calibration) -> None:
    """Store centre, matrix and distortion: ``y = matrix (place - center)``, and what is to be added to y."""
    put(group, "center", np.asarray(calibration.center, np.float64), units="px")
    put(group, "matrix", np.asarray(calibration.matrix, np.float64), units="1/angstrom per px")
    # angstrom for the first six, angstrom^2 for barrel and spiral; in the order of `TERMS`
    put(group, "distortion", calibration.distortion.coefficients)


def get_calibration(group: Any) -> Calibration:
    """Return what `put_calibration` stored."""
    center, ((a, b), (c, d)) = group["center"][()].tolist(), group["matrix"][()].tolist()
    return Calibration((center[0], center[1]), ((a, b), (c, d)), Distortion.of(group["distortion"][()]))


def write_calibration(entry: Any, fit: CalibrationFit) -> None:
    """Write a fitted calibration with its errors and spots to a new collection."""
    group = make(entry, "calibration", "NXcollection", trusted=fit.trusted)
    put_calibration(group, fit.calibration)
    put(group, "covariance", fit.covariance, parameters=" ".join(PARAMETERS))
    put(group, "coefficients", np.asarray(fit.coefficients, np.int64))
    group.attrs["degrees_of_freedom"] = fit.degrees_of_freedom
    for name in (*_NUMBERS, *_WORDS):
        group.attrs[name] = getattr(fit, name)
    spots = make(group, "spots", "NXcollection")
    for name, unit in _SPOTS.items():
        put(spots, name, getattr(fit.spots, name), units=unit)


def read_calibration(group: Any) -> CalibrationFit:
    """Return the calibration that `write_calibration` wrote."""
    told: dict[str, Any] = {name: float(group.attrs[name]) for name in _NUMBERS}
    told |= {name: str(group.attrs[name]) for name in _WORDS}
    return CalibrationFit(
        calibration=get_calibration(group),
        covariance=group["covariance"][()],
        coefficients=tuple(group["coefficients"][()].tolist()),
        spots=SpotResiduals(**{name: group["spots"][name][()] for name in _SPOTS}),
        degrees_of_freedom=int(group.attrs["degrees_of_freedom"]),
        trusted=bool(group.attrs["trusted"]),
        **told,
    )
