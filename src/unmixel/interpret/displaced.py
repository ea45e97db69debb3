"""What a pattern that is everywhere adds where it is displaced by a fraction of a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
ROUNDING = 1e-8


def beyond_slopes(patterns: Floats, known: Floats, weights: NDArray[Any]) -> NDArray[np.float64]:
    """Return how much of what patterns hold beyond known ones is left once these may be displaced a little.

    Where a pattern H is displaced by (dv, du), ``dv dH/dv + du dH/du`` is added to it: crescents, of a ring. Returned
    is ``|b| / |a|``, a what is orthogonal to the known patterns, b what is orthogonal to them and their slopes.

    Parameters
    ----------
    patterns : ndarray, shape (l, *pattern_shape)
    known : ndarray, shape (k, *pattern_shape)
    weights : ndarray, shape pattern_shape
        Inverse variances, in any unit; 0 where masked.

    Returns
    -------
    ndarray, shape (l,), in [0, 1]
        1 where nothing is known, and where a pattern holds nothing beyond the known ones.

    Examples
    --------
    >>> ring = np.exp(-0.5 * ((np.hypot(*np.mgrid[-9:10, -9:10]) - 6) / 2) ** 2)
    >>> crescent = np.maximum(ring - np.roll(ring, 1, axis=0), 0)
    >>> spot = np.exp(-0.5 * np.hypot(*np.mgrid[-4:15, -11:8]) ** 2)
    >>> beyond_slopes(np.stack([crescent, spot]), ring[None], np.ones((19, 19))).round(1).tolist()
    [0.6, 1.0]
    """
    from scipy.ndimage import minimum_filter1d

    root = np.sqrt(weights).reshape(-1)
    used = (np.asarray(weights) > 0).astype(np.uint8)
    slopes = [
        np.gradient(known, axis=axis + 1) * minimum_filter1d(used, 3, axis=axis)
        for axis, size in enumerate(used.shape)
        if size > 1
    ]
    rows = patterns.reshape(len(patterns), root.size) * root
    sizes = []
    for taken in (known, np.concatenate([known, *slopes])):
        space = taken.reshape(len(taken), root.size) * root
        length = np.linalg.norm(space, axis=1, keepdims=True)
        _, values, axes = np.linalg.svd(space / np.where(length > 0, length, 1.0), full_matrices=False)
        axes = axes[values > ROUNDING * values.max(initial=0.0)]
        sizes.append(np.linalg.norm(rows - (rows @ axes.T) @ axes, axis=1))
    own = sizes[0] > ROUNDING * np.linalg.norm(rows, axis=1)
    return np.asarray(np.divide(sizes[1], sizes[0], out=np.ones(len(rows)), where=own))
