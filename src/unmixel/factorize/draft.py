"""A factorisation of the sketch that is still being shaped, and the contract of what shapes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unmixel.factorize.constraints.support import Support
from unmixel.factorize.contracts import Array, Start
from unmixel.factorize.problem import Problem, Side
from unmixel.factorize.sketch import Sketch

ALIKE = 1e-8
"""What is left of this share, or a direction that is weaker beside the strongest, is rounding."""


@dataclass(frozen=True, eq=False)
class Draft:
    """Components as they stand on the sketch; refinements add some, join some and leave some out.

    Parameters
    ----------
    low : Sketch
        What is fitted.
    problem : Problem
        Constraints bound for the number of components there was when it was last solved, without their places.
    z_maps, z_patterns : array, shape (k, *scan_shape) and (k, *pattern_shape)
        Free variables.
    spared : int, >= 0
        Leading components that are left alone: a matrix that is everywhere, pinned ones.
    evidence : SetAside, optional
        What counts say that no fit has seen; None where the data cannot be split into independent parts.
    course : Course, optional
        Solves components on the sketch, these or others.
    agreement : ndarray of int, shape (k,), optional
        In how many of several runs each component was found.
    in_place : bool
        Whether components stay where they are: sweeps keep them out of positions from which they are absent.
    """

    low: Sketch
    problem: Problem
    z_maps: Array
    z_patterns: Array
    spared: int = 0
    evidence: SetAside | None = None
    course: Course | None = None
    agreement: NDArray[np.intp] | None = None
    in_place: bool = False

    @property
    def support(self) -> tuple[Support, ...]:
        """What keeps components in their places, but for the spared ones; nothing where they may go anywhere."""
        if not self.in_place:
            return ()
        present = self.problem.maps.engine.to_host(self.z_maps) > 0
        present[: self.spared] = True
        return (Support(present),)

    @property
    def n_components(self) -> int:
        """Number of components."""
        return int(self.z_maps.shape[0])

    @cached_property
    def maps(self) -> NDArray[np.float64]:
        """Maps on the host, shape (k, *scan_shape)."""
        return self._host(self.problem.maps, self.z_maps)

    @cached_property
    def patterns(self) -> NDArray[np.float64]:
        """Patterns on the host, shape (k, *pattern_shape)."""
        return self._host(self.problem.patterns, self.z_patterns)

    @staticmethod
    def _host(side: Side, z: Array) -> NDArray[np.float64]:
        values: NDArray[np.float64] = side.engine.to_host(side.factor(z)).astype(np.float64)
        return np.maximum(values, 0.0)

    @cached_property
    def roots(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Square roots of the weights of positions (n,) and of pixels (m,)."""
        sides = self.problem.maps, self.problem.patterns
        n, m = (np.sqrt(side.engine.to_host(side.weights).astype(np.float64)).reshape(-1) for side in sides)
        return n, m

    @cached_property
    def whitened(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Maps (k, n) and patterns (k, m), times the roots of the weights."""
        k, (n, m) = self.n_components, self.roots
        return self.maps.reshape(k, -1) * n, self.patterns.reshape(k, -1) * m

    @cached_property
    def own(self) -> NDArray[np.float64]:
        """Whitened patterns (k, m), those beyond the spared ones without what these could stand for.

        Spared components may be brighter or darker at any position: what lies in the span of their patterns says
        nothing for another component. The rest is orthogonal to them.
        """
        patterns, first = self.whitened[1], self.spared
        _, values, axes = np.linalg.svd(self.unit[1][:first], full_matrices=False)
        axes = axes[values > ALIKE * values.max(initial=0.0)]
        rest = patterns[first:] - (patterns[first:] @ axes.T) @ axes
        left, whole = (np.linalg.norm(rows, axis=1, keepdims=True) for rows in (rest, patterns[first:]))
        return np.concatenate([patterns[:first], np.where(left > ALIKE * whole, rest, 0.0)])

    @cached_property
    def unit(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Weighted maps (k, n) and patterns (k, m) of unit norm, and the norms (k,) of what components explain."""
        sizes = [np.linalg.norm(rows, axis=1) for rows in self.whitened]
        maps, patterns = (
            rows / np.where(size > 0, size, 1.0)[:, None]
            for rows, size in zip(self.whitened, sizes, strict=True)
        )
        return maps, patterns, sizes[0] * sizes[1]

    def of(
        self, z_maps: Sequence[Array], z_patterns: Sequence[Array], origins: Sequence[int] | None = None
    ) -> Draft:
        """Return the draft with other components, which go by the agreement of those they came from, where known."""
        xp, known = self.problem.xp, self.agreement
        agreement = None if known is None or origins is None else known[np.asarray(origins, np.intp)]
        maps, patterns = xp.stack(list(z_maps)), xp.stack(list(z_patterns))
        return replace(self, z_maps=maps, z_patterns=patterns, agreement=agreement)

    def reaching(self, found: NDArray[np.float64], least: float) -> list[int]:
        """Return the spared components and those that are significant enough; the highest where none is."""
        kept = [k for k, score in enumerate(found) if k < self.spared or score >= least]
        return kept or [int(np.argmax(found))]

    def only(self, components: Sequence[int]) -> Draft:
        """Return the draft with some of its components, in the order given."""
        maps, patterns = ([z[i] for i in components] for z in (self.z_maps, self.z_patterns))
        return self.of(maps, patterns, components)


class Course(Protocol):
    """How a draft came to where it stands: the solve on the sketch and the refinements so far."""

    def solved(self, draft: Draft) -> Draft:
        """Return a draft after sweeps on the sketch."""
        ...

    def again(self, start: Start, share: float, number: int) -> Draft:
        """Return the draft as it would stand, had it begun otherwise.

        Parameters
        ----------
        start : Start
        share : float, > 0
            Components to begin with, as a share of the plan's.
        number : int
            How far the seed is ahead of the plan's.
        """
        ...


class SetAside(Protocol):
    """Counts that no fit has seen, and what they say of components, in standard deviations."""

    def __call__(self, draft: Draft) -> NDArray[np.float64]:
        """Return how significant each component is beside the others, shape (k,)."""
        ...

    def apart(self, draft: Draft, groups: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return how significant it is that the components of each group are not one less, shape (len(groups),)."""
        ...


def clear_from(found: NDArray[np.float64], least: float, relative: float) -> float:
    """Return from which significance on something is clear: `least`, or a share of what is usual in the scan.

    Where strong components do not fit exactly, what they leave is significant, too, the more so the higher the dose,
    but small beside them.

    Parameters
    ----------
    found : ndarray, shape (k,)
        Significance of the components beyond the spared ones, in standard deviations.
    least : float, >= 0
        In standard deviations.
    relative : float, in [0, 1)
        Share of the median of those that reach `least`.

    Examples
    --------
    >>> clear_from(np.array([1.0, 40.0, 80.0, 90.0]), 3.5, 0.12)
    9.6
    """
    clear = found[found >= least]
    return max(least, relative * float(np.median(clear))) if clear.size else least


@runtime_checkable
class Refinement(Protocol):
    """A frozen dataclass of parameters that changes which components there are; a solve on the sketch follows.

    Attributes
    ----------
    name : str
        Registered name under ``unmixel.refinements``.
    """

    name: ClassVar[str]

    def refine(self, draft: Draft) -> tuple[Draft, dict[str, Any]]:
        """Return the draft changed, and what was done in JSON-safe numbers and words.

        The leading `spared` components stay the first ones, as they are.
        """
        ...
