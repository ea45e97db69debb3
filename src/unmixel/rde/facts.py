"""What a result tells of scan, fit and answers, each as one plain value; None where it is not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unmixel.dataset.axes import Axis
from unmixel.dataset.result import Result
from unmixel.dataset.results import Particles
from unmixel.dataset.scan import Scan
from unmixel.physics.wavelength import wavelength
from unmixel.report.recorded import constraints, input_name, source, steps

DIFFRACTION, EELS, EDX, SPECTRA = "4D-STEM", "EELS", "EDX", "STEM spectrum imaging"
"""Names of techniques."""


def technique(scan: Scan) -> str:
    """Return how a scan was measured, as far as the file says it.

    Examples
    --------
    >>> technique(Scan.from_array(np.zeros((2, 3, 8, 8)))), technique(Scan.from_array(np.zeros((2, 3, 8))))
    ('4D-STEM', 'STEM spectrum imaging')
    """
    if len(scan.pattern_axes) == 2:
        return DIFFRACTION
    told = scan.original_metadata.get("metadata")
    signal = told.get("Signal") if isinstance(told, dict) else None
    kind = str(signal.get("signal_type", "")).upper() if isinstance(signal, dict) else ""
    return EELS if kind.startswith("EELS") else EDX if kind.startswith("EDS") else SPECTRA


@dataclass(frozen=True)
class Facts:
    """A result, asked for single values.

    Parameters
    ----------
    result : Result
    technique : str
        See `technique`; empty takes what the axes say.
    """

    result: Result
    technique: str = ""

    @property
    def measured_by(self) -> str:
        """How the scan was measured."""
        plain = DIFFRACTION if len(self.result.factors.pattern_axes) == 2 else SPECTRA
        return self.technique or plain

    @property
    def file_name(self) -> str | None:
        """Name of the input without its folders."""
        return input_name(self.result) or None

    def input(self, key: str) -> Any:
        """Return what the record says of the input."""
        return source(self.result).get(key)

    def instrument(self, name: str, factor: float = 1.0) -> Any:
        """Return what the data card says of the microscope; numbers times a factor."""
        card = self.result.card
        value = None if card is None else card.values.get("instrument", {}).get(name)
        return value * factor if isinstance(value, (int, float)) else value or None

    def axis(self, name: str) -> Axis | None:
        """Return an axis as the file has it, before any cropping and binning."""
        card, factors = self.result.card, self.result.factors
        if card is not None:
            kept = {one["name"]: Axis(**one) for one in card.values.get("axes", ())}
        else:
            kept = {axis.name: axis for axis in (*factors.scan_axes, *factors.pattern_axes)}
        return kept.get(name)

    def size(self, name: str) -> int | None:
        """Return the number of samples along an axis."""
        axis = self.axis(name)
        return None if axis is None else axis.size

    def step(self, name: str, unit: str) -> float | None:
        """Return the step of an axis in this unit; None where it has none such."""
        axis = self.axis(name)
        if axis is None:
            return None
        voltage = self.instrument("voltage_kV")
        if (axis.unit, unit) == ("mrad", "1/angstrom") and voltage:
            return abs(axis.scale) * 1e-3 / wavelength(voltage)
        return abs(axis.scale) if axis.unit == unit else None

    def extent(self, name: str, unit: str) -> float | None:
        """Return the length of an axis, all its samples together."""
        step, size = self.step(name, unit), self.size(name)
        return None if step is None or size is None else step * size

    def detector(self, technique: str) -> Any:
        """Return the name of the detector of a scan measured by this technique."""
        return self.instrument("detector") if self.measured_by == technique else None

    def channels(self, technique: str) -> int | None:
        """Return the number of channels of spectra measured by this technique."""
        return self.size("energy") if self.measured_by == technique else None

    def dispersion(self, technique: str) -> float | None:
        """Return eV a channel of spectra measured by this technique."""
        return self.step("energy", "eV") if self.measured_by == technique else None

    def done(self, step: str, key: str) -> Any:
        """Return a number that a step of preparation measured."""
        return next((one.values.get(key) for one in steps(self.result) or () if one.name == step), None)

    def record(self, *keys: str) -> Any:
        """Return a value of the record by its keys."""
        value: Any = self.result.record
        for key in keys:
            value = value.get(key) if hasattr(value, "get") else None
        return value

    @property
    def warnings(self) -> str | None:
        """What the data card warns of, in words."""
        card = self.result.card
        rows = () if card is None else card.rows
        told = [f"{row.label}: {row.value}" for row in rows if row.light in ("yellow", "red")]
        return "; ".join(told) or None

    @property
    def constraints(self) -> str:
        """Names of the constraints."""
        return ", ".join(["nonnegative", *(one.name for one in constraints(self.result))])

    @property
    def flagged(self) -> int:
        """Number of components that are to be looked at with care."""
        return sum(1 for flags in self.result.factors.flags if flags)

    @property
    def chi_square(self) -> float | None:
        """Chi-square against Poisson noise."""
        residual = self.result.factors.residual
        return None if residual is None else residual.chi2

    @property
    def n_groups(self) -> int | None:
        """Number of groups."""
        return None if self.result.groups is None else self.result.groups.n_groups

    @property
    def n_crystalline(self) -> int | None:
        """Number of groups with spots; None for spectra."""
        groups = self.result.groups
        if groups is None or len(groups.pattern_axes) < 2:
            return None
        return int(np.count_nonzero(groups.crystalline))

    @property
    def phases(self) -> str | None:
        """Names of the phases, each once, in the order of the groups."""
        found = self.result.phases
        return None if found is None else ", ".join(dict.fromkeys(one.phase for one in found.answers)) or None

    @property
    def n_particles(self) -> int | None:
        """Number of particles."""
        return None if self.result.particles is None else len(self.result.particles.table)

    def particles(self, name: str, place: int | None = None, *, unit: str = "nm") -> float | None:
        """Return a statistic of the particles; None where their lengths are not in this unit."""
        found: Particles | None = self.result.particles
        if found is None or (unit and found.unit != unit):
            return None
        value = getattr(found, name)
        return float(value if place is None else value[place])

    def groups(self) -> tuple[GroupFacts, ...]:
        """Return the groups, each to be asked."""
        return tuple(GroupFacts(self.result, number) for number in range(self.n_groups or 0))


@dataclass(frozen=True)
class GroupFacts:
    """One group of a result, asked for single values.

    Parameters
    ----------
    result : Result
        With groups.
    number : int
    """

    result: Result
    number: int

    @property
    def _members(self) -> Any:
        assert self.result.groups is not None  # there are groups  # nosec B101
        return np.flatnonzero(self.result.groups.labels == self.number)

    @property
    def components(self) -> str:
        """Numbers of its components."""
        return " ".join(str(k) for k in self._members)

    @property
    def strength(self) -> float:
        """Share of all fitted counts."""
        return float(self.result.factors.strengths[self._members].sum())

    @property
    def crystalline(self) -> bool | None:
        """Whether its pattern has spots; None for a spectrum."""
        groups = self.result.groups
        assert groups is not None  # nosec B101
        return None if len(groups.pattern_axes) < 2 else bool(groups.crystalline[self.number])

    def phase(self, key: str) -> Any:
        """Return what the table of phases says of it."""
        return None if self.result.phases is None else self.result.phases.table()[self.number][key]

    @property
    def _particles(self) -> list[Any]:
        found = self.result.particles
        return [] if found is None else [one for one in found.table if one.group == self.number]

    @property
    def n_particles(self) -> int | None:
        """Number of its particles."""
        return None if self.result.particles is None else len(self._particles)

    @property
    def mean_diameter(self) -> float | None:
        """Mean diameter of its whole particles, in nm."""
        found = self.result.particles
        whole = [one.diameter for one in self._particles if not one.on_border]
        return float(np.mean(whole)) if found is not None and found.unit == "nm" and whole else None
