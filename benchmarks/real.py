"""What the recipes make of data that are not our phantoms:  python benchmarks/real.py

Four scans that lie beside the repository (../shared/data; left out where they are absent), each with what is known of
them: grains and phases that somebody else simulated, noise-free spectra, the chemistry of minerals, the lattice of MgO.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from child import ChildFailedError, run
from inputs import ROOT

if TYPE_CHECKING:
    from unmixel.dataset.results import Factors
    from unmixel.dataset.scan import Scan

DATA = ROOT.parent / "shared" / "data"
RECIPES = ("sklearn", "plain", "shipped")


@dataclass(frozen=True)
class Dataset:
    """A scan that is not ours.

    Parameters
    ----------
    name : str
    file : Path
    components : int
    known : str
        What it is judged by, in words.
    recipe : Path or None
        File of the recipe; None takes the one that ships and suits the data.
    overrides : tuple of str
        Further settings of the recipe.
    """

    name: str
    file: Path
    components: int
    known: str
    recipe: Path | None = None
    overrides: tuple[str, ...] = ()


DATASETS = {
    one.name: one
    for one in (
        Dataset(
            "grains",
            DATA / "orient4d_grains" / "scan_32.npz",
            8,
            "6 grains of 2 phases, simulated elsewhere, 300 electrons per pattern",
        ),
        Dataset(
            "mn3o4",
            DATA / "eels_mn3o4" / "SI_data.npz",
            2,
            "theoretical Mn L edges of rank 2 beneath Gaussian noise (mn3o4_f2.mat)",
        ),
        Dataset(
            "mantle",
            DATA / "edx_geology" / "71GPa_experimental_data.hspy",
            3,
            "measured; bridgmanite holds no Ca, ferropericlase no Si, CaSiO3 no Mg",
        ),
        Dataset(
            "mgo",
            DATA / "mgo_sped" / "mgo_nanoparticles.zspy",
            6,
            "measured; every spot lies on a ring of MgO, a = 4.21 angstrom",
            recipe=ROOT / "examples" / "mgo.yaml",
        ),
    )
}


def opened(dataset: Dataset) -> Scan:
    """Return the scan."""
    import numpy as np

    import unmixel

    if dataset.name == "mn3o4":
        # the file's numbers are of the order of 1e-5 and have no unit
        return unmixel.Scan.from_array(1e6 * np.load(dataset.file)["X"], n_pattern_axes=1)
    return unmixel.open(str(dataset.file))


def factorised(dataset: Dataset, recipe: str) -> tuple[Factors, Scan]:
    """Return what a recipe finds, and the scan as it was prepared."""
    from dataclasses import replace

    import numpy as np
    from recovery_recipes import as_a_run

    from unmixel import NMF
    from unmixel.pipeline import stages
    from unmixel.pipeline.resolve import Request, settle

    scan = opened(dataset)
    words = (f"factorize.components={dataset.components}", *dataset.overrides)
    settled, _ = settle(Request.of(dataset.recipe, words).recipe_for(scan)[0], scan)
    prepared = stages.prepare(scan, settled, lambda name: None)
    if recipe == "plain":
        return NMF(dataset.components).factorize(prepared), prepared
    if recipe == "shipped":
        return as_a_run(prepared, settled), prepared
    used = np.ones(scan.pattern_shape, bool)
    if prepared.pixel_weights is not None:
        used = np.asarray(prepared.pixel_weights) > 0
    unweighted = replace(prepared, pixel_weights=used.astype(float), position_weights=None)
    return _sklearn(unweighted, used, dataset.components), prepared


def _sklearn(scan: Scan, used: Any, k: int) -> Factors:
    """Return scikit-learn's answer on the pixels that the recipe uses, without weights."""
    from recovery_cases import Case
    from recovery_recipes import Task, sklearn

    return sklearn(Task(scan, Case("real", "", components=k), ~used))


def judge_grains(dataset: Dataset, factors: Factors, scan: Scan) -> dict[str, float]:
    """Return how positions and groups agree with the true grains and phases, where one grain is hit alone.

    A position belongs to the strongest of its components that have spots.
    """
    import numpy as np

    from unmixel.interpret.cluster import RotationClusterer
    from unmixel.testing.metrics import grouping

    truth = np.load(dataset.file)
    pure = truth["purity"] > 0.9
    groups = RotationClusterer().group(factors, seed=0)
    spotted = np.asarray(groups.crystalline)[groups.labels]
    if not spotted.any():
        return {"grains": 0.0, "phases": 0.0}
    strongest = np.flatnonzero(spotted)[np.argmax(np.asarray(factors.maps)[spotted], axis=0)]
    return {
        "grains": grouping(strongest[pure], truth["grain_id"][pure]),
        "phases": grouping(np.asarray(groups.labels)[strongest][pure], truth["phase_id"][pure]),
    }


def judge_mn3o4(dataset: Dataset, factors: Factors, scan: Scan) -> dict[str, float]:
    """Return the truth error, and the cosines with the two purest of the noise-free spectra.

    Data of rank 2 lie in a cone between two spectra; the purest are those farthest apart.
    """
    import numpy as np
    from scipy.io import loadmat

    from unmixel.testing.metrics import match

    clean = 1e6 * loadmat(dataset.file.with_name("mn3o4_f2.mat"))["datar"].reshape(-1, 138)
    model = factors.maps.reshape(factors.n_components, -1).T @ factors.patterns
    unit = clean / np.linalg.norm(clean, axis=1, keepdims=True)
    first, second = np.unravel_index(np.argmin(unit @ unit.T), (len(unit),) * 2)
    pure = clean[[first, second]]
    shares = np.linalg.lstsq(pure.T, clean.T, rcond=None)[0]
    found = match(factors.maps, factors.patterns, shares.reshape(2, *scan.scan_shape), pure)
    return {
        "truth_error": float(np.sum((model - clean) ** 2) / np.sum(clean**2)),
        "cosine": float(found.pattern_cosine.min()),
        "pearson": float(found.map_pearson.min()),
    }


LINES = {"Mg": 1.254, "Si": 1.740, "Ca": 3.692}
"""K-alpha lines in keV."""


def line_counts(spectra: Any, energies: Any, line: float) -> Any:
    """Return the net counts of a line: within 60 eV of it, over the lower of two windows 120 eV to either side."""
    import numpy as np

    def window(at: float, half: float) -> Any:
        return spectra[:, np.abs(energies - at) <= half].mean(axis=1)

    floor = np.minimum(window(line - 0.12, 0.02), window(line + 0.12, 0.02))
    return np.maximum(window(line, 0.06) - floor, 0)


def judge_mantle(dataset: Dataset, factors: Factors, scan: Scan) -> dict[str, float]:
    """Return shares of lines where the mineral has none of the element: 0 is perfect.

    The component richest in Ca is CaSiO3, of the others the one poorest in Si ferropericlase (Mg,Fe)O, the strongest
    left bridgmanite (Mg,Fe)SiO3; each share is of net Mg + Si + Ca counts.
    """
    import numpy as np

    (axis,) = scan.pattern_axes
    energies = axis.values / (1000 if axis.unit == "eV" else 1)
    counts = np.stack([line_counts(np.asarray(factors.patterns), energies, line) for line in LINES.values()])
    mg, si, ca = counts / np.maximum(counts.sum(axis=0), 1e-30)
    perovskite = int(np.argmax(ca))
    rest = [k for k in range(factors.n_components) if k != perovskite and counts[:, k].sum() > 0]
    periclase = min(rest, key=lambda k: si[k])
    bridgmanite = next(k for k in rest if k != periclase)
    return {
        "Ca_in_bridgmanite": float(ca[bridgmanite]),
        "Si_in_ferropericlase": float(si[periclase]),
        "Mg_in_CaSiO3": float(mg[perovskite]),
    }


MGO_A = 4.21
REACH, INNER = 1.0, 0.35  # 1/angstrom: the rings of MgO are apart there, and the direct beam is not


def judge_mgo(dataset: Dataset, factors: Factors, scan: Scan) -> dict[str, float]:
    """Return which share of the spots' light lies within half a pixel of a ring of MgO, and the share by chance.

    Spots: local maxima within 5 x 5 pixels, over three times the median of the used pixels at about their radius.
    """
    import numpy as np
    from scipy.ndimage import maximum_filter

    from unmixel.interpret.flags import flag_components, is_artefact

    hkl = np.indices((5, 5, 5)).reshape(3, -1).T
    even = (hkl % 2 == hkl[:, :1] % 2).all(axis=1) & hkl.any(axis=1)
    rings = np.unique(np.round(np.linalg.norm(hkl[even], axis=1) / MGO_A, 9))
    rings = rings[(rings > INNER) & (rings < REACH)]
    v, u = (axis.values for axis in scan.pattern_axes)
    radius = np.hypot(v[:, None], u[None, :])
    half = 0.5 * abs(scan.pattern_axes[0].scale)
    inside = np.asarray(factors.used_pixels, bool) & (radius > INNER) & (radius < REACH)
    on_ring = np.abs(radius[..., None] - rings).min(axis=-1) <= half
    light = hit = 0.0
    for pattern, remarks in zip(factors.patterns, flag_components(factors), strict=True):
        if is_artefact(remarks):
            continue
        level = np.array([np.median(pattern[inside & (np.abs(radius - r) < 2 * half)]) for r in rings])
        near = level[np.abs(radius[..., None] - rings).argmin(axis=-1)]
        spots = inside & (pattern == maximum_filter(pattern, 5)) & (pattern > 3 * near) & (pattern > 0)
        light += float(pattern[spots].sum())
        hit += float(pattern[spots & on_ring].sum())
    return {"on_rings": hit / light if light else float("nan"), "by_chance": float(on_ring[inside].mean())}


JUDGES: dict[str, Callable[[Dataset, Any, Any], dict[str, float]]] = {
    "grains": judge_grains,
    "mn3o4": judge_mn3o4,
    "mantle": judge_mantle,
    "mgo": judge_mgo,
}


def measure(name: str, recipe: str) -> dict[str, float]:
    """Return the record of one recipe on one scan."""
    dataset = DATASETS[name]
    wall, cpu = time.perf_counter(), time.process_time()
    factors, scan = factorised(dataset, recipe)
    seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    return JUDGES[name](dataset, factors, scan) | {"components": factors.n_components} | seconds


def show(book: dict[str, dict[str, float]]) -> str:
    """Return the records as a table of Markdown."""
    lines = ["| scan | recipe | result |", "|---|---|---|"]
    for key, record in book.items():
        name, recipe = key.split("|")
        told = ", ".join(f"{word.replace('_', ' ')} {value:.3g}" for word, value in record.items())
        lines.append(f"| {name} | {recipe} | {told} |")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    """Measure what the file does not hold yet and is not absent; print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scans", nargs="+", choices=DATASETS, default=tuple(DATASETS))
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=RECIPES)
    parser.add_argument("--redo", nargs="+", choices=RECIPES, default=[], help="measure these anew")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results" / "real.json")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if asked.child:
        print(json.dumps(measure(*asked.child)))
        return 0
    book = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.exists() else {}
    book = {key: record for key, record in book.items() if key.split("|")[1] not in asked.redo}
    failed = 0
    for name in asked.scans:
        if not DATASETS[name].file.exists():
            print(
                f"{name}: left out, {DATASETS[name].file.name} is not beside the repository", file=sys.stderr
            )
            continue
        for recipe in asked.recipes:
            if f"{name}|{recipe}" in book:
                continue
            try:
                book[f"{name}|{recipe}"] = json.loads(
                    run([sys.executable, __file__, "--child", name, recipe])[0]
                )
            except ChildFailedError as error:
                failed += 1
                print(f"FAILED {name}|{recipe}: {error}", file=sys.stderr, flush=True)
            asked.out.parent.mkdir(parents=True, exist_ok=True)
            asked.out.write_text(json.dumps(book, indent=1), encoding="utf-8")
    print(show(book))
    print("\n" + "\n".join(f"{name}: {DATASETS[name].known}" for name in asked.scans))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
