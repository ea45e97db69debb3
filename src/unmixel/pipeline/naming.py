"""What a recipe says of naming phases: the candidates, and how groups are compared with them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from unmixel.core.errors import InputError
from unmixel.dataset.lens import Lens
from unmixel.dataset.phases import Phases
from unmixel.dataset.results import Groups
from unmixel.dataset.scan import Scan
from unmixel.physics.cells import crystals_in, structures
from unmixel.physics.crystal import Crystal

USUAL_VOLTAGE = 300.0
"""kV, where nothing says it: between 200 and 300 kV places of spots in 1/angstrom do not depend on it."""


@dataclass(frozen=True)
class Naming:
    """Names the phases of groups: the section ``identify`` of a recipe.

    Parameters
    ----------
    candidates : tuple of str
        CIF files, folders of them, names of built-in cells.
    elements : tuple of str or None
        Of the files of folders only those made of these elements.
    voltage_kV : float or None
        None takes that of the scan.
    spot_size : float or None
        Standard deviation of a spot, in pixels; None measures it.
    scale_tolerance : float, 0 to 0.2
        How wrong the calibration of the detector may be.
    largest : int, >= 1
        Largest index of a zone axis.
    least : float, 0 to 1
        Score below which the answer is "unknown".
    distortion : mapping or None
        Parameters of a `Lens`, {} for its defaults: one calibration is fitted for all groups, distortions beyond the
        ellipse included. None leaves the calibration as it is.
    """

    candidates: tuple[str, ...]
    elements: tuple[str, ...] | None = None
    voltage_kV: float | None = None  # noqa: N815 - kV is how it is written
    spot_size: float | None = None
    scale_tolerance: float = 0.02
    largest: int = 3
    least: float = 0.9
    distortion: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        texts = isinstance(self.candidates, tuple) and all(isinstance(one, str) for one in self.candidates)
        if not texts or not self.candidates:
            raise InputError(
                "candidates",
                expected="a list of CIF files, folders or names of built-in cells",
                got=repr(self.candidates),
                hint="for instance [MgO.cif, Cu]",
            )
        if self.distortion is not None:
            self.lens  # noqa: B018 - a wrong parameter is told at the door

    @property
    def lens(self) -> Lens | None:
        """What may be measured of the lens, None where it is not asked for."""
        if self.distortion is None:
            return None
        values: dict[str, Any] = {
            key: tuple(v) if isinstance(v, list) else v for key, v in dict(self.distortion).items()
        }
        unknown = set(values) - {one.name for one in fields(Lens)}
        if unknown:
            raise InputError(
                "distortion",
                expected=f"parameters among {', '.join(one.name for one in fields(Lens))}",
                got=", ".join(sorted(unknown)),
                hint="distortion: {terms: [perspective, barrel]}, or {} for the defaults",
            )
        return Lens(**values)

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Naming:
        """Return what a recipe's mapping says; lists become tuples."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in section.items()
        }
        return cls(**values)

    def settled(self, scan: Scan) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the mapping with whole paths and the scan's voltage, and what was decided.

        Raises
        ------
        InputError
            When a candidate is no structure, or the patterns are not calibrated: before anything is computed.
        """
        crystals = self.crystals
        units = {axis.unit for axis in scan.pattern_axes}
        if len(scan.pattern_axes) != 2 or units not in ({"1/angstrom"}, {"mrad"}):
            raise InputError(
                "recipe: interpret.identify",
                expected="patterns of two axes in 1/angstrom or mrad",
                got=f"{len(scan.pattern_axes)} axes in {', '.join(sorted(units))}",
                hint="calibrate the detector first, or leave out the candidates",
            )
        notes = [f"Candidates for phases: {', '.join(crystal.name for crystal in crystals)}."]
        voltage = self.voltage_kV or scan.instrument.voltage_kV
        if not voltage:
            voltage = USUAL_VOLTAGE
            notes.append(f"The voltage is not known: phases are named as at {voltage:g} kV.")
        paths = tuple(str(Path(one).resolve()) if Path(one).exists() else one for one in self.candidates)
        done = replace(self, candidates=paths, voltage_kV=float(voltage))
        return {key: _plain(value) for key, value in vars(done).items()}, tuple(notes)

    @cached_property
    def crystals(self) -> list[Crystal]:
        """The candidates, read once."""
        found: list[Crystal] = []
        for one in self.candidates:
            if self.elements is not None and Path(one).is_dir():
                found += crystals_in(one, self.elements)
            else:
                found += structures([one])
        return found

    def phases(self, groups: Groups) -> Phases:
        """Return the phases of groups."""
        from unmixel.interpret.phases import identify

        return identify(
            groups,
            self.crystals,
            voltage_kV=self.voltage_kV or USUAL_VOLTAGE,
            calibration=self.lens,
            spot_size=self.spot_size,
            scale_tolerance=self.scale_tolerance,
            largest=self.largest,
            least=self.least,
        )

    def described(self) -> list[dict[str, Any]]:
        """Return what the record says of each candidate: cell, space group, atoms, and the hash of all of it."""
        return [_described(crystal) for crystal in self.crystals]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _described(crystal: Crystal) -> dict[str, Any]:
    sites = [[site.element, *site.position, site.occupancy, site.b_factor] for site in crystal.sites]
    text = repr((crystal.lengths, crystal.angles_deg, crystal.space_group, sites))
    return {
        "name": crystal.name,
        "lengths_angstrom": list(crystal.lengths),
        "angles_deg": list(crystal.angles_deg),
        "space_group": crystal.space_group,
        "n_atoms": len(sites),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
