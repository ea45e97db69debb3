"""Where a factorisation begins: from the sketch of the data, from noise, or from what the user gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
from unmixel.factorize.contracts import Array
from unmixel.factorize.problem import Problem
from unmixel.factorize.sketch import Sketch, inverse_root

SketchMaker = Callable[[], Sketch]


def _placed(problem: Problem, maps: NDArray[Any], patterns: NDArray[Any]) -> tuple[Array, Array]:
    """Return host arrays (k, n), (k, m) as feasible Z of both sides."""
    placed = []
    for side, values in ((problem.maps, maps), (problem.patterns, patterns)):
        z = side.fold(side.engine.asarray(np.ascontiguousarray(values), side.dtype))
        # free samples that no used sample depends on would keep their first value for ever
        placed.append(side.project(side.xp.where(side.majoriser > 0, z, side.xp.zeros_like(z))))
    return placed[0], placed[1]


@dataclass(frozen=True)
class RandomStart:
    """Uniform random numbers at the scale of the data.

    Examples
    --------
    >>> RandomStart().name
    'random'
    """

    name: ClassVar[str] = "random"

    def make(self, problem: Problem, *, sketch: SketchMaker, seed: int) -> tuple[Array, Array]:
        """Return random Z of both sides."""
        rng = np.random.default_rng(seed)
        n, m, k = problem.maps.grid.size, problem.patterns.grid.size, problem.n_components
        used = float(np.sum(problem.maps.engine.to_host(problem.maps.weights))) * float(
            np.sum(problem.patterns.engine.to_host(problem.patterns.weights))
        )
        level = np.sqrt(problem.products.norm2 / max(used, 1e-30))
        return _placed(problem, rng.random((k, n)) * level * 2 / k, rng.random((k, m)))


@dataclass(frozen=True)
class SvdStart:
    """Non-negative double singular value decomposition, zeros filled with a small share of the mean.

    References
    ----------
    Boutsidis & Gallopoulos, Pattern Recognit. 41, 1350 (2008).

    Examples
    --------
    >>> SvdStart().name
    'svd'
    """

    name: ClassVar[str] = "svd"
    references: ClassVar = papers("boutsidis2008")

    def make(self, problem: Problem, *, sketch: SketchMaker, seed: int) -> tuple[Array, Array]:
        """Return Z made from the leading singular vectors."""
        low, k = sketch(), problem.n_components
        left = low.left.T * inverse_root(low.root_positions)
        right = low.right * inverse_root(low.root_pixels)
        maps = np.zeros((k, left.shape[1]))
        patterns = np.zeros((k, right.shape[1]))
        for j in range(min(k, len(low.values))):
            signs = [(np.maximum(s * left[j], 0), np.maximum(s * right[j], 0)) for s in (1.0, -1.0)]
            sizes = [float(np.linalg.norm(a) * np.linalg.norm(b)) for a, b in signs]
            u, v = signs[int(np.argmax(sizes))]
            norm_u, norm_v = np.linalg.norm(u) or 1.0, np.linalg.norm(v) or 1.0
            root = np.sqrt(low.values[j] * max(sizes))
            maps[j], patterns[j] = root * u / norm_u, root * v / norm_v
        rng = np.random.default_rng(seed)
        for factor in (maps, patterns):
            fill = 0.01 * factor.mean() * (0.5 + rng.random(factor.shape))
            factor[...] = np.where(factor > 0, factor, fill)
        return _placed(problem, maps, patterns)


@dataclass(frozen=True)
class PursuitStart:
    """Successive projection: the positions whose smoothed, whitened patterns differ most from the mean.

    Positions and pixels are smoothed by the adjoint of the constraints (the matched filter of the probe and of the
    direct beam), so that noise does not pass for a structure. The first component is the mean.

    Parameters
    ----------
    smoothing : int, >= 0
        How often the matched filter is applied over the positions.

    References
    ----------
    Araujo et al., Chemom. Intell. Lab. Syst. 57, 65 (2001); Gillis & Vavasis, IEEE TPAMI 36, 698 (2014).

    Examples
    --------
    >>> PursuitStart().name
    'pursuit'
    """

    smoothing: int = 2
    name: ClassVar[str] = "pursuit"
    references: ClassVar = papers("araujo2001", "gillis2014")

    def make(self, problem: Problem, *, sketch: SketchMaker, seed: int) -> tuple[Array, Array]:
        """Return Z: patterns of the chosen positions, maps by their overlap with the data."""
        low, k = sketch(), problem.n_components
        scores = self._smoothed(problem, low)
        chosen = _successive_projection(scores * low.values, k - 1)
        mean = np.clip((low.left * low.values).mean(axis=0) @ low.right, 0, None)
        rows = np.clip((scores[chosen] * low.values) @ low.right, 0, None)
        patterns = np.vstack([mean, rows])
        if len(patterns) < k:
            extra = np.random.default_rng(seed).random((k - len(patterns), patterns.shape[1]))
            patterns = np.vstack([patterns, extra * patterns.mean()])
        unit = patterns / np.maximum(np.linalg.norm(patterns, axis=1, keepdims=True), 1e-30)
        overlap = np.clip((low.left * low.values) @ (low.right @ unit.T), 0, None).T
        # each position starts from its best-fitting components, so that maps begin localised
        share = overlap**4 / np.maximum((overlap**4).sum(axis=0, keepdims=True), 1e-30)
        maps = overlap * share * inverse_root(low.root_positions)
        return _placed(problem, maps, unit * inverse_root(low.root_pixels))

    def _smoothed(self, problem: Problem, low: Sketch) -> NDArray[Any]:
        """Return the left factor smoothed over positions, shape (n, l)."""
        side = problem.maps
        if not side.linear:
            return low.left
        linear = tuple(operator for operator in side.linear if not getattr(operator, "outermost", False))
        wide = replace(side, linear=linear, n_components=low.left.shape[1])
        images = wide.fold(wide.engine.asarray(np.ascontiguousarray(low.left.T), wide.dtype))
        for _ in range(self.smoothing):
            images = wide.forward(images)
        return np.asarray(wide.engine.to_host(wide.flat(images)).T, np.float64)


def _successive_projection(rows: NDArray[Any], count: int) -> list[int]:
    """Return indices of `count` rows, each the one farthest from the span of the mean and those before."""
    mean = rows.mean(axis=0)
    mean = mean / max(float(np.linalg.norm(mean)), 1e-30)
    rest = rows - np.outer(rows @ mean, mean)
    chosen: list[int] = []
    for _ in range(count):
        norms = np.einsum("ij,ij->i", rest, rest)
        best = int(np.argmax(norms))
        if norms[best] <= 1e-12 * float(np.einsum("ij,ij->", rows, rows)):
            break
        chosen.append(best)
        direction = rest[best] / np.sqrt(norms[best])
        rest = rest - np.outer(rest @ direction, direction)
    return chosen


@dataclass(frozen=True, eq=False)
class GivenStart:
    """The user's own maps and patterns, or those of an earlier run.

    Parameters
    ----------
    maps : ndarray, shape (k, *scan_shape) or (k, n), >= 0
    patterns : ndarray, shape (k, *pattern_shape) or (k, m), >= 0

    Examples
    --------
    >>> GivenStart(np.ones((2, 6)), np.ones((2, 4))).name
    'given'
    """

    maps: NDArray[Any]
    patterns: NDArray[Any]
    name: ClassVar[str] = "given"

    @classmethod
    def example(cls, problem: Problem) -> GivenStart:
        """Return the start that gives ones to a problem; the laws of starts are tried on it."""
        k = problem.n_components
        return cls(np.ones((k, problem.maps.grid.size)), np.ones((k, problem.patterns.grid.size)))

    def make(self, problem: Problem, *, sketch: SketchMaker, seed: int) -> tuple[Array, Array]:
        """Return the given factors as Z."""
        k = problem.n_components
        wanted = (k, problem.maps.grid.size), (k, problem.patterns.grid.size)
        given = [np.asarray(f, np.float64).reshape(len(f), -1) for f in (self.maps, self.patterns)]
        if (given[0].shape, given[1].shape) != wanted:
            raise InputError(
                "start",
                expected=f"maps and patterns of shapes {wanted[0]} and {wanted[1]}",
                got=f"{given[0].shape} and {given[1].shape}",
                hint="give k maps and k patterns on the prepared grid",
            )
        return _placed(problem, given[0], given[1])
