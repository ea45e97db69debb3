"""How a crystal lies in the microscope: rotation matrices, Euler angles and Friedel twins.

An **orientation** is a matrix O, shape (3, 3), that takes a direction in the crystal's frame to the sample's:
``v_sample = O v_crystal``. Its rows are what lies to the right, up, and against the electrons, in the crystal's
frame, as `unmixel.physics.kinematic.frame` and `spot_pattern` have it.

- **Sample frame**: x to the right and y up as a pattern is displayed (u grows to the right, v downwards), z against
  the electrons, towards whoever looks along the beam. Right-handed.
- **Crystal frame**: a along x, c* along z, y completes it (`unmixel.physics.crystal.direct_axes`).
- **Bunge's** matrix g takes the sample's frame to the crystal's: ``g = O^T``.

The frame is that of the detector. Where the scan is turned against it, directions of the map are so too.

References
----------
Bunge, Texture Analysis in Materials Science, Butterworths (1982). Rowenhorst et al., Modelling and Simulation in
Materials Science and Engineering 23, 083501 (2015): conventions of three-dimensional rotations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.physics.crystal import Crystal, Float
from unmixel.physics.kinematic import frame

MIRROR = np.diag([-1.0, 1.0, -1.0])
"""Takes an orientation to the one whose spots are mirrored from v to -v, as strong as before.

A mirror and an inversion: the reflection -g, as strong as g (Friedel), comes to lie at the mirrored place of g, as far
off the Ewald sphere.
"""


def orientation(
    crystal: Crystal,
    axis: tuple[int, int, int],
    *,
    rotation_deg: float = 0.0,
    tilt_deg: tuple[float, float] = (0.0, 0.0),
) -> Float:
    """Return the orientation of a crystal from its zone axis, its tilt off it and its rotation about the beam.

    ``O = R_z(rotation) T(tilt) frame(axis)``. T is the smallest rotation for which reflections of the zone get
    ``-g_z = g . tilt``, which is what `unmixel.physics.kinematic.excitation` assumes; it is the tilt that
    `unmixel.identify` finds, towards v and u of the pattern before its rotation.

    Parameters
    ----------
    crystal : Crystal
    axis : (int, int, int)
        Direction [uvw] against the electrons.
    rotation_deg : float
        In-plane, counter-clockwise as displayed.
    tilt_deg : (float, float)
        Towards v and u; of a length below 57 degrees (1 radian).

    Returns
    -------
    ndarray, shape (3, 3)

    Raises
    ------
    InputError
        When the tilt is not finite or too large, or the axis is (0, 0, 0).

    Examples
    --------
    >>> copper = Crystal.face_centred("Cu", 3.615)
    >>> turned = orientation(copper, (0, 0, 1), rotation_deg=30.0)
    >>> bunge_deg(turned).round(6).tolist()
    [30.0, 0.0, 0.0]
    """
    v, u = np.deg2rad(np.asarray(tilt_deg, np.float64))
    size = float(np.hypot(v, u))
    if not (size < 1 and np.isfinite(rotation_deg) and any(axis)):
        raise InputError(
            "orientation",
            expected="a zone axis other than 000, a finite rotation and a tilt below 57 degrees",
            got=f"axis {axis}, rotation {rotation_deg}, tilt {tilt_deg}",
            hint="give what unmixel.identify found",
        )
    from scipy.spatial.transform import Rotation

    # the axis of the zone comes to lie at (-u, v, ...) of the frame before, so it is turned about (v, u)
    unit = np.array([v, u, 0.0]) / size if size > 0 else np.zeros(3)
    tilt = Rotation.from_rotvec(np.arcsin(size) * unit)
    spin = Rotation.from_rotvec([0.0, 0.0, np.deg2rad(rotation_deg)])
    return np.asarray((spin * tilt).as_matrix() @ frame(crystal, axis))


def turned(orientations: NDArray[Any], degrees: NDArray[Any] | float) -> Float:
    """Return orientations after a rotation about the beam, counter-clockwise as displayed.

    Parameters
    ----------
    orientations : ndarray, shape (..., 3, 3)
    degrees : float or ndarray, shape (...)
    """
    from scipy.spatial.transform import Rotation

    angle = np.deg2rad(np.asarray(degrees, np.float64))
    spin = Rotation.from_rotvec(np.multiply.outer(angle.ravel(), [0.0, 0.0, 1.0])).as_matrix()
    return np.asarray(spin.reshape(*angle.shape, 3, 3) @ np.asarray(orientations, np.float64))


def friedel_twin(orientations: NDArray[Any], axes: NDArray[Any]) -> Float:
    """Return the orientations that zero-layer patterns cannot tell from some: half a turn about the zone axis.

    Reflections g and -g of the zone change places; they are as strong (Friedel), and each place is as far off the
    Ewald sphere as before. Where the crystal has an axis of even order along the zone axis, symmetry makes both equal.

    Parameters
    ----------
    orientations : ndarray, shape (..., 3, 3)
    axes : ndarray, shape (..., 3)
        Zone axes in the crystal's Cartesian frame, of any length; zero where there is none, and the orientation stays.

    Returns
    -------
    ndarray, shape (..., 3, 3)
    """
    axes = np.asarray(axes, np.float64)
    length = np.linalg.norm(axes, axis=-1, keepdims=True)
    unit = axes / np.where(length > 0, length, 1.0)
    half = 2 * unit[..., :, None] * unit[..., None, :] - np.eye(3)
    half = np.where(length[..., None] > 0, half, np.eye(3))
    return np.asarray(np.asarray(orientations, np.float64) @ half)


def bunge_deg(orientations: NDArray[Any]) -> Float:
    """Return Bunge's Euler angles (phi1, Phi, phi2) of orientations, in degrees, shape (..., 3).

    ``O^T = g = Z(phi2) X(Phi) Z(phi1)`` with passive rotations of the sample's frame about z, x, z.

    Parameters
    ----------
    orientations : ndarray, shape (..., 3, 3)

    Returns
    -------
    ndarray, shape (..., 3)
        phi1 and phi2 in [0, 360), Phi in [0, 180]; phi2 is 0 where Phi is 0 or 180 and only their sum or difference
        counts; NaN where an orientation is.

    Examples
    --------
    >>> bunge_deg(from_bunge_deg([10.0, 20.0, 30.0])).round(9).tolist()
    [10.0, 20.0, 30.0]
    """
    from scipy.spatial.transform import Rotation

    given = np.asarray(orientations, np.float64)
    flat = given.reshape(-1, 3, 3)
    known = np.isfinite(flat).all(axis=(1, 2))
    found = np.full((len(flat), 3), np.nan)
    if known.any():
        # half sums and half differences of phi1 and phi2 stay exact where Phi is 0 or 180
        x, y, z, w = Rotation.from_matrix(flat[known]).as_quat().T
        across, along = np.hypot(x, y), np.hypot(z, w)
        total, difference = np.arctan2(z, w), np.arctan2(y, x)
        total, difference = (
            np.where(along < 1e-9, difference, total),
            np.where(across < 1e-9, total, difference),
        )
        angles = np.stack([total + difference, 2 * np.arctan2(across, along), total - difference], axis=1)
        degrees = np.rad2deg(angles)
        degrees[:, [0, 2]] %= 360.0
        degrees[:, [0, 2]] = np.where(degrees[:, [0, 2]] > 360.0 - 1e-9, 0.0, degrees[:, [0, 2]])
        found[known] = degrees
    return found.reshape(*given.shape[:-2], 3)


def from_bunge_deg(angles: NDArray[Any] | list[float]) -> Float:
    """Return the orientations of Bunge's Euler angles (phi1, Phi, phi2), in degrees; the inverse of `bunge_deg`.

    Parameters
    ----------
    angles : ndarray, shape (..., 3)

    Returns
    -------
    ndarray, shape (..., 3, 3)
    """
    from scipy.spatial.transform import Rotation

    given = np.asarray(angles, np.float64)
    found = Rotation.from_euler("ZXZ", given.reshape(-1, 3), degrees=True).as_matrix()
    return np.asarray(found.reshape(*given.shape[:-1], 3, 3))
