"""How many electrons stand behind each position's pattern, and how they lie on the rings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.engines.walk import Block, Found, Task
from unmixel.interpret.neighbourhood import Neighbourhoods

Float = NDArray[np.floating[Any]]

PER_DOUBLING = 4  # bins of doses in which patterns are summed
CLASSES = 4  # about so many, where doses differ


@dataclass(frozen=True, eq=False)
class Doses:
    """Electrons of all positions, and the mean pattern of those of about the same dose.

    Parameters
    ----------
    electrons : ndarray, shape (n_positions,)
        On used pixels.
    classes : tuple of (float, ndarray)
        Mean number of electrons and mean pattern (n_pixels,; sums to it) of positions of about that dose, by
        ascending dose; one where all are alike, else about four.
    expected : ndarray, shape (n_pixels,)
        Mean pattern of all positions that have electrons.
    """

    electrons: Float
    classes: tuple[tuple[float, Float], ...]
    expected: Float

    @property
    def typical(self) -> float:
        """Median number of electrons of the positions that have any."""
        return float(np.median(self.electrons[self.electrons > 0]))


class _Classes(dict[int, tuple[Float, int]]):
    """Sum and number of the patterns in each bin of doses; can be added."""

    def __add__(self, more: _Classes) -> _Classes:
        total = _Classes(self)
        for number, (pattern, count) in more.items():
            sums, n = total.get(number, (0.0, 0))
            total[number] = sums + pattern, n + count
        return total


@dataclass(frozen=True, eq=False)
class _Weigh(Task):
    """Along: whether a position counts. Here: its electrons. Sums: the patterns of about the same dose."""

    mask: NDArray[np.bool_]

    def __call__(self, engine: Any, block: Block, *along: Any) -> Found:
        """Return the electrons of a block, and its part of every class."""
        frames = np.where(self.mask, np.maximum(block.values, np.float32(0)), np.float32(0))
        here = np.where(along[0], frames.sum(axis=1, dtype=np.float64), 0.0)
        if not np.all(np.isfinite(here)):
            raise _no_counts("NaN or infinity")
        bins = np.round(PER_DOUBLING * np.log2(np.maximum(here, 1e-12))).astype(int)
        classes = _Classes()
        for number in np.unique(bins[here > 0]):
            rows = (bins == number) & (here > 0)
            classes[int(number)] = frames[rows].sum(axis=0, dtype=np.float64), int(rows.sum())
        return Found((engine.asarray(here),), (classes,))


def doses_of(patterns: Neighbourhoods, used: NDArray[np.bool_], counted: NDArray[np.bool_]) -> Doses:
    """Return the doses of all positions, in one pass over their patterns.

    Parameters
    ----------
    patterns : Neighbourhoods
    used : ndarray of bool, shape pattern_shape
    counted : ndarray of bool, shape (n_positions,)
        Positions that are not left out; the others have no electrons here.
    """
    found = patterns.walk(_Weigh(used.ravel()), (counted,))
    (classes,) = found.sums
    if not classes:
        raise _no_counts("none above 0")
    sums = {number: pattern for number, (pattern, _) in classes.items()}
    numbers = {number: count for number, (_, count) in classes.items()}
    total = np.asarray(sum(sums.values()))
    return Doses(np.asarray(found.here[0]), _merged(sums, numbers), total / sum(numbers.values()))


def _no_counts(got: str) -> InputError:
    return InputError(
        "scan",
        expected="finite counts on used pixels, above 0 at some position",
        got=got,
        hint="apply the step repair first, and mask fewer pixels",
    )


def _merged(sums: dict[int, Float], numbers: dict[int, int]) -> tuple[tuple[float, Float], ...]:
    """Return neighbouring bins put together until each class has a fair share; never across an empty doubling."""
    fair = math.ceil(sum(numbers.values()) / CLASSES)
    order = sorted(sums)
    classes: list[tuple[float, Float]] = []
    total: Any = 0.0
    count = 0
    for number, following in zip_longest(order, order[1:]):
        total, count = total + sums[number], count + numbers[number]
        if following is None or count >= fair or following - number > PER_DOUBLING:
            mean = total / count
            classes.append((float(mean.sum()), mean))
            total, count = 0.0, 0
    return tuple(classes)
