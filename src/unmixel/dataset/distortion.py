"""What lenses and cameras do to a pattern beyond an ellipse: distortions of second and third order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Pair = tuple[float, float]

TERMS = {
    "perspective": slice(0, 2),
    "decentering": slice(2, 4),
    "threefold": slice(4, 6),
    "barrel": slice(6, 7),
    "spiral": slice(7, 8),
}
"""Terms, and which of the eight coefficients each of them has."""

N_COEFFICIENTS = 8

ROUNDS = 60
"""Steps in which a distortion is put back; each gains a digit or so."""


@dataclass(frozen=True)
class Distortion:
    """How spatial frequencies as an affine calibration reads them are mended: ``g = y + sum of the terms at y``.

    With y = (v, u) in 1/angstrom from the direct beam, v down and u right:

    - *perspective* p: ``(p . y) y``, a screen that is looked at from the side (to second order);
    - *decentering* q: ``|y|^2 q + 2 (q . y) y``, a lens off its axis (Brown's tangential term; the field calls the
      first harmonic of second order parabolic);
    - *threefold* t: ``t z*^2`` with ``z = u - i v``, the third harmonic of second order;
    - *barrel* k: ``k |y|^2 y``; k > 0 mends a barrel (far spots lie too near the centre), k < 0 a pincushion;
    - *spiral* s: ``s |y|^2`` times y turned by 90 degrees counter-clockwise.

    Parameters
    ----------
    perspective, decentering, threefold : (float, float)
        Along v and along u, in angstrom.
    barrel, spiral : float
        In angstrom squared.

    References
    ----------
    Brazda et al., IUCrJ 9, 735 (2022), for electron diffraction; Brown, Photogramm. Eng. 32, 444 (1966).

    Examples
    --------
    >>> lens = Distortion(perspective=(0.01, 0.0), barrel=-0.002)
    >>> y = lens.applied(np.array([[1.5, -0.4]]))
    >>> lens.undone(y).round(9).tolist(), lens.terms
    ([[1.5, -0.4]], ('perspective', 'barrel'))
    """

    perspective: Pair = (0.0, 0.0)
    decentering: Pair = (0.0, 0.0)
    threefold: Pair = (0.0, 0.0)
    barrel: float = 0.0
    spiral: float = 0.0

    @classmethod
    def of(cls, coefficients: Float) -> Distortion:
        """Return the distortion of eight coefficients, in the order of `TERMS`."""
        a, b, c, d, e, f, barrel, spiral = (float(one) for one in coefficients)
        return cls((a, b), (c, d), (e, f), barrel, spiral)

    @property
    def coefficients(self) -> Float:
        """All eight, in the order of `TERMS`."""
        return np.array([*self.perspective, *self.decentering, *self.threefold, self.barrel, self.spiral])

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms that are not 0."""
        return tuple(name for name, part in TERMS.items() if np.any(self.coefficients[part]))

    def __bool__(self) -> bool:
        """Return whether it changes anything."""
        return bool(self.coefficients.any())

    def undone(self, y: Float) -> Float:
        """Return true spatial frequencies (n, 2) of those that an affine calibration reads."""
        y = np.asarray(y, np.float64)
        return np.asarray(y + basis(y) @ self.coefficients) if self else y

    def applied(self, g: Float) -> Float:
        """Return what an affine calibration reads for true spatial frequencies (n, 2): the inverse of `undone`.

        By fixed-point iteration, which converges wherever the terms change lengths by less than all of them.
        """
        g = np.asarray(g, np.float64)
        y = g.copy()
        for _ in range(ROUNDS if self else 0):
            change = g - self.undone(y)
            y += change
            if np.abs(change).max(initial=0.0) < 1e-13:
                break
        return y

    def slope(self, y: Float) -> Float:
        """Return the derivative of `undone` by y, shape (n, 2, 2)."""
        y = np.asarray(y, np.float64)
        found = np.broadcast_to(np.eye(2), (len(y), 2, 2)).copy()
        if not self:
            return found
        (p, q), (a, b), one = np.array([self.perspective, self.decentering]), self.threefold, np.eye(2)
        (v, u), square = y.T, np.sum(y**2, axis=1)
        for both, lean in ((1.0, p), (2.0, q)):
            found += both * (y[:, :, None] * lean + (y @ lean)[:, None, None] * one)
        found += 2 * q[:, None] * y[:, None, :]
        rows = ((-a * v - b * u, a * u - b * v), (a * u - b * v, a * v + b * u))
        found += 2 * np.moveaxis(np.array(rows), -1, 0)
        for size, turn in ((self.barrel, one), (self.spiral, np.array([[0.0, -1.0], [1.0, 0.0]]))):
            found += size * (square[:, None, None] * turn + 2 * (y @ turn.T)[:, :, None] * y[:, None, :])
        return found

    def words(self) -> str:
        """Return the terms with their coefficients in a line.

        Examples
        --------
        >>> Distortion(perspective=(0.01, 0.0), barrel=-0.002).words()
        'perspective (+0.0100, +0.0000) angstrom, barrel -0.0020 angstrom^2'
        """
        parts = []
        for name in self.terms:
            values = self.coefficients[TERMS[name]]
            if len(values) == 1:
                parts.append(f"{name} {values[0]:+.4f} angstrom^2")
            else:
                parts.append(f"{name} ({values[0]:+.4f}, {values[1]:+.4f}) angstrom")
        return ", ".join(parts) or "none"


NO_DISTORTION = Distortion()


def coefficients_of(terms: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of the coefficients of some terms, in their order."""
    return tuple(number for name in terms for number in range(*TERMS[name].indices(N_COEFFICIENTS)))


def basis(y: Float) -> Float:
    """Return what a coefficient of 1 of each of the eight adds at places y (n, 2), shape (n, 2, 8).

    Examples
    --------
    >>> basis(np.array([[2.0, 0.0]]))[0, :, 6].tolist()  # barrel: |y|^2 y
    [8.0, 0.0]
    """
    y = np.asarray(y, np.float64)
    (v, u), square = y.T, np.sum(y**2, axis=1)
    along_v = [v * v, v * u, 3 * v * v + u * u, 2 * v * u, u * u - v * v, -2 * u * v, square * v, -square * u]
    along_u = [u * v, u * u, 2 * v * u, 3 * u * u + v * v, 2 * u * v, u * u - v * v, square * u, square * v]
    return np.stack([np.stack(along_v, axis=-1), np.stack(along_u, axis=-1)], axis=-2)
