"""Where a pattern's centre lies: as the axes say, or where the patterns are their own inversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis

SEARCH = 0.25  # share of the detector's side around its middle where the inversion centre is looked for
LEAST_MATCH = 0.3  # correlation of a pattern with its own inversion below which the middle is taken instead


@dataclass(frozen=True)
class Center:
    """A centre and how it became known.

    Parameters
    ----------
    v, u : float
        Position in pixels.
    reason : str
        Where it comes from, in words.
    """

    v: float
    u: float
    reason: str


def pattern_center(axes: tuple[Axis, ...], pattern: NDArray[Any], used_pixels: NDArray[np.bool_]) -> Center:
    """Return the centre about which patterns turn.

    Coordinate 0 of the axes where they have an origin on the detector (after the step ``center``); otherwise
    the point about which `pattern` agrees best with its own inversion (Friedel's law); otherwise the middle.

    Parameters
    ----------
    axes : tuple of Axis
        ``(v, u)``.
    pattern : ndarray, shape (v, u)
        Sum of all patterns.
    used_pixels : ndarray of bool, shape (v, u)

    Examples
    --------
    >>> axes = (Axis("v", 9, offset=-4.0), Axis("u", 7, offset=-2.5))
    >>> pattern_center(axes, np.ones((9, 7)), np.ones((9, 7), bool))
    Center(v=4.0, u=2.5, reason='coordinate 0 of the axes')
    """
    origin = [-axis.offset / axis.scale for axis in axes]
    inside = all(0 <= place <= axis.size - 1 for place, axis in zip(origin, axes, strict=True))
    if inside and any(axis.offset != 0 for axis in axes):
        return Center(origin[0], origin[1], "coordinate 0 of the axes")
    place, match = _inversion(np.sqrt(np.maximum(pattern, 0.0)), used_pixels)
    if match >= LEAST_MATCH:
        words = f"the axes have no origin; inversion centre of the summed patterns (correlation {match:.2f})"
        return Center(place[0], place[1], words)
    middle = [(axis.size - 1) / 2 for axis in axes]
    return Center(middle[0], middle[1], "the axes have no origin; the middle of the detector is assumed")


def _inversion(image: NDArray[Any], used: NDArray[np.bool_]) -> tuple[tuple[float, float], float]:
    """Return the best inversion centre and the masked correlation of the image with its inversion there.

    The correlation at twice the centre is the self-convolution of the image less its mean, over its energy on
    pixels whose partner is used too.
    """
    from scipy.signal import fftconvolve

    if not used.any():
        return (0.0, 0.0), 0.0
    mask = used.astype(np.float64)
    values = (image - image[used].mean()) * mask
    match = fftconvolve(values, values)
    energy = fftconvolve(values**2, mask)
    partners = fftconvolve(mask, mask)
    curve = np.where(
        (partners > 0.5 * mask.sum()) & (energy > 1e-9 * (values**2).sum()),
        match / np.maximum(energy, 1e-300),
        -1.0,
    )
    for axis, size in enumerate(image.shape):
        away = np.abs(np.arange(2 * size - 1) - (size - 1)) > 2 * SEARCH * size
        curve[(slice(None),) * axis + (away,)] = -1.0
    best = np.unravel_index(int(curve.argmax()), curve.shape)
    place = tuple((best[axis] + _vertex(curve, best, axis)) / 2 for axis in (0, 1))
    return (float(place[0]), float(place[1])), float(curve[best])


def _vertex(curve: NDArray[Any], best: tuple[Any, ...], axis: int) -> float:
    """Return the sub-sample offset of a maximum along one axis, by a parabola."""
    line = np.moveaxis(curve, axis, 0)[(slice(None), *(i for a, i in enumerate(best) if a != axis))]
    index = int(best[axis])
    if not 0 < index < len(line) - 1 or min(line[index - 1], line[index + 1]) <= -1:
        return 0.0
    left, top, right = line[index - 1 : index + 2]
    bend = left - 2 * top + right
    return float(0.5 * (left - right) / bend) if bend < 0 else 0.0
