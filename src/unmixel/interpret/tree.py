"""From distances to groups: average linkage, a cut, and groups sorted by strength."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]

SAME_CRYSTAL = 0.8  # share of the best similarity that is reached without turning
GAP, GAP_RATIO, GAP_SHARE = 0.05, 3.0, 2 / 3
GAP_PLACE = 0.75  # where in the gap to cut: nearer to its upper end, so that noise does not split


def average_linkage(distance: Float) -> NDArray[np.float64]:
    """Return the average linkage of a distance matrix, shape (k - 1, 4), as scipy writes it.

    Parameters
    ----------
    distance : ndarray, shape (k, k)
        Symmetric, zero diagonal; k = 1 gives an empty tree.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    if len(distance) < 2:
        return np.zeros((0, 4))
    return np.asarray(linkage(squareform(distance, checks=False), method="average"), np.float64)


def grouped(tree: NDArray[np.float64], cut: float, *, strengths: Float) -> NDArray[np.int64]:
    """Return the group of each leaf when the tree is cut below `cut`, groups sorted by summed strength.

    Parameters
    ----------
    tree : ndarray, shape (k - 1, 4)
    cut : float
        Branches that join at a smaller height stay together.
    strengths : ndarray, shape (k,)

    Examples
    --------
    >>> tree = average_linkage(np.array([[0, 0.9, 0.1], [0.9, 0, 0.8], [0.1, 0.8, 0]]))
    >>> grouped(tree, 0.5, strengths=np.array([0.2, 0.5, 0.1])).tolist()
    [1, 0, 1]
    """
    from scipy.cluster.hierarchy import fcluster

    if len(tree) == 0:
        return np.zeros(1, np.int64)
    found = fcluster(tree, np.nextafter(cut, -np.inf), criterion="distance") - 1
    total = np.bincount(found, weights=strengths)
    # equal strengths: the group of the first component comes first
    first = [int(np.flatnonzero(found == group)[0]) for group in range(len(total))]
    order = sorted(range(len(total)), key=lambda group: (-total[group], first[group]))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return np.asarray(rank[found], np.int64)


def strongest(labels: NDArray[np.int64], strengths: Float) -> NDArray[np.int64]:
    """Return the strongest member of each group, shape (g,)."""
    groups = range(int(labels.max()) + 1)
    return np.array([max(np.flatnonzero(labels == g), key=lambda k: strengths[k]) for g in groups], np.int64)


def gap(
    distance: Float, limit: float, *, one_crystal: NDArray[np.bool_], least: float = GAP
) -> tuple[float, float] | None:
    """Return the gap in the tree's heights below `limit` that parts like from unlike, None without one.

    Two phases whose patterns share most of their rings can be more alike than chance, yet the members of each
    agree far better. The widest gap between successive heights counts when it is at least `least` wide, its
    upper end is at least 3 times its lower one, and cut there two thirds of the patterns are in groups of two
    crystals or more: otherwise the lower heights only join parts of one crystal and say nothing of a phase.

    Parameters
    ----------
    distance : ndarray, shape (k, k)
        Of patterns with spots.
    limit : float
        Height above which nothing is joined anyway.
    one_crystal : ndarray of bool, shape (k, k)
        Which patterns agree without turning.
    least : float
        Least width of the gap.

    Returns
    -------
    (float, float) or None
        Lower and upper end.
    """
    tree = average_linkage(distance)
    heights = tree[:, 2][tree[:, 2] < limit]
    if len(heights) < 2:
        return None
    widest = int(np.argmax(np.diff(heights)))
    low, high = float(heights[widest]), float(heights[widest + 1])
    if high - low < least or high < GAP_RATIO * low:
        return None
    labels = grouped(tree, (low + high) / 2, strengths=np.ones(len(distance)))
    partners = (labels[:, None] == labels[None, :]) & ~np.eye(len(labels), dtype=bool)
    met_another = (partners & ~one_crystal).any(axis=1)
    return (low, high) if met_another.mean() >= GAP_SHARE else None


def one_crystal(distance: Float, unturned: Float) -> NDArray[np.bool_]:
    """Return which patterns show one and the same crystal: turning makes them hardly more alike.

    Parameters
    ----------
    distance, unturned : ndarray, shape (k, k)
        1 - similarity at the best rotation and without turning.

    Returns
    -------
    ndarray of bool, shape (k, k)
    """
    best = 1.0 - distance
    return np.asarray((best > 0) & (1.0 - unturned >= SAME_CRYSTAL * best), bool)
