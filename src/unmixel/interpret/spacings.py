"""d-spacings of the spots and rings of groups, with the errors of their places and of the calibration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.calibration import Calibration, CalibrationFit
from unmixel.dataset.distortion import basis
from unmixel.dataset.results import Groups
from unmixel.dataset.spacings import Spacing, Spacings
from unmixel.interpret.calibration import chosen_calibration
from unmixel.interpret.ellipse import slopes
from unmixel.interpret.marks import Marks, ring_marks, spot_marks

Float = NDArray[np.float64]

OPPOSITE = 4.0
"""Standard deviations within which a spot is the opposite of another, beside what the centre may be off."""

OFF_CENTER = 2.0
"""How far the centre of axes may be off, in px."""


def d_spacings(
    groups: Groups,
    calibration: Calibration | CalibrationFit | None = None,
    *,
    voltage_kV: float = 300.0,
    spot_size: float | None = None,
) -> Spacings:
    """Return the lattice spacings that the patterns of groups show, each with a standard error.

    Parameters
    ----------
    groups : Groups
        Crystalline ones have spots, the others rings.
    calibration : CalibrationFit or Calibration, optional
        As `calibrate` found it. Without one the groups' axes are taken at their word: errors are then of places only.
    voltage_kV : float
        For axes in mrad.
    spot_size : float, optional
        Standard deviation of a spot, in pixels; measured on each pattern where it is not given.

    Returns
    -------
    Spacings

    Raises
    ------
    InputError
        When neither axes nor a calibration say what a pixel is worth.

    Notes
    -----
    ``d = 1 / |M (p - c)|``; opposite spots (Friedel pairs) are taken together, ``d = 2 / |M (p - p')|``, which needs no
    centre. With J the slope of g by centre, scale and stretches and C their covariance, ``var g = J C J^T`` plus that
    of the places, and ``error = d^2 sqrt(var g)``. What places scatter beyond their errors in the fit counts.
    A ring is the weighted mean over its sectors; its error is the larger of the expected and the seen scatter.

    Examples
    --------
    >>> from unmixel.physics.crystal import Crystal
    >>> from unmixel.testing.crystals import View, groups_of
    >>> copper = Crystal.face_centred("Cu", 3.615)
    >>> groups = groups_of([View(electrons=100_000).pattern(copper, (0, 0, 1))])
    >>> first = d_spacings(groups).rows[0]
    >>> first.kind, round(first.d, 2), abs(first.d - 3.615 / 2) < 4 * first.error
    ('pair', 1.81, True)
    """
    where = chosen_calibration(calibration, groups, voltage_kV)
    fit = calibration if isinstance(calibration, CalibrationFit) else None
    covariance, bent = (np.zeros((5, 5)), ()) if fit is None else (fit.covariance, fit.coefficients)
    scatter, off = (0.0, OFF_CENTER) if fit is None else (fit.scatter, 4 * max(fit.center_error))
    ruler = _Ruler(where, (covariance, bent), scatter, min(off, OFF_CENTER))
    shape, rows = groups.patterns.shape[1:], []
    for number, pattern in enumerate(groups.patterns):
        used = np.ones(shape, bool) if groups.used_pixels is None else np.asarray(groups.used_pixels[number])
        if not np.any(pattern):
            continue
        if groups.crystalline[number]:
            found = ruler.spots(spot_marks(number, pattern, where, used=used, spot_size=spot_size))
        else:
            found = ruler.rings(ring_marks(number, pattern, where, used=used))
        rows += sorted(found, key=lambda row: -row.d)
    return Spacings(tuple(rows))


class _Ruler:
    """Turns places into spacings under one calibration."""

    def __init__(
        self, where: Calibration, known: tuple[Float, tuple[int, ...]], scatter: float, off: float
    ) -> None:
        self.where, self.scatter, self.off = where, scatter, off
        self.covariance, self.bent = known

    def spots(self, marks: Marks) -> list[Spacing]:
        """Return the spacings of spots, opposite ones taken together."""
        error = np.hypot(marks.error, self.scatter)
        partner = self._partners(marks.place, error)
        rows = []
        for i, j in enumerate(partner):
            if 0 <= j < i:
                continue  # told already
            length, slope = self._radius(marks.place[i])
            if j < 0:
                rows.append(self._row(marks, [i], length, slope, float(error[i])))
                continue
            _, back = self._radius(marks.place[j])
            # of the pair, only the distance counts: half of it, and the mean of the slopes without the centre's
            half = np.linalg.norm(self.where.g(marks.place[[i]]) - self.where.g(marks.place[[j]])) / 2
            both = (slope + back) / 2
            both[:2] = 0.0
            rows.append(self._row(marks, [i, j], float(half), both, float(np.hypot(*error[[i, j]]) / 2)))
        return rows

    def rings(self, marks: Marks) -> list[Spacing]:
        """Return the spacings of rings."""
        rows = []
        for ring in np.unique(marks.ring):
            mine = marks.at(marks.ring == ring)
            if len(mine) < 3:
                continue
            weight = 1 / (mine.error**2 + self.scatter**2)
            length, slope = self._radii(mine.place)
            mean = float(np.average(length, weights=weight))
            expected = 1 / float(weight.sum())
            seen = float(
                np.average((length / self.where.scale - mean / self.where.scale) ** 2, weights=weight)
            )
            error = np.sqrt(max(expected, seen / (len(mine) - 1)))
            average = np.average(slope, axis=0, weights=weight)
            rows.append(self._row(mine, list(range(len(mine))), mean, average, float(error), kind="ring"))
        return rows

    def _radii(self, place: Float) -> tuple[Float, Float]:
        """Return spatial frequencies and their slopes by all numbers of the calibration, shape (n, 5 + c)."""
        length, slope = slopes(place, self.where)
        unit = self.where.g(place) / length[:, None]
        more = np.einsum("ni,nic->nc", unit, basis(self.where.affine(place))[:, :, list(self.bent)])
        return length, np.concatenate([np.insert(slope, 2, length, axis=1), more], axis=1)

    def _radius(self, place: Float) -> tuple[float, Float]:
        length, slope = self._radii(place[None])
        return float(length[0]), slope[0]

    def _row(
        self, marks: Marks, which: list[int], g: float, slope: Float, error: float, *, kind: str = ""
    ) -> Spacing:
        """Return a spacing at g, its slope by the calibration's numbers, and the error of its place in px."""
        relevant = np.abs(slope) > 1e-9
        variance = np.diag(self.covariance)
        shared = float("inf")
        if np.isfinite(variance[relevant]).all():
            finite = np.where(np.isfinite(self.covariance), self.covariance, 0.0)
            shared = float(slope @ finite @ slope)
        own = (error * self.where.scale) ** 2
        v, u = self.where.g(marks.place[which[:1]])[0]
        return Spacing(
            group=int(marks.pattern[which[0]]),
            kind=kind or ("pair" if len(which) == 2 else "spot"),
            g=g,
            d=1 / g,
            error=float(np.sqrt(own + shared)) / g**2,
            place_error=float(np.sqrt(own)) / g**2,
            azimuth_deg=float("nan") if kind else float(np.rad2deg(np.arctan2(-v, u)) % 360),
            significance=float(np.linalg.norm(marks.significance[which])),
        )

    def _partners(self, place: Float, error: Float) -> NDArray[np.intp]:
        """Return the opposite spot of each, or -1; spots are each other's or nobody's."""
        n = len(place)
        if n < 2:
            return np.full(n, -1, np.intp)
        opposite = self.where.place(-self.where.g(place))
        distance = np.linalg.norm(opposite[:, None] - place[None], axis=2)
        nearest = np.argmin(distance, axis=1)
        i = np.arange(n)
        near = distance[i, nearest] <= OPPOSITE * np.hypot(error, error[nearest]) + 2 * self.off
        return np.where(near & (nearest[nearest] == i) & (nearest != i), nearest, -1)
