"""What is to be measured of a lens and a camera, and one calibration under which crystals of many patterns lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.calibration import Calibration, CalibrationFit
from unmixel.dataset.distortion import TERMS, Float, coefficients_of

NEAR = 3.0
"""Standard errors within which a spot lies on a reflection."""

SIGNIFICANT = {1: 9.0, 2: 11.8}
"""Squared distance from 0, in standard errors, of one or two coefficients that chance reaches in 0.27 %."""


@dataclass(frozen=True)
class Lens:
    """What may be measured of a lens and a camera from crystals, and how wrong the calibration may be beforehand.

    Parameters
    ----------
    terms : tuple of str
        Terms of a `Distortion` that may be added; the data decide which are. () leaves centre, scale and ellipse.
    start : Calibration or CalibrationFit, optional
        What a pixel is worth as far as it is known; as the axes say where it is not given.
    center : float, > 0
        Standard deviation of the centre, in px.
    log_scale, stretch : float, > 0
        Of the scale (as a share), and of half the logarithm of the ellipse's ratio.
    bend : float, > 0
        By which share of its length a term may move a spot at the rim, as a standard deviation.

    Raises
    ------
    InputError
        When there is no term of such a name, or a number is not positive.

    Examples
    --------
    >>> Lens(terms=("perspective",)).coefficients
    (0, 1)
    """

    terms: tuple[str, ...] = tuple(TERMS)
    start: Calibration | CalibrationFit | None = None
    center: float = 1.0
    log_scale: float = 0.025
    stretch: float = 0.03
    bend: float = 0.05

    def __post_init__(self) -> None:
        sizes = (self.center, self.log_scale, self.stretch, self.bend)
        if not isinstance(self.terms, tuple) or set(self.terms) - set(TERMS) or not min(sizes) > 0:
            raise InputError(
                "Lens",
                expected=f"terms among {', '.join(TERMS)}, and center, log_scale, stretch and bend > 0",
                got=f"{self.terms!r}, {sizes}",
                hint="Lens(terms=('perspective', 'barrel')); Lens(terms=()) for centre, scale and ellipse alone",
            )

    @property
    def coefficients(self) -> tuple[int, ...]:
        """Numbers of the coefficients that its terms have."""
        return coefficients_of(self.terms)

    def variances(self, scale: float, reach: float, coefficients: Sequence[int]) -> Float:
        """Return those of centre (in 1/angstrom), logarithm of the scale, stretches and some coefficients.

        Parameters
        ----------
        scale : float
            1/angstrom a pixel.
        reach : float
            Spatial frequency of the rim, 1/angstrom.
        coefficients : sequence of int
        """
        order = np.array([1, 1, 1, 1, 1, 1, 2, 2])[list(coefficients)]
        affine = [self.center * scale] * 2 + [self.log_scale] + [self.stretch] * 2
        return np.asarray(np.concatenate([affine, self.bend / reach**order]) ** 2)


@dataclass(frozen=True, eq=False)
class Lying:
    """How one pattern's crystal lies, and which of its spots that explains.

    Parameters
    ----------
    pattern : int
    orientation : ndarray, shape (3, 3)
        Rows lie right, up and against the electrons.
    point : ndarray of int, shape (n,)
        The nearest reflection of each spot of the pattern.
    off : ndarray, shape (n,)
        How far it is, in standard errors.
    distance : ndarray, shape (n,)
        The same in px.
    log_odds : float
        Natural logarithm of how much likelier the places are with this crystal than by chance, in any orientation.
    """

    pattern: int
    orientation: Float
    point: NDArray[np.intp]
    off: Float
    distance: Float
    log_odds: float

    @property
    def explained(self) -> NDArray[np.bool_]:
        """Which spots lie on reflections, shape (n,)."""
        return np.asarray(self.off <= NEAR)


@dataclass(frozen=True, eq=False)
class LensFit:
    """One calibration under which the crystals of several patterns lie on the spots.

    Parameters
    ----------
    where : Calibration
    covariance : ndarray, shape (5 + c, 5 + c)
        Centre in px, logarithm of the scale, stretches, then the coefficients that were fitted.
    coefficients : tuple of int
        Numbers of these.
    lying : tuple of Lying
        One for each pattern, in their order.
    scatter : float
        Of the places beyond their errors, in px.
    penalty : float
        Log probability, less its largest, of a calibration that is so far from the start.
    reach : float
        Spatial frequency up to which reflections took part, 1/angstrom.
    plain : LensFit or None
        The fit without the terms that were added; None where there are none.
    """

    where: Calibration
    covariance: Float
    coefficients: tuple[int, ...]
    lying: tuple[Lying, ...]
    scatter: float
    penalty: float
    reach: float
    plain: LensFit | None = None

    @property
    def explained(self) -> float:
        """Share of all spots that lie on reflections."""
        return float(np.mean(np.concatenate([one.explained for one in self.lying])))

    def significant(self, name: str) -> bool:
        """Return whether the coefficients of a term are three standard errors from 0, both together if it has two."""
        numbers = coefficients_of((name,))
        place = [5 + self.coefficients.index(number) for number in numbers]
        value = self.where.distortion.coefficients[list(numbers)]
        size = float(value @ np.linalg.solve(self.covariance[np.ix_(place, place)], value))
        return size > SIGNIFICANT[len(numbers)]

    @property
    def rms_px(self) -> float:
        """Root mean square distance of these from them, in px."""
        near = np.concatenate([one.distance[one.explained] for one in self.lying])
        return float(np.sqrt(np.mean(near**2))) if near.size else float("nan")

    @property
    def log_odds(self) -> float:
        """Of all patterns that are likelier with the crystal than without, and of the calibration."""
        return sum(max(one.log_odds, 0.0) for one in self.lying) + self.penalty
