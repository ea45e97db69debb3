"""Colour scales of pictures: linear, square root, logarithmic, ratios about 1; each says what it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["linear", "sqrt", "log", "ratio"]

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


_NOTHING = 1e-200  # smaller numbers count as 0, so that no scale divides by a rounding error


def power_of_ten(exponent: int) -> str:
    """Return a power of ten as text.

    Examples
    --------
    >>> power_of_ten(-4)
    '10⁻⁴'
    """
    return "10" + str(exponent).translate(_SUPERSCRIPT)


@dataclass(frozen=True)
class Scale:
    """How numbers become colours.

    Parameters
    ----------
    kind : {"linear", "sqrt", "log", "ratio"}
        ``ratio`` is logarithmic and symmetric about the value that is expected.
    low, high : float
        Values of the first and the last colour; low < high.
    clipped : bool
        Whether brighter values than `high` exist; they share the last colour.
    """

    kind: Kind
    low: float
    high: float
    clipped: bool = False

    @property
    def exponent(self) -> int:
        """Power of ten taken out of the tick labels (0 for logarithmic scales)."""
        if self.kind in ("log", "ratio"):
            return 0
        power = math.floor(math.log10(max(abs(self.low), abs(self.high))))
        return 0 if -1 <= power <= 2 else power

    @property
    def words(self) -> str:
        """The scale in words, for the figure; empty for a linear one."""
        words = {"linear": "", "sqrt": "√ scale", "log": "log scale", "ratio": "log scale"}[self.kind]
        ends = "ends clipped" if self.kind == "ratio" else "brightest clipped"
        return ", ".join(part for part in (words, ends if self.clipped else "") if part)

    def label(self, quantity: str, *, letters: int = 200) -> str:
        """Return the label of the colour bar: power of ten, quantity, scale in words.

        It breaks into two lines where it has more than `letters`.
        """
        factor = f"{power_of_ten(self.exponent)} " if self.exponent else ""
        parts = [part for part in (factor + quantity, self.words) if part]
        return ", ".join(parts) if sum(map(len, parts)) < letters else ",\n".join(parts)

    def norm(self) -> Any:
        """Return the scale as a matplotlib norm."""
        from matplotlib import colors

        if self.kind in ("log", "ratio"):
            return colors.LogNorm(self.low, self.high, clip=True)
        if self.kind == "sqrt":
            return colors.PowerNorm(0.5, self.low, self.high, clip=True)
        return colors.Normalize(self.low, self.high)

    def ticks(self, room: float = 2.0) -> list[float]:
        """Return where a colour bar of `room` inches is marked, the marks at least 0.16 inches apart."""
        norm = self.norm()
        kept: list[float] = []
        for value in self._candidates():
            if not kept or float(norm(value)) - float(norm(kept[-1])) >= 0.16 / room:
                kept.append(value)
        return kept

    def _candidates(self) -> list[float]:
        if self.kind == "ratio":
            return [self.low, math.sqrt(self.low * self.high), self.high]
        if self.kind == "log":
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            powers = [10.0**power for power in range(first, last + 1)]
            return powers if len(powers) > 1 else [self.low, self.high]
        return nice_ticks(self.low, self.high)

    def tick_text(self, value: float) -> str:
        """Return one tick as text, without the power of ten that the label carries."""
        if self.kind == "ratio":
            inverse = math.isclose(self.low * self.high, 1.0) and value < 0.99
            return f"1/{1 / value:.2g}" if inverse else f"{value:.3g}"
        if self.kind == "log":
            power = math.log10(value)
            if abs(power - round(power)) > 1e-6:
                return f"{value:.2g}"
            plain = self.low >= 1e-2 and self.high < 1e5
            return f"{value:g}" if plain else power_of_ten(round(power))
        unit = 10.0**self.exponent
        decimals = max(0, 2 - math.floor(math.log10((self.high - self.low) / unit)))
        text = f"{value / unit:.{decimals}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return about `count` round values between low and high, both in range."""
    from matplotlib.ticker import MaxNLocator

    values = MaxNLocator(nbins=count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = 1e-9 * (high - low)
    return [float(value) for value in values if low - slack <= value <= high + slack]


def _finite(values: NDArray[Any], used: NDArray[Any] | None) -> NDArray[np.float64]:
    chosen = values if used is None or used.shape != values.shape else values[used]
    chosen = np.asarray(chosen, np.float64)
    finite: NDArray[np.float64] = chosen[np.isfinite(chosen)]
    return np.where(np.abs(finite) < _NOTHING, 0.0, finite)


def spread_scale(values: NDArray[Any]) -> Scale:
    """Return a linear scale from the smallest to the largest value, for images whose contrast is small."""
    numbers = _finite(values, None)
    low, high = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 1.0)
    return Scale("linear", low, high if high - low > 1e-9 * abs(high) else low + max(1.0, abs(low)))


def linear_scale(values: NDArray[Any], used: NDArray[Any] | None = None) -> Scale:
    """Return a linear scale from 0 (or the smallest value below it) to the largest value.

    Examples
    --------
    >>> linear_scale(np.array([0.0, 3.0, np.nan]))
    Scale(kind='linear', low=0.0, high=3.0, clipped=False)
    """
    numbers = _finite(values, used)
    low = min(0.0, float(numbers.min())) if numbers.size else 0.0
    high = float(numbers.max()) if numbers.size else 1.0
    return Scale("linear", low, high if high > low else low + 1.0)


def sqrt_scale(values: NDArray[Any], used: NDArray[Any] | None = None) -> Scale:
    """Return a square-root scale from 0, for patterns.

    The top is the largest used value, unless a few pixels (an open direct beam) outshine the rest: then it is
    100 times the 99th percentile. `clipped` says whether any value, used or filled by the fit, is brighter.
    """
    numbers = _finite(values, used)
    if not numbers.size or numbers.max() <= 0:
        return Scale("sqrt", 0.0, 1.0)
    largest = float(numbers.max())
    most = 100 * float(np.percentile(numbers, 99))
    high = min(largest, most) if most > 0 else largest
    brightest = float(_finite(values, None).max())
    return Scale("sqrt", 0.0, high, clipped=high < brightest * (1 - 1e-6))


def log_scale(values: NDArray[Any], used: NDArray[Any] | None = None, *, decades: float = 5.0) -> Scale:
    """Return a logarithmic scale over at most `decades`; lower values share its first colour."""
    numbers = _finite(values, used)
    numbers = numbers[numbers > 0]
    if not numbers.size:
        return Scale("log", 0.1, 1.0)
    high = float(numbers.max())
    low = max(float(np.percentile(numbers, 0.5)), high / 10**decades)
    return Scale("log", low if low < high / 2 else high / 10, high)


def ratio_scale(*images: NDArray[Any], expected: float = 1.0) -> Scale:
    """Return one scale for all images, symmetric about `expected`, wide enough for 99 % of the values.

    It reaches from ``expected / width`` to ``expected * width``, the width one of 2, 4, 10, 30, 100; values
    beyond are clipped and that is said.

    Examples
    --------
    >>> ratio_scale(np.array([0.9, 1.0, 3.0]))
    Scale(kind='ratio', low=0.25, high=4.0, clipped=False)
    """
    positive = [numbers[numbers > 0] for numbers in (_finite(image, None) for image in images)]
    ratios = [np.clip(numbers / expected, 1e-9, 1e9) for numbers in positive]
    logs = np.abs(np.log(np.concatenate([*ratios, np.ones(1)])))
    wanted = math.exp(float(np.percentile(logs, 99)))
    width = next((step for step in (2.0, 4.0, 10.0, 30.0) if wanted <= step), 100.0)
    clipped = bool(logs.max() > math.log(width) * (1 + 1e-9))
    return Scale("ratio", expected / width, expected * width, clipped=clipped)
