"""A result in which every field of every noun holds something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from unmixel.dataset.axes import Axis
from unmixel.dataset.calibration import Calibration, CalibrationFit, SpotResiduals
from unmixel.dataset.card import CardRow, DataCard
from unmixel.dataset.distortion import Distortion
from unmixel.dataset.orientations import Grain, Grains, Orientations, PhaseCell
from unmixel.dataset.phases import HaloRing, PhaseAnswer, PhaseMatch, Phases, PlaceMatch, RingMatch
from unmixel.dataset.positions import PositionMatches
from unmixel.dataset.result import Result
from unmixel.dataset.results import (
    Convergence,
    Factors,
    Groups,
    Leftovers,
    Particle,
    Particles,
    Residual,
    Uncertainty,
)

SCAN, PATTERN = (5, 7), (9, 6)
SCAN_AXES = (Axis("y", 5, 0.5, 1.0, "nm"), Axis("x", 7, 0.25, -1 / 3, "nm"))
PATTERN_AXES = (Axis("v", 9, 1 / 7, -0.25, "1/angstrom"), Axis("u", 6, 0.125, 0.1, "1/angstrom"))
PAGE = np.random.default_rng(11)
LATER = np.arange(12.0).reshape(4, 3) / 7


def some(*shape: int, dtype: Any = np.float64) -> Any:
    """Return numbers of a shape; floats hold a NaN where there is room for one.

    Golden files hold these very numbers: what is added later has `LATER` numbers of its own.
    """
    if dtype is bool:
        return PAGE.random(shape) > 0.5
    if np.dtype(dtype).kind == "i":
        return PAGE.integers(-1, 3, shape, dtype=dtype)
    values = PAGE.random(shape).astype(dtype)
    if values.size > 3:
        values.flat[1] = np.nan
    return values


def factors(k: int = 3) -> Factors:
    """Return factors of k components."""
    return Factors(
        maps=some(k, *SCAN, dtype=np.float32),
        patterns=some(k, *PATTERN, dtype=np.float32),
        scan_axes=SCAN_AXES,
        pattern_axes=PATTERN_AXES,
        used_pixels=some(*PATTERN, dtype=bool),
        fill="zero",
        strengths=some(k),
        convergence=Convergence((3.0, 2.0, 1 / 3), 0.1, 2, True, "the rule was met"),
        flags=(("camera artefact?", "edge"), (), ()),
        residual=Residual(some(*SCAN), some(*PATTERN), 1.25, 0.5),
        settings={"solver": "gradient", "constraints": [{"name": "sparse", "weight": 2.0}], "none": None},
        uncertainty=Uncertainty(
            some(k, *SCAN), some(k, *PATTERN), 1.5, "as written", stability=some(k), scatter=some(k)
        ),
        leftovers=Leftovers(
            some(*SCAN), some(*PATTERN), 1.5, 4.2, some(2, 2, dtype=np.int64), some(2), some(2), some(2, *SCAN),
            some(2, *PATTERN),
        ),
    )  # fmt: skip


def groups(k: int = 3, g: int = 2) -> Groups:
    """Return g groups of k components."""
    return Groups(
        labels=np.array([0, 0, 1]),
        distance=some(k, k),
        rotation_deg=some(k),
        linkage=some(k - 1, 4),
        cut=0.25,
        cut_reason="surrogates",
        patterns=some(g, *PATTERN),
        maps=some(g, *SCAN),
        center=(4.5, 1 / 3),
        crystalline=np.array([True, False]),
        scan_axes=SCAN_AXES,
        pattern_axes=PATTERN_AXES,
        method="rotation (α = 0.3)",
        mirrored=some(k, dtype=bool),
        distance_unturned=some(k, k),
        used_pixels=some(g, *PATTERN, dtype=bool),
        membership=some(k, g + 1),
        shifted_maps=some(g, *SCAN),
        shifts=some(k, 2),
    )


def particles(g: int = 2) -> Particles:
    """Return two particles."""
    return Particles(
        table=(
            Particle(1, 0, -1, 1.5, 2.5, 12.25, 3.9, True, 4.0, 1.25),
            Particle(2, 1, 1, 0.1, 2.5, 1.0, 1.1, True, 1.5, 1.5),
        ),
        labels=some(g, *SCAN, dtype=np.int32),
        unit="nm",
        number_density=0.01,
        area_fraction=0.2,
        mean_diameter=3.9,
        mean_interval=(float("nan"), 4.5),
        median_diameter=2.5,
        median_interval=(1.0, 2.0),
        notes=("smallest area 8 px",),
        volume_fraction=0.125,
    )


LENS = Distortion((0.01, -0.02), (0.03, 0.04), (-0.05, 0.06), 0.007, -0.008)
CELL = Calibration((4.25, 1 / 3), ((0.02, 0.001), (-0.002, 0.021)), LENS)


def phases() -> Phases:
    """Return answers by spots, by places, by rings and by a halo."""
    match = PhaseMatch(
        "MgO", 0.9, 0.8, 0.7, (0, 0, 1), 12.5, (0.25, -0.5), 1.01, 0.003, some(4, 2), some(4),
        some(4, 3, dtype=np.intp), some(4, dtype=bool), some(4, dtype=np.intp),
    )  # fmt: skip
    ring = RingMatch(
        "Cu", 0.5, 3.25, 0.75, 0.99, 0.004, some(3), some(3, 3, dtype=np.intp), some(4, dtype=np.intp)
    )
    place = PlaceMatch(
        "Al", 0.75, 12.5, 0.95, LATER[:3], 0.99, 0.004, LATER[:, :2], LATER[:, 0], np.eye(4, 3, dtype=np.intp),
        np.array([1, -1, 0, 2]),
    )  # fmt: skip
    halo = (HaloRing(0.4, 0.01, 0.1, 0.02, 3.5), HaloRing(0.7, 0.02, 0.15, 0.03, 1.5))
    first = PhaseAnswer(
        "MgO", "all spots fit", "spots", (match, match), (ring,), some(5, 2), some(5), halo, (place,)
    )
    last = PhaseAnswer(
        "amorphous", "a halo", "halo", (match,), (ring, ring), some(2, 2), some(2), halo[:1], (place,) * 2
    )
    return Phases((first, last), ("MgO", "Cu"), CELL, ("one scale", "few spots"))


def calibration(n: int = 4) -> CalibrationFit:
    """Return a calibration from n spots, one number of which is not determined."""
    covariance = np.diag([0.01, 0.02, np.inf, 0.001, 0.002, 0.003, 0.004])
    spots = SpotResiduals(
        some(n, dtype=np.intp), some(n, 2), some(n), some(n), some(n), some(n, 3, dtype=np.intp), some(n),
        some(n, dtype=bool), some(n, dtype=bool),
    )  # fmt: skip
    return CalibrationFit(
        CELL, covariance, "Al", spots, 3.5, 2, 0.05, 0.9, 0.1, True, "well determined", (0, 1), 0.25
    )


def whole() -> Result:
    """Return a result with one of everything, the same every time."""
    PAGE.bit_generator.state = np.random.default_rng(11).bit_generator.state
    cells = (
        PhaseCell("MgO", (4.2, 4.2, 4.2), (90.0, 90.0, 90.0), "F m -3 m", "m-3m"),
        PhaseCell("Cu", (3.6, 3.6, 3.6), (90.0, 90.0, 90.0), "F m -3 m", "m-3m"),
    )
    orientations = Orientations(
        some(*SCAN, dtype=np.intp), some(*SCAN, 3, 3), some(*SCAN), SCAN_AXES, cells, some(*SCAN, 3, dtype=np.intp)
    )  # fmt: skip
    grains = Grains(
        some(*SCAN), some(*SCAN), some(*SCAN, dtype=bool), some(*SCAN, dtype=bool), some(*SCAN, dtype=np.intp),
        (Grain(1, 1, 7, 1.75, some(3, 3), 0.5), Grain(2, 1, 3, 0.75, some(3, 3), 0.25)), 5.0, "nm",
    )  # fmt: skip
    positions = PositionMatches(
        group=some(*SCAN, dtype=np.intp),
        best=some(*SCAN, dtype=np.intp),
        rotation_deg=some(*SCAN),
        similarity=some(*SCAN),
        runner_up=some(*SCAN),
        p_value=some(*SCAN),
        chance=some(*SCAN),
        agreement=some(*SCAN),
        unrelated=some(2),
        mirrored=some(*SCAN, dtype=bool),
        electrons=some(*SCAN),
        significance=0.01,
        symmetry_deg=some(2),
        scan_axes=SCAN_AXES,
        method="as written",
    )
    step = {
        "name": "center",
        "parameters": {"method": "mass"},
        "effect": "moved by 0.5 px",
        "values": {"center_v_px": 4.5, "unknown": None},
    }
    return Result(
        factors(),
        groups(),
        particles(),
        phases(),
        orientations,
        grains,
        positions,
        calibration=calibration(),
        card=DataCard("x.zspy", (CardRow("shape", "5 x 7", "green", "said by the file"),), {"n": 3}),
        recipe={"version": 1, "prepare": [{"center": {}}]},
        record={"status": "finished", "steps": [step], "notes": ["ångström"]},
        extras={"mean_pattern": some(*PATTERN), "mean_map": some(*SCAN, dtype=np.float32)},
    )


def of_layout_1() -> Result:
    """Return the same without what layout 1 could not hold."""
    result = whole()
    assert result.phases is not None
    told = replace(
        result.phases,
        answers=tuple(replace(answer, places=()) for answer in result.phases.answers),
        calibration=replace(CELL, distortion=Distortion()),
    )
    return replace(result, calibration=None, phases=told)
