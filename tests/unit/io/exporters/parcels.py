"""Parcels made from nouns alone: patterns and spectra, calibrated and not, measured and simulated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import average
from scipy.spatial.distance import squareform

from unmixel.dataset.about import About
from unmixel.dataset.axes import Axis
from unmixel.dataset.bibliography import papers
from unmixel.dataset.card import DataCard
from unmixel.dataset.orientations import Orientations, PhaseCell
from unmixel.dataset.phases import PhaseAnswer, Phases
from unmixel.dataset.result import Result
from unmixel.dataset.results import Convergence, Factors, Groups, Particle, Particles, Residual, Uncertainty
from unmixel.io.exporters.contract import Parcel

ABOUT = About.from_dict(
    {
        "title": "Glass with crystals",
        "licence": "CC-BY-4.0",
        "authors": [{"name": "Ada Example", "orcid": "0000-0002-1825-0097", "affiliation": "An Institute"}],
        "measured": "2024-05-02T09:30:00+09:00",
        "sample": {"name": "G7", "elements": ["Zr", "Cu", "Al"], "prepared": "2024-05-01T14:00:00+09:00"},
    }
)
INSTRUMENT = {
    "voltage_kV": 300.0, "camera_length_mm": 210.0, "convergence_mrad": 0.7, "dwell_s": 0.001, "current_pA": 12.5,
    "microscope": "A microscope", "detector": "A camera",
}  # fmt: skip
RECORD = {
    "status": "finished",
    "started": "2026-03-01T10:00:00+00:00",
    "finished": "2026-03-01T10:02:00+00:00",
    "versions": {"python": "3.11.7", "platform": "Linux x86_64", "unmixel": "0.1.0", "numpy": "2.4.6"},
    "input": {
        "path": "/home/someone/data/scan.mib", "format": "Merlin", "sha256": "7f" * 32, "covers": "the whole file",
        "bytes": 1234,
    },
    "steps": [],
}  # fmt: skip
SIMULATED = {**RECORD, "input": {"path": "demo:glass?scan=7x6", "format": "phantom", "sha256": "7f" * 32}}


def axes_of(shape: tuple[int, ...], names: str, step: float, unit: str) -> tuple[Axis, ...]:
    return tuple(
        Axis(name, size, scale=step, offset=-step * 2, unit=unit)
        for name, size in zip(names.split(), shape, strict=True)
    )


def make_result(
    *,
    scan: tuple[int, ...] = (7, 6),
    pattern: tuple[int, ...] = (9, 8),
    units: tuple[str, str] = ("nm", "1/angstrom"),
    record: dict = RECORD,
    grouped: bool = True,
) -> Result:
    rng = np.random.default_rng(3)
    scan_axes = axes_of(scan, "y x" if len(scan) == 2 else "x" * len(scan), 1.5, units[0])
    pattern_axes = axes_of(pattern, "v u" if len(pattern) == 2 else "energy", 0.25, units[1])
    maps, patterns = (rng.gamma(1.0, size=(3, *shape)).astype(np.float32) for shape in (scan, pattern))
    used = rng.random(pattern) > 0.1
    factors = Factors(
        maps=maps,
        patterns=patterns,
        scan_axes=scan_axes,
        pattern_axes=pattern_axes,
        used_pixels=used,
        fill="zero",
        strengths=np.array([0.5, 0.3, 0.2]),
        convergence=Convergence((3.0, 2.0, 1.5), 0.25, 2, True, "the objective stood still"),
        flags=(("camera artefact?",), (), ()),
        residual=Residual(rng.random(scan), rng.random(pattern), 1.1, 0.1),
        settings={"solver": {"name": "hals"}, "max_iter": 20, "noise": float("nan"), "spread": None},
        uncertainty=Uncertainty(rng.random(maps.shape), rng.random(patterns.shape), 1.0, "halves"),
    )
    extras = {"mean_map": rng.random(scan), "mean_pattern": rng.random(pattern), "beam": np.ones((3, 3))}
    card = DataCard("scan.mib", (), {"instrument": {**INSTRUMENT, "current_pA": None}})
    result = Result(factors, card=card, recipe={"factorize": {"components": 3}}, record=record, extras=extras)
    return replace(result, groups=_groups(factors)) if grouped else result


def _groups(factors: Factors) -> Groups:
    distance = np.array([[0, 0.1, 0.8], [0.1, 0, 0.7], [0.8, 0.7, 0]])
    labels = np.array([0, 0, 1])
    return Groups(
        labels=labels,
        distance=distance,
        rotation_deg=np.array([0.0, 30.5, 0.0]),
        linkage=average(squareform(distance)),
        cut=0.25,
        cut_reason="as asked",
        patterns=factors.patterns[[0, 2]],
        maps=np.stack([factors.maps[:2].sum(0), factors.maps[2]]),
        center=(4.0, 3.5)[: len(factors.pattern_axes)] if len(factors.pattern_axes) == 2 else (),
        crystalline=np.array([True, False]),
        scan_axes=factors.scan_axes,
        pattern_axes=factors.pattern_axes,
        method="rotation",
    )


def with_particles(result: Result) -> Result:
    shape = result.maps.shape[1:]
    labels = np.zeros((2, *shape), np.int32)
    labels[0, 1:3, 1:3] = 1
    found = Particles(
        (Particle(1, 0, 0, 1.5, 1.5, 9.0, 3.385, False),), labels, "nm", 0.01, 0.1, 3.385, (3.0, 3.7),
        3.385, (float("nan"), float("nan")), ("Smallest area: 5 nm^2",),
    )  # fmt: skip
    return replace(result, particles=found)


def with_orientations(result: Result) -> Result:
    shape = result.maps.shape[1:]
    cell = PhaseCell("CuZr", (3.26, 3.26, 3.26), (90.0, 90.0, 90.0), "P m -3 m", "m-3m")
    found = Orientations(
        phase=np.zeros(shape, np.intp),
        matrices=np.broadcast_to(np.eye(3), (*shape, 3, 3)).copy(),
        confidence=np.full(shape, 0.5),
        axes=result.factors.scan_axes,
        phases=(cell,),
        zone_axis=np.zeros((*shape, 3), np.intp),
    )
    return replace(result, orientations=found)


def with_phases(result: Result) -> Result:
    answers = (PhaseAnswer("amorphous", "one ring", "halo"), PhaseAnswer("unknown", "too few spots"))
    return replace(result, phases=Phases(answers, ("CuZr", "Zr"), notes=("Both were tried",)))


def parcel_of(result: Result, folder: Path, about: About = ABOUT) -> Parcel:
    """Return a parcel whose folder holds a few small files."""
    folder.mkdir(exist_ok=True)
    for name in ("recipe.yaml", "record.json", "components.csv", "result.nxs", "methods.md"):
        (folder / name).write_text(f"{name}\n", encoding="utf-8")
    return Parcel(result, "glass", lambda: folder, about, papers("lee1999", "lee2001", "kimoto2025"))


CASES = {
    "patterns": make_result(),
    "everything": with_orientations(with_phases(with_particles(make_result()))),
    "not calibrated": make_result(units=("px", "px")),
    "EELS": make_result(pattern=(40,), units=("nm", "eV")),
    "EDX of a line": make_result(scan=(11,), pattern=(40,), units=("nm", "eV")),
    "one pattern": make_result(scan=()),
    "simulated": make_result(record=SIMULATED),
    "without groups": make_result(grouped=False),
    "same shape": make_result(scan=(8, 8), pattern=(8, 8)),
    "bare": replace(make_result(grouped=False, record={}), card=None, recipe={}, extras={}),
}
