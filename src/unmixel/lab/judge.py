"""The judge: what an idea found beside what is true, or beside counts that it never saw.

Only the process that asks knows truths and counts that were set aside; those in which ideas run never do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.dataset.results import Factors
from unmixel.dataset.scan import Scan
from unmixel.dataset.truth import Truth
from unmixel.factorize.thinning import divisible, thinned
from unmixel.interpret.flags import EMPTY, FILLS, flag_components, is_artefact
from unmixel.lab.wall import Answer, FalseAnswerError
from unmixel.physics.probe import gaussian_limit
from unmixel.testing import metrics

Array = NDArray[Any]

HELD_SHARE = 0.2
"""Of the counts of a scan without truth: set aside for the judge."""

LEAST_USED = 0.5
"""Share of the judged pixels that a result has to say something about."""

DISK_FWHM, GAUSSIAN_FWHM = 4.0, 2.3548
"""Full width at half maximum of a spot, in its `spot_sigma`."""


@dataclass(frozen=True, eq=False)
class Bench:
    """A scan as the processes get it, and what only the judge knows of it.

    Parameters
    ----------
    scan : Scan
        In memory.
    truth : Truth or None
    held : ndarray or None
        Counts of the same scan that were set aside, shape of the data.
    """

    scan: Scan
    truth: Truth | None = None
    held: Array | None = None

    @classmethod
    def of(cls, scan: Scan, truth: Truth | None, *, seed: int) -> Bench:
        """Return the bench of a scan in memory; without a truth, some counts are set aside to judge by."""
        if truth is not None:
            return cls(scan, truth)
        matrix = Matrix.from_scan(scan)
        if not divisible(matrix):
            return cls(scan)
        fit, held = thinned(matrix, share=HELD_SHARE, seed=seed)
        shape, dtype = scan.data.shape, scan.data.dtype
        kept = np.asarray(fit.data).reshape(shape)
        return cls(replace(scan, data=kept.astype(dtype)), None, np.asarray(held.data).reshape(shape))

    def judge(self, answer: Answer, beside: Answer | None = None) -> dict[str, float]:
        """Return every metric of an answer that can be formed.

        Parameters
        ----------
        answer : Answer
        beside : Answer, optional
            Of the baseline: its pixels are judged, so that nobody gains by leaving some out.

        Raises
        ------
        FalseAnswerError
            When the answer says nothing about most of the pixels.
        """
        factors = replace(answer.factors, flags=tuple(flag_components(answer.factors)))
        used = np.asarray((beside or answer).factors.used_pixels, bool)
        if self.truth is not None:
            used = used & ~self.truth.beam_pixels
        said = np.asarray(factors.used_pixels, bool) | (factors.fill == "model")
        share = float(np.mean(said[used])) if used.any() else 0.0
        if share < LEAST_USED:
            raise FalseAnswerError(f"it leaves out {1 - share:.0%} of the pixels that are judged")
        found = self._fit(factors, used) | {
            "components": float(factors.n_components),
            "sweeps": float(factors.convergence.n_sweeps),
        }
        if self.truth is not None:
            found |= _against(self.truth, answer, factors, used)
        if self.held is not None:
            found["held_out"] = self._held_out(factors, used)
        return found

    def _fit(self, factors: Factors, used: Array) -> dict[str, float]:
        """Return how well the data are described that were fitted; the data are the judge's own copy."""
        data = np.asarray(self.scan.data)
        error = metrics.data_error(data, factors.maps, factors.patterns, used_pixels=used)
        model = _model(factors, used)
        seen = data.reshape(len(model), -1)[:, used.reshape(-1)]
        floor = 1e-3 * float(seen.mean()) or 1.0
        return {
            "error": float(np.sqrt(error)),
            "chi_square": float(np.mean((seen - model) ** 2 / np.maximum(model, floor))),
        }

    def _held_out(self, factors: Factors, used: Array) -> float:
        """Return the squared error on the counts set aside, each pixel in units of its own mean count."""
        assert self.held is not None
        model = _model(factors, used) * (HELD_SHARE / (1 - HELD_SHARE))
        held = self.held.reshape(len(model), -1)[:, used.reshape(-1)].astype(np.float64)
        mean = held.mean(axis=0)
        return float(np.mean((held - model) ** 2 / np.maximum(mean, 1e-3 * mean.mean())))


def _model(factors: Factors, used: Array) -> NDArray[np.float64]:
    """Return maps times patterns on the used pixels, shape (n_positions, n_used)."""
    k = factors.n_components
    maps = np.asarray(factors.maps, np.float64).reshape(k, -1)
    patterns = np.asarray(factors.patterns, np.float64).reshape(k, -1)[:, used.reshape(-1)]
    return np.asarray(maps.T @ patterns)


def localised(factors: Factors) -> NDArray[np.bool_]:
    """Return which components are no matrix: they hold counts, and their map does not fill the scan."""
    return np.array(
        [not any(words.startswith((EMPTY, FILLS)) for words in remarks) for remarks in factors.flags], bool
    )


def reported(factors: Factors, labels: Array | None, crystalline: Array | None) -> NDArray[np.bool_]:
    """Return which components a report would show as precipitates.

    Those that are no matrix, whose group has spots, and that bear no remark saying that they are an artefact or noise.

    Parameters
    ----------
    factors : Factors
        With their flags.
    labels : ndarray of int, shape (k,), or None
        Group of each component; without groups, every component counts as one with spots.
    crystalline : ndarray of bool, shape (g,), or None
        Which groups have spots.
    """
    trusted = np.array([not is_artefact(remarks) for remarks in factors.flags], bool)
    spotted = np.ones(len(trusted), bool)
    if labels is not None and crystalline is not None:
        spotted = np.asarray(crystalline, bool)[labels]
    return np.asarray(spotted & trusted & localised(factors), bool)


def _against(truth: Truth, answer: Answer, factors: Factors, used: Array) -> dict[str, float]:
    """Return the metrics that need the truth; `unmixel.testing.metrics` defines them."""
    gain = float(truth.settings.get("gain", 1.0))
    both = np.asarray(factors.maps, np.float64) / gain, factors.patterns
    matched = metrics.match(*both, truth.maps, truth.patterns, used_pixels=used)
    crystals = truth.crystals
    shown = reported(factors, answer.labels, answer.crystalline)
    told = {
        "truth_error": metrics.truth_error(*both, truth.maps, truth.patterns, used_pixels=used),
        "found": float(metrics.found(matched, crystals)),
        "cosine": float(np.mean(matched.pattern_cosine[crystals])) if len(crystals) else float("nan"),
        "false_reports": float(
            metrics.false_reports(
                *both, truth.maps[crystals], truth.patterns[crystals], reported=shown, used_pixels=used
            )
        ),
    }
    good = [c for c in crystals if min(matched.pattern_cosine[c], matched.map_pearson[c]) >= metrics.FOUND_AT]
    phases = [truth.phases[c] for c in good]
    if answer.labels is not None and len(set(phases)) > 1:
        told["grouping"] = metrics.grouping([int(answer.labels[matched.component[c]]) for c in good], phases)
    if answer.names and answer.labels is not None and good:
        names = [answer.names[answer.labels[matched.component[c]]] for c in good]
        told["phase_accuracy"] = metrics.phase_accuracy(names, [phase.split(" ")[0] for phase in phases])
    return told | _plausible(truth, factors, shown & localised(factors))


def _plausible(truth: Truth, factors: Factors, chosen: Array) -> dict[str, float]:
    """Return out-of-band power and dips of the reported components, where probe and spots are known."""
    if not chosen.any() or truth.probe_sigma <= 0 or truth.spot_sigma <= 0:
        return {}
    width = truth.spot_sigma * (DISK_FWHM if truth.spot_shape == "disk" else GAUSSIAN_FWHM)
    power = metrics.out_of_band_power(factors.maps[chosen], gaussian_limit(truth.probe_sigma))
    used = np.asarray(factors.used_pixels, bool)
    patterns = factors.patterns[chosen]
    electrons = np.maximum(factors.maps[chosen].reshape(len(patterns), -1).sum(axis=1), 1.0)
    # a pattern of N electrons that sums to 1 has variance h / N in each pixel
    noise = np.sqrt(np.maximum(patterns, 0) / electrons.reshape(-1, *(1,) * (patterns.ndim - 1)))
    dips = metrics.dip_fraction(patterns, width=width, noise=noise, used_pixels=used)
    return {"out_of_band": float(np.mean(power)), "dips": float(np.mean(dips))}


def stability(one: Answer, other: Answer, *, used: Array) -> float:
    """Return how well two results of one scan agree: pattern cosine times map Pearson, mean over components."""
    a, b = one.factors, other.factors
    matched = metrics.match(a.maps, a.patterns, b.maps, b.patterns, used_pixels=used)
    return float(np.mean(matched.pattern_cosine * np.maximum(matched.map_pearson, 0.0)))
