"""How the frames of a stream are added up: each in proportion to its own scores, or with random signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError


class Mixing(Protocol):
    """How frames are added to the running patterns."""

    whole_frames: ClassVar[bool]

    def n_mixtures(self, width: int) -> int:
        """Return the number of running patterns for scores of a width."""
        ...

    def coefficients(self, positions: NDArray[np.intp], scores: NDArray[Any], seed: int) -> Any:
        """Return the coefficients of some frames, shape (b, n_mixtures): an array or scipy sparse."""
        ...


@dataclass(frozen=True)
class ByScores:
    """Add every frame to the running patterns in proportion to its own scores.

    Examples
    --------
    >>> ByScores().n_mixtures(30)
    30
    """

    whole_frames: ClassVar[bool] = True

    def n_mixtures(self, width: int) -> int:
        """Return the width itself."""
        return width

    def coefficients(self, positions: NDArray[np.intp], scores: NDArray[Any], seed: int) -> NDArray[Any]:
        """Return the scores themselves."""
        return scores


@dataclass(frozen=True)
class BySigns:
    """Add every frame, with random signs, to one running pattern in each of a few groups.

    Signs and places are functions of seed and position alone, so nothing of the size of the scan is stored.

    Parameters
    ----------
    fold : int, >= 2
        Running patterns per score; more cost memory, not time, and amplify noise less.
    per_frame : int, >= 1
        Running patterns that each frame is added to.

    Examples
    --------
    >>> BySigns().n_mixtures(30)
    120
    >>> BySigns().coefficients(np.arange(3), np.empty((3, 30)), seed=0).shape
    (3, 120)
    """

    fold: int = 4
    per_frame: int = 8
    whole_frames: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.fold < 2 or self.per_frame < 1:
            raise InputError(
                "fold, per_frame",
                expected="whole numbers, fold >= 2 and per_frame >= 1",
                got=f"{self.fold} and {self.per_frame}",
                hint="leave them out, or raise fold for less noise",
            )

    def n_mixtures(self, width: int) -> int:
        """Return `fold` times the width."""
        return self.fold * width

    def coefficients(self, positions: NDArray[np.intp], scores: NDArray[Any], seed: int) -> Any:
        """Return sparse signs, scaled so that a mixture has the energy of the data on average."""
        from scipy.sparse import csr_array

        s = self.n_mixtures(scores.shape[1])
        groups = min(self.per_frame, s)
        edges = np.linspace(0, s, groups + 1).astype(np.uint64)
        draws = _random_bits(seed, positions, groups)
        # the upper half of the bits chooses the place within the group, the lowest the sign
        places = edges[:-1] + (((draws >> np.uint64(32)) * np.diff(edges)) >> np.uint64(32))
        signs = np.where(draws & np.uint64(1), 1.0, -1.0) * np.sqrt(s / groups)
        rows = np.arange(len(positions) + 1) * groups
        return csr_array(
            (signs.reshape(-1).astype(scores.dtype), places.reshape(-1).astype(np.int64), rows),
            shape=(len(positions), s),
        )


def _random_bits(seed: int, positions: NDArray[np.intp], count: int) -> NDArray[np.uint64]:
    """Return 64 random bits for each position and each of `count` draws: SplitMix64 jumped to its counter.

    References
    ----------
    Steele, Lea & Flood, OOPSLA 2014, p. 453.
    """
    key: Any = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    counter = positions.astype(np.uint64)[:, None] * np.uint64(count) + np.arange(count, dtype=np.uint64)
    bits = key + (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))
