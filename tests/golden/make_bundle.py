"""Makes bundle-v1.nxs, the result bundle of schema 1 that every later version must read.

Run once when schema 1 was fixed; a newer schema gets a file and a script of its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unmixel.dataset.axes import Axis
from unmixel.dataset.card import CardRow, DataCard
from unmixel.dataset.result import Result
from unmixel.dataset.results import Convergence, Factors, Groups, Particle, Particles, Residual
from unmixel.io.store import SCHEMA, write_bundle


def golden() -> Result:
    """Return a small result with one of everything."""
    scan_axes = (Axis("y", 3, 0.5, 1.0, "nm"), Axis("x", 4, 0.25, 0.0, "nm"))
    pattern_axes = (Axis("v", 5, 0.125, -0.25, "1/angstrom"), Axis("u", 2, 0.125, 0.0, "1/angstrom"))
    maps = (np.arange(24, dtype=np.float32) / 8).reshape(2, 3, 4)
    patterns = (np.arange(20, dtype=np.float32) / 64).reshape(2, 5, 2)
    factors = Factors(
        maps=maps,
        patterns=patterns,
        scan_axes=scan_axes,
        pattern_axes=pattern_axes,
        used_pixels=np.arange(10).reshape(5, 2) > 0,
        fill="zero",
        strengths=np.array([0.75, 0.25]),
        convergence=Convergence((4.0, 2.0, 1.5), 0.25, 2, True, "the rule was met"),
        flags=(("edge artefact?",), ()),
        residual=Residual(np.ones((3, 4)), np.ones((5, 2)), 1.5, 0.5),
        settings={"n_components": 2},
    )
    groups = Groups(
        labels=np.array([0, 0]),
        distance=np.array([[0.0, 0.125], [0.125, 0.0]]),
        rotation_deg=np.array([0.0, 30.0]),
        linkage=np.array([[0.0, 1.0, 0.125, 2.0]]),
        cut=0.25,
        cut_reason="as written",
        patterns=patterns[:1],
        maps=maps.sum(axis=0, keepdims=True),
        center=(2.0, 0.5),
        crystalline=np.array([True]),
        scan_axes=scan_axes,
        pattern_axes=pattern_axes,
        method="rotation",
    )
    labels = np.zeros((1, 3, 4), np.int32)
    labels[0, 1, 1:3] = 1
    particles = Particles(
        table=(Particle(1, 0, -1, 1.5, 0.5, 0.375, 0.75, False),),
        labels=labels,
        unit="nm",
        number_density=0.5,
        area_fraction=0.25,
        mean_diameter=0.75,
        mean_interval=(0.5, 1.0),
        median_diameter=0.75,
        median_interval=(0.5, 1.0),
        notes=("as written",),
    )
    card = DataCard("golden", (CardRow("shape", "3 x 4 | 5 x 2", "green", "as written"),), {"n": 12})
    record = {"status": "finished", "steps": []}
    return Result(factors, groups, particles, card, {"version": 1}, record, {"beam": np.eye(3)})


if __name__ == "__main__":
    target = Path(__file__).with_name(f"bundle-v{SCHEMA}.nxs")
    if target.exists():
        raise SystemExit(f"{target.name} is there; a golden file is never written again")
    write_bundle(target, golden())
