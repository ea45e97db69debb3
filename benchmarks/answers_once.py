"""One measurement of the answers, in a process of its own; prints its record as JSON.

python benchmarks/answers_once.py patterns|components TILT SEED | sizes DIAMETER SEED | pairs 200x256 RUN | grains
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from answers_cases import GRAINS, sized, tilted
from inputs import ROOT
from numpy.typing import NDArray

if TYPE_CHECKING:
    from unmixel.dataset.results import Factors, Groups
    from unmixel.dataset.truth import Truth

Array = NDArray[Any]
GLASS = ROOT / "examples" / "glass.yaml"
PATTERNS = 60  # of each seed whose phases are named
NEAR = 0.5  # a particle lies within so many true radii of a true one, or it does not exist


def finished(address: str, name: str, keep: Path | None) -> Factors:
    """Return the flagged factors of a whole run with the recipe for a glass; a kept run is read, not made again."""
    import unmixel
    from unmixel.pipeline.answers import flag

    with tempfile.TemporaryDirectory(prefix="unmixel-answers-") as scratch:
        folder = (keep or Path(scratch)) / name
        kept = (folder / "report.html").exists()
        result = unmixel.load(folder) if kept else unmixel.run(address, GLASS, out=folder, force=True)
        if result.record["input"]["path"] != address:
            raise SystemExit(f"{folder} holds a run of {result.record['input']['path']}, not of {address}")
        return flag(result.factors)


def as_found(truth: Truth) -> Factors:
    """Return the true maps and patterns as if they had been found: direct beam left out and masked."""
    from unmixel.dataset.results import Convergence, Factors

    maps, patterns = truth.maps[1:], truth.patterns[1:]
    return Factors(
        maps=maps,
        patterns=patterns,
        scan_axes=truth.scan_axes,
        pattern_axes=truth.pattern_axes,
        used_pixels=~truth.beam_pixels,
        fill="model",
        strengths=maps.sum(axis=(1, 2)) / maps.sum(),
        convergence=Convergence((), 0.0, 1, True, "given"),
        flags=((),) * len(maps),
    )


def rotation_errors(
    groups: Groups, strengths: Array, pairs: Sequence[tuple[int, int]], truth: Truth
) -> Array:
    """Return by how many degrees the rotation of each component is off, against its group's strongest one.

    Parameters
    ----------
    groups : Groups
    strengths : ndarray, shape (k,)
        Of the components.
    pairs : sequence of (int, int)
        Component and true crystal; only members of their strongest member's phase count.
    truth : Truth
    """
    from unmixel.interpret.tree import strongest

    heads = strongest(np.asarray(groups.labels), strengths)
    crystal = dict(pairs)
    errors = []
    for component, number in pairs:
        head = int(heads[groups.labels[component]])
        if head == component or truth.phases[crystal.get(head, 0)] != truth.phases[number]:
            continue
        period = truth.symmetry_deg[number]
        turn = truth.rotation_deg[number] - truth.rotation_deg[crystal[head]]
        errors.append(abs((groups.rotation_deg[component] - turn + period / 2) % period - period / 2))
    return np.array(errors)


def judge_groups(factors: Factors, pairs: Sequence[tuple[int, int]], truth: Truth) -> dict[str, Any]:
    """Return how groups of components agree with the phases of the crystals that they stand for."""
    from unmixel.interpret.cluster import RotationClusterer
    from unmixel.testing.metrics import grouping

    groups = RotationClusterer().group(factors, seed=0)
    labels = [int(groups.labels[component]) for component, _ in pairs]
    phases = [truth.phases[number] for _, number in pairs]
    errors = rotation_errors(groups, np.asarray(factors.strengths), pairs, truth)
    together = {
        phase: {label for label, one in zip(labels, phases, strict=True) if one == phase} for phase in phases
    }
    mixed = [
        (int(a), int(b))
        for i, (a, _) in enumerate(pairs)
        for j, (b, _) in enumerate(pairs[:i])
        if (labels[i] == labels[j]) != (phases[i] == phases[j])
    ]
    return {
        "found": len(pairs),
        "rand": grouping(labels, phases) if len(set(phases)) > 1 else None,
        "rotation": float(np.median(errors)) if len(errors) else None,
        "rotation_90": float(np.quantile(errors, 0.9)) if len(errors) else None,
        "split": sum(len(found) > 1 for found in together.values()),
        "groups": len(set(labels)),
        "cut": groups.cut,
        "wrong_pairs": mixed,
    }


def patterns(tilt: str, seed: str, keep: Path | None) -> dict[str, Any]:
    """Return the judgement of groups of the true patterns."""
    from unmixel.testing.phantoms import truth_of

    truth = truth_of(tilted(tilt, seed))
    pairs = [(int(number) - 1, int(number)) for number in truth.crystals]
    return judge_groups(as_found(truth), pairs, truth)


def components(tilt: str, seed: str, keep: Path | None) -> dict[str, Any]:
    """Return the judgement of groups of what a whole run found: components that stand for a true crystal."""
    from unmixel.testing import metrics
    from unmixel.testing.phantoms import truth_of

    address = tilted(tilt, seed)
    truth, factors = truth_of(address), finished(address, f"tilt-{tilt}-{seed}", keep)
    used = ~truth.beam_pixels & np.asarray(factors.used_pixels, bool)
    matched = metrics.match(factors.maps, factors.patterns, truth.maps, truth.patterns, used_pixels=used)
    good = np.minimum(matched.pattern_cosine, matched.map_pearson) >= metrics.FOUND_AT
    pairs = [(int(matched.component[number]), int(number)) for number in truth.crystals if good[number]]
    return judge_groups(factors, pairs, truth)


def sizes(diameter: str, seed: str, keep: Path | None) -> dict[str, Any]:
    """Return how the sizes that a whole run reports agree with the true ones.

    Judged is the mean of the particles that are in the scan; `glass` draws them so that it is the population's too.
    """
    from unmixel.pipeline.answers import interpret
    from unmixel.pipeline.resolve import Request
    from unmixel.testing.metrics import size_error
    from unmixel.testing.phantoms import phantom

    address = sized(diameter, seed)
    factors = finished(address, f"size-{diameter}-{seed}", keep)
    scan, truth = phantom(address)
    recipe, _ = Request.of(GLASS, ()).recipe_for(scan)
    _, found = interpret(factors, recipe, lambda text: None)
    assert found is not None  # the recipe measures
    true, centers = truth.diameters[truth.crystals], truth.centers[truth.crystals]
    fitted = np.array([p.fit_diameter for p in found.table if not p.on_border])
    nearest = [float(np.min(np.hypot(*(centers - (p.y, p.x)).T) / (NEAR * true))) for p in found.table]
    low, high = found.mean_interval
    return {
        "mean": found.mean_diameter,
        "true": float(true.mean()),
        "off": 100 * (found.mean_diameter / float(true.mean()) - 1),
        "fit_off": 100 * (float(np.nanmean(fitted)) / float(true.mean()) - 1),
        "low": low,
        "high": high,
        "covered": int(low <= true.mean() <= high),
        "wasserstein": size_error(found.diameters, true).wasserstein,
        "particles": len(found.table),
        "false": sum(distance > 1 for distance in nearest),
        "body": next((note for note in found.notes if note.startswith("body")), ""),
    }


def pairs(size: str, number: str, keep: Path | None) -> dict[str, Any]:
    """Return the seconds from patterns to the similarities of all pairs, and what each part takes."""
    from unmixel.interpret.contrast import azimuthal_contrast
    from unmixel.interpret.correlate import all_pairs, spectra
    from unmixel.interpret.drawing import drawn, places_of
    from unmixel.interpret.polar import polar_grid
    from unmixel.testing.phantoms import truth_of

    k, side = (int(part) for part in size.split("x"))
    spot = max(1.0, 2.2 * side / 64)
    keys = f"scan=4x4&detector={side}x{side}&precipitates={k}&spot={spot:g}&diameter=1&seed=1"
    truth = truth_of(f"demo:glass?{keys}")
    some, used, center = truth.patterns[2:], ~truth.beam_pixels, truth.beam_center
    marks, cpu = [time.perf_counter()], time.process_time()

    def lap(value: Any) -> Any:
        marks.append(time.perf_counter())
        return value

    grid = polar_grid(truth.pattern_axes, used, center=(center[0], center[1]))
    lap(azimuthal_contrast(some, used, grid))
    places = lap(places_of(some, used, (center[0], center[1]), steps=(1.0, 1.0)))
    narrow = polar_grid(truth.pattern_axes, places.used, center=(center[0], center[1]))
    rings = lap(narrow.anomaly(drawn(places, narrow)))
    found = lap(all_pairs(spectra(rings, narrow.used, narrow.radii)))
    parts = dict(zip(("contrast", "places", "drawing", "correlation"), np.diff(marks).tolist(), strict=True))
    return {
        "patterns": len(found.similarity),
        "wall_s": marks[-1] - marks[0],
        "cpu_s": time.process_time() - cpu,
        "parts": parts,
    }


def grains(keep: Path | None) -> dict[str, Any]:
    """Return what is found of grains that somebody else simulated, grain by grain.

    A position belongs to the strongest of its components that have spots. A grain's component is the one that most of
    its pure positions belong to. Rotations are against the first grain of the same phase, modulo its symmetry.
    """
    from real import DATASETS, factorised, judge_grains

    from unmixel.interpret.cluster import RotationClusterer

    dataset = DATASETS["grains"]
    factors, scan = factorised(dataset, "shipped")
    with np.load(GRAINS) as truth:
        grain, phase, theta, pure = (truth[n] for n in ("grain_id", "phase_id", "theta", "purity"))
        names = json.loads(str(truth["meta"]))["params"]["phase_names"]
    groups = RotationClusterer().group(factors, seed=0)
    spotted = np.flatnonzero(np.asarray(groups.crystalline)[groups.labels])
    strongest = spotted[np.argmax(np.asarray(factors.maps)[spotted], axis=0)]
    table: list[dict[str, Any]] = []
    first: dict[int, tuple[float, float]] = {}
    for number in np.unique(grain):
        here = (grain == number) & (pure > 0.9)
        component = int(np.bincount(strongest[here]).argmax())
        kind = int(phase[here][0])
        period = {"hexagonal": 60.0, "square": 90.0}[names[kind]]
        turn, found = float(np.median(theta[here])), float(groups.rotation_deg[component])
        reference = first.setdefault(kind, (turn, found))
        # the sense of theta is the other program's: the better of both is told
        off = [
            abs(((found - reference[1]) - sign * (turn - reference[0]) + period / 2) % period - period / 2)
            for sign in (1, -1)
        ]
        table.append(
            {
                "grain": int(number), "phase": names[kind], "positions": int(here.sum()), "component": component,
                "share": float(np.mean(strongest[here] == component)), "group": int(groups.labels[component]),
                "off": None if reference == (turn, found) else off,
            }
        )  # fmt: skip
    known = [one["off"] for one in table if one["off"] is not None]
    sense = int(np.sum(known, axis=0).argmin()) if known else 0
    for one in table:
        off_by = one.pop("off")
        one["rotation_off"] = None if off_by is None else off_by[sense]
    return judge_grains(dataset, factors, scan) | {"table": table, "components": factors.n_components}


def phases(dynamical: str, seed: str, keep: Path | None) -> dict[str, Any]:
    """Return shares of 60 simulated patterns: right phase first, named right, named wrong, absent one "unknown"."""
    import answers_phases

    return answers_phases.phases(int(seed), PATTERNS, float(dynamical))


JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    job.__name__: job for job in (patterns, components, sizes, pairs, grains, phases)
}


def main(words: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the record of the job that the words name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("about", nargs="*")
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args(words)
    return JOBS[asked.job](*asked.about, asked.keep)


if __name__ == "__main__":
    print(json.dumps(main()))
