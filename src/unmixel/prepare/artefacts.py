"""Look for what the camera put into the data: saturation, cut-off values, a bright rim, ghosts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.card import CardRow
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import as_array
from unmixel.engines.walk import Found
from unmixel.prepare.contract import used_pixels
from unmixel.prepare.ghosts import SMOOTHED_PIXELS, Asymmetry, slow_and_patchy, smoothed
from unmixel.prepare.origin import find_spot, known_origin
from unmixel.prepare.passes import Look, Parts, found_in
from unmixel.prepare.statistics import (
    Statistics,
    finite_statistics,
    must_be_finite,
    statistics_beside,
    used_positions,
)
from unmixel.prepare.weights import measured_gain

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]

_TILE_BYTES = 64_000_000
_DEPTH = 5
_SIDES = ("top", "bottom", "left", "right")


@dataclass(frozen=True, eq=False)
class Artefacts:
    """What looks like the camera's own doing, for the data card, the report and a mask.

    Parameters
    ----------
    rows : tuple of CardRow
        One line per thing looked for, also where all is well.
    use : ndarray of bool, shape pattern_shape
        False where a pixel is better left out; give it to the step ``mask_image``.
    ghosts : ndarray of bool, shape pattern_shape
        The part of `use` that ghosts take.
    margins : tuple of int
        Lines of the rim that stand out: top, bottom, left, right (for ``mask_rim``).
    """

    rows: tuple[CardRow, ...]
    use: Mask
    ghosts: Mask
    margins: tuple[int, int, int, int]


def find_artefacts(scan: Scan) -> tuple[CardRow, ...]:
    """Return the card rows of `inspect_detector`."""
    return inspect_detector(scan).rows


def inspect_detector(scan: Scan) -> Artefacts:
    """Return what in a scan looks like the camera and not the sample.

    Looked for: pixels at the top value; values missing between 0 and a threshold; noise that is not
    Poisson's; lines of the rim that stand out from the next ones; and, in what nearly all positions have
    in common (a low quantile over tiles of the scan), patches larger than four beam spots that their
    mirror image through the origin does not repeat. Reads the scan once.

    Limits: a ghost that is symmetric about the beam (a halo of the scintillator, say) cannot be told from an
    amorphous sample, nor one the size of a spot from a Bragg spot. Where one crystal fills more than four
    fifths of the scan, its own uneven pattern can look like a ghost. Weak smears stay below the threshold
    (1.3 times).

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    Artefacts

    Examples
    --------
    >>> frames = np.random.default_rng(0).poisson(3.0, (8, 9, 31, 26))
    >>> inspect_detector(Scan.from_array(frames)).use.all()
    np.True_
    """
    flat = not scan.is_spectrum and min(scan.pattern_shape) >= 16
    found, means = tile_means(scan) if flat else (finite_statistics(scan), None)
    use = ~found.saturated
    rows = [_saturation(found), _threshold(scan, found), _noise(scan, found)]
    margins, ghosts = (0, 0, 0, 0), np.zeros(scan.pattern_shape, bool)
    if means is not None:
        strength = [_rim(found.mean, side) for side in _SIDES]
        margins = tuple(n for n, _ in strength)  # type: ignore[assignment]
        rows.append(_rim_row(strength))
        top, bottom, left, right = margins
        inner = np.zeros_like(use)
        inner[top : use.shape[0] - bottom, left : use.shape[1] - right] = True
        asymmetry = _asymmetry(scan, found, means, inner & used_pixels(scan))
        rows += _ghost_rows(asymmetry)
        ghosts = ghosts if asymmetry is None else asymmetry.patches
        use &= inner & ~ghosts
    return Artefacts(tuple(rows), use, ghosts, margins)


def _saturation(found: Statistics) -> CardRow:
    n = int(found.saturated.sum())
    if n == 0:
        return CardRow("Saturation", "no pixel stands at the top value", "green", "")
    return CardRow(
        "Saturation",
        f"{n} pixels stand at the top value {np.nanmax(found.maximum):g} in 5 % of the patterns or more",
        "yellow",
        "their counts are too low and not Poisson; leave them out (mask_beam, where it is the direct beam)",
    )


def _threshold(scan: Scan, found: Statistics) -> CardRow:
    """Return whether values between 0 and some threshold are missing though values go up by single units."""
    least = found.smallest_positive
    steps = tuple(slice(None, None, max(1, math.ceil(n / 6))) for n in scan.scan_shape)
    near: NDArray[Any] = np.empty(0)
    if 5 <= least < np.inf and not float(found.minimum.min()) < 0:
        n_scan_axes = len(scan.scan_axes)
        sample = as_array(scan.data, n_scan_axes)[steps]
        n_odd, values = found_in(_Small(least), sample, n_scan_axes).sums
        near = near if n_odd else values.different
    if near.size == 0:
        value = f"the smallest value above 0 is {least:g}" if least < np.inf else "all values are 0"
        return CardRow("Small values", value, "none", "")
    unit = float(np.diff(near).min(initial=least))
    return CardRow(
        "Small values",
        f"no value between 0 and {least:g}, though values go up by {unit:g}",
        "yellow",
        "small values were cut off before the file was written: weak signal is lost and sums are not linear",
    )


def _noise(scan: Scan, found: Statistics) -> CardRow:
    gain = measured_gain(scan, found)
    if gain is None:
        return CardRow("Noise", "not measured: too few positions in a row", "none", "")
    value = f"variance / mean between neighbouring positions is {gain.value:.3g}"
    if gain.near_one:
        return CardRow("Noise", value, "green", "as counts have it (Poisson)")
    reason = "values are no single counts; poisson_weights measures this gain and uses it"
    if gain.high > 2 * gain.low:
        reason += (
            f", but it runs from {gain.low:.3g} to {gain.high:.3g} over the pixels: no one gain is right"
        )
    return CardRow("Noise", value, "yellow", reason)


def _rim(mean: Image, side: str) -> tuple[int, float]:
    """Return how many lines on a side stand out from the trend of the next ones, and the first's factor."""
    turned = {"top": mean, "bottom": mean[::-1], "left": mean.T, "right": mean.T[::-1]}[side]
    if turned.shape[0] < 4 * _DEPTH:
        return 0, 1.0
    # sums over stretches of a line, the median over stretches: a Bragg spot at the rim moves one stretch only
    stretches = np.array_split(turned[: 2 * _DEPTH], min(8, turned.shape[1] // 3), axis=1)
    levels = np.array([part.sum(axis=1) for part in stretches])
    if (levels <= 0).all():
        return 0, 1.0
    logs = np.log(levels + 1e-3 * levels.mean())
    depth = np.arange(2 * _DEPTH)
    trend = np.array([np.polyval(np.polyfit(depth[_DEPTH:], row[_DEPTH:], 1), depth) for row in logs])
    excess = logs - trend
    middle = np.median(excess, axis=0)
    scatter = np.median(np.abs(excess - middle), axis=0) * 1.4826 * 1.25 / np.sqrt(len(stretches))
    out = ((middle > np.log(1.3)) | (middle < -np.log(1.5))) & (np.abs(middle) > 4 * scatter)
    n = int(np.argmin(out[:_DEPTH])) if not out[:_DEPTH].all() else _DEPTH
    return n, float(np.median(levels[:, 0] / np.maximum(levels[:, _DEPTH:].mean(axis=1), 1e-300)))


def _rim_row(strength: list[tuple[int, float]]) -> CardRow:
    told = [
        f"{n} at the {side} ({ratio:.2g} x)" for side, (n, ratio) in zip(_SIDES, strength, strict=True) if n
    ]
    if not told:
        return CardRow("Detector rim", "no line stands out", "green", "")
    (top, _), (bottom, _), (left, _), (right, _) = strength
    return CardRow(
        "Detector rim",
        f"lines that stand out from the next ones: {', '.join(told)}",
        "yellow",
        f"leave them out: mask_rim with margin_px [[{top}, {bottom}], [{left}, {right}]]",
    )


def _ghost_rows(asymmetry: Asymmetry | None) -> list[CardRow]:
    if asymmetry is None:
        return [CardRow("Ghosts", "not looked for: fewer than 16 positions", "none", "")]
    rows = []
    if not asymmetry.listed:
        rows.append(
            CardRow("Ghosts", "no patch that all positions share without its mirror image", "green", "")
        )
    for area, v, u, ratio in asymmetry.listed:
        rows.append(
            CardRow(
                "Ghosts",
                f"a patch of {area} pixels about row {v:.0f}, column {u:.0f}, "
                f"{ratio:.2g} x its mirror image, at nearly all positions",
                "red",
                "likely a reflection or shadow in the camera: leave it out (mask_image, suggested mask)",
            )
        )
    if asymmetry.slope > 2:
        rows.append(
            CardRow(
                "Evenness",
                f"opposite sides of the pattern differ slowly, by up to {asymmetry.slope:.2g} x",
                "yellow",
                "uneven response, a shadow or a cut-off threshold: "
                "brightness is not to be compared from side to side",
            )
        )
    return rows


def _asymmetry(scan: Scan, found: Statistics, means: Image, used: Mask) -> Asymmetry | None:
    if found.n_positions < 16:
        return None
    spot = find_spot(found.mean, used=used)
    tiles = smoothed(means, used)
    gain = measured_gain(scan, found)
    light = np.maximum(smoothed(found.mean, used), 0) * (1.0 if gain is None else max(1.0, gain.value))
    noise = np.sqrt(light * len(tiles) / found.n_positions / SMOOTHED_PIXELS)
    common = np.quantile(tiles, 0.2, axis=0)
    return slow_and_patchy(common, noise, used, origin=known_origin(scan) or spot.center, beam=spot)


@dataclass(frozen=True, eq=False)
class _Values:
    """Different values, sorted; those of two add up to those of either."""

    different: NDArray[Any]

    def __add__(self, more: _Values) -> _Values:
        return _Values(np.union1d(self.different, more.different))


@dataclass(frozen=True, eq=False)
class _Small(Look):
    """Sums: how many values are not whole, and which whole ones lie between the least above 0 and its double."""

    least: float

    def on_host(self, values: NDArray[Any], *along: NDArray[Any]) -> Found:
        """Return what is found in a block."""
        whole = values == np.rint(values)
        near = values[whole & (values > self.least) & (values < 2 * self.least)]
        return Found(sums=(int(values.size - np.count_nonzero(whole)), _Values(np.unique(near))))


def tiles_of(scan: Scan, *, n_tiles: int = 64) -> NDArray[np.intp]:
    """Return the tile of each position, shape (n_positions,), -1 where it is not used.

    There are about `n_tiles` of them: fewer for large patterns, so that their sums take 64 MB at most.
    """
    allowed = max(4, min(n_tiles, _TILE_BYTES // (8 * scan.n_pixels)))
    along = [n for n in scan.scan_shape if n > 1]
    each = max(1, round(allowed ** (1 / max(1, len(along)))))
    label = np.zeros(scan.scan_shape, np.intp)
    for axis, n in enumerate(scan.scan_shape):
        parts = min(each, n)
        shape = [1] * len(scan.scan_shape)
        shape[axis] = n
        label = label * parts + (np.arange(n) * parts // n).reshape(shape)
    return np.where(used_positions(scan), label.reshape(-1), -1)


def tile_means(scan: Scan) -> tuple[Statistics, Image]:
    """Return the statistics of a scan and the mean pattern of each tile with a used position, from one reading.

    Returns
    -------
    Statistics
    ndarray of float64, shape (tiles, *pattern_shape)

    Raises
    ------
    InputError
        When no position is used, or a used pixel is not finite somewhere.
    """
    tiles = tiles_of(scan)
    found, beside = statistics_beside(scan, Parts(), tiles)
    must_be_finite(scan, found)
    (sums,) = beside.sums
    counts = np.bincount(tiles[tiles >= 0])
    means = [sums.rows[tile] / counts[tile] for tile in sorted(sums.rows)]
    return found, np.array(means).reshape(-1, *scan.pattern_shape)
