"""A glass has no preferred direction: chosen patterns depend on the distance from the centre only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Grid
from unmixel.factorize.contracts import Array, Context, SideName


@dataclass(frozen=True)
class Isotropic:
    """Chosen patterns are ``H = U N^-1 U' Z``: averages over rings, joined by straight lines along the radius.

    ``U`` (pixels x rings) interpolates linearly between rings `step` apart, ``N`` holds its column sums. The operator
    is symmetric, has no negative entry and keeps a flat pattern flat.

    Parameters
    ----------
    components : tuple of int, >= 0
        Which components: those that a start puts first (0 is the mean pattern), or those that are given.
    centre : tuple of float, one per pattern axis, or None
        Row and column in px; None takes the zero of the pattern axes, which the step ``center`` measures.
    step : float, > 0
        Distance of the rings in px.

    References
    ----------
    This project's own.

    Examples
    --------
    >>> Isotropic(components=(0,), centre=(31.5, 31.8)).name
    'isotropic'
    """

    components: tuple[int, ...] = (0,)
    centre: tuple[float, ...] | None = None
    step: float = 1.0
    side: ClassVar[SideName] = "patterns"
    name: ClassVar[str] = "isotropic"

    def __post_init__(self) -> None:
        good = all(isinstance(k, int) and k >= 0 for k in self.components) and np.isfinite(self.step)
        if not (good and self.components and self.step > 0):
            raise InputError(
                "Isotropic",
                expected="components as whole numbers >= 0, step > 0",
                got=f"{self.components}, {self.step}",
                hint="use components=(0,), step=1.0",
            )

    @classmethod
    def example(cls, grid: Grid) -> Self:
        """Return one that fits a grid, for the conformance suite."""
        return cls((0,), tuple((size - 1) / 2 for size in grid.shape))

    def leading(self, grid: Grid) -> int:
        """Return how many leading components are set apart."""
        return max(self.components) + 1

    def bind(self, context: Context) -> BoundIsotropic:
        """Return the operator for one problem; refuses components that it does not have."""
        if max(self.components) >= context.n_components:
            raise InputError(
                "Isotropic",
                expected=f"components below {context.n_components}",
                got=str(self.components),
                hint="raise n_components, or leave the component out",
            )
        centre = context.grid.centre(self.centre, what="Isotropic")
        index = np.indices(context.grid.shape).reshape(len(centre), -1)
        radius = np.sqrt(((index - np.array(centre)[:, None]) ** 2).sum(axis=0)) / self.step
        inner = np.floor(radius).astype(np.int64)
        members, shares = _rings(inner, radius - inner)
        put = context.engine.asarray
        return BoundIsotropic(
            context.engine.xp,
            tuple(sorted(set(self.components))),
            put(members, "int64"),
            put(shares, context.dtype),
            put(inner, "int64"),
            put(radius - inner, context.dtype),
        )


def _rings(inner: NDArray[np.int64], beyond: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return the pixels of every ring and their shares of its mean, both of shape (rings, most pixels of a ring).

    Pixel j lies between the rings ``inner[j]`` and ``inner[j] + 1``, `beyond` the first by a part of the step.
    """
    pixels = np.arange(len(inner))
    ring = np.concatenate([inner, inner + 1])
    order = np.argsort(ring, kind="stable")
    ring, pixel = ring[order], np.concatenate([pixels, pixels])[order]
    weight = np.concatenate([1 - beyond, beyond])[order]
    count = np.bincount(ring)
    place = np.arange(len(ring)) - np.repeat(np.cumsum(count) - count, count)
    members = np.zeros((len(count), count.max()), np.int64)
    shares = np.zeros(members.shape)
    members[ring, place], shares[ring, place] = pixel, weight
    total = shares.sum(axis=1, keepdims=True)
    return members, shares / np.where(total > 0, total, 1.0)


@dataclass(frozen=True, eq=False)
class BoundIsotropic:
    """Ring averages of some components; its own adjoint."""

    xp: Any
    components: tuple[int, ...]
    members: Array
    shares: Array
    inner: Array
    beyond: Array
    kind: ClassVar[Literal["linear"]] = "linear"

    def forward(self, z: Array) -> Array:
        """Return z with the chosen components averaged over rings."""
        if not self.components:
            return z
        xp, out = self.xp, z + 0
        flat = xp.reshape(z, (z.shape[0], -1))
        every = xp.reshape(self.members, (-1,))
        for k in self.components:
            values = xp.reshape(xp.take(flat[k, :], every, axis=0), self.members.shape)
            ring = xp.sum(values * self.shares, axis=1)
            near, far = xp.take(ring, self.inner, axis=0), xp.take(ring, self.inner + 1, axis=0)
            out[k, ...] = xp.reshape(near + self.beyond * (far - near), z.shape[1:])
        return out

    def adjoint(self, f: Array) -> Array:
        """Return the same: ``U N^-1 U'`` is symmetric."""
        return self.forward(f)

    def cut(self, components: slice) -> Self:
        """Return the operator of some of the components."""
        start, stop = components.start or 0, components.stop
        return replace(self, components=tuple(k - start for k in self.components if start <= k < stop))
