"""Rotations of a crystal's Laue group in its Cartesian frame, and which misorientations they leave.

Spot patterns have an inversion of their own (Friedel), so what counts is the Laue group, not the point group; of its
operators only proper rotations turn one orientation of a crystal into another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.physics.crystal import Crystal, Float, direct_axes

LAUE_CLASSES = ("-1", "2/m", "mmm", "4/m", "4/mmm", "-3", "-3m", "6/m", "6/mmm", "m-3", "m-3m")
"""All Laue classes, in the order in which Channel 5 numbers them from 1."""

_PRINCIPAL = {
    "2/m": 2, "mmm": 2, "4/m": 4, "4/mmm": 4, "-3": 3, "-3m": 3, "6/m": 6, "6/mmm": 6, "m-3": 2, "m-3m": 4,
}  # fmt: skip
# order of the axis that lies along z of the standard frame
_TOLERANCE = 2e-3
# how far a cell may contradict its symmetry; the same as 0.1 degrees


@dataclass(frozen=True, eq=False)
class Symmetry:
    """What a crystal's Laue group does to directions and orientations.

    Parameters
    ----------
    laue : str
        Laue class, such as ``"6/mmm"``; one of `LAUE_CLASSES`.
    point_group : str
        Hermann-Mauguin symbol.
    number : int
        Of the space group in International Tables, 1 to 230.
    direct : ndarray, shape (3, 3)
        Axes a, b, c as rows, in angstrom, in the crystal's frame: a along x, c* along z.
    rotations : ndarray, shape (n, 3, 3)
        Proper rotations of the Laue group in that frame; the identity is the first.
    standard : ndarray, shape (3, 3)
        Rows: x, y, z of the frame in which the class is drawn, in the crystal's frame. z lies along the main axis,
        x along a twofold axis at right angles to it or, where there is none, as near to a as may be.
    """

    laue: str
    point_group: str
    number: int
    direct: Float
    rotations: Float
    standard: Float

    @classmethod
    def of(cls, crystal: Crystal) -> Symmetry:
        """Return the symmetry of a crystal.

        Raises
        ------
        InputError
            When nobody knows its space group, or its cell contradicts it.

        Examples
        --------
        >>> found = Symmetry.of(Crystal.face_centred("Cu", 3.615))
        >>> found.laue, found.number, found.rotations.shape
        ('m-3m', 225, (24, 3, 3))
        """
        return symmetry(crystal.space_group, crystal.lengths, crystal.angles_deg)

    def equivalents(self, direction: Float) -> Float:
        """Return all directions that symmetry, with the inversion, makes equal to some of shape (..., 3).

        Returns
        -------
        ndarray, shape (..., 2 n, 3)
        """
        turned = np.einsum("nij,...j->...ni", self.rotations, direction)
        return np.concatenate([turned, -turned], axis=-2)


@lru_cache(maxsize=64)
def symmetry(
    space_group: str, lengths: tuple[float, float, float], angles_deg: tuple[float, float, float]
) -> Symmetry:
    """Return the symmetry of a cell; see `Symmetry.of`.

    Parameters
    ----------
    space_group : str
        Hermann-Mauguin symbol; a group of rhombohedral lattices is read by the cell's angles.
    lengths, angles_deg : (float, float, float)
    """
    import gemmi

    group = gemmi.find_spacegroup_by_name(space_group, angles_deg[0], angles_deg[2])
    if group is None:
        raise InputError(
            "space group",
            expected="a Hermann-Mauguin symbol of International Tables",
            got=repr(space_group),
            hint='write it with blanks, as in "P 63/m m c"; "P 1" assumes no symmetry',
        )
    axes = direct_axes(lengths, angles_deg)
    turns = np.array([np.array(op.rot) / op.DEN for op in group.operations().sym_ops])
    turns = axes.T @ turns @ np.linalg.inv(axes.T)
    off = float(np.abs(turns @ np.swapaxes(turns, 1, 2) - np.eye(3)).max())
    if off > _TOLERANCE:
        raise InputError(
            "space group",
            expected=f"a cell that {space_group} leaves as it is",
            got=f"{lengths} angstrom, {angles_deg} degrees",
            hint="give the space group that belongs to the cell and its setting",
        )
    rotations = _unique(np.sign(np.linalg.det(turns))[:, None, None] * turns)
    laue = group.laue_str()
    return Symmetry(laue, group.point_group_hm(), group.number, axes, rotations, _standard(laue, rotations))


def _unique(turns: Float) -> Float:
    """Return each rotation once, the identity first, exactly orthonormal."""
    from scipy.spatial.transform import Rotation

    clean = Rotation.from_matrix(turns).as_matrix()
    found = [np.eye(3)]
    for turn in clean:
        if all(np.abs(turn - other).max() > 0.1 for other in found):
            found.append(turn)
    return np.array(found)


def _standard(laue: str, rotations: Float) -> Float:
    """Return the axes of the frame in which a Laue class is drawn, as rows."""
    from scipy.spatial.transform import Rotation

    if laue not in _PRINCIPAL:
        return np.eye(3)
    vectors = Rotation.from_matrix(rotations[1:]).as_rotvec()
    angle = np.linalg.norm(vectors, axis=1)
    axes, order = vectors / angle[:, None], np.round(2 * np.pi / angle).astype(int)
    z = _nearest(axes[order == _PRINCIPAL[laue]], np.array([0.0, 0.0, 1.0]))
    across = axes[(order == 2) & (np.abs(axes @ z) < 1e-3)]
    if len(across):
        x = _nearest(across, np.array([1.0, 0.0, 0.0]))
    else:
        x = np.eye(3)[0] if abs(z[0]) < 0.9 else np.eye(3)[1]
    x = x - (x @ z) * z
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def _nearest(axes: Float, wanted: Float) -> Float:
    """Return the axis, or its opposite, that is nearest to a direction; the larger y where two are as near."""
    both = np.concatenate([axes, -axes])
    return np.asarray(both[np.lexsort((-both[:, 1], -np.round(both @ wanted, 6)))[0]])


@dataclass(frozen=True, eq=False)
class Misorientation:
    """The smallest rotations between pairs of orientations of one phase.

    Parameters
    ----------
    angle_deg : ndarray, shape (...)
        0 up to what the class allows (62.8 for m-3m); NaN where one of the two is NaN.
    axis : ndarray, shape (..., 3)
        Of the rotation, in the crystal's frame, of length 1; NaN where there is no angle, x where it is 0.
    """

    angle_deg: Float
    axis: Float


def misorientation(first: NDArray[Any], second: NDArray[Any], symmetry: Symmetry) -> Misorientation:
    """Return the smallest rotation between two orientations of one phase.

    ``M = S O_2^T O_1`` takes directions in the first crystal to those in the second; of all S of the group the one
    with the largest trace is the least rotation, since ``S_i M S_j`` has the trace of ``S_j S_i M``.

    Parameters
    ----------
    first, second : ndarray, shape (..., 3, 3)
        Orientations (`unmixel.physics.orientation`), broadcast against each other.
    symmetry : Symmetry

    Returns
    -------
    Misorientation

    References
    ----------
    Mackenzie, Biometrika 45, 229 (1958): 62.8 degrees is the most that two cubic crystals can differ by.

    Examples
    --------
    >>> copper = Symmetry.of(Crystal.face_centred("Cu", 3.615))
    >>> quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    >>> float(misorientation(np.eye(3), quarter, copper).angle_deg.round(6))
    0.0
    """
    from scipy.spatial.transform import Rotation

    first, second = np.broadcast_arrays(np.asarray(first, np.float64), np.asarray(second, np.float64))
    shape = first.shape[:-2]
    between = (np.swapaxes(second, -1, -2) @ first).reshape(-1, 3, 3)
    known = np.isfinite(between).all(axis=(1, 2))
    angle, axis = np.full(len(between), np.nan), np.full((len(between), 3), np.nan)
    if known.any():
        # trace(S M) for all S at once
        trace = between[known].reshape(-1, 9) @ np.swapaxes(symmetry.rotations, 1, 2).reshape(-1, 9).T
        least = symmetry.rotations[np.argmax(np.round(trace, 12), axis=1)] @ between[known]
        vector = Rotation.from_matrix(least).as_rotvec()
        size = np.linalg.norm(vector, axis=1)
        unit = np.where(size[:, None] > 0, vector, [1.0, 0.0, 0.0])
        angle[known] = np.rad2deg(size)
        axis[known] = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    return Misorientation(angle.reshape(shape), axis.reshape(*shape, 3))


def fundamental(orientations: NDArray[Any], symmetry: Symmetry) -> Float:
    """Return orientations in the fundamental zone: of all that symmetry makes equal, the least rotation.

    Parameters
    ----------
    orientations : ndarray, shape (..., 3, 3)
    symmetry : Symmetry

    Returns
    -------
    ndarray, shape (..., 3, 3)
        ``O S`` with the largest trace; on the border of the zone, where several are as large, the first of them.
    """
    given = np.asarray(orientations, np.float64)
    trace = given.reshape(*given.shape[:-2], 9) @ np.swapaxes(symmetry.rotations, 1, 2).reshape(-1, 9).T
    best = np.argmax(np.round(np.nan_to_num(trace), 9), axis=-1)
    return np.asarray(given @ symmetry.rotations[best])


def mean_orientation(orientations: NDArray[Any], symmetry: Symmetry, *, rounds: int = 3) -> Float:
    """Return the mean of orientations of one phase that lie near each other, shape (3, 3).

    Each is replaced by its equivalent that is nearest to the mean so far, the first one at the start; the mean of
    rotations is the one that ``scipy.spatial.transform.Rotation.mean`` gives.

    Parameters
    ----------
    orientations : ndarray, shape (n, 3, 3)
        Finite, n >= 1.
    symmetry : Symmetry
    rounds : int, >= 1
    """
    from scipy.spatial.transform import Rotation

    given = np.asarray(orientations, np.float64)
    mean = given[0]
    for _ in range(rounds):
        mean = Rotation.from_matrix(nearest_equivalents(given, mean, symmetry)).mean().as_matrix()
    return np.asarray(mean)


def nearest_equivalents(orientations: NDArray[Any], reference: Float, symmetry: Symmetry) -> Float:
    """Return of each orientation the equivalent nearest to a reference, shape (..., 3, 3)."""
    return np.asarray(reference @ fundamental(reference.T @ np.asarray(orientations, np.float64), symmetry))
