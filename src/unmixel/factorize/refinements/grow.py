"""What the components leave unexplained, made components of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.factorize.draft import Draft
from unmixel.factorize.problem import Side
from unmixel.factorize.sketch import inverse_root

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Grow:
    """Adds components where the residual, seen through probe and spot shape, is largest.

    The weighted residual of the sketch is smoothed over positions and pixels by the linear constraints (the matched
    filter of a small particle with spots). The position where it is strongest gives a pattern, the region around it
    where that pattern shows gives a map; its pattern is projected out, and the next one follows.

    Parameters
    ----------
    count : int, >= 1
        Components that are added; those made of noise are for `Prune` to find.
    level : float, in (0, 1)
        The region of a new map exceeds this share of its maximum.

    References
    ----------
    Successive projection: Araujo et al., Chemom. Intell. Lab. Syst. 57, 65 (2001); on the residual of a constrained
    fit: this project's own.

    Examples
    --------
    >>> Grow(6).count
    6
    """

    count: int = 10
    level: float = 0.3
    name: ClassVar[str] = "grow"

    def __post_init__(self) -> None:
        if not (self.count >= 1 and 0 < self.level < 1):
            raise InputError(
                "Grow",
                expected="count >= 1 and level in (0, 1)",
                got=f"{self.count}, {self.level}",
                hint="use the defaults, 10 and 0.3",
            )

    def refine(self, draft: Draft) -> tuple[Draft, dict[str, Any]]:
        """Return the draft with more components, and their numbers."""
        low, problem = draft.low, draft.problem
        shape = problem.maps.grid.shape
        unit_maps, unit_patterns, sizes = draft.unit
        rest = low.left * low.values - (unit_maps.T * sizes) @ (unit_patterns @ low.right.T)
        rest = _smoothed(problem.maps, rest.T).T
        seen = _smoothed(problem.patterns, low.right * low.root_pixels) * low.root_pixels
        maps, patterns = list(draft.z_maps), list(draft.z_patterns)
        for _ in range(self.count):
            rows = rest @ seen
            best = int(np.argmax(np.einsum("ij,ij->i", rows, rows)))
            pattern = np.clip(rows[best], 0, None)
            norm = float(np.linalg.norm(pattern))
            if not norm > 0:
                break
            shows = np.clip(rest @ (low.right @ (pattern / norm)), 0, None).reshape(shape)
            shows *= _around(shows, best, self.level)
            maps.append(_z(problem.maps, shows * inverse_root(low.root_positions).reshape(shape)))
            patterns.append(_z(problem.patterns, pattern * inverse_root(low.root_pixels) / norm))
            direction = rest[best] / np.linalg.norm(rest[best])
            rest = rest - np.outer(rest @ direction, direction)
        return draft.of(maps, patterns), {"before": draft.n_components, "after": len(maps)}


def _z(side: Side, values: Float) -> Any:
    return side.engine.asarray(np.ascontiguousarray(values.reshape(side.grid.shape)), side.dtype)


def _smoothed(side: Side, images: Float) -> Float:
    """Return images (l, size) after the linear constraints of a side, those that fix components left out."""
    linear = tuple(operator for operator in side.linear if not getattr(operator, "outermost", False))
    wide = replace(side, linear=linear, n_components=len(images))
    result = wide.forward(wide.fold(wide.engine.asarray(np.ascontiguousarray(images), wide.dtype)))
    return np.asarray(wide.engine.to_host(wide.flat(result)), np.float64)


def _around(image: Float, position: int, level: float) -> NDArray[np.bool_]:
    """Return the connected region of an image above a share of its value at a position, with its surroundings."""
    from scipy import ndimage

    here = np.unravel_index(position, image.shape)
    labels, _ = ndimage.label(image >= level * image[here])
    if not labels[here]:
        labels[here] = -1
    inside: NDArray[np.bool_] = ndimage.binary_dilation(labels == labels[here], iterations=2)
    return inside
