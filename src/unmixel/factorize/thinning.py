"""Counts split into two independent halves of one experiment: one to fit, one to check what was fitted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.engines.lazy import is_lazy, read, wrap

Part = Literal["fit", "check"]

CHUNK_BYTES = 16_000_000
"""What is drawn at once of data in memory."""


def thinned(matrix: Matrix, *, share: float = 0.2, seed: int = 0) -> tuple[Matrix, Matrix]:
    """Return the counts to fit and the counts to check with: every electron goes to the second with chance `share`.

    Poisson counts thinned binomially are Poisson counts with ``1 - share`` and ``share`` of the mean, independent of
    each other. Nothing is computed before the parts are read; each position draws from its own numbers, so that
    blocks may be read in any order and cut in any way. Weights are those of the whole.

    Parameters
    ----------
    matrix : Matrix
        Whole numbers >= 0.
    share : float, in (0, 1)
    seed : int

    Raises
    ------
    InputError
        When `share` is out of range, or the data are not counts.

    References
    ----------
    Sarkar & Stephens, Nat. Genet. 53, 770 (2021); Neufeld et al., Biostatistics 25, 270 (2024), on count splitting.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(9.0, (30, 20)).astype("uint16")
    >>> fit, check = thinned(Matrix.from_array(counts), share=0.25)
    >>> both = fit.data.compute() + check.data.compute()
    >>> bool((both == counts).all())
    True
    """
    if not 0 < share < 1:
        raise InputError("share", expected="a number between 0 and 1", got=str(share), hint="use 0.2")
    if hasattr(matrix.data, "tocsr"):
        return _sparse(matrix, share, seed)
    if matrix.data.dtype.kind not in "uif":
        raise InputError("thinned", expected="counts", got=f"data of dtype {matrix.data.dtype}", hint="")
    parts = (_Thinned(matrix.data, matrix.n_scan_axes, share, seed, part) for part in ("fit", "check"))
    if is_lazy(matrix.data):
        chunks = matrix.data.chunks
    else:
        row = math.prod(matrix.data.shape[1:]) * matrix.data.dtype.itemsize
        chunks = (max(1, CHUNK_BYTES // max(1, row)), *(-1,) * (matrix.data.ndim - 1))
    fit, check = (replace(matrix, data=wrap(part, chunks)) for part in parts)
    return fit, check


def _sparse(matrix: Matrix, share: float, seed: int) -> tuple[Matrix, Matrix]:
    csr = matrix.data.tocsr()
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    drawn = np.random.default_rng(seed).binomial(_whole(csr.data), share)
    fit, check = csr.copy(), csr.copy()
    fit.data, check.data = (csr.data - drawn).astype(csr.dtype), drawn.astype(csr.dtype)
    for part in (fit, check):
        part.eliminate_zeros()
    return replace(matrix, data=fit), replace(matrix, data=check)


def _whole(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return values as whole numbers; InputError where they are not counts."""
    counts = np.asarray(values).astype(np.int64)
    if values.dtype.kind == "f" and not np.array_equal(counts, values):
        raise InputError(
            "thinned",
            expected="counts (whole numbers)",
            got="numbers with a fraction",
            hint="scaled or averaged data cannot be split into independent counts; divide by the gain and round, "
            "or judge ranks by held-out entries",
        )
    if counts.size and counts.min() < 0:
        raise InputError("thinned", expected="counts >= 0", got=f"{counts.min()}", hint="")
    return counts


@dataclass(frozen=True, eq=False)
class _Thinned:
    """One part of the counts of a source, drawn when it is read."""

    data: Any
    n_scan_axes: int
    share: float
    seed: int
    part: Part
    token: str = field(default_factory=lambda: uuid4().hex)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(size) for size in self.data.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:
        key = key if isinstance(key, tuple) else (key,)
        scan, pattern = key[: self.n_scan_axes], key[self.n_scan_axes :]
        scan = (*scan, *(slice(None),) * (self.n_scan_axes - len(scan)))
        values = read(self.data, scan)
        shape = self.shape[: self.n_scan_axes]
        positions = np.arange(math.prod(shape)).reshape(shape)[scan].reshape(-1)
        rows = values.reshape(positions.size, -1)
        out = rows.copy() if self.part == "fit" else np.zeros_like(rows)
        for row, target, position in zip(rows, out, positions, strict=True):
            (lit,) = np.nonzero(row)
            drawn = np.random.default_rng([self.seed, 7, int(position)]).binomial(
                _whole(row[lit]), self.share
            )
            if self.part == "fit":
                target[lit] -= drawn.astype(rows.dtype)
            else:
                target[lit] = drawn
        return out.reshape(values.shape)[(*(slice(None),) * self.n_scan_axes, *pattern)]

    def __dask_tokenize__(self) -> tuple[str, str]:
        return ("thinned", self.token)
