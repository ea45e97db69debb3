"""The laws of a score: a finite number that depends on nothing but the result.

for law in ScoreLaws.names():
    ScoreLaws(MyScore(...)).check(law)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any

import numpy as np

from unmixel.dataset.axes import Axis
from unmixel.dataset.results import Convergence, Factors
from unmixel.dataset.scan import Scan
from unmixel.interpret.contract import Score
from unmixel.testing.laws import Laws, must


@dataclass(frozen=True, eq=False)
class Case:
    """A small scan and factors of it."""

    scan: Scan
    factors: Factors


def example_case() -> Case:
    """Return counts of three components over 13 x 17 positions of 9 x 11 pixels, one masked, and their factors."""
    rng = np.random.default_rng(4)
    maps, patterns = rng.gamma(0.5, 20.0, (3, 13, 17)), rng.gamma(0.5, size=(3, 9, 11))
    used = np.ones((9, 11), bool)
    used[0, 0] = False
    patterns = patterns * used
    patterns /= patterns.sum(axis=(1, 2), keepdims=True)
    counts = rng.poisson(np.tensordot(maps, patterns, (0, 0))).astype(np.uint16)
    scan_axes = tuple(Axis(n, s, unit="nm") for n, s in zip("yx", (13, 17), strict=True))
    pattern_axes = tuple(
        Axis(n, s, scale=0.05, unit="1/angstrom") for n, s in zip("vu", (9, 11), strict=True)
    )
    light = maps.sum(axis=(1, 2))
    order = np.argsort(-light)
    factors = Factors(
        maps=maps[order],
        patterns=patterns[order],
        scan_axes=scan_axes,
        pattern_axes=pattern_axes,
        used_pixels=used,
        fill="zero",
        strengths=light[order] / light.sum(),
        convergence=Convergence((1.0,), 0.3, 1, converged=True, reason="made up"),
        flags=((),) * 3,
    )
    return Case(Scan(counts, scan_axes, pattern_axes, pixel_weights=used.astype(float)), factors)


@dataclass(frozen=True)
class ScoreLaws(Laws):
    """Laws that a score must keep.

    Parameters
    ----------
    plugin : Score
    case : Case
        What it is tried on.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Few:
    ...     name, better = "few", "lower"
    ...
    ...     def score(self, scan, factors):
    ...         return float(factors.n_components)
    >>> [ScoreLaws(Few()).check(law) for law in ScoreLaws.names()][0] is None
    True
    """

    plugin: Score
    case: Case = field(default_factory=example_case)

    def _value(self, factors: Factors | None = None) -> float:
        return self.plugin.score(self.case.scan, factors or self.case.factors)

    def law_is_a_frozen_plug_in(self) -> None:
        """A frozen dataclass with a name, a direction and a `score`."""
        kind: Any = type(self.plugin)
        must(isinstance(self.plugin, Score), "it has no name, no better or no score")
        must(
            self.plugin.better in ("higher", "lower"),
            f"better is '{self.plugin.better}', not higher or lower",
        )
        must(is_dataclass(kind), "write it as a dataclass")
        must(getattr(kind, "__dataclass_params__").frozen, "freeze it: @dataclass(frozen=True)")  # noqa: B009

    def law_finite(self) -> None:
        """One finite number."""
        value = self._value()
        must(isinstance(value, (int, float, np.number)), f"a {type(value).__name__} came back, not a number")
        must(math.isfinite(value), f"{value} came back")

    def law_repeats(self) -> None:
        """The same again."""
        one, other = self._value(), self._value()
        must(one == other, f"{one}, and then {other}")

    def law_order_does_not_matter(self) -> None:
        """Components in another order have the same score."""
        factors: Factors = self.case.factors
        turned: dict[str, Any] = {}
        for name in ("maps", "patterns", "strengths"):
            turned[name] = np.ascontiguousarray(getattr(factors, name)[::-1])
        one, other = self._value(), self._value(replace(factors, **turned))
        must(math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12), f"{one}, but {other} in another order")

    def law_input_is_untouched(self) -> None:
        """Maps, patterns and data stay as they were."""
        case = self.case
        before = case.factors.maps.copy(), case.factors.patterns.copy(), case.scan.data.copy()
        self._value()
        after = case.factors.maps, case.factors.patterns, case.scan.data
        for name, was, now in zip(("maps", "patterns", "data"), before, after, strict=True):
            must(np.array_equal(was, now), f"the {name} were changed")
