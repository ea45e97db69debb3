"""Where a factorisation stands between its passes: all that is kept to go on from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _nothing() -> NDArray[np.floating[Any]]:
    return np.zeros((0, 0))


@dataclass(frozen=True, eq=False)
class SketchState:
    """Where a sketch stands after a pass over the data: enough to go on from, exactly.

    Parameters
    ----------
    passes : int
        Passes done so far.
    norm2 : float
        Weighted squared norm of the data.
    basis : ndarray, shape (l, m)
        Orthonormal directions of the weighted data.
    core : ndarray, shape (l, n)
        The weighted data along them, known after the last pass.
    position_weights, pixel_weights : ndarray
        Weights under which the data were sketched.
    """

    passes: int
    norm2: float
    basis: NDArray[np.floating[Any]]
    position_weights: NDArray[np.float64]
    pixel_weights: NDArray[np.float64]
    core: NDArray[np.floating[Any]] = field(default_factory=_nothing)


@dataclass(frozen=True, eq=False)
class State:
    """Where a factorisation stands after the solve on the sketch, a sweep or a pass: enough to go on from, exactly.

    Parameters
    ----------
    sweep : int
        Exact sweeps over the data done so far; 0 after the solve on the sketch.
    objective : tuple of float
        Full objective at the start and after each sweep; empty where it is not known yet.
    maps, patterns : ndarray, shape (k, n) and (k, m)
        The free variables Z of both sides, on the host.
    noise : float
        Standard deviation of the noise that penalties were tied to (NaN where none needed it).
    trail : ndarray, shape (p, 2, k, m)
        Patterns at the begin and the end of the last sweeps, which the extrapolation goes on from.
    norm2 : float
        Weighted squared norm of the data (NaN where it is not known).
    by_patterns, by_maps : ndarray, shape (k, n) and (k, m)
        Products of the data with both factors as they stand, where they are known; empty elsewhere.
    sketch_sweeps : int
        Sweeps that were done on the sketch.
    settled : ndarray, shape (k, n)
        Once the sweeps have ended: the maps that are the best for the patterns (at unit norm); empty before.
    refined : str
        What refinements did before the sweeps, as JSON; empty where there were none.
    widths : str
        How wide kernels were found to be whose widths were open, as JSON; empty where none was.
    places : ndarray of bool, shape (k, *scan_shape)
        Positions that refinements left to each component; empty where each may be anywhere.
    shown : callable or None
        Returns the factors as they stand: maps (k, n) in counts and patterns (k, m) of sum 1 over used pixels. It is
        not kept on disk: nothing goes on from them.
    """

    sweep: int
    objective: tuple[float, ...]
    maps: NDArray[np.floating[Any]]
    patterns: NDArray[np.floating[Any]]
    noise: float = float("nan")
    trail: NDArray[np.floating[Any]] = field(default_factory=lambda: np.zeros((0, 2, 0, 0)))
    norm2: float = float("nan")
    by_patterns: NDArray[np.floating[Any]] = field(default_factory=_nothing)
    by_maps: NDArray[np.floating[Any]] = field(default_factory=_nothing)
    sketch_sweeps: int = 0
    settled: NDArray[np.floating[Any]] = field(default_factory=_nothing)
    refined: str = ""
    widths: str = ""
    places: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    shown: Callable[[], tuple[NDArray[Any], NDArray[Any]]] | None = field(
        default=None, repr=False, metadata={"kept": False}
    )
