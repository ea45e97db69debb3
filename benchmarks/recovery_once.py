"""One measurement of the recovery benchmark, in a process of its own; prints its record as JSON.

python benchmarks/recovery_once.py CASE DOSE SEED RECIPE|oracle
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from recovery_cases import CASES, Case
from recovery_recipes import RECIPES, Task

if TYPE_CHECKING:
    from unmixel.dataset.results import Factors
    from unmixel.dataset.scan import Scan
    from unmixel.dataset.truth import Truth

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Phantom:
    """A scan and its truth: what recipes see, and what they are judged by."""

    case: Case
    scan: Scan
    truth: Truth

    @classmethod
    def of(cls, case: Case, dose: float, seed: int) -> Phantom:
        """Return the phantom of a case, its counts drawn."""
        from unmixel.testing.phantoms import in_memory, phantom

        scan, truth = phantom(case.address(dose, seed))
        return cls(case, in_memory(scan), truth)

    @property
    def gain(self) -> float:
        """Counts per electron."""
        return float(self.truth.settings["gain"])

    def task(self) -> Task:
        """Return what recipes may know; descan is taken out by the step, where the case says so."""
        from unmixel.prepare.descan import Descan

        scan = Descan().apply(self.scan) if self.case.descan else self.scan
        return Task(scan, self.case, self.truth.beam_pixels)

    def centred(self) -> tuple[Array, Array]:
        """Return electrons with the true descan taken out by whole pixels, and the pixels that all frames see."""
        from unmixel.prepare.descan import moved, moved_weights

        data, used = np.asarray(self.scan.data), ~self.truth.beam_pixels
        if self.case.descan:
            shifts = -np.rint(self.truth.descan).astype(np.intp).reshape(-1, 2)
            data = moved(data.reshape(-1, *used.shape), shifts).reshape(data.shape)
            used = used & (moved_weights(None, used.shape, shifts) > 0)
        return (data if self.gain == 1 else data / self.gain), used


def oracles(phantom: Phantom) -> dict[str, Any]:
    """Return what both oracles find, and how many precipitates there are."""
    from unmixel.testing.oracle import physics_oracle, plain_oracle

    data, used = phantom.centred()
    return {
        "physics": physics_oracle(data, phantom.truth, used_pixels=used).found,
        "plain": plain_oracle(data, phantom.truth, used_pixels=used).found,
        "precipitates": len(phantom.truth.crystals),
    }


def pattern_noise(data: Array, maps: Array, *, gain: float) -> NDArray[np.float64]:
    """Return the standard error of each pattern's pixels, its map given, in units of the pattern.

    With maps W in counts and all other components known, ``h_kj = sum_i w_ik x_ij / sum_i w_ik^2`` and
    ``var h_kj = gain sum_i w_ik^2 x_ij / (sum_i w_ik^2)^2``.

    Parameters
    ----------
    data : ndarray, shape (*scan_shape, *pattern_shape)
    maps : ndarray, shape (k, *scan_shape)
        None of them empty.
    gain : float
        Variance over mean of the noise.
    """
    squares = np.asarray(maps, np.float64).reshape(len(maps), -1) ** 2
    X = np.asarray(data).reshape(squares.shape[1], -1)
    variance = gain * (squares @ X) / squares.sum(axis=1, keepdims=True) ** 2
    return np.asarray(np.sqrt(variance)).reshape(len(maps), *np.shape(data)[-2:])


def judge(phantom: Phantom, task: Task, factors: Factors) -> dict[str, Any]:
    """Return every number of one result; `unmixel.testing.metrics` defines the words."""
    from unmixel.interpret.cluster import RotationClusterer
    from unmixel.lab.judge import reported
    from unmixel.pipeline.answers import flag
    from unmixel.testing import metrics

    truth, gain = phantom.truth, phantom.gain
    factors = flag(factors)
    groups = RotationClusterer().group(factors, seed=0)
    used = ~truth.beam_pixels & np.asarray(factors.used_pixels, bool)
    if task.scan.pixel_weights is not None:
        used &= np.asarray(task.scan.pixel_weights) > 0
    factors = replace(factors, maps=np.asarray(factors.maps, np.float64) / gain)
    both = factors.maps, factors.patterns
    matched = metrics.match(*both, truth.maps, truth.patterns, used_pixels=used)
    crystals = truth.crystals
    good = [c for c in crystals if min(matched.pattern_cosine[c], matched.map_pearson[c]) >= metrics.FOUND_AT]
    said = reported(factors, groups.labels, groups.crystalline)
    n_false = metrics.false_reports(
        *both, truth.maps[crystals], truth.patterns[crystals], reported=said, used_pixels=used
    )
    phases = [truth.phases[c] for c in good]
    labels = [int(groups.labels[matched.component[c]]) for c in good]
    return {
        "found": metrics.found(matched, crystals),
        "reported": int(said.sum()),
        "false": n_false,
        "truth_error": metrics.truth_error(*both, truth.maps, truth.patterns, used_pixels=used),
        "grouping": metrics.grouping(labels, phases) if len(set(phases)) > 1 else None,
        "cosine": float(np.mean(matched.pattern_cosine[crystals])),
        **_plausible(phantom, task, factors, used),
        **_significance(factors, said),
        "components": factors.n_components,
        "sweeps": factors.convergence.n_sweeps,
        "relative_error": factors.convergence.relative_error,
    }


def _significance(factors: Factors, said: NDArray[np.bool_]) -> dict[str, float]:
    """Return the least significance that is stated for a reported component; nothing where none is stated."""
    stated = factors.settings.get("significance")
    if not stated or not said.any():
        return {}
    return {"least_significance": float(np.min(np.asarray(stated, np.float64)[said]))}


def _plausible(phantom: Phantom, task: Task, factors: Factors, used: Array) -> dict[str, float | None]:
    """Return out-of-band power and dip fraction: means over the components that are no matrix, and over true crystals.

    A matrix is left out because its noise is next to nothing: there, closing fills every smooth valley between rings.
    """
    from unmixel.lab.judge import DISK_FWHM, GAUSSIAN_FWHM, localised
    from unmixel.physics.probe import gaussian_limit
    from unmixel.testing import metrics

    truth = phantom.truth
    width = truth.spot_sigma * (DISK_FWHM if truth.spot_shape == "disk" else GAUSSIAN_FWHM)
    electrons = np.asarray(task.scan.data) / phantom.gain
    limit = gaussian_limit(truth.probe_sigma)

    def of(chosen: Array, maps: Array, patterns: Array) -> tuple[float, float] | tuple[None, None]:
        if not np.any(chosen):
            return None, None
        noise = pattern_noise(electrons, maps[chosen], gain=1)
        dips = metrics.dip_fraction(patterns[chosen], width=width, noise=noise, used_pixels=used)
        return float(np.mean(metrics.out_of_band_power(maps[chosen], limit))), float(np.mean(dips))

    power, dips = of(localised(factors), factors.maps, factors.patterns)
    crystals = np.isin(np.arange(truth.n_components), truth.crystals)
    power_true, dips_true = of(crystals, truth.maps, truth.patterns)
    return {
        "out_of_band": power, "dips": dips, "out_of_band_of_truth": power_true, "dips_of_truth": dips_true,
    }  # fmt: skip


def measure(case: Case, dose: float, seed: int, recipe: str) -> dict[str, Any]:
    """Return the record of one recipe on one phantom, or of the oracles."""
    phantom = Phantom.of(case, dose, seed)
    if recipe == "oracle":
        return oracles(phantom)
    task = phantom.task()
    wall, cpu = time.perf_counter(), time.process_time()
    factors = RECIPES[recipe](task)
    seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    return judge(phantom, task, factors) | seconds


if __name__ == "__main__":
    case, dose, seed, recipe = sys.argv[1:]
    print(json.dumps(measure(CASES[case], float(dose), int(seed), recipe)))
