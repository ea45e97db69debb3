"""A sketch of data that pass by only once: frame by frame, in any order, in parts that are merged.

Two small matrices stand in for the data ``A = sqrt(r) X sqrt(w)``, n positions x m pixels:

- **scores** ``Y = A T``, shape (n, l): every frame seen through l test patterns. A frame fills its own row.
- **mixtures** ``Z = M' A``, shape (s, m): every frame added, with coefficients, to s running patterns.

``A ~ Q (M' Q)^+ Z``, Q an orthonormal basis of Y's columns. How frames are mixed decides what is recovered:

- `ByScores`, ``M = Y``: then ``(Y' Q)^+ Y' A = Q' A``, the exact projection on Q, no matter how noisy the frames are.
  Not linear in the frames: each must arrive whole.
- `BySigns`, M random: linear in the data, so that frames may arrive in parts that add up. The mixtures carry the noise
  of all frames at once, and on counts the error of what is recovered is several times larger.

References
----------
Tropp, Yurtsever, Udell & Cevher, SIAM J. Matrix Anal. Appl. 38, 1454 (2017) for random mixtures and SIAM J. Sci.
Comput. 41, A2430 (2019) for sparse signs; Yu, Gu, Li, Liu & Li, IJCAI 26, 3350 (2017) for mixing by scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Grid
from unmixel.factorize.mixing import ByScores, Mixing
from unmixel.factorize.sketch import Sketch

AIMED_SHARE = 1 / 2
"""Share of the test patterns that follow the patterns given as `aim`; the rest is random, for the unforeseen."""

PART = 1 << 22
"""Numbers of a block that are cast and multiplied at a time (16 MB in float32: more is slower); 1/16 is squared."""

SMALLEST_SHARE = 1e-11
"""Directions of the scores with less than this share of the largest's energy are rounding and left out."""

_PARTS = ("test", "root_positions", "root_pixels", "scores", "mixtures")


@dataclass(eq=False)
class StreamSketch:
    """A sketch that grows while data arrive; made by `begin`.

    Memory: ``(n + m) l + s m`` numbers of `dtype`, and never a copy of the data (n positions, m pixels, l = `width`,
    s = l for `ByScores` and ``fold * l`` for `BySigns`). A million positions of 256 x 256 pixels at width 70 take
    0.32 GB in float32. Time: about ``4 l`` operations per pixel and frame.

    Parameters
    ----------
    test : ndarray, shape (m, l + p)
        Test patterns times the square roots of the pixel weights; then the masks of `with_masks`, as they are.
    root_positions, root_pixels : ndarray of float64
        Square roots of the weights.
    grids : (Grid, Grid)
        Of the scan and of the patterns.
    mixing, seed : Mixing, int
    scores : ndarray, shape (n, l)
    mixtures : ndarray, shape (s, m)
        Mixed frames, not yet multiplied by the roots of the pixel weights.
    seen : ndarray of int, shape (n,)
        How often each position has arrived.
    norm2 : float
        Weighted squared norm of what arrived: of the data, unless parts of one frame had pixels in common.

    Examples
    --------
    >>> from unmixel.engines.numpy_engine import NumpyEngine
    >>> X = np.arange(1, 7)[:, None] * np.arange(1, 6)
    >>> stream = StreamSketch.begin((Grid((6,), (1.0,)), Grid((5,), (1.0,))), width=2)
    >>> for part in ([4, 5, 0], [3, 2, 1]):
    ...     sums = stream.update(part, X[part])
    >>> low = stream.finish(NumpyEngine())
    >>> np.allclose(low.left * low.values @ low.right, X, rtol=1e-5)
    True
    """

    test: NDArray[Any]
    root_positions: NDArray[np.float64]
    root_pixels: NDArray[np.float64]
    grids: tuple[Grid, Grid]
    mixing: Mixing
    seed: int
    scores: NDArray[Any] = field(repr=False)
    mixtures: NDArray[Any] = field(repr=False)
    seen: NDArray[np.int64] = field(repr=False)
    norm2: float = 0.0

    @classmethod
    def begin(
        cls,
        grids: tuple[Grid, Grid],
        *,
        width: int,
        position_weights: ArrayLike | None = None,
        pixel_weights: ArrayLike | None = None,
        aim: ArrayLike | None = None,
        mixing: Mixing | None = None,
        seed: int = 0,
        dtype: str = "float32",
    ) -> StreamSketch:
        """Return an empty sketch.

        Parameters
        ----------
        grids : (Grid, Grid)
            Of the whole scan and of the patterns.
        width : int, >= 1
            Rank of the sketch, cut to the positions and pixels that have weight; 2 k + 10 for k components.
        position_weights, pixel_weights : array_like, n and m numbers >= 0, optional
        aim : array_like, shape (p, m), optional
            Patterns like those to come: the first few hundred frames, a quick scan of low dose, an earlier result.
            Half of the test patterns follow them; the rest catches what they do not show.
        mixing : Mixing, optional
            `ByScores` unless given.
        seed : int, >= 0
        dtype : "float32" or "float64"

        Raises
        ------
        InputError
            When shapes, weights or patterns do not fit one another or are not finite.
        """
        n, m = (grid.size for grid in grids)
        if min(n, m, width) < 1 or dtype not in ("float32", "float64"):
            raise InputError(
                "grids, width, dtype",
                expected="at least one position and pixel, a width >= 1, float32 or float64",
                got=f"{n} x {m}, {width} and {dtype}",
                hint="give the grids of the whole scan, and 2 k + 10 for k components",
            )
        root_n, root_m = _roots(position_weights, n, "position"), _roots(pixel_weights, m, "pixel")
        width = min(int(width), int(np.count_nonzero(root_n)), int(np.count_nonzero(root_m)))
        test = _test_patterns(root_m, width, _aimed(aim, root_m, width), seed)
        mixing = ByScores() if mixing is None else mixing
        return cls(
            test=(test * root_m[:, None]).astype(dtype),
            root_positions=root_n,
            root_pixels=root_m,
            grids=grids,
            mixing=mixing,
            seed=seed,
            scores=np.zeros((n, width), dtype),
            mixtures=np.zeros((mixing.n_mixtures(width), m), dtype),
            seen=np.zeros(n, np.int64),
        )

    def fresh(self) -> StreamSketch:
        """Return an empty sketch that can be merged with this one, e.g. for another worker."""
        return replace(
            self,
            scores=np.zeros_like(self.scores),
            mixtures=np.zeros_like(self.mixtures),
            seen=np.zeros_like(self.seen),
            norm2=0.0,
        )

    def with_masks(self, masks: NDArray[Any]) -> StreamSketch:
        """Return an empty sketch whose `update` gives the sums of frames over masks (m, p), from the same product."""
        own = self.test[:, : self.width]
        return replace(self.fresh(), test=np.hstack([own, masks.astype(own.dtype)]))

    @property
    def width(self) -> int:
        """Number of scores per frame."""
        return int(self.scores.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(getattr(self, name).nbytes for name in (*_PARTS, "seen"))

    def update(self, positions: ArrayLike, values: ArrayLike) -> NDArray[Any]:
        """Take in some frames and return their unweighted sums over the p masks of `with_masks`, shape (b, p).

        Parameters
        ----------
        positions : array_like of int, shape (b,)
            Flat indices into the scan, each once.
        values : array_like, shape (b, m) or (b, *pattern_shape), >= 0
            Any integer or float dtype; not modified. Weights are applied here.

        Raises
        ------
        InputError
            When shapes do not fit, values are negative or not finite, or a position arrives again while frames have
            to be whole; nothing is changed then.
        """
        places, frames = self._checked(positions, values)
        dtype, width = self.scores.dtype, self.width
        weights = (self.root_pixels**2).astype(dtype)
        sums = np.empty((len(places), self.test.shape[1] - width), dtype)
        step, few = (max(1, numbers // frames.shape[1]) for numbers in (PART, PART >> 4))
        for start in range(0, len(places), step):
            part = places[start : start + step]
            cast = frames[start : start + step].astype(dtype, copy=False)
            roots = self.root_positions[part].astype(dtype)
            products = cast @ self.test
            sums[start : start + step] = products[:, width:]
            scores = products[:, :width] * roots[:, None]
            mix = self.mixing.coefficients(part, scores, self.seed)
            self.mixtures += mix.T @ (cast if np.all(roots == 1) else cast * roots[:, None])
            self.scores[part] += scores
            squares = [np.square(cast[i : i + few]) @ weights for i in range(0, len(cast), few)]
            self.norm2 += float(np.concatenate(squares).astype(float) @ self.root_positions[part] ** 2)
        self.seen[places] += 1
        return sums

    def merge(self, other: StreamSketch) -> None:
        """Take in all that another sketch has seen.

        Parameters
        ----------
        other : StreamSketch
            Made by `fresh`, or begun with the same settings; not changed.

        Raises
        ------
        InputError
            When the two were begun differently, or have seen the same position while frames have to be whole.
        """
        pairs = [(getattr(self, name), getattr(other, name)) for name in _PARTS]
        # rounding may differ from machine to machine where test patterns were made from `aim`
        alike = all(a.shape == b.shape and a.dtype == b.dtype for a, b in pairs)
        alike = alike and all(np.allclose(a, b, atol=1e-6) for a, b in pairs[:3])
        if not alike or (self.mixing, self.seed) != (other.mixing, other.seed):
            raise InputError(
                "merge",
                expected="a sketch begun with the same shape, width, weights, aim, mixing, seed and dtype",
                got=f"{other.scores.shape[0]} x {other.mixtures.shape[1]}, width {other.width}, seed {other.seed}",
                hint="make the others by fresh()",
            )
        self._refuse_again(np.flatnonzero(other.seen))
        self.scores += other.scores
        self.mixtures += other.mixtures
        self.seen += other.seen
        self.norm2 += other.norm2

    def finish(self, engine: Any, dtype: str | None = None, *, width: int | None = None) -> Sketch:
        """Return the sketch of all that has been seen; more may be taken in afterwards.

        Parameters
        ----------
        engine : Engine
            Where the sketch will serve solvers.
        dtype : str, optional
            Precision there; that of this sketch unless given.
        width : int, optional
            Singular values kept; all unless given. `BySigns` gains from fewer: what is kept is amplified noise
            beyond the rank of the signal.

        Returns
        -------
        Sketch
            Positions not seen have rows of zeros and the weight zero. With `BySigns` its `norm2` is that of the kept
            part plus an unbiased estimate of the rest, so that `Sketch.noise` is meant as ever.
        """
        keep = self.width if width is None else max(1, min(width, self.width))
        basis, design = self._whitened()
        if not self.mixing.whole_frames:
            basis, design = basis[:, :keep], design[:, :keep]
        core, rest2 = self._core(design)
        inner, values, right = np.linalg.svd(core, full_matrices=False)
        turn = basis @ inner[:, :keep]
        left = np.empty((len(self.scores), turn.shape[1]), self.scores.dtype)
        for part in self._row_parts():
            left[part] = self.scores[part].astype(np.float64) @ turn
        values, right = values[:keep], right[:keep]
        norm2 = self.norm2 if self.mixing.whole_frames else float(np.sum(values**2)) + rest2
        roots = np.where(self.seen > 0, self.root_positions, 0.0)
        dtype = str(self.scores.dtype) if dtype is None else dtype
        return Sketch(left, values, right, roots, self.root_pixels, norm2, *self.grids, engine, dtype)

    def _row_parts(self) -> Iterator[slice]:
        step = max(1, PART // max(self.width, self.mixtures.shape[0]))
        return (slice(start, start + step) for start in range(0, len(self.scores), step))

    def _whitened(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return B, shape (l, t), with ``Q = Y B`` orthonormal, strongest first, and ``M' Q``, shape (s, t)."""
        gram, mixed = (np.zeros((size, self.width)) for size in (self.width, len(self.mixtures)))
        for part in self._row_parts():
            rows = self.scores[part].astype(np.float64)
            gram += rows.T @ rows
            positions = np.arange(*part.indices(len(self.scores)), dtype=np.intp)
            mixed += self.mixing.coefficients(positions, rows, self.seed).T @ rows
        energies, turn = np.linalg.eigh(gram)
        kept = np.flatnonzero(energies > SMALLEST_SHARE * energies[-1])[::-1]
        # one direction stands for data that are zero: values of zero, not an empty sketch
        if not kept.size:
            return np.zeros((self.width, 1)), np.zeros((len(mixed), 1))
        basis = turn[:, kept] / np.sqrt(energies[kept])
        return basis, mixed @ basis

    def _core(self, design: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Return ``Q' A``, shape (t, m), from the mixtures, and an estimate of ``|A - Q Q' A|^2``."""
        inverse = np.linalg.pinv(design)
        core = np.empty((design.shape[1], self.mixtures.shape[1]))
        rest2, step = 0.0, max(1, PART // len(self.mixtures))
        for start in range(0, core.shape[1], step):
            part = slice(start, start + step)
            mixed = self.mixtures[:, part].astype(np.float64) * self.root_pixels[part]
            core[:, part] = inverse @ mixed
            rest2 += float(np.sum((mixed - design @ core[:, part]) ** 2))
        freedom = design.shape[0] - design.shape[1]
        return core, rest2 / freedom if freedom else 0.0

    def _checked(self, positions: ArrayLike, values: ArrayLike) -> tuple[NDArray[np.intp], NDArray[Any]]:
        places, frames = np.asarray(positions), np.asarray(values)
        n, m = len(self.scores), self.mixtures.shape[1]
        fits = places.ndim == 1 and frames.ndim >= 1 and frames.size == places.size * m == len(frames) * m
        if not fits or (places.size and places.dtype.kind not in "ui"):
            raise InputError(
                "positions, values",
                expected=f"b whole numbers and b frames of {m} pixels",
                got=f"shapes {places.shape} ({places.dtype}) and {frames.shape}",
                hint="give flat indices into the scan and one unfolded frame for each",
            )
        places = places.astype(np.intp)
        if places.size and (places.min() < 0 or places.max() >= n or np.unique(places).size < places.size):
            raise InputError(
                "positions",
                expected=f"indices from 0 to {n - 1}, each once",
                got=f"{places.min()} to {places.max()}, {np.unique(places).size} different of {places.size}",
                hint="number positions in C order over the whole scan; give parts of one frame in separate updates",
            )
        self._refuse_again(places)
        _check_counts(frames)
        return places, frames.reshape(len(places), m)

    def _refuse_again(self, places: NDArray[np.intp]) -> None:
        again = places[self.seen[places] > 0] if self.mixing.whole_frames else places[:0]
        if again.size:
            raise InputError(
                "positions",
                expected="frames that are whole, each position once",
                got=f"{again.size} that have been seen, the first {again[0]}",
                hint="begin with mixing=BySigns() where frames arrive in parts",
            )


def _check_counts(frames: NDArray[Any]) -> None:
    if frames.dtype.kind in "ub" or not frames.size:
        return
    low, high = (frames.min(), frames.max()) if frames.dtype.kind in "if" else (np.nan, np.nan)
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0:
        raise InputError(
            "values",
            expected="finite counts >= 0",
            got=f"values from {low:g} to {high:g} ({frames.dtype})",
            hint="repair bad pixels first; check whether a background was subtracted from the recording",
        )


def _roots(weights: ArrayLike | None, size: int, what: str) -> NDArray[np.float64]:
    """Return the square roots of weights, checked."""
    given = np.ones(size) if weights is None else np.asarray(weights, np.float64).reshape(-1)
    if given.shape != (size,) or not np.all(np.isfinite(given)) or given.min() < 0 or not given.any():
        raise InputError(
            f"{what}_weights",
            expected=f"{size} finite numbers >= 0, not all zero",
            got=f"shape {given.shape}, from {given.min(initial=np.inf):g} to {given.max(initial=-np.inf):g}",
            hint="0 leaves one out, 1 counts it once",
        )
    return np.asarray(np.sqrt(given))


def _aimed(aim: ArrayLike | None, root_pixels: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the leading weighted directions of the given patterns, shape (m, a)."""
    patterns = np.empty((0, len(root_pixels))) if aim is None else np.asarray(aim, np.float64)
    if patterns.ndim != 2 or patterns.shape[1] != len(root_pixels) or not np.all(np.isfinite(patterns)):
        raise InputError(
            "aim",
            expected=f"finite patterns of shape (p, {len(root_pixels)})",
            got=f"shape {patterns.shape}",
            hint="give unfolded frames on the same detector, repaired like the data",
        )
    if not len(patterns):
        return np.empty((len(root_pixels), 0))
    weighted = patterns * root_pixels
    if len(weighted) > weighted.shape[1]:
        weighted = np.asarray(np.linalg.qr(weighted, mode="r"))
    # ten times faster than a singular value decomposition; the test patterns are made orthonormal afterwards
    energies, turn = np.linalg.eigh(weighted @ weighted.T)
    count = min(int(width * AIMED_SHARE), np.count_nonzero(energies > SMALLEST_SHARE * energies[-1]))
    return np.asarray(weighted.T @ turn[:, ::-1][:, :count])


def _test_patterns(
    root_pixels: NDArray[np.float64], width: int, aimed: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Return orthonormal test patterns (m, l), zero at pixels without weight: aimed first, then random."""
    random = np.random.default_rng(seed).standard_normal((len(root_pixels), width - aimed.shape[1]))
    return np.asarray(np.linalg.qr(np.hstack([aimed, random * (root_pixels > 0)[:, None]]))[0])
