"""What is to be measured of a lens and a camera, and how wrong their calibration may be beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unmixel.core.errors import InputError
from unmixel.dataset.calibration import Calibration, CalibrationFit
from unmixel.dataset.distortion import TERMS, Float, coefficients_of


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
