"""A thin crystal diffracts alike to both sides: patterns equal their own inversion through the centre."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import Array, Context, SideName


@dataclass(frozen=True)
class Friedel:
    """Patterns are ``H = T S Z``: made equal under inversion, then moved to a centre between pixels.

    ``S z = (z + J z) / 2`` with J the inversion through the nearest half-pixel, where it is an exact exchange of
    pixels. T moves the result to the centre itself, by at most a quarter of a pixel and linear interpolation: the
    patterns are samples of images that are exactly symmetric about the centre. Pixels whose mirror image lies off the
    detector are free. Neither operator has a negative entry.

    Parameters
    ----------
    components : tuple of int, >= 0, or None
        Which components; None takes all of them.
    centre : tuple of float, one per pattern axis, or None
        Row and column in px; None takes the zero of the pattern axes, which the step ``center`` measures.

    References
    ----------
    Friedel, C. R. Acad. Sci. 157, 1533 (1913). Polar crystals break the law where scattering is dynamical: Kimoto et
    al., Small Methods 9, e01065 (2025).

    Examples
    --------
    >>> Friedel(centre=(31.5, 31.8)).name
    'friedel'
    """

    components: tuple[int, ...] | None = None
    centre: tuple[float, ...] | None = None
    side: ClassVar[SideName] = "patterns"
    name: ClassVar[str] = "friedel"
    references: ClassVar = papers("friedel1913")

    def __post_init__(self) -> None:
        if self.components is not None and not all(isinstance(k, int) and k >= 0 for k in self.components):
            raise InputError(
                "Friedel",
                expected="components as whole numbers >= 0",
                got=str(self.components),
                hint="leave it out for all of them",
            )

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls((0, 2), tuple(0.45 * size + 0.1 for size in grid.shape))

    def leading(self, grid: Grid) -> int:
        """Return how many leading components are set apart."""
        return max(self.components or (-1,)) + 1

    def bind(self, context: Context) -> BoundFriedel:
        """Return the operator for one problem; refuses components that it does not have."""
        chosen = range(context.n_components) if self.components is None else self.components
        if max(chosen, default=0) >= context.n_components:
            raise InputError(
                "Friedel",
                expected=f"components below {context.n_components}",
                got=str(self.components),
                hint="raise n_components, or leave the component out",
            )
        centre = context.grid.centre(self.centre, what="Friedel")
        twice = [math.floor(2 * c + 0.5) for c in centre]
        box = tuple(
            slice(max(0, s - size + 1), min(size - 1, s) + 1)
            for s, size in zip(twice, context.grid.shape, strict=True)
        )
        shifts = tuple(c - s / 2 for c, s in zip(centre, twice, strict=True))
        return BoundFriedel(
            context.engine.xp, tuple(k in chosen for k in range(context.n_components)), box, shifts
        )


@dataclass(frozen=True, eq=False)
class BoundFriedel:
    """Means of mirrored pixels inside a box, moved by a part of a pixel along each axis."""

    xp: Any
    chosen: tuple[bool, ...]
    box: tuple[slice, ...]
    shifts: tuple[float, ...]
    kind: ClassVar[Literal["linear"]] = "linear"

    def forward(self, z: Array) -> Array:
        """Return z with the chosen components made symmetric about the centre."""
        return self._on_chosen(z, self._forward)

    def adjoint(self, f: Array) -> Array:
        """Return the adjoint of `forward`."""
        return self._on_chosen(f, self._adjoint)

    def cut(self, components: slice) -> Self:
        """Return the operator of some of the components."""
        return type(self)(self.xp, self.chosen[components], self.box, self.shifts)

    def _on_chosen(self, values: Array, operator: Any) -> Array:
        if all(self.chosen):
            return operator(values)
        out = values + 0
        for k in (k for k, chosen in enumerate(self.chosen) if chosen):
            out[k : k + 1, ...] = operator(values[k : k + 1, ...])
        return out

    def _forward(self, z: Array) -> Array:
        f = self._symmetric(z)
        for axis, shift in enumerate(self.shifts, start=1):
            if shift and f.shape[axis] > 1:
                f = (1 - abs(shift)) * f + abs(shift) * self._next(f, axis, back=shift > 0)
        return f

    def _adjoint(self, f: Array) -> Array:
        for axis, shift in enumerate(self.shifts, start=1):
            if shift and f.shape[axis] > 1:
                f = (1 - abs(shift)) * f + abs(shift) * self._next_adjoint(f, axis, back=shift > 0)
        return self._symmetric(f)

    def _symmetric(self, z: Array) -> Array:
        """Return z with the mean of both mirror images inside the box: its own adjoint."""
        where = (slice(None), *self.box)
        inside = z[where]
        out = z + 0
        out[where] = 0.5 * (inside + self.xp.flip(inside, axis=tuple(range(1, z.ndim))))
        return out

    def _next(self, f: Array, axis: int, *, back: bool) -> Array:
        """Return the neighbour of each pixel along an axis, before it (`back`) or after it, itself at the end."""
        first, last = (_part(f, axis, *ends) for ends in ((0, 1), (-1, None)))
        if back:
            return self.xp.concat([first, _part(f, axis, 0, -1)], axis=axis)
        return self.xp.concat([_part(f, axis, 1, None), last], axis=axis)

    def _next_adjoint(self, f: Array, axis: int, *, back: bool) -> Array:
        """Return the adjoint of `_next`."""
        nothing = self.xp.zeros_like(_part(f, axis, 0, 1))
        if back:
            both = _part(f, axis, 0, 1) + _part(f, axis, 1, 2)
            return self.xp.concat([both, _part(f, axis, 2, None), nothing], axis=axis)
        both = _part(f, axis, -2, -1) + _part(f, axis, -1, None)
        return self.xp.concat([nothing, _part(f, axis, 0, -2), both], axis=axis)


def _part(f: Array, axis: int, start: int, stop: int | None) -> Array:
    """Return the samples from start to stop along one axis."""
    return f[(slice(None),) * axis + (slice(start, stop),)]
