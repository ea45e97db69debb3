"""Repair: find hot, dead and stuck pixels and replace them or leave them out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import map_frames
from unmixel.prepare.contract import (
    at_least,
    one_of,
    recorded,
    refuse_spectra,
    used_pixels,
    weights_times,
    without,
)
from unmixel.prepare.images import read_image
from unmixel.prepare.statistics import Statistics, pattern_statistics

Mask = NDArray[np.bool_]


def _ranked(image: NDArray[np.float64], rank: int) -> NDArray[np.float64]:
    """Return the `rank`-th smallest of the 8 neighbours of each pixel (mirrored at the edge)."""
    from scipy.ndimage import rank_filter

    around = np.ones((3, 3), bool)
    around[1, 1] = False
    return np.asarray(rank_filter(image, rank, footprint=around, mode="mirror"))


def defects(found: Statistics, used: Mask, ratio: float) -> dict[str, Mask]:
    """Return hot, dead, stuck and broken pixels, as masks of shape pattern_shape.

    Hot: brighter than `ratio` times the third brightest of its 8 neighbours, by more than 6 standard
    errors. Dead: darker than 1 / ratio of the third darkest neighbour, the same way. (The third, so that
    a pair or a line of bad pixels does not hide itself, and a real edge or spot, which is never a single
    pixel, is left alone.) Stuck: never changes, though at least 6 neighbours do and it is not saturated.
    Broken: not a finite number somewhere.

    Parameters
    ----------
    found : Statistics
    used : ndarray of bool, shape pattern_shape
    ratio : float, > 1
    """
    broken = ~found.finite
    if broken.all():
        raise InputError("data", expected="finite numbers", got="none", hint="check the file")
    mean = np.where(broken, np.median(found.mean[~broken]), found.mean)
    # one count somewhere is the least that can be told from nothing
    least = 1.0 / found.n_positions
    variance = np.where(broken, 0.0, found.variance) / found.n_positions
    high, low = _ranked(mean, 5), _ranked(mean, 2)
    error = np.sqrt(variance + _ranked(variance, 5) + least**2)
    hot = (mean > ratio * np.maximum(high, 0)) & (mean - high > 6 * error)
    error = np.sqrt(variance + _ranked(variance, 2) + least**2)
    dead = (mean < low / ratio) & (low - mean > 6 * error)
    still = (found.variance == 0) & (found.n_positions > 3)
    top = np.nanmax(found.maximum)
    stuck = still & (_ranked(found.variance.astype(np.float64), 2) > 0) & (mean < top) & (mean > 0)
    dead &= ~broken
    hot = _small_groups(hot & used & ~broken)
    return {
        "hot": hot,
        "dead": dead & used,
        "stuck": stuck & used & ~broken & ~hot & ~dead,
        "broken": broken & used,
    }


def _small_groups(mask: Mask, largest: int = 4) -> Mask:
    """Return the pixels of groups of at most `largest`; a bright line or patch is no bad pixel."""
    from scipy.ndimage import label

    groups, n = label(mask, structure=np.ones((3, 3)))
    area = np.bincount(groups.ravel(), minlength=n + 1)
    return np.asarray(mask & (area[groups] <= largest))


def neighbours(bad: Mask) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return for each bad pixel the good pixels next to it: within 1 px, or a wider square with 3.

    Returns
    -------
    list of (pixel, neighbours)
        Flat index, shape (1,), and flat indices.
    """
    pairs = []
    for v, u in np.argwhere(bad):
        for reach in range(1, max(bad.shape)):
            rows = slice(max(0, v - reach), v + reach + 1)
            columns = slice(max(0, u - reach), u + reach + 1)
            good = np.argwhere(~bad[rows, columns]) + np.array([rows.start, columns.start])
            if len(good) > 2:
                break
        flat = np.ravel_multi_index(tuple(good.T), bad.shape)
        pairs.append((np.array([np.ravel_multi_index((v, u), bad.shape)]), flat))
    return pairs


@dataclass(frozen=True)
class Repair:
    """Find bad pixels on the mean and the variance over the whole scan, then replace them or leave them out.

    Parameters
    ----------
    how : {"median", "leave_out"}
        ``median``: each frame's median of the good neighbours (rounded for whole numbers); the pixel
        stays in use though it measured nothing. ``leave_out``: weight 0, data untouched (but 0 where not
        finite).
    pixels : sequence of (v, u), path, image, or None
        The bad pixels, when they are known: a list of rows and columns, or an image of the pattern's
        shape (numpy file or values) in which True or 1 means bad. None finds them.
    ratio : float, > 1
        How many times brighter (or darker) than its neighbours a hot (or dead) pixel is.

    Raises
    ------
    InputError
        For spectra; when a pixel lies outside the detector; when more than a tenth of the pixels look bad.

    Notes
    -----
    Finding needs spots that cover more than one pixel: on patterns binned so far that a Bragg spot is a
    single pixel, give `pixels`.

    Examples
    --------
    >>> frames = np.random.default_rng(0).poisson(5.0, (6, 7, 12, 9))
    >>> frames[:, :, 3, 4] = 900
    >>> Repair().apply(Scan.from_array(frames)).history[-1].values["pixels"]
    [[3, 4]]
    """

    how: str = "median"
    pixels: Any = None
    ratio: float = 4.0
    name: ClassVar[str] = "repair"

    def __post_init__(self) -> None:
        one_of("repair: how", self.how, ("median", "leave_out"))
        at_least("repair: ratio", self.ratio, 1.5, hint="write 4")

    def _found(self, scan: Scan) -> dict[str, Mask]:
        """Return the bad pixels by kind."""
        if self.pixels is None:
            return defects(pattern_statistics(scan), used_pixels(scan), self.ratio)
        return {"given": _given(self.pixels, scan.pattern_shape)}

    def apply(self, scan: Scan) -> Scan:
        """Return the scan with its bad pixels dealt with, lazily for lazy data."""
        refuse_spectra(scan, self)
        kinds = self._found(scan)
        bad = np.any(list(kinds.values()), axis=0)
        counts = {kind: int(mask.sum()) for kind, mask in kinds.items()}
        n = int(bad.sum())
        if n > 0.1 * bad.size:
            raise InputError(
                "repair",
                expected="at most a tenth of the pixels bad",
                got=f"{n} of {bad.size} ({counts})",
                hint="give pixels, or a larger ratio",
            )
        values = {"n_pixels": n, "by_kind": counts, "pixels": np.argwhere(bad).tolist()}
        found = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        if n == 0:
            return scan.after(recorded(self, f"no bad pixels: {found}.", **values))
        if self.how == "leave_out":
            record = recorded(self, f"{n} bad pixels left out ({found}).", **values)
            data = _zeroed(scan, kinds["broken"]) if counts.get("broken") else scan.data
            return scan.after(record, data=data, pixel_weights=weights_times(scan.pixel_weights, ~bad))
        effect = f"{n} bad pixels replaced by the median of their neighbours ({found})."
        record = recorded(self, effect, **values)
        return scan.after(record, data=_replaced(scan, bad), extras=without(scan, "mean_pattern"))


def _given(pixels: Any, shape: tuple[int, ...]) -> Mask:
    """Return the mask of a list of rows and columns, or of an image."""
    if isinstance(pixels, (str, Path)) or np.shape(pixels) == shape:
        return np.asarray(read_image("repair: pixels", pixels, shape)[0].astype(bool))
    at = np.asarray(pixels, int).reshape(-1, 2) if np.size(pixels) else np.zeros((0, 2), int)
    if ((at < 0) | (at >= shape)).any():
        raise InputError(
            "repair: pixels",
            expected=f"rows and columns within {shape}",
            got=str(pixels),
            hint="count from 0",
        )
    bad = np.zeros(shape, bool)
    bad[tuple(at.T)] = True
    return bad


def _zeroed(scan: Scan, broken: Mask) -> Any:
    def function(frames: NDArray[Any]) -> NDArray[Any]:
        return np.where(broken, np.zeros((), frames.dtype), frames)

    return _mapped(scan, function)


def _replaced(scan: Scan, bad: Mask) -> Any:
    pairs = neighbours(bad)

    def function(frames: NDArray[Any]) -> NDArray[Any]:
        flat = frames.reshape(len(frames), -1).copy()
        for pixel, around in pairs:
            middle = np.median(flat[:, around], axis=1)
            flat[:, pixel[0]] = middle if flat.dtype.kind == "f" else np.rint(middle)
        return flat.reshape(frames.shape)

    return _mapped(scan, function)


def _mapped(scan: Scan, function: Any) -> Any:
    return map_frames(
        scan.data,
        function,
        n_scan_axes=len(scan.scan_axes),
        pattern_shape=scan.pattern_shape,
        dtype=scan.data.dtype,
    )
