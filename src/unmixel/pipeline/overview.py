"""Images of a prepared scan that need no factorisation: means and virtual detectors, in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import BlockReader
from unmixel.engines.lazy import as_array
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.engines.walk import Block, Found, Task

IN_THIS_THREAD = NumpyEngine(1)

RINGS = {"virtual_inner": (0.0, 0.15), "virtual_middle": (0.15, 0.5), "virtual_outer": (0.5, 1.0)}
"""Virtual detectors: name -> inner and outer radius as shares of the largest circle about the origin."""


@dataclass(frozen=True, eq=False)
class _Look(Task):
    """Here: products of the patterns with masks, shape (r, b). Sums: the sum of the patterns. In float64.

    Parameters
    ----------
    masks : ndarray, shape (m, r)
    """

    masks: NDArray[np.float64]

    def __call__(self, engine: Any, block: Block, *along: Any) -> Found:
        """Return what is seen of a block."""
        rows = engine.to_host(block.values).astype(np.float64, copy=False)
        return Found((engine.asarray((rows @ self.masks).T),), (engine.asarray(rows.sum(axis=0)),))


def overview(scan: Scan, budget: int, engine: Any = IN_THIS_THREAD) -> dict[str, NDArray[Any]]:
    """Return images that a report shows beside the factors.

    Parameters
    ----------
    scan : Scan
        Prepared; masked pixels count here too.
    budget : int
        Bytes for blocks of data.
    engine : Engine
        Goes through the data.

    Returns
    -------
    dict of str to ndarray
        ``mean_pattern`` (pattern_shape) and ``mean_map`` (scan_shape: mean over pixels); for diffraction
        patterns also ``virtual_inner``, ``virtual_middle`` and ``virtual_outer`` (scan_shape: sums over
        rings about the origin, or about the middle of the detector where the axes do not hold the origin).

    Examples
    --------
    >>> images = overview(Scan.from_array(np.ones((2, 3, 8, 8))), 10**6)
    >>> images["mean_map"].shape, float(images["mean_pattern"].mean())
    ((2, 3), 1.0)
    """
    rings = _rings(scan)
    n_scan = len(scan.scan_axes)
    masks = np.stack(
        [np.full(scan.n_pixels, 1 / scan.n_pixels), *(r.reshape(-1) for r in rings.values())], axis=1
    )
    blocks = engine.resident(BlockReader(as_array(scan.data, n_scan), n_scan, budget))
    seen = engine.walk(_Look(masks), blocks)
    pattern, images = engine.to_host(seen.sums[0]), engine.to_host(seen.here[0])
    found = {"mean_pattern": (pattern / scan.n_positions).reshape(scan.pattern_shape)}
    for index, name in enumerate(["mean_map", *rings]):
        found[name] = images[index].reshape(scan.scan_shape).copy()
    return found


def _from_origin(axis: Axis) -> NDArray[np.float64]:
    """Return distances along an axis in samples from its origin, or its middle where it holds none."""
    start = -axis.offset / axis.scale
    if not (axis.calibrated or axis.offset) or not 0 < start < axis.size - 1:
        start = (axis.size - 1) / 2
    return np.asarray(np.arange(axis.size) - start, np.float64)


def _rings(scan: Scan) -> dict[str, NDArray[np.float64]]:
    if len(scan.pattern_axes) != 2:
        return {}
    v, u = (_from_origin(axis) for axis in scan.pattern_axes)
    radius = np.hypot(v[:, None], u[None, :])
    largest = max(1.0, min(abs(v[0]), abs(v[-1]), abs(u[0]), abs(u[-1])))
    return {
        name: ((radius >= low * largest) & (radius < high * largest)).astype(np.float64)
        for name, (low, high) in RINGS.items()
    }
