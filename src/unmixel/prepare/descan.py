"""Descan: take out the wandering of the direct beam over the scan."""

from __future__ import annotations

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
from unmixel.prepare.statistics import used_positions


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


def _nearest(frames: NDArray[Any], shifts: NDArray[np.float64]) -> NDArray[Any]:
    return moved(frames, np.rint(shifts).astype(np.intp))


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


def _bilinear(frames: NDArray[Any], shifts: NDArray[np.float64]) -> NDArray[Any]:
    values = frames.astype(np.promote_types(frames.dtype, np.float32))
    out = np.zeros_like(values)
    for corner, weight in _corners(shifts):
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


@dataclass(frozen=True)
class Descan:
    """Fit a plane to the beam's position over the scan and move every frame by it.

    Each frame's origin is measured to a fraction of a pixel; the plane is fitted so that strong Bragg disks
    and empty frames do not bend it. The beam then stands where the plane is at the middle of the scan. Put
    ``center`` after this step.

    Parameters
    ----------
    how : {"nearest", "bilinear"}
        ``nearest`` moves by whole pixels: counts stay exactly what was measured (Poisson stays Poisson)
        and each frame is off by at most half a pixel. ``bilinear`` moves by fractions: smoother, but it
        mixes neighbouring pixels, so that noise is no longer independent; data become float32.
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

    how: str = "nearest"
    search_px: float | None = None
    least_px: float = 0.5
    name: ClassVar[str] = "descan"

    def __post_init__(self) -> None:
        one_of("descan: how", self.how, ("nearest", "bilinear"))
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
        whole = [np.rint(shifts).astype(np.intp)]
        if self.how == "bilinear":
            whole = [corner for corner, _ in _corners(shifts)]
        weights = moved_weights(
            scan.pixel_weights, scan.pattern_shape, np.concatenate([part[chosen] for part in whole])
        )
        if not weights.any():
            raise InputError(
                "descan",
                expected="a wandering smaller than the detector",
                got=f"{plane.span[0]:.1f} x {plane.span[1]:.1f} px",
                hint="give search_px, or crop the scan",
            )
        before = scan.n_pixels if scan.pixel_weights is None else int((scan.pixel_weights > 0).sum())
        lost = before - int((weights > 0).sum())
        done = whole[0].astype(np.float64) if self.how == "nearest" else shifts
        effect = (
            f"frames moved by a plane that spans {plane.span[0]:.2f} (v) and {plane.span[1]:.2f} (u) px "
            f"({'whole pixels, counts unchanged' if self.how == 'nearest' else 'bilinear, noise is mixed'}); "
            f"{lost} pixels not seen by every frame are left out"
        )
        dtype = scan.data.dtype if self.how == "nearest" else np.promote_types(scan.data.dtype, np.float32)
        data = map_frames(
            scan.data,
            _nearest if self.how == "nearest" else _bilinear,
            n_scan_axes=len(scan.scan_axes),
            pattern_shape=scan.pattern_shape,
            dtype=dtype,
            per_position=shifts.reshape(*scan.scan_shape, 2),
        )
        record = self._record(effect, origins, plane, done, reach, lost)
        return scan.after(
            record, data=data, pixel_weights=weights, extras=without(scan, "mean_pattern", "beam")
        )

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
