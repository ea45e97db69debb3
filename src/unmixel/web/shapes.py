"""What share of each pixel a drawn shape covers."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.physics.rings import disc_shares
from unmixel.web.models import Disk, Mask, Rectangle, Ring, Shape, Window

Float = NDArray[np.float64]


def shares(shape: Shape, grid: tuple[int, ...], *, step: tuple[float, float] = (1.0, 1.0)) -> Float:
    """Return what share of each pixel of a grid lies in a shape, 0 to 1.

    Parameters
    ----------
    shape : Shape
    grid : tuple of int
        Shape of the pattern or of the scan.
    step : (float, float)
        Height and width of a pixel, the shorter one 1: radii are in that unit.

    Raises
    ------
    InputError
        When the shape does not fit the grid or covers nothing of it.

    Examples
    --------
    >>> shares(Rectangle(first=(0, 1), last=(1, 2)), (3, 4)).sum()
    np.float64(4.0)
    """
    needed = 1 if isinstance(shape, Window) else 2
    if not isinstance(shape, Mask) and len(grid) != needed:
        raise InputError(
            "shape",
            expected="a window on a line, another shape on an image",
            got=f"a {shape.kind} on {len(grid)} axes",
            hint="draw a window on spectra and line scans",
        )
    found = _drawn(shape, grid, step)
    if not found.any():
        raise InputError(
            "shape", expected="one that covers something", got=f"a {shape.kind} beside it", hint=""
        )
    return found


def _drawn(shape: Shape, grid: tuple[int, ...], step: tuple[float, float]) -> Float:
    drawn = np.zeros(grid)
    if isinstance(shape, Disk):
        drawn += _disc(shape.radius, shape.center, grid, step)
    elif isinstance(shape, Ring):
        if shape.inner >= shape.outer:
            raise InputError(
                "annulus", expected="inner < outer", got=f"{shape.inner:g} and {shape.outer:g}", hint=""
            )
        drawn += _disc(shape.outer, shape.center, grid, step)
        if shape.inner > 0:
            drawn -= _disc(shape.inner, shape.center, grid, step)
    elif isinstance(shape, Rectangle):
        drawn[shape.first[0] : shape.last[0] + 1, shape.first[1] : shape.last[1] + 1] = 1.0
    elif isinstance(shape, Window):
        drawn[shape.first : shape.last + 1] = 1.0
    else:
        flat = drawn.reshape(-1)
        for start, length in shape.runs:
            flat[start : start + length] = 1.0
    return drawn


def _disc(
    radius: float, center: tuple[float, float], grid: tuple[int, ...], step: tuple[float, float]
) -> Float:
    reach = math.hypot(*(n * s for n, s in zip(grid, step, strict=True)))
    if any(not -reach <= c <= n + reach for c, n in zip(center, grid, strict=True)):
        return np.zeros(grid)
    most = 4 * reach  # beyond that a circle covers all, and its square overflows nothing
    return disc_shares(cast(tuple[int, int], grid), min(radius, most), center=center, step=step)
