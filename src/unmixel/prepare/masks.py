"""Masks: leave out the direct beam, the rim of the detector, or what an image says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.core.units import printed
from unmixel.dataset.scan import Scan
from unmixel.prepare.contract import at_least, one_of, pixel_distance, recorded, refuse_spectra, weights_times
from unmixel.prepare.images import read_image
from unmixel.prepare.origin import known_origin, spot_of


def _masked(scan: Scan, step: Any, use: NDArray[np.bool_], what: str, **values: Any) -> Scan:
    """Return the scan with pixel weights of 0 outside `use`, refusing to leave nothing."""
    before = scan.n_pixels if scan.pixel_weights is None else int((scan.pixel_weights > 0).sum())
    weights = weights_times(scan.pixel_weights, use)
    left = int((weights > 0).sum())
    if left == 0:
        raise InputError(
            f"step {step.name}",
            expected="a mask that leaves pixels in use",
            got="none left",
            hint="mask less",
        )
    effect = f"{what}: {before - left} of {scan.n_pixels} pixels left out, {left} in use."
    record = recorded(step, effect, left_out_pixels=before - left, used_pixels=left, **values)
    return scan.after(record, pixel_weights=weights)


@dataclass(frozen=True)
class MaskBeam:
    """Leave out a disk about the direct beam.

    Parameters
    ----------
    radius : float or None, > 0
        Radius of the disk in `unit`; None takes `factor` times the distance at which the beam in the mean
        pattern falls to 2 % of its height above its surroundings.
    unit : str
        ``px``, or a unit that the pattern axes convert to, such as ``1/angstrom``.
    factor : float, > 0
        Used when `radius` is None.

    Raises
    ------
    InputError
        For spectra; when the beam cannot be seen and no radius is given; when nothing would be left.

    Notes
    -----
    The middle is the origin that the step ``center`` set, else the origin measured on the mean pattern.

    Examples
    --------
    >>> v, u = np.indices((31, 26))
    >>> beam = 100 * np.exp(-((v - 14.3) ** 2 + (u - 11.8) ** 2) / 8)
    >>> scan = MaskBeam(radius=2).apply(Scan.from_array(np.tile(beam, (3, 4, 1, 1))))
    >>> scan.history[-1].values["left_out_pixels"]
    13
    """

    radius: float | None = None
    unit: str = "px"
    factor: float = 1.0
    name: ClassVar[str] = "mask_beam"

    def __post_init__(self) -> None:
        at_least("mask_beam: radius", self.radius, 1e-12, hint="write null to measure it")
        at_least("mask_beam: factor", self.factor, 1e-12, hint="write 1")

    def apply(self, scan: Scan) -> Scan:
        """Return the scan with the disk left out."""
        refuse_spectra(scan, self)
        origin, radius, unit = known_origin(scan), self.radius, self.unit
        if radius is None or origin is None:
            spot, _, _ = spot_of(scan)
            origin = origin or spot.center
            if radius is None:
                if spot.method == "symmetry":
                    raise InputError(
                        "mask_beam: radius",
                        expected="a beam that is seen, to measure its radius",
                        got="one that looks cut, masked or hidden",
                        hint="give radius",
                    )
                radius, unit = self.factor * spot.reach, "px"
        use = pixel_distance(scan.pattern_axes, origin, unit=unit) > radius
        return _masked(
            scan,
            self,
            use,
            f"direct beam within {radius:.4g} {printed(unit)} of row {origin[0]:.2f}, column {origin[1]:.2f}",
            radius=round(radius, 6),
            unit=unit,
            center_v_px=round(origin[0], 4),
            center_u_px=round(origin[1], 4),
        )


@dataclass(frozen=True)
class MaskRim:
    """Leave out the rim of the detector (or of a spectrum): a margin on its sides, or all beyond a radius.

    Parameters
    ----------
    margin_px : int, or one (first, last) pair per axis, >= 0
        Rows and columns (or channels) left out: one number for all sides, or ``[[3, 0], [0, 1]]`` for 3
        rows at the top, none at the bottom, no column on the left, 1 on the right.
    radius : float or None, > 0
        Everything beyond this distance from the origin is left out too.
    unit : str
        Unit of `radius`: ``px``, or one that the pattern axes convert to.

    Raises
    ------
    InputError
        When nothing would be left, or for a radius on spectra.

    Examples
    --------
    >>> scan = MaskRim([[3, 0], [0, 1]]).apply(Scan.from_array(np.ones((2, 2, 10, 10))))
    >>> scan.history[-1].values["used_pixels"]
    63
    """

    margin_px: int | Sequence[Sequence[int]] = 0
    radius: float | None = None
    unit: str = "px"
    name: ClassVar[str] = "mask_rim"

    @classmethod
    def example(cls, scan: Scan) -> MaskRim:
        """Return a step that fits a scan, for the laws of steps."""
        return cls(margin_px=tuple((index + 1, 2) for index in range(len(scan.pattern_axes))))

    def __post_init__(self) -> None:
        at_least("mask_rim: radius", self.radius, 1e-12, hint="write null for no radius")
        if not isinstance(self.margin_px, int):
            pairs = tuple(tuple(pair) for pair in self.margin_px)
            object.__setattr__(self, "margin_px", pairs)
            good = all(len(pair) == 2 and all(isinstance(n, int) and n >= 0 for n in pair) for pair in pairs)
        else:
            good = self.margin_px >= 0
        if not good:
            raise InputError(
                "mask_rim: margin_px",
                expected="a whole number >= 0, or a pair of them for each axis",
                got=repr(self.margin_px),
                hint="write 2 or [[3, 0], [0, 1]]",
            )

    def apply(self, scan: Scan) -> Scan:
        """Return the scan with its rim left out."""
        n_axes = len(scan.pattern_axes)
        pairs = ((self.margin_px,) * 2,) * n_axes if isinstance(self.margin_px, int) else self.margin_px
        if len(pairs) != n_axes:
            raise InputError(
                "mask_rim: margin_px",
                expected=f"{n_axes} pairs, for {', '.join(axis.name for axis in scan.pattern_axes)}",
                got=str(len(pairs)),
                hint="write one number for all sides",
            )
        use = np.zeros(scan.pattern_shape, bool)
        use[tuple(slice(a, max(a, n - b)) for (a, b), n in zip(pairs, use.shape, strict=True))] = True
        what = f"rim of {self.margin_px} px"
        values: dict[str, Any] = {}
        if self.radius is not None:
            refuse_spectra(scan, self)
            origin = known_origin(scan) or spot_of(scan)[0].center
            use &= pixel_distance(scan.pattern_axes, origin, unit=self.unit) <= self.radius
            what += f" and beyond {self.radius:.4g} {printed(self.unit)} of {origin[0]:.2f}, {origin[1]:.2f}"
            values = {"center_v_px": round(origin[0], 4), "center_u_px": round(origin[1], 4)}
        return _masked(scan, self, use, what, **values)


@dataclass(frozen=True)
class MaskImage:
    """Leave out what an image says: a beam stop, a shadow, a list of bad positions.

    Parameters
    ----------
    image : str, path or array of bool (or 0 and 1)
        True or 1 means use. A numpy file (.npy, or .npz with one array) or the values; of the shape of the
        pattern, or of the scan.
    of : {"pattern", "scan"}
        Whether pixels or positions are left out.

    Raises
    ------
    InputError
        When the image has another shape, holds anything but yes and no, or leaves nothing.

    Examples
    --------
    >>> scan = MaskImage([[True, False]], of="scan").apply(Scan.from_array(np.ones((1, 2, 5, 5))))
    >>> scan.position_weights.tolist()
    [[1.0, 0.0]]
    """

    image: Any
    of: str = "pattern"
    name: ClassVar[str] = "mask_image"

    @classmethod
    def example(cls, scan: Scan) -> MaskImage:
        """Return a step that fits a scan, for the laws of steps."""
        return cls((np.arange(scan.n_pixels) % 7 > 0).reshape(scan.pattern_shape))

    def __post_init__(self) -> None:
        one_of("mask_image: of", self.of, ("pattern", "scan"))

    def apply(self, scan: Scan) -> Scan:
        """Return the scan with weights of 0 where the image says no."""
        shape = scan.pattern_shape if self.of == "pattern" else scan.scan_shape
        image, digest = read_image("mask_image: image", self.image, shape)
        if not np.isin(image, (0, 1)).all():
            raise InputError(
                "mask_image: image",
                expected="only yes and no (True, False, 1, 0)",
                got=f"values from {image.min():g} to {image.max():g}",
                hint="write the condition, such as image > 0, into the file",
            )
        use = image.astype(bool)
        if self.of == "pattern":
            return _masked(scan, self, use, "mask image", sha256=digest)
        weights = weights_times(scan.position_weights, use)
        left, before = int((weights > 0).sum()), scan.n_positions
        if left == 0:
            raise InputError("mask_image: image", expected="a position in use", got="none", hint="mask less")
        effect = f"mask image: {left} of {before} positions in use."
        record = recorded(self, effect, used_positions=left, sha256=digest)
        return scan.after(record, position_weights=weights)
