"""What patterns hold that known ones, brighter or displaced, do not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

ALIKE = 1e-8
"""Directions weaker than this share of the strongest are rounding."""


def slopes(patterns: Float, used: NDArray[np.bool_]) -> Float:
    """Return the derivatives of patterns along each axis: what they add where they are displaced a little.

    Parameters
    ----------
    patterns : ndarray, shape (k, *pattern_shape)
    used : ndarray of bool, shape pattern_shape
        Pixels whose values count; derivatives are 0 at others and beside them.

    Returns
    -------
    ndarray, shape (k * d, *pattern_shape)
        d is the number of axes longer than one pixel.

    Examples
    --------
    >>> slopes(np.array([[0.0, 1, 4, 9]]), np.ones(4, bool)).tolist()
    [[1.0, 2.0, 4.0, 5.0]]
    """
    from scipy.ndimage import minimum_filter1d

    shape = patterns.shape[1:]
    found = [
        np.gradient(patterns, axis=axis + 1) * minimum_filter1d(used.astype(np.uint8), 3, axis=axis)
        for axis, size in enumerate(shape)
        if size > 1
    ]
    return np.concatenate(found) if found else np.zeros((0, *shape))


def beyond(patterns: Float, known: Float, roots: NDArray[Any]) -> Float:
    """Return what patterns hold that known ones do not, be these brighter, darker or displaced a little.

    Known components may change from position to position, so what their patterns span says nothing for another one.
    Their slopes belong to that: frames that stand a fraction of a pixel apart, since the beam wanders or was moved back
    by whole pixels only, differ by ``dv dH/dv + du dH/du``, which is no component either.

    Parameters
    ----------
    patterns : ndarray, shape (l, *pattern_shape)
    known : ndarray, shape (k, *pattern_shape)
    roots : ndarray, shape pattern_shape
        Square roots of the weights of pixels, 0 where masked.

    Returns
    -------
    ndarray, shape (l, m)
        Times `roots`, orthogonal to the known patterns and their slopes times `roots`.

    Notes
    -----
    The efficient score of a component, the displacement a nuisance parameter, in first order.

    Examples
    --------
    >>> ring = np.exp(-0.5 * ((np.arange(40) - 20) / 4) ** 2)
    >>> moved = np.exp(-0.5 * ((np.arange(40) - 20.3) / 4) ** 2)
    >>> left = beyond(moved[None], ring[None], np.ones(40))
    >>> bool(np.linalg.norm(left) < 0.01 * np.linalg.norm(moved))
    True
    """
    rows = patterns.reshape(len(patterns), -1) * roots.reshape(-1)
    taken = np.concatenate([known, slopes(known, roots > 0)]).reshape(-1, rows.shape[1]) * roots.reshape(-1)
    sizes = np.linalg.norm(taken, axis=1, keepdims=True)
    _, values, axes = np.linalg.svd(taken / np.where(sizes > 0, sizes, 1.0), full_matrices=False)
    axes = axes[values > ALIKE * values.max(initial=0.0)]
    return np.asarray(rows - (rows @ axes.T) @ axes)
