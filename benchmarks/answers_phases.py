"""Are phases named right? Simulated patterns of six structures along random directions, and a structure left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.phases import PhaseAnswer
from unmixel.interpret.phases import identify
from unmixel.physics.crystal import Crystal
from unmixel.testing.crystals import View, groups_of, zirconium_alloys

ELECTRONS, SCALE, TILT = 40_000.0, 0.02, 1.5
"""Electrons of a pattern; how far off its scale may be; standard deviation of tilts about each axis, in degrees."""

FEWEST = 6
"""Spots that must be seen for a pattern to count, as the target says."""


@dataclass(frozen=True, eq=False)
class Case:
    """One pattern, and what it is."""

    crystal: Crystal
    axis: tuple[int, int, int]
    pattern: NDArray[np.float64]


def cases(seed: int, n: int, dynamical: float) -> Iterator[Case]:
    """Yield patterns of random structures along random directions (indices up to 3) with six visible spots or more."""
    rng = np.random.default_rng(seed)
    crystals = zirconium_alloys()
    for _ in range(n):
        crystal = crystals[rng.integers(len(crystals))]
        tilt = np.clip(rng.normal(0.0, TILT, 2), -3.0, 3.0)
        view = View(
            rotation_deg=rng.uniform(-180, 180),
            tilt_deg=(float(tilt[0]), float(tilt[1])),
            scale=1 + rng.uniform(-SCALE, SCALE),
            electrons=ELECTRONS,
            dynamical=dynamical,
            seed=int(rng.integers(2**31)),
        )
        axes = crystal.zone_axes(3)
        while True:
            axis = axes[rng.integers(len(axes))]
            spots = View().spots(crystal, axis)
            if np.sum((spots.intensity > 0.02) & (np.linalg.norm(spots.g, axis=1) < 1.1)) >= FEWEST:
                break
        yield Case(crystal, axis, view.pattern(crystal, axis))


def leading(answer: PhaseAnswer) -> str:
    """Return the candidate that comes first, whether it is good enough or not."""
    matches = answer.matches or answer.rings
    return matches[0].phase if matches else ""


def phases(seed: int, n: int, dynamical: float) -> dict[str, float]:
    """Return shares of patterns with at least six spots found: right phase first, named right, named wrong, and
    "unknown" where the right structure is not among the candidates."""
    crystals = zirconium_alloys()
    first, right, wrong, unknown, drawn = [], [], [], [], 0
    for case in cases(seed, n, dynamical):
        drawn += 1
        groups, name = groups_of([case.pattern]), case.crystal.name
        answer = identify(groups, crystals).answers[0]
        if answer.n_spots < FEWEST:
            continue
        first.append(leading(answer) == name)
        right.append(answer.phase == name)
        wrong.append(answer.phase not in (name, "unknown"))
        others = [crystal for crystal in crystals if crystal.name != name]
        unknown.append(identify(groups, others).answers[0].phase == "unknown")
    columns = {"first": first, "right": right, "wrong": wrong, "absent_unknown": unknown}
    return {key: float(np.mean(values)) for key, values in columns.items()} | {
        "patterns": float(len(first)),
        "drawn": float(drawn),
    }
