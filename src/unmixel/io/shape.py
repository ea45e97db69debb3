"""The scan shape: which shapes a plain stack of frames may have, folding to one, dropping flyback columns."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from unmixel.core.errors import ScanShapeError
from unmixel.dataset.axes import Axis
from unmixel.dataset.record import StepRecord

if TYPE_CHECKING:
    from unmixel.dataset.scan import Scan


@dataclass(frozen=True)
class ShapeCandidate:
    """A shape that a stack of frames may have been recorded with.

    Parameters
    ----------
    rows, columns : int
        As recorded; ``rows * columns`` is the number of frames.
    flyback : bool
        Whether the last column would be flyback, so that the scan proper is ``rows x (columns - 1)``.

    Examples
    --------
    >>> str(ShapeCandidate(64, 65, flyback=True))
    '64 x 65 (64 x 64 with one flyback column)'
    """

    rows: int
    columns: int
    flyback: bool = False

    @property
    def squareness(self) -> float:
        """How far from square the scan proper is: 0 for a square, larger the longer it is."""
        return abs(math.log(self.rows / (self.columns - self.flyback)))

    def __str__(self) -> str:
        recorded = f"{self.rows} x {self.columns}"
        return (
            f"{recorded} ({self.rows} x {self.columns - 1} with one flyback column)"
            if self.flyback
            else recorded
        )


def factorings(n_frames: int) -> tuple[ShapeCandidate, ...]:
    """Return every scan shape of two axes that `n_frames` frames may have, most square first.

    Both orders of each factoring are listed, and each once more with a flyback column. Axes have at least 2
    positions.

    Parameters
    ----------
    n_frames : int
        >= 1.

    Examples
    --------
    >>> [str(shape) for shape in factorings(12)][:3]
    ['3 x 4 (3 x 3 with one flyback column)', '3 x 4', '4 x 3']
    """
    pairs = [
        pair
        for small in range(2, math.isqrt(n_frames) + 1)
        if n_frames % small == 0
        for pair in {(small, n_frames // small), (n_frames // small, small)}
    ]
    plain = [ShapeCandidate(rows, columns) for rows, columns in pairs]
    flyback = [ShapeCandidate(rows, columns, flyback=True) for rows, columns in pairs if columns > 2]
    return tuple(sorted(plain + flyback, key=lambda c: (round(c.squareness, 12), c.flyback, c.rows)))


def listed(n_frames: int, *, most: int = 5) -> str:
    """Return the likeliest shapes of a stack as text, each recorded shape once.

    Examples
    --------
    >>> listed(4160, most=1)
    '64 x 65 (or 64 x 64 with one flyback column), and 25 more'
    >>> listed(7)
    'none with two axes (the number of frames is prime)'
    """
    found = factorings(n_frames)
    if not found:
        return "none with two axes (the number of frames is prime)" if n_frames > 1 else "a single frame"
    words: dict[tuple[int, int], str] = {}
    for shape in found:
        # a flyback column makes a scan longer than it was meant to be, so only long rows suggest one
        hint = f" (or {shape.rows} x {shape.columns - 1} with one flyback column)"
        words[shape.rows, shape.columns] = f"{shape.rows} x {shape.columns}" + (
            hint if shape.columns > shape.rows else ""
        )
    more = f", and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(list(words.values())[:most]) + more


def parsed(text: str) -> tuple[int, ...]:
    """Return a scan shape written as ``ROWSxCOLUMNS``.

    Raises
    ------
    ScanShapeError
        When the text is not one to three whole numbers joined by ``x`` or a comma.

    Examples
    --------
    >>> parsed("13x29"), parsed("13, 29")
    ((13, 29), (13, 29))
    """
    parts = text.lower().replace("×", "x").replace(",", "x").split("x")
    try:
        return checked(tuple(int(part) for part in parts))
    except ValueError as error:
        raise _not_a_shape(repr(text)) from error


def checked(scan_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return `scan_shape` as a tuple of one to three whole numbers >= 1.

    Raises
    ------
    ScanShapeError
        When it is anything else.
    """
    try:
        shape = tuple(int(size) for size in scan_shape)
        whole = all(size == given for size, given in zip(shape, scan_shape, strict=True))
    except (TypeError, ValueError) as error:
        raise _not_a_shape(repr(scan_shape)) from error
    if not whole or not 1 <= len(shape) <= 3 or min(shape) < 1:
        raise _not_a_shape(repr(scan_shape))
    return shape


def _not_a_shape(got: str) -> ScanShapeError:
    return ScanShapeError(
        "scan_shape", expected="one to three whole numbers >= 1, rows first", got=got, hint="give e.g. 13x29"
    )


def fold(scan: Scan, scan_shape: tuple[int, ...], *, drop_flyback: bool = False) -> Scan:
    """Return the scan with its positions folded to `scan_shape`, row by row; data stay lazy.

    Parameters
    ----------
    scan : Scan
    scan_shape : tuple of int
        As recorded, flyback column included. With `drop_flyback` the shape without it is understood too,
        where only that fits the number of frames.
    drop_flyback : bool
        Whether the caller will drop the last column.

    Raises
    ------
    ScanShapeError
        When the number of positions is another one; the message lists the shapes that fit.

    Examples
    --------
    >>> import numpy as np
    >>> from unmixel.dataset.scan import Scan
    >>> stack = Scan.from_array(np.zeros((6, 4, 4)), n_pattern_axes=2)
    >>> fold(stack, (2, 3)).scan_shape
    (2, 3)
    """
    n = scan.n_positions
    shape = checked(scan_shape)
    wider = (*shape[:-1], shape[-1] + 1)
    if math.prod(shape) != n and drop_flyback and math.prod(wider) == n:
        shape = wider
    if math.prod(shape) != n:
        raise ScanShapeError(
            "scan_shape",
            expected=f"a shape of {n} positions, as many as the file has frames",
            got=f"{' x '.join(map(str, shape))} = {math.prod(shape)}",
            hint=f"shapes that fit: {listed(n)}",
        )
    if shape == scan.scan_shape:
        return scan
    names = ("y", "x")[2 - len(shape) :] if len(shape) <= 2 else ("s0", "y", "x")
    steps = {(axis.scale, axis.unit) for axis in scan.scan_axes if axis.unit == "nm"}
    scale, unit = steps.pop() if len(steps) == 1 else (1.0, "px")
    before = " x ".join(map(str, scan.scan_shape)) or "one frame"
    said = f"given by the user as {' x '.join(map(str, shape))}; the file itself says {before}"
    weights = scan.position_weights
    return replace(
        scan,
        data=scan.data.reshape((*shape, *scan.pattern_shape)),
        scan_axes=tuple(
            Axis(name, size, scale=scale, unit=unit) for name, size in zip(names, shape, strict=True)
        ),
        position_weights=None if weights is None else weights.reshape(shape),
        source=replace(scan.source, scan_shape_from=said),
    )


def without_flyback(scan: Scan) -> Scan:
    """Return the scan without its last column, which was recorded while the beam flew back.

    Raises
    ------
    ScanShapeError
        When the scan has fewer than two axes or two columns.

    Examples
    --------
    >>> import numpy as np
    >>> from unmixel.dataset.scan import Scan
    >>> without_flyback(Scan.from_array(np.zeros((2, 4, 5, 5)))).scan_shape
    (2, 3)
    """
    if len(scan.scan_shape) < 2 or scan.scan_shape[-1] < 2:
        raise ScanShapeError(
            "drop_flyback",
            expected="a scan of rows and at least two columns",
            got=f"scan shape {scan.scan_shape}",
            hint=f"give scan_shape=(rows, columns) too; shapes that fit: {listed(scan.n_positions)}",
        )
    columns = scan.scan_shape[-1] - 1
    last = len(scan.scan_shape) - 1
    record = StepRecord(
        "drop_flyback",
        effect=f"The last of {columns + 1} columns was left out as flyback: {columns} columns remain.",
        values={"columns_before": columns + 1, "columns_after": columns},
    )
    keep = (slice(None),) * last + (slice(0, columns),)
    weights = scan.position_weights
    return scan.after(
        record,
        data=scan.data[keep],
        scan_axes=(*scan.scan_axes[:last], scan.scan_axes[last].cropped(0, columns)),
        position_weights=None if weights is None else weights[keep],
    )
