"""Where noise ends: singular values that noise alone reaches, and those of the data that go beyond."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.rank import NoiseEdge
from unmixel.factorize.contracts import Array, DataProducts
from unmixel.factorize.problem import Problem, Side
from unmixel.factorize.sketch import Sketch

TRACY_WIDOM = 2.02
"""99 % quantile of the Tracy-Widom law of real noise: the largest value of noise stays below it in 99 of 100 cases."""

CHANCE = 0.01
"""Chance that one of the components that are looked at is noise and stands above the edge all the same."""

DRAWS = 20
"""Simulated noises, the strongest of which sets the edge of filtered data."""

SPREAD = 0.38
"""Share of the positions that a direction takes part in, above which it fills the scan; noise has 1/3."""

CLEAR = 1.05
"""Times the edge of the noise: directions below are mixed with noise, which takes part everywhere."""

FAINT = 0.01
"""Modes that a filter passes with less than this share of the power of its best hold none of the strongest noise."""

ENTRIES = 2_000_000
"""Modes times modes that are simulated at most; of larger data as many, in proportion."""


def white_edge(n: int, m: int) -> float:
    """Return the singular value that an n x m matrix of white noise of variance 1 stays below.

    The Marchenko-Pastur edge and what Tracy and Widom's law adds to it for finite sizes::

        x^2 = (sqrt n + sqrt m)^2 + q (sqrt n + sqrt m) (1 / sqrt n + 1 / sqrt m)^(1/3)

    Parameters
    ----------
    n, m : int
        Positions and pixels that hold noise: those with a weight.

    References
    ----------
    Johnstone, Ann. Stat. 29, 295 (2001).

    Examples
    --------
    >>> round(white_edge(4096, 4096), 1), 2 * 4096**0.5
    (128.3, 128.0)
    """
    root = np.sqrt(float(n)) + np.sqrt(float(m))
    scale = root * (1 / np.sqrt(float(n)) + 1 / np.sqrt(float(m))) ** (1 / 3)
    return float(np.sqrt(root**2 + TRACY_WIDOM * scale))


def filtered_edge(rows: NDArray[np.float64], columns: NDArray[np.float64], *, seed: int = 0) -> float:
    """Return the singular value that white noise of variance 1 stays below after two filters.

    Noise whose filters pass their modes with powers a and b has the singular values of ``sqrt(a_i) G_ij sqrt(b_j)``,
    G white. Strong modes of smooth filters are few, so that a limit formula would lie several per cent too high: the
    edge is the largest value of `DRAWS` simulated noises (parallel analysis).

    Parameters
    ----------
    rows, columns : ndarray, shape (n,) and (m,), >= 0
        Powers a and b.
    seed : int

    References
    ----------
    Horn, Psychometrika 30, 179 (1965).

    Examples
    --------
    >>> 18.0 < filtered_edge(np.ones(100), np.ones(100)) < 21.0
    True
    """
    from scipy.sparse.linalg import svds

    rows, columns = (np.sort(power[power > FAINT * power.max()])[::-1] for power in (rows, columns))
    stride = max(1, int(np.ceil(np.sqrt(rows.size * columns.size / ENTRIES))))
    a, b = (np.sqrt(power[stride // 2 :: stride]) for power in (rows, columns))
    rng = np.random.default_rng(seed)
    largest = 0.0
    for _ in range(DRAWS):
        noise = rng.standard_normal((a.size, b.size)) * np.outer(a, b)
        top = (
            svds(noise, k=1, return_singular_vectors=False, rng=rng)
            if min(noise.shape) > 8
            else [np.linalg.norm(noise, 2)]
        )
        largest = max(largest, float(top[0]))
    return largest * float(np.sqrt(stride))


def component_edge(candidates: int) -> float:
    """Return the standard score that the best of so many components of noise stays below in 99 of 100 scans.

    A component that was found in some electrons and is looked for in others, which are independent of them, has a
    standard normal score there if it is noise, whatever the number of positions and pixels it was found among. With K
    of them the largest score exceeds x with a chance of at most ``K Q(x)``, Q the upper tail of the normal law.

    Parameters
    ----------
    candidates : int
        Components that were looked for.

    References
    ----------
    Bonferroni's inequality; trials factor: Gross & Vitells, Eur. Phys. J. C 70, 525 (2010).

    Examples
    --------
    >>> round(component_edge(1), 2), round(component_edge(60), 2)
    (2.33, 3.59)
    """
    from scipy.special import ndtri

    return float(-ndtri(CHANCE / max(1, candidates)))


def n_spread(low: Sketch) -> int:
    """Return how many independent patterns fill the scan, at least 1: a matrix, a second one, a drift of the beam.

    Counted are the directions of the sketch above the edge of the noise whose left singular vector u takes part in
    more than `SPREAD` of the positions, ``(sum u^2)^2 / (n sum u^4)``. Noise has 1/3 (normal entries), particles have
    their share of the scan.

    Parameters
    ----------
    low : Sketch

    References
    ----------
    Participation ratio: Bell & Dean, Discuss. Faraday Soc. 50, 55 (1970).
    """
    return max(1, int(np.count_nonzero(_fills(low))))


def only_spread(low: Sketch) -> Sketch:
    """Return the part of a sketch that fills the scan, as if nothing else were in the data."""
    kept = np.flatnonzero(_fills(low))
    left, values, right = low.left[:, kept], low.values[kept], low.right[kept]
    return replace(
        low, left=left, values=values, right=right, norm2=float(np.sum(values.astype(np.float64) ** 2))
    )


def _fills(low: Sketch) -> NDArray[np.bool_]:
    used = np.asarray(low.root_positions) > 0
    sizes = int(np.count_nonzero(used)), int(np.count_nonzero(low.root_pixels))
    values, left = np.asarray(low.values, np.float64), np.asarray(low.left, np.float64)[used]
    above = values > CLEAR * white_edge(*sizes) * _noise(low.norm2, values, sizes, white_edge(*sizes))
    fourth = np.sum(left**4, axis=0)
    part = np.divide(
        np.sum(left**2, axis=0) ** 2, sizes[0] * fourth, out=np.zeros_like(fourth), where=fourth > 0
    )
    return np.asarray(above & (part > SPREAD))


@dataclass(frozen=True, eq=False)
class Filter:
    """Correlation with what every component of a side is blurred with: the matched filter of the physics.

    Parameters
    ----------
    side : Side
        With nothing but the constraints that blur every component alike.
    root : ndarray, shape (grid.size,)
        Square roots of the weights: noise is even where they are above 0, and absent elsewhere.
    """

    side: Side
    root: NDArray[np.float64]

    @classmethod
    def of(cls, side: Side, root: NDArray[Any]) -> Filter:
        """Return that of a side of a problem."""
        linear = tuple(operator for operator in side.linear if not getattr(operator, "outermost", False))
        return cls(replace(side, linear=linear), np.asarray(root, np.float64))

    @property
    def names(self) -> tuple[str, ...]:
        """The side's name where it blurs at all."""
        return (self.side.name,) if self.side.linear else ()

    @property
    def used(self) -> int:
        """Number of samples with noise."""
        return int(np.count_nonzero(self.root))

    @cached_property
    def kernel(self) -> NDArray[np.float64]:
        """What `gather` correlates with: the transpose's answer in the middle of the grid, odd along every axis."""
        shape, engine = self.side.grid.shape, self.side.engine
        middle = tuple(length // 2 for length in shape)
        impulse = np.zeros((1, *shape))
        impulse[(0, *middle)] = 1.0
        answer = engine.to_host(
            replace(self.side, n_components=1).adjoint(engine.asarray(impulse, self.side.dtype))
        )
        image = np.asarray(answer, np.float64)[0]
        away = np.stack(
            [np.abs(i - m) for i, m in zip(np.nonzero(image > 1e-6 * image.max()), middle, strict=True)]
        )
        reach = [
            min(int(far), (length - 1) // 2) for far, length in zip(away.max(axis=1), shape, strict=True)
        ]
        kernel: NDArray[np.float64] = image[
            tuple(slice(m - half, m + half + 1) for m, half in zip(middle, reach, strict=True))
        ]
        return kernel

    def blur(self, rows: Array) -> Array:
        """Return the transpose of `gather`, of flat rows (l, grid.size)."""
        return self._convolved(rows, np.flip(self.kernel)) if self.side.linear else rows

    def gather(self, rows: Array) -> Array:
        """Return flat rows correlated with the kernel, zero outside the grid: noise is nowhere stronger than inside.

        (The constraint's own operator keeps flat images flat up to the border, and makes noise stronger there.)
        """
        return self._convolved(rows, self.kernel) if self.side.linear else rows

    def _convolved(self, rows: Array, kernel: NDArray[np.float64]) -> Array:
        from scipy.signal import oaconvolve

        engine, shape = self.side.engine, self.side.grid.shape
        images = np.asarray(engine.to_host(rows), np.float64).reshape(-1, *shape)
        found = oaconvolve(images, kernel[None], mode="same", axes=tuple(range(1, images.ndim)))
        return engine.asarray(np.ascontiguousarray(found.reshape(len(images), -1)), self.side.dtype)

    def powers(self) -> NDArray[np.float64]:
        """Return the powers with which the modes of noise in the used samples pass `gather`, shape (used,).

        Those of the Fourier modes of the whole grid, in the numbers that the used part of it has: borders, where
        noise is weaker, are left aside, so that the edge lies one to two per cent too high rather than too low.
        """
        shape = self.side.grid.shape
        power = np.sort(np.abs(np.fft.fftn(self.kernel, s=shape, axes=range(len(shape)))).reshape(-1) ** 2)
        places = (np.arange(self.used) + 0.5) / self.used * power.size - 0.5
        return np.asarray(np.interp(places, np.arange(power.size), power))


def noise_edges(low: Sketch, products: DataProducts, problem: Problem) -> tuple[NoiseEdge, NoiseEdge]:
    """Return which singular values leave the noise: of the data as they are, and seen through the physics.

    Filtered data are ``S D T``: the whitened data D correlated with the probe over positions and with the beam's
    shape over pixels. Components lose little by it and noise most of its power, so that small crystals in much
    noise rise above it. Four passes over the data; none where no constraint blurs.

    Parameters
    ----------
    low : Sketch
        Of the data as they are, wider than the number of components that are looked for.
    products : DataProducts
        Of the data that were sketched.
    problem : Problem
        Whose linear constraints are the physics.

    Notes
    -----
    ``noise^2`` is what the values above the edge leave, ``(|X|^2 - sum s_i^2) / ((n - r)(m - r))``, r from the
    edge and the edge from it until both stand (Kritchman & Nadler, IEEE TSP 57, 3930 (2009)). Masked positions and
    pixels hold no noise and are not counted. All values are those of a projection of the data: never too large.
    """
    filters = Filter.of(problem.maps, low.root_positions), Filter.of(problem.patterns, low.root_pixels)
    sizes = filters[0].used, filters[1].used
    values = np.asarray(low.values, np.float64)
    white = white_edge(*sizes)
    noise = _noise(low.norm2, values, sizes, white)
    plain = NoiseEdge(values, white * noise, noise)
    names = (*filters[0].names, *filters[1].names)
    if not names:
        return plain, plain
    edge = filtered_edge(filters[0].powers(), filters[1].powers())
    return plain, NoiseEdge(_filtered_values(low, products, *filters), edge * noise, noise, names)


def _filtered_values(
    low: Sketch, products: DataProducts, maps: Filter, patterns: Filter, *, rounds: int = 2
) -> NDArray[np.float64]:
    """Return the leading singular values of the filtered data, by power steps from the sketch's directions."""
    engine, xp = low.engine, low.engine.xp
    root_n, root_m = (engine.asarray(part.root, low.dtype) for part in (maps, patterns))
    rows = engine.asarray(np.ascontiguousarray(low.right), low.dtype)
    for _ in range(rounds):
        along = maps.gather(products.with_patterns(patterns.blur(rows) * root_m) * root_n)
        both = patterns.gather(products.with_maps(maps.blur(along) * root_n) * root_m)
        rows = xp.astype(xp.linalg.qr(xp.astype(both, xp.float64).T)[0].T, both.dtype)
    along, both = (engine.to_host(xp.astype(part, xp.float64)) for part in (along, both))
    triangle = np.linalg.qr(along.T)[1]
    return np.asarray(np.linalg.svd(np.linalg.pinv(triangle.T) @ both, compute_uv=False), np.float64)


def _noise(norm2: float, values: NDArray[np.float64], sizes: tuple[int, int], white: float) -> float:
    """Return the noise of one entry, without the values above its edge."""
    above = 0
    while True:
        freedom = (sizes[0] - above) * (sizes[1] - above)
        rest = max(norm2 - float(np.sum(values[:above] ** 2)), 0.0)
        noise = float(np.sqrt(rest / freedom)) if freedom > 0 else 0.0
        more = int(np.count_nonzero(values > white * noise))
        if more <= above or freedom <= 0:
            return noise
        above = more
