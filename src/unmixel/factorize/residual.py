"""One exact pass over the data with a finished model: what it explains and what not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.dataset.results import Residual
from unmixel.engines.base import Array, Blocks

ROWS = 16


def residual(
    matrix: Matrix, maps: NDArray[Any], patterns: NDArray[Any], reader: Blocks, engine: Any
) -> tuple[Residual, float, float]:
    """Return the residual against Poisson noise, the weighted misfit and the weighted norm of the data, exactly.

    Parameters
    ----------
    matrix : Matrix
    maps : ndarray, shape (k, n)
    patterns : ndarray, shape (k, m)
    reader : Blocks
        Values where the engine computes.
    engine : Engine

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
    xp, dtype = engine.xp, str(maps.dtype)
    by_position = np.zeros(matrix.n_positions)
    rows, columns = (engine.asarray(np.ascontiguousarray(factor)) for factor in (maps.T, patterns))
    weights = engine.asarray(matrix.pixel_weights, dtype)
    share = engine.asarray(used / max(1, int(used.sum())), dtype)
    step = max(ROWS, engine.tile // matrix.n_pixels)

    def on_block(i: int) -> tuple[Array, Array]:
        block = reader.load(i)
        positions = engine.asarray(block.positions)
        model_rows = rows[positions, :]
        row_weights = engine.asarray(matrix.position_weights[block.positions], "float64")
        row_kept = engine.asarray(kept[block.positions], dtype)
        chi2, squares = [], []
        by_pixel = engine.zeros((matrix.n_pixels,), "float64")
        # a few rows at a time: the copies stay in fast memory
        for start in range(0, len(block.positions), step):
            part = slice(start, start + step)
            # a copy: it is worked on in place
            x = xp.astype(engine.asarray(block.values[part, :]), getattr(xp, dtype), copy=True)
            model = model_rows[part, :] @ columns
            norm = (x * x) @ weights
            x -= model
            x *= x
            squares.append(xp.stack([x @ weights, norm]))
            x /= xp.clip(model, min=floor)
            chi2.append(x @ share)
            by_pixel += row_kept[part] @ x
        by_position[block.positions] = engine.to_host(xp.concat(chi2))
        return by_pixel, xp.astype(xp.concat(squares, axis=1), xp.float64) @ row_weights

    by_pixel, sums = engine.zeros((matrix.n_pixels,), "float64"), engine.zeros((2,), "float64")
    for own, own_sums in engine.each(on_block, range(len(reader))):
        by_pixel += own
        sums += own_sums
    by_pixel = engine.to_host(by_pixel)
    misfit2, norm2 = engine.to_host(sums).tolist()
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
