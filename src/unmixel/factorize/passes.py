"""What least squares asks of the data, as tasks: products with a few rows, a norm, a misfit; one block at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from unmixel.core.errors import InputError
from unmixel.engines.walk import Block, Found, Task
from unmixel.factorize.contracts import Array, Between


def check_counts(values: Array, xp: Any) -> None:
    """Raise InputError where values (of the array namespace `xp`) are not finite or below zero."""
    if xp.isdtype(values.dtype, ("bool", "unsigned integer")) or 0 in values.shape:
        return
    low, high = float(xp.min(values)), float(xp.max(values))
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0:
        bad = (
            "NaN or infinity"
            if not (np.isfinite(low) and np.isfinite(high))
            else f"negative values ({low:g})"
        )
        raise InputError(
            "data",
            expected="finite counts >= 0",
            got=bad,
            hint="repair or mask bad pixels; check whether a background was subtracted from the recording",
        )


@dataclass(frozen=True, eq=False)
class Squares:
    """Sums of weighted squares.

    Parameters
    ----------
    pixels : array, shape (m,), or None
        Weights; None where all are 1.
    dtype : str
    """

    pixels: Array | None
    dtype: str

    def __call__(self, engine: Any, rows: Array, weights: Array) -> Array:
        """Return ``sum_i weights_i sum_j pixels_j rows_ij^2``, shape (), accumulated in float64."""
        xp, step = engine.xp, max(1, 4 * engine.tile // max(1, rows.shape[1]))
        # a few rows at a time: the copies stay in fast memory
        parts = (
            engine.asarray(rows[start : start + step, :], self.dtype)
            for start in range(0, rows.shape[0], step)
        )
        squares = xp.concat(
            [
                xp.linalg.vecdot(part, part) if self.pixels is None else (part * part) @ self.pixels
                for part in parts
            ]
        )
        return xp.sum(squares * weights, dtype=xp.float64)


@dataclass(frozen=True, eq=False)
class Norm2(Task):
    """Along: position weights (b,). Sums: the weighted squared norm; refuses what cannot be counts."""

    squares: Squares

    def __call__(self, engine: Any, block: Block, *along: Array) -> Found:
        """Return the weighted squared norm of a block."""
        (weights,) = along
        check_counts(block.values, engine.xp)
        return Found(sums=(self.squares(engine, engine.asarray(block.values), weights),))


@dataclass(frozen=True, eq=False)
class Mixed(Task):
    """Along: groups, factors and weights of the positions (numpy). Sums: rows mixed in groups (size, m), squared norm.

    Refuses what cannot be counts.
    """

    squares: Squares
    size: int

    def __call__(self, engine: Any, block: Block, *along: Array) -> Found:
        """Return the groups that a block has positions in, their sums and its weighted squared norm."""
        groups, factors, weights = along
        check_counts(block.values, engine.xp)
        values = engine.asarray(block.values)
        # a block of large patterns has fewer positions than there are groups
        present, own = np.unique(groups, return_inverse=True)
        sums, squares = engine.sum_rows(values, own, present.size, factors)
        if self.squares.pixels is not None:
            norm2 = self.squares(engine, values, engine.asarray(weights, self.squares.dtype))
        else:
            norm2 = engine.xp.sum(squares * engine.asarray(weights, "float64"))
        return Found(sums=((present.tolist(), sums), norm2))

    def add(self, total: Any, sums: tuple[Any, ...]) -> Any:
        """Return the total with the groups of one more block, each in its row."""
        (present, rows), norm2 = sums
        if total is None:
            shape = self.size, rows.shape[1]
            whole = array_namespace(rows).zeros(shape, dtype=rows.dtype, device=rows.device)
        else:
            whole = total[0]
        for group, row in zip(present, rows, strict=True):
            whole[group] += row
        return whole, norm2 if total is None else total[1] + norm2


@dataclass(frozen=True, eq=False)
class Misfit2(Task):
    """Along: maps (k, b) and position weights (b,). Sums: the weighted squared misfit."""

    squares: Squares
    patterns: Array

    def __call__(self, engine: Any, block: Block, *along: Array) -> Found:
        """Return the misfit of a block from its residuals."""
        maps, weights = along
        residuals = engine.asarray(block.values, self.squares.dtype) - maps.T @ self.patterns
        return Found(sums=(self.squares(engine, residuals, weights),))


@dataclass(frozen=True, eq=False)
class WithPatterns(Task):
    """Here: ``rows X_b'``, shape (l, b)."""

    rows: Array
    dtype: str

    def __call__(self, engine: Any, block: Block, *along: Array) -> Found:
        """Return the rows' products with a block."""
        return Found((engine.project(engine.operand(block.values, self.dtype), self.rows),))


@dataclass(frozen=True, eq=False)
class WithMaps(Task):
    """Along: rows (l, b). Sums: ``rows X_b``, shape (l, m)."""

    dtype: str

    def __call__(self, engine: Any, block: Block, *along: Array) -> Found:
        """Return the products of a block with what lies along it."""
        return Found(sums=(engine.combine(along[0], engine.operand(block.values, self.dtype)),))


@dataclass(frozen=True, eq=False)
class Overlap(Task):
    """Along: maps (l, b). Sums: ``sum_ij maps_li X_ij rows_lj``, shape (l,), in float64."""

    rows: Array
    dtype: str

    def __call__(self, engine: Any, block: Block, *along: Array) -> Found:
        """Return the overlaps with a block."""
        xp, values = engine.xp, engine.asarray(block.values, self.dtype)
        return Found(sums=(xp.sum(along[0] * (values @ self.rows.T).T, axis=1, dtype=xp.float64),))


@dataclass(frozen=True, eq=False)
class Through(Task):
    """Along: what `between` asks for. Sums: ``between(rows X_b') X_b``, and its own; `here` is that of `between`."""

    rows: Array
    between: Between
    dtype: str

    def __call__(self, engine: Any, block: Block, *along: Array) -> Found:
        """Return the products of a block with what `between` makes of its products with the rows."""
        operand = engine.operand(block.values, self.dtype)
        rows, found = self.between(engine.project(operand, self.rows), *along)
        return Found(found.here, (engine.combine(rows, operand), *found.sums))
