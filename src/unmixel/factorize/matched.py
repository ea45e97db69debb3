"""The sketch for blurred factors: what lies in reach of probe and spot shape, seen through them.

Small particles in much noise are far below the edge of the noise of the plain spectrum: its leading singular vectors
are noise, and a sketch of them has lost the particles. But where maps are ``W = Z P`` and patterns ``H = Y Q``, a
solver only ever asks for ``P' A Q'``, in which noise is weaker by both kernels and particles are not. So the range
finder smooths the directions on either side as it sharpens them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.factorize.contracts import DataProducts
from unmixel.factorize.problem import Side
from unmixel.factorize.sketch import OVERSAMPLING, fitting, leading, mixed_positions
from unmixel.factorize.state import SketchState

Float = NDArray[np.float64]

PLAIN = 8
"""Leading directions that are kept as they are: those of the strong components, which need no smoothing to be seen."""


def matched_width(n_components: int) -> int:
    """Return the width of a matched sketch for a number of components: noise has left room for more of them."""
    return 3 * n_components + 10


def blurred(side: Side) -> bool:
    """Return whether a side is made from its free variable by more than fixed components."""
    return bool(_operators(side))


def matched_passes(
    products: DataProducts,
    matrix: Matrix,
    sides: tuple[Side, Side],
    *,
    width: int,
    seed: int = 0,
    begin: SketchState | None = None,
) -> Iterator[SketchState]:
    """Yield where a matched sketch stands after each of its four passes over the data A.

    Positions are summed with random signs; the leading rows of the sums, smoothed over pixels by ``Q'Q``, are
    sharpened once: ``A B'`` is smoothed over positions by ``P P'``, multiplied by A and smoothed over pixels again. The
    last pass gives A along these rows, and along the few leading ones as they were.

    Parameters
    ----------
    products : DataProducts
        The data.
    matrix : Matrix
        For shapes and weights.
    sides : (Side, Side)
        Maps and patterns with their linear constraints bound.
    width : int
        Rank of the sketch; cut to the smaller side of the matrix.
    seed : int
    begin : SketchState, optional
        Where an earlier sketch of the same data stood.
    """
    maps, patterns = sides
    engine, dtype = maps.engine, maps.dtype
    weights = matrix.position_weights, matrix.pixel_weights
    root_n, root_m = (np.sqrt(weight) for weight in weights)
    width = max(1, min(width, *(int(np.count_nonzero(weight)) for weight in weights)))
    plain = min(PLAIN, width)

    def put(rows: NDArray[Any]) -> Any:
        return engine.asarray(np.ascontiguousarray(rows), dtype)

    def joined(raw: Float, smooth: Float) -> NDArray[Any]:
        # the plain ones first: the others keep what they add to those
        rows = np.concatenate([raw, smooth / np.linalg.norm(smooth)])
        basis = np.linalg.qr(rows.T)[0].T[:width]
        return np.ascontiguousarray(basis.astype(dtype))

    if begin is None:
        mixed = engine.to_host(mixed_positions(products, matrix, OVERSAMPLING * width, seed)) * root_m
        smooth = leading(_smoothed(patterns, mixed * root_m) * root_m, width - plain)
        state = SketchState(1, products.norm2, joined(_unit(leading(mixed, plain)), smooth), *weights)
    else:
        state = fitting(begin, width, matrix)
    yield state
    if state.passes == 1:
        along = engine.to_host(products.with_patterns(put(state.basis * root_m))) * root_n
        state = replace(state, passes=2, core=np.ascontiguousarray(along.astype(dtype)))
        yield state
    if state.passes == 2:
        rows = put(_smoothed(maps, state.core.astype(np.float64) * root_n) * root_n * root_n)
        sharper = engine.to_host(products.with_maps(rows)).astype(np.float64) * root_m
        smooth = leading(_smoothed(patterns, sharper * root_m) * root_m, width - plain)
        basis = joined(state.basis[:plain].astype(np.float64), smooth)
        state = replace(state, passes=3, basis=basis, core=state.core[:0])
        yield state
    if state.passes == 3:
        core = engine.to_host(products.with_patterns(put(state.basis * root_m))) * root_n
        yield replace(state, passes=4, core=np.ascontiguousarray(core.astype(dtype)))


def _operators(side: Side) -> tuple[Any, ...]:
    return tuple(operator for operator in side.linear if not getattr(operator, "outermost", False))


def _smoothed(side: Side, images: Float) -> Float:
    """Return images (l, size) after the linear part of a side and its adjoint."""
    if not blurred(side):
        return images
    wide = replace(side, linear=_operators(side), n_components=len(images))
    z = wide.fold(side.engine.asarray(np.ascontiguousarray(images), side.dtype))
    there = wide.forward(wide.adjoint(z)) - wide.forward(wide.adjoint(z * 0))
    return np.asarray(side.engine.to_host(wide.flat(there)), np.float64)


def _unit(rows: Float) -> Float:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1.0))
