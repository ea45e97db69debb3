"""What noise explains as well is no component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
from unmixel.factorize.draft import Draft, clear_from


@dataclass(frozen=True)
class Prune:
    """Leaves out components that are not significant on counts that no fit has seen.

    A part of the electrons is set aside before anything is fitted (`thinning`). A component's significance is how
    strongly its map and pattern show there beyond what the other components explain, in standard deviations: 0 with a
    deviation of 1 for what was made of noise, whatever the number of components and sweeps. What the spared
    components could explain as well, brighter or darker there, does not count for another one.

    Parameters
    ----------
    significance : float, >= 0
        In standard deviations, at least. Noise reaches 3.5 once in four thousand; the weakest crystals that were right
        had 3.9.
    relative : float, in [0, 1)
        And at least this share of the median of the components that are significant (`draft.clear_from`).
    held_out : float, in (0, 1)
        Share of the electrons that is set aside.

    References
    ----------
    Count splitting: Neufeld et al., Biostatistics 25, 270 (2024); the statistic is this project's own.

    Examples
    --------
    >>> Prune(3.5).name
    'prune'
    """

    significance: float = 3.5
    relative: float = 0.12
    held_out: float = 0.2
    name: ClassVar[str] = "prune"
    references: ClassVar = papers("neufeld2024")

    def __post_init__(self) -> None:
        if not (self.significance >= 0 and 0 <= self.relative < 1 and 0 < self.held_out < 1):
            raise InputError(
                "Prune",
                expected="significance >= 0, relative in [0, 1) and held_out in (0, 1)",
                got=f"{self.significance}, {self.relative}, {self.held_out}",
                hint="use the defaults, 3.5, 0.12 and 0.2",
            )

    def refine(self, draft: Draft) -> tuple[Draft, dict[str, Any]]:
        """Return the draft without what is not significant, and the numbers."""
        if draft.evidence is None:
            return draft, {
                "before": draft.n_components,
                "after": draft.n_components,
                "not_done": "data are not counts",
            }
        found = draft.evidence(draft)
        least = clear_from(found[draft.spared :], self.significance, self.relative)
        kept = draft.reaching(found, least)
        told = {
            "before": draft.n_components,
            "after": len(kept),
            "judged": draft.n_components - draft.spared,
            "significance": found[kept].round(2).tolist(),
        }
        return draft.only(kept), told
