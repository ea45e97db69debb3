"""Everything one run found, as one noun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.calibration import CalibrationFit
from unmixel.dataset.card import DataCard
from unmixel.dataset.orientations import Grains, Orientations
from unmixel.dataset.phases import Phases
from unmixel.dataset.positions import PositionMatches
from unmixel.dataset.results import Factors, Groups, Particles
from unmixel.dataset.scan import EMPTY


@dataclass(frozen=True, eq=False)
class Result:
    """What a run found and how.

    Parameters
    ----------
    factors : Factors
    groups : Groups or None
        None where the run stopped before grouping.
    particles : Particles or None
    phases : Phases or None
        None where no candidates were given.
    orientations : Orientations or None
        Of the scan; None where no crystal has a name.
    grains : Grains or None
        Of a scan with two axes.
    positions : PositionMatches or None
        What each position shows on its own; None where the recipe does not ask for it.
    calibration : CalibrationFit or None
        Of the detector, from patterns of a known phase; None where the axes are as the file says.
    card : DataCard or None
        Card of the scan as it was read, before any step.
    recipe : mapping
        The resolved recipe, JSON-safe: it reproduces the run.
    record : mapping
        Provenance, JSON-safe: ``versions``, ``input`` (path, hash, format, scan_shape_from), ``seed``, ``steps``
        (list of StepRecord as dict), ``timings_s``, ``command``, ``started``, ``finished``, ``status``.
    extras : mapping of str to ndarray
        Images kept for the report: ``mean_pattern``, ``beam`` (kernel of SpotShape), ``mean_map``, ...
    folder : Path or None
        Run folder it was written to or read from.
    """

    factors: Factors
    groups: Groups | None = None
    particles: Particles | None = None
    phases: Phases | None = None
    orientations: Orientations | None = None
    grains: Grains | None = None
    positions: PositionMatches | None = None
    calibration: CalibrationFit | None = None
    card: DataCard | None = None
    recipe: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    record: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    extras: Mapping[str, NDArray[Any]] = field(default_factory=lambda: EMPTY)
    folder: Path | None = None

    @property
    def maps(self) -> NDArray[np.floating[Any]]:
        """Maps, shape (k, *scan_shape), in counts."""
        return self.factors.maps

    @property
    def patterns(self) -> NDArray[np.floating[Any]]:
        """Patterns, shape (k, *pattern_shape), summing to 1 over used pixels."""
        return self.factors.patterns
