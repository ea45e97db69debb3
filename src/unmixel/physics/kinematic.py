"""Diffraction patterns of thin crystals: which spots are seen along a direction, where and how strong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.physics.crystal import Crystal, Float, Reflections
from unmixel.physics.wavelength import wavelength


@dataclass(frozen=True, eq=False)
class SpotPattern:
    """Spots of a crystal on the detector.

    Parameters
    ----------
    g : ndarray, shape (n, 2)
        (v, u) in 1/angstrom: v down, u right as displayed. The direct beam is left out.
    intensity : ndarray, shape (n,)
        The strongest is 1.
    hkl : ndarray of int, shape (n, 3)
    doubled : ndarray of bool, shape (n,)
        Forbidden reflections that two allowed ones of the same pattern add up to (double diffraction). Their
        intensity is that of the structure: next to nothing.
    """

    g: Float
    intensity: Float
    hkl: NDArray[np.intp]
    doubled: NDArray[np.bool_]


def frame(crystal: Crystal, axis: tuple[int, int, int]) -> Float:
    """Return an orthonormal frame of a zone axis as rows, in the crystal's own frame, shape (3, 3).

    The third row points along ``[uvw]``, against the electrons; the first lies along a shortest reflection of the zone.
    """
    beam = np.asarray(axis, np.float64) @ crystal.direct
    beam /= np.linalg.norm(beam)
    grid = np.indices((9, 9, 9)).reshape(3, -1).T - 4
    zone = grid[(grid @ np.asarray(axis) == 0) & np.any(grid != 0, axis=1)]
    g = zone @ crystal.reciprocal
    length = np.round(np.linalg.norm(g, axis=1), 9)
    first = g[np.lexsort((-zone[:, 2], -zone[:, 1], -zone[:, 0], length))[0]]
    first = first / np.linalg.norm(first)
    return np.stack([first, np.cross(beam, first), beam])


def spot_pattern(
    crystal: Crystal,
    orientation: Float,
    *,
    reach: float,
    voltage_kV: float = 300.0,
    thickness: float = 70.0,
    least: float = 1e-3,
) -> SpotPattern:
    """Return the spots of a thin crystal in some orientation.

    ``I = |F|^2 sinc^2(t s)`` with the excitation error ``s = -g_z - lambda g^2 / 2`` of reflection g, z against the
    electrons (kinematic, parabola for the sphere).

    Parameters
    ----------
    crystal : Crystal
    orientation : ndarray, shape (3, 3)
        Rows: what lies to the right, up, and against the electrons, in the crystal's frame; see `frame`.
    reach : float
        Largest spatial frequency, 1/angstrom.
    voltage_kV : float
    thickness : float
        Along the beam, in angstrom.
    least : float
        Spots below this share of the strongest are left out, unless double diffraction may show them.

    Examples
    --------
    >>> copper = Crystal.face_centred("Cu", 3.615)
    >>> found = spot_pattern(copper, frame(copper, (0, 0, 1)), reach=0.6)
    >>> found.hkl[:4].tolist(), np.linalg.norm(found.g[:4], axis=1).round(3).tolist()
    ([[-2, 0, 0], [0, -2, 0], [0, 2, 0], [2, 0, 0]], [0.553, 0.553, 0.553, 0.553])
    """
    every = crystal.reflections(reach)
    turned, strength, near = excited(every, orientation, voltage_kV=voltage_kV, thickness=thickness)
    strongest = float(strength.max(initial=0.0))
    seen = near & ~every.forbidden & (strength > least * strongest)
    doubled = near & every.forbidden & _sums_of_two(every.hkl[seen], every.hkl)
    kept = seen | doubled
    return _on_detector(turned[kept], strength[kept], every.hkl[kept], doubled[kept])


def excited(
    every: Reflections, orientation: Float, *, voltage_kV: float, thickness: float
) -> tuple[Float, Float, NDArray[np.bool_]]:
    """Return where reflections of a thin crystal lie, how strong they are and which are near the Ewald sphere.

    Parameters
    ----------
    every : Reflections
    orientation : ndarray, shape (3, 3)
        As for `spot_pattern`.
    voltage_kV, thickness : float
        Thickness along the beam, in angstrom.

    Returns
    -------
    places : ndarray, shape (n, 3)
        To the right, up, and against the electrons, in 1/angstrom.
    strength : ndarray, shape (n,)
        ``|F|^2 sinc^2(t s)``, in the units of the reflections; 0 where not near.
    near : ndarray of bool, shape (n,)
        ``|s| t < 1``: within the first zero of the rod.
    """
    turned = every.g @ np.asarray(orientation).T
    error = -turned[:, 2] - wavelength(voltage_kV) * np.sum(every.g**2, axis=1) / 2
    near = np.abs(error) * thickness < 1
    return turned, every.intensity * np.sinc(thickness * error) ** 2 * near, near


def _sums_of_two(allowed: NDArray[np.intp], hkl: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which reflections two of the allowed ones add up to, shape (n,)."""
    sums = {tuple(row) for row in (allowed[:, None, :] + allowed[None, :, :]).reshape(-1, 3).tolist()}
    return np.array([tuple(row) in sums for row in hkl.tolist()], bool)


def _on_detector(
    turned: Float, intensity: Float, hkl: NDArray[np.intp], doubled: NDArray[np.bool_]
) -> SpotPattern:
    """Return spots at places (right, up, against the electrons), the strongest 1."""
    strongest = float(intensity.max(initial=0.0))
    places = np.stack([-turned[:, 1], turned[:, 0]], axis=1)
    return SpotPattern(places, intensity / strongest if strongest > 0 else intensity, hkl, doubled)


def zero_layer(crystal: Crystal, axis: tuple[int, int, int], reflections: Reflections) -> SpotPattern:
    """Return all spots that a crystal can have about a zone axis, as strong as its structure makes them.

    Parameters
    ----------
    crystal : Crystal
    axis : (int, int, int)
    reflections : Reflections
        Of the crystal.

    Returns
    -------
    SpotPattern
        Reflections at right angles to the axis; intensities ``|F|^2``, the strongest 1, whatever the Ewald sphere
        (`excitation`) makes of them.
    """
    zone = reflections.hkl @ np.asarray(axis) == 0
    hkl, forbidden = reflections.hkl[zone], reflections.forbidden[zone]
    doubled = forbidden & _sums_of_two(hkl[~forbidden], hkl)
    kept = ~forbidden | doubled
    turned = reflections.g[zone][kept] @ frame(crystal, axis).T
    return _on_detector(turned, reflections.intensity[zone][kept], hkl[kept], doubled[kept])


def excitation(g: Float, tilt_deg: Float, *, voltage_kV: float, thickness: float) -> Float:
    """Return ``sinc^2(t s)`` of spots of a zone axis that is tilted by small angles.

    ``s = -lambda g^2 / 2 + g . tilt``.

    Parameters
    ----------
    g : ndarray, shape (n, 2)
        In 1/angstrom.
    tilt_deg : ndarray, shape (..., 2)
        Towards v and u.
    voltage_kV : float
    thickness : float
        In angstrom.

    Returns
    -------
    ndarray, shape (..., n)
    """
    error = np.deg2rad(tilt_deg) @ g.T - wavelength(voltage_kV) * np.sum(g**2, axis=1) / 2
    return np.asarray(np.sinc(thickness * error) ** 2)
