"""Least squares that say what their data do not determine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

FREE = 0.05
"""Share of a number that may lie along undetermined directions before it counts as undetermined itself."""


@dataclass(frozen=True, eq=False)
class Step:
    """A step of least squares.

    Parameters
    ----------
    change : ndarray, shape (p,)
        0 along directions that the data do not determine.
    covariance : ndarray, shape (p, p)
        For measurements of unit weight; infinite variance and no covariance where a number is undetermined.
    free : ndarray, shape (p, p)
        Takes of a difference of numbers what lies along undetermined directions.
    """

    change: Float
    covariance: Float
    free: Float

    @classmethod
    def unknown(cls, n: int) -> Step:
        """Return the step of n numbers of which nothing is known."""
        return cls(np.zeros(n), np.diag(np.full(n, np.inf)), np.eye(n))


def step(normal: Float, gradient: Float, tolerance: Float) -> Step:
    """Solve ``normal change = gradient`` along those directions that the data determine.

    A direction is undetermined where its standard error exceeds how wrong its start may be: to move along it would
    be to invent. It then has the variance of the start in every number that it is a small part of.

    Parameters
    ----------
    normal : ndarray, shape (p, p)
        ``J^T W J``, W the inverse variances of the measurements.
    gradient : ndarray, shape (p,)
        ``J^T W r``.
    tolerance : ndarray, shape (p,), > 0
        How wrong the start of each number may be.

    Examples
    --------
    >>> found = step(np.diag([100.0, 0.0]), np.array([50.0, 0.0]), np.ones(2))
    >>> found.change.tolist(), np.diag(found.covariance).tolist()
    ([0.5, 0.0], [0.01, inf])
    """
    values, vectors = np.linalg.eigh(normal * np.outer(tolerance, tolerance))
    known = values > 1
    inverse = np.where(known, 1 / np.where(known, values, 1.0), 0.0)
    change = tolerance * (vectors @ (inverse * (vectors.T @ (tolerance * gradient))))
    covariance = (vectors * np.where(known, inverse, 1.0)) @ vectors.T * np.outer(tolerance, tolerance)
    free = (vectors**2) @ ~known > FREE
    covariance[free, :] = covariance[:, free] = 0.0
    covariance[free, free] = np.inf
    projector = (vectors * ~known) @ vectors.T * np.outer(tolerance, 1 / tolerance)
    return Step(change, covariance, projector)
