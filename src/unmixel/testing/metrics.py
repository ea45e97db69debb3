"""How results are judged against truth; every function bears the word that reports use for it.

Maps come as (k, *scan_shape) and patterns as (k, *pattern_shape) plain arrays; `used_pixels` is a bool array of
pattern_shape, True where a pixel was fitted, and None means all. Scales of maps and patterns do not matter,
except for `truth_error` and `data_error`, which look at the product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.testing.plausible import dip_fraction, out_of_band_power

__all__ = [
    "FOUND_AT", "LIKE_AT", "Match", "SizeError", "data_error", "dip_fraction", "false_reports", "found", "grouping",
    "map_pearson", "match",
    "oracle_fraction", "out_of_band_power", "pattern_cosine", "phase_accuracy", "rotation_error", "size_error",
    "truth_error",
]  # fmt: skip

Array = NDArray[Any]
FOUND_AT = 0.8
"""Pattern cosine and map Pearson that a found precipitate reaches at least."""
LIKE_AT = 0.5
"""Pattern cosine and map Pearson from which a reported component may stand for a true precipitate at all."""


def _rows(values: Array, what: str) -> NDArray[np.float64]:
    rows = np.asarray(values, np.float64)
    if rows.ndim < 2 or not np.all(np.isfinite(rows)):
        raise InputError(
            what,
            expected="finite numbers, one component per row",
            got=f"shape {rows.shape}",
            hint="give (k, ...)",
        )
    return rows.reshape(len(rows), -1)


def _used(rows: NDArray[np.float64], used_pixels: Array | None) -> NDArray[np.float64]:
    if used_pixels is None:
        return rows
    used = np.asarray(used_pixels, bool).reshape(-1)
    if used.size != rows.shape[1]:
        raise InputError("used_pixels", expected=f"{rows.shape[1]} pixels", got=f"{used.size}", hint="")
    return rows[:, used]


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 0))


def pattern_cosine(patterns: Array, true_patterns: Array, *, used_pixels: Array | None = None) -> Array:
    """Return the cosine over used pixels of every estimated with every true pattern.

    Returns
    -------
    ndarray of float64, shape (k, k_true), in [0, 1] for patterns >= 0; 0 where a pattern is empty

    Examples
    --------
    >>> pattern_cosine(np.eye(2), np.array([[3.0, 4.0]])).round(2).tolist()
    [[0.6], [0.8]]
    """
    left = _unit(_used(_rows(patterns, "patterns"), used_pixels))
    right = _unit(_used(_rows(true_patterns, "true_patterns"), used_pixels))
    return np.asarray(left @ right.T)


def map_pearson(maps: Array, true_maps: Array) -> Array:
    """Return the correlation coefficient over positions of every estimated with every true map.

    Returns
    -------
    ndarray of float64, shape (k, k_true), in [-1, 1]; 0 where a map is constant

    Examples
    --------
    >>> map_pearson(np.array([[0.0, 1, 2]]), np.array([[5.0, 7, 9], [1, 1, 1]])).round(6).tolist()
    [[1.0, 0.0]]
    """
    left, right = _rows(maps, "maps"), _rows(true_maps, "true_maps")
    left = left - left.mean(axis=1, keepdims=True)
    right = right - right.mean(axis=1, keepdims=True)
    return np.asarray(_unit(left) @ _unit(right).T)


@dataclass(frozen=True, eq=False)
class Match:
    """Which estimated component stands for which true one.

    Parameters
    ----------
    component : ndarray of int, shape (k_true,)
        Estimated component, -1 where none is left.
    pattern_cosine, map_pearson : ndarray of float, shape (k_true,)
        Of each pair; 0 where there is none.
    """

    component: Array
    pattern_cosine: Array
    map_pearson: Array


def match(
    maps: Array, patterns: Array, true_maps: Array, true_patterns: Array, *, used_pixels: Array | None = None
) -> Match:
    """Return the pairing that maximises the sum of pattern cosine x map Pearson (Hungarian method).

    Negative coefficients count as 0.

    Raises
    ------
    InputError
        When there are not as many maps as patterns.

    Examples
    --------
    >>> truth = np.eye(3)
    >>> match(truth[[2, 0]], truth[[2, 0]], truth, truth).component.tolist()
    [1, -1, 0]
    """
    from scipy.optimize import linear_sum_assignment

    if len(maps) != len(patterns) or len(true_maps) != len(true_patterns):
        raise InputError(
            "maps, patterns", expected="one map per pattern", got=f"{len(maps)}, {len(patterns)}", hint=""
        )
    cosine = pattern_cosine(patterns, true_patterns, used_pixels=used_pixels)
    pearson = map_pearson(maps, true_maps)
    rows, columns = linear_sum_assignment(np.maximum(cosine, 0) * np.maximum(pearson, 0), maximize=True)
    n_true = len(true_maps)
    component = np.full(n_true, -1, np.intp)
    component[columns] = rows
    paired = np.stack([np.zeros(n_true), np.zeros(n_true)])
    paired[:, columns] = cosine[rows, columns], pearson[rows, columns]
    return Match(component, paired[0], paired[1])


def found(matched: Match, crystals: Array | None = None, *, at: float = FOUND_AT) -> int:
    """Return the number of true precipitates whose pattern cosine and map Pearson both reach `at`.

    Parameters
    ----------
    matched : Match
    crystals : ndarray of int, optional
        Which true components are precipitates (`Truth.crystals`); None counts all.
    at : float

    Examples
    --------
    >>> found(Match(np.array([0, 1]), np.array([0.9, 0.9]), np.array([0.85, 0.7])))
    1
    """
    good = (matched.pattern_cosine >= at) & (matched.map_pearson >= at)
    return int(np.count_nonzero(good if crystals is None else good[np.asarray(crystals, np.intp)]))


def false_reports(
    maps: Array,
    patterns: Array,
    true_maps: Array,
    true_patterns: Array,
    *,
    reported: Array,
    used_pixels: Array | None = None,
    at: float = LIKE_AT,
) -> int:
    """Return the number of reported precipitates that do not exist.

    A reported component *resembles* a true precipitate when their pattern cosine and their map Pearson are both at
    least `at`. As many reported components as possible are paired with true precipitates that they resemble, one to
    one (Hungarian method, every such pair counting 1); those that are left over are false. So a second component
    of one crystal is false, and so is a mixture that resembles no single one; a precipitate that is reported badly, but
    recognisably, is not false, though it may not be found (0.8).

    Parameters
    ----------
    maps, patterns : ndarray
        All components, as in `match`.
    true_maps, true_patterns : ndarray
        Of the true precipitates only: without beam and matrix.
    reported : ndarray of bool, shape (k,)
        Which components are reported as precipitates; matrix, beam and what is flagged as no precipitate left out.
    used_pixels : ndarray of bool, optional
    at : float

    Returns
    -------
    int, 0 to the number of reported components

    Examples
    --------
    >>> truth = np.eye(4)[:2]
    >>> twice = np.eye(4)[[0, 0, 1, 3]]
    >>> [false_reports(twice, twice, truth, truth, reported=np.array(r)) for r in ([1, 1, 1, 1], [1, 0, 1, 0])]
    [2, 0]
    """
    from scipy.optimize import linear_sum_assignment

    chosen = np.asarray(reported).astype(bool)
    if chosen.shape != (len(maps),) or len(maps) != len(patterns):
        raise InputError(
            "reported", expected=f"one word per component ({len(maps)})", got=f"{chosen.shape}", hint=""
        )
    n_reported = int(np.count_nonzero(chosen))
    if not n_reported or not len(true_maps):
        return n_reported
    cosine = pattern_cosine(np.asarray(patterns)[chosen], true_patterns, used_pixels=used_pixels)
    pearson = map_pearson(np.asarray(maps)[chosen], true_maps)
    alike = (cosine >= at) & (pearson >= at)
    rows, columns = linear_sum_assignment(alike.astype(np.float64), maximize=True)
    return n_reported - int(np.count_nonzero(alike[rows, columns]))


def truth_error(
    maps: Array, patterns: Array, true_maps: Array, true_patterns: Array, *, used_pixels: Array | None = None
) -> float:
    """Return ``||W H - L||^2 / ||L||^2`` with L the noise-free data, over used pixels; L is never formed.

    With ``A = [W, -W_true]`` and ``B = [H; H_true]`` the numerator is the sum of ``(A^T A) o (B B^T)``.

    Examples
    --------
    >>> truth_error(np.ones((1, 4)), np.ones((1, 3)), np.ones((1, 4)), 2 * np.ones((1, 3)))
    0.25
    """
    W, T = _rows(maps, "maps"), _rows(true_maps, "true_maps")
    H, G = (_used(_rows(p, "patterns"), used_pixels) for p in (patterns, true_patterns))
    A, B = np.concatenate([W, -T]), np.concatenate([H, G])
    numerator = float(np.sum((A @ A.T) * (B @ B.T)))
    return max(numerator, 0.0) / float(np.sum((T @ T.T) * (G @ G.T)))


def data_error(data: Array, maps: Array, patterns: Array, *, used_pixels: Array | None = None) -> float:
    """Return ``||X - W H||^2 / ||X||^2`` over used pixels: squared, as `truth_error`. Never quote it alone.

    Parameters
    ----------
    data : ndarray, shape (*scan_shape, *pattern_shape) or (n_positions, n_pixels)
    maps, patterns : ndarray
    used_pixels : ndarray of bool, optional

    Examples
    --------
    >>> data_error(np.ones((4, 3)), np.ones((1, 4)), np.ones((1, 3)))
    0.0
    """
    W = _rows(maps, "maps")
    H = _used(_rows(patterns, "patterns"), used_pixels)
    X = np.asarray(data).reshape(W.shape[1], -1)
    columns = slice(None) if used_pixels is None else np.flatnonzero(np.asarray(used_pixels).reshape(-1))
    residual = total = 0.0
    for start in range(0, len(X), 1024):
        block = np.asarray(X[start : start + 1024][:, columns], np.float64)
        residual += float(np.sum((block - W[:, start : start + 1024].T @ H) ** 2))
        total += float(np.sum(block**2))
    return residual / total


def grouping(labels: Sequence[Any] | Array, phases: Sequence[Any] | Array) -> float:
    """Return the adjusted Rand index of found groups against true phases: 1 when equal, about 0 by chance.

    Parameters
    ----------
    labels, phases : sequences of equal length
        Group of each matched component and true phase of its partner.

    Examples
    --------
    >>> grouping([0, 0, 1], ["a", "a", "b"])
    1.0
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(list(phases), list(labels)))


def rotation_error(
    alignment_deg: Array,
    true_rotation_deg: Array,
    *,
    groups: Sequence[Any] | Array,
    symmetry_deg: float | Array = 360.0,
) -> float:
    """Return the mean absolute error in degrees of the rotations that align members of groups.

    A member at true rotation r is aligned by -r plus a constant of its group; the constant is free, and a
    rotation counts modulo the pattern's symmetry.

    Parameters
    ----------
    alignment_deg : ndarray, shape (n,)
        Rotation that was found to align each member with its group: minus `Groups.rotation_deg`, which says by how much
        it is turned.
    true_rotation_deg : ndarray, shape (n,)
        `Truth.rotation_deg` of the partners.
    groups : sequence, length n
        Group of each member; groups of one say nothing and are left out.
    symmetry_deg : float or ndarray, shape (n,)
        Rotation that leaves the pattern as it is; alike within a group.

    Returns
    -------
    float, NaN when no group has two members

    Examples
    --------
    >>> found_deg, true_deg = np.array([0.0, -30, 61]), np.array([10.0, 40, 40])
    >>> round(rotation_error(found_deg, true_deg, groups=[0, 0, 0], symmetry_deg=90), 4)
    0.4444
    """
    names = np.asarray(groups)
    period = np.broadcast_to(np.asarray(symmetry_deg, np.float64), names.shape)
    phase = np.deg2rad((np.asarray(alignment_deg) + np.asarray(true_rotation_deg)) * 360.0 / period)
    errors: list[float] = []
    for name in np.unique(names):
        inside = names == name
        if np.count_nonzero(inside) < 2:
            continue
        turned = np.exp(1j * phase[inside])
        off = np.rad2deg(np.angle(turned / turned.mean())) * period[inside] / 360.0
        errors += np.abs(off).tolist()
    return float(np.mean(errors)) if errors else float("nan")


@dataclass(frozen=True)
class SizeError:
    """How measured diameters differ from true ones, in the unit they came in.

    Parameters
    ----------
    mean : float
        Mean diameter minus true mean diameter.
    wasserstein : float
        Earth mover's distance between the two distributions.
    """

    mean: float
    wasserstein: float


def size_error(diameters: Array, true_diameters: Array) -> SizeError:
    """Return the error of the mean diameter and the Wasserstein distance of the distributions.

    Examples
    --------
    >>> size_error(np.array([6.0, 8.0]), np.array([7.0, 7.0]))
    SizeError(mean=0.0, wasserstein=1.0)
    """
    from scipy.stats import wasserstein_distance

    measured, true = (np.asarray(d, np.float64).reshape(-1) for d in (diameters, true_diameters))
    if not (measured.size and true.size):
        return SizeError(float("nan"), float("nan"))
    return SizeError(float(measured.mean() - true.mean()), float(wasserstein_distance(measured, true)))


def phase_accuracy(phases: Sequence[str], true_phases: Sequence[str]) -> float:
    """Return the top-1 share of phases named rightly.

    Examples
    --------
    >>> phase_accuracy(["CuZr", "unknown"], ["CuZr", "ZrO2"])
    0.5
    """
    pairs = list(zip(phases, true_phases, strict=True))
    return sum(a == b for a, b in pairs) / len(pairs) if pairs else float("nan")


def oracle_fraction(n_found: int, n_oracle: int) -> float:
    """Return found / physics oracle: the share of what the data hold that was found; NaN where they hold nothing.

    Examples
    --------
    >>> oracle_fraction(15, 20)
    0.75
    """
    return n_found / n_oracle if n_oracle else float("nan")
