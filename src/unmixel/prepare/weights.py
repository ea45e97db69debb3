"""PoissonWeights: make the noise of counts even, so that every pixel says as much as it knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import as_array, stacked
from unmixel.engines.walk import Found
from unmixel.prepare.contract import at_least, recorded, used_pixels, weights_times
from unmixel.prepare.passes import Light, Look, found_in
from unmixel.prepare.statistics import Statistics, finite_statistics, used_positions

_ROWS = (8, 64)
_RUN_BYTES = 16_000_000
NEAR_ONE = 0.1
"""A measured gain within this share of 1 counts as 1: single counts."""

UNEVEN = 2.0
"""Ratio of the 90th to the 10th percentile of the gain over pixels, above which no one gain is right."""


@dataclass(frozen=True)
class Gain:
    """Variance of the noise divided by the mean.

    Parameters
    ----------
    value : float
        Median over pixels, weighted by their light.
    low, high : float
        10th and 90th percentile over pixels, weighted the same way.
    """

    value: float
    low: float
    high: float

    @property
    def near_one(self) -> bool:
        """Whether the data can be taken for single counts."""
        return abs(self.value - 1) <= NEAR_ONE


def measured_gain(scan: Scan, found: Statistics) -> Gain | None:
    """Return variance over mean of the noise: 1 for counts, the gain where a camera scales them.

    Uses second differences of neighbouring positions, which slow changes of the sample do not reach,
    along 8 to 64 rows of the scan: for each pixel ``F = sum (a - 2 b + c)^2 / sum (a + 4 b + c)``, then
    the median over pixels weighted by their light.

    Parameters
    ----------
    scan : Scan
    found : Statistics
        Of the scan; saturated pixels are left out.

    Returns
    -------
    Gain or None
        None when no row has 8 positions or no used pixel holds light.
    """
    n = scan.scan_shape[-1] if scan.scan_axes else 1
    rows = scan.n_positions // max(1, n)
    if n < 8:
        return None
    n_scan_axes = len(scan.scan_axes)
    data = as_array(scan.data, n_scan_axes)
    good = (used_pixels(scan) & ~found.saturated & (found.mean > 0)).reshape(-1)
    chosen = used_positions(scan).reshape(rows, n)
    length = int(np.clip(_RUN_BYTES // (8 * scan.n_pixels), 8, min(n, 1024)))
    run = slice((n - length) // 2, (n - length) // 2 + length)
    n_rows = min(rows, int(np.clip(_RUN_BYTES // (8 * length * scan.n_pixels), *_ROWS)))
    looked_at = np.unique(np.linspace(0, rows - 1, n_rows).round().astype(int))
    at = (
        np.transpose(np.unravel_index(looked_at, scan.scan_shape[:-1]))
        if rows > 1
        else [(0,) * (n_scan_axes - 1)]
    )
    # what lies side by side stays together: each row is one position of a scan of rows
    lines = stacked([data[(*(int(i) for i in place), run)] for place in at])
    noise, light = found_in(_SecondDifferences(length, good), lines, 1, chosen[looked_at, run].T).sums
    lit = light > 0
    if not lit.any():
        return None
    ratio, weight = noise[lit] / light[lit], light[lit]
    order = np.argsort(ratio, kind="stable")
    cumulated = np.cumsum(weight[order])
    low, middle, high = (ratio[order][np.searchsorted(cumulated, q * cumulated[-1])] for q in (0.1, 0.5, 0.9))
    return Gain(float(middle), float(low), float(high))


def doubts(found: Statistics, measured: Gain | None, used: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return in sentences why the data may not be counts with Poisson noise; empty where nothing speaks against it.

    Parameters
    ----------
    found : Statistics
    measured : Gain or None
        None where it cannot be told.
    used : ndarray of bool, shape pattern_shape

    Examples
    --------
    >>> from unmixel.prepare.statistics import pattern_statistics
    >>> halves = np.random.default_rng(0).poisson(9.0, (20, 30, 4)) / 2
    >>> scan = Scan.from_array(halves)
    >>> found = pattern_statistics(scan)
    >>> doubts(found, measured_gain(scan, found), np.ones(4, bool))[0]
    'The data are not whole numbers: they were scaled, averaged or processed.'
    """
    told = []
    seen = np.array([found.smallest_positive, *found.maximum[used], *found.minimum[used]])
    seen = seen[np.isfinite(seen)]
    whole = bool(np.all(seen == np.rint(seen)))
    if not whole:
        told.append("The data are not whole numbers: they were scaled, averaged or processed.")
    if found.minimum[used].min(initial=0) < 0:
        told.append(
            "Some values are negative: a background was subtracted, and the noise is that of the data before."
        )
    unit = 1.0 if measured is None else max(1.0, measured.value)
    if measured is not None and not measured.near_one:
        ratio = f"variance / mean is {measured.value:.3g}"
        if measured.value > 1:
            told.append(
                f"The noise is larger than that of counts ({ratio}): the camera scales them, or adds noise."
            )
        else:
            told.append(
                f"The noise is smaller than that of counts ({ratio}): they were averaged, smoothed or scaled."
            )
        if measured.high > UNEVEN * measured.low:
            told.append(
                f"No one gain is right: it runs from {measured.low:.3g} to {measured.high:.3g} over the pixels, as "
                "with readout noise, a threshold or a changing background."
            )
    if (
        whole
        and found.smallest_positive > max(3.0, 2 * unit)
        and found.minimum[used].min(initial=np.inf) <= 0
    ):
        told.append(
            f"There is no value between 0 and {found.smallest_positive:.0f}: weak counts were cut by a threshold, so "
            "sums are too low and their noise is not Poisson."
        )
    n_saturated = int(np.count_nonzero(found.saturated & used))
    if n_saturated:
        told.append(
            f"{n_saturated} pixels in use are saturated at {np.nanmax(found.maximum):.4g}: mask them, their counts are "
            "too low and scatter too little."
        )
    return tuple(told)


@dataclass(frozen=True)
class PoissonWeights:
    """Weight every pixel by 1 / (gain x mean counts): counts then have noise of variance 1 everywhere.

    ``pixel_weights *= 1 / (gain * max(mean_j, floor * average of mean))``, so that the weighted squared
    residual of a perfect model is 1 per value on average (chi-square per value).

    Parameters
    ----------
    gain : float or None, > 0
        Units of the data per electron; None measures it (variance / mean between neighbouring positions)
        and takes 1 when it lies within 10 % of 1.
    floor : float, 0 to 1
        Least mean counts that are told apart, as a share of the average over used pixels: keeps single
        events in dark pixels from ruling the fit.
    positions : bool
        Weight positions too, by ``average light / light``, as Keenan and Kotula do: the expected variance at
        (i, j) is then taken as ``light_i mean_j / average light``.

    Raises
    ------
    InputError
        When the data hold no counts, or the step was applied before.

    Notes
    -----
    A pixel without a single count in the scan gets weight 0: dead or dark cannot be told apart. A position without
    counts stays in, and its maps become 0. Only counts have Poisson noise: after a background was subtracted the
    weights are too large in dark pixels. What speaks against counts (`doubts`) is recorded as ``warnings``.

    Source: M. R. Keenan, P. G. Kotula, Surf. Interface Anal. 36, 203 (2004).

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson([1.0, 10.0], (20, 30, 2))
    >>> PoissonWeights().apply(Scan.from_array(counts)).pixel_weights.round(1).tolist()
    [1.0, 0.1]
    """

    gain: float | None = None
    floor: float = 0.01
    positions: bool = False
    name: ClassVar[str] = "poisson_weights"
    references: ClassVar = papers("keenan2004")

    def __post_init__(self) -> None:
        at_least("poisson_weights: gain", self.gain, 1e-12, hint="write null to measure it, 1 for counts")
        at_least("poisson_weights: floor", self.floor, 0, hint="write 0.01")
        if self.floor > 1:
            raise InputError(
                "poisson_weights: floor", expected="0 to 1", got=str(self.floor), hint="write 0.01"
            )

    def apply(self, scan: Scan) -> Scan:
        """Return the scan with its weights multiplied."""
        if any(record.name == self.name for record in scan.history):
            raise InputError(
                "step poisson_weights", expected="once in a recipe", got="twice", hint="remove the second one"
            )
        found = finite_statistics(scan)
        used = used_pixels(scan)
        lit = used & (found.mean > 0)
        if not lit.any():
            raise InputError(
                "data", expected="counts above 0 in used pixels", got="none", hint="check the masks"
            )
        measured = measured_gain(scan, found)
        gain, told = self._gain(measured)
        average = float(found.mean[used].mean())
        least = self.floor * average
        weights = np.where(lit, 1 / (gain * np.maximum(np.where(lit, found.mean, 1.0), least)), 0.0)
        dark = int((used & ~lit).sum())
        floored = int((lit & (found.mean < least)).sum())
        effect = (
            f"pixels weighted by 1 / (gain x mean counts), {told}; {dark} pixels without counts left out, "
            f"{floored} below the floor of {least:.3g} counts"
        )
        position_weights = scan.position_weights
        if self.positions:
            light = light_of(scan, lit)
            usual = float(light[used_positions(scan).reshape(light.shape)].mean())
            position_weights = weights_times(
                scan.position_weights, usual / np.maximum(light, max(self.floor * usual, 1e-300))
            )
            effect += "; positions weighted by average light / light"
        record = recorded(
            self,
            effect + ".",
            gain=gain,
            measured_gain=None if measured is None else round(measured.value, 4),
            measured_gain_10_90=None
            if measured is None
            else [round(measured.low, 4), round(measured.high, 4)],
            warnings=doubts(found, measured, used),
            floor_counts=least,
            left_out_pixels=dark,
            floored_pixels=floored,
            mean_counts_per_pixel=average,
        )
        return scan.after(
            record,
            pixel_weights=weights_times(scan.pixel_weights, weights),
            position_weights=position_weights,
        )

    def _gain(self, measured: Gain | None) -> tuple[float, str]:
        """Return the gain that is used, and how it came about in words."""
        seen = "" if measured is None else f" (variance / mean is {measured.value:.3g})"
        if self.gain is not None:
            return float(self.gain), f"gain {self.gain:g} as given{seen}"
        if measured is None:
            return 1.0, "gain 1 assumed: too few positions in a row to measure it"
        if measured.near_one:
            return 1.0, f"gain 1: the data are counts{seen}"
        told = f"gain {measured.value:.3g} measured as variance / mean: the data are no single counts"
        if measured.high > UNEVEN * measured.low:
            told += f", and no one gain is right (it runs from {measured.low:.3g} to {measured.high:.3g})"
        return measured.value, told


def light_of(scan: Scan, pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the sum over `pixels` at every position, shape scan_shape."""
    found = found_in(Light(pixels.reshape(1, -1)), scan.data, len(scan.scan_axes))
    light: NDArray[np.float64] = found.here[0].reshape(scan.scan_shape)
    return light


@dataclass(frozen=True, eq=False)
class _SecondDifferences(Look):
    """Rows of `length` patterns each. Along: which of these are used, shape (length, b).

    Sums, shape (g,): over neighbouring patterns a, b, c, of ``(a - 2 b + c)^2`` and of ``a + 4 b + c``.

    Parameters
    ----------
    length : int
    good : ndarray of bool, shape (n_pixels,)
        The g pixels that are looked at.
    """

    length: int
    good: NDArray[np.bool_]

    def on_host(self, values: NDArray[Any], *along: NDArray[Any]) -> Found:
        """Return the sums of some rows."""
        noise, light = np.zeros((2, np.count_nonzero(self.good)))
        for row, used in zip(values, along[0].T, strict=True):
            frames = row.reshape(self.length, -1)[:, self.good].astype(np.float64)
            three = used[:-2] & used[1:-1] & used[2:]
            a, b, c = frames[:-2][three], frames[1:-1][three], frames[2:][three]
            noise += ((a - 2 * b + c) ** 2).sum(axis=0)
            light += (a + 4 * b + c).sum(axis=0)
        return Found(sums=(noise, light))
