"""The laws of a refinement: feasible components come out, spared ones stay, and what was done is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from unmixel.core import registry
from unmixel.dataset.matrix import Matrix
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.binding import bind
from unmixel.factorize.draft import Draft, Refinement
from unmixel.factorize.model import settings_of
from unmixel.factorize.products import products_of
from unmixel.factorize.sketch import sketch
from unmixel.testing.laws import Laws

SCAN, PATTERN = (13, 17), (9, 11)


class _Said:
    """What electrons set aside might say: components less and less significant, groups apart as the most alike are."""

    def __call__(self, draft: Draft) -> Any:
        return np.linspace(9.0, 0.0, draft.n_components)

    def apart(self, draft: Draft, groups: Sequence[Sequence[int]]) -> Any:
        alike = draft.unit[1] @ draft.unit[1].T
        return np.array([30.0 * (1 - max(alike[i, j] for i, j in combinations(g, 2))) for g in groups])


class _Asked(_Said):
    """The same, and which groups it was asked about."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    def apart(self, draft: Draft, groups: Sequence[Sequence[int]]) -> Any:
        self.groups += [list(group) for group in groups]
        return super().apart(draft, groups)


@dataclass(frozen=True)
class RefinementLaws(Laws):
    """Laws that a refinement must keep on a small scan of 13 x 17 | 9 x 11 with a matrix and three more components.

    Parameters
    ----------
    refinement : Refinement
    engine : Engine

    Examples
    --------
    >>> from unmixel.factorize.refinements.split import Split
    >>> RefinementLaws(Split()).check("feasible")
    """

    refinement: Refinement
    engine: Any = field(default_factory=NumpyEngine)

    def draft(self, *, spared: int = 1, evidence: bool = True, course: bool = True) -> Draft:
        """Return a draft: a matrix, one component in two places, another one twice.

        Begun again it comes out in another order, at other scales, with one component less.
        """
        rng = np.random.default_rng(4)
        maps, patterns = np.zeros((4, *SCAN)), rng.gamma(0.5, size=(4, *PATTERN))
        maps[0] = 5
        maps[1, 2:6, 2:6], maps[1, 8:12, 10:14] = 8, 6
        maps[2, 2:6, 10:15] = 7
        maps[3], patterns[3] = 0.5 * maps[2], patterns[2]
        flat = maps.reshape(4, -1).T @ patterns.reshape(4, -1)
        matrix = Matrix.from_array(rng.poisson(flat), scan_shape=SCAN, pattern_shape=PATTERN)
        products = products_of(matrix, self.engine, dtype="float64", budget=10**6)
        low = sketch(products, matrix, width=20, engine=self.engine, dtype="float64")
        positive = registry.load("constraints", "nonnegative")
        how = {"engine": self.engine, "dtype": "float64"}

        def of(components: list[int], scale: float) -> Draft:
            k = len(components)
            problem = bind(matrix, low, (positive("maps"), positive("patterns")), n_components=k, **how)
            z = maps[components] * scale, patterns[components]
            z_maps, z_patterns = (self.engine.asarray(values, "float64") for values in z)
            return Draft(low, problem, z_maps, z_patterns, spared, _Said() if evidence else None)

        class Course:
            def solved(self, draft: Draft) -> Draft:
                return draft

            def again(self, start: Any, share: float, number: int) -> Draft:
                others = np.random.default_rng(number).permutation(range(spared, 4)).tolist()
                return of([*range(spared), *others][: max(3, spared)], 1.0 + number)

        return replace(of([0, 1, 2, 3], 1.0), course=Course() if course else None)

    def law_is_a_frozen_plug_in(self) -> None:
        """A frozen dataclass with a registered name whose settings are JSON."""
        kind: Any = type(self.refinement)
        assert is_dataclass(kind), "write it as a dataclass"
        assert getattr(kind, "__dataclass_params__").frozen, "freeze it: @dataclass(frozen=True)"  # noqa: B009
        assert isinstance(self.refinement, Refinement)
        json.dumps(settings_of(self.refinement))
        name = self.refinement.name
        assert name not in registry.names("refinements") or registry.load("refinements", name) is kind

    def law_feasible(self) -> None:
        """At least one component on the same grids, none of it negative or not finite; as many maps as patterns."""
        for known in ({}, {"evidence": False}, {"course": False}):
            after, _ = self.refinement.refine(self.draft(**known))
            maps, patterns = (self.engine.to_host(z) for z in (after.z_maps, after.z_patterns))
            assert maps.shape == (after.n_components, *SCAN), f"maps of shape {maps.shape}"
            assert patterns.shape == (after.n_components, *PATTERN), f"patterns of shape {patterns.shape}"
            assert after.n_components >= 1
            for z in (maps, patterns):
                assert np.all(np.isfinite(z))
                assert z.min() >= 0, f"as low as {z.min()}"

    def law_spares_the_leading_components(self) -> None:
        """The spared ones stay the first, as they are."""
        for spared in (0, 1, 2, 4):
            before = self.draft(spared=spared)
            after, _ = self.refinement.refine(before)
            assert after.spared == spared
            assert after.n_components >= spared
            for old, new in ((before.z_maps, after.z_maps), (before.z_patterns, after.z_patterns)):
                kept, there = self.engine.to_host(old)[:spared], self.engine.to_host(new)[:spared]
                assert np.array_equal(kept, there), "a spared component was changed"

    def law_asks_about_groups_beyond_the_spared(self) -> None:
        """Electrons set aside are asked about components that may be changed, each once in a group."""
        for spared in (0, 1, 2):
            said = _Asked()
            before = replace(self.draft(spared=spared), evidence=said)
            self.refinement.refine(before)
            for group in said.groups:
                assert len(group) == len(set(group)) >= 2, f"asked about {group}"
                assert spared <= min(group) <= max(group) < before.n_components, f"asked about {group}"

    def law_leaves_its_input(self) -> None:
        """The draft that came in is as it was."""
        before = self.draft()
        copies = [np.array(self.engine.to_host(z)) for z in (before.z_maps, before.z_patterns)]
        self.refinement.refine(before)
        for copy, z in zip(copies, (before.z_maps, before.z_patterns), strict=True):
            assert np.array_equal(copy, self.engine.to_host(z)), "the input was written into"

    def law_tells_what_it_did(self) -> None:
        """Numbers before and after are true, and the record is JSON."""
        before = self.draft()
        after, told = self.refinement.refine(before)
        json.dumps(told, allow_nan=False)
        assert (told["before"], told["after"]) == (before.n_components, after.n_components)

    def law_agreement_goes_with_the_components(self) -> None:
        """What is known of the agreement is known of each component afterwards, or of none."""
        for agreement in (None, np.array([4, 3, 2, 1])):
            after, told = self.refinement.refine(replace(self.draft(), agreement=agreement))
            if after.agreement is not None:
                assert after.agreement.shape == (after.n_components,), f"of shape {after.agreement.shape}"
                assert after.agreement.min() >= 1
                assert told.get("agreement", after.agreement.tolist()) == after.agreement.tolist()
