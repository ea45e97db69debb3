"""MeasureBeam: the shape of the direct beam as a small kernel, the shape of every Bragg spot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.prepare.contract import at_least, one_of, recorded, refuse_spectra
from unmixel.prepare.origin import BeamSpot, find_spot, local_spot, spot_of
from unmixel.prepare.passes import Light, Total, found_in
from unmixel.prepare.statistics import Statistics, used_positions

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SOURCES = ("auto", "mean", "vacuum", "spots")
_WORDS = {
    "mean": "the direct beam of the mean pattern",
    "vacuum": "the direct beam where it holds the largest share of the light",
    "spots": "the median of isolated Bragg spots of the mean pattern",
}


def kernel(image: Image, spot: BeamSpot, radius: float) -> Image:
    """Return a spot as a kernel: surroundings subtracted, centred, cut, summing to 1.

    Parameters
    ----------
    image : ndarray, shape (v, u)
    spot : BeamSpot
        Where the spot is.
    radius : float
        Nothing is kept beyond this distance from its centre, px.

    Returns
    -------
    ndarray, shape (2 r + 1, 2 r + 1), r = ceil(radius)
        Values >= 0; resampled by cubic splines.

    Examples
    --------
    >>> v, u = np.indices((31, 26))
    >>> beam = 100 * np.exp(-((v - 14.3) ** 2 + (u - 11.8) ** 2) / 8)
    >>> kernel(beam, find_spot(beam), 5).shape
    (11, 11)
    """
    from scipy.ndimage import map_coordinates

    half = int(np.ceil(radius))
    v, u = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(v, u)
    ring = [image.shape[0] - 1, image.shape[1] - 1]
    at = (spot.center[0] + v, spot.center[1] + u)
    inside = (at[0] >= 0) & (at[0] <= ring[0]) & (at[1] >= 0) & (at[1] <= ring[1])
    patch = map_coordinates(image - spot.background, at, order=3, mode="nearest")
    # beyond the detector's edge the spot's mirror image is the best guess
    patch = np.where(inside, patch, np.where(inside[::-1, ::-1], patch[::-1, ::-1], 0.0))
    # the last pixel of the cut counts by its part, so that the kernel does not jump with the radius
    patch = np.clip(patch, 0, None) * np.clip(radius + 0.5 - distance, 0, 1)
    total = patch.sum()
    if not total > 0:
        raise InputError(
            "direct beam", expected="light above the surroundings", got="none", hint="use another source"
        )
    return np.asarray(patch / total)


def isolated_spots(found: Statistics, used: Mask, beam: BeamSpot, n: int) -> list[BeamSpot]:
    """Return up to `n` bright, round, unsaturated spots of the mean pattern that stand alone.

    Candidates are the local maxima of the variance (Bragg spots come and go over the scan, the halo
    stays), two radii outside the beam's reach.
    """
    from scipy.ndimage import maximum_filter

    strength = np.where(used & np.isfinite(found.variance), found.variance, 0.0)
    peaks = np.argwhere((strength == maximum_filter(strength, 7)) & (strength > 3 * np.median(strength)))
    order = np.argsort(-strength[tuple(peaks.T)], kind="stable")
    usual_error = float(np.median(found.standard_error[used]))
    spots: list[BeamSpot] = []
    for v, u in peaks[order][: 10 * n]:
        if np.hypot(v - beam.center[0], u - beam.center[1]) < beam.reach + 2 * beam.radius:
            continue
        begin, widest = min(beam.radius, 2.0), max(beam.radius, 2.0)
        spot = local_spot(found.mean, used, (float(v), float(u)), begin, widest=widest)
        if spot.asymmetry > 0.15 or spot.height < 10 * usual_error:
            continue
        if np.hypot(v - spot.center[0], u - spot.center[1]) > 1.5 or _touches(spot, found, used):
            continue
        if all(np.hypot(*np.subtract(spot.center, other.center)) > spot.reach for other in spots):
            spots.append(spot)
    if len(spots) < 3:
        return spots
    usual = float(np.median([spot.radius for spot in spots]))
    return [spot for spot in spots if 0.7 * usual <= spot.radius <= 1.4 * usual][:n]


def _touches(spot: BeamSpot, found: Statistics, used: Mask) -> bool:
    """Return whether a spot reaches over the edge, an unused or a saturated pixel."""
    (v, u), r = spot.center, int(np.ceil(spot.reach))
    rows, columns = round(v), round(u)
    box = (slice(max(0, rows - r), rows + r + 1), slice(max(0, columns - r), columns + r + 1))
    whole = used[box].shape == (2 * r + 1, 2 * r + 1)
    return not whole or not used[box].all() or bool(found.saturated[box].any())


@dataclass(frozen=True)
class MeasureBeam:
    """Measure the shape of the direct beam as a kernel; kept as ``scan.extras["beam"]``, data untouched.

    A Bragg spot is an image of the same aperture: no pattern holds a feature narrower than this kernel.
    Also kept: ``scan.extras["mean_pattern"]``. Put it before ``mask_beam``.

    Parameters
    ----------
    source : {"auto", "mean", "vacuum", "spots"}
        ``mean``: the beam in the mean pattern. ``vacuum``: the mean over the positions whose beam holds
        the largest share of the light. ``spots``: the median of bright, isolated Bragg spots, each
        normalised. ``auto``: ``mean``, but ``spots`` where the beam saturates the camera (its flat top
        would make the kernel too wide) and at least 3 spots are found.
    share : float, 0 to 1
        Share of the positions that ``vacuum`` averages.
    radius_px : float or None, >= 1
        Where the kernel is cut; None takes the distance at which the spot falls to 2 % of its height.
    n_spots : int, >= 3
        Most spots that ``spots`` takes.

    Raises
    ------
    InputError
        For spectra, when the beam is masked or hidden, or when there are too few spots.

    Examples
    --------
    >>> v, u = np.indices((31, 26))
    >>> beam = 100 * np.exp(-((v - 14.3) ** 2 + (u - 11.8) ** 2) / 8)
    >>> scan = MeasureBeam().apply(Scan.from_array(np.tile(beam, (3, 4, 1, 1))))
    >>> scan.extras["beam"].shape, round(float(scan.extras["beam"].sum()), 6)
    ((13, 13), 1.0)
    """

    source: str = "auto"
    share: float = 0.05
    radius_px: float | None = None
    n_spots: int = 20
    name: ClassVar[str] = "measure_beam"

    def __post_init__(self) -> None:
        one_of("measure_beam: source", self.source, _SOURCES)
        at_least("measure_beam: radius_px", self.radius_px, 1, hint="write null to measure it")
        at_least("measure_beam: n_spots", self.n_spots, 3, hint="write 20")
        at_least("measure_beam: share", self.share, 0, hint="write 0.05")

    def apply(self, scan: Scan) -> Scan:
        """Return the scan with the kernel and the mean pattern among its extras."""
        refuse_spectra(scan, self)
        spot, found, used = spot_of(scan, method="beam")
        v, u = np.indices(scan.pattern_shape)
        core = np.hypot(v - spot.center[0], u - spot.center[1]) <= spot.radius
        n_saturated = int((found.saturated & core).sum())
        spots = isolated_spots(found, used, spot, self.n_spots) if self.source in ("auto", "spots") else []
        source = self.source
        if source == "auto":
            source = "spots" if n_saturated and len(spots) >= 3 else "mean"
        if source == "spots":
            shape, radius = self._from_spots(found.mean, spots)
        else:
            shape, radius = self._from_beam(scan, source, found, used)
        values: dict[str, Any] = {
            "source": source,
            "radius_px": round(_half_radius(shape), 3),
            "cut_px": round(radius, 2),
            "beam_radius_px": round(spot.radius, 3),
            "beam_v_px": round(spot.center[0], 3),
            "beam_u_px": round(spot.center[1], 3),
            "saturated_pixels": n_saturated,
            "n_spots": len(spots),
        }
        effect = (
            f"beam kernel of {shape.shape[0]} x {shape.shape[1]} px from {_WORDS[source]}: "
            f"radius at half height {values['radius_px']:.2f} px, cut at {radius:.1f} px"
        )
        if n_saturated:
            effect += f"; the direct beam is saturated in {n_saturated} pixels"
            if source != "spots":
                effect += ", so that the kernel is too wide"
        if spots:
            usual = float(np.median([spot.radius for spot in spots]))
            effect += f"; {len(spots)} isolated Bragg spots have radius {usual:.2f} px"
        extras = {**scan.extras, "beam": shape, "mean_pattern": found.mean}
        return scan.after(recorded(self, effect + ".", **values), extras=extras)

    def _from_beam(self, scan: Scan, source: str, found: Statistics, used: Mask) -> tuple[Image, float]:
        image, spot = found.mean, find_spot(found.mean, used=used, method="beam")
        if spot.asymmetry >= 1:
            raise InputError(
                "direct beam",
                expected="a beam that is seen",
                got="one that is masked or hidden",
                hint="put measure_beam before mask_beam, or use source 'spots'",
            )
        if source == "vacuum":
            image = vacuum_pattern(scan, spot, self.share)
            spot = find_spot(image, used=used, method="beam")
        radius = self.radius_px or spot.reach
        return kernel(image, spot, radius), radius

    def _from_spots(self, mean: Image, spots: list[BeamSpot]) -> tuple[Image, float]:
        if len(spots) < 3:
            raise InputError(
                "measure_beam: source 'spots'",
                expected="3 or more bright, round, isolated spots in the mean pattern",
                got=str(len(spots)),
                hint="use source 'mean' or 'vacuum'",
            )
        radius = self.radius_px or float(np.median([spot.reach for spot in spots]))
        middle = np.median([kernel(mean, spot, radius) for spot in spots], axis=0)
        return np.asarray(middle / middle.sum()), radius


def vacuum_pattern(scan: Scan, spot: BeamSpot, share: float) -> Image:
    """Return the mean of the patterns in which the direct beam holds the largest share of the light.

    Parameters
    ----------
    scan : Scan
    spot : BeamSpot
        The beam; its light is what lies within `reach`.
    share : float
        Share of the positions to average; at least one.
    """
    n_scan_axes = len(scan.scan_axes)
    v, u = np.indices(scan.pattern_shape)
    within = (np.hypot(v - spot.center[0], u - spot.center[1]) <= spot.reach).reshape(-1)
    chosen = used_positions(scan)
    sets = np.array([np.ones_like(within), within])
    light, beam = found_in(Light(sets), scan.data, n_scan_axes).here[0]
    part_of_light = np.where(chosen, beam / np.where(light > 0, light, 1.0), -1)
    best = np.argsort(-part_of_light, kind="stable")[: max(1, round(share * int(chosen.sum())))]
    wanted = np.zeros(scan.n_positions, bool)
    wanted[best] = True
    (total,) = found_in(Total(), scan.data, n_scan_axes, wanted).sums
    return np.asarray((total / best.size).reshape(scan.pattern_shape))


def _half_radius(shape: Image) -> float:
    """Return the radius at half height of a kernel, px."""
    top = float(shape.max())
    return float(np.sqrt(np.clip((shape - 0.4 * top) / (0.2 * top), 0, 1).sum() / np.pi))
