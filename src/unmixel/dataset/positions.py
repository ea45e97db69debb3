"""What every scan position, or every component, shows of the groups: nouns without algorithms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class PositionMatches:
    """Which group's pattern each scan position shows, in which rotation, and how sure that is.

    Parameters
    ----------
    group : ndarray of int, shape scan_shape
        The group that the position's own pattern is most similar to; -1 where chance is as similar, or where what is
        there beyond counting noise agrees no better than an unrelated crystal.
    best : ndarray of int, shape scan_shape
        The same without regard to chance; -1 only at positions that were left out or hold no counts.
    rotation_deg : ndarray, shape scan_shape
        The position's pattern is that group's turned by it, counter-clockwise as displayed (v down, u right), in
        [-180, 180). Known up to the symmetry of the group's pattern.
    similarity : ndarray, shape scan_shape, in [0, 1]
        Correlation with that group's pattern at that rotation; NaN at positions that were left out.
    runner_up : ndarray, shape scan_shape, in [0, 1]
        The largest similarity to any other group; NaN where there is none.
    p_value : ndarray, shape scan_shape, in (0, 1]
        Probability that a pattern with the same rings and the same counts, but no angular order, is as similar to
        any of the groups at any rotation; 1 at positions that were left out.
    chance : ndarray, shape scan_shape
        Similarity that such a pattern exceeds with probability `significance`.
    agreement : ndarray, shape scan_shape, in [0, 1]
        The similarity with counting noise taken out, at most (what is surely more than noise counts as the whole
        pattern); NaN where nothing surely is.
    unrelated : ndarray, shape (g,)
        Agreement that unrelated crystals with a group's very rings exceed with probability `significance`; NaN for
        groups that no position is compared with.
    mirrored : ndarray of bool, shape scan_shape
        Whether it is the mirror image (v to -v about the centre) of the group's pattern, before its rotation.
    electrons : ndarray, shape scan_shape
        Electrons on used pixels that stand behind the pattern compared, neighbours included.
    significance : float
    symmetry_deg : ndarray, shape (g,)
        Smallest rotation that leaves a group's pattern as it is, 360 where there is none; NaN for groups that
        no position is compared with (no spots, or background).
    scan_axes : tuple of Axis
    method : str
        What was done, in words.
    """

    group: Array
    best: Array
    rotation_deg: Array
    similarity: Array
    runner_up: Array
    p_value: Array
    chance: Array
    agreement: Array
    unrelated: Array
    mirrored: Array
    electrons: Array
    significance: float
    symmetry_deg: Array
    scan_axes: tuple[Axis, ...]
    method: str = ""

    @property
    def margin(self) -> Array:
        """How much more similar the best group is than the next, shape scan_shape; NaN where there are not two."""
        return np.asarray(self.similarity - self.runner_up)

    @property
    def matched(self) -> Array:
        """Share of all positions that each group has, shape (g,)."""
        counts = np.bincount(self.group[self.group >= 0].ravel(), minlength=len(self.symmetry_deg))
        return np.asarray(counts / max(1, self.group.size))


@dataclass(frozen=True, eq=False)
class Memberships:
    """How much of each component's pattern the rotated patterns of the groups explain.

    Parameters
    ----------
    weights : ndarray, shape (k, g + 1), >= 0
        Share of the component's counts that each group explains; the last column is what none explains. Rows sum
        to 1.
    rotation_deg : ndarray, shape (k, g)
        Rotation at which each group's pattern was used, counter-clockwise as displayed; 0 for groups without spots.
    method : str
        What was done, in words.
    """

    weights: Array
    rotation_deg: Array
    method: str = ""

    @property
    def unexplained(self) -> Array:
        """Share of each component's counts that no group explains, shape (k,)."""
        return np.asarray(self.weights[:, -1])
