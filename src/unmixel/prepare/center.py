"""Center: put the zero of the pattern axes on the direct beam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.prepare.contract import one_of, recorded, refuse_spectra
from unmixel.prepare.origin import spot_of, symmetry_center

_WAYS = {"beam": "outline of the direct beam", "symmetry": "symmetry of the mean pattern"}


@dataclass(frozen=True)
class Center:
    """Find the sub-pixel origin on the mean pattern and make it the zero of the pattern axes.

    The data stay as they are.

    Parameters
    ----------
    origin : (float, float) or None
        Row v and column u of the origin, px, when it is known; None measures it.
    method : {"auto", "beam", "symmetry"}
        ``beam``: outline of the brightest spot. ``symmetry``: centre of symmetry of the whole pattern, for a
        beam behind a stop (mask the stop first). ``auto``: the beam unless it looks cut.

    Raises
    ------
    InputError
        For spectra, or when the mean pattern is flat.

    Examples
    --------
    >>> v, u = np.indices((31, 26))
    >>> beam = 100 * np.exp(-((v - 14.3) ** 2 + (u - 11.8) ** 2) / 8)
    >>> scan = Center().apply(Scan.from_array(np.tile(beam, (3, 4, 1, 1))))
    >>> round(scan.history[-1].values["center_v_px"], 1), round(scan.pattern_axes[1].offset, 1)
    (14.3, -11.8)
    """

    origin: Sequence[float] | None = None
    method: str = "auto"
    name: ClassVar[str] = "center"

    def __post_init__(self) -> None:
        one_of("center: method", self.method, ("auto", "beam", "symmetry"))
        if self.origin is None:
            return
        if len(self.origin) != 2 or not np.isfinite(np.asarray(self.origin, float)).all():
            raise InputError(
                "center: origin",
                expected="row and column in px",
                got=repr(self.origin),
                hint="write [63.5, 64.0]",
            )
        object.__setattr__(self, "origin", tuple(float(value) for value in self.origin))

    def apply(self, scan: Scan) -> Scan:
        """Return the scan with new offsets of its pattern axes."""
        refuse_spectra(scan, self)
        if self.origin is not None:
            center = (self.origin[0], self.origin[1])
            values: dict[str, object] = {}
            how = "as given"
        else:
            spot, found, used = spot_of(scan, method=self.method)
            center = spot.center
            apart = np.hypot(*np.subtract(symmetry_center(found.mean, used), center))
            how = _WAYS[spot.method]
            if spot.method == "beam":
                how += f", standard error {spot.uncertainty:.3f} px, asymmetry {spot.asymmetry:.0%}"
            elif self.method == "auto":
                how += ", as the beam looks cut or is not used"
            values = {
                "radius_px": round(spot.radius, 3),
                "uncertainty_px": round(spot.uncertainty, 4),
                "asymmetry": round(spot.asymmetry, 4),
                "method": spot.method,
                "symmetry_disagrees_by_px": round(float(apart), 3),
            }
        was = [-axis.offset / axis.scale for axis in scan.pattern_axes]
        axes = tuple(
            replace(axis, offset=-middle * axis.scale)
            for axis, middle in zip(scan.pattern_axes, center, strict=True)
        )
        moved = float(np.hypot(*np.subtract(center, was)))
        effect = (
            f"origin set to row {center[0]:.2f}, column {center[1]:.2f} px ({how}); "
            f"{moved:.2f} px from the zero of the axes before."
        )
        record = recorded(
            self,
            effect,
            center_v_px=round(center[0], 4),
            center_u_px=round(center[1], 4),
            moved_px=round(moved, 3),
            **values,
        )
        return scan.after(record, pattern_axes=axes)
