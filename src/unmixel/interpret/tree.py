"""From distances to groups: average linkage, a cut, and groups sorted by strength."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]


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
