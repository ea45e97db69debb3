"""From factors to answers: remarks, groups, particles, phases, orientations, and what each position shows alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from unmixel.core import registry
from unmixel.dataset.orientations import Grains, Orientations
from unmixel.dataset.phases import Phases
from unmixel.dataset.positions import PositionMatches
from unmixel.dataset.result import Result
from unmixel.dataset.results import Factors, Groups, Particles
from unmixel.dataset.scan import Scan
from unmixel.interpret.align import shifted_mean
from unmixel.interpret.memberships import memberships
from unmixel.pipeline.entries import Entry
from unmixel.pipeline.logbook import Logbook
from unmixel.pipeline.naming import Naming
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.stages import walker

Tell = Callable[[str], None]


def answered(result: Result, recipe: Recipe, prepared: Callable[[], Scan], log: Logbook) -> Result:
    """Return a result with everything that the recipe wants read out of its factors.

    Parameters
    ----------
    result : Result
        Its factors are looked at.
    recipe : Recipe
    prepared : callable
        Returns the prepared scan; called only where positions are matched one by one.
    log : Logbook
        Hears what is left out, and why, and how far workers are with a pass over the data.
    """
    note = log.note
    factors = flag(result.factors)
    groups, particles = interpret(factors, recipe, note)
    naming = None if recipe.interpret.identify is None else Naming.of(recipe.interpret.identify)
    phases = name_phases(groups, naming, note)
    orientations, grains = orient(factors, groups, phases, naming)
    return replace(
        result,
        factors=factors,
        groups=groups,
        particles=particles,
        phases=phases,
        orientations=orientations,
        grains=grains,
        positions=match(groups, recipe, prepared, log),
    )


def flag(factors: Factors) -> Factors:
    """Return the factors, each component with its remarks."""
    from unmixel.interpret.flags import flag_components

    return replace(factors, flags=tuple(flag_components(factors)))


def interpret(factors: Factors, recipe: Recipe, note: Tell) -> tuple[Groups | None, Particles | None]:
    """Return groups and particles, None for what the recipe does not ask for or the scan cannot give."""
    how, seed = recipe.interpret, recipe.factorize.seed
    if not isinstance(how.group, Entry):
        return None, None
    groups: Groups = registry.load("clusterers", how.group.name)(**how.group.parameters).group(
        factors, seed=seed
    )
    if len(groups.pattern_axes) == 2:
        groups = replace(groups, membership=memberships(factors, groups).weights)
    if len(factors.scan_axes) == 2:
        groups = _with_shifted_maps(factors, groups)
    if how.measure is None:
        return groups, None
    if len(factors.scan_axes) != 2:
        note("Particles are not measured: the scan has not two axes.")
        return groups, None
    from unmixel.interpret.measure import Measure

    particles = Measure(**how.measure).measure(factors, groups, seed=seed)
    if particles.unit == "px":
        note(
            "The scan is not calibrated: particles have positions and sizes in px, and so says particles.csv."
        )
    return groups, particles


def _with_shifted_maps(factors: Factors, groups: Groups) -> Groups:
    """Return the groups with their members' maps moved onto the strongest and averaged."""
    strengths = np.maximum(np.asarray(factors.strengths, np.float64), 1e-12)
    means, shifts = [], np.zeros((factors.n_components, 2))
    for group in range(groups.n_groups):
        members = np.flatnonzero(groups.labels == group)
        order = members[np.argsort(-strengths[members], kind="stable")]
        mean, shifts[order] = shifted_mean(factors.maps[order], strengths[order])
        means.append(mean)
    return replace(groups, shifted_maps=np.array(means), shifts=shifts)


def name_phases(groups: Groups | None, naming: Naming | None, note: Tell) -> Phases | None:
    """Return the phases of the groups, None where the recipe names no candidates or there are no groups."""
    if naming is None:
        return None
    if groups is None:
        note("Phases are not named: the recipe groups nothing.")
        return None
    phases = naming.phases(groups)
    for text in phases.notes:
        note(f"Phases: {text}.")
    return phases


def orient(
    factors: Factors, groups: Groups | None, phases: Phases | None, naming: Naming | None
) -> tuple[Orientations | None, Grains | None]:
    """Return how the crystals lie and the grains, None where no crystal has a name (grains need two scan axes)."""
    if groups is None or phases is None or naming is None or all(answer.crystal is None for answer in phases):
        return None, None
    from unmixel.interpret.grains import grain_boundaries
    from unmixel.interpret.orient import orientation_map

    found = orientation_map(factors, groups, phases, naming.crystals)
    return found, grain_boundaries(found) if len(found.axes) == 2 else None


def match(
    groups: Groups | None, recipe: Recipe, prepared: Callable[[], Scan], log: Logbook
) -> PositionMatches | None:
    """Return which group each position shows on its own, None where the recipe does not ask for it."""
    how = recipe.interpret.match
    if how is None:
        return None
    spots = groups is not None and len(groups.pattern_axes) == 2 and bool(groups.crystalline.any())
    if groups is None or not spots:
        log.note("Positions are not matched one by one: no group has spots.")
        return None
    from unmixel.interpret.matcher import PositionMatcher
    from unmixel.interpret.positions import match_positions

    settings: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in how.items()
    }
    return match_positions(
        prepared(),
        groups,
        matcher=PositionMatcher(**settings),
        memory_budget=int(recipe.factorize.memory_budget_MB * 1e6),
        seed=recipe.factorize.seed,
        engine=walker(recipe.factorize, log.passed),
    )
