"""Virtual images that grow frame by frame: bright field, annular dark field, centre of mass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.prepare.contract import used_pixels
from unmixel.prepare.detectors import Annulus, Disk, detector_masks, moment_masks
from unmixel.prepare.geometry import Geometry
from unmixel.prepare.origin import spot_of

DARK_FROM = 1.5
"""Inner radius of the annular dark field, in radii of the direct beam; it ends at the rim of the detector."""


@dataclass(eq=False)
class LiveImages:
    """Images of the positions that have come.

    Parameters
    ----------
    masks : ndarray of float32, shape (n_pixels, 4 or 5)
        Of the sum, of the moments along v and u, of the bright field and, where it has room, of the dark field.
    sums : ndarray of float64, shape (n_positions, 4 or 5)
    seen : ndarray of bool, shape (n_positions,)
    scan_shape : tuple of int
    radius : float
        Of the direct beam, in px.
    center : (float, float)
        Of the direct beam (v, u), in px.
    """

    masks: NDArray[np.float32]
    sums: NDArray[np.float64]
    seen: NDArray[np.bool_]
    scan_shape: tuple[int, ...]
    radius: float
    center: tuple[float, float]
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def begin(cls, first: Scan, skeleton: Scan) -> LiveImages:
        """Return empty images; the first frames tell where the direct beam is and how large.

        Parameters
        ----------
        first : Scan
            Some frames.
        skeleton : Scan
            What the scan will be.
        """
        notes: tuple[str, ...] = ()
        try:
            spot, *_ = spot_of(first)
            center, radius = spot.center, spot.radius
        except InputError:
            rows, columns = first.pattern_shape
            center, radius = ((rows - 1) / 2, (columns - 1) / 2), max(1.0, min(rows, columns) / 8)
            notes = ("No direct beam is seen in the first frames: virtual images are about the middle.",)
        geometry = Geometry.of(first, unit="px", center=center)
        share = used_pixels(first).astype(np.float64)
        rim = min(first.pattern_shape) / 2
        detectors: list[Disk | Annulus] = [Disk(radius, "px")]
        if DARK_FROM * radius < rim:
            detectors.append(Annulus(DARK_FROM * radius, rim, "px"))
        masks = np.hstack([moment_masks(share, geometry), detector_masks(first, detectors, center=center)])
        n = skeleton.n_positions
        return cls(
            masks.astype(np.float32), np.zeros((n, masks.shape[1])), np.zeros(n, bool), skeleton.scan_shape,
            float(radius), (float(center[0]), float(center[1])), notes,
        )  # fmt: skip

    def update(self, positions: NDArray[np.int64], sums: NDArray[Any]) -> None:
        """Take in the sums of some frames over the masks: shape (b, 4 or 5)."""
        self.sums[positions] = sums
        self.seen[positions] = True

    def pictures(self) -> dict[str, NDArray[np.float64]]:
        """Return the images as they stand, NaN where no frame has come.

        ``bright_field`` and ``annular_dark_field`` in counts, ``com_v`` and ``com_u`` in px from their mean.
        """
        total, *rest = (np.where(self.seen, column, np.nan) for column in self.sums.T)
        with np.errstate(invalid="ignore", divide="ignore"):
            moments = [np.where(total > 0, moment / total, np.nan) for moment in rest[:2]]
        found = {"bright_field": rest[2]}
        if len(rest) > 3:
            found["annular_dark_field"] = rest[3]
        for name, moment in zip(("com_v", "com_u"), moments, strict=True):
            found[name] = moment - (np.nanmean(moment) if np.isfinite(moment).any() else 0.0)
        return {name: image.reshape(self.scan_shape) for name, image in found.items()}
