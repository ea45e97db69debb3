"""What a pattern adds where it is displaced a little: its derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def displacements(patterns: Float, roots: NDArray[Any]) -> Float:
    d = patterns.ndim - 1
    used = roots > 0
    out = []
    for axis in range(d):
        if patterns.shape[axis + 1] < 2:
            continue
        slope = np.gradient(patterns, axis=axis + 1)
        line = np.ones(3, bool)
        from scipy.ndimage import minimum_filter1d
        inside = minimum_filter1d(used.astype(np.uint8), 3, axis=axis, mode="nearest") > 0
        out.append(slope * inside)
    return np.stack(out, axis=1).reshape(-1, *patterns.shape[1:]) if out else np.zeros((0, *patterns.shape[1:]))


def orthonormal(rows: Float) -> Float:
    left, values, right = np.linalg.svd(rows, full_matrices=False)
    return right[values > 1e-10 * values[0]]
