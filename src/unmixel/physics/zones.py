"""Zone-axis patterns of simple crystals: kinematic spots from a cell, on plain numbers.

Good enough for phantoms, where truth is what we say it is; identifying phases needs proper scattering factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from unmixel.physics.wavelength import wavelength

_BOHR = 0.529177
_REACH = 1.6
# spots are listed up to this frequency, 1/angstrom
_DEBYE_WALLER = 0.7
# B factor in angstrom^2, as for metals at room temperature

_Z = {"Al": 13, "Cu": 29, "Zr": 40, "O": 8}


@dataclass(frozen=True)
class Cell:
    """A crystal with axes at right angles, or hexagonal.

    Parameters
    ----------
    name : str
    lengths : (float, float, float)
        a, b, c in angstrom.
    atoms : tuple of (str, (float, float, float))
        Element and fractional position, all atoms of the cell.
    hexagonal : bool
        Whether a and b enclose 120 degrees.
    """

    name: str
    lengths: tuple[float, float, float]
    atoms: tuple[tuple[str, tuple[float, float, float]], ...]
    hexagonal: bool = False

    @property
    def reciprocal(self) -> NDArray[np.float64]:
        """Return the reciprocal axes as rows, in 1/angstrom."""
        a, b, c = self.lengths
        direct = np.diag([a, b, c])
        if self.hexagonal:
            direct[1] = (-b / 2, b * np.sqrt(3) / 2, 0)
        return np.asarray(np.linalg.inv(direct).T)

    def intensity(self, hkl: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return kinematic intensities ``|sum_j f_j exp(2 pi i hkl . r_j)|^2`` of reflections, shape (n, 3).

        ``f = Z / (g^2 + 1 / (2 pi R)^2)`` with ``R = a_0 Z^(-1/3)``, the screened Coulomb (Wentzel) atom, times
        ``exp(-B g^2 / 4)``.
        """
        g2 = np.sum((hkl @ self.reciprocal) ** 2, axis=1)
        amplitude = np.zeros(len(hkl), np.complex128)
        for element, position in self.atoms:
            z = _Z[element]
            screening = (z ** (1 / 3) / (2 * np.pi * _BOHR)) ** 2
            factor = z / (g2 + screening) * np.exp(-_DEBYE_WALLER * g2 / 4)
            amplitude += factor * np.exp(2j * np.pi * (hkl @ np.asarray(position)))
        return np.asarray(np.abs(amplitude) ** 2)


_FACE = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5))


def _face_centred(
    *motif: tuple[str, tuple[float, float, float]],
) -> tuple[tuple[str, tuple[float, float, float]], ...]:
    return tuple((element, (x + u, y + v, z + w)) for element, (x, y, z) in motif for u, v, w in _FACE)


_BODY = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5))
_QUARTERS = tuple(("O", (float(x), float(y), float(z))) for x, y, z in product((0.25, 0.75), repeat=3))
_CUZR = Cell("CuZr", (3.26,) * 3, (("Cu", (0.0, 0.0, 0.0)), ("Zr", (0.5, 0.5, 0.5))))
_CUZR2 = Cell(
    "CuZr2",
    (3.22, 3.22, 11.18),
    tuple(("Cu", shift) for shift in _BODY)
    + tuple(("Zr", (u, v, w + z)) for u, v, w in _BODY for z in (0.346, -0.346)),
)
_ZRO2 = Cell("ZrO2", (5.09,) * 3, (*_face_centred(("Zr", (0.0, 0.0, 0.0))), *_QUARTERS))
_ZR = Cell(
    "Zr", (3.232, 3.232, 5.147), (("Zr", (1 / 3, 2 / 3, 0.25)), ("Zr", (2 / 3, 1 / 3, 0.75))), hexagonal=True
)
_CU = Cell("Cu", (3.615,) * 3, _face_centred(("Cu", (0.0, 0.0, 0.0))))
_AL = Cell("Al", (4.050,) * 3, _face_centred(("Al", (0.0, 0.0, 0.0))))


@dataclass(frozen=True)
class Zone:
    """A crystal seen along a zone axis.

    Parameters
    ----------
    cell : Cell
    axis : (int, int, int)
        Direct-lattice indices [uvw] of the beam's direction.
    symmetry_deg : float
        Smallest in-plane rotation that leaves the zero-layer pattern as it is.
    """

    cell: Cell
    axis: tuple[int, int, int]
    symmetry_deg: float

    @property
    def name(self) -> str:
        """Return e.g. ``"CuZr [001]"``."""
        return f"{self.cell.name} [{''.join(str(i) for i in self.axis)}]"


ZONES = (
    Zone(_CUZR, (0, 0, 1), 90.0),
    Zone(_CUZR2, (1, 0, 0), 180.0),
    Zone(_ZRO2, (1, 1, 0), 180.0),
    Zone(_CUZR, (1, 1, 1), 60.0),
    Zone(_ZR, (0, 1, 0), 180.0),
    Zone(_ZRO2, (0, 0, 1), 90.0),
    Zone(_CU, (1, 1, 0), 180.0),
    Zone(_AL, (1, 1, 2), 180.0),
)
"""Zone-axis patterns for phantoms of Zr-Cu-Al glass and its neighbours, in the order phantoms use them."""


@cache
def _zero_layer(zone: Zone) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (g, intensity) of the allowed zero-layer spots; g in a plane frame, shape (n, 2)."""
    reach = [int(np.ceil(_REACH * length)) for length in zone.cell.lengths]
    grid = np.array(list(product(*(range(-n, n + 1) for n in reach))), dtype=np.intp)
    hkl = grid[(grid @ np.asarray(zone.axis) == 0) & np.any(grid != 0, axis=1)]
    g = hkl @ zone.cell.reciprocal
    intensity = zone.cell.intensity(hkl)
    length = np.linalg.norm(g, axis=1)
    keep = (length <= _REACH) & (intensity > 1e-6 * intensity.max())
    g, intensity, length = g[keep], intensity[keep], length[keep]
    # the first axis of the plane lies along a shortest spot, the second at right angles to it and to the beam
    first = g[np.lexsort((*g.T, np.round(length, 9)))[0]]
    first = first / np.linalg.norm(first)
    a, b, c = zone.cell.lengths
    direct = np.diag([a, b, c])
    if zone.cell.hexagonal:
        direct[1] = (-b / 2, b * np.sqrt(3) / 2, 0)
    beam = np.asarray(zone.axis) @ direct
    second = np.cross(beam / np.linalg.norm(beam), first)
    return np.stack([g @ first, g @ second], axis=1), intensity


def spots(
    zone: Zone,
    *,
    rotation_deg: float = 0.0,
    tilt_mrad: tuple[float, float] = (0.0, 0.0),
    thickness: float = 70.0,
    voltage_kV: float = 300.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return places and kinematic intensities of the spots of a thin crystal.

    ``I = |F|^2 sinc^2(t s)`` with the excitation error ``s = lambda g^2 / 2 + g . tilt`` (kinematic, thin foil).

    Parameters
    ----------
    zone : Zone
    rotation_deg : float
        In-plane rotation, counter-clockwise as displayed (v down, u right).
    tilt_mrad : (float, float)
        Tilt off the zone axis about the two axes of the detector frame.
    thickness : float
        Crystal thickness along the beam, in angstrom.
    voltage_kV : float

    Returns
    -------
    g : ndarray, shape (n, 2)
        (v, u) components in 1/angstrom, zero-order beam left out.
    intensity : ndarray, shape (n,)
        Strongest is 1.

    Examples
    --------
    >>> g, intensity = spots(ZONES[0])
    >>> float(np.linalg.norm(g, axis=1).min().round(3))
    0.307
    """
    plane, strength = _zero_layer(zone)
    angle = np.deg2rad(rotation_deg)
    along, up = plane[:, 0], plane[:, 1]
    u = along * np.cos(angle) - up * np.sin(angle)
    v = -(along * np.sin(angle) + up * np.cos(angle))
    g = np.stack([v, u], axis=1)
    error = wavelength(voltage_kV) * np.sum(g**2, axis=1) / 2 + g @ np.asarray(tilt_mrad) * 1e-3
    intensity = strength * np.sinc(thickness * error) ** 2
    return g, np.asarray(intensity / intensity.max())
