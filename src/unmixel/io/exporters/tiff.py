"""Images with their scale: 32-bit TIFF that ImageJ, DigitalMicrograph and tifffile read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from unmixel.dataset.axes import Axis
    from unmixel.dataset.result import Result
    from unmixel.io.exporters.contract import Parcel

_SPELLED = {"1/angstrom": ("1/nm", 10.0), "px": ("pixel", 1.0)}
"""Canonical unit -> unit as these programs write it, and the factor to it."""

_X_UNIT, _Y_UNIT, _X_ORIGIN, _Y_ORIGIN, _X_SCALE, _Y_SCALE, _VALUE_UNIT = (
    65003, 65004, 65006, 65007, 65009, 65010, 65022,
)  # fmt: skip
"""Tags of DigitalMicrograph, as RosettaSciIO reads and writes them."""


class TiffExporter:
    """A folder of images: a stack of all maps, one of all patterns, and each image alone; the same of groups.

    Stacks are hyperstacks of ImageJ whose slices are labelled; `DigitalMicrograph` opens the single images. Scale and
    unit are written in the manner of both; spatial frequencies in 1/nm. Of spectra, one image holds all: a row each.
    ``particle_labels.tif`` has the numbers of particles, for scikit-image and ImageJ.
    """

    name: ClassVar[str] = "tiff"
    suffix: ClassVar[str] = ""

    def write(self, parcel: Parcel, target: Path) -> None:
        """Write the images to a new folder."""
        target.mkdir()
        for name, values, axes, unit in _images(parcel.result):
            labels = [f"{name} {number}" for number in range(len(values))]
            flat = len(axes) != 2
            stem = f"{name}s"
            write_image(target / f"{stem}.tif", values, axes, unit=unit, labels=labels)
            if flat or name == "particle_label":
                continue
            (target / stem).mkdir()
            for number, image in enumerate(values):
                write_image(target / stem / f"{name}_{number:03d}.tif", image, axes, unit=unit, labels=())

    def check(self, target: Path) -> tuple[str, ...]:
        """Return which images tifffile cannot read, or finds without scale."""
        import tifffile

        found = []
        for path in sorted(target.rglob("*.tif")):
            try:
                with tifffile.TiffFile(path) as file:
                    file.asarray()
                    told = file.imagej_metadata or {}
            except (tifffile.TiffFileError, OSError, ValueError) as error:
                found.append(f"{path.name}: {error}")
                continue
            if "unit" not in told:
                found.append(f"{path.name}: has no scale")
        return tuple(found) if (target / "maps.tif").is_file() else ("maps.tif is missing", *found)


def _images(result: Result) -> list[tuple[str, NDArray[Any], tuple[Axis, ...], str]]:
    """Return name, images, axes and unit of all that is shown."""
    factors, groups, particles = result.factors, result.groups, result.particles
    found = [
        ("map", factors.maps, factors.scan_axes, "counts"),
        ("pattern", factors.patterns, factors.pattern_axes, "share"),
    ]
    if groups is not None:
        found += [
            ("group_map", groups.maps, groups.scan_axes, "counts"),
            ("group_pattern", groups.patterns, groups.pattern_axes, "share"),
        ]
    if particles is not None:
        found.append(("particle_label", particles.labels, factors.scan_axes, "id"))
    return found


def write_image(
    path: Path, values: NDArray[Any], axes: tuple[Axis, ...], *, unit: str, labels: Sequence[str]
) -> None:
    """Write an image or a stack as 32-bit TIFF with its scale.

    Parameters
    ----------
    path : Path
    values : ndarray, shape (*stack, *axis sizes)
        Where there is one axis, rows are what is stacked; where there are more than two, the leading ones are
        stacked, too. An axis that runs backwards is turned round.
    axes : tuple of Axis
        Of the last dimensions.
    unit : str
        Of the values.
    labels : sequence of str
        Of the slices of a stack.
    """
    import tifffile

    image, shown = _forward(np.asarray(values, np.float32), axes)
    stack = image.reshape(-1, *image.shape[-2:] if len(axes) > 1 else image.shape[-1:])
    x_scale, x_origin, x_unit = _told(shown[-1]) if shown else (1.0, 0.0, "pixel")
    # rows that only count are as high as a sample is wide: ImageJ has one unit for both
    y_scale, y_origin, y_unit = _told(shown[-2]) if len(shown) > 1 else (x_scale, 0.0, x_unit)
    sliced = {"Labels": list(labels)} if labels and stack.ndim == 3 and len(labels) == len(stack) else {}
    tifffile.imwrite(
        path,
        stack,
        imagej=True,
        resolution=(1 / x_scale, 1 / y_scale),
        metadata={
            "axes": "ZYX"[-stack.ndim :],
            "unit": x_unit,
            "xorigin": -x_origin / x_scale,
            "yorigin": -y_origin / y_scale,
            **sliced,
        },
        extratags=[
            (_X_UNIT, "s", 0, x_unit, True),
            (_Y_UNIT, "s", 0, y_unit, True),
            (_X_ORIGIN, "d", 1, x_origin, True),
            (_Y_ORIGIN, "d", 1, y_origin, True),
            (_X_SCALE, "d", 1, x_scale, True),
            (_Y_SCALE, "d", 1, y_scale, True),
            (_VALUE_UNIT, "s", 0, unit, True),
        ],
    )


def _forward(image: NDArray[Any], axes: tuple[Axis, ...]) -> tuple[NDArray[Any], list[Axis]]:
    """Return an image whose axes all grow, and those axes: a TIFF has no negative scale."""
    shown = []
    for place, axis in enumerate(axes, start=image.ndim - len(axes)):
        if axis.scale < 0:
            image = np.flip(image, place)
            axis = replace(axis, scale=-axis.scale, offset=float(axis.values[-1]))
        shown.append(axis)
    return image, shown


def _told(axis: Axis) -> tuple[float, float, str]:
    """Return scale, offset and unit of an axis as these programs write them."""
    unit, factor = _SPELLED.get(axis.unit, (axis.unit, 1.0))
    return axis.scale * factor, axis.offset * factor, unit
