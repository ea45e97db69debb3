"""What shows nothing beyond the others is a piece of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unmixel.core.errors import InputError
from unmixel.factorize.draft import Draft

FAINT = 1e-6
"""Scale at which a component is judged beside others without taking anything from them."""


@dataclass(frozen=True)
class Challenge:
    """Leaves out components whose place others share, unless they are missed in counts that no fit has seen.

    A piece of a crystal is significant, because it explains counts that the crystal's own component then does not. So
    whatever lies where a stronger component lies is taken out, the others are solved without it, and it comes back if
    it shows in the counts set aside beyond what they explain now. Components that more runs found (`Consensus`) count
    as the stronger ones.

    Parameters
    ----------
    overlap : float, in (0, 1]
        Cosine of two maps from which on they share a place.
    significance, relative, held_out : float
        What has to show, as for `Prune`.

    References
    ----------
    This project's own, on the statistic of `Prune`.

    Examples
    --------
    >>> Challenge().name
    'challenge'
    """

    overlap: float = 0.2
    significance: float = 4.0
    relative: float = 0.12
    held_out: float = 0.2
    name: ClassVar[str] = "challenge"

    def __post_init__(self) -> None:
        shares = 0 < self.overlap <= 1 and 0 <= self.relative < 1 and 0 < self.held_out < 1
        if not (shares and self.significance >= 0):
            raise InputError(
                "Challenge",
                expected="overlap in (0, 1], significance >= 0, relative in [0, 1) and held_out in (0, 1)",
                got=f"{self.overlap}, {self.significance}, {self.relative}, {self.held_out}",
                hint="use the defaults, 0.2, 4.0, 0.12 and 0.2",
            )

    def refine(self, draft: Draft) -> tuple[Draft, dict[str, Any]]:
        """Return the draft without what shows nothing beyond the others, and the numbers."""
        k = draft.n_components
        if draft.evidence is None or draft.course is None:
            return draft, {"before": k, "after": k, "not_done": "data are not counts"}
        sure = self._sure(draft)
        doubted = [i for i in range(k) if i not in sure]
        kept = sorted(sure)
        if doubted:
            found = self._beyond(draft, kept)
            others = found[kept][draft.spared :]
            clear = others[others >= self.significance]
            least = max(self.significance, self.relative * float(np.median(clear))) if clear.size else np.inf
            kept = [i for i in range(k) if i in sure or found[i] >= least]
        return draft.only(kept), {"before": k, "after": len(kept), "challenged": len(doubted)}

    def _sure(self, draft: Draft) -> set[int]:
        """Return the components that share no place with a stronger one."""
        maps, _, sizes = draft.unit
        runs = np.ones(draft.n_components) if draft.agreement is None else draft.agreement
        sure: list[int] = []
        for i in sorted(range(draft.spared, draft.n_components), key=lambda i: (-runs[i], -sizes[i])):
            if all(maps[i] @ maps[j] < self.overlap for j in sure):
                sure.append(i)
        return {*range(draft.spared), *sure}

    def _beyond(self, draft: Draft, sure: list[int]) -> Any:
        """Return the significance of every component beside those that are sure, solved without the others."""
        assert draft.course is not None
        assert draft.evidence is not None
        alone = draft.course.solved(draft.only(sure))
        maps, patterns = [z * FAINT for z in draft.z_maps], list(draft.z_patterns)
        for i, w, h in zip(sure, alone.z_maps, alone.z_patterns, strict=True):
            maps[i], patterns[i] = w, h
        return draft.evidence(draft.of(maps, patterns))
