"""Disks and spheres under the probe, fitted to the map of a particle: its size by fit, and which body it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.interpret.blur import BODIES, FWHM_PER_SIGMA, blurred_body

Float = NDArray[np.float64]

SMALLEST, LARGEST = 0.3, 30.0  # diameters over FWHM that are tabled
BEYOND = 3.0  # the table ends so many FWHM outside the body
AROUND = 2  # pixels around a region that the fit looks at as well
SHARPEST = 0.5  # FWHM that is assumed at least, in scan steps: a map is made of positions
SURE = 2.0  # standard errors by which one body has to fit better


@dataclass(frozen=True)
class Fit:
    """A body fitted to one particle.

    Parameters
    ----------
    diameter : float
        In the unit of the scan steps; NaN where the fit found none.
    misfit : float
        Root mean square of what is left, as a share of the height.
    """

    diameter: float
    misfit: float


@cache
def _table(body: str) -> tuple[Float, Float, Float]:
    """Return logarithms of diameters, places across the edge, and heights; lengths in FWHM, centre 1 high if wide.

    Heights are tabled over the distance from the edge, which changes little with the diameter.
    """
    sizes = np.linspace(math.log(SMALLEST), math.log(LARGEST), 60)
    places = np.linspace(0.0, 1.0, 161)
    rows = []
    for size in np.exp(sizes):
        radii = places * (size / 2 + BEYOND)
        rows.append(blurred_body(radii * FWHM_PER_SIGMA, float(size / 2 * FWHM_PER_SIGMA), body))
    return sizes, places, np.array(rows)


def height(radii: Float, diameter: float, *, fwhm: float, body: str) -> Float:
    """Return the thickness of a blurred body over radii, where its centre without blur is 1.

    Parameters
    ----------
    radii : ndarray
    diameter, fwhm : float
        In one unit, > 0.
    body : str

    Examples
    --------
    >>> height(np.array([0.0, 4.0, 9.0]), 8.0, fwhm=1.0, body="disk").round(2).tolist()
    [1.0, 0.48, 0.0]
    """
    from scipy.ndimage import map_coordinates

    sizes, places, rows = _table(body)
    ratio = float(np.clip(diameter / fwhm, SMALLEST, LARGEST))
    across = radii * (ratio / diameter) / (ratio / 2 + BEYOND)
    row = (math.log(ratio) - sizes[0]) / (sizes[1] - sizes[0])
    where = np.stack([np.full(radii.shape, row), np.minimum(across, 1.0) * (len(places) - 1)])
    return np.asarray(map_coordinates(rows, where, order=1, mode="nearest")) * (across <= 1)


def fit_body(
    image: NDArray[Any],
    mask: NDArray[np.bool_],
    *,
    steps: tuple[float, float],
    fwhm: float | None,
    body: str,
    lost: float = 0.0,
    others: NDArray[np.bool_] | None = None,
) -> Fit:
    """Return the body whose blurred image fits a particle's map best, by least squares around its region.

    Free are diameter, height and place: ``max(A b(|r - r_0|; D) - lost, 0)``, b a disk or the chord of a sphere under a
    Gaussian probe.

    Parameters
    ----------
    image : ndarray, shape (y, x)
        The map, its background taken off.
    mask : ndarray of bool, shape (y, x)
        The region: it and two pixels around are looked at.
    steps : (float, float)
        Scan steps.
    fwhm : float or None
        Of the probe, in their unit; at least half of a step is assumed.
    body : str
        ``"disk"`` or ``"sphere"``.
    lost : float
        What was taken off every value, see `shrinkage`.
    others : ndarray of bool, shape (y, x), optional
        Pixels that belong to other particles.
    """
    from scipy.ndimage import binary_dilation
    from scipy.optimize import least_squares

    around = binary_dilation(mask, iterations=AROUND)
    y, x = np.nonzero(around if others is None else around & ~(others & ~mask))
    values = np.asarray(image, np.float64)[y, x]
    top, width = float(values.max(initial=0.0)) + lost, max(fwhm or 0.0, SHARPEST * min(steps))
    if top <= 0:
        return Fit(math.nan, math.nan)
    inside = np.nonzero(mask)
    weights = np.maximum(np.asarray(image, np.float64)[inside], 1e-12 * top)
    start = [float(np.average(where, weights=weights)) for where in inside]
    size = 2 * math.sqrt(mask.sum() * steps[0] * steps[1] / math.pi)

    def off(free: Float) -> Float:
        radii = np.hypot((y - free[2]) * steps[0], (x - free[3]) * steps[1])
        seen = free[1] * height(radii, math.exp(free[0]), fwhm=width, body=body)
        return np.asarray((np.maximum(top * seen - lost, 0.0) - values) / top)

    found = least_squares(off, [math.log(size), 1.0, *start], x_scale=[0.1, 0.1, 0.5, 0.5], max_nfev=60)
    return Fit(float(math.exp(found.x[0])), float(np.sqrt(np.mean(found.fun**2))))


def likelier_body(misfits: NDArray[np.float64]) -> tuple[str, str] | None:
    """Return which body fits particles better, and why; None where the difference is not clear.

    The mean over particles of the logarithm of the ratio of both misfits has to be at least 2 of its standard errors
    away from 0.

    Parameters
    ----------
    misfits : ndarray, shape (n, 2)
        Of disk and sphere, see `Fit`.

    Examples
    --------
    >>> likelier_body(np.array([[0.1, 0.05], [0.1, 0.06], [0.1, 0.04]]))[0]
    'sphere'
    """
    known = misfits[np.all(np.isfinite(misfits) & (misfits > 0), axis=1)]
    if len(known) < 3:
        return None
    ratio = np.log(known[:, 0] / known[:, 1])
    error = float(ratio.std(ddof=1) / math.sqrt(len(ratio)))
    if abs(ratio.mean()) < SURE * error:
        return None
    best = BODIES[int(ratio.mean() > 0)]
    means = np.sqrt(np.mean(known**2, axis=0))
    numbers = ", ".join(f"{body} {value:.3f}" for body, value in zip(BODIES, means, strict=True))
    return best, f"judged by what fits {len(known)} particles better (root mean square left: {numbers})"
