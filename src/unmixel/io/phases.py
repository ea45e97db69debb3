"""Phases in a result bundle: one collection per group, one per match in it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from unmixel.dataset.phases import HaloRing, PhaseAnswer, PhaseMatch, Phases, PlaceMatch, RingMatch
from unmixel.io.calibration import get_calibration, put_calibration
from unmixel.io.nexus import make, note, put, read_note, to_json

_SPOT_NUMBERS = ("score", "explained", "seen", "rotation_deg", "scale", "residual")
_SPOT_ARRAYS = ("g", "root", "hkl", "doubled", "spot")
_PLACE_NUMBERS = ("score", "evidence", "probability", "scale", "residual")
_PLACE_ARRAYS = ("orientation", "g", "root", "hkl", "spot")
_RING_NUMBERS = ("score", "evidence", "probability", "scale", "residual")
_RING_ARRAYS = ("radius", "hkl", "ring")
_HALO = ("position", "position_error", "fwhm", "fwhm_error", "height")
_UNITS = {"g": "1/angstrom", "radius": "1/angstrom"}


def write_phases(entry: Any, phases: Phases) -> None:
    """Write the phases of all groups to a new collection."""
    group = make(entry, "phases", "NXcollection")
    put_calibration(group, phases.calibration)
    note(group, "candidates", "application/json", to_json(list(phases.candidates)))
    note(group, "notes", "application/json", to_json(list(phases.notes)))
    note(group, "table", "application/json", to_json(phases.table()))
    for number, answer in enumerate(phases):
        one = make(
            group,
            f"group_{number}",
            "NXcollection",
            phase=answer.phase,
            reason=answer.reason,
            by=answer.by,
        )
        put(one, "g", answer.g, units="1/angstrom")
        put(one, "intensity", answer.intensity)
        halo = [[getattr(ring, key) for key in _HALO] for ring in answer.halo]
        put(one, "halo", np.array(halo, np.float64).reshape(-1, len(_HALO)), columns=" ".join(_HALO))
        for place, match in enumerate(answer.matches):
            _write(one, f"match_{place}", match, _SPOT_NUMBERS, _SPOT_ARRAYS)
        for place, lying in enumerate(answer.places):
            _write(one, f"places_{place}", lying, _PLACE_NUMBERS, _PLACE_ARRAYS)
        for place, ring in enumerate(answer.rings):
            _write(one, f"rings_{place}", ring, _RING_NUMBERS, _RING_ARRAYS)


def _write(
    parent: Any,
    name: str,
    match: PhaseMatch | PlaceMatch | RingMatch,
    numbers: tuple[str, ...],
    arrays: tuple[str, ...],
) -> None:
    group = make(parent, name, "NXcollection", phase=match.phase)
    for key in numbers:
        group.attrs[key] = float(getattr(match, key))
    if isinstance(match, PhaseMatch):
        group.attrs["zone_axis"] = np.asarray(match.zone_axis, np.int64)
        group.attrs["tilt_deg"] = np.asarray(match.tilt_deg, np.float64)
    for key in arrays:
        put(group, key, getattr(match, key), units=_UNITS.get(key))


def read_phases(group: Any) -> Phases:
    """Return the phases that `write_phases` wrote."""
    n_groups = sum(name.startswith("group_") for name in group)
    return Phases(
        answers=tuple(_read_answer(group[f"group_{number}"]) for number in range(n_groups)),
        candidates=tuple(json.loads(read_note(group, "candidates"))),
        calibration=get_calibration(group),
        notes=tuple(json.loads(read_note(group, "notes"))),
    )


def _read_answer(group: Any) -> PhaseAnswer:
    matches, rings, places = (
        [group[f"{kind}_{i}"] for i in range(sum(name.startswith(f"{kind}_") for name in group))]
        for kind in ("match", "rings", "places")
    )
    return PhaseAnswer(
        phase=str(group.attrs["phase"]),
        reason=str(group.attrs["reason"]),
        by=str(group.attrs["by"]),
        matches=tuple(_read_match(one) for one in matches),
        rings=tuple(
            RingMatch(phase=str(one.attrs["phase"]), **_values(one, _RING_NUMBERS, _RING_ARRAYS))
            for one in rings
        ),
        places=tuple(
            PlaceMatch(phase=str(one.attrs["phase"]), **_values(one, _PLACE_NUMBERS, _PLACE_ARRAYS))
            for one in places
        ),
        g=group["g"][()],
        intensity=group["intensity"][()],
        halo=tuple(HaloRing(*map(float, row)) for row in group["halo"][()]),
    )


def _read_match(group: Any) -> PhaseMatch:
    u, v, w = (int(i) for i in group.attrs["zone_axis"])
    first, second = (float(i) for i in group.attrs["tilt_deg"])
    return PhaseMatch(
        phase=str(group.attrs["phase"]),
        zone_axis=(u, v, w),
        tilt_deg=(first, second),
        **_values(group, _SPOT_NUMBERS, _SPOT_ARRAYS),
    )


def _values(group: Any, numbers: tuple[str, ...], arrays: tuple[str, ...]) -> dict[str, Any]:
    return {key: float(group.attrs[key]) for key in numbers} | {key: group[key][()] for key in arrays}
