"""Orientations: of a match, of all groups, and at every position of a scan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.orientations import Orientations, PhaseCell
from unmixel.dataset.phases import PhaseMatch, Phases
from unmixel.dataset.positions import PositionMatches
from unmixel.dataset.results import Factors, Groups
from unmixel.interpret.flags import is_artefact
from unmixel.physics.cells import structures
from unmixel.physics.crystal import Crystal, Float
from unmixel.physics.orientation import MIRROR, orientation, turned
from unmixel.physics.symmetry import Symmetry


def orientation_of(match: PhaseMatch, crystal: Crystal) -> Float:
    """Return the orientation of a crystal that a match found: zone axis, rotation in the plane, tilt.

    Parameters
    ----------
    match : PhaseMatch
    crystal : Crystal
        The candidate of that name.

    Returns
    -------
    ndarray, shape (3, 3)
        Rows: what lies to the right, up, and against the electrons, in the crystal's frame; what `spot_pattern` takes.

    Raises
    ------
    InputError
        When the match is of another phase.

    Examples
    --------
    >>> from unmixel.interpret.identify import Identifier
    >>> from unmixel.testing.crystals import View
    >>> copper = Crystal.face_centred("Cu", 3.615)
    >>> seen = View(rotation_deg=20.0).spots(copper, (0, 0, 1))
    >>> match = Identifier((copper,), largest=1).answer(seen.g, seen.intensity, reach=1.0).best
    >>> orientation_of(match, copper).shape
    (3, 3)
    """
    if match.phase != crystal.name:
        raise InputError(
            "crystal",
            expected=f"the structure of {match.phase}",
            got=crystal.name,
            hint="give the candidate that the match names",
        )
    return orientation(crystal, match.zone_axis, rotation_deg=match.rotation_deg, tilt_deg=match.tilt_deg)


def group_orientations(phases: Phases, crystals: Sequence[str | Path | Crystal]) -> Orientations:
    """Return the orientation of each group whose phase has a name.

    Parameters
    ----------
    phases : Phases
        What `unmixel.identify` found.
    crystals : sequence of CIF files, names of built-in cells, or Crystal
        The candidates it was given; each that an answer names must be there.

    Returns
    -------
    Orientations
        One axis, ``group``; the confidence is the score. Groups that are "unknown" or "amorphous" have none.

    Raises
    ------
    InputError
        When the structure of a named phase is not given.
    """
    known = tuple(structures(crystals))
    numbers = {crystal.name: number for number, crystal in enumerate(known)}
    n = len(phases)
    phase = np.full(n, -1, np.intp)
    matrices, confidence = np.full((n, 3, 3), np.nan), np.zeros(n)
    zone_axis = np.zeros((n, 3), np.intp)
    for number, answer in enumerate(phases):
        match = answer.crystal
        if match is None:
            continue
        if match.phase not in numbers:
            raise InputError(
                "crystals",
                expected=f"the structure of {match.phase}, which group {number} was found to be",
                got=", ".join(numbers) or "none",
                hint="give the same candidates as to unmixel.identify",
            )
        phase[number] = numbers[match.phase]
        matrices[number] = orientation_of(match, known[phase[number]])
        confidence[number], zone_axis[number] = match.score, match.zone_axis
    axes = (Axis("group", max(n, 1)),)
    return Orientations(phase, matrices, confidence, axes, tuple(map(_cell, known)), zone_axis)


def orientation_map(
    factors: Factors,
    groups: Groups,
    phases: Phases,
    crystals: Sequence[str | Path | Crystal],
    *,
    least_share: float = 0.5,
    least_signal: float = 0.2,
) -> Orientations:
    """Return phase and orientation of the crystal at every position of a scan.

    Each position takes the orientation of the component with spots that is strongest there: that of its group, turned
    by the rotation of this component in the group, mirrored where the component is a mirror image. The tilt off the
    zone axis is that of the group as a whole, turned along; a component's own tilt is not looked for yet, and the
    members of a group may differ by a few degrees in it.

    Parameters
    ----------
    factors : Factors
    groups : Groups
        Of these factors.
    phases : Phases
        Of these groups.
    crystals : sequence of CIF files, names of built-in cells, or Crystal
        The candidates that `unmixel.identify` was given.
    least_share : float, 0 to 1
        Share of the crystalline signal (the sum of all components with spots that are not flagged as artefacts) that
        the strongest must hold at a position; where it holds less, crystals overlap and there is no orientation.
    least_signal : float, 0 to 1
        Share of its own maximum that the strongest must have there: below it the crystal ends.

    Returns
    -------
    Orientations
        On the scan axes; the confidence is the share. Positions where the strongest crystal has no name have none.

    Raises
    ------
    InputError
        When the parts do not belong together, a structure is not given, or a share is not between 0 and 1.

    Examples
    --------
    >>> from unmixel import orientation_map
    >>> from unmixel.interpret.phases import identify
    >>> from unmixel.testing.crystals import View, factors_of, groups_of
    >>> copper = Crystal.face_centred("Cu", 3.615)
    >>> groups = groups_of([View().pattern(copper, (0, 1, 1))])
    >>> found = orientation_map(factors_of(groups), groups, identify(groups, [copper]), [copper])
    >>> found.phase.tolist(), found.matrices.shape
    ([[0, 0], [0, 0]], (2, 2, 3, 3))
    """
    _check(factors, groups, phases, least_share=least_share, least_signal=least_signal)
    of_groups = group_orientations(phases, crystals)
    labels = np.asarray(groups.labels)
    maps = _crystalline_maps(factors, groups)
    total, strongest = maps.sum(axis=0), maps.argmax(axis=0)
    signal = np.take_along_axis(maps, strongest[None], axis=0)[0]
    share = np.divide(signal, total, out=np.zeros(total.shape), where=total > 0)
    height = maps.reshape(len(maps), -1).max(axis=1)[strongest]
    phase = of_groups.phase[labels][strongest]
    has = (phase >= 0) & (total > 0) & (share >= least_share) & (signal >= least_signal * height)
    matrices, zone_axis = _members(of_groups, groups)
    return Orientations(
        phase=np.where(has, phase, -1),
        matrices=np.where(has[..., None, None], matrices[strongest], np.nan),
        confidence=np.where(has, share, 0.0),
        axes=factors.scan_axes,
        phases=of_groups.phases,
        zone_axis=np.where(has[..., None], zone_axis[strongest], 0),
    )


def position_orientations(
    matches: PositionMatches, phases: Phases, crystals: Sequence[str | Path | Crystal]
) -> Orientations:
    """Return phase and orientation at every position that was matched with a group on its own.

    The orientation of the group's crystal, turned by the rotation that the position's pattern was found at, mirrored
    where its mirror image fitted. The tilt is the group's.

    Parameters
    ----------
    matches : PositionMatches
        What `unmixel.match_positions` found.
    phases : Phases
        Of the groups that the positions were compared with.
    crystals : sequence of CIF files, names of built-in cells, or Crystal
        The candidates that `unmixel.identify` was given.

    Returns
    -------
    Orientations
        On the scan axes; the confidence is the similarity. Positions without a group, and those of groups without a
        crystal, have none.

    Raises
    ------
    InputError
        When the matches are of other groups, or a structure is not given.
    """
    if len(phases) != len(matches.symmetry_deg):
        raise InputError(
            "matches",
            expected=f"those of the {len(phases)} groups whose phases are given",
            got=f"matches with {len(matches.symmetry_deg)} groups",
            hint="give the same groups to unmixel.identify and unmixel.match_positions",
        )
    of_groups = group_orientations(phases, crystals)
    group = np.maximum(matches.group, 0)
    phase = np.where(matches.group >= 0, of_groups.phase[group], -1)
    matrices, zone_axis = of_groups.matrices[group], of_groups.zone_axis[group]
    mirrored = np.asarray(matches.mirrored, bool)
    matrices = np.where(mirrored[..., None, None], MIRROR @ matrices, matrices)
    zone_axis = np.where(mirrored[..., None], -zone_axis, zone_axis)
    has = phase >= 0
    return Orientations(
        phase=phase,
        matrices=np.where(has[..., None, None], turned(matrices, matches.rotation_deg), np.nan),
        confidence=np.where(has, np.nan_to_num(matches.similarity), 0.0),
        axes=matches.scan_axes,
        phases=of_groups.phases,
        zone_axis=np.where(has[..., None], zone_axis, 0),
    )


def _crystalline_maps(factors: Factors, groups: Groups) -> Float:
    """Return the maps of all components, those without spots and those of the camera 0, shape (k, *s)."""
    maps = np.maximum(np.asarray(factors.maps, np.float64), 0.0)
    flags = factors.flags or ((),) * len(maps)
    counts = np.asarray(groups.crystalline, bool)[np.asarray(groups.labels)]
    counts = counts & ~np.array([is_artefact(words) for words in flags], bool)
    return np.asarray(maps * counts.reshape(-1, *(1,) * (maps.ndim - 1)))


def _members(of_groups: Orientations, groups: Groups) -> tuple[Float, NDArray[np.intp]]:
    """Return the orientation and the zone axis of each component, from those of its group."""
    labels = np.asarray(groups.labels)
    matrices, zone_axis = of_groups.matrices[labels], of_groups.zone_axis[labels]
    if groups.mirrored is not None:
        mirrored = np.asarray(groups.mirrored, bool)
        matrices = np.where(mirrored[:, None, None], MIRROR @ matrices, matrices)
        zone_axis = np.where(mirrored[:, None], -zone_axis, zone_axis)
    return turned(matrices, np.asarray(groups.rotation_deg, np.float64)), zone_axis


def _cell(crystal: Crystal) -> PhaseCell:
    return PhaseCell(
        crystal.name,
        crystal.lengths,
        crystal.angles_deg,
        crystal.space_group,
        Symmetry.of(crystal).point_group,
    )


def _check(
    factors: Factors, groups: Groups, phases: Phases, *, least_share: float, least_signal: float
) -> None:
    counts = factors.n_components, len(groups.labels), groups.n_groups, len(phases)
    if counts[0] != counts[1] or counts[2] != counts[3]:
        raise InputError(
            "orientation_map",
            expected="groups of these factors and phases of these groups",
            got=f"{counts[0]} components, {counts[1]} of them grouped; {counts[2]} groups, {counts[3]} answers",
            hint="group the factors, and identify those groups",
        )
    if not (0 <= least_share <= 1 and 0 <= least_signal <= 1):
        raise InputError(
            "orientation_map",
            expected="least_share and least_signal between 0 and 1",
            got=f"{least_share}, {least_signal}",
            hint="the defaults 0.5 and 0.2 suit crystals that overlap little",
        )
