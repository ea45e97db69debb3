"""Maps of orientations in inverse-pole-figure colours, each with the key of its phases."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.orientations import Grains, Orientations, PhaseCell
from unmixel.physics.inverse_pole import colours, corners, direction_colours, in_sector
from unmixel.physics.symmetry import Symmetry, symmetry
from unmixel.report.canvas import FAINT, INK, MASKED, TEXT_PT, box, sheet, write
from unmixel.report.panels import Panel
from unmixel.report.scalebar import draw_scale_bar, scale_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Float = NDArray[np.float64]

_GAP, _HEAD, _FOOT = 0.2, 0.24, 0.44
_KEY, _KEY_HEIGHT = 2.0, 1.75
"""Inches that a key takes, with its labels."""
_FINE = 240
# samples along a side of a key
_ROOM = 0.3
# share of a key's size kept on each side for labels


@dataclass(frozen=True)
class SampleDirection:
    """A direction of the sample, along which a map tells what lies there.

    Parameters
    ----------
    name : str
        Such as ``"Z"``.
    vector : (float, float, float)
        Right, up, against the electrons; of any length above 0.
    words : str
        Where it points, for the title.
    """

    name: str
    vector: tuple[float, float, float]
    words: str = ""


X = SampleDirection("X", (1.0, 0.0, 0.0), "to the right")
Y = SampleDirection("Y", (0.0, 1.0, 0.0), "up")
Z = SampleDirection("Z", (0.0, 0.0, 1.0), "along the beam")


def figure_orientations(
    orientations: Orientations,
    *,
    directions: tuple[SampleDirection, ...] = (Z,),
    grains: Grains | None = None,
    width: float = 3.2,
    tallest: float = 3.6,
) -> Figure:
    """Return maps of the crystal direction that lies along directions of the sample, with their keys on the right.

    Positions without orientation are grey.

    Parameters
    ----------
    orientations : Orientations
        Of a scan with two axes.
    directions : tuple of SampleDirection
        A map for each; `X`, `Y`, `Z` or others.
    grains : Grains, optional
        Their boundaries are drawn in black, boundaries between phases in white.
    width, tallest : float
        Of a map, in inches.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        When the scan does not have two axes, or no direction is given.

    Examples
    --------
    >>> from unmixel.testing.crystals import bicrystal
    >>> len(figure_orientations(bicrystal(20.0), directions=(X, Z)).axes)  # two maps and a key
    3
    """
    if len(orientations.axes) != 2 or not directions:
        raise InputError(
            "figure_orientations",
            expected="a scan of two axes and at least one direction",
            got=f"{len(orientations.axes)} axes, {len(directions)} directions",
            hint="orientations of groups are no map",
        )
    ratio = Panel(np.zeros(orientations.phase.shape), orientations.axes, "").ratio
    wide, tall = (width, width * ratio) if width * ratio <= tallest else (tallest / ratio, tallest)
    shown = sorted(set(orientations.phase[orientations.known].tolist()))
    step = max(wide, 2.0) + _GAP
    height = _HEAD + max(tall + _FOOT, _KEY_HEIGHT * len(shown)) + 0.1
    figure = sheet(0.1 + len(directions) * step + (_KEY if shown else 0.0) + 0.1, height + 0.05)
    for place, direction in enumerate(directions):
        left = 0.1 + place * step
        _draw_map(figure, orientations, direction, grains, corner=(left, 0.05), size=(wide, tall))
    for place, number in enumerate(shown):
        corner = (0.1 + len(directions) * step, 0.05 + place * _KEY_HEIGHT)
        _draw_key(figure, orientations.phases[number], corner)
    return figure


def orientation_colours(orientations: Orientations, direction: SampleDirection) -> Float:
    """Return the colours of a map, shape (*s, 3); NaN where there is no orientation."""
    found = np.full((*orientations.phase.shape, 3), np.nan)
    for number, cell in enumerate(orientations.phases):
        here = orientations.phase == number
        if here.any():
            found[here] = colours(orientations.matrices[here], direction.vector, _symmetry(cell))
    return found


def _symmetry(cell: PhaseCell) -> Symmetry:
    return symmetry(cell.space_group, cell.lengths, cell.angles_deg)


def _draw_map(
    figure: Figure,
    orientations: Orientations,
    direction: SampleDirection,
    grains: Grains | None,
    *,
    corner: tuple[float, float],
    size: tuple[float, float],
) -> None:
    """Draw one map, its upper left corner and its size in inches, with title, scale bar and remark."""
    (left, top), (wide, tall) = corner, size
    words = f" ({direction.words})" if direction.words else ""
    write(figure, left, top, f"IPF-{direction.name}{words}", fontweight="bold")
    axes = box(figure, left, top + _HEAD, wide, tall)
    from matplotlib.colors import to_rgb

    shades = orientation_colours(orientations, direction)
    shown = np.where(np.isnan(shades), to_rgb(MASKED), shades)
    axes.imshow(shown, interpolation="nearest", aspect="auto")
    axes.set(xticks=[], yticks=[])
    if grains is not None:
        _draw_boundaries(axes, grains)
    foot = top + _HEAD + tall
    per_sample = wide / orientations.phase.shape[1]
    draw_scale_bar(
        figure, scale_bar(orientations.axes[1]), left=left, top=foot + 0.13, inch_per_sample=per_sample
    )
    if not orientations.known.all():
        write(figure, left, foot + 0.24, "grey: no orientation", color=FAINT, fontsize=TEXT_PT - 0.5)


def _draw_boundaries(axes: Axes, grains: Grains) -> None:
    """Draw the lines between grains."""
    from matplotlib.collections import LineCollection

    rows, columns = grains.labels.shape
    parts = (
        (grains.right >= grains.threshold_deg, grains.down >= grains.threshold_deg, "black"),
        (grains.phase_right, grains.phase_down, "white"),
    )
    for right, down, colour in parts:
        lines = [[(x + 0.5, y - 0.5), (x + 0.5, y + 0.5)] for y, x in np.argwhere(right)]
        lines += [[(x - 0.5, y + 0.5), (x + 0.5, y + 0.5)] for y, x in np.argwhere(down)]
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.9, capstyle="projecting"))
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))


def _draw_key(figure: Figure, cell: PhaseCell, corner: tuple[float, float]) -> None:
    """Draw the key of a phase: the sector of its Laue class in stereographic projection, with its corners named."""
    kind = _symmetry(cell)
    left, top = corner
    write(figure, left, top, f"{cell.name}: {kind.laue}", fontweight="bold")
    axes = box(figure, left, top + _HEAD, _KEY, _KEY_HEIGHT - _HEAD - 0.05)
    axes.set_axis_off()
    rim = _rim(kind.laue)
    low, high = rim.min(axis=0), rim.max(axis=0)
    size = max(float(np.max((high - low) / (1.0, (_KEY_HEIGHT - _HEAD) / _KEY))), 1e-6)
    across, up = (np.linspace(a, b, _FINE) for a, b in zip(low, high, strict=True))
    directions = _unprojected(np.stack(np.meshgrid(across, up), axis=-1))
    shades = np.full((*directions.shape[:2], 4), 0.0)
    inside = in_sector(directions, kind.laue)
    shades[inside, :3] = direction_colours(directions[inside] @ kind.standard, kind)
    shades[inside, 3] = 1.0
    extent = (low[0], high[0], low[1], high[1])
    axes.imshow(shades, origin="lower", extent=extent, interpolation="bilinear", aspect="equal")
    axes.plot(*np.vstack([rim, rim[:1]]).T, color=INK, linewidth=0.8)
    middle = (low + high) / 2
    room = size * (0.5 + _ROOM)
    axes.set(xlim=(middle[0] - room, middle[0] + room), ylim=(middle[1] - 0.8 * room, middle[1] + 0.8 * room))
    for place, name in corners(kind):
        _name_corner(axes, _projected(place), name, middle, size)


def _name_corner(axes: Axes, place: Float, name: str, middle: Float, size: float) -> None:
    """Write the name of a corner on the side away from the middle of a key."""
    x, y = (place - middle) / size
    side = "left" if x > 0.05 else "right" if x < -0.35 else "center"
    above = "bottom" if y > 0.05 else "center" if abs(x) > 0.4 and y > -0.05 else "top"
    shift = {"left": 0.04, "right": -0.04}.get(side, 0.0), {"bottom": 0.04, "top": -0.04}.get(above, 0.0)
    across, up = place + size * np.array(shift)
    axes.plot(*place, marker="o", color=INK, markersize=2.0)
    axes.text(across, up, name, ha=side, va=above, fontsize=TEXT_PT - 0.5, color=INK, parse_math=False)


def _projected(directions: Float) -> Float:
    """Return the stereographic projection of directions with z >= 0: x and y over 1 + z, shape (..., 2)."""
    return np.asarray(directions[..., :2] / (1 + directions[..., 2:]))


def _unprojected(places: Float) -> Float:
    """Return the directions of places in the stereographic projection, shape (..., 3)."""
    square = np.sum(places**2, axis=-1, keepdims=True)
    return np.asarray(np.concatenate([2 * places, 1 - square], axis=-1) / (1 + square))


def _rim(laue: str) -> Float:
    """Return the outline of a sector in the projection, shape (n, 2): great circles between its corners."""
    ends = {"m-3": [(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)], "m-3m": [(0, 0, 1), (1, 0, 1), (1, 1, 1)]}
    if laue in ends:
        path = np.array([*ends[laue], ends[laue][0]], np.float64)
        share = np.linspace(0, 1, 40, endpoint=False)[:, None]
        path /= np.linalg.norm(path, axis=1, keepdims=True)
        lines = [a * (1 - share) + b * share for a, b in pairwise(path)]
        points = np.concatenate(lines)
        return _projected(points / np.linalg.norm(points, axis=1, keepdims=True))
    angles = np.deg2rad(np.arange(0.0, 360.0, 0.5))
    circle = np.stack([np.cos(angles), np.sin(angles), np.zeros(len(angles))], axis=1)
    arc = circle[in_sector(circle, laue)][:, :2]
    whole = len(arc) > len(circle) - 2
    return np.asarray(arc if whole else np.vstack([np.zeros(2), arc]))
