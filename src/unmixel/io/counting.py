"""A detector that counts when it is read: Poisson data of any size that never stand in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.truth import Truth


def shifted(frame: NDArray[np.float64], shift: tuple[float, float], *, order: int) -> NDArray[np.float64]:
    """Return a frame moved by (v, u) px with a spline of `order`, never negative; what leaves it is lost."""
    from scipy.ndimage import shift as move

    return np.asarray(np.maximum(move(frame, shift, order=order, mode="nearest"), 0))


@dataclass(frozen=True, eq=False)
class Counting:
    """An array of Poisson counts around a truth, drawn position by position when sliced.

    Each position has a random stream of its own, so a value does not depend on how the array is cut.

    Parameters
    ----------
    truth : Truth
    seed : int
    gain : float
        Counts per electron; counts are rounded to whole numbers.

    Examples
    --------
    >>> from unmixel.io.glass import GlassSpec, glass_truth
    >>> counts = Counting(glass_truth(GlassSpec(scan=(4, 5), detector=(16, 12), precipitates=1)), seed=1)
    >>> counts.shape, bool((counts[1:3, 2] == counts[:][1:3, 2]).all())
    ((4, 5, 16, 12), True)
    """

    truth: Truth
    seed: int
    gain: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Scan shape followed by pattern shape."""
        return tuple(axis.size for axis in (*self.truth.scan_axes, *self.truth.pattern_axes))

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint16 where the brightest pixel fits with room to spare, else uint32 or uint64."""
        k = self.truth.n_components
        highest = self.truth.maps.reshape(k, -1).max(axis=1) @ self.truth.patterns.reshape(k, -1).max(axis=1)
        top = self.gain * (highest + 12 * np.sqrt(highest) + 50)
        return np.min_scalar_type(max(int(top), 256))

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (
            type(self).__name__,
            self.seed,
            self.gain,
            sorted((k, str(v)) for k, v in self.truth.settings.items()),
        )

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Return the counts of a slice (integers, slices, ellipsis) as numpy."""
        whole = index if isinstance(index, tuple) else (index,)
        if Ellipsis in whole:
            place = whole.index(Ellipsis)
            fill = (slice(None),) * (self.ndim - len(whole) + 1)
            whole = (*whole[:place], *fill, *whole[place + 1 :])
        n_scan = len(self.truth.scan_axes)
        scan, pattern = whole[:n_scan], whole[n_scan:]
        positions = np.arange(int(np.prod(self.shape[:n_scan]))).reshape(self.shape[:n_scan])[scan]
        frames = self._frames(np.ravel(positions)).reshape(*positions.shape, *self.shape[n_scan:])
        return np.asarray(frames[(..., *self._full(pattern))])

    def _full(self, pattern: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*pattern, *(slice(None),) * (len(self.truth.pattern_axes) - len(pattern)))

    def _frames(self, positions: NDArray[np.intp]) -> NDArray[Any]:
        """Return the counts at flat positions, shape (b, *pattern_shape)."""
        k, pattern = self.truth.n_components, self.truth.patterns.shape[1:]
        # contiguous rows: the product must round alike however the array is cut
        weights = np.ascontiguousarray(self.truth.maps.reshape(k, -1)[:, positions].T)
        flat = self.truth.patterns.reshape(k, -1)
        moves = self.truth.descan.reshape(-1, self.truth.descan.shape[-1])[positions]
        frames = np.empty((positions.size, *pattern), self.dtype)
        # cubic is exact on smooth spots and rings at the rim of disks
        order = 1 if self.truth.spot_shape == "disk" else 3
        for row, (position, weight, move) in enumerate(zip(positions, weights, moves, strict=True)):
            mean = (weight @ flat).reshape(pattern)
            if np.any(move):
                mean = shifted(mean, (float(move[0]), float(move[1])), order=order)
            electrons = np.random.default_rng([self.seed, 2, int(position)]).poisson(mean)
            frames[row] = electrons if self.gain == 1 else np.rint(self.gain * electrons)
        return frames
