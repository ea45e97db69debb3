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

    Most regions of a scan with few crystals are noise, and to fit them all would take longer than everything else.
    Where electrons are set aside (`Prune` asks for it), what they do not show at all is dropped at once.

    Parameters
    ----------
    level : float, in (0, 1)
        A region exceeds this share of the map's maximum. What lies below it in every map is lost: too many regions are
        better than too few, since `Merge` and `Prune` follow.
    least : int, >= 1
        Positions; smaller regions are dropped.
    grow : int, >= 0
        Positions by which a region may exceed its outline.
    shown : float
        Standard deviations by which electrons set aside must show a region, with the pattern it was cut from, beyond
        all others. Noise gets there once in six; `Prune` decides, once regions have patterns of their own.

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
    shown: float = 1.0
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
        after, dropped = self._cut(draft)
        told = {"before": draft.n_components, "after": after.n_components, "regions_dropped": dropped}
        if after.evidence is None:
            return after, told
        kept = after.reaching(after.evidence(after), self.shown)
        judged = after.n_components - after.spared
        return after.only(kept), {**told, "after": len(kept), "judged": judged}

    def _cut(self, draft: Draft) -> tuple[Draft, int]:
        """Return the draft with a component for every region, and how many were too small."""
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
        return (replace(draft.of(maps, patterns, origins), in_place=True) if maps else draft), dropped
