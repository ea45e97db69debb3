"""Factorisations judged by data that they did not see: counts split in two, or held-out entries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.matrix import Matrix
from unmixel.dataset.rank import ComponentEdge
from unmixel.factorize.edge import component_edge
from unmixel.factorize.model import NMF
from unmixel.factorize.products import products_of
from unmixel.factorize.refine import refine
from unmixel.factorize.significance import Evidence
from unmixel.factorize.sweep import Trials, sweep
from unmixel.factorize.thinning import thinned
from unmixel.factorize.work import Work

Float = NDArray[np.float64]
Factors = tuple[NDArray[Any], NDArray[Any]]
"""Maps (k, n) and patterns (k, m)."""

FALSE = 0.05
"""Expected share of noise among what is confirmed, at most."""

HELD_PIXELS, HELD_POSITIONS = 0.25, 0.5
"""Shares of the pixels and of the positions whose common entries are held out."""

STEPS = 100


@dataclass(frozen=True, eq=False)
class Judged:
    """Trials and how they did on held-out data.

    Parameters
    ----------
    trials : Trials
    held_out : ndarray, shape (t,)
        Squared error on the held-out data, in units of their noise, above that of the best trial.
    uncertainty : ndarray, shape (t,)
        Standard error of it.
    confirmed : ndarray of int, shape (t,)
        Directions of each trial's model that the held-out data show, too; see `confirmed`.
    """

    trials: Trials
    held_out: Float
    uncertainty: Float
    confirmed: NDArray[np.intp]


def by_split_counts(
    matrix: Matrix, ranks: list[int], restarts: int, model: NMF, *, noise: float, share: float, seed: int
) -> Judged:
    """Return trials fitted to a part of the electrons, judged by the others.

    Every electron goes to the check part with chance `share` (by the gain of the matrix: `thinned`), so that both
    parts are independent counts of one experiment. The maps of a trial are scaled by ``share / (1 - share)`` before
    they are compared with it. One pass over the check part judges all trials.

    Parameters
    ----------
    matrix : Matrix
        Counts, of any gain.
    ranks : list of int
    restarts : int
    model : NMF
    noise : float
        Standard deviation of one weighted entry of the whole data.
    share : float, in (0, 1)
    seed : int
    """
    fit, check = thinned(matrix, share=share, seed=seed)
    trials = sweep(fit, ranks, restarts, model=model)
    scale = share / (1 - share)
    factors = [(flat(trial.maps) * scale, flat(trial.patterns)) for trial in trials]
    return judged(trials, Work(check, model.plan_for(check)), factors, noise * float(np.sqrt(share)))


def refined(matrix: Matrix, model: NMF, *, noise: float, share: float, seed: int) -> ComponentEdge:
    """Return the components that the refinements of a model leave, against what noise alone reaches.

    Everything is found in one part of the electrons; refinements that ask for significance (`Prune`) get it from the
    other. Unlike a direction, a component counts even where its pattern is nearly that of another one in another
    place. Candidates are all that refinements judged by these electrons (they tell how many they `judged`).

    Parameters
    ----------
    matrix : Matrix
        Counts, of any gain.
    model : NMF
        Its number of components is what is begun with.
    noise, share, seed
        As for `by_split_counts`.
    """
    plan = model.plan_for(matrix)
    fit, check = thinned(matrix, share=share, seed=seed)
    with plan.engine.threads():
        work = Work(fit, plan)
        products = products_of(check, plan.engine, dtype=plan.dtype, budget=plan.budget)
        evidence = Evidence(products, share, noise)
        draft, told = refine(work.sketch, plan, noise=work.noise, evidence=evidence)
        found = evidence(draft)[draft.spared :]
    candidates = max(sum(step.get("judged", 0) for step in told), len(found))
    return ComponentEdge(np.sort(found)[::-1], component_edge(candidates), candidates, draft.spared)


def by_held_out_entries(
    matrix: Matrix, ranks: list[int], restarts: int, model: NMF, *, noise: float, seed: int
) -> Judged:
    """Return trials judged by a block of entries, of random positions at random pixels, that had no part in them.

    Trials are fitted to all positions without the held-out pixels. Their patterns at these follow from the positions
    that are not held out, as the best non-negative ones for the fitted maps, and predict the block. One pass finds
    these patterns, one more judges all trials.

    Parameters
    ----------
    matrix : Matrix
        Any numbers >= 0 whose noise in one entry tells nothing about that in another.
    ranks : list of int
    restarts : int
    model : NMF
    noise : float
    seed : int

    References
    ----------
    Owen & Perry, Ann. Appl. Stat. 3, 564 (2009): bi-cross-validation.
    """
    rng = np.random.default_rng([seed, 11])
    positions = rng.random(matrix.n_positions) < HELD_POSITIONS
    pixels = rng.random(matrix.n_pixels) < HELD_PIXELS
    trials = sweep(_only(matrix, pixels=~pixels), ranks, restarts, model=model)
    plan = model.plan_for(matrix)
    bridge = Work(_only(matrix, positions=~positions, pixels=pixels), plan)
    maps = [flat(trial.maps).astype(np.float64) for trial in trials]
    rows = np.concatenate(maps) * bridge.matrix.position_weights
    with plan.engine.threads():
        products = bridge.products.with_maps(plan.engine.asarray(rows, plan.dtype))
    targets = np.asarray(plan.engine.to_host(products), np.float64)
    factors, begin = [], 0
    for own in maps:
        part = slice(begin, begin + len(own))
        factors.append((own, nonnegative(rows[part] @ own.T, targets[part]) * pixels))
        begin = part.stop
    block = Work(_only(matrix, positions=positions, pixels=pixels), plan)
    return judged(trials, block, factors, noise)


def judged(trials: Trials, work: Work, factors: list[Factors], noise: float) -> Judged:
    """Return how models do on data that they were not fitted to; one pass over these, whatever the number of models.

    Every model is written by its singular directions, ``sqrt(r) W H sqrt(w) = sum_l s_l u_l v_l'``. The data give
    ``p_l = u_l' X v_l``, of mean s_l where the model is right and of mean 0 where it fitted noise, with the
    deviation `noise` either way, because they are independent of u and v. Then::

        |X - W H|^2 = |X|^2 + sum_l s_l (s_l - 2 p_l)

    and `confirmed` tells in how many directions p_l is more than noise. Two models A and B differ by
    ``|A|^2 - |B|^2 - 2 <X, A - B>``, whose standard error is ``2 noise |A - B|``.

    Parameters
    ----------
    trials : Trials
    work : Work
        The held-out data; weights of 0 leave out what is not among them.
    factors : list of (ndarray, ndarray)
        Maps and patterns of each trial, at the scale of the held-out data.
    noise : float
        Standard deviation of one weighted entry.
    """
    plan, matrix = work.plan, work.weighed
    roots = np.sqrt(matrix.position_weights), np.sqrt(matrix.pixel_weights)
    turned = [_directions(w * roots[0], h * roots[1]) for w, h in factors]
    left, values, right = (np.concatenate(parts) for parts in zip(*turned, strict=True))
    with plan.engine.threads():
        rows = (plan.engine.asarray(part, plan.dtype) for part in (left * roots[0], right * roots[1]))
        seen = work.products.overlap(*rows)
    ends = np.cumsum([len(part) for _, part, _ in turned])
    own = [slice(end - len(part), end) for end, (_, part, _) in zip(ends, turned, strict=True)]
    missed = np.array([float(np.sum(values[part] * (values[part] - 2 * seen[part]))) for part in own])
    best = own[int(np.argmin(missed))]
    distances = []
    for part in own:
        shared = np.sum((left[part] @ left[best].T) * (right[part] @ right[best].T) * values[best], axis=1)
        distances.append(
            np.sum(values[part] ** 2) + np.sum(values[best] ** 2) - 2 * np.sum(values[part] * shared)
        )
    unit = max(noise, 1e-30)
    spread = 2 * np.sqrt(np.maximum(distances, 0)) / unit
    spread[int(np.argmin(missed))] = 0.0
    shown = np.array([confirmed(seen[part] / unit) for part in own])
    return Judged(trials, (missed - missed.min()) / unit**2, spread, shown)


def confirmed(scores: Float) -> int:
    """Return how many standard scores are above noise, when at most a share `FALSE` of them may be false.

    Parameters
    ----------
    scores : ndarray, shape (l,)
        Standard normal where there is nothing.

    References
    ----------
    Benjamini & Hochberg, J. R. Stat. Soc. B 57, 289 (1995).

    Examples
    --------
    >>> confirmed(np.array([9.0, 0.3, 2.4, -1.0]))
    2
    """
    from scipy.special import ndtr

    chances = np.sort(ndtr(-scores))
    (good,) = np.nonzero(chances <= FALSE * np.arange(1, chances.size + 1) / max(1, chances.size))
    return int(good[-1]) + 1 if good.size else 0


def _directions(w: NDArray[Any], h: NDArray[Any]) -> tuple[Float, Float, Float]:
    """Return left (k, n), values (k,) and right (k, m) singular directions of ``w' h``."""
    (turn_w, inner_w), (turn_h, inner_h) = (np.linalg.qr(f.T.astype(np.float64)) for f in (w, h))
    left, values, right = np.linalg.svd(inner_w @ inner_h.T)
    return np.ascontiguousarray((turn_w @ left).T), values, np.ascontiguousarray(right @ turn_h.T)


def flat(factor: NDArray[Any]) -> NDArray[Any]:
    """Return maps or patterns as rows, shape (k, size)."""
    return factor.reshape(len(factor), -1)


def nonnegative(gram: Float, target: Float) -> Float:
    """Return the Y >= 0, shape of `target` (k, m), that minimises ``1/2 <Y, gram Y> - <target, Y>``.

    By accelerated projected gradient with the diagonal scaled to 1; components that are empty stay empty.

    Examples
    --------
    >>> nonnegative(np.eye(2), np.array([[2.0], [-1.0]])).tolist()
    [[2.0], [0.0]]
    """
    size = np.sqrt(np.maximum(np.diagonal(gram), 0))
    inverse = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    gram, target = gram * np.outer(inverse, inverse), target * inverse[:, None]
    step = 1 / max(float(np.linalg.eigvalsh(gram)[-1]), 1e-30)
    found = ahead = np.maximum(target, 0)
    pace = 1.0
    for _ in range(STEPS):
        new = np.maximum(ahead - step * (gram @ ahead - target), 0)
        faster = (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        ahead = new + (pace - 1) / faster * (new - found)
        found, pace = new, faster
    return np.asarray(found * inverse[:, None])


def _only(
    matrix: Matrix, *, positions: NDArray[np.bool_] | None = None, pixels: NDArray[np.bool_] | None = None
) -> Matrix:
    """Return the matrix with weights of 0 everywhere else."""
    rows = matrix.position_weights if positions is None else matrix.position_weights * positions
    columns = matrix.pixel_weights if pixels is None else matrix.pixel_weights * pixels
    return replace(matrix, position_weights=rows, pixel_weights=columns)
