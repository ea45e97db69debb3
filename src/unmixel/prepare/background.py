"""Background: subtract a constant, a dark image or the least value of each pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import map_frames
from unmixel.engines.walk import Found
from unmixel.prepare.contract import recorded, without
from unmixel.prepare.images import read_image
from unmixel.prepare.passes import Look, batches, found_in
from unmixel.prepare.statistics import finite_statistics


@dataclass(frozen=True)
class Background:
    """Subtract a background; what would be negative becomes 0 and is counted.

    Parameters
    ----------
    level : float, "minimum", str, path or array
        A number for all pixels; ``"minimum"``: the least value of each pixel over the scan; or an image of
        the shape of the pattern (a numpy file or the values), such as a dark reference.

    Raises
    ------
    InputError
        When the image does not fit, or nothing would be left.

    Notes
    -----
    After this step the data are no plain counts: their noise is larger than the square root of their
    values, and clipping at 0 shifts the mean of dark pixels up. Weights and chi-square that rest on
    Poisson statistics are then too optimistic; where the background can stay in the data, leave it there
    and let a component take it.

    Whole numbers minus whole numbers stay at their dtype; otherwise data become float32 (float64 stays).

    Examples
    --------
    >>> scan = Background(2).apply(Scan.from_array(np.arange(6, dtype=np.uint8).reshape(2, 1, 3)))
    >>> scan.data.ravel().tolist(), scan.data.dtype
    ([0, 0, 0, 1, 2, 3], dtype('uint8'))
    """

    level: Any = 0.0
    name: ClassVar[str] = "background"

    @classmethod
    def example(cls, scan: Scan) -> Background:
        """Return a step that fits a scan, for the laws of steps."""
        return cls(np.linspace(0, 2, scan.n_pixels).reshape(scan.pattern_shape))

    def __post_init__(self) -> None:
        if isinstance(self.level, bool) or self.level is None:
            raise InputError(
                "background: level",
                expected="a number, 'minimum' or an image",
                got=repr(self.level),
                hint="write 0",
            )
        if isinstance(self.level, (int, float)) and not 0 <= self.level < np.inf:
            raise InputError(
                "background: level",
                expected="a number >= 0",
                got=repr(self.level),
                hint="write 0 or 'minimum'",
            )

    def _image(self, scan: Scan) -> tuple[NDArray[Any], str, str | None]:
        """Return what is subtracted, in words too, and the hash of an image that was given."""
        if isinstance(self.level, (int, float)):
            return (
                np.full(scan.pattern_shape, self.level),
                f"{self.level:g} subtracted from every pixel",
                None,
            )
        if isinstance(self.level, str) and self.level == "minimum":
            return finite_statistics(scan).minimum, "the least value of each pixel subtracted", None
        image, digest = read_image("background: level", self.level, scan.pattern_shape)
        return image.astype(np.float64), f"an image subtracted (mean {image.mean():.4g})", digest

    def apply(self, scan: Scan) -> Scan:
        """Return the scan without the background, lazily for lazy data."""
        image, what, digest = self._image(scan)
        kind = np.dtype(scan.data.dtype)
        whole = kind.kind in "bui" and bool(np.all(image == np.rint(image)))
        if not whole:
            kind = np.dtype(np.float64 if kind.itemsize == 8 else np.float32)
        dtype = np.dtype(np.uint8) if kind.kind == "b" else kind
        values = {"mean_level": float(image.mean()), "sha256": digest}
        if not np.any(image):
            return scan.after(
                recorded(self, "nothing to do: the background is 0.", clipped_share=0.0, **values)
            )
        below, above = found_in(_Compared(image.reshape(1, -1)), scan.data, len(scan.scan_axes)).sums
        if not above:
            raise InputError(
                "background: level",
                expected="a background below the data",
                got="one that no value exceeds",
                hint="give a smaller level",
            )

        def subtract(frames: NDArray[Any]) -> NDArray[Any]:
            # float64: differences of 32-bit counts stay exact
            return np.asarray(np.maximum(frames - image, 0.0).astype(dtype))

        data = map_frames(
            scan.data,
            subtract,
            n_scan_axes=len(scan.scan_axes),
            pattern_shape=scan.pattern_shape,
            dtype=dtype,
        )
        clipped = below / (scan.n_positions * scan.n_pixels)
        effect = (
            f"{what}; {clipped:.2%} of the values would be negative and are set to 0; "
            "data are no plain counts any more (their noise exceeds Poisson's)."
        )
        record = recorded(self, effect, clipped_share=round(clipped, 6), **values)
        return scan.after(record, data=data, extras=without(scan, "mean_pattern"))


@dataclass(frozen=True, eq=False)
class _Compared(Look):
    """Sums: how many values lie below an image and how many above.

    Parameters
    ----------
    row : ndarray, shape (1, n_pixels)
    """

    row: NDArray[Any]

    def on_host(self, values: NDArray[Any], *along: NDArray[Any]) -> Found:
        """Return the numbers of a block."""
        parts = [values[part] for part in batches(values)]
        return Found(
            sums=tuple(
                sum(int(side(part, self.row).sum()) for part in parts) for side in (np.less, np.greater)
            )
        )
