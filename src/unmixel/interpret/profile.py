"""Rings only: how alike the radial profiles of patterns without spots are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]

FLAT = 0.1  # rings weaker than this (rms over the background) count as none
BACKGROUND_ORDER = 2


def reduced_profile(profile: Float, radii: Float) -> tuple[Float, Float]:
    """Return a ring profile over its smooth background, less 1, and the weight of each ring.

    The background is a parabola in the logarithm of the profile, fitted with the intensity of each ring as
    its weight: what remains are the halo's maxima and minima, whatever falls off beneath them.

    Parameters
    ----------
    profile : ndarray, shape (r,), >= 0
    radii : ndarray, shape (r,)

    Returns
    -------
    (ndarray, ndarray)
        Both of shape (r,); the weights sum to 1.
    """
    # its scale does not matter, and the smallest numbers have none left to divide by
    profile = profile / (float(np.max(profile, initial=0.0)) or 1.0)
    total = float(np.sum(profile * radii))
    if total <= 0 or len(radii) <= BACKGROUND_ORDER + 1:
        return np.zeros(len(radii)), np.full(len(radii), 1.0 / max(len(radii), 1))
    weight = np.asarray(profile * radii / total, np.float64)
    level = np.log(np.maximum(profile, 1e-6 * profile.max())).astype(np.float64)
    place = (radii - radii.mean()) / (np.ptp(radii) / 2)
    design = np.vander(place, BACKGROUND_ORDER + 1)
    # lstsq weighs residuals, so the root of the weight
    root = np.sqrt(weight)
    line, *_ = np.linalg.lstsq(design * root[:, None], level * root, rcond=None)
    return np.asarray(profile / np.exp(design @ line) - 1.0, np.float64), weight


def profile_similarity(profiles: Float, radii: Float) -> Float:
    """Return how alike ring profiles are, shape (k, k), in [0, 1], 1 on the diagonal.

    With ``x``, ``y`` the reduced profiles and the geometric mean of their weights::

        S = (2 <x, y> + f^2) / (<x, x> + <y, y> + f^2),    f = 0.1, clipped to [0, 1]

    The floor f makes two featureless profiles alike and a featureless one unlike a halo.

    Parameters
    ----------
    profiles : ndarray, shape (k, r), >= 0
    radii : ndarray, shape (r,)

    Examples
    --------
    >>> r = np.arange(4.0, 32.0)
    >>> halo = [np.exp(-r / 10) + np.exp(-((r - place) / 3) ** 2) for place in (13.0, 13.2, 18.0)]
    >>> np.round(profile_similarity(np.array(halo), r)[0], 1).tolist()
    [1.0, 1.0, 0.0]
    """
    pairs = [reduced_profile(profile, radii) for profile in profiles]
    x, weight = (np.array(part).reshape(len(profiles), len(radii)) for part in zip(*pairs, strict=True))
    root = np.sqrt(weight)
    scale = np.maximum(root @ root.T, 1e-300)  # makes each pair's joint weights sum to 1
    product = (root * x) @ (root * x).T / scale
    squares = (root * x**2) @ root.T / scale
    similarity = (2 * product + FLAT**2) / (squares + squares.T + FLAT**2)
    np.fill_diagonal(similarity, 1.0)
    return np.asarray(np.clip((similarity + similarity.T) / 2, 0.0, 1.0))
