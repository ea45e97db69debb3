"""Counts split into two independent halves of one experiment: one to fit, one to check what was fitted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
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

FEW = 31
"""Electrons up to which draws are looked up in a table."""

LEVELS = 65_536
"""Levels of the number that a draw is looked up by: probabilities are right to 1 in 130,000."""


def divisible(matrix: Matrix) -> bool:
    """Return whether data are taken for counts without a look at them: whole numbers by dtype, or of a known gain.

    Examples
    --------
    >>> means = np.full((4, 3), 0.75)
    >>> divisible(Matrix.from_array(means)), divisible(Matrix.from_array(means, gain=0.25))
    (False, True)
    """
    return matrix.gain != 1 or np.dtype(matrix.data.dtype).kind in "ui"


def thinned(matrix: Matrix, *, share: float = 0.2, seed: int = 0) -> tuple[Matrix, Matrix]:
    """Return the counts to fit and the counts to check with: every electron goes to the second with chance `share`.

    Poisson counts thinned binomially are Poisson counts with ``1 - share`` and ``share`` of the mean, independent of
    each other. Nothing is computed before the parts are read; each position draws from its own numbers, so that
    blocks may be read in any order and cut in any way. Weights and gain are those of the whole.

    With a gain g other than 1 a value x is taken for n electrons of x / n units each, n being ``floor(x / g)`` or one
    more, by chance, so that the mean of 1 / n is g / x (n = 1 where x < g)::

        check = x / n Binomial(n, s),    fit = x - check,    0 <= check <= x (nothing has to be clipped)
        E[check | x] = s x,              var[check | x] = s (1 - s) x min(g, x)
        Cov(fit, check) = s (1 - s) (var x - g E[x] + E[x (g - x)+])

    which is 0 where var x = g E[x] and no value lies between 0 and one electron. Multiples of g are split into
    multiples of g, as the electrons are.

    Parameters
    ----------
    matrix : Matrix
        Whole numbers >= 0; any finite numbers >= 0 where its gain is not 1. Parts have the dtype of the data where
        the gain is 1, or whole and the data integers; else float32. Where integers are no multiples of a whole
        gain, `check` is rounded up or down by chance, which takes at most 1/4 off the covariance.
    share : float, in (0, 1)
    seed : int

    Raises
    ------
    InputError
        When `share` is out of range, or the data are not counts (here, or as the parts are read).

    References
    ----------
    Sarkar & Stephens, Nat. Genet. 53, 770 (2021); Neufeld et al., Biostatistics 25, 270 (2024), on count splitting. The
    split of numbers that are no multiples of the gain is this project's own.

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
    coin = _Coin(share, float(matrix.gain), np.dtype(matrix.data.dtype))
    if hasattr(matrix.data, "tocsr"):
        return _sparse(matrix, coin, seed)
    if matrix.data.dtype.kind not in "uif":
        raise InputError("thinned", expected="counts", got=f"data of dtype {matrix.data.dtype}", hint="")
    parts = (_Thinned(matrix.data, matrix.n_scan_axes, coin, seed, part) for part in ("fit", "check"))
    if is_lazy(matrix.data):
        chunks = matrix.data.chunks
    else:
        row = math.prod(matrix.data.shape[1:]) * matrix.data.dtype.itemsize
        chunks = (max(1, CHUNK_BYTES // max(1, row)), *(-1,) * (matrix.data.ndim - 1))
    fit, check = (replace(matrix, data=wrap(part, chunks)) for part in parts)
    return fit, check


def _sparse(matrix: Matrix, coin: _Coin, seed: int) -> tuple[Matrix, Matrix]:
    csr = matrix.data.tocsr()
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    drawn = coin.check(csr.data, np.random.default_rng(seed))
    fit, check = csr.copy(), csr.copy()
    fit.data, check.data = (csr.data - drawn).astype(coin.dtype), drawn.astype(coin.dtype)
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
            hint="scaled or averaged data cannot be split into independent counts unless their gain is known: let "
            "poisson_weights measure it, or judge ranks by held-out entries",
        )
    if counts.size and counts.min() < 0:
        raise InputError("thinned", expected="counts >= 0", got=f"{counts.min()}", hint="")
    return counts


@dataclass(frozen=True)
class _Coin:
    """How values of one gain and dtype are split."""

    share: float
    gain: float
    source: np.dtype[Any]

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Of either part."""
        kept = self.gain == 1 or (self.source.kind in "ui" and self.gain.is_integer())
        return self.source if kept else np.dtype(np.float32)

    @cached_property
    def table(self) -> NDArray[np.uint8]:
        """Binomial numbers for 0 to `FEW` throws at every level of chance, flat."""
        from scipy.stats import binom

        chance = (np.arange(LEVELS) + 0.5) / LEVELS
        rows = [np.searchsorted(binom.cdf(np.arange(n + 1), n, self.share), chance) for n in range(FEW + 1)]
        return np.minimum(np.concatenate(rows), FEW).astype(np.uint8)

    def heads(self, n: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Return how many of n electrons, shape (b,), go to the second part."""
        level = rng.integers(0, LEVELS, n.shape, dtype=np.uint16)
        many = n > FEW
        # drawing one by one takes twenty times as long
        found = self.table[np.where(many, 0, n) * LEVELS + level].astype(np.int64)
        if many.any():
            found[many] = rng.binomial(n[many], self.share)
        return found

    def check(self, values: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Return what of each value goes to the second part, shape (b,); of the values' dtype where parts keep it."""
        if self.gain == 1:
            return self.heads(_whole(values), rng).astype(values.dtype)
        x = np.asarray(values, np.float64)
        if not np.all(np.isfinite(x)) or x.min(initial=0.0) < 0:
            raise InputError(
                "thinned",
                expected="finite numbers >= 0",
                got=f"values from {x.min():g} to {x.max():g}",
                hint="repair or mask bad pixels; check whether a background was subtracted from the recording",
            )
        units = x / self.gain
        low = np.floor(units)
        more = rng.random(x.shape) * units >= low * (low + 1 - units)
        n = np.maximum(low + more, 1.0)
        drawn = np.minimum(x / n * self.heads(n.astype(np.int64), rng), x)
        if self.dtype.kind == "f":
            return np.asarray(drawn)
        whole = np.floor(drawn)
        return np.asarray(whole + (rng.random(x.shape) < drawn - whole)).astype(values.dtype)


@dataclass(frozen=True, eq=False)
class _Thinned:
    """One part of the counts of a source, drawn when it is read."""

    data: Any
    n_scan_axes: int
    coin: _Coin
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
        return self.coin.dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:
        key = key if isinstance(key, tuple) else (key,)
        scan, pattern = key[: self.n_scan_axes], key[self.n_scan_axes :]
        scan = (*scan, *(slice(None),) * (self.n_scan_axes - len(scan)))
        values = read(self.data, scan)
        shape = self.shape[: self.n_scan_axes]
        positions = np.arange(math.prod(shape)).reshape(shape)[scan].reshape(-1)
        rows = values.reshape(positions.size, -1)
        out = rows.astype(self.dtype) if self.part == "fit" else np.zeros(rows.shape, self.dtype)
        for row, target, position in zip(rows, out, positions, strict=True):
            drawn = self.coin.check(row, np.random.default_rng([self.seed, 7, int(position)]))
            target[...] = row - drawn if self.part == "fit" else drawn
        return out.reshape(values.shape)[(*(slice(None),) * self.n_scan_axes, *pattern)]

    def __dask_tokenize__(self) -> tuple[str, str]:
        return ("thinned", self.token)
