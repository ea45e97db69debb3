"""One exact pass over the data with a finished model: what it explains and what not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.dataset.results import Residual
from unmixel.engines.blocks import BlockReader

ROWS = 16


def residual(
    matrix: Matrix, maps: NDArray[Any], patterns: NDArray[Any], reader: BlockReader, engine: Any
) -> tuple[Residual, float, float]:
    """Return the residual against Poisson noise, the weighted misfit and the weighted norm of the data, exactly.

    Parameters
    ----------
    matrix : Matrix
    maps : ndarray, shape (k, n)
    patterns : ndarray, shape (k, m)
    reader : BlockReader
    engine : Engine
        Shares the blocks out to threads; the numbers stay on the host.

    Returns
    -------
    Residual
        chi-square per position and per pixel: mean of (x - model)^2 / max(model, floor), where the floor is a
        hundredth of the mean model (an expected count of almost nothing must not blow up a single electron).
    misfit2, norm2 : float
        ``sum r w (X - model)^2`` and ``sum r w X^2``, formed in the maps' precision, accumulated in float64.
    """
    used = matrix.pixel_weights > 0
    kept = matrix.position_weights > 0
    mean = float(maps.sum(axis=1, dtype=np.float64) @ patterns[:, used].sum(axis=1, dtype=np.float64))
    floor = max(1e-2 * mean / max(1, matrix.n_positions * int(used.sum())), 1e-12)
    by_position = np.zeros(matrix.n_positions)
    by_pixel = np.zeros(matrix.n_pixels)
    misfit2 = norm2 = 0.0
    weights = matrix.pixel_weights.astype(maps.dtype)
    share = used.astype(maps.dtype) / max(1, int(used.sum()))

    def on_block(i: int) -> tuple[NDArray[Any], float, float]:
        block = reader.load(i)
        columns = np.zeros(matrix.n_pixels)
        misfit = norm = 0.0
        # a few rows at a time: the copies stay in fast memory
        for start in range(0, len(block.values), ROWS):
            where = block.positions[start : start + ROWS]
            x = np.array(block.values[start : start + ROWS], maps.dtype)  # a copy: it is worked on in place
            model = maps[:, where].T @ patterns
            rows = matrix.position_weights[where]
            norm += float(rows @ ((x * x) @ weights))
            x -= model
            x *= x
            misfit += float(rows @ (x @ weights))
            x /= np.maximum(model, floor, out=model)
            by_position[where] = x @ share
            columns += kept[where].astype(maps.dtype) @ x
        return columns, misfit, norm

    for columns, misfit, norm in engine.each(on_block, range(len(reader))):
        by_pixel += columns
        misfit2 += misfit
        norm2 += norm
    by_pixel[~used] = 0
    by_pixel /= max(1, int(kept.sum()))
    return (
        Residual(
            chi2_map=by_position.reshape(matrix.scan_grid.shape),
            chi2_pattern=by_pixel.reshape(matrix.pattern_grid.shape),
            chi2=float(by_position[kept].mean()) if kept.any() else float("nan"),
            floor=floor,
        ),
        misfit2,
        norm2,
    )
