"""One component, one place: a map of several regions becomes several components."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from unmixel.core.errors import InputError
from unmixel.factorize.draft import Draft


@dataclass(frozen=True)
class Split:
    """Cuts every map into its connected regions; each begins as a component with the pattern that they shared.

    Crystals of one lattice in nearly one orientation share a component until then, with a pattern that is a mean of
    theirs. From then on components stay in their regions (`Support`), pieces that are joined in those of both: free to
    go anywhere, each would take in a little of every crystal that resembles it, the more the longer it is fitted.

    Parameters
    ----------
    level : float, in (0, 1)
        A region exceeds this share of the map's maximum. What lies below it in every map is lost: too many regions are
        better than too few, since `Merge` and `Prune` follow.
    least : int, >= 1
        Positions; smaller regions are dropped.
    grow : int, >= 0
        Positions by which a region may exceed its outline.

    References
    ----------
    This project's own.

    Examples
    --------
    >>> Split(least=12).name
    'split'
    """

    level: float = 0.15
    least: int = 8
    grow: int = 2
    name: ClassVar[str] = "split"

    def __post_init__(self) -> None:
        if not (0 < self.level < 1 and self.least >= 1 and self.grow >= 0):
            raise InputError(
                "Split",
                expected="level in (0, 1), least >= 1, grow >= 0",
                got=f"{self.level}, {self.least}, {self.grow}",
                hint="use the defaults, 0.15, 8 and 2",
            )

    def refine(self, draft: Draft) -> tuple[Draft, dict[str, Any]]:
        """Return the draft with a component for every region, and their numbers."""
        from scipy import ndimage

        engine, dtype = draft.problem.maps.engine, draft.problem.maps.dtype
        maps, patterns, origins, dropped = [], [], [], 0
        for k, image in enumerate(draft.maps):
            if k < draft.spared or not image.max() > 0:
                maps.append(draft.z_maps[k])
                patterns.append(draft.z_patterns[k])
                origins.append(k)
                continue
            labels, count = ndimage.label(image > self.level * image.max())
            sizes = np.bincount(labels.reshape(-1), minlength=count + 1)[1:]
            for region in np.flatnonzero(sizes >= self.least) + 1:
                inside = labels == region
                if self.grow:
                    inside = ndimage.binary_dilation(inside, iterations=self.grow)
                maps.append(draft.z_maps[k] * engine.asarray(inside, dtype))
                patterns.append(draft.z_patterns[k])
                origins.append(k)
            dropped += int(np.count_nonzero(sizes < self.least))
        told = {"before": draft.n_components, "after": len(maps), "regions_dropped": dropped}
        return (replace(draft.of(maps, patterns, origins), in_place=True) if maps else draft), told
