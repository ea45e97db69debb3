"""Results made from nouns alone, with everything a result can hold or with the least: for suites of laws."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis
from unmixel.dataset.card import CardRow, DataCard
from unmixel.dataset.orientations import Grain, Grains, Orientations, PhaseCell
from unmixel.dataset.phases import BY_SPOTS, HaloRing, PhaseAnswer, PhaseMatch, Phases
from unmixel.dataset.result import Result
from unmixel.dataset.results import Convergence, Factors, Groups, Particle, Particles, Residual
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.schema import RECORD_SCHEMA
from unmixel.pipeline.written import plain

_COPPER = PhaseCell("Cu", (3.615,) * 3, (90.0,) * 3, "F m -3 m", "m-3m")


def example_result(
    *,
    scan: tuple[int, ...] = (9, 7),
    pattern: tuple[int, ...] = (11, 10),
    whole: bool = True,
    calibrated: bool = True,
    path: str = "scan.zspy",
) -> Result:
    """Return a result of three components: random numbers, the shapes and words of a run.

    Parameters
    ----------
    scan, pattern : tuple of int
        Shapes; patterns of one axis are spectra.
    whole : bool
        With groups and, for scans of two axes and patterns of two axes, particles, phases and orientations; factors
        alone otherwise.
    calibrated : bool
        Axes in nm and 1/angstrom (or eV); in px otherwise.
    path : str
        Of the input, in the record and in its command.

    Examples
    --------
    >>> example_result().maps.shape, example_result(whole=False).groups is None
    ((3, 9, 7), True)
    """
    factors = _factors(scan, pattern, calibrated=calibrated)
    images = len(scan) == 2 and len(pattern) == 2
    fields: dict[str, Any] = {}
    if whole:
        groups = _groups(factors)
        fields["groups"] = groups
        if images:
            fields |= {"particles": _particles(factors), "phases": _phases(), **_orientations(factors)}
    return Result(
        factors,
        card=DataCard("scan.zspy", (CardRow("format", "HyperSpy zspy"),)),
        recipe=plain(Recipe.from_dict({"prepare": [{"mask_beam": {"radius": 2.0}}]})),
        record=_record(path, factors),
        extras={"mean_pattern": np.tensordot(factors.strengths, factors.patterns, 1)},
        **fields,
    )


def _axes(shape: tuple[int, ...], names: tuple[str, ...], scale: float, unit: str) -> tuple[Axis, ...]:
    return tuple(
        Axis(name, size, scale if unit != "px" else 1.0, -1.5 if unit == "1/angstrom" else 0.0, unit)
        for name, size in zip(names, shape, strict=True)
    )


def _factors(scan: tuple[int, ...], pattern: tuple[int, ...], *, calibrated: bool) -> Factors:
    rng = np.random.default_rng(3)
    patterns = rng.gamma(0.5, size=(3, *pattern)).astype(np.float32)
    used = np.ones(pattern, bool)
    used.flat[0] = False
    patterns *= used
    patterns /= patterns.reshape(3, -1).sum(1).reshape(3, *(1,) * len(pattern))
    maps = rng.gamma(1.0, 100.0, size=(3, *scan)).astype(np.float32)
    strengths = maps.reshape(3, -1).sum(1) / maps.sum()
    order = np.argsort(-strengths)
    unit = ("1/angstrom", 0.25) if len(pattern) == 2 else ("eV", 10.0)
    return Factors(
        maps=maps[order],
        patterns=patterns[order],
        scan_axes=_axes(scan, ("t", "y", "x")[-len(scan) :], 1.5, "nm" if calibrated else "px"),
        pattern_axes=_axes(
            pattern,
            ("v", "u") if len(pattern) == 2 else ("energy",),
            unit[1],
            unit[0] if calibrated else "px",
        ),
        used_pixels=used,
        fill="zero",
        strengths=strengths[order],
        convergence=Convergence((3.0, 2.0, 1.5), 0.1, 2, True, "the objective fell by less than 1e-5"),
        flags=((), ("camera artefact?",), ()),
        residual=Residual(np.ones(scan), np.ones(pattern) * used, 1.0, 0.01),
        settings={
            "n_components": 3,
            "solver": {"name": "gradient"},
            "loss": {"name": "frobenius"},
            "seed": 1,
        },
    )


def _groups(factors: Factors) -> Groups:
    labels = np.array([0, 1, 0])
    return Groups(
        labels=labels,
        distance=np.array([[0.0, 0.6, 0.1], [0.6, 0.0, 0.6], [0.1, 0.6, 0.0]]),
        rotation_deg=np.array([0.0, 0.0, 31.5]),
        linkage=np.array([[0.0, 2.0, 0.1, 2.0], [1.0, 3.0, 0.6, 3.0]]),
        cut=0.25,
        cut_reason="the default",
        patterns=factors.patterns[:2].copy(),
        maps=np.stack([factors.maps[[0, 2]].sum(0), factors.maps[1]]),
        center=(5.0, 4.5) if len(factors.pattern_axes) == 2 else (),
        crystalline=np.array([True, False]),
        scan_axes=factors.scan_axes,
        pattern_axes=factors.pattern_axes,
        method="rotation",
    )


def _particles(factors: Factors) -> Particles:
    """Return two particles of the first group: one whole, one that the border cuts."""
    y, x = factors.scan_axes
    labels = np.zeros((2, y.size, x.size), np.int64)
    labels[0, 2:5, 2:5], labels[0, -2:, -3:] = 1, 2
    step = abs(x.scale)
    whole = Particle(1, 0, 0, 3 * step, 3 * step, 9 * step**2, 3.1 * step, False, 3.2 * step, 1.0)
    cut = Particle(2, 0, 2, (y.size - 1.5) * step, (x.size - 2) * step, 6 * step**2, 2.6 * step, True)
    return Particles(
        table=(whole, cut),
        labels=labels,
        unit=x.unit,
        number_density=1.5 / (y.size * x.size * step**2),
        area_fraction=15 / (y.size * x.size),
        mean_diameter=whole.diameter,
        mean_interval=(whole.diameter, whole.diameter),
        median_diameter=whole.diameter,
        median_interval=(whole.diameter, whole.diameter),
        notes=("body: disk, as given",),
    )


def _phases() -> Phases:
    g = np.array([[0.5, 0.0], [0.0, 0.5]])
    match = PhaseMatch(
        "Cu", 0.95, 0.9, 0.9, (0, 0, 1), 12.0, (0.0, 0.0), 1.0, 0.004, g, np.ones(2),
        np.array([[2, 0, 0], [0, 2, 0]]), np.zeros(2, bool), np.array([0, 1]),
    )  # fmt: skip
    crystal = PhaseAnswer("Cu", "all spots are where they should be", BY_SPOTS, (match,), (), g, np.ones(2))
    glass = PhaseAnswer("amorphous", "rings only", "halo", halo=(HaloRing(0.4, 0.001, 0.05, 0.002, 1.0),))
    return Phases((crystal, glass), ("Cu",), notes=("Kinematic intensities.",))


def _orientations(factors: Factors) -> dict[str, Any]:
    shape = factors.maps.shape[1:]
    phase: NDArray[np.intp] = np.full(shape, -1)
    phase[2:5, 2:5] = 0
    matrices = np.where((phase == 0)[..., None, None], np.eye(3), np.nan)
    zone: NDArray[np.intp] = np.zeros((*shape, 3), np.intp)
    zone[phase == 0] = (0, 0, 1)
    step = abs(factors.scan_axes[0].scale)
    nowhere, none = np.full(shape, np.nan), np.zeros(shape, bool)
    return {
        "orientations": Orientations(
            phase, matrices, np.where(phase == 0, 0.8, 0.0), factors.scan_axes, (_COPPER,), zone
        ),
        "grains": Grains(
            nowhere, nowhere, none, none, phase + 1, (Grain(1, 0, 9, 9 * step**2, np.eye(3), 0.0),), 5.0,
            factors.scan_axes[0].unit,
        ),
    }  # fmt: skip


def _record(path: str, factors: Factors) -> dict[str, Any]:
    shape = [*factors.maps.shape[1:], *factors.patterns.shape[1:]]
    return {
        "schema": RECORD_SCHEMA,
        "status": "finished",
        "stage": "report",
        "started": "2026-11-22T10:00:00+00:00",
        "finished": "2026-11-22T10:00:47+00:00",
        "command": f"unmixel run {path} --components 3",
        "input": {
            "path": path, "format": "HyperSpy zspy", "reader": "rosetta 0.15", "scan_shape_from": "the file's axes",
            "notes": [], "sha256": "0123456789abcdef" * 4, "covers": "the whole file", "bytes": 1234,
            "shape": shape, "dtype": "uint16", "n_bytes": 2 * int(np.prod(shape)),
        },
        "code": {"unmixel": {"version": "0.1.0", "sha256": "1" * 64, "files": 300}, "plugins": {}},
        "identity": {"recipe_sha256": "0" * 64, "input_sha256": "0123456789abcdef" * 4},
        "versions": {"python": "3.11.2", "platform": "Linux x86_64", "unmixel": "0.1.0", "numpy": "2.4.0"},
        "seed": 1,
        "recipe_from": "the shipped recipe",
        "steps": [{"name": "mask_beam", "parameters": {"radius": 2.0}, "effect": "12 pixels left out.", "values": {}}],
        "timings_s": {"read": 0.1, "factorize": 1.0},
        "notes": ["The recipe 'diffraction' suits patterns of two axes."],
    }  # fmt: skip
