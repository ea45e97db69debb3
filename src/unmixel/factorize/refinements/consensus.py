"""What comes back from other starts is there; what comes once may be an accident of the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core import registry
from unmixel.core.errors import InputError
from unmixel.dataset.bibliography import papers
from unmixel.factorize.contracts import Array
from unmixel.factorize.descent import balance
from unmixel.factorize.draft import Draft

Member = tuple[int, int]
"""Number of a run, and of the component in it."""


@dataclass(frozen=True)
class Consensus:
    """Solves the sketch again from other starts, through the same steps, and joins what the runs agree on.

    A run is the solve from one start and the refinements before this one. Components of two runs are one thing where
    their patterns are alike and their maps overlap (Hungarian method on the product of both). What several runs found
    is averaged at equal scale, be the first among them or not. What only one run found stays if it is clear in the
    counts set aside and, found by another run than the first, lies where the first has nothing; where no counts were
    set aside, if it is the first run's. The spared components are those of the first run.

    Parameters
    ----------
    restarts : sequence of float, each > 0
        One further run each, begun with so many times the components of the first.
    start : str
        Registered name of their start; the seed of each is its own.
    lone : float, >= 0
        Share of the median significance of what several runs found that a component of one run must reach.
    cosine, overlap : float, in [0, 1]
        Of the weighted patterns and of the maps, at least, for two components to be one thing; the maps alone tell
        where the first run has something.
    held_out : float, in (0, 1)
        Share of the electrons that is set aside.

    References
    ----------
    Consensus of NMF runs: Bruefach et al., APL Mach. Learn. 1, 016106 (2023). Hungarian method: Kuhn, Nav.
    Res. Logist. Q. 2, 83 (1955). How the runs are joined is this project's own.

    Examples
    --------
    >>> Consensus(restarts=(0.5, 1.5)).name
    'consensus'
    """

    restarts: Sequence[float] = (0.5,)
    start: str = "svd"
    lone: float = 0.2
    cosine: float = 0.75
    overlap: float = 0.5
    held_out: float = 0.2
    name: ClassVar[str] = "consensus"
    references: ClassVar = papers("bruefach2023")

    def __post_init__(self) -> None:
        known = self.start != "given" and self.start in registry.names("starts")
        shares = 0 <= self.cosine <= 1 and 0 <= self.overlap <= 1 and 0 < self.held_out < 1
        more = len(self.restarts) > 0 and min(self.restarts) > 0
        if not (known and shares and more and self.lone >= 0):
            raise InputError(
                "Consensus",
                expected="restarts, each above 0, the name of a start that needs no parameters, lone >= 0, cosine and "
                "overlap in [0, 1], held_out in (0, 1)",
                got=f"{self.restarts}, {self.start!r}, {self.lone}, {self.cosine}, {self.overlap}, {self.held_out}",
                hint="use the defaults",
            )

    def refine(self, draft: Draft) -> tuple[Draft, dict[str, Any]]:
        """Return the draft with what the runs agree on, and in how many of them each component was found."""
        before, first, course = draft.n_components, draft.spared, draft.course
        if course is None:
            return draft, {"before": before, "after": before, "not_done": "nothing says how to begin again"}
        start = registry.load("starts", self.start)()
        others = (course.again(start, share, number) for number, share in enumerate(self.restarts, start=1))
        runs = [draft, *others]
        groups = self.groups(runs)
        kept = groups[:first] + self._credible(draft, runs, groups[first:])
        kept = kept or groups[:1]
        found = np.array([len(group) for group in kept], np.intp)
        maps, patterns = _averaged(runs, kept[first:])
        after = draft.of([*draft.z_maps[:first], *maps], [*draft.z_patterns[:first], *patterns])
        told = {
            "before": before,
            "after": len(kept),
            "runs": len(runs),
            "added": sum(group[0][0] > 0 for group in kept),
            "agreement": found.tolist(),
        }
        return replace(after, agreement=found), told

    def _credible(self, draft: Draft, runs: list[Draft], groups: list[list[Member]]) -> list[list[Member]]:
        """Return what several runs found, and what is clear though only one did."""
        if draft.evidence is None:
            return [group for group in groups if len(group) > 1 or group[0][0] == 0]
        scores = [draft.evidence(run) for run in runs]
        best = [max(scores[run][k] for run, k in group) for group in groups]
        shared = [score for score, group in zip(best, groups, strict=True) if len(group) > 1]
        least = self.lone * float(np.median(shared)) if shared else 0.0
        mine = draft.unit[0][draft.spared :]

        def credible(group: list[Member], score: float) -> bool:
            run, k = group[0]
            taken = run > 0 and len(mine) > 0 and float(np.max(mine @ runs[run].unit[0][k])) >= self.overlap
            return len(group) > 1 or (score >= least and not taken)

        return [group for group, score in zip(groups, best, strict=True) if credible(group, score)]

    def groups(self, runs: list[Draft]) -> list[list[Member]]:
        """Return which components of the runs are one thing: those of the first run in order, then what others add.

        What a run spares and no other has is left out: it is no particle.
        """
        groups: list[list[Member]] = [[(0, k)] for k in range(runs[0].n_components)]
        for number, run in enumerate(runs[1:], start=1):
            for own, group in enumerate(self._places(runs, groups, run)):
                if group >= 0:
                    groups[group].append((number, own))
                elif own >= run.spared:
                    groups.append([(number, own)])
        return groups

    def _places(self, runs: list[Draft], groups: list[list[Member]], run: Draft) -> list[int]:
        """Return for each component of a run the group it belongs to, -1 where there is none."""
        from scipy.optimize import linear_sum_assignment

        over, like = (
            _unit(np.stack([sum(runs[r].unit[side][k] for r, k in group) for group in groups]))
            @ run.unit[side].T
            for side in (0, 1)
        )
        score = np.where((like >= self.cosine) & (over >= self.overlap), like * over, 0.0)
        rows, columns = linear_sum_assignment(score, maximize=True)
        place = np.full(run.n_components, -1, np.intp)
        good = score[rows, columns] > 0
        place[columns[good]] = rows[good]
        return [int(group) for group in place]


def _averaged(runs: list[Draft], groups: list[list[Member]]) -> tuple[list[Array], list[Array]]:
    """Return the means of Z of maps and patterns over the members of each group, patterns at equal norm."""
    balanced = [balance(run.problem, run.z_maps, run.z_patterns) for run in runs]
    means = ([_mean([balanced[r][side][k] for r, k in group]) for group in groups] for side in (0, 1))
    maps, patterns = means
    return maps, patterns


def _mean(members: list[Array]) -> Array:
    return sum(members[1:], members[0]) / len(members)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    sizes = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(sizes > 0, sizes, 1.0))
