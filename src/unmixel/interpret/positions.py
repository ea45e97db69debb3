"""Position by position: which group's pattern each scan position shows, in which rotation, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.positions import PositionMatches
from unmixel.dataset.results import Groups
from unmixel.dataset.scan import Scan
from unmixel.engines.blocks import DEFAULT_BUDGET
from unmixel.engines.walk import Block, Found, Task
from unmixel.interpret.chance import Chance, chance_of
from unmixel.interpret.comparison import Comparison, comparison_of
from unmixel.interpret.doses import doses_of
from unmixel.interpret.matcher import PositionMatcher
from unmixel.interpret.neighbourhood import IN_THIS_THREAD, Neighbourhoods
from unmixel.interpret.surrogate import chance_level

Float = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]

DEFAULT_MATCHER = PositionMatcher()
AT_ONCE = 16  # surrogates that are drawn in one go
SYMMETRIES = (12, 8, 6, 4, 3, 2)
LEAST_SYMMETRIC = 0.8  # correlation with itself from which a turned pattern counts as the same


@dataclass(frozen=True, eq=False)
class _Found:
    """The best match of some positions, shape (b,) each, before chance has been heard."""

    best: NDArray[np.intp]
    rotation_deg: Float
    similarity: Float
    runner_up: Float
    mirrored: Bool
    energy: Float


def match_positions(
    scan: Scan,
    groups: Groups,
    *,
    matcher: PositionMatcher = DEFAULT_MATCHER,
    memory_budget: int = DEFAULT_BUDGET,
    seed: int = 0,
    engine: Any = IN_THIS_THREAD,
) -> PositionMatches:
    """Return which group's pattern every scan position shows, in which rotation, and how sure that is.

    Every position's own pattern is compared with the pattern of every group that has spots, at every rotation: ring
    means are subtracted, rings weighted by radius over counting noise, and the normalised correlation along the angle
    taken, so that no factorisation stands between the data and the answer. What chance reaches is measured on
    surrogates with the same rings and counts but no angular order. A position belongs to a group when chance is less
    similar, and when what it shows beyond counting noise agrees with the group's pattern better than an unrelated
    crystal with the same rings would.

    Parameters
    ----------
    scan : Scan
        Prepared as for the factorisation: the groups' detector. Pixels and positions of weight 0 are left out. It is
        read block by block, twice (once where it fits half of the budget and is not averaged over neighbours).
    groups : Groups
        Of diffraction patterns; at least one must have spots.
    matcher : PositionMatcher
        What counts as alike: significance, smoothing, mirror images, averaging over neighbours, background.
    memory_budget : int
        Bytes of memory for blocks and working copies, > 0.
    seed : int
        Of the surrogates.
    engine : Engine
        Goes through the patterns: one of many workers (`DaskEngine`) reads and compares them there. Where they are
        averaged over neighbours, positions at the borders of blocks are read several times.

    Returns
    -------
    PositionMatches

    Raises
    ------
    InputError
        When scan and groups do not share a detector of two axes, no group with spots is left to compare with, or the
        data hold no finite counts.

    Examples
    --------
    >>> from unmixel.testing.crystals import View, groups_of, zirconium_alloys
    >>> cubic = zirconium_alloys()[0]
    >>> groups = groups_of([View().pattern(cubic, (0, 0, 1))])
    >>> turned = View(rotation_deg=25, electrons=4_000).pattern(cubic, (0, 0, 1))
    >>> scan = Scan(np.array([turned, turned]), groups.scan_axes[1:], groups.pattern_axes)
    >>> found = match_positions(scan, groups)
    >>> int(found.group[0]), round(float(found.rotation_deg[0] % found.symmetry_deg[0]))
    (0, 25)
    """
    background = _background(groups, matcher)
    used, some = _checked(scan, groups, background)
    patterns = Neighbourhoods(scan, matcher.neighbourhood, memory_budget, engine)
    doses = doses_of(patterns, used, _counted(scan))
    comparison = comparison_of(groups, (some, background), used, doses, matcher=matcher, budget=memory_budget)
    chance = chance_of(comparison, doses, surrogates=matcher.surrogates, seed=seed)
    unrelated = np.full(groups.n_groups, np.nan)
    unrelated[some] = _unrelated(comparison, matcher, seed)
    found = _Found(*patterns.walk(_Match(comparison, some), (doses.electrons,)).here)
    there, electrons, shape = found.best >= 0, doses.electrons, scan.scan_shape
    p_value = np.where(there, chance.p_value(np.nan_to_num(found.similarity), electrons), 1.0)
    structure = chance.structure(found.energy, electrons)
    # structure is what is surely there, so this is the most that the agreement can be
    agreement = np.minimum(found.similarity / np.sqrt(np.where(structure > 0, structure, np.nan)), 1.0)
    alien = agreement < unrelated[found.best]
    return PositionMatches(
        group=np.where((p_value < matcher.significance) & ~alien, found.best, -1).reshape(shape),
        best=found.best.reshape(shape),
        rotation_deg=found.rotation_deg.reshape(shape),
        similarity=found.similarity.reshape(shape),
        runner_up=found.runner_up.reshape(shape),
        p_value=p_value.reshape(shape),
        chance=np.where(there, chance.level(matcher.significance, electrons), np.nan).reshape(shape),
        agreement=agreement.reshape(shape),
        unrelated=unrelated,
        mirrored=found.mirrored.reshape(shape),
        electrons=electrons.reshape(shape),
        significance=matcher.significance,
        symmetry_deg=_symmetries(comparison, some, groups.n_groups),
        scan_axes=scan.scan_axes,
        method=_words(comparison, matcher, chance, (some, background), scan.gain),
    )


def _background(groups: Groups, matcher: PositionMatcher) -> tuple[int, ...]:
    if matcher.background is None:
        return tuple(int(g) for g in np.flatnonzero(~np.asarray(groups.crystalline, bool)))
    if not set(matcher.background) <= set(range(groups.n_groups)):
        raise InputError(
            "background",
            expected=f"groups from 0 to {groups.n_groups - 1}",
            got=f"{matcher.background}",
            hint="None takes the groups without spots",
        )
    return matcher.background


def _checked(scan: Scan, groups: Groups, background: tuple[int, ...]) -> tuple[Bool, NDArray[np.intp]]:
    """Return the pixels that scan and groups know, and the groups to compare with."""
    if (
        len(scan.pattern_axes) != 2
        or len(groups.center) != 2
        or scan.pattern_shape != groups.patterns.shape[1:]
    ):
        raise InputError(
            "match_positions",
            expected=f"a scan on the groups' detector, {groups.patterns.shape[1:]}, of two axes with a centre",
            got=f"patterns of shape {scan.pattern_shape}",
            hint="prepare the scan with the steps of the run that the groups come from",
        )
    spots = np.asarray(groups.crystalline, bool)
    some = np.array([g for g in np.flatnonzero(spots) if g not in background], np.intp)
    if len(some) == 0:
        raise InputError(
            "groups",
            expected="at least one with spots that is not background",
            got=f"{int(spots.sum())} with spots, background {background}",
            hint="a pattern of rings looks the same at every rotation: there is nothing to match",
        )
    used = np.ones(scan.pattern_shape, bool)
    if scan.pixel_weights is not None:
        used &= scan.pixel_weights > 0
    if groups.used_pixels is not None:
        used &= np.asarray(groups.used_pixels, bool)[some].all(axis=0)
    return used, some


def _counted(scan: Scan) -> Bool:
    if scan.position_weights is None:
        return np.ones(scan.n_positions, bool)
    return np.asarray(scan.position_weights > 0).reshape(-1)


@dataclass(frozen=True, eq=False)
class _Match(Task):
    """Along: electrons (b,). Here: the best match of each position, as in `_Found`."""

    comparison: Comparison
    some: NDArray[np.intp]

    def __call__(self, engine: Any, block: Block, *along: Any) -> Found:
        """Return the best matches in a block; positions without electrons have none."""
        live = np.asarray(engine.to_host(along[0])) > 0
        n = live.size
        found = _Found(
            best=np.full(n, -1, np.intp),
            rotation_deg=np.zeros(n),
            similarity=np.full(n, np.nan),
            runner_up=np.full(n, np.nan),
            mirrored=np.zeros(n, bool),
            energy=np.zeros(n),
        )
        if live.any():
            part = self.comparison.matches(block.values[live])
            row, first = np.arange(np.count_nonzero(live)), part.similarity.argmax(axis=1)
            found.best[live] = self.some[first]
            found.similarity[live] = part.similarity[row, first]
            found.rotation_deg[live] = part.rotation_deg[row, first]
            found.mirrored[live] = part.mirrored[row, first]
            found.energy[live] = part.energy
            if len(self.some) > 1:
                found.runner_up[live] = np.partition(part.similarity, -2, axis=1)[:, -2]
        return Found(tuple(engine.asarray(getattr(found, each.name)) for each in fields(_Found)))


def _unrelated(comparison: Comparison, matcher: PositionMatcher, seed: int) -> list[float]:
    """Return the agreement that unrelated crystals with each group's rings exceed with the significance asked for."""
    reading = comparison.reading
    return [
        chance_level(
            np.repeat(rings[None], AT_ONCE, axis=0),
            reading.grid,
            significance=matcher.significance,
            seed=seed,
            mirror=matcher.mirror,
            weights=reading.weights,
        )[0]
        for rings in comparison.rings
    ]


def _symmetries(comparison: Comparison, some: NDArray[np.intp], n_groups: int) -> Float:
    """Return the smallest rotation that leaves each group's pattern as it is, in degrees."""
    found = np.full(n_groups, np.nan)
    for group, curve in zip(some, comparison.self_similarity(), strict=True):
        folds = [n for n in SYMMETRIES if curve[round(len(curve) / n)] >= LEAST_SYMMETRIC]
        found[group] = 360.0 / max(folds, default=1)
    return found


def _words(
    comparison: Comparison,
    matcher: PositionMatcher,
    chance: Chance,
    roles: tuple[NDArray[np.intp], tuple[int, ...]],
    gain: float,
) -> str:
    some, background = roles
    grid = comparison.reading.grid
    low, high = chance.tails[0].electrons, chance.tails[-1].electrons
    doses = f"{low:.0f}" if len(chance.tails) == 1 else f"{low:.0f} to {high:.0f}"
    parts = [
        f"positions: ring correlation of x / sqrt(1 + x), x in electrons ({gain:g} counts each), smoothed by "
        f"{matcher.smooth:g} px over {len(grid.radii)} rings x {grid.n_angles} angles about (v, u) = "
        f"({grid.center[0]:.2f}, {grid.center[1]:.2f}) px, rings weighted by radius over counting noise",
        f"compared with {_named(some)}",
        f"patterns averaged over neighbours, Gaussian sigma {matcher.neighbourhood:g} positions"
        if matcher.neighbourhood
        else "each pattern alone",
    ]
    if background:
        parts.append(
            f"{_named(background)} taken out as background ({len(comparison.reading.background)} shapes)"
        )
    if matcher.mirror:
        parts.append("mirror images count as the same")
    parts.append(
        f"chance from {chance.n_surrogates} patterns with the same rings, no angular order and Poisson counts of "
        f"{doses} electrons; significance {matcher.significance:g}"
    )
    return "; ".join(parts)


def _named(groups: Iterable[int]) -> str:
    numbers = [str(g) for g in groups]
    return f"group{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"
