"""Which form counts are kept in: as entries where most are zero, else as blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from unmixel.dataset.matrix import Matrix
from unmixel.engines.base import Blocks
from unmixel.factorize.losses.dense_counts import DenseCounts, on_gpu
from unmixel.factorize.losses.sparse_counts import SparseCounts
from unmixel.factorize.losses.tiles import Counts

DENSE_SHARE = 0.25
"""Share of entries above 0 from which dense products are faster than gathered ones (measured: about a third)."""


def counts_of(matrix: Matrix, engine: Any, *, dtype: str, reader: Blocks, budget: int) -> Counts:
    """Return the counts of a matrix: as entries where most are zero, else as blocks.

    Parameters
    ----------
    matrix : Matrix
        With the user's weights; what has weight 0 is left out.
    engine : Engine
    dtype : str
    reader : Blocks
        Reads data that are not sparse.
    budget : int
        Bytes: entries of data that are not sparse themselves are kept where they take no more than half of it.
    """
    if hasattr(matrix.data, "tocsr"):
        return SparseCounts.of(matrix, matrix.data.tocsr(), engine, dtype)
    # a GPU multiplies so much faster than it gathers that the zeros may stay
    found = None if on_gpu(engine) else _gathered(matrix, engine, reader, dtype, budget)
    return (
        DenseCounts(matrix, engine, dtype, reader)
        if found is None
        else SparseCounts.of(matrix, found, engine, dtype)
    )


def _gathered(matrix: Matrix, engine: Any, reader: Blocks, dtype: str, budget: int) -> Any | None:
    """Return the entries of dense data as compressed rows; None where they are many, or too large."""
    import scipy.sparse

    limit = budget // 2
    parts, places, held = [], [], 0
    most = DENSE_SHARE * matrix.n_positions * matrix.n_pixels
    for i in range(len(reader)):
        block = reader.load(i)
        values = engine.to_host(block.values)
        entries = int(np.count_nonzero(values))
        held += entries
        # the first block speaks for the others: no second look at data that are dense
        if entries > DENSE_SHARE * values.size or held > most or held * 12 > limit:
            return None
        parts.append(scipy.sparse.csr_matrix(values).astype(dtype))
        places.append(block.positions)
    rows, positions = scipy.sparse.vstack(parts, format="csr"), np.concatenate(places)
    return rows if np.all(np.diff(positions) > 0) else rows[np.argsort(positions)]
