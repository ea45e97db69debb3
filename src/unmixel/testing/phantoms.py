"""Phantoms with truth, in memory, for tests and benchmarks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unmixel.io.demo import phantom

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmixel.dataset.scan import Scan
    from unmixel.dataset.truth import Truth

__all__ = ["glass", "in_memory", "phantom", "planted_cube", "truth_of", "yardstick", "yardstick_pixels"]

YARDSTICK_DOSES = (3_000, 10_000, 40_000, 160_000)
"""Electrons per pattern at which the yardstick is measured."""


def _written(value: Any) -> str:
    return "x".join(str(n) for n in value) if isinstance(value, tuple) else str(value)


def in_memory(scan: Scan) -> Scan:
    """Return the scan with its data as a numpy array."""
    return replace(scan, data=np.asarray(scan.data))


def glass(**keys: Any) -> tuple[Scan, Truth]:
    """Return a glass phantom in memory and its truth.

    Parameters
    ----------
    **keys
        Keys of ``demo:glass`` as Python values, e.g. ``scan=(64, 64), dose=1e4, seed=2``.

    Raises
    ------
    InputError
        At an unknown key or a value out of range.

    Examples
    --------
    >>> scan, truth = glass(scan=(13, 29), detector=(31, 26), precipitates=2, seed=5)
    >>> scan.data.dtype, truth.maps.shape
    (dtype('uint16'), (4, 13, 29))
    """
    address = "demo:glass?" + "&".join(f"{name}={_written(value)}" for name, value in keys.items())
    scan, truth = phantom(address)
    return in_memory(scan), truth


def yardstick(dose: float = 40_000, *, seed: int = 1) -> tuple[Scan, Truth]:
    """Return the yardstick: 20 precipitates of 7 px in a glass, 64 x 64 | 64 x 64, every other key at its default."""
    return glass(dose=dose, seed=seed)


def yardstick_pixels(truth: Truth) -> NDArray[np.bool_]:
    """Return the detector pixels that the yardstick fits: all but the direct beam, shape pattern_shape."""
    return np.asarray(~truth.beam_pixels)


def planted_cube(**keys: Any) -> tuple[Scan, Truth]:
    """Return the planted cube in memory and its truth.

    Parameters
    ----------
    **keys
        ``seed``, ``scale``, ``background``.
    """
    scan, truth = phantom("demo:planted?" + "&".join(f"{n}={_written(v)}" for n, v in keys.items()))
    return in_memory(scan), truth


def truth_of(address: str) -> Truth:
    """Return the truth behind a demo address.

    Examples
    --------
    >>> truth_of("demo:planted").maps.shape
    (4, 40, 40)
    """
    return phantom(address)[1]
