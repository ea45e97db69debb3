"""How many components do the data hold: the noise edge, held-out data and restarts, and one recommendation."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.rank import ComponentEdge, NoiseEdge, RankChoice, RankScore
from unmixel.engines.lazy import read
from unmixel.factorize.contracts import DataProducts
from unmixel.factorize.edge import noise_edges
from unmixel.factorize.holdout import Judged, by_held_out_entries, by_split_counts, flat, refined
from unmixel.factorize.model import NMF
from unmixel.factorize.plan import Plan
from unmixel.factorize.products import products_of
from unmixel.factorize.sketch import Sketch, sketch, width_for
from unmixel.factorize.stretching import open_widths
from unmixel.factorize.sweep import ROUGH, Trial
from unmixel.factorize.widths import fitted_widths
from unmixel.factorize.work import Work

Float = NDArray[np.float64]

FALL = 0.002
"""Trials go on while a sweep explains more than this share of what a component at the edge of the noise does."""

ALIKE = 2.0
"""Ranks predict held-out data equally well within so many standard errors of the difference from the best."""

BEGIN = 40
"""Components that refinements begin with at least: begun with fewer, they left too few (docs/decisions/0009)."""

SPLITS = 3
"""Ways of holding out electrons over which the number that refinements leave is taken."""

GAIN_OFF = 0.2
"""Data whose noise differs from that of their gain by more than this share are not split by it."""

FLOOR = 0.01
"""Least mean counts of a pixel for its weight, as a share of the average."""

SAMPLES = 16
"""Positions that are looked at to tell counts from other numbers."""


def rank(
    data: Any,
    ranks: Iterable[int] | None = None,
    *,
    restarts: int = 2,
    model: NMF | None = None,
    share: float = 0.2,
    seed: int = 0,
) -> RankChoice:
    """Return how many components the data hold, with all the evidence.

    Three kinds of it. *The edge of the noise*: how many singular values of the weighted data exceed all that noise
    reaches, as the data are and seen through the physics of the model (`edge.noise_edges`). *Held-out data*: all
    ranks are fitted to one part of the data and judged by another (`holdout`): the error of each, and how many
    directions of its model the held-out data confirm. *Stability*: how well restarts of one rank agree.

    Recommended is the number of confirmed directions: the most that any rank has among those whose error on held-out
    data is within `ALIKE` standard errors of the best. It hardly depends on which ranks were tried, as long as some
    are larger: surplus components split crystals or fit noise, and neither adds a direction that other electrons show.

    Where the model has refinements (`Split`, `Merge`, `Prune`) and the data are counts, what these leave of a fit of
    the model's own number of components (at least `BEGIN`) is recommended instead, as far as it stands above what noise
    alone reaches in the same search (`edge.component_edge`), as the median of `SPLITS` ways of holding out: crystals of
    one structure and nearly one orientation in different places are several components, but hardly more than one
    direction.

    Parameters
    ----------
    data : Scan, Matrix or array, shape (n_positions, n_pixels)
        Counts, or other numbers >= 0. Where all used pixels weigh the same, counts are weighted by 1 / mean. Data
        with a gain (`Matrix.gain`) are counts where their noise agrees with it.
    ranks : iterable of int, >= 1, optional
        Five from half to more than twice what is above the noise edge, where they are not given.
    restarts : int, >= 1
        Factorisations of each rank.
    model : NMF, optional
        Every other setting, constraints above all; `n_components` only where there are refinements.
    share : float, in (0, 1)
        Of the electrons that are held out.
    seed : int
        Of what is held out.

    Raises
    ------
    InputError
        Where a rank, the number of restarts or the share is out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.poisson(rng.random((150, 3)) @ rng.random((3, 120)) * 20)
    >>> choice = rank(X, [2, 3, 5])
    >>> choice.n_components, choice.method
    (3, 'count splitting')
    """
    model = copy(model) if model is not None else NMF()
    wanted = sorted({int(k) for k in ranks}) if ranks is not None else None
    if (wanted is not None and (not wanted or wanted[0] < 1)) or restarts < 1 or not 0 < share < 1:
        raise InputError(
            "rank",
            expected="ranks >= 1, restarts >= 1 and a share between 0 and 1",
            got=f"ranks {wanted}, restarts {restarts}, share {share}",
            hint="try rank(scan)",
        )
    matrix = model.matrix_of(data)
    plan = model.plan_for(matrix)
    if open_widths(plan.constraints):
        with plan.engine.threads():
            model.constraints = fitted_widths(Work(matrix, plan)).applied(model.constraints)
        plan = model.plan_for(matrix)
    whole = _whole_numbers(matrix)
    electrons = whole or matrix.gain != 1
    with plan.engine.threads():
        evidence = spectrum(matrix, plan, max(wanted or [0]), whiten=electrons)
    matrix, plain, edge = evidence.matrix, evidence.plain, evidence.edge
    wanted = wanted or _default_ranks(edge.n_above, min(matrix.n_positions, matrix.n_pixels))
    counts = electrons and abs(evidence.gain / matrix.gain - 1) <= GAIN_OFF
    patient = _patient(model, matrix, edge)
    left: list[ComponentEdge] = []
    if counts:
        how: dict[str, Any] = {"noise": plain.noise, "share": share, "seed": seed}
        done = by_split_counts(matrix, wanted, restarts, patient, **how)
        if plan.refinements:
            begun = copy(patient)
            begun.n_components, begun.tol = max(BEGIN, wanted[-1], plan.n_components), model.tol
            left = [refined(matrix, begun, **how | {"seed": seed + split}) for split in range(SPLITS)]
    else:
        done = by_held_out_entries(matrix, wanted, restarts, patient, noise=plain.noise, seed=seed)
    notes = (*evidence.notes, _how(counts, whole, (evidence.gain, matrix.gain), share))
    method = "count splitting" if counts else "held-out entries"
    return _choice(done, (plain, edge), left, method, notes)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The data as they are judged, and what of their spectrum leaves the noise."""

    matrix: Matrix
    plain: NoiseEdge
    edge: NoiseEdge
    gain: float
    notes: tuple[str, ...]


def spectrum(matrix: Matrix, plan: Plan, largest: int, *, whiten: bool) -> Spectrum:
    """Return the noise edges of a matrix from a sketch that is wide enough for them."""
    matrix = plan.loss.weigh(matrix, engine=plan.engine, budget=plan.budget)
    notes: tuple[str, ...] = ()
    products = products_of(matrix, plan.engine, dtype=plan.dtype, budget=plan.budget)
    used = matrix.pixel_weights > 0
    mean = _mean(products, matrix, plan)
    if whiten and np.ptp(matrix.pixel_weights[used]) == 0 and mean[used].max() > 0:
        floor = FLOOR * float(mean[used].mean())
        weights = np.where(used & (mean > 0), 1 / np.maximum(mean, floor), 0.0)
        matrix = replace(matrix, pixel_weights=weights)
        products = products_of(matrix, plan.engine, dtype=plan.dtype, budget=plan.budget)
        notes = ("Pixels are weighted by 1 / mean counts, under which counts have even noise.",)
    width, most = width_for(max(largest, 20)), min(matrix.n_positions, matrix.n_pixels)
    while True:
        low: Sketch = sketch(
            products, matrix, width=width, engine=plan.engine, dtype=plan.dtype, seed=plan.seed
        )
        plain, edge = noise_edges(low, products, plan.problem(matrix, products, lambda: 1.0))
        if 2 * edge.n_above + 10 <= width or 4 * width > most:
            break
        width *= 2
    light = float(matrix.position_weights.sum() * (matrix.pixel_weights @ mean))
    entries = np.count_nonzero(matrix.position_weights) * np.count_nonzero(matrix.pixel_weights)
    gain = plain.noise**2 * entries / light if light > 0 else float("nan")
    return Spectrum(matrix, plain, edge, gain, notes)


def _mean(products: DataProducts, matrix: Matrix, plan: Plan) -> Float:
    """Return the weighted mean over positions of every pixel, shape (m,)."""
    rows = plan.engine.asarray(matrix.position_weights[None], plan.dtype)
    total = np.asarray(plan.engine.to_host(products.with_maps(rows))[0], np.float64)
    return total / max(float(matrix.position_weights.sum()), 1e-30)


def _whole_numbers(matrix: Matrix) -> bool:
    """Return whether data are whole numbers, by their dtype or some of their positions."""
    if matrix.data.dtype.kind in "ui":
        return True
    if hasattr(matrix.data, "tocsr"):
        values = matrix.data.tocsr().data[:100_000]
    else:
        shape = matrix.data.shape[: matrix.n_scan_axes]
        places = np.unique(np.linspace(0, np.prod(shape) - 1, SAMPLES).astype(int))
        index = [tuple(slice(int(i), int(i) + 1) for i in np.unravel_index(place, shape)) for place in places]
        values = np.concatenate([np.asarray(read(matrix.data, at)).reshape(-1) for at in index])
    return bool(np.all(np.isfinite(values)) and np.array_equal(values, np.rint(values)))


def _default_ranks(above: int, most: int) -> list[int]:
    """Return ranks around the number of values above the noise edge, and well beyond it."""
    around = (above // 2, above, round(1.4 * above) + 2, round(1.8 * above) + 4, round(2.3 * above) + 6)
    return sorted({int(np.clip(k, 1, max(1, most // 2))) for k in around})


def _patient(model: NMF, matrix: Matrix, edge: NoiseEdge) -> NMF:
    """Return the model as least squares, with a tolerance for which a component at the noise edge is worth sweeps.

    What another loss weighs differently, the matrix's weights hold already.
    """
    entries = np.count_nonzero(matrix.position_weights) * np.count_nonzero(matrix.pixel_weights)
    floor = edge.noise**2 * entries
    patient = copy(model)
    patient.loss = "frobenius"
    if floor > 0:
        patient.tol = min(float(model.tol), FALL * edge.edge**2 / floor / ROUGH)
    return patient


def _how(counts: bool, whole: bool, gains: tuple[float, float], share: float) -> str:
    """Return in a sentence what was held out and why; gains are that of the noise and that of the data."""
    noise, gain = gains
    if counts:
        each = "" if gain == 1 else f" (of {gain:.3g} units of the data each)"
        return f"{share:.0%} of the electrons{each}, drawn at random, were held out of every fit."
    if gain != 1:
        why = f"variance over mean of the noise is {noise:.2g}, not the gain of {gain:.2g}"
    elif whole:
        why = f"the noise of the counts is {noise:.2g} times that of single electrons"
    else:
        why = "the data are no counts"
    return f"A block of entries was held out of every fit, because {why}."


def _choice(
    done: Judged,
    edges: tuple[NoiseEdge, NoiseEdge],
    left: list[ComponentEdge],
    method: str,
    notes: tuple[str, ...],
) -> RankChoice:
    """Return the recommendation that the evidence leads to."""
    ranks = np.array([trial.n_components for trial in done.trials])
    scores = []
    for k in dict.fromkeys(ranks.tolist()):
        own = np.flatnonzero(ranks == k)
        best = own[int(np.argmin(done.held_out[own]))]
        trials = [trial for trial in done.trials if trial.n_components == k]
        scores.append(
            RankScore(
                n_components=int(k),
                held_out=float(done.held_out[best]),
                uncertainty=float(done.uncertainty[best]),
                confirmed=int(done.confirmed[best]),
                stability=stability(trials),
                relative_error=min(trial.relative_error for trial in trials),
            )
        )
    good = [score for score in scores if score.held_out <= ALIKE * score.uncertainty]
    best_score = max(good, key=lambda score: score.confirmed)
    most = max(1, max(score.confirmed for score in scores), *(one.n_above for one in left))
    middle = sorted(left, key=lambda one: one.n_above)[len(left) // 2] if left else None
    if middle is not None:
        chosen = middle.n_above
        reason = _refined_reason(middle, left)
    else:
        chosen, reason = max(1, best_score.confirmed), _reason(best_score, scores[-1].n_components, method)
    return RankChoice(
        n_components=chosen,
        reason=reason,
        most=max(most, chosen),
        plain=edges[0],
        edge=edges[1],
        scores=tuple(scores),
        method=method,
        notes=notes,
        components=middle,
    )


def _refined_reason(middle: ComponentEdge, left: list[ComponentEdge]) -> str:
    each = ", ".join(str(one.n_above) for one in left)
    return (
        f"{middle.n_above}: so many components are left by the refinements and stand above {middle.edge:.1f} standard "
        f"deviations in held-out electrons, which the best of {middle.candidates} pieces of noise reaches in one scan "
        f"of a hundred (median of {each} for {len(left)} ways of holding out)."
    )


def _reason(best: RankScore, largest: int, method: str) -> str:
    held = "electrons" if method == "count splitting" else "entries"
    first = (
        f"{max(1, best.confirmed)}: held-out {held} confirm {best.confirmed} independent directions of the fit of "
        f"{best.n_components} components, and no other rank predicts them clearly better"
    )
    if best.confirmed >= largest:
        return f"{first}; that is as many as the largest rank tried, so try larger ones."
    return f"{first}."


def stability(trials: list[Trial]) -> float:
    """Return the mean agreement of all pairs of trials of one rank, 0 to 1; NaN for a single one.

    Components are matched so that the sum of pattern cosine x map Pearson is largest (Hungarian method); the
    agreement of two trials is the mean of it over their components.

    Parameters
    ----------
    trials : list of Trial
    """
    from scipy.optimize import linear_sum_assignment

    def unit(rows: NDArray[Any], *, centred: bool) -> Float:
        rows = rows.astype(np.float64)
        rows = rows - rows.mean(axis=1, keepdims=True) if centred else rows
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0))

    parts = [(unit(flat(t.maps), centred=True), unit(flat(t.patterns), centred=False)) for t in trials]
    found = []
    for (maps, patterns), (other_maps, other_patterns) in combinations(parts, 2):
        alike = np.maximum(maps @ other_maps.T, 0) * np.maximum(patterns @ other_patterns.T, 0)
        found.append(float(alike[linear_sum_assignment(alike, maximize=True)].mean()))
    return float(np.mean(found)) if found else float("nan")
