"""Colours of inverse pole figures: which crystal direction lies along a direction of the sample.

Every Laue class has its key. Directions that symmetry, with the inversion, makes equal have one colour.

- **Triangles** (mmm, 4/mmm, 6/mmm, m-3m): mirror planes bound the class on all sides. A direction is a sum of the three
  corners, ``d = r c_1 + g c_2 + b c_3``; red, green and blue are r, g, b, the largest made 1. Corners are pure red,
  green and blue: 001, 100 and 110 of 4/mmm, 001, 101 and 111 of m-3m, 0001, 2-1-10 and 10-10 of 6/mmm.
- **Wheels** (-1, 2/m, 4/m, -3, 6/m about z, -3m about its twofold axis, m-3 about 111): two sides of the sector are the
  same directions, so the colour must come round. The hue is the angle about the axis times the axis' order; it grows
  from white on the axis to full where a mirror, or the rim, ends the wheel. Of -1 and -3 opposite directions of the
  rim are equal as well, and there the hue jumps: their directions form a projective plane, which no set of colours
  holds without a jump.

The colours of triangles are those of most EBSD programs up to their gamma.

References
----------
Nolze & Hielscher, J. Appl. Cryst. 49, 1786 (2016), on continuous keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.physics.crystal import Float
from unmixel.physics.symmetry import Symmetry


def _rim(degrees: float) -> tuple[float, float, float]:
    return (float(np.cos(np.deg2rad(degrees))), float(np.sin(np.deg2rad(degrees))), 0.0)


_ROOT2, _ROOT3 = 2**-0.5, 3**-0.5
_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_DIAGONAL = (_ROOT3, _ROOT3, _ROOT3)
_EDGE = 1e-9


@dataclass(frozen=True)
class _Wheel:
    """A key that comes round: about an axis of some order, from a direction on, within planes of these normals."""

    axis: tuple[float, float, float]
    order: int
    start: tuple[float, float, float] = _X
    normals: tuple[tuple[float, float, float], ...] = (_Z,)

    def place(self, directions: Float) -> tuple[Float, Float]:
        """Return the angle about the axis and the share of the way from it to the border, both shape (n,)."""
        axis, start = np.asarray(self.axis), np.asarray(self.start)
        start = start - (start @ axis) * axis
        start = start / np.linalg.norm(start)
        side = np.cross(axis, start)
        angle = np.arctan2(directions @ side, directions @ start)
        out = np.cos(angle)[:, None] * start + np.sin(angle)[:, None] * side
        normals = np.asarray(self.normals)
        # along the way cos(a) axis + sin(a) out a border is where its normal's share becomes 0
        falls = np.maximum(-(out @ normals.T), _EDGE)
        border = np.arctan2(normals @ axis, falls).min(axis=1)
        return angle, np.arccos(np.clip(directions @ axis, -1.0, 1.0)) / border


_TRIANGLES = {
    "mmm": (_Z, _X, _Y),
    "4/mmm": (_Z, _X, _rim(45)),
    "6/mmm": (_Z, _X, _rim(30)),
    "m-3m": (_Z, (_ROOT2, 0.0, _ROOT2), _DIAGONAL),
}
_WHEELS = {
    "-1": _Wheel(_Z, 1),
    "2/m": _Wheel(_Z, 2),
    "4/m": _Wheel(_Z, 4),
    "-3": _Wheel(_Z, 3),
    "6/m": _Wheel(_Z, 6),
    "-3m": _Wheel(_rim(60), 2, _Z, (_rim(120), _X)),
    "m-3": _Wheel(_DIAGONAL, 3, _Z, (_X, _Y, _Z)),
}


def colours(orientations: NDArray[Any], direction: tuple[float, float, float], symmetry: Symmetry) -> Float:
    """Return the colours of the crystal directions that lie along a direction of the sample.

    Parameters
    ----------
    orientations : ndarray, shape (..., 3, 3)
        See `unmixel.physics.orientation`.
    direction : (float, float, float)
        In the sample's frame: right, up, against the electrons; of any length.
    symmetry : Symmetry

    Returns
    -------
    ndarray, shape (..., 3)
        Red, green, blue, 0 to 1; NaN where an orientation is.

    Examples
    --------
    >>> from unmixel.physics.crystal import Crystal
    >>> copper = Symmetry.of(Crystal.face_centred("Cu", 3.615))
    >>> colours(np.eye(3), (0.0, 0.0, 1.0), copper).round(9).tolist()
    [1.0, 0.0, 0.0]
    """
    along = np.asarray(direction, np.float64) @ np.asarray(orientations, np.float64)
    return direction_colours(along, symmetry)


def direction_colours(directions: NDArray[Any], symmetry: Symmetry) -> Float:
    """Return the colours of crystal directions of shape (..., 3), see `colours`."""
    given = np.asarray(directions, np.float64)
    flat = given.reshape(-1, 3)
    known = np.isfinite(flat).all(axis=1) & (np.linalg.norm(flat, axis=1) > 0)
    found = np.full(flat.shape, np.nan)
    if known.any():
        unit = flat[known] / np.linalg.norm(flat[known], axis=1, keepdims=True)
        if symmetry.laue in _TRIANGLES:
            found[known] = _triangle(unit, symmetry)
        else:
            found[known] = _wheel(unit, symmetry)
    return found.reshape(given.shape)


def _triangle(unit: Float, symmetry: Symmetry) -> Float:
    """Return colours as the shares of the three corners in each direction."""
    share = symmetry.equivalents(unit) @ symmetry.standard.T @ np.linalg.inv(_TRIANGLES[symmetry.laue])
    # the one of all equal directions that lies within the triangle has no negative share
    inside = np.argmax(share.min(axis=2), axis=1)
    share = np.maximum(share[np.arange(len(share)), inside], 0.0)
    return np.asarray(share / share.max(axis=1, keepdims=True))


def _wheel(unit: Float, symmetry: Symmetry) -> Float:
    """Return colours by the angle about the axis of the wheel and the way from it."""
    from skimage.color import hsv2rgb

    wheel = _WHEELS[symmetry.laue]
    equal = symmetry.equivalents(unit) @ symmetry.standard.T
    # any of the equal directions within the wheel will do: they are turned by whole parts of it
    inside = np.argmax((equal @ np.asarray(wheel.normals).T).min(axis=2), axis=1)
    angle, away = wheel.place(equal[np.arange(len(equal)), inside])
    hue = (wheel.order * angle / (2 * np.pi)) % 1.0
    hsv = np.stack([hue, np.clip(away, 0.0, 1.0), np.ones(len(hue))], axis=1)
    return np.asarray(hsv2rgb(hsv[None])[0])


def in_sector(directions: NDArray[Any], laue: str) -> NDArray[np.bool_]:
    """Return which directions of the standard frame lie in the sector that is drawn as the key, shape (...)."""
    given = np.asarray(directions, np.float64)
    if laue in _TRIANGLES:
        return np.asarray((given @ np.linalg.inv(_TRIANGLES[laue])).min(axis=-1) >= -_EDGE)
    x, y, z = np.moveaxis(given, -1, 0)
    if laue == "m-3":
        return np.asarray((np.minimum(x, y) >= -_EDGE) & (z >= np.maximum(x, y) - _EDGE))
    first, last = (30.0, 90.0) if laue == "-3m" else (0.0, 360.0 / _WHEELS[laue].order)
    angle = np.rad2deg(np.arctan2(y, x)) % 360.0
    return np.asarray((z >= -_EDGE) & (angle >= first - _EDGE) & (angle <= last + _EDGE))


def corners(symmetry: Symmetry) -> list[tuple[Float, str]]:
    """Return the corners of a key and the axis of a wheel, in the standard frame, with their names.

    Returns
    -------
    list of (ndarray of shape (3,), str)
        Directions as ``"[101]"``, or as ``"[2-1-10]"`` of hexagonal axes; a plane's normal as ``"(001)"`` where no
        direction with small indices is near.

    Examples
    --------
    >>> from unmixel.physics.crystal import Crystal
    >>> [name for _, name in corners(Symmetry.of(Crystal.face_centred("Cu", 3.615)))]
    ['[001]', '[101]', '[111]']
    """
    if symmetry.laue in _TRIANGLES:
        places = [np.array(corner) for corner in _TRIANGLES[symmetry.laue]]
    elif symmetry.laue == "m-3":
        places = [np.array(p) for p in (_Z, (_ROOT2, 0, _ROOT2), _DIAGONAL, (0, _ROOT2, _ROOT2))]
    elif symmetry.laue == "-3m":
        places = [np.array(p) for p in (_Z, _rim(30), _rim(60), _rim(90))]
    else:
        rim = (0.0, 360.0 / _WHEELS[symmetry.laue].order)
        places = [np.array(_Z), *(np.array(_rim(angle)) for angle in rim if angle < 360.0)]
    return [(place, miller(place @ symmetry.standard, symmetry)) for place in places]


def miller(direction: NDArray[Any], symmetry: Symmetry, *, largest: int = 4) -> str:
    """Return the name of a direction in the crystal's frame: [uvw], [uvtw] of hexagonal axes, or (hkl) of a normal."""
    given = np.asarray(direction, np.float64)
    hexagonal = symmetry.laue in ("-3", "-3m", "6/m", "6/mmm") and _is_hexagonal(symmetry.direct)
    indices = _small(given @ np.linalg.inv(symmetry.direct), largest)
    if indices is not None:
        if hexagonal:
            u, v, w = indices
            indices = _reduced((2 * u - v, 2 * v - u, -u - v, 3 * w))
        return f"[{_joined(indices)}]"
    indices = _small(given @ symmetry.direct.T, largest)
    if indices is None:
        return ""
    if hexagonal:
        indices = (indices[0], indices[1], -indices[0] - indices[1], indices[2])
    return f"({_joined(indices)})"


def _is_hexagonal(direct: Float) -> bool:
    a, b, c = direct
    return bool(np.isclose(a @ b, -0.5 * (a @ a), rtol=1e-2) and abs(c @ a) < 1e-2 * (a @ a))


def _small(values: Float, largest: int) -> tuple[int, ...] | None:
    """Return whole numbers in proportion to some values, or None where they would be large."""
    values = values / np.abs(values).max()
    for factor in range(1, largest + 1):
        whole = np.round(factor * values)
        if np.abs(whole - factor * values).max() < 0.02:
            return _reduced(tuple(int(i) for i in whole))
    return None


def _reduced(indices: tuple[int, ...]) -> tuple[int, ...]:
    common = gcd(*indices)
    return tuple(i // common for i in indices)


def _joined(indices: tuple[int, ...]) -> str:
    return (" " if max(map(abs, indices)) > 9 else "").join(str(i) for i in indices)
