"""Components that are made of their neighbours: pieces of one thing, and mixtures of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.factorize.draft import Draft, SetAside, clear_from

MADE = 0.5
"""Share of a pattern's squared norm that neighbours make, at least, for it to be a copy of them."""

Shares = NDArray[np.float64]
"""How much of the pattern of each component (column) makes the pattern of another (row), shape (k, k)."""


@dataclass(frozen=True)
class Merge:
    """Joins what is one thing in two pieces, and gives a mixture of neighbours back to them.

    A component is made of those in its place: non-negative least squares tells of which and how much of each, whatever
    the spared components add to it. Where electrons are set aside (`Prune` asks for it), they decide whether that is
    all: g components, it and what it is made of, have g directions, and if the last does not show in
    these electrons, one component less says as much. Its map goes to what it is made of. A cosine cannot tell pieces of
    a weak crystal, whose patterns are noisy, from two crystals in nearly one orientation. It decides where the data are
    no counts, pair by pair; the weaker is added to the stronger.

    Parameters
    ----------
    cosine : float, in (0, 1]
        Of the weighted patterns, at least, where no electrons are set aside.
    overlap : float, in [0, 1]
        Cosine of the maps, at least.
    apart : float, >= 0
        Standard deviations by which electrons set aside must show that components are not one less.
    relative : float, in [0, 1)
        And at least this share of the median significance of components (`draft.clear_from`), where half of a pattern
        or more is made of the others: strong components that do not fit exactly leave copies of themselves. These had
        up to 0.13 of it, crystals that overlap by half 0.23 and more (docs/decisions/0036).

    References
    ----------
    Merging by spectral cosine: Shiga et al., Ultramicroscopy 170, 43 (2016). By held-out electrons: this project's own.

    Examples
    --------
    >>> Merge().cosine
    0.85
    """

    cosine: float = 0.85
    overlap: float = 0.25
    apart: float = 3.5
    relative: float = 0.16
    name: ClassVar[str] = "merge"

    def __post_init__(self) -> None:
        shares = 0 < self.cosine <= 1 and 0 <= self.overlap <= 1 and 0 <= self.relative < 1
        if not (shares and self.apart >= 0):
            raise InputError(
                "Merge",
                expected="cosine in (0, 1], overlap in [0, 1], apart >= 0 and relative in [0, 1)",
                got=f"{self.cosine}, {self.overlap}, {self.apart}, {self.relative}",
                hint="use the defaults, 0.85, 0.25, 3.5 and 0.16",
            )

    def refine(self, draft: Draft) -> tuple[Draft, dict[str, Any]]:
        """Return the draft with pieces and mixtures joined to what they are made of, and their numbers."""
        after, more = self._joined(draft)
        while more:
            after, more = self._joined(after)
        return after, {"before": draft.n_components, "after": after.n_components}

    def _joined(self, draft: Draft) -> tuple[Draft, bool]:
        """Return the draft with one component less in each group, and whether others of a group may go as well."""
        evidence, sizes = draft.evidence, draft.unit[2]
        shares = self._by_cosine(draft) if evidence is None else self._by_counts(draft, evidence)
        maps, gone, more = list(draft.z_maps), set[int](), False
        for i in np.argsort(sizes, kind="stable").tolist():
            into = set(np.flatnonzero(shares[i]).tolist())
            if into and gone.isdisjoint(into):
                gone.add(i)
                for j in into:
                    maps[j] = maps[j] + maps[i] * float(shares[i, j])
            elif into - gone:
                more = True
        spared = range(draft.spared)
        others = sorted(set(range(draft.n_components)) - gone - set(spared), key=lambda i: -sizes[i])
        kept = [*spared, *others]
        return draft.of([maps[i] for i in kept], [draft.z_patterns[i] for i in kept], kept), more

    def _near(self, draft: Draft) -> NDArray[np.bool_]:
        """Return which components beyond the spared ones lie in one place, none with itself, shape (k, k)."""
        near = draft.unit[0] @ draft.unit[0].T >= self.overlap
        near[: draft.spared] = near[:, : draft.spared] = False
        np.fill_diagonal(near, False)
        return np.asarray(near)

    def _by_counts(self, draft: Draft, evidence: SetAside) -> Shares:
        """Return what components are made of that electrons set aside cannot tell from it; zeros for others."""
        from scipy.optimize import nnls

        near, shares = self._near(draft), np.zeros((draft.n_components,) * 2)
        copies = np.zeros(draft.n_components, bool)
        for i in np.flatnonzero(near.any(axis=1)):
            shares[i, near[i]], rest = nnls(draft.own[near[i]].T, draft.own[i])
            copies[i] = rest**2 <= (1 - MADE) * np.sum(draft.own[i] ** 2)
        made = np.flatnonzero(shares.any(axis=1))
        groups = [[int(i), *np.flatnonzero(shares[i]).tolist()] for i in made]
        least = np.full(made.size, self.apart)
        if copies[made].any():  # or there is nothing to read the check counts once more for
            least[copies[made]] = clear_from(evidence(draft)[draft.spared :], self.apart, self.relative)
        shares[made[evidence.apart(draft, groups) >= least]] = 0.0
        return shares

    def _by_cosine(self, draft: Draft) -> Shares:
        """Return for each component the stronger one whose pattern is alike, itself like no stronger one."""
        _, patterns, sizes = draft.unit
        alike = self._near(draft) & (patterns @ patterns.T >= self.cosine)
        norms = np.linalg.norm(draft.patterns.reshape(draft.n_components, -1), axis=1)
        shares, kept = np.zeros(alike.shape), list[int]()
        for i in np.argsort(-sizes, kind="stable").tolist():
            into = next((j for j in kept if alike[i, j]), None)
            if into is None:
                kept.append(i)
            else:
                shares[i, into] = norms[i] / norms[into]
        return shares
