"""How crystals lie at every position of a scan, and the grains that follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis


@dataclass(frozen=True)
class PhaseCell:
    """What must be known of a phase to make sense of its orientations.

    Parameters
    ----------
    name : str
    lengths : (float, float, float)
        a, b, c in angstrom.
    angles_deg : (float, float, float)
        alpha, beta, gamma.
    space_group, point_group : str
        Hermann-Mauguin symbols.
    """

    name: str
    lengths: tuple[float, float, float]
    angles_deg: tuple[float, float, float]
    space_group: str
    point_group: str


@dataclass(frozen=True, eq=False)
class Orientations:
    """Phase and orientation of the crystal at every position of a scan, or of every group.

    The sample's frame: x to the right and y up as displayed, z against the electrons. The crystal's: a along x, c*
    along z. See `unmixel.physics.orientation`.

    Parameters
    ----------
    phase : ndarray of int, shape (*s)
        Index into `phases`, -1 where there is none.
    matrices : ndarray, shape (*s, 3, 3)
        Take a direction in the crystal's frame to the sample's; NaN where there is none.
    confidence : ndarray, shape (*s), 0 to 1
        0 where there is none. Of a scan: the share of the crystalline signal that the crystal holds. Of groups: the
        score of the phase.
    axes : tuple of Axis
        Of the scan, or one axis ``group``.
    phases : tuple of PhaseCell
    zone_axis : ndarray of int, shape (*s, 3)
        Direction [uvw] against the electrons, off which the crystal may be tilted; 0 0 0 where none is known.
        Zero-layer patterns cannot tell an orientation from half a turn about this direction.
    """

    phase: NDArray[np.intp]
    matrices: NDArray[np.float64]
    confidence: NDArray[np.float64]
    axes: tuple[Axis, ...]
    phases: tuple[PhaseCell, ...]
    zone_axis: NDArray[np.intp]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where there is an orientation, shape (*s)."""
        return np.asarray(self.phase >= 0)


@dataclass(frozen=True, eq=False)
class Grain:
    """Connected positions of one phase and nearly one orientation.

    Parameters
    ----------
    id : int
        Running number, from 1.
    phase : int
        Index into the phases.
    n_positions : int
    area : float
        In the square of the unit of the scan axes.
    matrix : ndarray, shape (3, 3)
        Mean orientation.
    spread_deg : float
        Root mean square misorientation of its positions to the mean, in degrees.
    """

    id: int
    phase: int
    n_positions: int
    area: float
    matrix: NDArray[np.float64]
    spread_deg: float


@dataclass(frozen=True, eq=False)
class Grains:
    """Misorientations between neighbours, and the grains between them.

    Parameters
    ----------
    right, down : ndarray, shape (y, x)
        Misorientation in degrees between a position and the next one to the right, or below; NaN where there is no next
        one, where either has no orientation, and where phases differ.
    phase_right, phase_down : ndarray of bool, shape (y, x)
        Where both have a phase, and not the same one.
    labels : ndarray of int, shape (y, x)
        Number of the grain, 0 where there is none; grains are sorted by size, descending.
    table : tuple of Grain
    threshold_deg : float
        Misorientation from which neighbours are in different grains.
    unit : str
        Of lengths (``nm`` or ``px``).
    """

    right: NDArray[np.float64]
    down: NDArray[np.float64]
    phase_right: NDArray[np.bool_]
    phase_down: NDArray[np.bool_]
    labels: NDArray[np.intp]
    table: tuple[Grain, ...]
    threshold_deg: float
    unit: str

    @property
    def n_grains(self) -> int:
        """Number of grains."""
        return len(self.table)
