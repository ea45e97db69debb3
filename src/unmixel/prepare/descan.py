"""Descan: take out the wandering of the direct beam over the scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.record import StepRecord
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import map_frames
from unmixel.prepare.beam_path import Plane, beam_path, fit_plane, sampled_search
from unmixel.prepare.contract import at_least, one_of, recorded, refuse_spectra, without
from unmixel.prepare.redraw import Redraw, reached
from unmixel.prepare.statistics import pattern_statistics, used_positions
from unmixel.prepare.weights import measured_gain


def moved(frames: NDArray[Any], shifts: NDArray[np.intp]) -> NDArray[Any]:
    """Return frames moved by whole pixels; what comes from outside the detector is 0.

    Parameters
    ----------
    frames : ndarray, shape (b, v, u)
    shifts : ndarray of int, shape (b, 2)
        Rows and columns by which each frame's content moves to higher indices.

    Examples
    --------
    >>> moved(np.arange(6).reshape(1, 2, 3), np.array([[0, 1]])).tolist()
    [[[0, 0, 1], [0, 3, 4]]]
    """
    out = np.zeros_like(frames)
    height, width = frames.shape[1:]
    for dv, du in np.unique(shifts, axis=0):
        if abs(dv) >= height or abs(du) >= width:
            continue
        same = np.flatnonzero((shifts == (dv, du)).all(axis=1))
        to = (slice(max(0, dv), height + min(0, dv)), slice(max(0, du), width + min(0, du)))
        come = (slice(max(0, -dv), height + min(0, -dv)), slice(max(0, -du), width + min(0, -du)))
        out[(same, *to)] = frames[(same, *come)]
    return out


def _nearest(frames: NDArray[Any], moves: NDArray[np.float64]) -> NDArray[Any]:
    return moved(frames, np.rint(moves[:, :2]).astype(np.intp))


def _corners(shifts: NDArray[np.float64]) -> list[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Return the four whole-pixel shifts about each shift, with their weights."""
    base = np.floor(shifts).astype(np.intp)
    part = shifts - base
    corners = []
    for dv in (0, 1):
        for du in (0, 1):
            weight = np.abs(1 - dv - part[:, 0]) * np.abs(1 - du - part[:, 1])
            corners.append((base + np.array([dv, du]), weight))
    return corners


def _bilinear(frames: NDArray[Any], moves: NDArray[np.float64]) -> NDArray[Any]:
    values = frames.astype(np.promote_types(frames.dtype, np.float32))
    out = np.zeros_like(values)
    for corner, weight in _corners(moves[:, :2]):
        out += moved(values, corner) * weight.astype(values.dtype)[:, None, None]
    return out


def moved_weights(
    weights: NDArray[Any] | None, shape: tuple[int, ...], shifts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the mean weight of each pixel over moved frames; 0 where any frame has no used pixel there."""
    start = np.ones(shape) if weights is None else np.asarray(weights, np.float64)
    different, count = np.unique(shifts, axis=0, return_counts=True)
    total, complete = np.zeros(shape), np.ones(shape, bool)
    for shift, n in zip(different, count, strict=True):
        there = moved(start[None], shift[None])[0]
        total += n * there
        complete &= there > 0
    return np.where(complete, total / count.sum(), 0.0)


def _corners_reached(shifts: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.concatenate([corner for corner, _ in _corners(shifts)])


def electron(scan: Scan) -> float | None:
    """Return how many units of the data an electron is: a whole number for whole numbers.

    Returns
    -------
    float or None
        None where data are no whole numbers and too few positions stand in a row to measure it.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(2.0, (9, 20, 5, 7))
    >>> electron(Scan.from_array(counts)), electron(Scan.from_array(3 * counts))
    (1.0, 3.0)
    """
    whole = np.dtype(scan.data.dtype).kind in "ui"
    gain = scan.gain
    if gain == 1:
        measured = measured_gain(scan, pattern_statistics(scan))
        if measured is None:
            return 1.0 if whole else None
        gain = 1.0 if measured.near_one else measured.value
    return max(1.0, float(round(gain))) if whole else gain


@dataclass(frozen=True, eq=False)
class _Move:
    """A way to move frames: from frames and shifts (with the number of the position) to frames.

    Parameters
    ----------
    function : callable (frames, moves) -> frames
    dtype : dtype
        Of the frames that come out.
    reached : callable (shifts) -> ndarray of int, shape (c, 2)
        Every whole-pixel shift by which some content is moved.
    told : str
    """

    function: Callable[[NDArray[Any], NDArray[np.float64]], NDArray[Any]]
    dtype: np.dtype[Any]
    reached: Callable[[NDArray[np.float64]], NDArray[np.intp]]
    told: str


@dataclass(frozen=True)
class Descan:
    """Fit a plane to the beam's position over the scan and move every frame by it.

    Each frame's origin is measured to a fraction of a pixel; the plane is fitted so that strong Bragg disks
    and empty frames do not bend it. The beam then stands where the plane is at the middle of the scan. Put
    ``center`` after this step.

    Parameters
    ----------
    how : {"drawn", "nearest", "bilinear"}
        ``drawn`` moves by fractions: each electron goes as a whole to a pixel that is drawn for it, so that Poisson
        stays Poisson; all frames are blurred alike, by a variance of 1/4 square pixel (`Redraw`). ``nearest`` moves by
        whole pixels: counts stay exactly what was measured, and each frame is off by at most half a pixel, which a
        strong matrix shows as components of their own. ``bilinear`` moves by fractions, but mixes neighbouring
        pixels, so that noise is no longer independent; data become float32.
    search_px : float or None, > 0
        How far from the middle the beam may be, along each axis; None learns it from 64 frames.
    least_px : float, >= 0
        Nothing is moved when the plane spans less than this over the scan, or less than 5 standard errors.

    Raises
    ------
    InputError
        For spectra, or when nothing would be left of the detector.

    Notes
    -----
    Pixels that some frame moves in from outside the detector get weight 0 (values there are 0 in those
    frames), and so do pixels that a left-out pixel comes to lie on in some frame.
    """

    how: str = "drawn"
    search_px: float | None = None
    least_px: float = 0.5
    name: ClassVar[str] = "descan"

    def __post_init__(self) -> None:
        one_of("descan: how", self.how, ("drawn", "nearest", "bilinear"))
        at_least("descan: search_px", self.search_px, 1, hint="write null to learn it from the data")
        at_least("descan: least_px", self.least_px, 0, hint="write 0.5")

    def apply(self, scan: Scan) -> Scan:
        """Return the scan with its frames moved, lazily for lazy data."""
        refuse_spectra(scan, self)
        if scan.n_positions < 2:
            return scan.after(recorded(self, "nothing to do: one pattern only."))
        search = sampled_search(scan, self.search_px)
        origins = beam_path(scan, search)
        plane = fit_plane(origins, scan.scan_shape)
        if plane is None:
            n = int(np.isfinite(origins).all(axis=1).sum())
            return scan.after(
                recorded(self, f"nothing done: a beam was found in {n} patterns only.", n_found=n)
            )
        shifts = plane.middle - plane.values
        span, error = float(plane.span.max()), plane.span_error(origins)
        if span < max(self.least_px, 5 * error):
            why = (
                f"less than {self.least_px:g} px" if span < self.least_px else "too uncertain to be moved by"
            )
            effect = (
                f"nothing to do: the beam's plane spans {span:.2f} px over the scan "
                f"(standard error {error:.2f} px), {why}."
            )
            return scan.after(self._record(effect, origins, plane, np.zeros_like(shifts), search.reach))
        return self._moved(scan, origins, plane, shifts, search.reach)

    def _moved(
        self,
        scan: Scan,
        origins: NDArray[np.float64],
        plane: Plane,
        shifts: NDArray[np.float64],
        reach: float,
    ) -> Scan:
        chosen = used_positions(scan)
        move = self._move(scan)
        weights = moved_weights(scan.pixel_weights, scan.pattern_shape, move.reached(shifts[chosen]))
        if not weights.any():
            raise InputError(
                "descan",
                expected="a wandering smaller than the detector",
                got=f"{plane.span[0]:.1f} x {plane.span[1]:.1f} px",
                hint="give search_px, or crop the scan",
            )
        before = scan.n_pixels if scan.pixel_weights is None else int((scan.pixel_weights > 0).sum())
        lost = before - int((weights > 0).sum())
        done = np.rint(shifts) if move.function is _nearest else shifts
        effect = (
            f"frames moved by a plane that spans {plane.span[0]:.2f} (v) and {plane.span[1]:.2f} (u) px "
            f"({move.told}); {lost} pixels not seen by every frame are left out"
        )
        numbers = np.arange(len(shifts), dtype=np.float64)[:, None]
        data = map_frames(
            scan.data,
            move.function,
            n_scan_axes=len(scan.scan_axes),
            pattern_shape=scan.pattern_shape,
            dtype=move.dtype,
            per_position=np.concatenate([shifts, numbers], axis=1).reshape(*scan.scan_shape, 3),
        )
        record = self._record(effect, origins, plane, done, reach, lost)
        return scan.after(
            record, data=data, pixel_weights=weights, extras=without(scan, "mean_pattern", "beam")
        )

    def _move(self, scan: Scan) -> _Move:
        """Return how frames are moved: as asked, or by whole pixels where nothing says what an electron is."""
        dtype = np.dtype(scan.data.dtype)
        if self.how == "bilinear":
            told = "bilinear, noise is mixed"
            return _Move(_bilinear, np.promote_types(dtype, np.float32), _corners_reached, told)
        unit = electron(scan) if self.how == "drawn" else None
        if unit is not None:
            told = "each electron drawn a pixel, " + ("counts" if unit == 1 else f"of {unit:.3g} counts")
            return _Move(Redraw(unit), dtype, reached, told)
        told = "whole pixels, counts unchanged"
        return _Move(_nearest, dtype, lambda shifts: np.rint(shifts).astype(np.intp), told)

    def _record(
        self,
        effect: str,
        origins: NDArray[np.float64],
        plane: Plane,
        done: NDArray[np.float64],
        reach: float,
        lost: int = 0,
    ) -> StepRecord:
        """Return the record; residuals are root mean square distances of the inliers' origins, px."""

        def rms(at: NDArray[np.float64]) -> float:
            return round(float(np.sqrt(np.mean(np.sum((at - plane.middle)[plane.inliers] ** 2, axis=1)))), 4)

        found = np.isfinite(origins).all(axis=1)
        before, after = rms(origins), rms(origins + done)
        moved_at_all = bool(np.any(done))
        return recorded(
            self,
            effect
            + (f"; beam wanders {before:.2f} px rms before, {after:.2f} px after." if moved_at_all else ""),
            slopes_px_per_step=np.round(plane.slopes, 6),
            middle_px=np.round(plane.middle, 4),
            span_px=np.round(plane.span, 3),
            rms_before_px=before,
            rms_after_px=after,
            rms_about_plane_px=rms(origins - plane.values + plane.middle),
            n_found=int(found.sum()),
            n_outliers=int(found.sum() - plane.inliers.sum()),
            search_px=round(reach, 2),
            left_out_pixels=lost,
        )
