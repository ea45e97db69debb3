"""One job of `promises.py` in a process of its own; prints its record as JSON.

python benchmarks/promises_once.py JOB FILE.npy TABLE K|SIZE [SEED]
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fit_once import relative_error
from inputs import SIZES, Size
from inputs import write as write_scan
from numpy.typing import NDArray
from peers import SETTINGS

SIDES = {"tiny": (8, 12), "small": (32, 64), "medium": (64, 64), "large": (128, 128)}
RANKS, RESTARTS = range(2, 31), 5
GLASS = Path(__file__).parents[1] / "examples" / "glass.yaml"
STARTS = ("nndsvd", "nndsvda", "random")


def _planted(n: int, m: int, k: int) -> NDArray[Any]:
    """Return counts of k Gaussian maps times spiky patterns, Gamma(0.3) in every pixel."""
    rng = np.random.default_rng(1)
    side = round(n**0.5)
    y, x = np.mgrid[:side, :side]
    centres, width = rng.random((k, 2)) * side, side / 10
    maps = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * width**2)).ravel() for a, b in centres]
    patterns = rng.gamma(0.3, size=(k, m))
    patterns /= patterns.sum(axis=1, keepdims=True)
    return rng.poisson((np.array(maps).T + 0.02) @ patterns * 20_000).astype(np.uint16)


def _spectra(n: int, m: int, k: int) -> NDArray[Any]:
    """Return counts of mixtures (Dirichlet) of spectra with Gaussian lines on a falling background."""
    rng = np.random.default_rng(2)
    energy = np.arange(m)
    lines = [
        sum(rng.random() * np.exp(-(((energy - c) / (m / 150)) ** 2)) for c in rng.random(6) * m)
        for _ in range(k)
    ]
    spectra = np.array(lines) + 0.1 * np.exp(-3 * energy / m)
    return rng.poisson(rng.dirichlet(np.full(k, 0.2), size=n) @ spectra * 20).astype(np.uint16)


def write(file: Path, table: str, size: str) -> dict[str, Any]:
    """Write a table of counts; says so where its scan is not here."""
    spec: Size = SIZES["mgo" if table == "mgo" else size]
    if table in ("glass", "mgo"):
        if spec.missing:
            return {"written": False}
        write_scan(spec, file)
    else:
        side, pixels = SIDES[size]
        make: Callable[[int, int, int], NDArray[Any]] = {"planted": _planted, "spectra": _spectra}[table]
        np.save(file, make(side**2, pixels**2, spec.k))
    return {"written": True}


def _sklearn(counts: NDArray[Any], k: int, init: str, seed: int = 0) -> dict[str, Any]:
    from sklearn.decomposition import NMF

    model = NMF(k, solver="cd", **{**SETTINGS, "init": init, "random_state": seed})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 200 iterations were not enough
        began = time.perf_counter()
        maps = model.fit_transform(counts.astype(np.float32))
        wall = time.perf_counter() - began
    return {"wall_s": wall, "error": relative_error(counts, maps, model.components_)}


def scikit_learn(counts: NDArray[Any], k: int, seed: int) -> dict[str, Any]:
    """One fit of the peer."""
    return _sklearn(counts, k, SETTINGS["init"], seed)


def best_of_three(counts: NDArray[Any], k: int, seed: int) -> dict[str, Any]:
    """The peer's best error from three starts, the time of all of them."""
    found = [_sklearn(counts, k, init, seed) for init in STARTS]
    return {"wall_s": sum(one["wall_s"] for one in found), "error": min(one["error"] for one in found)}


def ours(counts: NDArray[Any], k: int, seed: int) -> dict[str, Any]:
    """One fit with defaults."""
    import unmixel

    model = unmixel.NMF(k, random_state=seed)
    began = time.perf_counter()
    maps = model.fit_transform(counts)
    return {"wall_s": time.perf_counter() - began, "error": relative_error(counts, maps, model.components_)}


def sweep(counts: NDArray[Any], k: int, seed: int) -> dict[str, Any]:
    """Every rank from 2 to 30, five restarts each, all with exact errors."""
    import unmixel

    began = time.perf_counter()
    trials = unmixel.sweep(counts, RANKS, RESTARTS, model=unmixel.NMF(random_state=seed))
    wall = time.perf_counter() - began
    return {"wall_s": wall, "error": trials.of(RANKS[-1])[0].relative_error, "fits": len(trials)}


def _size(counts: NDArray[Any]) -> str:
    """Return the name of the size of a table."""
    return next(name for name, sides in SIDES.items() if counts.shape == (sides[0] ** 2, sides[1] ** 2))


def _scan(counts: NDArray[Any]) -> Any:
    """Return the glass as a scan under Poisson weights, the direct beam left out."""
    from unmixel.dataset.scan import Scan

    side, pixels = SIDES[_size(counts)]
    mean = counts.mean(axis=0, dtype=np.float64).reshape(pixels, pixels)
    v, u = np.mgrid[:pixels, :pixels] - (pixels - 1) / 2
    weights = np.where(np.hypot(v, u) > 0.11 * pixels, 1 / np.maximum(mean, 1e-3), 0.0)
    return Scan.from_array(counts.reshape(side, side, pixels, pixels), pixel_weights=weights)


def _constrained(counts: NDArray[Any], k: int, seed: int, *constraints: Any) -> dict[str, Any]:
    import unmixel

    scan, model = _scan(counts), unmixel.NMF(k, constraints=constraints, random_state=seed)
    began = time.perf_counter()
    factors = model.factorize(scan)
    return {
        "wall_s": time.perf_counter() - began,
        "error": factors.convergence.relative_error,
        "sweeps": factors.convergence.n_sweeps,
    }


def free(counts: NDArray[Any], k: int, seed: int) -> dict[str, Any]:
    """One fit of the weighted glass, nothing but non-negative."""
    return _constrained(counts, k, seed)


def physics(counts: NDArray[Any], k: int, seed: int) -> dict[str, Any]:
    """The same under the microscope's physics."""
    import unmixel

    return _constrained(
        counts, k, seed, unmixel.Resolution(1.884), unmixel.SpotShape(2.2), unmixel.Sparse(2.0, spare=1)
    )


def recipe(counts: NDArray[Any], k: int, seed: int) -> dict[str, Any]:
    """The recipe for a glass, its choice of what is there and its consensus included; `k` is its own business."""
    from dataclasses import replace

    import unmixel
    from unmixel.pipeline import stages
    from unmixel.pipeline.resolve import Request, settle

    scan = unmixel.open(SIZES[_size(counts)].address)
    scan = replace(scan, data=counts.reshape(scan.data.shape))
    began = time.perf_counter()
    chosen, _ = settle(Request.of(GLASS).recipe_for(scan)[0], scan)
    prepared = stages.prepare(scan, chosen, _silent)
    factors = stages.factorize(
        prepared, chosen, on_sweep=_silent, on_sketch=_silent, resume=None, sketch=None, note=_silent
    )
    wall = time.perf_counter() - began
    return {"wall_s": wall, "error": factors.convergence.relative_error, "components": factors.n_components}


def _silent(told: object) -> None:
    """Say nothing."""


JOBS: dict[str, Callable[[NDArray[Any], int, int], dict[str, Any]]] = {
    "scikit-learn": scikit_learn, "best-of-three": best_of_three, "ours": ours, "sweep": sweep,
    "free": free, "physics": physics, "recipe": recipe,
}  # fmt: skip


def main(words: list[str]) -> dict[str, Any]:
    """Return the record of a job."""
    name, file, table, last, *seed = words
    if name == "write":
        return {"job": name, **write(Path(file), table, last)}
    rng = np.random.default_rng(0)  # libraries are loaded and threads started before the clock is
    warm = "scikit-learn" if name in ("scikit-learn", "best-of-three") else "ours"
    JOBS[warm](rng.poisson(5.0, (240, 200)).astype(np.uint16), 2, 0)
    return {"job": name, **JOBS[name](np.load(file), int(last), int(seed[0]) if seed else 0)}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
