"""Counts moved by fractions of a pixel: every electron as a whole, to a pixel that is drawn for it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

FEW = 16
"""Electrons of a pixel up to which they are drawn one by one; more are drawn together."""

REACH = (-1, 0, 1)
"""Pixels from the nearest one to which an electron may go, along each axis."""

Sent = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[Any]]
"""Rows, columns and worth of electrons."""


def chances(part: Float) -> Float:
    """Return with what chance an electron goes to the pixel before, at and after the nearest one: quadratic B-spline.

    Their mean is `part` and their variance 1/4, whatever `part` is: frames that stand at different fractions of a pixel
    are blurred alike.

    Parameters
    ----------
    part : ndarray, in [-1/2, 1/2]

    Returns
    -------
    ndarray, shape (*part.shape, 3)

    References
    ----------
    Unser, IEEE Signal Process. Mag. 16 (6), 22 (1999), on B-splines: that of degree n keeps moments up to n. That
    electrons are drawn by it is this project's own.

    Examples
    --------
    >>> chances(np.array([0.0, 0.5])).tolist()
    [[0.125, 0.75, 0.125], [0.0, 0.5, 0.5]]
    """
    return np.stack([0.5 * (0.5 - part) ** 2, 0.75 - part**2, 0.5 * (0.5 + part) ** 2], axis=-1)


def reached(shifts: Float) -> NDArray[np.intp]:
    """Return every whole-pixel shift by which electrons may go, shape (9 * b, 2), for shifts of shape (b, 2)."""
    near = np.rint(shifts).astype(np.intp)
    return np.concatenate([near + np.array(more) for more in product(REACH, REACH)])


@dataclass(frozen=True)
class Redraw:
    """Moves frames by fractions of a pixel and leaves Poisson counts Poisson.

    A Poisson number of electrons, each sent by chance to one of several pixels, is independent Poisson numbers there:
    noise stays that of counts and is not mixed, as interpolation mixes it. What is paid is a blur of variance 1/4
    square pixel along each axis. What lies beyond the last whole electron of a pixel goes as one piece.

    Parameters
    ----------
    unit : float, > 0
        Units of the data per electron (variance over mean of the noise); a whole number for whole numbers.
    seed : int

    Examples
    --------
    >>> counts = np.full((1, 9, 9), 40)
    >>> moved = Redraw()(counts, np.array([[0.3, -0.4, 0]]))
    >>> int(moved.sum()) <= 9 * 9 * 40, moved.dtype == counts.dtype
    (True, True)
    """

    unit: float = 1.0
    seed: int = 0

    def __call__(self, frames: NDArray[Any], moves: Float) -> NDArray[Any]:
        """Return frames moved, of the same shape and dtype; what leaves the detector is lost.

        Parameters
        ----------
        frames : ndarray, shape (b, v, u)
        moves : ndarray, shape (b, 3)
            Rows and columns by which content moves to higher indices, and the number of the position in the scan:
            its electrons go the same way whenever the frame is read.
        """
        out = np.empty_like(frames)
        for frame, target, (dv, du, position) in zip(frames, out, moves, strict=True):
            rng = np.random.default_rng([self.seed, 11, int(position)])
            target[...] = _landed(self._sent(frame, np.array([dv, du]), rng), frame)
        return out

    def _sent(self, frame: NDArray[Any], shift: Float, rng: np.random.Generator) -> list[Sent]:
        """Return rows, columns and worth of what is sent, pixels outside the detector included."""
        near = np.rint(shift).astype(np.intp)
        ways = chances(shift - near)
        v, u = np.nonzero(frame)
        values = frame[v, u]
        v, u = v + near[0], u + near[1]
        whole = np.where(np.isfinite(values) & (values > 0), values, 0) // self.unit
        n, rest = whole.astype(np.int64), values - whole * self.unit
        few, many, left = n <= FEW, n > FEW, rest != 0
        pieces = [np.concatenate([np.repeat(at[few], n[few]), at[left]]) for at in (v, u)]
        worth = np.full(pieces[0].size, self.unit, np.float64)
        worth[worth.size - np.count_nonzero(left) :] = rest[left]
        rows, columns = (at + _drawn(at.size, p, rng) for at, p in zip(pieces, ways, strict=True))
        sent: list[Sent] = [(rows, columns, worth)]
        for dv, some in zip(REACH, _shared(n[many], ways[0], rng), strict=True):
            for du, part in zip(REACH, _shared(some, ways[1], rng), strict=True):
                sent.append((v[many] + dv, u[many] + du, part * self.unit))
        return sent


def _drawn(count: int, p: Float, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return by how many pixels each of some electrons goes."""
    drawn = rng.random(count)
    ways = (drawn >= p[0]).astype(np.intp)
    ways += drawn >= p[0] + p[1]
    return np.asarray(ways + REACH[0])


def _shared(n: NDArray[np.int64], p: Float, rng: np.random.Generator) -> tuple[NDArray[np.int64], ...]:
    """Return how many of n go each of three ways."""
    first = rng.binomial(n, p[0])
    second = rng.binomial(n - first, min(1.0, p[1] / (1 - p[0])))
    return first, second, n - first - second


def _landed(sent: list[Sent], frame: NDArray[Any]) -> NDArray[Any]:
    """Return the sums of what is sent to each pixel of a frame, of its dtype."""
    height, width = frame.shape
    rows, columns, worth = (np.concatenate(parts) for parts in zip(*sent, strict=True))
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    sums = np.bincount(rows[inside] * width + columns[inside], worth[inside], height * width)
    if frame.dtype.kind in "ui":
        sums = np.minimum(np.rint(sums), np.iinfo(frame.dtype).max)
    return np.asarray(sums.reshape(frame.shape).astype(frame.dtype))
